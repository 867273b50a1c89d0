"""
A run with faults: profiles come at a steady rate while the way to the partner fails in every manner and the server is
killed, again and again. In the end nothing may be lost, and the plot shows what happened on the way.

One `headrace serve`, a partner that judges (its record is held against what was sent), and a proxy that spoils the
connection. Prints figures, and draws the rates and the backlog over time.

    python benchmarks/endurance.py [--seconds 600] [--rate 200] [--plot docs/evidence/endurance.svg]
"""

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import orjson

from headrace.cli.client import Client, wait_for_server
from headrace.cli.demo import TOKEN, connect
from headrace.errors import HeadraceError
from headrace.testkit.faults import FaultProxy
from headrace.testkit.faults.kinds import read
from headrace.testkit.oracle import Truth, compare
from headrace.testkit.partner import Answer, Partner
from headrace.testkit.profiles import AUDIENCES, generate

#: Lately, for what is said of audiences that others keep ends after a month.
FIRST = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
EACH = 25
STEPS = "0.5,1,2,3,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5"


@dataclass(frozen=True)
class Phase:
    """Something that is wrong from one part of the run to another: on the connection, or with the partner's answers."""

    begins: float
    ends: float
    name: str
    fault: str = ""
    statuses: tuple[int, ...] = ()


PHASES = (
    Phase(0.05, 0.12, "latency", "back.latency seconds=0.3"),
    Phase(0.14, 0.20, "429", statuses=(429, 429, 200)),
    Phase(0.22, 0.27, "reset", "both.reset after=1500"),
    Phase(0.30, 0.35, "black hole", "back.blackhole after=0"),
    Phase(0.38, 0.44, "503 and 500", statuses=(503, 500, 200)),
    Phase(0.47, 0.53, "garbage", "back.garbage after=100"),
    Phase(0.56, 0.61, "slow", "back.bandwidth rate=2000"),
    Phase(0.72, 0.84, "down", "refuse"),
)
KILLED = (0.16, 0.33, 0.64, 0.67, 0.78)


@dataclass
class Sample:
    """What had become of changes at a moment, in seconds from the beginning."""

    at: float
    accepted: int
    delivered: int
    pending: int


@dataclass
class Run:
    """What was sent, and what was seen."""

    truth: Truth = field(default_factory=Truth)
    samples: list[Sample] = field(default_factory=list)
    killed: list[float] = field(default_factory=list)
    refused: int = 0


class Scripted:
    """The partner's answers: those of the phase that the run is in."""

    def __init__(self) -> None:
        self.statuses: tuple[int, ...] = ()
        self._turn = itertools.count()

    def __call__(self, _received: object) -> Answer:
        statuses = self.statuses
        status = statuses[next(self._turn) % len(statuses)] if statuses else 200
        return Answer(status, (("Retry-After", "1"),) if status == 429 else ())


