"""What people do with the members of audiences: evaluate, confirm, look ahead, upload, say who comes and goes."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from headrace.clock import Clock
from headrace.errors import Conflict, RequestError
from headrace.model.audience import AudienceDefinition
from headrace.model.expiry import DAY, moment
from headrace.model.reading import read
from headrace.model.record import MEMBERSHIPS
from headrace.services import declared
from headrace.services.audiences import asking, finding
from headrace.services.audiences.declaring import Declaring
from headrace.services.audiences.evaluating import Evaluating, sources_of
from headrace.services.audiences.finding import Preview
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.in_use import AUDIENCE
from headrace.services.ingestion import Ingestion, Receipt
from headrace.services.space import refuse_without_room
from headrace.store import audiences, audit, evaluations, runs
from headrace.store.database import Store, Transaction
from headrace.store.evaluations import Evaluation, Part

FileKind = Literal["csv", "parquet"]
#: The most members that one request may name.
MOST_NAMED = 10_000


@dataclass(frozen=True, slots=True)
class Acting:
    """What people do with the members of audiences."""

    store: Store
    clock: Clock
    declaring: Declaring
    evaluating: Evaluating
    ingestion: Ingestion

    # -- queries ------------------------------------------------------------------------------------------------------

    async def preview(self, caller: Caller, document: object) -> Preview:
        """
        Say who would be in an audience with a query, without keeping anything.

        Raises:
            ConfigurationError: the document is not right.
            BadQuery: its query is wrong, takes too long, or reads what has no snapshot.
            Changed: a dataset is not what it was when its snapshot was taken.
        """
        definition, _ = read(AudienceDefinition, document)
        if definition.kind != "sql" or definition.query is None:
            raise RequestError("a look ahead is for audiences of the kind `sql`")
        query, now = definition.query, self.clock.now()

        def work(tx: Transaction) -> list[Any]:
            audit.note(tx, caller.number, caller.actor, "preview", AUDIENCE, definition.name, now)
            return list(sources_of(tx, caller.number, query))

        sources = await self.store.write(work)
        return await asyncio.to_thread(self._preview, caller, definition, sources)

    def _preview(self, caller: Caller, definition: AudienceDefinition, sources: list[Any]) -> Preview:
        opened = {one.name: self.evaluating.datasets.open(caller.tenant, one.document, one.stored) for one in sources}
        return finding.preview(self.declaring.directory / "scratch", definition, opened)

    async def evaluate(self, caller: Caller, id_: str, *, anew: bool = False) -> Evaluation:
        """
        Ask for a run that finds out who is in an audience now.

        ``anew``: who was in it before is told by the documents of people, and not by the list that was kept.

        Raises:
            NotFound: it is not declared in this sandbox.
            Conflict: it has no query.
        """

        def work(tx: Transaction) -> Evaluation:
            number, definition = _declared(tx, caller, id_)
            if definition.kind != "sql":
                raise Conflict(f"the members of an audience of the kind `{definition.kind}` are told, not found out")
            now = self.clock.now()
            audit.note(tx, caller.number, caller.actor, "evaluate", AUDIENCE, id_, now)
            part: Part = "anew" if anew else "all"
            return asking.ask(tx, caller.number, number, "asked", caller.actor, now, part=part)

        return await self.store.write(work)

    async def decide(self, caller: Caller, id_: str, number: int, *, is_right: bool) -> Evaluation:
        """
        Confirm an evaluation that is held, so that it is taken in, or drop it.

        Raises:
            NotFound: there is none.
            Conflict: it is not held.
        """

        def work(tx: Transaction) -> Evaluation:
            audience, _ = _declared(tx, caller, id_)
            known = evaluations.get(tx, caller.number, audience, number)
            if known is None or known.state != "held":
                raise Conflict(f"the evaluation {number} is not held: there is nothing to decide")
            now, action = self.clock.now(), "confirm" if is_right else "drop"
            values: dict[str, Any] = {"state": "dropped", "ended_at": now}
            if is_right:
                subject = {"audience": audience, "evaluation": number}
                run = runs.ask(tx, caller.number, asking.EVALUATE, subject, caller.actor, now)
                values = {"state": "confirmed", "run": run.run, "reason": None}
            evaluations.change(tx, caller.number, audience, number, **values)
            audit.note(tx, caller.number, caller.actor, action, AUDIENCE, id_, now, details={"evaluation": number})
            found = evaluations.get(tx, caller.number, audience, number)
            assert found is not None
            return found

        return await self.store.write(work)

    # -- uploads ------------------------------------------------------------------------------------------------------

    async def upload(
        self,
        caller: Caller,
        id_: str,
        chunks: AsyncIterator[bytes],
        kind: FileKind | None,
        *,
        part: Part,
        valid_until: str | None,
    ) -> Evaluation:
        """
        Keep a file with members, and ask for a run that takes them in.

        Raises:
            NotFound: the audience is not declared in this sandbox.
            Conflict: its members do not come in files.
            RequestError: `validUntil` is none, or over; or the file is empty, or of no kind that is known (``None``).
            QuotaFull: the files of the sandbox have as many bytes as they may.
        """
        audience, definition = await self.store.read(lambda tx: _declared(tx, caller, id_))
        if definition.kind != "upload":
            raise Conflict(f"files are for audiences of the kind `upload`, and this one is `{definition.kind}`")
        if kind is None:
            raise RequestError("send the file with the Content-Type text/csv or application/vnd.apache.parquet")
        until = self._until(definition, valid_until)
        refuse_without_room(self.store)
        if self.ingestion.quotas is not None:
            await self.ingestion.quotas.admit_file(caller.number)
        name = f"upload-{uuid.uuid4()}.{kind}"
        file = self.declaring.directory_of(caller.number, audience) / name
        try:
            await _save(chunks, file)
            return await self.store.write(lambda tx: self._ask_for_upload(tx, caller, id_, name, part, until))
        except BaseException:
            file.unlink(missing_ok=True)
            raise

    def _ask_for_upload(
        self, tx: Transaction, caller: Caller, id_: str, name: str, part: Part, until: int
    ) -> Evaluation:
        number, _ = _declared(tx, caller, id_)
        now, said = self.clock.now(), {"part": part, "snapshots": ({"file": name},), "valid_until": until}
        audit.note(tx, caller.number, caller.actor, "upload", AUDIENCE, id_, now)
        return asking.ask(tx, caller.number, number, "upload", caller.actor, now, **said)

    def _until(self, definition: AudienceDefinition, said: str | None) -> int:
        now = self.clock.now()
        until = now + definition.days_valid * DAY if said is None else moment(said)
        if until is None or until <= now:
            raise RequestError("`validUntil` is a moment to come, in ISO 8601: 2027-03-01T00:00:00Z")
        return until

    # -- external systems ---------------------------------------------------------------------------------------------

    async def tell(self, caller: Caller, id_: str, body: object, key: str | None) -> Receipt:
        """
        Take in who comes into an external audience and who goes, each as if it had been sent of the person.

        Lines count those who come and then those who go, from 1. ``key`` as in ``Ingestion.take``.

        Raises:
            NotFound: the audience is not declared in this sandbox.
            Conflict: its members are not told by an external system.
            RequestError: the body names nobody, or too many.
        """
        _, definition = await self.store.read(lambda tx: _declared(tx, caller, id_))
        if definition.kind != "external":
            raise Conflict(f"members are told of audiences of the kind `external`, and this is `{definition.kind}`")
        came, went = _named(body)
        lines = [_patch(definition.space, id_, item, "realized") for item in came]
        lines += [_patch(definition.space, id_, item, "exited") for item in went]
        return await self.ingestion.take(caller, b"\n".join(lines), lines=True, patch=True, key=key)


def _declared(tx: Transaction, caller: Caller, id_: str) -> tuple[int, AudienceDefinition]:
    known = declared.existing(tx, caller, AUDIENCE, id_)
    (stored,) = audiences.find(tx, caller.number, id_, known.document["namespace"])
    return stored.audience, lenient(AudienceDefinition, known.document)


async def _save(chunks: AsyncIterator[bytes], file: Path) -> None:
    """Write what comes into a file, on the disk before anybody hears that it is there."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("xb") as opened:
        async for chunk in chunks:
            if chunk:
                await asyncio.to_thread(opened.write, chunk)
        if not opened.tell():
            raise RequestError("the body is empty: send the file as it is")
        opened.flush()
        await asyncio.to_thread(_sync, opened.fileno())


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _named(body: object) -> tuple[list[Any], list[Any]]:
    """Read who comes and who goes."""
    if not isinstance(body, dict) or not body.keys() <= {"add", "remove"} or not body:
        raise RequestError('say who comes and goes as {"add": [...], "remove": [...]}')
    came, went = body.get("add", []), body.get("remove", [])
    if not isinstance(came, list) or not isinstance(went, list) or not 0 < len(came) + len(went) <= MOST_NAMED:
        raise RequestError(f"`add` and `remove` are lists, with 1 to {MOST_NAMED} members in all")
    return came, went


def _patch(namespace: str, id_: str, item: Any, status: str) -> bytes:
    """Write a line as ``POST /ingest/profiles?mode=patch`` takes it; one that is wrong is rejected there."""
    membership = {"status": status}
    said = item if isinstance(item, dict) else {}
    if "validUntil" in said and status == "realized":
        membership["validUntil"] = said["validUntil"]
    whom: dict[str, Any] = {name: said[name] for name in ("profileId", "identityMap") if name in said}
    if "namespace" in said:
        whom = {"identityMap": {str(said["namespace"]): [{"id": said.get("id")}]}}
    return orjson.dumps({**whom, "patch": {MEMBERSHIPS: {namespace: {id_: membership}}}})
