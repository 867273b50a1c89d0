"""Authoring: the four objects a destination is made of, each kept only if it is right, alone and with the others."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.connect.secrets import Redactor
from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import Block
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import Problem
from headrace.model.secrets import secret_pointers
from headrace.services import declared, sealing
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition, Working
from headrace.services.checks import (
    AUDIENCE_TEMPLATE,
    CREDENTIALS,
    DESTINATION,
    EXAMINE,
    SERVER,
    Document,
    Others,
    pointed_to,
    prepare,
)
from headrace.services.disclosure import disclosure_of
from headrace.services.fitting import misfits
from headrace.services.governance.holding import held
from headrace.services.in_use import find_unused
from headrace.services.rebinding import followed
from headrace.services.sealing import Safe
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

__all__ = ["AUDIENCE_TEMPLATE", "CREDENTIALS", "DESTINATION", "SERVER", "Authored", "delete", "save"]

#: The block of each noun.
BLOCKS: dict[str, type[Block]] = {
    SERVER: DestinationServer,
    DESTINATION: Destination,
    AUDIENCE_TEMPLATE: AudienceTemplate,
    CREDENTIALS: Credentials,
}
#: Keys that the server adds to objects of each noun; sent back by clients, and left out of what is kept.
ADDED = {noun: block.ignored for noun, block in BLOCKS.items()}
#: What the server adds under ``x-headrace``.
_ADDED_UNDER_OURS = frozenset({"warnings", "fingerprints", "version"})


@dataclass(frozen=True, slots=True)
class Authored:
    """A stored object and the warnings its author should read."""

    declared: Declared
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """The objects of a sandbox as they would be with one of them changed."""

    others: Others
    noun: str
    id: str
    document: Document

    def get(self, noun: str, id_: str) -> Document | None:
        return self.document if (noun, id_) == (self.noun, self.id) else self.others.get(noun, id_)

    def all_of(self, noun: str) -> list[tuple[str, Document]]:
        found = self.others.all_of(noun)
        return [(id_, self.document if (noun, id_) == (self.noun, self.id) else item) for id_, item in found]


async def save(
    store: Store,
    clock: Clock,
    keyring: Keyring,
    caller: Caller,
    noun: str,
    document: object,
    *,
    strict: bool = True,
    id_: str | None = None,
    if_match: str | None = None,
) -> Authored:
    """
    Keep an object: a new one, or in the place of ``id_``, if that is still the version that ``if_match`` names.

    Raises:
        ConfigurationError: with every problem of the object, of its templates, and of it with the others.
        NotFound: there is no object ``id_`` here.
        StaleVersion: it was changed since it was read.
        PolicyViolation: dataflows of this sandbox that use it as it is would violate policies.
    """
    await asyncio.to_thread(prepare, noun, document)
    safe, now, record = Safe(keyring, caller.tenant), clock.now(), id_ or str(uuid.uuid4())
    sent = _without_added(noun, document)
    pointers = secret_pointers(BLOCKS[noun], sent)
    secret = sealing.sealed(safe, record, sent, pointers) if isinstance(sent, dict) else {sealing.SEALED: {}}

    def work(tx: Transaction) -> Authored:
        known = declared.existing(tx, caller, noun, id_) if id_ is not None else None
        if known is not None:
            declared.refuse_stale(known, if_match)
        kept, problems = sealing.completed(secret, known.document if known is not None else None, pointers)
        if known is None:
            problems += _server_set(noun, document)
        problems += judge(tx, safe, caller, noun, record, kept if isinstance(sent, dict) else sent, known, strict)
        declared.refuse(problems)
        if known is None:
            stored = declared.add(tx, caller, noun, record, kept, now)
        else:
            # What its author maps for everybody, and what it is for, counts for dataflows here that use it as it is.
            with held(tx, caller.tenant), followed(tx, caller.tenant, caller.actor, now):
                stored = declared.replace(tx, caller, noun, known, kept, now)
        return Authored(stored, tuple(problem for problem in problems if not problem.is_error))

    return await store.write(work)


async def delete(
    store: Store, clock: Clock, caller: Caller, noun: str, id_: str, *, if_match: str | None = None
) -> None:
    """
    Delete an object that nothing uses.

    Raises:
        InUse: something does; it says what.
        NotFound: it is not in this sandbox.
        StaleVersion: it was changed since it was read.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        known = find_unused(tx, caller, noun, id_, if_match)
        declared.remove(tx, caller, noun, known, now)

    await store.write(work)


