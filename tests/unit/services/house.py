"""
A whole house in one process: the real store, services and pipeline, with a clock set by hand and a partner in memory.

Nothing waits: ``run`` carries until nothing is left to do at this moment, ``pass_time`` moves the clock.
"""

import asyncio
from collections import Counter
from datetime import timedelta
from random import Random

import orjson

from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.connect.retry import RetryPolicy
from headrace.model.http import Response
from headrace.model.roles import PERMISSIONS
from headrace.render.destination import CompiledDestination
from headrace.services import access as letting_in
from headrace.services import activation, authoring, consent_policies, monitoring, replays, sources, targets
from headrace.services.applying_consent import ApplyingConsent
from headrace.services.audiences.forgetting import Forgetting
from headrace.services.backfilling import Backfiller
from headrace.services.caller import Caller
from headrace.services.consent_policies import KIND as APPLY_CONSENT
from headrace.services.delivery import StoredOutbox
from headrace.services.erased import Erased
from headrace.services.erasing import Erasing
from headrace.services.erasures import KIND as ERASURE
from headrace.services.erasures import Erasures
from headrace.services.ingestion import Ingestion
from headrace.services.live import LiveDataflows
from headrace.services.partners import Partners
from headrace.services.reaching import BlockedTargets, Reaching
from headrace.services.replaying import Replayer
from headrace.services.resyncing import Resyncing
from headrace.services.resyncs import KIND as RESYNC
from headrace.services.revocations import KIND as REVOCATION
from headrace.services.revocations import forget
from headrace.services.revoking import Revoking
from headrace.services.runs import Pace, Runs
from headrace.services.telling import Telling
from headrace.services.tokens import Tokens
from headrace.store import access, audiences, ledger, parked
from headrace.store.keys import StoredKeys
from headrace.streaming import pipeline
from headrace.streaming.slots import Slots
from orchestrator import Remembering
from stores import open_new

STEPS = (10, 20, 40)
BODY = (
    '{"message": "{{ message.id }}", "key": {{ input.aggregationKey | toJson }}, '
    '"people": {{ input.profiles | toJson }}}'
)
START = 1_774_000_000_000


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.at = START

    def now(self):
        return self.at

    def monotonic(self):
        return self.at / 1000


class Renderer:
    """Renders in this process."""

    def __init__(self):
        self._compiled = {}

    async def compose(self, recipe, group):
        if recipe.id not in self._compiled:
            self._compiled[recipe.id] = CompiledDestination(recipe)
        return self._compiled[recipe.id].compose(group)


class Partner:
    """
    A partner in memory. ``answers`` are given in order, then ``default``: a status, an error to raise, or a function.

    ``messages`` are what arrived, as (answer, request, JSON). Of an error nobody knows whether it arrived: it did.
    """

    def __init__(self, answers=(), default=200):
        self.answers = list(answers)
        self.default = default
        self.messages = []

    async def send(self, request, *, deadline, pool):
        del deadline, pool
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else self.default
        if callable(answer) and not isinstance(answer, type):
            answer = answer(request)
        self.messages.append((answer, request, orjson.loads(request.body)))
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else Response(answer)

    @property
    def statuses(self):
        return [answer if isinstance(answer, int) else type(answer).__name__ for answer, _, _ in self.messages]

    @property
    def ids(self):
        return [message["message"] for _, _, message in self.messages]

    def told(self):
        """What the messages said that were taken, in order: (person, audience, status)."""
        return [
            (person["identityMap"]["id"][0]["id"], audience, membership["status"])
            for answer, _, message in self.messages
            if answer == 200
            for person in message["people"]
            for audience, membership in person["segmentMembership"].get("ups", {}).items()
        ]

    def knows(self):
        """The partner's last word on each person and audience, without those that are out."""
        last = {(who, audience): status for who, audience, status in self.told()}
        return {pair for pair, status in last.items() if status == "realized"}


