"""
The outbox: changes and the lanes they leave by. Accepting, claiming and settling, each inside the caller's transaction.

A change is the unit of the ledger, a lane the unit of delivery. A lane has at most one message under way; a newer state
takes the place of one that waits, without moving how long it has waited; a change is delivered once every lane it
touched has acknowledged at least its sequence number.
"""

from headrace.store.outbox.accepting import accept
from headrace.store.outbox.claiming import (
    NOBODY,
    Claim,
    claim,
    expire_leases,
    free_claims,
    leased,
    next_due,
    release,
    renew,
)
from headrace.store.outbox.lanes import drop_group
from headrace.store.outbox.numbers import Numbers
from headrace.store.outbox.settling import Conclusion, Recorded, settle
from headrace.store.outbox.showing import (
    Told,
    claimed,
    forget_shown,
    known_lanes,
    laid_aside,
    shown,
    suppose,
    told,
    under_way,
)
from headrace.store.outbox.waiting import is_any_of, is_claimable, is_waiting, is_waiting_in, oldest
from headrace.store.outbox.withholding import (
    move,
    newer,
    withhold,
    withhold_audience,
    withhold_entries,
    withhold_nobody,
)

__all__ = [
    "NOBODY",
    "Claim",
    "Conclusion",
    "Numbers",
    "Recorded",
    "Told",
    "accept",
    "claim",
    "claimed",
    "drop_group",
    "expire_leases",
    "forget_shown",
    "free_claims",
    "is_any_of",
    "is_claimable",
    "is_waiting",
    "is_waiting_in",
    "known_lanes",
    "laid_aside",
    "leased",
    "move",
    "newer",
    "next_due",
    "oldest",
    "release",
    "renew",
    "settle",
    "shown",
    "suppose",
    "told",
    "under_way",
    "withhold",
    "withhold_audience",
    "withhold_entries",
    "withhold_nobody",
]
