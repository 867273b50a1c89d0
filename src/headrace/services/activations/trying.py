"""
What would leave if an activation were applied: counted over the people who are there, some of it rendered for real.

Nothing is written and nothing is sent. Rendering is that of delivery, with dots for everything that is secret.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from headrace.batch import schedule as slots
from headrace.clock import Clock, iso
from headrace.connect.secrets import MASK
from headrace.model.flow import SegmentSelectorValue
from headrace.model.message import Bucket, Entry, Group
from headrace.model.profile import Profile, encode
from headrace.render.destination import CompiledDestination, Composed
from headrace.render.parts import Parting
from headrace.render.recipe import MappedAudience, Recipe
from headrace.render.recipes import recipe_of
from headrace.render.target import Audiences
from headrace.services import sealing
from headrace.services.activations.planning import Plan
from headrace.services.caller import Caller
from headrace.services.exports.due import schedule_of
from headrace.services.live import Renderer, alias_of, mapping_of
from headrace.services.windows import Window
from headrace.store import audiences, partner_audiences, profiles
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction
from headrace.streaming.triggers import Watched, lanes

Object = dict[str, Any]
#: People read in one transaction.
STEP = 500
#: The most people that one request looks at, so that none lasts.
MOST_LOOKED_AT = 50_000
#: The messages that are shown.
SAMPLES = 3
#: The most people of one message that is shown.
_MOST_SHOWN = 100
_LONGEST_BODY = 20_000
_SECRET_HEADERS = ("authorization", "cookie", "token", "secret", "api-key", "access-key", "signature")
_AUTH_DATA = re.compile(rb"authData\.(\w+)")


@dataclass(frozen=True, slots=True)
class Trial:
    """A dataflow as it would run: what it watches, the audiences that are new to it, its recipe, who is there."""

    watched: Watched
    new: frozenset[int]
    recipe: Recipe
    most_entries: int
    people: int


@dataclass(slots=True)
class Leaving:
    """
    What would leave of the people who were looked at.

    ``buckets`` count entries by what they share; ``next`` is the number to go on from, ``None`` at the end.
    """

    people: int = 0
    looked: int = 0
    next: int | None = None
    buckets: Counter[int] = field(default_factory=Counter)
    groups: list[tuple[int, list[Entry]]] = field(default_factory=list)


def trial_of(tx: Transaction, caller: Caller, clock: Clock, plan: Plan) -> Trial | None:
    """Make of a plan what its dataflow would run as; nothing where it writes files, and sends nothing at once."""
    edition, flow = plan.found.edition, plan.flow
    destination = edition.destination
    policy = destination.policy
    if destination.takes_files or policy is None:
        return None
    mapped = _mapped(tx, caller, clock, plan)
    mapping = mapping_of(flow, destination)
    parting = Parting.of(policy, tuple(destination.identity_namespaces))
    watched = Watched(0, Audiences(mapped), mapping, policy, parting, destination.follows_profiles)
    recipe = recipe_of(
        dataflow=plan.found.dataflow.id if plan.found.dataflow is not None else "a-dataflow-to-be",
        version="planned",
        server=edition.server,
        policy=policy,
        mapping=mapping,
        audiences=watched.audiences,
        parting=parting,
        is_whole=destination.follows_profiles,
        facts={"id": "planned", "name": flow.name, **_place(caller)},
        customer_data=_without_secrets(plan),
        auth_data={},
    )
    names = {name.decode() for name in _AUTH_DATA.findall(recipe.written)}
    recipe = msgspec.structs.replace(recipe, auth_data=dict.fromkeys(sorted(names), MASK))
    begun = {(item.namespace, item.id) for item in flow.audiences if Window.of(item).state(clock.now()) == "open"}
    new = frozenset(item.number for item in mapped if (item.namespace, item.id) in plan.new_audiences & begun)
    last = profiles.last_number(tx, caller.number)
    return Trial(watched, new, recipe, CompiledDestination(recipe).most_entries, last)


def files_of(tx: Transaction, caller: Caller, clock: Clock, plan: Plan) -> list[dict[str, Any]]:
    """Say of each audience whose files would be written how many members it has now, and when the first is due."""
    sizes = {(item.namespace, item.id): item.size for item in audiences.all_of(tx, caller.number).values()}
    return [
        {
            "audience": selector.id,
            "namespace": selector.namespace,
            "members": sizes.get((selector.namespace, selector.id), 0),
            "firstAt": _first_at(selector, clock.now()),
        }
        for selector in plan.flow.audiences
    ]


def _first_at(selector: SegmentSelectorValue, now: int) -> str | None:
    schedule = schedule_of(selector)
    if schedule is None:
        return None
    due = slots.due(schedule, slots.begin(schedule, now), now)
    moment = now if due is not None else slots.next_slot(schedule, now)
    return iso(moment) if moment is not None else None


async def look(store: Store, caller: Caller, trial: Trial, after: int, most: int, samples: int) -> Leaving:
    """Look at up to ``most`` people after a number, some at a time, and count what would leave."""
    leaving = Leaving(next=after)
    while leaving.looked < most and leaving.next is not None:
        start, some = leaving.next, min(STEP, most - leaving.looked)
        people = await store.read(partial(_people, caller, trial, start, some))
        for number, profile in people:
            _count(trial, leaving, number, profile, samples)
        leaving.looked += len(people)
        leaving.next = people[-1][0] if len(people) == some and people[-1][0] < trial.people else None
    return leaving


async def shown(renderers: Renderer, caller: Caller, trial: Trial, leaving: Leaving) -> list[Object]:
    """Render the messages that are shown."""
    found = []
    for bucket, entries in leaving.groups:
        group = Group(caller.number, 0, 0, 0, 1, Bucket.decode(bucket), tuple(entries))
        composed = await renderers.compose(trial.recipe, group)
        found += [*_messages(composed)]
    return found[:SAMPLES]


def _people(caller: Caller, trial: Trial, after: int, most: int, tx: Transaction) -> list[tuple[int, Profile]]:
    return [*profiles.scan(tx, caller.number, after, trial.people, most)]


def _mapped(tx: Transaction, caller: Caller, clock: Clock, plan: Plan) -> list[MappedAudience]:
    """Return the audiences with the numbers they have, or would get."""
    known = {(item.namespace, item.id): item for item in audiences.all_of(tx, caller.number).values()}
    last, now = max((item.audience for item in known.values()), default=0), clock.now()
    target = plan.found.target
    at_partner = partner_audiences.of_target(tx, caller.number, target.id) if target is not None else {}
    mapped = []
    for place, selector in enumerate(plan.flow.audiences, last + 1):
        fresh = StoredAudience(place, selector.namespace, selector.id, selector.name, now, now)
        item = known.get((selector.namespace, selector.id), fresh)
        alias = alias_of(selector, item, plan.found.edition.destination, at_partner.get(item.audience))
        times = (item.created_at // 1000, item.modified_at // 1000, now // 1000, now // 1000)
        name = selector.name or item.name
        mapped.append(MappedAudience(item.audience, item.namespace, item.id, name, alias, *times))
    return mapped


def _place(caller: Caller) -> Object:
    return {"sandboxName": caller.tenant.sandbox, "imsOrgId": caller.tenant.organization}


def _without_secrets(plan: Plan) -> Object:
    """Return the customer data with dots for what is secret in it."""
    values: Object = sealing.dotted({"connection": plan.filled.values}, plan.filled.secret)["connection"]
    return values


def _count(trial: Trial, leaving: Leaving, number: int, profile: Profile, samples: int) -> None:
    statuses = trial.watched.audiences.statuses(profile)
    moved = tuple(audience for audience in statuses if audience in trial.new and _is_in(statuses[audience]))
    touched = lanes(profile, moved, trial.watched)
    leaving.people += bool(touched)
    for lane in touched:
        leaving.buckets[lane.bucket] += 1
        group = _group_for(trial, leaving, lane.bucket, samples)
        if group is not None:
            group.append(Entry(number, lane.audience, lane.part, 0, encode(profile), moved))


def _is_in(membership: Object) -> bool:
    return bool(membership["status"] == "realized")


def _group_for(trial: Trial, leaving: Leaving, bucket: int, samples: int) -> list[Entry] | None:
    """Return the message that is shown which an entry would be in, if it is in one."""
    most = min(trial.most_entries, _MOST_SHOWN)
    for other, entries in leaving.groups:
        if other == bucket and len(entries) < most:
            return entries
    if len(leaving.groups) >= samples:
        return None
    leaving.groups.append((bucket, []))
    return leaving.groups[-1][1]


def _messages(composed: Composed) -> Iterator[Object]:
    for message in composed.messages:
        request = message.request
        headers = [{"header": name, "value": _header(name, value)} for name, value in request.headers]
        body = request.body.decode("utf-8", "replace")[:_LONGEST_BODY]
        url = {"method": request.method, "url": request.url}
        yield {**url, "headers": headers, "body": body, "people": len(message.entries)}
    for _, error in composed.refused:
        yield {"refused": error.message, "code": error.code}


def _header(name: str, value: str) -> str:
    return MASK if any(word in name.lower() for word in _SECRET_HEADERS) else value
