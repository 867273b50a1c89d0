"""What is kept of messages of which something was parked."""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from headrace.store.tables.base import Whole, metadata

#: Once for each message: the request as it was rendered, and the answer, without secrets. ``kept`` rises with time.
parked_messages = Table(
    "parked_messages",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("kept", Whole, nullable=False),
    Column("message", Text, nullable=False),
    Column("parked_at", Whole, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "kept"),
    UniqueConstraint("tenant", "dataflow", "message"),
)
Index("parked_messages_by_age", parked_messages.c.parked_at)

#: Who is in a message, parked or not, so that it goes when one of them is erased.
parked_people = Table(
    "parked_people",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("kept", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "kept", "profile"),
    sqlite_with_rowid=False,
)
Index("parked_people_of_profile", parked_people.c.tenant, parked_people.c.profile)

#: The highest number of a parked change that was taken away again: none is given twice.
parked_numbers = Table(
    "parked_numbers",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("last", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow"),
)
