"""What operators see of their audiences at the partner, and what they can do about one that is stuck."""

from typing import Any

import orjson

from headrace.clock import Clock
from headrace.connect.call import CallFailed
from headrace.errors import Conflict, NotFound
from headrace.model.audience_template import Adoption
from headrace.model.flow import Flow
from headrace.services import declared
from headrace.services.at_partner import contexts, preparing, recording, wanting
from headrace.services.at_partner.events import ALIAS
from headrace.services.at_partner.wanting import TARGET, Place
from headrace.services.call_limit import CallLimit
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.partners import Partners
from headrace.store import access, audiences, audit, dataflows, partner_audiences
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.partner_audiences import ITSELF, PartnerAudience

Shown = dict[str, Any]


async def shown(store: Store, caller: Caller, flows: list[StoredDataflow]) -> dict[str, Shown]:
    """Return how the audiences of dataflows stand at the partner, by the dataflow's id; only where one makes them."""
    return await store.read(lambda tx: {flow.id: found for flow in flows if (found := _of_flow(tx, caller, flow))})


async def of_target(store: Store, caller: Caller, id_: str) -> list[Shown]:
    """
    Return how the audiences of a target connection stand, also those that no dataflow sends any longer.

    Raises:
        NotFound: the connection is not in this sandbox.
    """

    def look(tx: Transaction) -> list[Shown]:
        declared.existing(tx, caller, TARGET, id_)
        known = audiences.all_of(tx, caller.number)
        return [_shown(known[row.audience], row) for row in _rows_of(tx, caller.number, id_)]

    return await store.read(look)


