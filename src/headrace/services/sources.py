"""Source connections, which dataflows begin with: names for the profile store, or the datasets that are exported."""

from headrace.clock import Clock
from headrace.model.flow import SourceConnection
from headrace.model.reading import read
from headrace.services import declared
from headrace.services.accounts import SOURCE
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.exports import lake
from headrace.services.governance.holding import held
from headrace.services.in_use import find_unused
from headrace.services.patching import Operations, patched
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared


async def create_source(store: Store, clock: Clock, caller: Caller, document: object) -> Declared:
    """
    Keep a source connection.

    Raises:
        ConfigurationError: it is not right, or names datasets that are not here.
    """
    source, _ = read(SourceConnection, document)
    kept = source.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return await declared.create(
        store, clock, caller, SOURCE, kept, lambda tx: [*lake.check(tx, caller.number, source)]
    )


async def change_source(
    store: Store, clock: Clock, caller: Caller, id_: str, version: str, operations: Operations
) -> Declared:
    """
    Change a source connection by JSON Patch.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: ``version`` is not the one that is stored.
        ConfigurationError: the patch does not apply, or what would come out is not right.
    """
    now = clock.now()

    def work(tx: Transaction) -> Declared:
        known = declared.existing(tx, caller, SOURCE, id_)
        declared.refuse_another(known, version)
        source, _ = read(SourceConnection, patched(known.document, operations, "source connection"))
        declared.refuse([*lake.check_same(lenient(SourceConnection, known.document), source)])
        kept = source.model_dump(mode="json", by_alias=True, exclude_unset=True)
        with held(tx, caller.tenant):  # Datasets that it names are sent.
            return declared.replace(tx, caller, SOURCE, known, kept, now)

    return await store.write(work)


async def delete_source(store: Store, clock: Clock, caller: Caller, id_: str, if_match: str | None = None) -> None:
    """
    Delete a source connection that no dataflow begins with.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: it was changed since it was read.
        InUse: dataflows do; it says which.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        known = find_unused(tx, caller, SOURCE, id_, if_match)
        declared.remove(tx, caller, SOURCE, known, now)

    await store.write(work)
