"""
Files of a store that was restored: nobody knows whom the files have that were written after the backup.

So nobody is surely known any more, and whoever the files before had, or may have had since, is perhaps. The next file
tells members as new and all others among these as ``exited``, as after a run that died (``batch.select``).
"""

from collections.abc import Iterable

import pyarrow as pa

from headrace.batch import members
from headrace.model.profile import Profile
from headrace.services.exports import due
from headrace.store import audiences, dataflows, exports
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow

#: Somebody: their number, the number of their state, and what is known of them.
Person = tuple[int, int, Profile]


def writes_people(tx: Transaction, stored: StoredDataflow) -> bool:
    """Say whether a dataflow writes files of people."""
    destination = due.destination_of(tx, stored)
    return destination.takes_files and not destination.exports_datasets


def doubt_all(tx: Transaction, stored: StoredDataflow) -> None:
    """Know of nobody surely any more, in the transaction that lets a dataflow go which was restored."""
    for number in dataflows.mapped_audiences(tx, stored.tenant, stored.dataflow):
        whose = (stored.tenant, stored.dataflow, number)
        perhaps = [(block, packed) for block, _, packed in exports.unpublished(tx, *whose)]
        known = members.either(exports.members(tx, *whose), perhaps)
        exports.show(tx, *whose, [(block, b"", packed) for block, packed in known])


def doubt(tx: Transaction, stored: StoredDataflow, people: Iterable[Person], since: int) -> None:
    """
    Take those of some people for perhaps known who have changed since the restore: the partner may have been told.

    They are known by their membership, for a row says whose it is: of an audience that somebody was never in, no row
    says that they have left it.
    """
    changed = [(profile, person) for profile, state, person in people if state > since]
    mapped = dataflows.mapped_audiences(tx, stored.tenant, stored.dataflow) if changed else ()
    for audience in audiences.all_of(tx, stored.tenant).values() if changed else ():
        if audience.audience not in mapped:
            continue
        held = [
            profile
            for profile, person in changed
            if audience.id in ((person.get("segmentMembership") or {}).get(audience.namespace) or {})
        ]
        _add(tx, (stored.tenant, stored.dataflow, audience.audience), held)


def _add(tx: Transaction, whose: tuple[int, int, int], held: list[int]) -> None:
    """Add people to those whom the files of an audience perhaps have; what is surely known stays so."""
    if not held:
        return
    if not exports.is_shown(tx, *whose):
        exports.show(tx, *whose, [(block, packed, packed) for block, packed in exports.members(tx, *whose)])
    for block, added in members.packed(pa.array(held, pa.int64())):
        _, before = exports.block_of(tx, *whose, block)
        ((_, packed),) = members.either([(block, before)] if before is not None else [], [(block, added)])
        exports.put_perhaps(tx, *whose, block, packed)
