"""
What a target connection's partner shall have, how each of it stands, and what is asked for where the two differ.

All of this happens in the transaction of whatever changes the wish: a dataflow, an account, a template.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from headrace.model.audience_template import AudienceTemplate, MetadataTemplate
from headrace.model.flow import Flow, SegmentSelectorValue
from headrace.services import backfills
from headrace.services.at_partner.deciding import Abilities, Facts, Step, next_step
from headrace.services.at_partner.taking_part import turn_of
from headrace.services.catalog import Catalog, Edition
from headrace.services.checks import AUDIENCE_TEMPLATE, lenient
from headrace.services.exports import due
from headrace.services.windows import Window
from headrace.store import audiences, dataflows, documents, exports, outbox, partner_audiences, runs
from headrace.store.access import Tenant
from headrace.store.audiences import StoredAudience
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared
from headrace.store.partner_audiences import ITSELF, PartnerAudience

#: The kind of the runs that make a partner agree.
KIND = "audience"
ACCOUNT = "account"
TARGET = "target-connection"

_STATES: dict[Step, str] = {"create": "creating", "delete": "deleting", "update": "ready"}


@dataclass(frozen=True)
class Place:
    """One target connection: whose it is, what it uses, and the dataflows that send to it."""

    tx: Transaction
    tenant: Tenant
    target: Declared

    @classmethod
    def of(cls, tx: Transaction, tenant: Tenant, id_: str) -> "Place":
        """Return a target connection that is in use, or was found in this transaction."""
        target = documents.get(tx, tenant.tenant, TARGET, id_)
        assert target is not None, "what is in use is not deleted"
        return cls(tx, tenant, target)

    @cached_property
    def edition(self) -> Edition:
        """The destination in the edition that is in force."""
        return Catalog(self.tx, self.tenant).in_force(self.target)

    @property
    def takes_files(self) -> bool:
        """Whether files are written here, and no messages."""
        return self.edition.destination.takes_files

    @cached_property
    def account(self) -> Declared | None:
        """The account whose credentials sign."""
        id_ = self.target.document.get("baseConnectionId")
        return documents.get(self.tx, self.tenant.tenant, ACCOUNT, id_) if id_ else None

    @cached_property
    def template(self) -> AudienceTemplate | None:
        """The audience template, if the destination has one."""
        return template_of(self.edition)

    @cached_property
    def flows(self) -> list[tuple[StoredDataflow, Flow]]:
        """The dataflows that send here."""
        read = ((stored, lenient(Flow, stored.document)) for stored in dataflows.all_of(self.tx, self.tenant.tenant))
        return [(stored, flow) for stored, flow in read if flow.target_connection_ids[0] == self.target.id]

    @cached_property
    def audiences(self) -> dict[int, tuple[StoredAudience, Facts]]:
        """What dataflows send here, by number, each as the partner shall know it."""
        known = audiences.all_of(self.tx, self.tenant.tenant)
        numbers = {(item.namespace, item.id): item for item in known.values()}
        wanted: dict[int, tuple[StoredAudience, Facts]] = {}
        for _, flow in reversed(self.flows):
            for selector in flow.audiences:
                audience = numbers[selector.namespace, selector.id]
                said = wanted[audience.audience][1]["description"] if audience.audience in wanted else ""
                facts = {"name": audience.name or audience.id, "description": said or selector.description or ""}
                wanted[audience.audience] = (audience, facts)
        return wanted

    def abilities(self, audience: int) -> Abilities:
        """Return what the template can do to audiences, or to dataflows."""
        of = Abilities.for_dataflows if audience == ITSELF else Abilities.for_audiences
        return of(metadata_of(self.template))

    def wanted(self, row: PartnerAudience) -> Facts | None:
        """Return what the partner shall know of what a row is about; nothing: it shall have none."""
        if row.audience != ITSELF:
            return self.audiences[row.audience][1] if row.audience in self.audiences else None
        return next((facts_of(flow) for stored, flow in self.flows if stored.id == row.target), None)

    def step(self, row: PartnerAudience) -> Step:
        """Say what is next for a row."""
        return next_step(row, self.wanted(row), self.abilities(row.audience))

    def rows(self) -> Iterator[PartnerAudience]:
        """Yield how the dataflows of this connection stand, also deleted ones, and then its audiences."""
        for row in partner_audiences.of_audience(self.tx, self.tenant.tenant, ITSELF):
            if _target_of(self.tx, self.tenant.tenant, row.target) == self.target.id:
                yield row
        yield from partner_audiences.of_target(self.tx, self.tenant.tenant, self.target.id).values()


def template_of(edition: Edition) -> AudienceTemplate | None:
    """Return the audience template of a destination, in the version that belongs to the edition."""
    id_ = edition.destination.audience_metadata.audience_template_id
    document = edition.parts.get(AUDIENCE_TEMPLATE, id_) if id_ is not None else None
    return lenient(AudienceTemplate, document) if document is not None else None


def metadata_of(template: AudienceTemplate | None) -> MetadataTemplate | None:
    """Return the requests of a template."""
    return template.metadata_template if template is not None else None


def facts_of(flow: Flow) -> Facts:
    """Return what a partner is told of a dataflow: when it differs, the dataflow was changed."""
    chosen = orjson.dumps(flow.params.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return {
        "name": flow.name,
        "description": flow.description or "",
        "chosen": hashlib.sha256(chosen).hexdigest()[:16],
    }


def place_of(tx: Transaction, tenant: Tenant, row: PartnerAudience) -> Place | None:
    """Return the target connection that a row belongs to; nothing, where it was deleted and the row abandoned."""
    id_ = row.target if row.audience != ITSELF else _target_of(tx, tenant.tenant, row.target)
    target = documents.get(tx, tenant.tenant, TARGET, id_)
    return Place(tx, tenant, target) if target is not None else None


def follow(tx: Transaction, tenant: Tenant, target: str, actor: str, now: int) -> None:
    """Ask for whatever makes a target connection's partner agree, and let take part what may."""
    place = Place.of(tx, tenant, target)
    _begin_rows(place, now)
    for row in [*place.rows()]:
        step = place.step(row)
        if step == "forget":
            forget(place, row, now)
        elif step == "nothing":
            partner_audiences.change(tx, row, now, state="ready", reason=note_of(place, row))
        elif step != "ask":
            ask(tx, row, step, actor, now)
    join(place, now)