def judge(
    tx: Transaction,
    safe: Safe,
    caller: Caller,
    noun: str,
    record: str,
    kept: Any,
    known: Declared | None,
    strict: bool,
) -> list[Problem]:
    """Say what is wrong with a document that would be kept; ``known`` is what it would replace."""
    others = Working(tx, caller.number)
    whole = sealing.opened(safe, record, kept) if isinstance(kept, dict) else kept
    examined = EXAMINE[noun](whole, others, record if known is not None else None, strict)
    if known is not None and not examined.errors:
        if noun == DESTINATION:
            examined.problems.extend(_breaks(tx, caller, record, examined.block))
        examined.problems.extend(_new_origins(tx, caller, noun, known, kept))
    redactor = Redactor(sealing.secrets_of(safe, record, kept) if isinstance(kept, dict) else ())
    return [replace(problem, message=redactor.redact(problem.message)) for problem in examined.problems]


def _without_added(noun: str, document: object) -> object:
    """Return a document without what the server adds, here or under ``x-headrace``."""
    if not isinstance(document, dict):
        return document
    kept = {key: value for key, value in document.items() if key not in ADDED[noun] | {sealing.SEALED}}
    ours = kept.get("x-headrace")
    if isinstance(ours, dict) and ours.keys() & _ADDED_UNDER_OURS:
        kept["x-headrace"] = {key: value for key, value in ours.items() if key not in _ADDED_UNDER_OURS}
        if not kept["x-headrace"]:
            del kept["x-headrace"]
    return kept


def _server_set(noun: str, document: object) -> list[Problem]:
    given = sorted(document.keys() & ADDED[noun]) if isinstance(document, dict) else []
    return [Problem("server-set", f"/{name}", f"only the server sets `{name}`: it was left out") for name in given]


def _breaks(tx: Transaction, caller: Caller, id_: str, after: Destination) -> Iterator[Problem]:
    """Say which dataflows would no longer be right under a changed destination."""
    catalog = Catalog(tx, caller.tenant)
    if (before := catalog.working(id_)) is None:
        return
    for target in catalog.targets_on_working(id_):
        yield from misfits(catalog.dataflows_of(target.id), before.destination, after)


def _new_origins(tx: Transaction, caller: Caller, noun: str, known: Declared, kept: Document) -> Iterator[Problem]:
    """Say to which origins dataflows of this sandbox would send from now on, because of a change."""
    catalog, changed = Catalog(tx, caller.tenant), Changed(Working(tx, caller.number), noun, known.id, kept)
    for id_, document in changed.all_of(DESTINATION):
        if (noun, known.id) not in [(DESTINATION, id_), *pointed_to(document)]:
            continue
        before = catalog.working(id_)
        count = sum(len(catalog.dataflows_of(target.id)) for target in catalog.targets_on_working(id_))
        if before is not None and count:
            yield from _told(before, disclosure_of(document, changed).origins, count)


def _told(before: Edition, origins: tuple[str, ...], count: int) -> Iterator[Problem]:
    for origin in sorted({*origins} - {*before.disclosure.origins}):
        who = "1 dataflow sends" if count == 1 else f"{count} dataflows send"
        yield Problem("new-origin", "", f"{who} to {origin} from now on, through {before.destination.name!r}")
