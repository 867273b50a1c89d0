"""What uses an object, so that nobody deletes it from under that."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from headrace.errors import Conflict
from headrace.services.caller import Caller
from headrace.services.catalog import Pinned
from headrace.services.checks import CREDENTIALS, DESTINATION, pointed_to
from headrace.services.declared import existing, refuse_stale, spoken
from headrace.store import audiences, dataflows, dataset_snapshots, documents, evaluations, publishing
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.documents import Declared
from headrace.store.publishing import PublishRequest

#: The states in which a request to publish holds what it froze.
LIVE = frozenset({"REVIEW", "APPROVED", "PUBLISHED"})
DATASET = "dataset"
MAPPING_SET = "mapping-set"
AUDIENCE = "audience"
ACCOUNT, SOURCE, TARGET = _HELD = ("account", "source-connection", "target-connection")


@dataclass(frozen=True, slots=True)
class Use:
    """One object that uses another."""

    noun: str
    id: str
    name: str


class InUse(Conflict):
    """The object is in use."""

    def __init__(self, noun: str, uses: list[Use], elsewhere: int) -> None:
        self.uses = [asdict(use) for use in uses]
        self.elsewhere = elsewhere
        named = [f"{spoken(use.noun)} {use.name!r}" for use in uses[:3]]
        rest = len(uses) - len(named)
        counted = [f"{rest} more"] if rest else []
        counted += [f"{elsewhere} of other sandboxes"] if elsewhere else []
        super().__init__(f"this {spoken(noun)} is in use by {' and '.join([*named, *counted])}; delete that first")


def find_unused(tx: Transaction, caller: Caller, noun: str, id_: str, if_match: str | None) -> Declared:
    """
    Return an object that may be deleted: it is there, in the version that was named, and nothing uses it.

    Raises:
        NotFound: it is not in this sandbox.
        StaleVersion: it was changed since it was read.
        InUse: something does; it says what.
    """
    known = existing(tx, caller, noun, id_)
    refuse_stale(known, if_match)
    refuse_in_use(tx, caller.tenant, noun, id_)
    return known


def refuse_in_use(tx: Transaction, tenant: Tenant, noun: str, id_: str) -> None:
    """
    Refuse to delete an object that something uses.

    Raises:
        InUse: it names what is of this sandbox, and counts the rest.
    """
    if noun == DESTINATION:
        connected = [
            (number, Use(user, item.id, item.document["name"]))
            for user in ("account", "target-connection")
            for number, item in documents.connected_to(tx, user, id_)
        ]
        uses = [use for number, use in connected if number == tenant.tenant]
        elsewhere = len(connected) - len(uses)
        uses += [_of_request(tx, item) for item in publishing.of_destination(tx, id_) if item.status in LIVE]
    elif noun == DATASET:
        uses, elsewhere = [*_readers(tx, tenant, id_)], 0
    elif noun == AUDIENCE:
        uses, elsewhere = [*_mapping(tx, tenant, id_)], 0
    elif noun == MAPPING_SET:
        uses, elsewhere = [*_referring(tx, tenant, id_)], 0
    elif noun in _HELD:
        uses, elsewhere = [*_holders(tx, tenant, noun, id_)], 0
    else:
        uses, elsewhere = [*_users(tx, tenant, noun, id_)], 0
    if uses or elsewhere:
        raise InUse(noun, uses, elsewhere)


def _holders(tx: Transaction, tenant: Tenant, noun: str, id_: str) -> Iterator[Use]:
    """Return the dataflows that send through an account or a connection, and the connections under an account."""
    targets = {id_} if noun == TARGET else set()
    if noun == ACCOUNT:
        users = [item for item in documents.all_of(tx, tenant.tenant, TARGET) if _is_under(item, id_)]
        yield from (Use(TARGET, item.id, item.document["name"]) for item in users)
        targets = {item.id for item in users}
    for flow in dataflows.all_of(tx, tenant.tenant):
        wanted = {id_} if noun == SOURCE else targets
        if wanted & {*flow.document["sourceConnectionIds" if noun == SOURCE else "targetConnectionIds"]}:
            yield Use("dataflow", flow.id, flow.document["name"])


def _readers(tx: Transaction, tenant: Tenant, id_: str) -> Iterator[Use]:
    """Return the runs that read a dataset, and the audiences that name it. An export goes on without it."""
    for number in evaluations.readers(tx, tenant.tenant, id_):
        if (audience := audiences.get(tx, tenant.tenant, number)) is not None:
            yield Use(AUDIENCE, audience.id, audience.name or audience.id)
    for run in dataset_snapshots.runs_under_way(tx, tenant.tenant, id_):
        yield Use("run", run, run)


def _mapping(tx: Transaction, tenant: Tenant, id_: str) -> Iterator[Use]:
    """Return the dataflows that send an audience."""
    known = documents.get(tx, tenant.tenant, AUDIENCE, id_)
    namespace = known.document["namespace"] if known is not None else None
    for flow in dataflows.all_of(tx, tenant.tenant):
        chosen = (item["params"]["segmentSelectors"]["selectors"] for item in flow.document["transformations"])
        named = [item["value"] for selectors in chosen for item in selectors]
        if any(one["id"] == id_ and one.get("namespace", "ups") == namespace for one in named):
            yield Use("dataflow", flow.id, flow.document["name"])


def _referring(tx: Transaction, tenant: Tenant, id_: str) -> Iterator[Use]:
    """Return the dataflows that take their mapping from a set."""
    for flow in dataflows.all_of(tx, tenant.tenant):
        referred = (item["params"].get("profileMapping") or {} for item in flow.document["transformations"])
        if any(reference.get("mappingId") == id_ for reference in referred):
            yield Use("dataflow", flow.id, flow.document["name"])


def _is_under(target: Declared, account: str) -> bool:
    return target.document.get("baseConnectionId") == account


def _users(tx: Transaction, tenant: Tenant, noun: str, id_: str) -> Iterator[Use]:
    """Return the destinations that point to an object, and the requests that froze it, or one that points to it."""
    for item in documents.all_of(tx, tenant.tenant, DESTINATION):
        if (noun, id_) in pointed_to(item.document):
            yield Use(DESTINATION, item.id, item.document["name"])
    for request in publishing.of_tenant(tx, tenant.tenant):
        document = Pinned(tx, request).get(DESTINATION, request.destination) or {}
        if (noun, id_) in pointed_to(document) and _holds(tx, noun, request):
            yield _of_request(tx, request)


def _holds(tx: Transaction, noun: str, request: PublishRequest) -> bool:
    """Say whether a request needs what it froze: while it is live, and credentials as long as anybody is connected."""
    if request.status in LIVE:
        return True
    is_known = request.published_at is not None and noun == CREDENTIALS
    return is_known and bool(documents.connected_to(tx, "target-connection", request.destination))


def _of_request(tx: Transaction, request: PublishRequest) -> Use:
    document = Pinned(tx, request).get(DESTINATION, request.destination) or {}
    return Use("publish-request", request.config_id, document.get("name", request.destination))
