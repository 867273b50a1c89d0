"""What is held against each other: policies that are enforced, labels that data carries, and what dataflows use."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headrace.mapping.calculated import calculation
from headrace.mapping.paths import parse as parse_path
from headrace.model.core_governance import CORE_POLICIES
from headrace.model.dataset import Dataset
from headrace.model.deny import Compound, read_deny
from headrace.model.destination import Destination
from headrace.model.flow import FieldMapping, Flow, SegmentSelectorValue
from headrace.model.governance import actions_in, actions_of_destination, references_in
from headrace.services.catalog import Catalog
from headrace.services.checks import lenient
from headrace.services.governance.evaluating import Named, Rule, Subject, Used
from headrace.services.in_use import DATASET, SOURCE, TARGET
from headrace.services.mapped import mapped_rows
from headrace.store import audiences, dataflows, documents, evaluations, governance
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared

LABEL, ACTION, POLICY = "usage-label", "marketing-action", "policy"
IDENTITIES = "identityMap"
#: What the empty path is called.
EVERYTHING = "everything"
#: A path without the places in lists: a label is on all of a list's items.
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carrier:
    """Something that carries labels, and the paths of a person that they count for; the empty path is everything."""

    named: Named
    labels: tuple[str, ...]
    paths: tuple[Path, ...]

    def reaches(self, path: Path) -> bool:
        """Say whether its labels count for a path: it is one of them, lies below one, or holds one."""
        return any(meet(path, own) for own in self.paths)


# -- policies -------------------------------------------------------------------------------------------------------


def rules(tx: Transaction, tenant: int, *, drafts: bool = False) -> list[Rule]:
    """Return the policies that are enforced, the core ones first; with ``drafts`` also those that are written on."""
    wanted = {"ENABLED", "DRAFT"} if drafts else {"ENABLED"}
    own = [item for item in documents.all_of(tx, tenant, POLICY) if item.document.get("status") in wanted]
    return [*_core_rules(tx, tenant), *map(_own_rule, own)]


def _core_rules(tx: Transaction, tenant: int) -> Iterator[Rule]:
    enabled, _ = governance.enabled(tx, tenant)
    for policy in CORE_POLICIES:
        if policy.id in enabled:
            actions = frozenset({("core", policy.action)})
            yield Rule(policy.id, policy.name, "core", actions, Compound("OR", policy.labels))


def _own_rule(item: Declared) -> Rule:
    document = item.document
    deny, _ = read_deny(document["deny"], "/deny")
    return Rule(item.id, document["name"], "custom", actions_in(document["marketingActionRefs"]), deny)


# -- labels ---------------------------------------------------------------------------------------------------------


def carriers(tx: Transaction, tenant: int) -> list[Carrier]:
    """Return everything that carries labels."""
    datasets = {item.id: item for item in documents.all_of(tx, tenant, DATASET)}
    return [*_carriers(governance.labels(tx, tenant), datasets)]


def _carriers(put: Iterable[governance.PutLabels], datasets: dict[str, Declared]) -> Iterator[Carrier]:
    for item in put:
        labels = tuple(item.labels)
        if item.kind == "field":
            yield Carrier(Named("field", item.name, item.name), labels, (path_of(item.name),))
        elif item.kind == "namespace":
            yield Carrier(Named("namespace", item.name, item.name), labels, ((IDENTITIES, item.name),))
        elif item.name in datasets:
            found = datasets[item.name]
            named = Named("dataset", found.id, found.document["name"])
            yield Carrier(named, labels, tuple(paths_of_dataset(found)))


def path_of(text: str) -> Path:
    """
    Return the path of an attribute without places in lists; a dot in the name of a namespace stays in it.

    Raises:
        AccountError: the text is no path.
    """
    if text.startswith(f"{IDENTITIES}."):
        return IDENTITIES, text.removeprefix(f"{IDENTITIES}.").replace("//.", ".")
    return _bare(parse_path(text))


def paths_of_dataset(item: Declared) -> Iterator[Path]:
    """Yield what a dataset brings to people; one of whole profiles may bring anything."""
    dataset = lenient(Dataset, item.document)
    if dataset.shape == "profiles":
        yield ()
        return
    if dataset.key is not None:
        yield ("profileId",)
    yield from (path_of(attribute.path) for attribute in dataset.attributes)
    yield from ((IDENTITIES, identity.namespace) for identity in dataset.identities)


# -- what dataflows use ---------------------------------------------------------------------------------------------


def live_subjects(tx: Transaction, tenant: Tenant) -> list[Subject]:
    """Return the dataflows that are not disabled, as policies see them."""
    known = carriers(tx, tenant.tenant)
    going = [stored for stored in dataflows.all_of(tx, tenant.tenant) if stored.state != "disabled"]
    return [subject for stored in going if (subject := _stored_subject(tx, tenant, known, stored)) is not None]


def stored_subject(tx: Transaction, tenant: Tenant, stored: StoredDataflow) -> Subject | None:
    """Return a dataflow as policies see it; ``None`` where what it sends through is gone."""
    return _stored_subject(tx, tenant, carriers(tx, tenant.tenant), stored)


def _stored_subject(tx: Transaction, tenant: Tenant, known: list[Carrier], stored: StoredDataflow) -> Subject | None:
    flow = lenient(Flow, stored.document)
    target = documents.get(tx, tenant.tenant, TARGET, flow.target_connection_ids[0])
    if target is None:
        return None
    edition = Catalog(tx, tenant).in_force(target)
    return subject_of(tx, tenant.tenant, stored.id, flow, edition.id, edition.destination, known)


def subject_of(
    tx: Transaction,
    tenant: int,
    id_: str,
    flow: Flow,
    destination_id: str,
    destination: Destination,
    known: list[Carrier] | None = None,
) -> Subject:
    """Return a dataflow, or one that is to be, as policies see it."""
    known = carriers(tx, tenant) if known is None else known
    of_destination = actions_of_destination(destination.marketing_actions)
    used = [*_used_by_mapping(flow, destination, known), *_used_by_source(tx, tenant, flow, known)]
    for selector in flow.audiences:
        used += labels_of_audience(tx, tenant, selector, known)
    return Subject(
        Named("dataflow", id_, flow.name),
        Named("destination", destination_id, destination.name),
        actions_in(references_in(flow.policy)) | of_destination,
        of_destination,
        tuple(dict.fromkeys(used)),
    )


def labels_of_audience(
    tx: Transaction, tenant: int, audience: SegmentSelectorValue, known: list[Carrier]
) -> list[Used]:
    """
    Return the labels on the datasets that the query of an audience reads, whatever it takes of them.

    Members that come with people, in files or from other systems are of no dataset. Whatever changes a definition does
    so inside ``holding.held``.
    """
    if not known:
        return []
    found: list[Used] = []
    for stored in audiences.find(tx, tenant, audience.id, audience.namespace):
        user = Named("audience", stored.id, stored.name or stored.id)
        for id_ in evaluations.sources_of(tx, tenant, stored.audience):
            dataset = documents.get(tx, tenant, DATASET, id_)
            found += used_of_dataset(known, dataset, user) if dataset is not None else ()
    return found


def used_of(known: Iterable[Carrier], path: Path, user: Named) -> Iterator[Used]:
    """Yield the labels on a path that something uses."""
    for carrier in known:
        if carrier.reaches(path):
            yield from (Used(label, carrier.named, ".".join(path) or EVERYTHING, user) for label in carrier.labels)


def used_of_dataset(known: Iterable[Carrier], dataset: Declared, user: Named) -> Iterator[Used]:
    """Yield the labels on a dataset that something uses as a whole, and on all that it brings."""
    about = [carrier for carrier in known if _is_about(carrier, dataset)]
    for path in paths_of_dataset(dataset):
        yield from used_of(about, path, user)


def _used_by_mapping(flow: Flow, destination: Destination, known: list[Carrier]) -> Iterator[Used]:
    for row in mapped_rows(flow, destination):
        name = f"{row.source} -> {row.destination}"
        for path in _read_by(row):
            yield from used_of(known, path, Named("mapping", row.destination, name))


def _read_by(row: FieldMapping) -> list[Path]:
    """Return the paths of a person that a row of the mapping reads."""
    if row.is_of_namespace:
        return [(IDENTITIES, row.namespace)]
    paths = calculation(row.source).reads if row.is_calculated else [parse_path(row.source)]
    return [*dict.fromkeys(map(_bare, paths))]


def _used_by_source(tx: Transaction, tenant: int, flow: Flow, known: list[Carrier]) -> Iterator[Used]:
    """Yield the labels on datasets that a dataflow sends as they are: on each as a whole, and on what it brings."""
    source = documents.get(tx, tenant, SOURCE, flow.source_connection_ids[0])
    named = (source.document.get("params") or {}).get("datasets") if source is not None else None
    for item in named if isinstance(named, list) else ():
        id_ = item.get("dataSetId") if isinstance(item, dict) else None
        dataset = documents.get(tx, tenant, DATASET, id_) if isinstance(id_, str) else None
        if dataset is not None:
            yield from used_of_dataset(known, dataset, Named("dataset", dataset.id, dataset.document["name"]))


def _is_about(carrier: Carrier, dataset: Declared) -> bool:
    return carrier.named.noun != "dataset" or carrier.named.id == dataset.id


def _bare(path: Iterable[str | int]) -> Path:
    return tuple(step for step in path if isinstance(step, str))


def meet(one: Path, other: Path) -> bool:
    """Say whether a path is the other, lies below it, or holds it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