async def retry(store: Store, clock: Clock, caller: Caller, id_: str) -> None:
    """
    Try at once what failed of a dataflow's audiences, and whatever else is to be done at its partner.

    Raises:
        NotFound: the dataflow is not in this sandbox.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        stored, target = _existing(tx, caller, id_)
        wanting.follow(tx, caller.tenant, target, caller.actor, now)
        audit.note(tx, caller.number, caller.actor, "retry-audiences", "dataflow", stored.id, now, stored.version)

    await store.write(work)


async def at_partner(store: Store, partners: Partners, limit: CallLimit, caller: Caller, id_: str) -> list[Shown]:
    """
    Return the audiences that the partner has, as the audience template lists them.

    Raises:
        NotFound: the dataflow is not in this sandbox.
        Conflict: its audience template does not say how they are listed.
        CallFailed: the partner refused it, or answered something else than a list.
        TooManyCalls: partners were called too often.
    """
    kept = await _asked(store, partners, limit, caller, id_, "list_", None)
    try:
        listed = orjson.loads(kept.get("audiences") or "[]")
        return [{"id": str(item["id"]), "name": str(item.get("name", ""))} for item in listed]
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
        message = "the partner's list could not be read: `audiences` of `list` is a JSON list of objects with `id`"
        raise CallFailed(message) from None


async def adopt(
    store: Store,
    clock: Clock,
    partners: Partners,
    limit: CallLimit,
    caller: Caller,
    id_: str,
    key: tuple[str, str],
    adoption: Adoption,
) -> None:
    """
    Take an audience that the partner has for one of ours: by its id there, or by what ``find`` of the template finds.

    It is ours from then on: renamed and deleted with what is mapped here. An ``alias`` that is null says that the
    partner has none, and that one may be made.

    Raises:
        NotFound: the dataflow is not in this sandbox, or does not send the audience.
        Conflict: its partner makes no audiences, a request is under way, or `find` finds nothing.
        TooManyCalls: partners were called too often.
    """
    alias = adoption.alias
    if "alias" not in adoption.model_fields_set:
        alias = (await _asked(store, partners, limit, caller, id_, "find", key)).get(ALIAS)
        if not alias:
            raise Conflict("the partner has no such audience; say its id as `alias`, or let one be made")
    now = clock.now()

    def work(tx: Transaction) -> None:
        stored, target = _existing(tx, caller, id_)
        place = Place.of(tx, caller.tenant, target)
        row = _row(place, stored, key)
        if row.calling is not None and row.state != "failed":
            raise Conflict("a request about this audience is under way; wait for what comes of it")
        facts = place.wanted(row)
        told = dict(facts or {}) if alias is not None else None
        known = {"alias": alias, "told": told, "calling": None, "attempts": 0, "reason": None}
        partner_audiences.change(tx, row, now, **known, state="ready" if told is not None else "creating")
        wanting.follow(tx, caller.tenant, target, caller.actor, now)
        details = {"namespace": key[0], "audience": key[1], "alias": alias}
        audit.note(tx, caller.number, caller.actor, "adopt-audience", "dataflow", id_, now, stored.version, details)
        access.raise_configuration(tx, caller.number)

    await store.write(work)


async def _asked(
    store: Store,
    partners: Partners,
    limit: CallLimit,
    caller: Caller,
    id_: str,
    name: str,
    key: tuple[str, str] | None,
) -> dict[str, str]:
    """Send a request that changes nothing, and return what is kept of the answer."""

    def look(tx: Transaction) -> preparing.Prepared:
        stored, target = _existing(tx, caller, id_)
        place = Place.of(tx, caller.tenant, target)
        _refuse_without_template(place)
        about = _segment(place, stored, key) if key is not None else {}
        return preparing.prepare(place, partners, about, caller.actor)

    prepared = await store.read(look)
    event = prepared.events.get(name)
    if event is None:
        raise Conflict(f"the audience template has no `{name.rstrip('_')}` under `x-headrace`")
    await limit.admit(caller)
    return await event.carry_out(prepared.access, await prepared.context())


def _segment(place: Place, stored: StoredDataflow, key: tuple[str, str]) -> contexts.Context:
    row = _row(place, stored, key)
    audience = recording.audience_of(place.tx, row)
    return {"segment": contexts.of_audience(audience, place.wanted(row) or {}, row.alias)}


def _row(place: Place, stored: StoredDataflow, key: tuple[str, str]) -> PartnerAudience:
    """Return how an audience stands that a dataflow sends, or did."""
    _refuse_without_template(place)
    known = audiences.all_of(place.tx, place.tenant.tenant)
    for row in _rows_of(place.tx, place.tenant.tenant, place.target.id):
        audience = known[row.audience]
        if (audience.namespace, audience.id) == key:
            return row
    raise NotFound(f"the dataflow {stored.id!r} does not send the audience {key[1]!r} of {key[0]!r}")


def _rows_of(tx: Transaction, tenant: int, target: str) -> list[PartnerAudience]:
    return [*partner_audiences.of_target(tx, tenant, target).values()]


def _refuse_without_template(place: Place) -> None:
    if place.template is None:
        raise Conflict("the destination of this dataflow has no audience template")


def _existing(tx: Transaction, caller: Caller, id_: str) -> tuple[StoredDataflow, str]:
    stored = dataflows.get(tx, caller.number, id_)
    if stored is None:
        raise NotFound(f"there is no dataflow {id_!r} here")
    return stored, lenient(Flow, stored.document).target_connection_ids[0]


def _of_flow(tx: Transaction, caller: Caller, stored: StoredDataflow) -> Shown:
    flow = lenient(Flow, stored.document)
    known, rows = audiences.all_of(tx, caller.number), _rows_of(tx, caller.number, flow.target_connection_ids[0])
    own = partner_audiences.get(tx, caller.number, stored.id, ITSELF)
    found: Shown = {} if own is None else {"atPartner": _standing(own)}
    chosen = {(item.namespace, item.id) for item in flow.audiences}
    listed = [_shown(known[row.audience], row) for row in rows if _belongs(known[row.audience], row, chosen)]
    return found | ({"audiences": listed} if listed else {})


def _belongs(audience: StoredAudience, row: PartnerAudience, chosen: set[tuple[str, str]]) -> bool:
    """Say whether an audience is one of a dataflow; one that is to go is shown with each that is left."""
    return (audience.namespace, audience.id) in chosen or row.state in ("deleting", "failed")


def _shown(audience: StoredAudience, row: PartnerAudience) -> Shown:
    facts = {"id": audience.id, "namespace": audience.namespace, "name": audience.name}
    return {**facts, "alias": row.alias, **_standing(row)}


def _standing(row: PartnerAudience) -> Shown:
    return {"state": row.state, "reason": row.reason, "attempts": row.attempts}
