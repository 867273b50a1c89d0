"""Audiences as people declare them, and all others that people carry: listed, read, changed, deleted."""

import asyncio
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.clock import Clock
from headrace.datasets.engine import BadQuery
from headrace.datasets.query import Named, tables_of
from headrace.errors import Conflict, NotFound
from headrace.model.audience import AudienceDefinition
from headrace.model.reading import read
from headrace.services import declared, schedules
from headrace.services.audiences.asking import EVALUATE, schedule_of
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.governance.holding import held
from headrace.services.in_use import AUDIENCE, DATASET, refuse_in_use
from headrace.store import audiences, documents, evaluations
from headrace.store import schedules as stored_schedules
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared
from headrace.store.evaluations import Evaluation

#: The states of an evaluation in which it is being carried.
UNDER_WAY = ("finding", "taking")


@dataclass(frozen=True, slots=True)
class View:
    """An audience as it is: what people carry of it, and what was declared, if anything."""

    stored: StoredAudience
    declared: Declared | None
    datasets: tuple[str, ...] = ()
    last: Evaluation | None = None

    @property
    def definition(self) -> AudienceDefinition:
        """What was declared, or what stands for it."""
        if self.declared is None:
            name = self.stored.name or self.stored.id
            return AudienceDefinition.model_validate({"name": name[:200], "namespace": self.stored.namespace})
        return lenient(AudienceDefinition, self.declared.document)


@dataclass(frozen=True, slots=True)
class Declaring:
    """What people do with the definitions of audiences. ``directory``: where lists of members are kept."""

    store: Store
    clock: Clock
    directory: Path

    async def create(self, caller: Caller, document: object) -> View:
        """
        Keep an audience.

        Raises:
            ConfigurationError: it is not right.
            BadQuery: its query is none, or reads what is no dataset.
            Conflict: there is one with this id.
            PolicyViolation: dataflows that send it would violate policies.
        """
        definition, _ = read(AudienceDefinition, document)
        id_, now = definition.audience_id or str(uuid.uuid4()), self.clock.now()
        tables = _tables(definition)

        def work(tx: Transaction) -> View:
            if documents.get(tx, caller.number, AUDIENCE, id_) is not None:
                raise Conflict(f"there is an audience {id_!r} already: change that one")
            with held(tx, caller.tenant):  # Dataflows may send it already, with whom it was said to have.
                made = declared.add(tx, caller, AUDIENCE, id_, _kept(definition, id_), now)
                self._follow(tx, caller, made, definition, tables, now)
            return _view(tx, caller, id_)

        return await self.store.write(work)

    async def replace(self, caller: Caller, id_: str, document: object, if_match: str | None) -> View:
        """
        Put a document in the place of an audience's. Who is in it stays, until it is evaluated.

        Raises:
            NotFound: it is not declared in this sandbox.
            StaleVersion: it was changed since it was read.
            ConfigurationError, BadQuery: as when it is created.
            Conflict: its id, its namespace or its kind would be another.
            PolicyViolation: dataflows that send it would violate policies.
        """
        definition, _ = read(AudienceDefinition, document)
        tables, now = _tables(definition), self.clock.now()

        def work(tx: Transaction) -> View:
            known = declared.existing(tx, caller, AUDIENCE, id_)
            declared.refuse_stale(known, if_match)
            changed = _kept(definition, id_, known.document["namespace"])
            _refuse_another(known, changed)
            with held(tx, caller.tenant):
                made = declared.replace(tx, caller, AUDIENCE, known, changed, now)
                self._follow(tx, caller, made, definition, tables, now)
            return _view(tx, caller, id_)

        return await self.store.write(work)

    async def delete(self, caller: Caller, id_: str, if_match: str | None) -> None:
        """
        Delete an audience that no dataflow sends, with its lists and its history. What people carry of it stays.

        Raises:
            NotFound: it is not declared in this sandbox.
            StaleVersion: it was changed since it was read.
            InUse: a dataflow sends it; it says which.
            Conflict: it is being evaluated.
        """
        now = self.clock.now()

        def work(tx: Transaction) -> int:
            known = declared.existing(tx, caller, AUDIENCE, id_)
            declared.refuse_stale(known, if_match)
            refuse_in_use(tx, caller.tenant, AUDIENCE, id_)
            number = _stored(tx, caller, known).audience
            last = next(iter(evaluations.latest(tx, caller.number, number, 1)), None)
            if last is not None and last.state in UNDER_WAY:
                raise Conflict("this audience is being evaluated: wait for its run, or cancel it")
            evaluations.remove_of(tx, caller.number, number)
            stored_schedules.remove(tx, caller.number, schedule_of(id_))
            declared.remove(tx, caller, AUDIENCE, known, now)
            return number

        number = await self.store.write(work)
        await asyncio.to_thread(shutil.rmtree, self.directory_of(caller.number, number), ignore_errors=True)

    async def listing(self, caller: Caller) -> list[View]:
        """Return all audiences: those that are declared, and others that people carry or that are sent."""
        return await self.store.read(lambda tx: views_of(tx, caller.number))

    async def read(self, caller: Caller, id_: str, namespace: str | None = None) -> View:
        """
        Return an audience.

        Raises:
            NotFound: there is none with this id.
            Conflict: there are several, in different namespaces.
        """
        return await self.store.read(lambda tx: _view(tx, caller, id_, namespace))

    async def history(self, caller: Caller, id_: str, most: int, before: int | None) -> list[Evaluation]:
        """
        Return evaluations of an audience, newest first.

        Raises:
            NotFound: it is not declared in this sandbox.
        """

        def work(tx: Transaction) -> list[Evaluation]:
            known = declared.existing(tx, caller, AUDIENCE, id_)
            return evaluations.latest(tx, caller.number, _stored(tx, caller, known).audience, most, before)

        return await self.store.read(work)

    def directory_of(self, tenant: int, audience: int) -> Path:
        """Return where the lists of an audience are kept."""
        return self.directory / str(tenant) / str(audience)

    def _follow(
        self,
        tx: Transaction,
        caller: Caller,
        made: Declared,
        definition: AudienceDefinition,
        tables: list[Named],
        now: int,
    ) -> None:
        """Give an audience its number, and note when it is to be evaluated and from what."""
        number = audiences.number(tx, caller.number, made.document["namespace"], made.id, definition.name, now)
        evaluations.read_from(tx, caller.number, number, tuple(datasets_named(tx, caller.number, tables).values()))
        known, id_ = stored_schedules.get(tx, caller.number, schedule_of(made.id)), schedule_of(made.id)
        if known is not None and known.cron == definition.schedule:
            return
        stored_schedules.remove(tx, caller.number, id_)
        if definition.schedule is not None:
            subject = {"audience": number}
            schedules.add(tx, caller.number, id_, EVALUATE, subject, definition.schedule, caller.actor, now)


