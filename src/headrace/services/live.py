"""
Dataflows as they run: compiled from what is declared, and compiled again when that changes.

Whoever decides or claims inside a transaction asks for the dataflows as that transaction sees them, so no change of
configuration ever falls between a decision and its commit.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec
import orjson

from headrace.clock import Clock
from headrace.connect.auth import SignInNeeded, Token
from headrace.connect.retry import RetryPolicy, policy_of
from headrace.connect.webhooks import WebhookSigner
from headrace.errors import HeadraceError
from headrace.events import AnswerUnread, Event, GroupRendered, RequestAnswered, ValuesLeftOut
from headrace.mapping import Mapping
from headrace.mapping.consent import Consents
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer, HttpExtension
from headrace.model.exchange import Exchange
from headrace.model.flow import Flow, SegmentSelectorValue
from headrace.model.http import Response
from headrace.model.message import Group, Message, Patience
from headrace.model.outcome import Delivered, Outcome, Parked, Retry
from headrace.model.pacing import RateLimit
from headrace.render.destination import CompiledDestination, Composed
from headrace.render.parts import Parting
from headrace.render.recipe import MappedAudience, Recipe
from headrace.render.recipes import recipe_of
from headrace.render.target import Audiences
from headrace.services import consent_policies, sealing, signing_secrets
from headrace.services.accounts import ACCOUNT, TARGET
from headrace.services.catalog import Catalog, Edition
from headrace.services.checks import SERVER, lenient
from headrace.services.mapped import attribute_row, identity_row, mapped_rows
from headrace.services.partners import Credentials, PartnerAccess, Partners
from headrace.store import access, audiences, dataflows, documents, partner_audiences, restored
from headrace.store.access import Tenant
from headrace.store.audiences import StoredAudience
from headrace.store.database import Transaction
from headrace.store.dataflows import Mapped, StoredDataflow
from headrace.store.documents import Declared
from headrace.store.partner_audiences import PartnerAudience
from headrace.streaming.answers import judge
from headrace.streaming.settle import class_of, explain
from headrace.streaming.triggers import Watched


class Renderer(Protocol):
    """Composes the messages of groups, somewhere. Called for many groups at once."""

    async def compose(self, recipe: Recipe, group: Group) -> Composed:
        """Compose a group; every entry is in one message, or refused."""
        ...


_UNAUTHORIZED = 401
_FORBIDDEN = 403
_USUAL = RetryPolicy()
Announce = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class PartnerRoute:
    """
    One dataflow's way to its partner.

    ``most_entries`` is the most that a message carries, and ``patience`` how long entries wait to travel together.
    """

    recipe: Recipe
    most_entries: int
    patience: Patience | None
    _access: PartnerAccess
    _renderer: Renderer
    _clock: Clock
    _signer: WebhookSigner | None
    _announce: Announce
    _answering: HttpExtension = field(default_factory=HttpExtension)
    _completed: dict[int, Recipe] = field(default_factory=dict)
    _last_tried: list[int] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The account's name, under which its requests are counted."""
        return self._access.pool

    def retry(self, usual: RetryPolicy) -> RetryPolicy:
        """Return when its messages are sent again that the partner did not take: as ``usual``, or as is declared."""
        return policy_of(self._answering.retry, usual)

    @property
    def limits(self) -> tuple[RateLimit, ...]:
        """How much the partner takes of an account in a time."""
        return self._answering.rate_limits

    @property
    def most_under_way(self) -> int | None:
        """How many requests the partner takes at a time, of all processes together, where its author says so."""
        concurrency = self._answering.concurrency
        return concurrency.most if concurrency is not None else None

    async def compose(self, group: Group) -> Composed:
        """
        Compose the messages of a group. Templates that read ``authData`` see the token of this moment.

        Raises:
            AccountError, PartnerError, OperationError: there is no token.
        """
        token = await self._access.token() if self.recipe.reads_auth_data else None
        if token is None:
            return await self._composed(self.recipe, group)
        composed = await self._composed(self._with(token), group)
        messages = (replace(message, generation=token.generation) for message in composed.messages)
        return replace(composed, messages=tuple(messages))

    async def _composed(self, recipe: Recipe, group: Group) -> Composed:
        """Compose, and say how long it took and what of people was left out."""
        began = self._clock.monotonic()
        composed = await self._renderer.compose(recipe, group)
        seconds, messages = self._clock.monotonic() - began, tuple(message.id for message in composed.messages)
        self._announce(GroupRendered(dataflow=self.recipe.dataflow, messages=messages, seconds=seconds))
        for item, count in composed.left_out:
            self._announce(
                ValuesLeftOut(dataflow=self.recipe.dataflow, target=item.target, reason=item.reason, values=count)
            )
        return composed

    async def deliver(self, message: Message) -> Outcome | tuple[Outcome, ...]:
        """Send a message, signed in and signed, and say what the answer means for everything in it."""
        request = message.request
        if self._signer is not None:
            request = self._signer.sign(request, message.id, self._clock.now())
        policy = self.retry(_USUAL)
        began = self._clock.monotonic()
        try:
            token = await self._access.token()
            response = await self._access.send(request)
            self._tell(class_of(response.status), message, began)
            if response.status == _UNAUTHORIZED and self._access.credentials is not None:
                return await self._refused(self._access.credentials, message)
            if response.status == _FORBIDDEN and self._is_to_be_looked_at(policy):
                return await self._forbidden(token.generation if token is not None else None)
        except HeadraceError as error:
            self._tell(error.code, message, began)
            return self._told(explain(error), message)
        answers, bisects = self._answering.answers, self._answering.bisect
        now, redact = self._clock.now(), self._access.redact
        judged = judge(response, message, answers, now, redact, bisects=bisects, policy=policy)
        if judged.unread is not None:
            self._announce(AnswerUnread(dataflow=self.recipe.dataflow, message=message.id, reason=judged.unread))
        return self._told(judged.outcome, message, response)

    def _told(
        self, outcome: Outcome | tuple[Outcome, ...], message: Message, answer: Response | None = None
    ) -> Outcome | tuple[Outcome, ...]:
        """Have what was not delivered refer to what was sent and answered: in the end it may be parked."""
        each = outcome if isinstance(outcome, tuple) else (outcome,)
        if all(isinstance(one, Delivered) for one in each):
            return outcome
        exchange = Exchange(message.request, answer, self._access.redact, self.recipe.version)
        if isinstance(outcome, tuple):
            return tuple(_referring(one, exchange) for one in outcome)
        return _referring(outcome, exchange)

    def _tell(self, answer: str, message: Message, began: float) -> None:
        seconds = self._clock.monotonic() - began
        self._announce(
            RequestAnswered(dataflow=self.recipe.dataflow, answer=answer, message=message.id, seconds=seconds)
        )

    async def _refused(self, credentials: Credentials, message: Message) -> Outcome:
        """
        Say what becomes of a message that the partner does not know the sender of.

        If its templates had the token in it, it is made anew with the next one. Otherwise it was signed with the newest
        there is: the account rests, and its changes wait with it, for it is not they that are wrong.
        """
        if message.generation is not None:
            await self._access.renew(message.generation)
            reason = "the partner refused the access token that the message had in it, and another was got"
            return Retry("status-401", reason, after=0.0, counts=False)
        reason = "it answered 401 (unauthorized) to what the account is signed in with"
        await credentials.refuse(reason)
        return Retry("status-401", "the partner answered 401 (unauthorized)", counts=False)

    def _is_to_be_looked_at(self, policy: RetryPolicy) -> bool:
        """Say whether a person has to look at a 403: somebody signs in, and no declaration makes something of it."""
        answers = self._answering.answers
        is_read = answers is not None and _FORBIDDEN in answers.statuses
        return self._access.credentials is not None and _FORBIDDEN not in policy.statuses and not is_read

    async def _forbidden(self, generation: int | None) -> Outcome:
        """
        Say what becomes of a message that the partner does not allow the account to send.

        It is tried once with another token. Then the dataflow is held: the partner knows who asks, and says no.
        """
        reason = "the partner answered 403 (forbidden)"
        if generation is not None and generation not in self._last_tried:
            await self._access.renew(generation)
            newer = await self._access.token()
            self._last_tried[:] = [newer.generation] if newer is not None else []
            return Retry("status-403", f"{reason}, and another token was got", after=0.0, counts=False)
        return Retry("status-403", f"{reason} to what the account is signed in with", counts=False, holds=True)

    def _with(self, token: Token) -> Recipe:
        """Return the recipe completed with a token, the same one for as long as the token is."""
        known = self._completed.get(token.generation)
        if known is None:
            known = msgspec.structs.replace(self.recipe, auth_data=self._access.auth_data_with(token))
            self._completed.clear()
            self._completed[token.generation] = known
        return known


