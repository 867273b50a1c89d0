"""What a scan is told. The process that scans imports this, so nothing here takes long to import."""

import msgspec
import pyarrow as pa

#: The columns that are no paths into a document; every other name is one, its steps parted by dots.
OWN = {
    "profile": pa.int64(),
    "key": pa.string(),
    "sequence": pa.int64(),
    "identities_at": pa.int64(),
    "document": pa.binary(),
}
#: Rows of a batch, and of one with documents: the largest that there may be have to fit into one buffer of Arrow's.
BATCH = 4096
BATCH_OF_DOCUMENTS = 1024


class Wanted(msgspec.Struct, frozen=True):
    """
    Where the store is, which columns of which sandbox are wanted, and since which state.

    ``in_order``: people come by their numbers, not as they lie.
    """

    address: str
    is_file: bool
    tenant: int
    columns: tuple[str, ...]
    since: int | None = None
    in_order: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The columns as Arrow has them: what is found at a path is JSON as text, null where nothing is."""
        return pa.schema([(name, OWN.get(name, pa.string())) for name in self.columns])

    @property
    def paths(self) -> tuple[str, ...]:
        """The columns that are found in documents."""
        return tuple(dict.fromkeys(name for name in self.columns if name not in OWN))

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of the table that are read: a document only where something in it is wanted."""
        own = [name for name in self.columns if name in OWN] + (["profile"] if self.in_order else [])
        return tuple(dict.fromkeys([*own, *(["document"] if self.paths else [])])) or ("profile",)

    @property
    def batch(self) -> int:
        """How many rows a batch has at most."""
        return BATCH_OF_DOCUMENTS if "document" in self.stored else BATCH
