"""
What operators see is named once: an event is the log line and the metrics.

A class is one kind of event. Its docstring is the help text of its metrics; how often it happens is the counter
``headrace_<event>_total``. Its numeric fields listed in ``counts`` become the counters
``headrace_<event>_<field>_total``, those in ``observes`` the histograms ``headrace_<event>_<field>``, all labelled with
the fields listed in ``labels``: ids, and words of which there are few. Never a person, an address or a secret.
"""

import logging
import os
import queue
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TextIO, TypeVar, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest

from headrace.errors import HeadraceError
from headrace.meters import Described, Meter, Meters

#: Bounds of the histograms, in seconds: how long changes wait, how long work on one message takes.
WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
WORK = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: How long an export takes.
EXPORTS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 9000.0, 21600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened. What has the level ``debug`` is counted, and not logged."""

    level: ClassVar[str] = "info"
    counts: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = ()
    observes: ClassVar[Mapping[str, tuple[float, ...]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """Headrace started."""

    url: str
    data_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted(Event):
    """A process that delivers started, beside others."""

    process: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesIngested(Event):
    """Profiles were taken in."""

    level: ClassVar[str] = "debug"
    counts: ClassVar[tuple[str, ...]] = ("accepted", "rejected", "changes")

    accepted: int
    rejected: int
    changes: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDelivered(Event):
    """The partner took a message; its oldest change had waited for so many seconds since it was accepted."""

    level: ClassVar[str] = "debug"
    counts: ClassVar[tuple[str, ...]] = ("entries",)
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)
    observes: ClassVar[Mapping[str, tuple[float, ...]]] = {"waited_seconds": WAITS}

    dataflow: str
    entries: int
    message: str
    waited_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswered(Event):
    """A request with a message has come to an end, after so many seconds, in an answer of this class or without one."""

    level: ClassVar[str] = "debug"
    labels: ClassVar[tuple[str, ...]] = ("dataflow", "answer")
    observes: ClassVar[Mapping[str, tuple[float, ...]]] = {"seconds": WORK}

    dataflow: str
    answer: str
    message: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRendered(Event):
    """A group was rendered, which took so many seconds with the wait for a free process."""

    level: ClassVar[str] = "debug"
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)
    observes: ClassVar[Mapping[str, tuple[float, ...]]] = {"seconds": WORK}

    dataflow: str
    messages: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettled(Event):
    """What became of a group was written down, which took so many seconds; it was claimed at that moment."""

    level: ClassVar[str] = "debug"
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)
    observes: ClassVar[Mapping[str, tuple[float, ...]]] = {"seconds": WORK}

    dataflow: str
    outcomes: Mapping[str, str]
    attempt: int
    entries: int
    claimed_at: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRetried(Event):
    """A message was not taken and will be tried again."""

    level: ClassVar[str] = "warning"
    counts: ClassVar[tuple[str, ...]] = ("entries",)
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)

    dataflow: str
    entries: int
    message: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSplit(Event):
    """The partner refused a message for something in it; its halves are sent as messages of their own."""

    level: ClassVar[str] = "warning"
    counts: ClassVar[tuple[str, ...]] = ("entries",)
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)

    dataflow: str
    entries: int
    message: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerUnread(Event):
    """A partner's answer does not tell of single entries as its author declares."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)

    dataflow: str
    message: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesParked(Event):
    """Changes were laid aside with the reason, to be mended and replayed."""

    level: ClassVar[str] = "warning"
    counts: ClassVar[tuple[str, ...]] = ("entries",)
    labels: ClassVar[tuple[str, ...]] = ("dataflow", "code")

    dataflow: str
    entries: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesLeftOut(Event):
    """Mapped values of people were left out of messages, for they cannot be sent."""

    level: ClassVar[str] = "debug"
    counts: ClassVar[tuple[str, ...]] = ("values",)
    labels: ClassVar[tuple[str, ...]] = ("dataflow", "target", "reason")

    dataflow: str
    target: str
    reason: str
    values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataflowHeld(Event):
    """A dataflow was stopped because everything it sent was refused; its changes wait."""

    level: ClassVar[str] = "error"
    counts: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)

    dataflow: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataflowStopped(Event):
    """A dataflow cannot go on, for a key or a secret cannot be had; its changes wait, and it is tried again."""

    level: ClassVar[str] = "error"
    labels: ClassVar[tuple[str, ...]] = ("dataflow",)

    dataflow: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataflowWaits(Event):
    """A dataflow waits for its account, which is not signed in; where that was until now, account_stopped says so."""

    labels: ClassVar[tuple[str, ...]] = ("dataflow",)

    dataflow: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStopped(Event):
    """An account is signed in no longer, and what is sent with it waits until somebody has mended it."""

    level: ClassVar[str] = "error"
    labels: ClassVar[tuple[str, ...]] = ("account",)

    account: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecovered(Event):
    """An account is signed in again, or is tried again, and what waited for it goes on."""

    labels: ClassVar[tuple[str, ...]] = ("account",)

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerSlowed(Event):
    """A partner has too much to do: fewer requests leave for an account, and none for so many seconds."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("account",)

    account: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerDown(Event):
    """Requests of an account keep failing, and but for a probe now and then it is left alone; its changes wait."""

    level: ClassVar[str] = "error"
    labels: ClassVar[tuple[str, ...]] = ("account",)

    account: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerBack(Event):
    """A partner that was down answers again, and an account goes on, slowly at first."""

    labels: ClassVar[tuple[str, ...]] = ("account",)

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInFailed(Event):
    """Somebody came back from the partner's page, and was not signed in."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("account",)

    account: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewed(Event):
    """The partner gave an account a new token."""

    level: ClassVar[str] = "debug"
    labels: ClassVar[tuple[str, ...]] = ("account",)

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerUnreached(Event):
    """A partner was not reached. Whoever asked for the call is not told this reason."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("noun",)

    noun: str
    id: str
    actor: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed(Event):
    """A request to the REST API failed by our fault."""

    level: ClassVar[str] = "error"

    method: str
    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingRefused(Event):
    """A request to read from a landing zone was refused, with this code."""

    level: ClassVar[str] = "debug"
    labels: ClassVar[tuple[str, ...]] = ("code",)

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFailed(Event):
    """A step of the worker failed by our fault and is tried again."""

    level: ClassVar[str] = "error"
    labels: ClassVar[tuple[str, ...]] = ("step",)

    step: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGone(Event):
    """A process was not heard of any more; what it had claimed is free."""

    level: ClassVar[str] = "warning"

    process: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupEnded(Event):
    """A backup was taken, and sent to whoever asked."""

    counts: ClassVar[tuple[str, ...]] = ("bytes",)

    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFailed(Event):
    """A backup could not be read or sent to its end: it is none."""

    level: ClassVar[str] = "error"

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureLogFailed(Event):
    """The record of erasures could not be written; it is written with the next, or at the next start."""

    level: ClassVar[str] = "error"

    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaReached(Event):
    """A sandbox has as much as it may: more is refused, or waits. Told once a minute."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("quota",)

    quota: str
    sandbox: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceIsShort(Event):
    """The disk is full: the reserve was given up, and nothing is taken in until there is room."""

    level: ClassVar[str] = "error"

    data_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceIsBack(Event):
    """There is room on the disk again: the reserve was made, and profiles are taken in."""

    data_dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan(Event):
    """A run was begun."""

    labels: ClassVar[tuple[str, ...]] = ("kind",)

    kind: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTakenOver(Event):
    """A run that a dead process left is gone on with."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("kind",)

    kind: str
    run: str
    left_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """A run succeeded or was cancelled."""

    labels: ClassVar[tuple[str, ...]] = ("kind", "state")

    kind: str
    run: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(Event):
    """A run failed."""

    level: ClassVar[str] = "error"
    labels: ClassVar[tuple[str, ...]] = ("kind",)

    kind: str
    run: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPublished(Event):
    """Files of an export were published."""

    labels: ClassVar[tuple[str, ...]] = ("dataflow",)
    counts: ClassVar[tuple[str, ...]] = ("rows", "bytes", "files")
    observes: ClassVar[Mapping[str, tuple[float, ...]]] = {"seconds": EXPORTS}

    dataflow: str
    run: str
    rows: int
    bytes: int
    files: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised(Event):
    """Something is wrong that people can be told of."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("alert",)

    alert: str
    about: str
    threshold: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecovered(Event):
    """What an alert was raised for is over."""

    labels: ClassVar[tuple[str, ...]] = ("alert",)

    alert: str
    about: str
    threshold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryComplained(Event):
    """A library that we stand on has logged a warning or an error."""

    level: ClassVar[str] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("logger",)

    logger: str
    text: str
    error: str


