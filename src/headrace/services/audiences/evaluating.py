"""
Evaluation: who is in an audience is found out, and who came and who went is taken in as if it had been sent.

The new list of members is written whole before anything is taken in. What is taken in goes part by part, each in one
transaction with how far that has come, so that whoever dies, nobody is left out and nobody is told twice. Where very
many would leave, nothing is taken in until somebody has confirmed it.
"""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.clock import Clock, iso
from headrace.crashpoints import crashpoint
from headrace.datasets import members, removal
from headrace.datasets.engine import BadQuery
from headrace.datasets.members import ENTERED, KEY, LEFT, LIST, Before
from headrace.datasets.query import tables_of
from headrace.datasets.snapshot import Snapshot
from headrace.errors import Conflict, HeadraceError
from headrace.events import Announce, ProfilesIngested
from headrace.model.audience import AudienceDefinition
from headrace.model.record import MEMBERSHIPS, Record, whom_of
from headrace.services.audiences import anew, asking, finding
from headrace.services.audiences.anew import KNOWN
from headrace.services.audiences.declaring import Declaring, datasets_named
from headrace.services.audiences.finding import Rejects
from headrace.services.checks import lenient
from headrace.services.datasets import Datasets, document_of, ready
from headrace.services.erased import CODE, REASON, Sieve
from headrace.services.exports import due
from headrace.services.in_use import AUDIENCE
from headrace.services.ingestion import Ingestion, Receipt, Refused
from headrace.services.steps import HeldSteps, patiently
from headrace.store import access, audiences, documents, evaluations
from headrace.store.access import Tenant
from headrace.store.audiences import StoredAudience
from headrace.store.database import Transaction
from headrace.store.dataset_snapshots import StoredSnapshot
from headrace.store.evaluations import Evaluation
from headrace.store.runs import Run

#: Members that are taken in in one transaction, and how long to rest after each, as a share of what it took.
AT_ONCE = 500
REST = 1.0
LONGEST_REST = 1.0
#: So many may leave an audience at once, whatever its size.
ALWAYS_LEAVE = 100
#: Evaluations before one that was taken in of which files may have been left.
_OLDER = 100
#: What is said of a member who was erased after the list was made.
_ERASED = {"file": "list", "line": 0, "code": CODE, "reason": REASON}


@dataclass(frozen=True, slots=True)
class Subject:
    """What an evaluation is about."""

    tenant: Tenant
    audience: StoredAudience
    definition: AudienceDefinition
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class _Source:
    """A snapshot that a query reads, by the name that the query has for it."""

    name: str
    document: dict[str, Any]
    stored: StoredSnapshot


@dataclass(frozen=True, slots=True)
class _Part:
    """Some who came or went, and how many rows of the list that is: those of who was erased since are empty."""

    records: list[Record]
    rows: int