def forget(place: Place, row: PartnerAudience, now: int) -> None:
    """Forget what the partner has of an audience, and whom it knows there: mapped again, it begins anew."""
    partner_audiences.remove(place.tx, row)
    if row.told is not None and row.audience != ITSELF:
        forget_members(place, row.audience, now)


def forget_members(place: Place, audience: int, now: int) -> None:
    """Have it forgotten whom the partner knows to be in an audience, but where they are being told to have left it."""
    for stored, _ in place.flows:
        mapped = dataflows.mapped_audiences(place.tx, place.tenant.tenant, stored.dataflow).get(audience)
        if mapped is None or mapped.leaving is None:
            if place.takes_files:
                exports.forget(place.tx, stored.tenant, stored.dataflow, audience)
            else:
                backfills.ask(place.tx, stored, audience, "forgotten", "headrace", now)


def note_of(place: Place, row: PartnerAudience) -> str | None:
    """Say which name the partner keeps, where an audience has another and the template cannot rename it."""
    wanted, told = place.wanted(row), (row.told or {}).get("name")
    if (
        wanted is None
        or row.audience == ITSELF
        or told in (None, wanted["name"])
        or place.abilities(row.audience).update
    ):
        return None
    return f"the partner cannot be told of another name: it knows the audience as {told!r}"


def follow_audiences(
    tx: Transaction, tenant: Tenant, numbers: set[int], actor: str, now: int, *, but: str | None = None
) -> None:
    """Look again at every target connection, ``but`` one, whose partner has, or shall have, one of these audiences."""
    rows = [row for number in sorted(numbers) for row in partner_audiences.of_audience(tx, tenant.tenant, number)]
    for target in sorted({row.target for row in rows} - {but}):
        follow(tx, tenant, target, actor, now)


