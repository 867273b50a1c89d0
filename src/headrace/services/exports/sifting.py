"""The rows of datasets without those of people who were erased: an erasure counts wherever people are sent from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from headrace.datasets.formats.ndjson import DOCUMENT
from headrace.datasets.rows import GivenUp, Piece
from headrace.datasets.snapshot import Snapshot
from headrace.services.erased import Identity, Sieve

_ID, _IDENTITIES = "profileId", "identityMap"


@dataclass(slots=True)
class Sifting:
    """
    Reads the rows of snapshots, for as long as anybody wants them, and leaves out whom ``sieve`` knows.

    ``left_out`` counts those.
    """

    sieve: Sieve | None
    is_wanted: bool = True
    left_out: int = 0

    def __call__(self, snapshot: Snapshot) -> pa.RecordBatchReader:
        """Read the rows of a snapshot, in bounded memory."""
        return pa.RecordBatchReader.from_batches(snapshot.schema, self._batches(snapshot, self.sieve))

    def everything(self, snapshot: Snapshot) -> pa.RecordBatchReader:
        """Read all rows of a snapshot, to hold others against them."""
        return pa.RecordBatchReader.from_batches(snapshot.schema, self._batches(snapshot, None))

    def give_up(self) -> None:
        """Say that nobody wants the rows any more. From any thread."""
        self.is_wanted = False

    def _batches(self, snapshot: Snapshot, sieve: Sieve | None) -> Iterator[pa.RecordBatch]:
        for piece in snapshot.rows.pieces():
            if not self.is_wanted:
                raise GivenUp
            yield self._sifted(snapshot, piece, sieve) if sieve is not None else piece.batch

    def _sifted(self, snapshot: Snapshot, piece: Piece, sieve: Sieve) -> pa.RecordBatch:
        kept = [not any(map(sieve.knows, identities)) for identities in _identities(snapshot, piece.batch)]
        self.left_out += len(kept) - sum(kept)
        return piece.batch if all(kept) else piece.batch.filter(pa.array(kept, pa.bool_()))


def _identities(snapshot: Snapshot, batch: pa.RecordBatch) -> Iterator[Sequence[Identity]]:
    """Yield by whom each row is, as far as the dataset says it."""
    dataset = snapshot.dataset
    if dataset.shape == "profiles":
        yield from map(_of_profile, _profiles(batch))
        return
    named = [("", dataset.key)] if dataset.key is not None else []
    named += [(identity.namespace, identity.column) for identity in dataset.identities]
    columns = [(space, batch.column(name).to_pylist()) for space, name in named if name in batch.schema.names]
    for row in range(batch.num_rows):
        yield [(space, id_) for space, values in columns for id_ in _ids(values[row])]


def _profiles(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    if batch.schema.names == [DOCUMENT]:
        yield from (orjson.loads(text) for text in batch.column(0).to_pylist())
        return
    names = [name for name in (_ID, _IDENTITIES) if name in batch.schema.names]
    yield from batch.select(names).to_pylist(maps_as_pydicts="lossy")


def _of_profile(profile: dict[str, Any]) -> list[Identity]:
    found = [("", id_) for id_ in _ids(profile.get(_ID))]
    for space, listed in (profile.get(_IDENTITIES) or {}).items():
        found += [(space, id_) for item in listed or () for id_ in _ids((item or {}).get("id"))]
    return found


def _ids(value: Any) -> list[str]:
    """Return the ids that a value holds, written as people are kept under them."""
    values = value if isinstance(value, list) else [value]
    return [str(one) if isinstance(one, str) else str(int(one)) for one in values if _is_id(one)]


def _is_id(value: Any) -> bool:
    is_whole = isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value()
    return isinstance(value, str) or type(value) is int or is_whole
