"""
A Headrace that reaches its partner over a connection that fails, and what must hold whatever happens to it.

People have the numbered states of a journey, so the partner's record alone says what was told twice, out of order, or
was never true.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.faults import FaultProxy
from headrace.testkit.oracle import Truth, compare
from headrace.testkit.partner import Partner, Received
from support import InProcess, in_process

from .journey import (
    READERS,
    State,
    check_ids,
    check_nothing_was_made_up,
    check_nothing_went_backwards,
    expected_changes,
    history,
)

#: Waits that are short, and more of them than any fault here lasts.
SETTINGS = {"retry_steps": (0.05, 0.1, 0.2, *[0.3] * 80), "request_deadline": 0.6, "probe_after": 0.05}


@dataclass
class Crossing:
    """One example destination whose partner stands behind a proxy."""

    running: InProcess
    partner: Partner
    proxy: FaultProxy
    name: str
    dataflow: str
    truth: Truth = field(default_factory=Truth)
    sent: list[State] = field(default_factory=list)
    people: int = 0

    def next_history(self, people: int) -> tuple[list[State], list[State]]:
        """Return the first states of people who were not there yet, and what happens to them later."""
        states = history(people, self.people)
        self.people += people
        return states[:people], states[people:]

    def send(self, states: list[State]) -> None:
        """Send people's states; each is taken."""
        lines = [orjson.dumps(state) for state in states]
        receipt = self.running.api.ingest(b"\n".join(lines))
        assert (receipt.status, receipt.json["accepted"]) == (200, len(lines)), receipt.text
        self.truth.take(lines)
        self.sent += states

    def ledger(self) -> dict[str, int]:
        ledger: dict[str, int] = self.running.api.get(f"/dataflows/{self.dataflow}/ledger").json
        return ledger

    def parked(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.running.api.get(f"/dataflows/{self.dataflow}/parked?limit=1000").json[
            "items"
        ]
        return items

    def retried(self) -> int:
        """Count the messages that are to be sent again."""
        return self._counter("headrace_message_retried_total")

    def _counter(self, name: str) -> int:
        metrics = self.running.api.get("/metrics").text
        return sum(int(float(number)) for number in re.findall(rf"^{name}\b.* ([\d.]+)$", metrics, re.MULTILINE))

    def check_everything(self, *, may_park: bool = False) -> None:
        """Wait until nothing is pending, and hold what was sent, told and counted against each other."""
        ledger = self.running.wait_until_settled(self.dataflow)
        parts = ("delivered", "superseded", "withheld", "parked", "pending")
        assert ledger["accepted"] == sum(ledger[part] for part in parts)
        assert ledger["accepted"] == expected_changes(self.sent, counts_attributes=self.name == "moviestar")
        assert (ledger["withheld"], ledger["pending"]) == (0, 0)
        parked = self.parked()
        assert ledger["parked"] == 0 or may_park, parked
        received = list(self.partner.received)
        assert compare(self.name, self.truth, received, {change["profile"] for change in parked}) == []
        readable = [request for request in received if request.answered == 200]
        told = [(request, entry) for request in readable for entry in READERS[self.name](request)]
        check_nothing_was_made_up(told, self.sent, self.name)
        check_nothing_went_backwards(told)
        check_ids(received)
        self._check_repetitions(readable)
        assert self._counter("headrace_worker_failed_total") == 0

    def repeated(self) -> int:
        """Count the messages that the partner took more than once."""
        taken = Counter(request.body for request in self.partner.received if request.answered == 200)
        return sum(count - 1 for count in taken.values())

    def _check_repetitions(self, received: list[Received]) -> None:
        """What is told again comes under the id that it had, so that a partner that keeps ids sees it once."""
        ids: dict[bytes, set[str]] = {}
        for request in received:
            if "idempotency-key" in request.headers:
                ids.setdefault(request.body, set()).add(request.headers["idempotency-key"])
        assert [body for body, seen in ids.items() if len(seen) > 1] == []


@contextlib.contextmanager
def crossing(folder: Path, name: str = "moviestar", **settings: Any) -> Iterator[Crossing]:
    """Start a partner, a proxy before it and a Headrace, and connect an example destination."""
    with (
        Partner.in_thread(token=TOKEN, default=_read_or_refused) as partner,
        FaultProxy.in_thread(f"127.0.0.1:{partner.port}") as proxy,
        in_process(folder, egress_allow=proxy.origin, **{**SETTINGS, **settings}) as running,
    ):
        connected = connect(running.client, name, proxy)
        yield Crossing(running, partner, proxy, name, connected.dataflow)


def _read_or_refused(request: Received) -> int:
    """Refuse what is no JSON, as any partner does."""
    try:
        request.json()
    except orjson.JSONDecodeError:
        return 400
    return 200
