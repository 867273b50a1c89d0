"""
The first form of the store: the tables as ``store/tables.py`` has them.

Until the first release this revision follows the tables. With the release it is written out, and from then on every
change of the tables is a revision of its own.
"""

from alembic import op

from headrace.store import statistics
from headrace.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table and index, and tell the planner how large they will be."""
    metadata.create_all(op.get_bind())
    statistics.pin(op.get_bind())
