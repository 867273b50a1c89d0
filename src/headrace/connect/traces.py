"""
Traces of messages, sent by OTLP to where the operator's ``OTEL_`` variables say: the extra ``headrace[otel]``.

They are made of what is announced anyway, so that nothing is paid for where nobody asks for them. The id of a trace is
the id of its message, which the log and the partner have as well; what is tried again is in the same trace. A span has
ids, counts and classes of answers, and nothing of a person. Partners are sent no context.

The library dials by itself, past the one way out: to an address that whoever runs Headrace has set, as its database is.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from headrace import __version__
from headrace.events import Board, GroupRendered, GroupSettled, ProfilesIngested, RequestAnswered

#: The most messages under way of which steps are remembered.
MOST = 10_000
Attributes = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class _Step:
    """Something that was done for a message, in nanoseconds since 1970."""

    name: str
    began: int
    ended: int
    attributes: Attributes
    is_failed: bool = False


@dataclass(slots=True)
class _Message:
    steps: list[_Step] = field(default_factory=list)


class _Ids(RandomIdGenerator):
    """Gives the next trace the id that it is told."""

    wanted: int | None = None

    def generate_trace_id(self) -> int:
        wanted, self.wanted = self.wanted, None
        return wanted or super().generate_trace_id()


class Traces:
    """Makes spans of what it hears, and hands them to an exporter in a thread of the library's."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        self._ids = _Ids()
        resource = Resource.create({"service.name": "headrace", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer: Tracer = self._provider.get_tracer("headrace", __version__)  # type: ignore[assignment]
        self._messages: OrderedDict[str, _Message] = OrderedDict()

    def listen(self, board: Board) -> None:
        """Hear what is announced from now on."""
        board.hear(ProfilesIngested, self.accepted)
        board.hear(GroupRendered, self.rendered)
        board.hear(RequestAnswered, self.answered)
        board.hear(GroupSettled, self.settled)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def accepted(self, event: ProfilesIngested) -> None:
        ended = time.time_ns()
        counts = {"headrace.accepted": event.accepted, "headrace.rejected": event.rejected}
        attributes = {**counts, "headrace.changes": event.changes}
        step = _Step("accept", _before(ended, event.seconds), ended, attributes)
        self._write(step, None)

    def rendered(self, event: GroupRendered) -> None:
        ended = time.time_ns()
        step = _Step("render", _before(ended, event.seconds), ended, {"headrace.dataflow": event.dataflow})
        for message in event.messages:
            self._of(message).steps.append(step)

    def answered(self, event: RequestAnswered) -> None:
        ended = time.time_ns()
        attributes = {"headrace.dataflow": event.dataflow, "headrace.answer": event.answer}
        is_failed = event.answer != "2xx"
        step = _Step("request", _before(ended, event.seconds), ended, attributes, is_failed=is_failed)
        self._of(event.message).steps.append(step)

    def settled(self, event: GroupSettled) -> None:
        """Write the trace of each message of a group, now that it is known what became of it."""
        ended = time.time_ns()
        settle = _Step("settle", _before(ended, event.seconds), ended, {"headrace.dataflow": event.dataflow})
        for message, outcome in event.outcomes.items():
            known = self._messages.pop(message, None)
            if not message or known is None:
                continue  # Nothing was sent of it.
            attributes: Attributes = {
                "headrace.dataflow": event.dataflow,
                "headrace.message": message,
                "headrace.attempt": event.attempt,
                "headrace.outcome": outcome,
            }
            whole = _Step("deliver", event.claimed_at * 1_000_000, ended, attributes, is_failed=outcome != "delivered")
            steps = [*_claim(whole, known.steps), *known.steps, settle]
            self._write(whole, int(message, 16), steps)

    def _of(self, message: str) -> _Message:
        known = self._messages.setdefault(message, _Message())
        if len(self._messages) > MOST:
            self._messages.popitem(last=False)
        return known

    def _write(self, whole: _Step, trace: int | None, steps: list[_Step] | None = None) -> None:
        self._ids.wanted = trace
        span = self._begin(whole, None)
        for step in steps or ():
            _end(self._begin(step, span), step)
        _end(span, whole)

    def _begin(self, step: _Step, parent: object) -> Span:
        context = set_span_in_context(parent) if parent is not None else None  # type: ignore[arg-type]
        kind = SpanKind.CLIENT if step.name == "request" else SpanKind.INTERNAL
        began: Span = self._tracer.start_span(  # type: ignore[assignment]
            step.name, context=context, kind=kind, attributes=dict(step.attributes), start_time=step.began
        )
        return began


def _end(span: Span, step: _Step) -> None:
    if step.is_failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end(step.ended)


def _claim(whole: _Step, steps: list[_Step]) -> Iterator[_Step]:
    """Yield the time between claiming a group and the first thing that was done with it."""
    if steps:
        yield _Step("claim", whole.began, max(whole.began, steps[0].began), {})


def _before(ended: int, seconds: float) -> int:
    return ended - int(seconds * 1_000_000_000)