def main() -> None:
    """Run, judge, and draw."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=600)
    arguments.add_argument("--rate", type=int, default=200)
    arguments.add_argument("--people", type=int, default=5000)
    arguments.add_argument("--plot", type=Path, default=Path("endurance.svg"))
    given = arguments.parse_args()
    scripted = Scripted()
    with (
        tempfile.TemporaryDirectory(prefix="headrace-endurance-") as directory,
        Partner.in_thread(token=TOKEN, default=scripted) as partner,
        FaultProxy.in_thread(partner.origin.removeprefix("http://")) as proxy,
    ):
        folder, run = Path(directory), Run()
        server = Server(folder, proxy.origin)
        dataflow = connect(server.client, "lighthouse", proxy).dataflow  # type: ignore[arg-type]
        worker = threading.Thread(target=feed, args=(server, run, given))
        worker.start()
        watch(server, run, proxy, scripted, dataflow, given)
        worker.join()
        told(server, run, partner, dataflow)
        server.end()
    given.plot.parent.mkdir(parents=True, exist_ok=True)
    given.plot.write_text(drawn(run, given.seconds))
    print(f"plot: {given.plot}")


class Server:
    """Headrace in a process of its own, which may be killed and comes back on the same port."""

    def __init__(self, folder: Path, partner: str) -> None:
        self._folder = folder
        self._settings = {
            "HEADRACE_KEY_FILE": str(folder / "master.key"),
            "HEADRACE_EGRESS_ALLOW": partner,
            "HEADRACE_RETRY_STEPS": STEPS,
            "HEADRACE_REQUEST_DEADLINE": "3",
        }
        self._begin("0")
        url: str = orjson.loads((folder / "data" / "credentials.json").read_bytes())["url"]
        self._port = url.rpartition(":")[2]

    def _begin(self, port: str) -> None:
        command = [sys.executable, "-m", "headrace", "serve", "--port", port, "--data-dir", str(self._folder / "data")]
        environment = {**os.environ, **self._settings}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        self.client = wait_for_server(self._folder / "data" / "credentials.json")

    def kill(self) -> None:
        """Kill it, and start it again."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._begin(self._port)

    def another_client(self) -> Client:
        """Return a client for another thread, as soon as the server answers."""
        return wait_for_server(self._folder / "data" / "credentials.json")

    def end(self) -> None:
        """Have it end well."""
        self._process.terminate()
        self._process.wait()


