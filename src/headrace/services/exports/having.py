"""What is said of somebody who is erased and of the files that were written with them: nobody takes those back."""

from collections.abc import Iterator

from headrace.batch.members import BLOCK, Members
from headrace.services.exports.doubting import writes_people
from headrace.store import audiences, dataflows, exports
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.erasures import Receipt

_HAVE = (
    "files have them in {}; no file from now on does, and what was written stays with the partner until it deletes it:"
    " ask it to"
)
_OLDER = "the last files do not have them as a member; older ones, which stay with the partner, may"


def of_files(tx: Transaction, tenant: int) -> list[StoredDataflow]:
    """Return the dataflows of a sandbox that write files of people."""
    return [stored for stored in dataflows.all_of(tx, tenant) if writes_people(tx, stored)]


def receipt_of(tx: Transaction, stored: StoredDataflow, profile: int, now: int) -> Receipt:
    """Say whether the files of a dataflow have somebody, surely or perhaps."""
    receipt = Receipt(profile, stored.dataflow, "unknown", None, now)
    found = [*_having(tx, stored, profile)]
    if not found:
        return receipt
    having = tuple(name for name, has_them in found if has_them)
    if not having:
        return Receipt(profile, stored.dataflow, "unknown", _OLDER, now)
    return Receipt(profile, stored.dataflow, "cannot-be-told", _HAVE.format(", ".join(having)), now, having)


def _having(tx: Transaction, stored: StoredDataflow, profile: int) -> Iterator[tuple[str, bool]]:
    """Yield the audiences of which there are files, each with whether those have somebody."""
    mapped = dataflows.mapped_audiences(tx, stored.tenant, stored.dataflow)
    known = audiences.all_of(tx, stored.tenant)
    for number in sorted(mapped):
        whose = (stored.tenant, stored.dataflow, number)
        if exports.get(tx, *whose) is None and not exports.is_shown(tx, *whose):
            continue
        block = profile // BLOCK
        blocks = (packed for packed in exports.block_of(tx, *whose, block) if packed is not None)
        has_them = any(profile in Members([(block, packed)]) for packed in blocks)
        yield next((one.name or one.id for one in known.values() if one.audience == number), str(number)), has_them