class SteppedOutbox(StoredOutbox):
    """The outbox in the store, which closes where it would sleep and nothing is under way."""

    async def _sleep(self, slots):
        if not any(account.held for account in slots._accounts.values()):
            return self.close()
        if self._pacing.next_at and min(self._pacing.next_at) > self._clock.at:
            self._clock.at = min(self._pacing.next_at)  # Nobody at the turnstile waits in earnest.
            return None
        waits = [asyncio.ensure_future(event.wait()) for event in (self._woken, slots.freed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return None


def reaching_to(house, partner):
    """How a house reaches a partner."""
    return Reaching(partner, BlockedTargets(house.store, house.clock), house.clock, house.events.append)


class House:
    """Everything in one process, in the words of tests."""

    def __init__(self, directory, partner=None, database_url=""):
        self.clock = Clock()
        self.partner = partner or Partner()
        self.store = open_new(directory, database_url)
        self.keyring = Keyring(LocalKeyFile(directory / "key"), StoredKeys(self.store))
        self.events = []
        self.reaching = reaching_to(self, self.partner)
        self.tokens = Tokens(
            self.store, self.clock, self.keyring, self.reaching, self.events.append, self._wake_sandbox, deadline=30.0
        )
        self.partners = Partners(self.keyring, self.reaching, self.tokens, 30.0)
        self.live = LiveDataflows(self.partners, Renderer(), self.clock, self.events.append)
        self.orchestrator = Remembering()
        pace = Pace(idle=float("inf"))
        self.runs = Runs(self.store, self.clock, self.events.append, lambda _: self.orchestrator, pace=pace)
        telling = Telling(self.store, self.clock, self.keyring, self.partners)
        self.runs.register(REVOCATION, telling.carry, on_cancel=forget)
        self.revoking = Revoking(self.store, self.clock, self.keyring, self.partners, self.tokens)
        self.slots = Slots(4, self.clock.monotonic)
        self.woken = []
        erased = Erased(self.keyring)
        self.ingestion = Ingestion(self.store, self.clock, self.live, self.events.append, self._wake, erased)
        applying = ApplyingConsent(self.store, self.clock, self.live, self._wake)
        self.runs.register(APPLY_CONSENT, applying.carry)
        self.runs.register(RESYNC, Resyncing(self.store, self.clock, self.live, self._wake).carry)
        self.erasures = Erasures(self.store, self.clock, erased)
        self.forgotten = []
        lists = Forgetting(self.store, self.clock, erased, directory / "lists")
        erasing = Erasing(self.store, self.clock, self.live, erased, self._wake, self._forget_copies, lists.forget)
        self.runs.register(ERASURE, erasing.carry)
        self.servers, self.destinations, self.flows = {}, {}, {}
        self.store.write_now(lambda tx: letting_in.begin(tx, self.clock.now()))
        (tenant,) = self.store.read_now(access.all_tenants)
        self.caller = Caller("client:house", tenant, frozenset(PERMISSIONS))
        self.outbox = None

    async def open(self, steps=STEPS):
        """Start delivering, as a process that has just begun."""
        policy = RetryPolicy(tuple(timedelta(seconds=step) for step in steps), jitter=0)
        self.outbox = await SteppedOutbox.open(
            self.store, self.clock, self.live, self.events.append, policy, Random(1), lease=60, deadline=30
        )
        self.backfiller = Backfiller(self.store, self.clock, self.live, self.outbox, self.events.append)
        self.replayer = Replayer(self.store, self.clock, self.live, self.outbox, self.events.append)

    def close(self):
        self.store.close()

    async def _forget_copies(self, tenant):
        self.forgotten.append(tenant)

    def _wake(self, tenant, numbers):
        numbers = list(numbers)
        self.woken.append((tenant, sorted(numbers)))
        if self.outbox is not None:
            self.outbox.wake(tenant, numbers)

    async def _wake_sandbox(self, tenant):
        assert tenant == self.caller.number
        await self.wake_all()

    # -- what authors and operators do ----------------------------------------------------------------------------

    async def activate(
        self,
        *ids,
        name="flow",
        body=BODY,
        mapping=(("identityMap.crmId", "identityMap.id"), ("city", "city")),
        retry=None,
        **policy,
    ):
        """Declare a destination, and send the given audiences there."""
        document = self.server_document(body)
        document["httpTemplate"]["x-headrace"]["retry"] = retry or {}
        server = await authoring.save(self.store, self.clock, self.keyring, self.caller, authoring.SERVER, document)
        self.servers[name] = server.declared.id
        destination = await authoring.save(
            self.store,
            self.clock,
            self.keyring,
            self.caller,
            authoring.DESTINATION,
            self.destination_document(name, **policy),
        )
        self.destinations[name] = destination.declared.id
        connection = {"name": name, "connectionSpec": {"id": destination.declared.id}}
        source = await sources.create_source(self.store, self.clock, self.caller, connection)
        target = await targets.create_target(self.store, self.clock, self.keyring, self.caller, connection)
        flow = await activation.create(
            self.store, self.clock, self.caller, flow_document(name, source.id, target.id, ids, mapping)
        )
        self.flows[name] = flow.id
        await self.wake_all()
        return flow

    def server_document(self, body=BODY):
        return {
            "name": "server",
            "destinationServerType": "URL_BASED",
            "urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": "https://partner.example/"}},
            "httpTemplate": {
                "httpMethod": "POST",
                "contentType": "application/json",
                "requestBody": {"templatingStrategy": "PEBBLE_V1", "value": body, "x-headrace": {"escaping": "none"}},
                "x-headrace": {"messageIdHeader": "Idempotency-Key"},
            },
        }

    def destination_document(self, name="flow", *, most=100, split=False, waits=None, **key):
        """Write a destination; ``waits``: for how many seconds its entries wait to be a thousand."""
        policy = {"maxUsersPerRequest": most, "splitUserById": split, "aggregationKey": key or None}
        patient = {"maxBatchAgeInSecs": waits, "maxNumEventsInBatch": 1000, "splitUserById": split}
        at_once = {"aggregationType": "BEST_EFFORT", "bestEffortAggregation": policy}
        waiting = {
            "aggregationType": "CONFIGURABLE_AGGREGATION",
            "configurableAggregation": {**patient, "aggregationKey": key},
        }
        return {
            "name": name,
            "status": "TEST",
            "identityNamespaces": {
                "id": {"acceptsCustomNamespaces": True},
                "email": {"acceptedGlobalNamespaces": {"Email": {}}},
            },
            "schemaConfig": {"segmentRequired": True, "profileRequired": True},
            "aggregation": waiting if waits else at_once,
            "destinationDelivery": [
                {"authenticationRule": "NONE", "destinationServerId": self.servers[name]},
            ],
        }

    async def patch(self, *operations, name="flow", **more):
        stored = await activation.get(self.store, self.caller, self.flows[name])
        await activation.patch(
            self.store, self.clock, self.caller, stored.id, activation.etag(stored), list(operations), **more
        )
        await self.wake_all()

    async def map_audience(self, id_, name="flow"):
        where = "/transformations/0/params/segmentSelectors/selectors/-"
        await self.patch({"op": "add", "path": where, "value": _selector(id_)}, name=name)

    async def unmap_audience(self, place, name="flow", **more):
        where = f"/transformations/0/params/segmentSelectors/selectors/{place}"
        await self.patch({"op": "remove", "path": where}, name=name, **more)

    async def switch(self, on, name="flow"):
        await activation.switch(self.store, self.clock, self.caller, self.flows[name], on=on)
        await self.wake_all()

    async def delete(self, name="flow"):
        await activation.delete(self.store, self.clock, self.caller, self.flows[name])
        await self.wake_all()

    async def wake_all(self):
        numbers = [flow.dataflow for flow in await activation.listing(self.store, self.caller)]
        self._wake(self.caller.number, numbers)

    async def consent(self, name="email", *, path="consents.email.val", values=("y",), id_=None, **more):
        """Declare a consent policy, or change one; the run that applies it is asked for."""
        condition = {"path": path, "values": list(values)} | more.pop("condition", {})
        document = {"name": name, "conditions": [condition], **more}
        if id_ is None:
            return (await consent_policies.create(self.store, self.clock, self.caller, document)).id
        return (await consent_policies.replace(self.store, self.clock, self.caller, id_, document, None)).id

    async def erase(self, key=None, **identity):
        """Ask for an erasure, and carry its first run; return its id."""
        document = {"profile": key} if key else {"identity": identity}
        id_ = (await self.erasures.ask(self.caller, document)).erasure.erasure
        await self.carry_runs()
        return id_

    async def receipts(self, id_, *, look=True):
        """Have an erasure look again, and return the states of its receipts with the erasure's own."""
        if look:
            self.pass_time(4000)
            await self.carry_runs()
        report = await self.erasures.get(self.caller, id_)
        return report.erasure.state, {told.name: told.state for told in report.receipts}

    async def drop_policy(self, id_):
        await consent_policies.delete(self.store, self.clock, self.caller, id_, None)

    # -- what happens ---------------------------------------------------------------------------------------------

    async def ingest(self, *people, replace=False):
        body = b"\n".join(person if isinstance(person, bytes) else orjson.dumps(person) for person in people)
        return await self.ingestion.take(self.caller, body, lines=True, replace=replace)

    async def run(self):
        """Carry until nothing is left to do at this moment."""
        if self.outbox is None:
            await self.open()
        self.outbox._closed = self.outbox._pacing._is_closed = False
        async with asyncio.timeout(30):
            await pipeline.run(self.outbox, self.slots)

    async def carry_runs(self):
        """Look once for runs, and carry those that were begun to their end."""
        await self.runs.reconcile()
        await self.orchestrator.finish()

    async def run_out(self, most=60):
        """Carry, and let time pass, until nothing waits for a retry."""
        for _ in range(most):
            await self.run()
            if not self.rows("SELECT 1 FROM groups"):
                return
            self.pass_time(100)
        raise AssertionError("it does not come to rest")

    async def backfill(self):
        steps = 0
        while await self.backfiller.step():
            steps += 1
            assert steps < 1000
        return steps

    async def ask(self, kind="replay", *, name="flow", **more):
        """Ask for a replay or a discard of what is parked: of all, or of what ``more`` says."""
        options = {key: more.pop(key) for key in ("resume", "reason") if key in more}
        wanted = replays.Wanted(**more)
        return await replays.ask(
            self.store, self.clock, self.live, self.caller, self.flows[name], kind, wanted, **options
        )

    async def carry_replays(self):
        """Do the steps of replays and discards, until there is none that may go on."""
        steps = 0
        while await self.replayer.step():
            steps += 1
            assert steps < 1000
        return steps

    async def replay(self, **more):
        """Replay what is parked, and carry it until nothing is left to do at this moment."""
        asked = await self.ask(**more)
        await self.carry_replays()
        await self.run()
        return asked

    def pass_time(self, seconds):
        self.clock.at += int(seconds * 1000)

    # -- what to look at ------------------------------------------------------------------------------------------

    def rows(self, sql, **given):
        return self.store.read_now(lambda tx: tx.run(sql, given).fetchall())

    async def balance(self, name="flow"):
        """The ledger in all, without what is zero; it always adds up to the rows that wait."""
        total, _ = await monitoring.balance(self.store, self.caller, self.flows[name])
        number = (await activation.get(self.store, self.caller, self.flows[name])).dataflow
        waiting = self.store.read_now(lambda tx: ledger.waiting(tx, self.caller.number, number))
        assert total["pending"] == waiting
        settled = sum(total[column] for column in ("delivered", "superseded", "withheld", "parked"))
        assert total["accepted"] == settled + waiting
        return {column: value for column, value in total.items() if value}

    async def state(self, name="flow"):
        stored = await activation.get(self.store, self.caller, self.flows[name])
        return stored.state, stored.reason

    def parked(self):
        names = {a.audience: a.id for a in self.store.read_now(lambda tx: audiences.all_of(tx, 1)).values()}
        found = self.store.read_now(lambda tx: parked.latest(tx, self.caller.number, 1, 10_000))
        return [(item.profile, names.get(item.audience), item.code) for item in found]

    def announced(self):
        return Counter(type(event).__name__ for event in self.events)


