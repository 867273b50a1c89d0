"""The statements that every change takes, and the indexes they must find their rows by, on any database."""

from headrace.store import erasing, ledger, profiles, splitting
from headrace.store.outbox import accepting, claiming, lanes, settling, showing, waiting, withholding

LARGE = ("lanes", "changes", "profiles", "groups", "parked")
#: A table's name stands for its primary key, or any other key of it.
HOT = {
    "accept: the changes that wait": (accepting._OPEN_CHANGES, {"changes"}),
    "accept: what is under way": (accepting._CLAIMED_UP_TO, {"lanes"}),
    "accept: superseded": (accepting._DELETE_CHANGE, {"changes"}),
    "accept: known lanes": (showing._KNOWN_LANES, {"lanes"}),
    "claim: the next bucket": (claiming._NEXT_BUCKET, {"lanes_due"}),
    "claim: lanes": (claiming._CLAIM_LANES, {"lanes_due", "lanes"}),
    "claim: due groups": (claiming._DUE_GROUPS, {"groups_of_dataflow"}),
    "claim: moved": (claiming._RELEASE_MOVED, {"lanes_claimed"}),
    "claim: again": (claiming._RECLAIM_LANES, {"lanes_claimed"}),
    "claim: the group": (claiming._RECLAIM_GROUP, {"groups"}),
    "claim: entries": (claiming.ENTRIES, {"lanes_claimed", "profiles"}),
    "claim: what changed": (claiming._CHANGED, {"lanes_claimed", "changes"}),
    "claim: when next": (claiming._NEXT_DUE, {"groups_of_dataflow"}),
    "settle: is it ours": (settling._GROUP_IS_OURS, {"groups"}),
    "settle: acknowledge": (settling._ACKNOWLEDGE, {"lanes", "lanes_claimed"}),
    "settle: what is done": (settling._TAKE_SETTLED_CHANGES, {"lanes_claimed", "changes", "lanes"}),
    "settle: forget": (settling._FORGET_LANES, {"lanes_claimed"}),
    "settle: free": (settling._FREE_LANES, {"lanes_claimed"}),
    "park: changes": (lanes.TAKE_CHANGES, {"changes"}),
    "park: free": (lanes.FREE_LANE, {"lanes", "lanes_claimed"}),
    "park: forget": (lanes.FORGET_LANE, {"lanes"}),
    "park: the last number": (
        "SELECT coalesce(max(parked), 0) FROM parked WHERE tenant = :tenant AND dataflow = :dataflow",
        {"parked"},
    ),
    "split: lanes": (splitting._MOVE_TO_PART, {"lanes", "lanes_claimed"}),
    "split: what is held": (splitting._HELD, {"groups_split"}),
    "split: refusals": (splitting._COUNT, {"groups_split"}),
    "split: release": (splitting._RELEASE, {"groups"}),
    "ingest: who is it": (profiles._FIND[1], {"profiles"}),
    "ingest: who are they": (profiles._FIND[16], {"profiles"}),
    "ingest: the last number": (profiles._LAST, {"profiles"}),
    "ingest: the new state": (profiles._UPDATE, {"profiles"}),
    "expiry: who is due": (profiles._EXPIRED, {"profiles_by_expiry"}),
    "expiry: when next": (profiles._EXPIRE, {"profiles"}),
    "backfill: who is about to be told": (showing._UNDER_WAY, {"changes"}),
    "backfill: who was told": (showing._SHOWN, {"lanes"}),
    "backfill: what the partner forgets": (showing._SHOWN_LANES, {"lanes"}),
    "backfill: how much waits": (waiting._WAITING_LANES, {"lanes_due"}),
    "consent: who is about to be told": (showing._ALL_UNDER_WAY, {"changes"}),
    "consent: who has changed since": (withholding._NEWER, {"lanes_claimed", "profiles"}),
    "consent: elsewhere": (withholding._MOVE_LANE, {"lanes", "lanes_claimed"}),
    "erasing: lanes": (erasing._LANES, {"lanes", "groups"}),
    "backfill: people": (profiles._SCAN, {"profiles"}),
    "ledger: waiting": (ledger._WAITING, {"changes"}),
}
