"""The statements that every change takes, and the indexes they must find their rows by, on any database."""

from headrace.store import erasing, ledger, outbox, profiles

LARGE = ("lanes", "changes", "profiles", "groups", "parked")
#: A table's name stands for its primary key, or any other key of it.
HOT = {
    "accept: the changes that wait": (outbox._OPEN_CHANGES, {"changes"}),
    "accept: what is under way": (outbox._CLAIMED_UP_TO, {"lanes"}),
    "accept: superseded": (outbox._DELETE_CHANGE, {"changes"}),
    "accept: known lanes": (outbox._KNOWN_LANES, {"lanes"}),
    "claim: the next bucket": (outbox._NEXT_BUCKET, {"lanes_due"}),
    "claim: lanes": (outbox._CLAIM_LANES, {"lanes_due", "lanes"}),
    "claim: due groups": (outbox._DUE_GROUPS, {"groups_of_dataflow"}),
    "claim: moved": (outbox._RELEASE_MOVED, {"lanes_claimed"}),
    "claim: again": (outbox._RECLAIM_LANES, {"lanes_claimed"}),
    "claim: the group": (outbox._RECLAIM_GROUP, {"groups"}),
    "claim: entries": (outbox._ENTRIES, {"lanes_claimed", "profiles"}),
    "claim: what changed": (outbox._CHANGED, {"lanes_claimed", "changes"}),
    "claim: when next": (outbox._NEXT_DUE, {"groups_of_dataflow"}),
    "settle: is it ours": (outbox._GROUP_IS_OURS, {"groups"}),
    "settle: acknowledge": (outbox._ACKNOWLEDGE, {"lanes", "lanes_claimed"}),
    "settle: what is done": (outbox._TAKE_SETTLED_CHANGES, {"lanes_claimed", "changes", "lanes"}),
    "settle: forget": (outbox._FORGET_LANES, {"lanes_claimed"}),
    "settle: free": (outbox._FREE_LANES, {"lanes_claimed"}),
    "park: changes": (outbox._TAKE_PARKED_CHANGES, {"changes"}),
    "park: free": (outbox._FREE_PARKED_LANE, {"lanes", "lanes_claimed"}),
    "park: forget": (outbox._FORGET_PARKED_LANE, {"lanes"}),
    "park: the last number": (
        "SELECT coalesce(max(parked), 0) FROM parked WHERE tenant = :tenant AND dataflow = :dataflow",
        {"parked"},
    ),
    "ingest: who is it": (profiles._FIND[1], {"profiles"}),
    "ingest: who are they": (profiles._FIND[16], {"profiles"}),
    "ingest: the last number": (profiles._LAST, {"profiles"}),
    "ingest: the new state": (profiles._UPDATE, {"profiles"}),
    "expiry: who is due": (profiles._EXPIRED, {"profiles_by_expiry"}),
    "expiry: when next": (profiles._EXPIRE, {"profiles"}),
    "backfill: who is about to be told": (outbox._UNDER_WAY, {"changes"}),
    "backfill: who was told": (outbox._SHOWN, {"lanes"}),
    "backfill: what the partner forgets": (outbox._SHOWN_LANES, {"lanes"}),
    "backfill: how much waits": (outbox._WAITING_LANES, {"lanes_due"}),
    "consent: who is about to be told": (outbox._ALL_UNDER_WAY, {"changes"}),
    "consent: who has changed since": (outbox._NEWER, {"lanes_claimed", "profiles"}),
    "consent: elsewhere": (outbox._MOVE_LANE, {"lanes", "lanes_claimed"}),
    "erasing: lanes": (erasing._LANES, {"lanes", "groups"}),
    "backfill: people": (profiles._SCAN, {"profiles"}),
    "ledger: waiting": (ledger._WAITING, {"changes"}),
}