def mended(tx: Transaction, tenant: Tenant, noun: str, id_: str, actor: str, now: int) -> None:
    """
    Look again at whatever the change of a declared object may have mended, or made another wish of.

    An account reaches its connections; what authors declare reaches the connections that use the working edition.
    """
    for target in documents.all_of(tx, tenant.tenant, TARGET):
        place = Place(tx, tenant, target)
        is_near = id_ in (target.id, target.document.get("baseConnectionId"))
        is_reached = is_near or (noun not in (ACCOUNT, TARGET) and place.edition.request is None)
        if is_reached and (place.template is not None or any(place.rows())):
            follow(tx, tenant, target.id, actor, now)


def ask(tx: Transaction, row: PartnerAudience, step: Step, actor: str, now: int, due_at: int | None = None) -> None:
    """Ask for a run that makes the partner agree, unless one was asked for that has not begun and is due."""
    asked = runs.get(tx, row.run) if row.run is not None else None
    if due_at is None and asked is not None and asked.state == "asked" and asked.due_at <= now:
        return
    run = runs.ask(tx, row.tenant, KIND, {"target": row.target, "audience": row.audience}, actor, now, due_at)
    state = {} if due_at is not None else {"state": _STATES.get(step, row.state)}
    partner_audiences.change(tx, row, now, run=run.run, **state)


def join(place: Place, now: int) -> None:
    """Let the audiences that the partner has take part in their dataflows; who is a member of one is sent first."""
    for stored, flow in place.flows:
        join_dataflow(place, stored, flow, now)


def join_dataflow(place: Place, stored: StoredDataflow, flow: Flow, now: int) -> None:
    """Let the audiences that the partner has take part in a dataflow, once the partner has that too."""
    tx, tenant = place.tx, place.tenant.tenant
    if not _has_begun(place, stored):
        return
    mapped, moments = dataflows.mapped_audiences(tx, tenant, stored.dataflow), []
    for audience, selector in sorted(_selected(place, flow).items(), key=lambda item: item[0]):
        window = Window() if place.takes_files else Window.of(selector)  # Schedules of files have dates themselves.
        moments.append(window.turns_at(now))
        turn = turn_of(mapped.get(audience), window, now, may_join=may_join(place, audience))
        if turn == "end":
            backfills.cancel(tx, tenant, stored.id, "its end date has come", now, audience)
            dataflows.change_mapped(tx, tenant, stored.dataflow, audience, now, ended_at=now)
        elif turn != "nothing" and place.takes_files:
            dataflows.map_audience(tx, tenant, stored.dataflow, audience, now)
            due.begin(tx, stored, audience, due.schedule_of(selector), now)
        elif turn != "nothing":
            _take_part(place, stored, audience, now, is_new=turn == "join")
    dataflows.set_window(tx, tenant, stored.dataflow, min((at for at in moments if at is not None), default=None))


def _take_part(place: Place, stored: StoredDataflow, audience: int, now: int, *, is_new: bool) -> None:
    """Let an audience take part in a dataflow from now on, or again; who is a member is sent first."""
    tx, tenant = place.tx, place.tenant.tenant
    if is_new:
        dataflows.map_audience(tx, tenant, stored.dataflow, audience, now)
    else:
        backfills.cancel(tx, tenant, stored.id, "the audience takes part again", now, audience)
        again: dict[str, Any] = {"mapped_at": now, "ended_at": None, "leaving": None}
        dataflows.change_mapped(tx, tenant, stored.dataflow, audience, now, **again)
    backfills.ask(tx, stored, audience, "mapped", "headrace", now)


