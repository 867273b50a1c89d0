"""What claims end in, whatever became of them: changes taken, lanes given back or forgotten."""

from typing import Any

from headrace.model.message import Entry, Group
from headrace.store.database import Transaction

DELETE_GROUP = "DELETE FROM groups WHERE tenant = :tenant AND claim_group = :claim_group"


def drop_group(tx: Transaction, group: Group) -> None:
    """Forget a claimed group of which no entry is left."""
    tx.run(DELETE_GROUP, {"tenant": group.tenant, "claim_group": group.number})


def lane_of(group: Group, entry: Entry) -> dict[str, Any]:
    return {
        "tenant": group.tenant,
        "dataflow": group.dataflow,
        "profile": entry.profile,
        "audience": entry.audience,
        "part": entry.part,
    }


TAKE_CHANGES = """
    DELETE FROM changes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND seq <= :seq
        AND (:audience = 0 OR audience = 0 OR audience = :audience)
    RETURNING audience, seq
"""
FREE_LANE = """
    UPDATE lanes SET claim_group = NULL, claimed_seq = NULL,
        due = CASE WHEN desired_seq > claimed_seq THEN waiting_since END
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
        AND claim_group = :claim_group
"""
FORGET_LANE = """
    DELETE FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
        AND claim_group IS NULL AND due IS NULL AND shown IS NULL
"""