def datasets_named(tx: Transaction, tenant: int, tables: list[Named]) -> dict[str, str]:
    """
    Return the ids of the datasets that a query names, by the names that it has for them.

    Raises:
        BadQuery: there is none of a name, or there are several.
    """
    known = documents.all_of(tx, tenant, DATASET)
    found: dict[str, str] = {}
    for table in tables:
        wanted = table.name.lower()
        fitting = [item for item in known if wanted in (item.document["name"].lower(), item.id.lower())]
        if not fitting:
            there = ", ".join(sorted(item.document["name"] for item in known))[:500] or "none"
            raise BadQuery(f"there is no dataset {table.name[:80]!r} ({table.place}); these are: {there}")
        if len(fitting) > 1:
            raise BadQuery(f"several datasets are named {table.name[:80]!r} ({table.place}): write the id of one")
        found[table.name] = fitting[0].id
    return found


def views_of(tx: Transaction, tenant: int) -> list[View]:
    """Return all audiences of a sandbox, in the order of their numbers."""
    known = {item.id: item for item in documents.all_of(tx, tenant, AUDIENCE)}
    sources, newest = evaluations.sources(tx, tenant), evaluations.newest(tx, tenant)
    views = [
        View(stored, _of(known.get(stored.id), stored), tuple(sources.get(number, ())), newest.get(number))
        for number, stored in sorted(audiences.all_of(tx, tenant).items())
    ]
    sent = audiences.sent(tx, tenant)
    return [view for view in views if _is_there(view, sent)]


def _is_there(view: View, sent: set[int]) -> bool:
    """Say whether an audience is anything: one that was deleted keeps its number for the books alone."""
    return view.declared is not None or view.stored.size > 0 or view.stored.audience in sent


def _of(known: Declared | None, stored: StoredAudience) -> Declared | None:
    return known if known is not None and known.document["namespace"] == stored.namespace else None


def _view(tx: Transaction, caller: Caller, id_: str, namespace: str | None = None) -> View:
    known = documents.get(tx, caller.number, AUDIENCE, id_)
    if known is not None and namespace in (None, known.document["namespace"]):
        namespace = known.document["namespace"]
    sent = audiences.sent(tx, caller.number)
    found = [
        item
        for item in audiences.find(tx, caller.number, id_, namespace)
        if _is_there(View(item, _of(known, item)), sent)
    ]
    if not found:
        raise NotFound(f"there is no audience {id_!r} here")
    if len(found) > 1:
        named = ", ".join(item.namespace for item in found)
        raise Conflict(f"{id_!r} is an audience of several namespaces: say which, as `?namespace=`: {named}")
    sources = evaluations.sources(tx, caller.number).get(found[0].audience, [])
    last = next(iter(evaluations.latest(tx, caller.number, found[0].audience, 1)), None)
    return View(found[0], _of(known, found[0]), tuple(sources), last)


def _stored(tx: Transaction, caller: Caller, known: Declared) -> StoredAudience:
    (found,) = audiences.find(tx, caller.number, known.id, known.document["namespace"])
    return found


def _tables(definition: AudienceDefinition) -> list[Named]:
    return [] if definition.query is None else tables_of(definition.query)


def _kept(definition: AudienceDefinition, id_: str, namespace: str | None = None) -> dict[str, Any]:
    """Return a definition as it is stored: with its id, its namespace and its kind, which never change."""
    document = definition.model_dump(mode="json", by_alias=True, exclude_unset=True)
    space = definition.namespace or namespace or definition.space
    return {"audienceId": id_, **document, "namespace": space, "kind": definition.kind}


def _refuse_another(known: Declared, changed: dict[str, Any]) -> None:
    was = {"audienceId": known.id, "kind": known.document["kind"], "namespace": known.document["namespace"]}
    for name, value in was.items():
        if changed[name] != value:
            raise Conflict(f"`{name}` of an audience never changes: it is {value!r}; make another audience")