def leave(
    place: Place, stored: StoredDataflow, flow: Flow | None, now: int, *, moved: bool = False, exits: bool = False
) -> set[int]:
    """
    Let audiences leave a dataflow that does not send them any longer; what waits of them is withheld.

    Where the dataflow has ``moved`` here from another target connection, so do those that this partner does not have.
    With ``exits``, whoever the partner knows of an audience that it cannot delete is told to have left it first.
    Returns what took part before.
    """
    tx, tenant = place.tx, place.tenant.tenant
    mapped = dataflows.mapped_audiences(tx, tenant, stored.dataflow)
    kept = {*_selected(place, flow)} if flow is not None else set()
    for audience, row in mapped.items():
        if audience in kept and not (moved and not may_join(place, audience)):
            continue
        if row.leaving is not None and flow is not None and not moved:
            continue
        if place.takes_files:
            dataflows.unmap_audience(tx, tenant, stored.dataflow, audience)
            due.end(tx, stored, audience)
            continue
        backfills.cancel(tx, tenant, stored.id, "the audience was taken out of the dataflow", now, audience)
        if exits and not moved and not place.abilities(audience).delete:
            _begin_to_leave(place, stored, audience, now)
        else:
            dataflows.unmap_audience(tx, tenant, stored.dataflow, audience)
            outbox.withhold_audience(tx, tenant, stored.dataflow, audience, now)
    return {*mapped}


def _begin_to_leave(place: Place, stored: StoredDataflow, audience: int, now: int) -> None:
    """Have everybody told to have left an audience; it is kept as it was chosen, for the messages that say so."""
    tx, tenant = place.tx, place.tenant.tenant
    selector = _selected(place, lenient(Flow, stored.document))[audience]
    row = partner_audiences.get(tx, tenant, place.target.id, audience)
    leaving = {
        "selector": selector.model_dump(mode="json", by_alias=True, exclude_none=True),
        "alias": row.alias if row is not None else None,
    }
    dataflows.change_mapped(tx, tenant, stored.dataflow, audience, now, leaving=leaving)
    if backfills.ask(tx, stored, audience, "removed", "headrace", now) is None:
        dataflows.unmap_audience(tx, tenant, stored.dataflow, audience)


def may_join(place: Place, audience: int) -> bool:
    """Say whether an audience may take part: where a template creates audiences, once the partner has it."""
    if not place.abilities(audience).create:
        return True
    row = partner_audiences.get(place.tx, place.tenant.tenant, place.target.id, audience)
    return row is not None and row.told is not None and row.calling != "delete"


def _begin_rows(place: Place, now: int) -> None:
    """Make the rows that what is wanted does not have yet."""
    tx, tenant = place.tx, place.tenant.tenant
    if place.abilities(ITSELF).create:
        for stored, _ in place.flows:
            if partner_audiences.get(tx, tenant, stored.id, ITSELF) is None:
                partner_audiences.add(tx, tenant, stored.id, ITSELF, "creating", now)
    known = partner_audiences.of_target(tx, tenant, place.target.id)
    begun = (_numbers(place, flow) for stored, flow in place.flows if _has_begun(place, stored))
    for audience in sorted(set().union(*begun) - known.keys()):
        if place.abilities(audience).create:
            partner_audiences.add(tx, tenant, place.target.id, audience, "creating", now)


def _has_begun(place: Place, stored: StoredDataflow) -> bool:
    """Say whether a partner who wants to hear of dataflows has heard of this one."""
    own = partner_audiences.get(place.tx, place.tenant.tenant, stored.id, ITSELF)
    return own is None or own.told is not None


def _numbers(place: Place, flow: Flow) -> set[int]:
    return {*_selected(place, flow)}


def _selected(place: Place, flow: Flow) -> dict[int, SegmentSelectorValue]:
    """Return how the audiences of a dataflow are chosen, by number."""
    chosen = {(item.namespace, item.id): item for item in flow.audiences}
    known = audiences.all_of(place.tx, place.tenant.tenant).values()
    return {item.audience: chosen[item.namespace, item.id] for item in known if (item.namespace, item.id) in chosen}


def _target_of(tx: Transaction, tenant: int, flow: str) -> str:
    """Return the target connection of a dataflow, also of one that is deleted."""
    document: dict[str, Any] | None = dataflows.document_of(tx, tenant, flow)
    assert document is not None, "dataflows are kept for good"
    return lenient(Flow, document).target_connection_ids[0]