@dataclass(frozen=True, slots=True)
class Evaluating:
    """What is done for runs that evaluate audiences."""

    declaring: Declaring
    datasets: Datasets
    ingestion: Ingestion
    announce: Announce

    @property
    def clock(self) -> Clock:
        """The clock."""
        return self.datasets.clock

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Evaluate an audience, or go on with it.

        Raises:
            HeadraceError: it could not be evaluated; nothing was changed, or what was is in the history.
        """
        subject = await self._begin(run, steps)
        try:
            await steps.step("find", lambda: self._find(subject, steps))
            subject = await self._read(subject)
            if await self._is_held(subject, steps):
                return
            await steps.step("take", lambda: self._take(subject, steps))
            await steps.step("end", lambda: self._end(subject, steps))
        except HeadraceError as error:
            reason = error.message
            await self._note(subject, steps, state="failed", reason=reason, ended_at=self.clock.now())
            raise

    # -- beginning ----------------------------------------------------------------------------------------------------

    async def _begin(self, run: Run, steps: HeldSteps) -> Subject:
        """Return what a run is about; one that a schedule asked for gets its evaluation now."""
        now, audience = self.clock.now(), int(run.subject["audience"])

        def work(tx: Transaction) -> Subject:
            steps.hold(tx)
            known = _evaluation_of(tx, run, audience)
            if known is None:
                number = evaluations.next_number(tx, run.tenant, audience)
                known = asking.add(tx, run.tenant, audience, number, run, "schedule", now)
            applied = evaluations.last_applied(tx, run.tenant, audience) or 0
            if applied >= known.evaluation and known.state != "applied":
                raise Conflict("a newer evaluation was taken in since: evaluate the audience again")
            state = "finding" if known.state in ("asked", "failed") else known.state
            began = known.began_at or now
            values = {"state": state, "began_at": began, "run": run.run, "reason": None}
            evaluations.change(tx, run.tenant, audience, known.evaluation, **values)
            _drop_older(tx, run.tenant, known, now)
            return self._subject(tx, run.tenant, audience, known.evaluation)

        return await patiently(lambda: self.datasets.store.write(work))

    def _subject(self, tx: Transaction, tenant: int, audience: int, number: int) -> Subject:
        stored = audiences.get(tx, tenant, audience)
        evaluation = evaluations.get(tx, tenant, audience, number)
        if stored is None or evaluation is None:
            raise Conflict("the audience was deleted")
        version = documents.version(tx, tenant, AUDIENCE, stored.id, evaluation.version)
        assert version is not None
        assert version.document is not None
        return Subject(access.tenant_of(tx, tenant), stored, lenient(AudienceDefinition, version.document), evaluation)

    async def _read(self, subject: Subject) -> Subject:
        audience, number = subject.audience.audience, subject.evaluation.evaluation
        tenant = subject.tenant.tenant
        return await patiently(lambda: self.datasets.store.read(lambda tx: self._subject(tx, tenant, audience, number)))

    # -- finding out --------------------------------------------------------------------------------------------------

    async def _find(self, subject: Subject, steps: HeldSteps) -> None:
        """Write the new list of members, if it is not there yet, and note what is different."""
        place = self._place(subject, subject.evaluation.evaluation)
        before, sources = await patiently(
            lambda: self.datasets.store.read(lambda tx: (self._before(tx, subject), self._sources(tx, subject)))
        )
        rejects: Rejects | None = None
        if not place.is_dir():
            known = await self._gathered(subject, place) if subject.evaluation.part == "anew" else None
            rejects = await asyncio.to_thread(self._write_list, subject, place, before, sources, known)
        await asyncio.to_thread(self._forget_what_is_over, subject, place)
        crashpoint("after_audience_list")
        found = await asyncio.to_thread(members.measured, place)
        values: dict[str, Any] = {} if rejects is None else {"rejected": rejects.count, "rejects": rejects.listed}
        was = members.measured(before.list.parent).members if before.list is not None else 0
        if subject.definition.kind == "sql":
            read = [{"dataset": one.stored.dataset, "snapshot": one.stored.number} for one in sources]
            values["snapshots"] = read
        counts = {"members_before": was, "members_after": found.members, "entered": found.entered, "left": found.left}
        await self._note(subject, steps, **counts, **values)

    async def _gathered(self, subject: Subject, place: Path) -> Path:
        return await anew.gather(
            self.datasets.store, subject.tenant.tenant, subject.audience, place.with_suffix(".known")
        )

    def _write_list(
        self, subject: Subject, place: Path, before: Before, sources: list[_Source], known: Path | None
    ) -> Rejects:
        beside = place.with_suffix(".new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True, mode=0o700)
        if known is not None:
            before = Before(anew.list_of(known, beside / KNOWN))
        anew.refuse_lost(before)
        raw, rejects = self._written(subject, beside, sources)
        is_upload = subject.definition.kind == "upload"
        replace = subject.evaluation.part != "more"
        finding.compare(raw, beside, before, replace=replace, refresh=is_upload)
        members.keep(beside, place)
        return rejects

    def _written(self, subject: Subject, beside: Path, sources: list[_Source]) -> tuple[Path, Rejects]:
        if subject.definition.kind == "upload":
            (upload,) = subject.evaluation.snapshots
            file = self.declaring.directory_of(subject.tenant.tenant, subject.audience.audience) / upload["file"]
            if not file.exists():
                raise Conflict(
                    "the file that was uploaded was removed since, because somebody was erased: upload it again"
                )
            return finding.find_in_file(beside, subject.definition, file, self._sieve(subject))
        tables = {one.name: self._opened(subject.tenant, one) for one in sources}
        return finding.find_by_query(beside / "scratch", beside, subject.definition, tables, self._sieve(subject))

    def _sieve(self, subject: Subject) -> Sieve | None:
        erased = self.ingestion.erased
        return erased.sieve(self.datasets.store, subject.tenant.tenant) if erased is not None else None

    def _forget_what_is_over(self, subject: Subject, place: Path) -> None:
        """
        Remove the file that a list was made of, and from the list whoever was erased meanwhile.

        Erasures look for lists after they have kept somebody out, and this looks who is kept out when the list is
        there: one of the two finds everybody.
        """
        if subject.definition.kind == "upload":
            self._remove_uploads(subject, [subject.evaluation])
        sieve = self._sieve(subject)
        if sieve is not None:
            removal.remove(place, sieve)

    def _opened(self, tenant: Tenant, source: _Source) -> Snapshot:
        return self.datasets.open(tenant, source.document, source.stored)

    def _sources(self, tx: Transaction, subject: Subject) -> list[_Source]:
        if subject.definition.query is None:
            return []
        return sources_of(tx, subject.tenant.tenant, subject.definition.query)

    def _before(self, tx: Transaction, subject: Subject) -> Before:
        tenant, audience = subject.tenant.tenant, subject.audience.audience
        if subject.evaluation.part == "anew":
            return Before(self._place(subject, subject.evaluation.evaluation) / KNOWN / LIST)
        applied = evaluations.last_applied(tx, tenant, audience)
        begun = evaluations.begun_since(tx, tenant, audience, applied or 0, subject.evaluation.evaluation)
        last = self._place(subject, applied) / LIST if applied is not None else None
        return Before(last, tuple(self._place(subject, number) for number in begun))

    # -- taking in ----------------------------------------------------------------------------------------------------

    async def _is_held(self, subject: Subject, steps: HeldSteps) -> bool:
        """Hold an evaluation by which more would leave than may without somebody's word."""
        evaluation = subject.evaluation
        left, was = evaluation.left or 0, evaluation.members_before or 0
        is_large = left > ALWAYS_LEAVE and left * 100 > was * subject.definition.largest_removal
        if not is_large or evaluation.state != "finding":
            return evaluation.state == "held"
        reason = (
            f"{left} of {was} members would leave, more than {subject.definition.largest_removal} %: confirm it, if "
            "that is right"
        )
        await self._note(subject, steps, state="held", reason=reason)
        return True

    async def _take(self, subject: Subject, steps: HeldSteps) -> None:
        evaluation = subject.evaluation
        await self._note(subject, steps, state="taking", reason=None)
        total = (evaluation.entered or 0) + (evaluation.left or 0)
        done = evaluation.done
        parts = self._parts(subject, done)
        while part := await asyncio.to_thread(next, parts, None):
            began = self.clock.monotonic()
            done += part.rows
            await self._take_part(subject, steps, part, done, total)
            await asyncio.sleep(min(LONGEST_REST, (self.clock.monotonic() - began) * REST))

    async def _take_part(self, subject: Subject, steps: HeldSteps, part: _Part, done: int, total: int) -> None:
        """Take a part in, and note in the same transaction that it is."""
        receipt, evaluation = Receipt(), subject.evaluation
        which = (subject.tenant.tenant, evaluation.audience, evaluation.evaluation)
        emptied = part.rows - len(part.records)

        def also(tx: Transaction, refused: Refused) -> None:
            steps.note_in(tx, done=done, rows=total)
            evaluations.reject(tx, *which, [_ERASED] * (emptied + len(refused)), finding.MOST_LISTED)
            evaluations.change(tx, *which, done=done)

        await patiently(lambda: self.ingestion.take_part(subject.tenant.tenant, part.records, receipt, also))
        crashpoint("after_audience_part")
        accepted, rejected = receipt.accepted, emptied + len(receipt.rejected)
        self.announce(ProfilesIngested(accepted=accepted, rejected=rejected, changes=receipt.changes))

    def _parts(self, subject: Subject, done: int) -> Iterator[_Part]:
        """Yield who came and who went, from a place on, always in the same order and with as many rows."""
        evaluation, place = subject.evaluation, self._place(subject, subject.evaluation.evaluation)
        came = {"status": "realized", "lastQualificationTime": iso(evaluation.began_at or 0)}
        if evaluation.valid_until is not None:
            came["validUntil"] = iso(evaluation.valid_until)
        went = {"status": "exited", "lastQualificationTime": iso(evaluation.began_at or 0)}
        entered = evaluation.entered or 0
        for name, start, said in ((ENTERED, done, came), (LEFT, max(0, done - entered), went)):
            for rows in members.read(place, name, start, AT_ONCE):
                there = [row[KEY] for row in rows if row[KEY] is not None]
                yield _Part([_record(subject.audience, key, said) for key in there], len(rows))

    async def _end(self, subject: Subject, steps: HeldSteps) -> None:
        """Note that all is taken in, and remove what nobody needs any more."""
        await self._note(subject, steps, state="applied", reason=None, ended_at=self.clock.now())
        tenant, audience, number = subject.tenant.tenant, subject.audience.audience, subject.evaluation.evaluation
        older = await patiently(
            lambda: self.datasets.store.read(lambda tx: evaluations.latest(tx, tenant, audience, _OLDER, number))
        )
        await asyncio.to_thread(self._tidy, subject, older)

    def _tidy(self, subject: Subject, older: list[Evaluation]) -> None:
        number = subject.evaluation.evaluation
        directory = self.declaring.directory_of(subject.tenant.tenant, subject.audience.audience)
        for path in directory.iterdir():
            if path.is_dir() and path.stem.isdigit() and int(path.stem) < number:
                shutil.rmtree(path, ignore_errors=True)
        self._remove_uploads(subject, older)

    def _remove_uploads(self, subject: Subject, of: list[Evaluation]) -> None:
        directory = self.declaring.directory_of(subject.tenant.tenant, subject.audience.audience)
        for file in (item["file"] for evaluation in of for item in evaluation.snapshots if "file" in item):
            (directory / file).unlink(missing_ok=True)

    # -- what all need ------------------------------------------------------------------------------------------------

    def _place(self, subject: Subject, number: int) -> Path:
        return self.declaring.directory_of(subject.tenant.tenant, subject.audience.audience) / str(number)

    async def _note(self, subject: Subject, steps: HeldSteps, **values: Any) -> None:
        evaluation = subject.evaluation

        def work(tx: Transaction) -> None:
            steps.hold(tx)
            evaluations.change(tx, subject.tenant.tenant, evaluation.audience, evaluation.evaluation, **values)
            if values.get("state") == "applied":
                due.after_evaluation(tx, subject.tenant.tenant, evaluation.audience, self.clock.now())

        await patiently(lambda: self.datasets.store.write(work))


