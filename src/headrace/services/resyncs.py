"""
Resynchronisations: runs that tell a partner of everybody as they are now, because it may know more than the store does.

One is asked for when a dataflow is enabled that was restored from a backup. ``resyncing.py`` carries them.
"""

from headrace.errors import Conflict
from headrace.services.caller import Caller
from headrace.services.exports import doubting
from headrace.store import erasures, profiles, restored, runs
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow

KIND = restored.RESYNC


def let_go(tx: Transaction, caller: Caller, stored: StoredDataflow, now: int) -> None:
    """
    Ask for the resynchronisation of a dataflow that is being enabled, if it was restored and not let go since.

    Raises:
        Conflict: people who were erased after the backup are not removed again yet.
    """
    item = restored.take(tx, stored.tenant, stored.dataflow)
    if item is None:
        return
    if erasures.is_removing(tx, stored.tenant):
        raise Conflict("people who were erased are being removed from what was restored: enable it in a moment")
    if doubting.writes_people(tx, stored):
        doubting.doubt_all(tx, stored)
    (target,) = stored.document["targetConnectionIds"]
    upto = profiles.last_number(tx, stored.tenant)
    moments = {"takenAt": item.taken_at, "restoredAt": item.restored_at, "sequence": item.sequence}
    progress = {"looked": 0, "of": upto, "queued": 0, "waits": 0, **moments}
    runs.ask(tx, stored.tenant, KIND, {"dataflow": stored.id, "target": target}, caller.actor, now, progress=progress)