_STANDARD_ERROR = 2
E = TypeVar("E", bound=Event)

#: How a part of the product says that something happened.
Announce = Callable[[Event], None]


def name_of(event: type[Event]) -> str:
    """Return the stable name of a kind of event: ``MessageDelivered`` is ``message_delivered``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()


def meter_of(kind: type[Event]) -> Meter:
    """Make the meter of a kind of event."""
    text = " ".join((kind.__doc__ or "").split())
    return Meter(f"headrace_{name_of(kind)}", text, kind.labels, kind.counts, kind.observes)


def described() -> Iterator[Described]:
    """Yield every metric that an event declares."""
    for kind in sorted(Event.__subclasses__(), key=name_of):
        yield from meter_of(kind).describe()


def told(error: BaseException) -> str:
    """
    Say what an error is. One that nobody has foreseen is told by its kind and where it came from, never by its text:
    that may quote what it was about, a secret or a person.
    """
    if isinstance(error, HeadraceError):
        return f"{type(error).__name__}: {error.message}"
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    way = " > ".join(f"{Path(frame.filename).stem}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {way}" if way else type(error).__name__


class Board:
    """
    Announces events: writes the log line and raises the counters. One for a process.

    ``redact`` takes out of texts what must not be in a log, whatever led there.
    """

    def __init__(self, log_format: str = "text", redact: Callable[[str], str] = str) -> None:
        self._redact = redact
        self.metrics = CollectorRegistry()
        dropped = Counter("headrace_log_lines_dropped", "Log lines that nobody took.", registry=self.metrics)
        self._lines = Lines(dropped.inc)
        self._log = _logger(log_format, self._lines)
        self._meters: dict[type[Event], Meter] = {}
        self._heard: dict[type[Event], list[Callable[[Any], None]]] = {}
        self._metered = Meters()
        self.metrics.register(self._metered)
        ProcessCollector("headrace", registry=self.metrics)

    def __call__(self, event: Event) -> None:
        kind = type(event)
        (self._meters.get(kind) or self._new_meter(kind)).take(event)
        if kind.level != "debug":  # None of these is written, and there is one for every message.
            self._write(kind, event)
        for hear in self._heard.get(kind, ()):
            hear(event)

    def hear(self, kind: type[E], hear: Callable[[E], None]) -> None:
        """Call a function with every event of a kind, on the way of whoever announces it: it has to be quick."""
        self._heard.setdefault(kind, []).append(hear)

    def _write(self, kind: type[Event], event: Event) -> None:
        shown = {name: self._shown(event, name) for name in (field.name for field in fields(event))}
        getattr(self._log, event.level)(name_of(kind), **shown)

    def _shown(self, event: Event, name: str) -> object:
        value = getattr(event, name)
        return self._redact(value) if isinstance(value, str) else value

    def close(self) -> None:
        """Write what is left of the log, for as long as somebody takes it."""
        self._lines.close()

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.metrics)

    def _new_meter(self, kind: type[Event]) -> Meter:
        return self._meters.setdefault(kind, self._metered.add(meter_of(kind)))


class Libraries(logging.Handler):
    """Announces what libraries log: the first line of each, and of an exception no more than ``told`` tells."""

    def __init__(self, announce: Announce) -> None:
        super().__init__(logging.WARNING)
        self._announce = announce

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = record.getMessage().strip().partition("\n")[0]
        self._announce(LibraryComplained(logger=record.name, text=text, error=told(error) if error is not None else ""))


class Lines:
    """
    Log lines on their way out, written by a thread of their own.

    Whoever announces never waits for whoever reads the log: when the pipe is full, lines are dropped and counted.
    """

    MOST = 10_000

    def __init__(self, dropped: Callable[[], None]) -> None:
        self._dropped = dropped
        self._waiting: queue.Queue[str | None] = queue.Queue(self.MOST)
        self._writer = threading.Thread(target=self._write_all, name="log-writer", daemon=True)
        self._writer.start()

    def write(self, text: str) -> None:
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            self._dropped()

    def flush(self) -> None:
        """Nothing: the writer flushes."""

    def close(self, seconds: float = 1.0) -> None:
        """Give the writer its time to finish."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._writer.join(seconds)

    def _write_all(self) -> None:
        while (text := self._waiting.get()) is not None:
            try:
                _write_whole(_STANDARD_ERROR, text.encode())
            except OSError:
                self._dropped()


def _write_whole(descriptor: int, content: bytes) -> None:
    """Write past Python's buffer, which would fail once more when the process ends."""
    while content:
        content = content[os.write(descriptor, content) :]


def _logger(log_format: str, lines: Lines) -> structlog.typing.FilteringBoundLogger:
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(cast(TextIO, lines)),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    return logger
