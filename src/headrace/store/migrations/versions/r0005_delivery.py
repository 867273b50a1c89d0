"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from headrace.store import statistics

revision = "0005"
down_revision = "0004"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Each part below lists the tables it makes, and says what it changes of those that are there.

# -- the ledger by hour, and the history --------------------------------------------------------------------------

ledger_hours = Table(
    "ledger_hours",
    metadata,
    *(Column(name, Whole, nullable=False) for name in ("tenant", "dataflow", "hour", "audience")),
    *(
        Column(name, Whole, nullable=False, server_default="0")
        for name in ("accepted", "delivered", "superseded", "withheld", "parked", "messages", "people", "entries")
    ),
    PrimaryKeyConstraint("tenant", "dataflow", "hour", "audience"),
    sqlite_with_rowid=False,
)
Index("ledger_hours_by_hour", ledger_hours.c.hour, ledger_hours.c.tenant, ledger_hours.c.dataflow)

parked_codes = Table(
    "parked_codes",
    metadata,
    Column("delta", Whole, primary_key=True, autoincrement=True),
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("code", Text, nullable=False),
    Column("changes", Whole, nullable=False),
    Column("hour", Whole, nullable=False, server_default="0"),
)
Index("parked_codes_of_dataflow", parked_codes.c.tenant, parked_codes.c.dataflow)

hour_codes = Table(
    "hour_codes",
    metadata,
    *(Column(name, Whole, nullable=False) for name in ("tenant", "dataflow", "hour")),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("changes", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "hour", "outcome", "code"),
    sqlite_with_rowid=False,
)
Index("hour_codes_by_hour", hour_codes.c.hour)

history = Table(
    "history",
    metadata,
    Column("number", Whole, primary_key=True, autoincrement=True),
    *(
        Column(name, Whole, nullable=False)
        for name in ("tenant", "dataflow", "day", "lowest", "highest", "moment", "kind")
    ),
    Column("message", Text, nullable=True),
    Column("code", Text, nullable=True),
    Column("status", Whole, nullable=True),
    Column("attempt", Whole, nullable=True),
    Column("entries", LargeBinary, nullable=False),
)
Index("history_of_day", *(history.c[name] for name in ("tenant", "dataflow", "day", "lowest", "highest")))

LEDGER: tuple[Table, ...] = (ledger_hours, parked_codes, hour_codes, history)
_OF_DELTAS = ("hour", "people", "entries")


def _give_hours() -> None:
    for name in _OF_DELTAS:
        op.add_column("ledger_deltas", Column(name, Whole, nullable=False, server_default="0"))
    op.add_column("withheld_reasons", Column("hour", Whole, nullable=False, server_default="0"))


def _take_hours() -> None:
    op.drop_column("withheld_reasons", "hour")
    for name in reversed(_OF_DELTAS):
        op.drop_column("ledger_deltas", name)


# -----------------------------------------------------------------------------------------------------------------

#: In the order in which they are made.
NEW: tuple[Table, ...] = (*LEDGER,)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    _give_hours()
    statistics.pin(op.get_bind())


def downgrade() -> None:
    _take_hours()
    for table in reversed(NEW):
        table.drop(op.get_bind())