def _referring(outcome: Outcome, exchange: Exchange) -> Outcome:
    return replace(outcome, exchange=exchange) if isinstance(outcome, Parked | Retry) else outcome


@dataclass(frozen=True, slots=True)
class LiveDataflow:
    """
    A dataflow as it runs: what it watches, and its way to the partner, unless a ``fault`` keeps it from one.

    ``is_signed_in``: whether its account may be used; that it may not is no fault of ours, and a person mends it.
    ``consent``: the policies that bind it; with ``is_looked_at``, what is claimed is held against them (or has just
    been let go by them). ``evaluates_consent`` is false where it has nothing to do with policies at all.
    """

    stored: StoredDataflow
    watched: Watched
    route: PartnerRoute | None
    fault: str | None = None
    is_signed_in: bool = True
    consent: Consents = field(default_factory=Consents)
    is_looked_at: bool = False
    evaluates_consent: bool = True

    @property
    def is_going(self) -> bool:
        """Whether its entries may be claimed."""
        return self.stored.state == "enabled" and self.route is not None


#: Seconds after which a dataflow that a fault keeps from its partner is compiled again: keys may be there by then.
FAULT_PAUSE = 15.0


class LiveDataflows:
    """
    All dataflows of messages as they run, by sandbox; compiled when first asked for, and when what is declared has
    changed. Those of files have runs of their own (``exports``).

    While one of them has a fault, they are compiled again after a pause as well.
    """

    def __init__(self, partners: Partners, renderer: Renderer, clock: Clock, announce: Announce) -> None:
        self._partners = partners
        self._renderer = renderer
        self._clock = clock
        self._announce = announce
        self._known: dict[int, tuple[int, dict[int, LiveDataflow]]] = {}
        self._again: dict[int, float] = {}

    def of(self, tx: Transaction, tenant: int) -> dict[int, LiveDataflow]:
        """Return the dataflows of a sandbox by number, as the transaction sees them."""
        configuration = access.configuration(tx, tenant)
        known = self._known.get(tenant)
        if known is None or known[0] != configuration or self._clock.monotonic() >= self._again.get(tenant, math.inf):
            known = (configuration, self._compile(tx, tenant))
            self._known[tenant] = known
            has_fault = any(flow.fault is not None for flow in known[1].values())
            self._again[tenant] = self._clock.monotonic() + FAULT_PAUSE if has_fault else math.inf
        return known[1]

    def _compile(self, tx: Transaction, number: int) -> dict[int, LiveDataflow]:
        tenant = next(tenant for tenant in access.all_tenants(tx) if tenant.tenant == number)
        names, catalog = audiences.all_of(tx, number), Catalog(tx, tenant)
        policies = consent_policies.in_force(tx, number)
        of_all = ((flow, Parts.of(tx, catalog, number, flow.document)) for flow in dataflows.all_of(tx, number))
        return {
            flow.dataflow: self._live(tx, tenant, flow, parts, names, policies)
            for flow, parts in of_all
            if not parts.destination.takes_files
        }

    def _live(
        self,
        tx: Transaction,
        tenant: Tenant,
        stored: StoredDataflow,
        parts: "Parts",
        names: dict[int, StoredAudience],
        policies: consent_policies.InForce,
    ) -> LiveDataflow:
        policy = parts.destination.policy
        assert policy is not None, "a destination in use does not change to what is not carried out"
        taking_part = dataflows.mapped_audiences(tx, tenant.tenant, stored.dataflow)
        mapped = Audiences(_mapped_audiences(tx, tenant.tenant, taking_part, parts, names))
        mapping = mapping_of(parts.flow, parts.destination)
        namespaces = tuple(parts.destination.identity_namespaces)
        watched = Watched(
            stored.dataflow, mapped, mapping, policy, Parting.of(policy, namespaces), parts.destination.follows_profiles
        )
        ended = frozenset(row.audience for row in taking_part.values() if row.ended_at is not None)
        watched = replace(watched, ended=ended) if ended else watched
        watched = (
            replace(watched, is_restored=True) if restored.is_held(tx, tenant.tenant, stored.dataflow) else watched
        )
        binding = consent_policies.binding(policies, stored.document, parts.destination)
        live = LiveDataflow(stored, watched, None, None, True, *binding)
        try:
            route = self._route(tx, tenant, stored, parts, watched, live.consent)
        except HeadraceError as error:
            return replace(live, fault=error.message, is_signed_in=not isinstance(error, SignInNeeded))
        return replace(live, route=route)

    def _route(
        self,
        tx: Transaction,
        tenant: Tenant,
        stored: StoredDataflow,
        parts: "Parts",
        watched: Watched,
        consent: Consents,
    ) -> PartnerRoute:
        access_ = self._partners.access(tx, tenant, parts.edition, parts.account, parts.target)
        facts = {
            "id": stored.id,
            "name": parts.flow.name,
            "sandboxName": tenant.sandbox,
            "imsOrgId": tenant.organization,
        }
        recipe = recipe_of(
            dataflow=stored.id,
            version=_version(parts, watched.audiences, consent),
            server=parts.server,
            policy=watched.policy,
            mapping=watched.mapping,
            audiences=watched.audiences,
            parting=watched.parting,
            is_whole=watched.follows_profiles,
            facts=facts,
            customer_data=dict(access_.customer_data),
            auth_data=dict(access_.given),
        )
        http = parts.server.http_template
        answering = http.extension if http is not None else HttpExtension()
        most_entries = min([CompiledDestination(recipe).most_entries, *answering.most_entries])
        # A message that can be about one person alone is full with one.
        patience = watched.policy.patience if most_entries > 1 else None
        if patience is not None:
            patience = replace(patience, entries=min(patience.entries, most_entries))
        signer = signing_secrets.signer_for(parts.server, access_.signing_secrets)
        return PartnerRoute(
            recipe, most_entries, patience, access_, self._renderer, self._clock, signer, self._announce, answering
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything declared that one dataflow is made of."""

    flow: Flow
    edition: Edition
    destination: Destination
    server: DestinationServer
    account: Declared | None
    target: Declared
    version: str

    @classmethod
    def of(cls, tx: Transaction, catalog: Catalog, tenant: int, document: dict[str, Any]) -> "Parts":
        """Gather the parts of a dataflow's document, all of which are there: what is in use is not deleted."""
        flow = lenient(Flow, document)
        target = _there(documents.get(tx, tenant, TARGET, flow.target_connection_ids[0]))
        edition = catalog.in_force(target)
        destination, server = edition.destination, edition.server
        account_id = target.document.get("baseConnectionId")
        account = documents.get(tx, tenant, ACCOUNT, account_id) if account_id else None
        served = edition.parts.get(SERVER, destination.delivery.destination_server_id)
        # Without what is sealed: to seal it anew changes no message, and so no message's id.
        configured = [sealing.without_sealed(part or {}) for part in (served, edition.document)]
        in_force = [*configured, document.get("transformations"), target.document.get("params", {})]
        version = hashlib.sha256(orjson.dumps(in_force)).hexdigest()[:16]
        return cls(flow, edition, destination, server, account, target, version)


def mapping_of(flow: Flow, destination: Destination) -> Mapping:
    """Compile the rows of a dataflow's mapping."""
    rows = mapped_rows(flow, destination)
    return Mapping(
        tuple(attribute_row(row, destination) for row in rows if row.target_namespace is None),
        tuple(identity_row(row, target, destination) for row in rows if (target := row.target_namespace) is not None),
        predefined=destination.has_predefined_attributes,
        namespaces=tuple(destination.identity_namespaces),
    )


def _mapped_audiences(
    tx: Transaction, tenant: int, mapped: dict[int, Mapped], parts: Parts, names: dict[int, StoredAudience]
) -> list[MappedAudience]:
    numbers = {(audience.namespace, audience.id): audience for audience in names.values()}
    found = []
    at_partner = partner_audiences.of_target(tx, tenant, parts.target.id)
    for selector, said in [*((item, None) for item in parts.flow.audiences), *_leaving(mapped)]:
        audience = numbers[selector.namespace, selector.id]
        if audience.audience not in mapped:  # The partner does not have it yet.
            continue
        row = mapped[audience.audience]
        found.append(
            MappedAudience(
                audience.audience,
                audience.namespace,
                audience.id,
                audience.name,
                said or alias_of(selector, audience, parts.destination, at_partner.get(audience.audience)),
                audience.created_at // 1000,
                audience.modified_at // 1000,
                row.mapped_at // 1000,
                row.modified_at // 1000,
                is_leaving=row.leaving is not None,
                has_ended=row.ended_at is not None,
            )
        )
    return found


def _leaving(mapped: dict[int, Mapped]) -> Iterator[tuple[SegmentSelectorValue, str | None]]:
    """Yield how audiences were chosen that people are told to have left, and what the partner calls them."""
    for row in mapped.values():
        if row.leaving is not None:
            yield lenient(SegmentSelectorValue, row.leaving["selector"]), row.leaving["alias"]


def alias_of(
    selector: SegmentSelectorValue,
    audience: StoredAudience,
    destination: Destination,
    at_partner: PartnerAudience | None,
) -> str | None:
    """Return what the partner calls an audience, from where the destination says that comes."""
    metadata = destination.audience_metadata
    if at_partner is not None:
        return at_partner.alias
    if metadata.map_user_input:
        return selector.mapping_id
    if metadata.map_experience_platform_segment_id:
        return audience.id
    return audience.name if metadata.map_experience_platform_segment_name else selector.mapping_id


def _version(parts: Parts, mapped: Audiences, consent: Consents) -> str:
    """Return the version of everything that messages are made of: how audiences are told, and the policies."""
    aliases = sorted((number, audience.alias) for number, audience in mapped.by_number.items() if audience.alias)
    ended = sorted(number for number, audience in mapped.by_number.items() if audience.has_ended)
    bound = [consent.version] if consent else []
    return hashlib.sha256(orjson.dumps([parts.version, aliases, *bound, *([ended] if ended else [])])).hexdigest()[:16]


def _there(stored: Declared | None) -> Declared:
    assert stored is not None, "what is in use is not deleted"
    return stored