def _selector(id_):
    value = {"id": id_, "namespace": "ups", "name": id_.upper(), "mappingId": f"list-{id_}"}
    return {"type": "PLATFORM_SEGMENT", "value": value}


def flow_document(name, source, target, ids, mapping):
    fields = [
        {"type": "JSON_PATH", "value": {"path": row[0], "mapping": {"source": row[0], "destination": row[1]}}}
        for row in mapping
    ]
    params = {
        "segmentSelectors": {"selectors": [_selector(id_) for id_ in ids]},
        "profileSelectors": {"selectors": fields},
    }
    return {
        "name": name,
        "sourceConnectionIds": [source],
        "targetConnectionIds": [target],
        "transformations": [{"name": "GeneralTransform", "params": params}],
    }


def person(number=1, *ids, minute=0, email=(), **more):
    """Make a person who is in some audiences; ``a=False`` is one that they have left."""
    statuses = {**dict.fromkeys(ids, True)}
    statuses |= {name: value for name, value in more.items() if isinstance(value, bool)}
    attributes = {name: value for name, value in more.items() if not isinstance(value, bool)}
    time = f"2026-03-01T{minute // 60:02}:{minute % 60:02}:00Z"
    memberships = {
        id_: {"status": "realized" if is_in else "exited", "lastQualificationTime": time}
        for id_, is_in in statuses.items()
    }
    identities = {"crmId": [{"id": str(number)}]} | ({"Email": [{"id": value} for value in email]} if email else {})
    return {"identityMap": identities, "segmentMembership": {"ups": memberships}, **attributes}
