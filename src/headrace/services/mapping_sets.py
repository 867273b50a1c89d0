"""
Mapping sets, and the schemas they lead from and to. A set does not change: who wants another mapping makes another set.

A dataflow that refers to one keeps its rows, so that everything that reads a dataflow knows them.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from headrace.clock import Clock
from headrace.errors import AccountError
from headrace.mapping.paths import parse as parse_path
from headrace.model.flow import IDENTITY_PATH
from headrace.model.mapping_set import ConversionSchema, MappingSet
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.services.in_use import refuse_in_use
from headrace.store import documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

SCHEMA, MAPPING_SET = "conversion-schema", "mapping-set"
Object = dict[str, Any]
_PLACE = "/transformations/0/params/profileMapping"


async def create_schema(store: Store, clock: Clock, caller: Caller, document: object) -> Declared:
    """Keep a schema that mappings lead from or to."""
    kept = read(ConversionSchema, document)[0].model_dump(mode="json", by_alias=True, exclude_unset=True)
    return await declared.create(store, clock, caller, SCHEMA, kept, declared.nothing_to_check)


async def create_set(store: Store, clock: Clock, caller: Caller, document: object) -> Declared:
    """
    Keep a mapping set.

    Raises:
        ConfigurationError: with everything that is wrong with its rows, and schemas that are not there.
    """
    wanted, _ = read(MappingSet, document)
    kept = wanted.model_dump(mode="json", by_alias=True, exclude_unset=True)
    problems = [*_row_problems(wanted)]
    declared.refuse(problems)

    def check(tx: Transaction) -> list[Problem]:
        return [*_schema_problems(tx, caller, wanted)]

    return await declared.create(store, clock, caller, MAPPING_SET, kept, check)


async def delete_set(store: Store, clock: Clock, caller: Caller, id_: str) -> None:
    """
    Delete a mapping set that no dataflow refers to.

    Raises:
        NotFound: it is not in this sandbox.
        InUse: dataflows refer to it; it says which.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        known = declared.existing(tx, caller, MAPPING_SET, id_)
        refuse_in_use(tx, caller.tenant, MAPPING_SET, id_)
        declared.remove(tx, caller, MAPPING_SET, known, now)

    await store.write(work)


def resolved(tx: Transaction, caller: Caller, document: Object) -> Object:
    """
    Return a dataflow's document with the rows of the mapping set that it refers to, if it does.

    Raises:
        ConfigurationError: there is no such set, or not in this version.
    """
    if not document["transformations"]:  # Datasets are not mapped.
        return document
    (transformation,) = document["transformations"]
    reference = transformation["params"].get("profileMapping")
    if not isinstance(reference, dict):
        return document
    plain = {key: value for key, value in reference.items() if key != "x-headrace"}
    if plain.get("mappingId") is not None:
        plain["x-headrace"] = {"mappings": _rows(tx, caller, plain)}
    params = {**transformation["params"], "profileMapping": plain}
    return {**document, "transformations": [{**transformation, "params": params}]}


def _rows(tx: Transaction, caller: Caller, reference: Object) -> list[Object]:
    id_, version = reference["mappingId"], reference.get("mappingVersion", 0)
    known = documents.get(tx, caller.number, MAPPING_SET, id_) if isinstance(id_, str) else None
    if known is None:
        message = f"there is no mapping set {id_!r} here"
        raise ConfigurationError([Problem("unknown-mapping-set", f"{_PLACE}/mappingId", message)])
    if version != known.version - 1:
        message = f"the mapping set is in version {known.version - 1}, not in {version!r}"
        raise ConfigurationError([Problem("unknown-mapping-set", f"{_PLACE}/mappingVersion", message)])
    rows: list[Object] = known.document["mappings"]
    return rows


def _row_problems(wanted: MappingSet) -> Iterator[Problem]:
    for place, row in enumerate(wanted.mappings):
        if "." in row.destination:
            message = f"`{row.destination}` has a dot in it: write `{row.destination.replace('.', '_')}`"
            yield Problem("dotted-target", f"/mappings/{place}/destination", message)
        if not row.source.startswith(IDENTITY_PATH):
            try:
                parse_path(row.source)
            except AccountError as error:
                yield Problem("invalid-path", f"/mappings/{place}/source", error.message)
    counted = Counter(row.destination for row in wanted.mappings)
    for name in sorted(name for name, count in counted.items() if count > 1):
        yield Problem("mapped-twice", "/mappings", f"two rows go to the target `{name}`")


def _schema_problems(tx: Transaction, caller: Caller, wanted: MappingSet) -> Iterator[Problem]:
    for name, schema in (("inputSchema", wanted.input_schema), ("outputSchema", wanted.output_schema)):
        if schema is not None and documents.get(tx, caller.number, SCHEMA, schema.id) is None:
            yield Problem("unknown-schema", f"/{name}/id", f"there is no schema {schema.id!r} here")