def sources_of(tx: Transaction, tenant: int, query: str) -> list[_Source]:
    """
    Return the newest snapshots of the datasets that a query reads.

    Raises:
        BadQuery: one is not there, or has no snapshot that is ready.
    """
    found = []
    for name, dataset in datasets_named(tx, tenant, tables_of(query)).items():
        stored = ready(tx, tenant, dataset)
        if stored is None:
            raise BadQuery(f"the dataset {name[:80]!r} has no snapshot that is ready: take one")
        found.append(_Source(name, document_of(tx, tenant, stored), stored))
    return found


def _record(audience: StoredAudience, key: str, membership: dict[str, str]) -> Record:
    return Record(0, key, {MEMBERSHIPS: {audience.namespace: {audience.id: dict(membership)}}}, whom_of(key))


def _evaluation_of(tx: Transaction, run: Run, audience: int) -> Evaluation | None:
    if "evaluation" in run.subject:
        known = evaluations.get(tx, run.tenant, audience, int(run.subject["evaluation"]))
        if known is None:
            raise Conflict("the audience was deleted")
        return known
    return evaluations.of_run(tx, run.tenant, audience, run.run)


def _drop_older(tx: Transaction, tenant: int, evaluation: Evaluation, now: int) -> None:
    """Confirm nothing any more that is older than what is found out now."""
    for older in evaluations.latest(tx, tenant, evaluation.audience, 100, evaluation.evaluation):
        if older.state == "held":
            values = {"state": "dropped", "reason": "a newer evaluation took its place", "ended_at": now}
            evaluations.change(tx, tenant, older.audience, older.evaluation, **values)