def feed(server: Server, run: Run, given: argparse.Namespace) -> None:
    """Send profiles at a steady rate; each request has a key, and is sent until it is answered."""
    luck, people = random.Random(7), list(generate(given.people, seed=7))
    client = server.another_client()
    began = time.monotonic()
    for number in range(given.seconds * given.rate // EACH):
        lines = [moved(luck.choice(people), number, luck) for _ in range(EACH)]
        while not taken(client, b"\n".join(lines), f"request-{number}"):
            run.refused += 1
            time.sleep(0.2)
            client = server.another_client()
        run.truth.take(lines)
        time.sleep(max(0.0, began + number * EACH / given.rate - time.monotonic()))


def moved(person: dict[str, Any], number: int, luck: random.Random) -> bytes:
    """Return a person who enters or leaves an audience, later than anything before."""
    at = (FIRST + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    audience = AUDIENCES[luck.randrange(len(AUDIENCES))]
    status = luck.choice(("realized", "realized", "exited"))
    membership = {audience.namespace: {audience.id: {"status": status, "lastQualificationTime": at}}}
    return orjson.dumps({**person, "segmentMembership": membership})


def taken(client: Client, body: bytes, key: str) -> bool:
    """Send a request, and say whether it was answered."""
    kind, extra = "application/x-ndjson", {"Idempotency-Key": key}
    with suppress(HeadraceError, OSError, HTTPException):
        return client.exchange("POST", "/ingest/profiles", body, kind, extra).is_success
    return False


def watch(
    server: Server, run: Run, proxy: FaultProxy, scripted: Scripted, dataflow: str, given: argparse.Namespace
) -> None:
    """Let happen what is to happen at each moment, and look at the ledger each second, until nothing is pending."""
    began, due = time.monotonic(), [share * given.seconds for share in KILLED]
    while True:
        at = time.monotonic() - began
        phase = next((phase for phase in PHASES if phase.begins <= at / given.seconds < phase.ends), None)
        scripted.statuses = phase.statuses if phase is not None else ()
        with at_fault(proxy, phase):
            if due and at >= due[0]:
                run.killed.append(due.pop(0))
                server.kill()
            time.sleep(1)
            with suppress(HeadraceError, OSError, HTTPException):
                ledger = server.client.get(f"/dataflows/{dataflow}/ledger")
                run.samples.append(Sample(at, ledger["accepted"], ledger["delivered"], ledger["pending"]))
        if at > given.seconds + 5 and run.samples and run.samples[-1].pending == 0:
            return
        assert at < 2 * given.seconds + 300, "it does not come to rest"


@contextmanager
def at_fault(proxy: FaultProxy, phase: Phase | None) -> Iterator[None]:
    """Have the connection spoiled as a phase says."""
    if phase is None or not phase.fault:
        yield
        return
    with proxy.switch_on(read(phase.fault)):
        yield


def told(server: Server, run: Run, partner: Partner, dataflow: str) -> None:
    """Hold what the partner was told against what was sent."""
    ledger = server.client.get(f"/dataflows/{dataflow}/ledger")
    check = server.client.get(f"/dataflows/{dataflow}/ledger/check")
    wrong = compare("lighthouse", run.truth, partner.received, set())
    taken = [request for request in partner.received if request.answered == 200]
    twice = sum(count - 1 for count in Counter(request.body for request in taken).values())
    print(f"ledger            {ledger}")
    print(f"holds             {check['ok']}")
    print(f"requests          {dict(Counter(str(request.answered) for request in partner.received))}")
    print(f"messages twice    {twice} of {len(taken)}, after answers that were lost")
    print(f"killed            {len(run.killed)} times; {run.refused} requests of the sender were sent again")
    print(f"wrong at last     {len(wrong)}")
    assert check["ok"], check
    assert not wrong, wrong[:5]
    assert ledger["parked"] == ledger["pending"] == 0, ledger


# -- the plot ---------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP = 1000, 180, 70, 40


def drawn(run: Run, seconds: int) -> str:
    """Draw the rates above, the backlog below, and what was wrong behind them."""
    last = max(run.samples[-1].at, seconds)
    pairs = list(itertools.pairwise(run.samples[::5]))
    accepted = [(b.at, (b.accepted - a.accepted) / (b.at - a.at)) for a, b in pairs]
    delivered = [(b.at, (b.delivered - a.delivered) / (b.at - a.at)) for a, b in pairs]
    pending = [(sample.at, float(sample.pending)) for sample in run.samples]
    parts = [
        *panel(
            0,
            last,
            run,
            seconds,
            "changes a second",
            [("accepted", "#888", accepted), ("delivered", "#06c", delivered)],
        ),
        *panel(HEIGHT + 60, last, run, seconds, "changes waiting", [("pending", "#c60", pending)]),
    ]
    size = f'width="{WIDTH + LEFT + 20}" height="{2 * HEIGHT + 140}"'
    style = 'font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n' + "\n".join(parts) + "\n</svg>\n"


Line = tuple[str, str, list[tuple[float, float]]]


def panel(down: int, last: float, run: Run, seconds: int, title: str, lines: list[Line]) -> Iterator[str]:
    """Draw lines over time in a frame, with what was wrong shaded."""
    most = max((value for _, _, points in lines for _, value in points), default=1.0) or 1.0
    top = TOP + down

    def x(at: float) -> float:
        return LEFT + at / last * WIDTH

    def y(value: float) -> float:
        return top + HEIGHT - value / most * HEIGHT

    for phase in PHASES:
        left, width = x(phase.begins * seconds), (phase.ends - phase.begins) * seconds / last * WIDTH
        yield f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{HEIGHT}" fill="#fdd"/>'
        yield f'<text x="{left:.0f}" y="{top - 4}" fill="#a33">{phase.name}</text>'
    for at in run.killed:
        across, dashed = f'x1="{x(at):.0f}" x2="{x(at):.0f}" y1="{top}" y2="{top + HEIGHT}"', 'stroke-dasharray="3"'
        yield f'<line {across} stroke="#a33" {dashed}/>'
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#333"/>'
    yield f'<text x="{LEFT - 8}" y="{top + 10}" text-anchor="end">{most:,.0f}</text>'
    yield f'<text x="{LEFT}" y="{top - 20}">{title}; dashed: the server was killed</text>'
    for number, (name, colour, points) in enumerate(lines):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<text x="{LEFT + 300 + 100 * number}" y="{top - 20}" fill="{colour}">{name}</text>'
    for at in (last * share / 6 for share in range(7)):
        yield f'<text x="{x(at):.0f}" y="{top + HEIGHT + 14}" text-anchor="middle">{at:.0f} s</text>'


if __name__ == "__main__":
    main()
