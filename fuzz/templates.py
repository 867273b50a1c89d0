"""
Fuzzes the template language for as long as it is given.

    python fuzz/templates.py [--seconds 60] [--seed 1]

Random programs, mostly from the grammar and often broken, are compiled and rendered with hostile data. What must hold
stands in ``checks.py``. A finding is printed as JSON with the seed it came from, and the exit code is 1; findings that
were mended are kept in ``tests/unit/template/findings.json``.
"""

import argparse
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from checks import LIMITS, check
from programs import Programs

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests" / "conformance" / "templates"
FINDINGS = ROOT / "tests" / "unit" / "template" / "findings.json"
TOO_LONG = 5.0
MOST_FINDINGS = 20


class SlowError(Exception):
    """A program that runs on and on."""


def corpus() -> tuple[str, ...]:
    """Templates to break: the worked examples and what was found before."""
    examples = [json.loads(path.read_text())["template"] for path in sorted(EXAMPLES.glob("[A-Z]*.json"))]
    return (*examples, *(finding["template"] for finding in json.loads(FINDINGS.read_text())))


def _stop(*_: object) -> None:
    raise SlowError(f"it takes longer than {TOO_LONG:.0f} seconds")


def attempt(seed: int, texts: tuple[str, ...]) -> tuple[str, dict[str, Any] | None]:
    """One program: how it ended, and the finding if there is one."""
    programs = Programs(seed, texts)
    text, context = programs.template(), programs.context()
    limits = programs.random.choice(LIMITS)
    escaping = programs.random.choice(("html", "json", "none"))
    signal.setitimer(signal.ITIMER_REAL, TOO_LONG)
    try:
        return check(text, context, limits, escaping), None
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        return "FOUND", {"seed": seed, "what": what, "template": text, "context": context, "escaping": escaping}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def shown(finding: dict[str, Any]) -> str:
    """The finding as JSON; data that is nested too deep for that comes back with the seed."""
    try:
        return json.dumps(finding)
    except RecursionError:
        return json.dumps({**finding, "context": None})


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run until the time is over, and say what came out."""
    arguments = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=60.0, help="how long")
    arguments.add_argument("--seed", type=int, default=time.time_ns() % 10**9 * 10**6, help="where to begin")
    given = arguments.parse_args()
    signal.signal(signal.SIGALRM, _stop)
    texts, endings, found = corpus(), Counter[str](), []
    start, seed = time.monotonic(), given.seed
    while time.monotonic() - start < given.seconds and len(found) < MOST_FINDINGS:
        ending, finding = attempt(seed, texts)
        endings[ending if ending in ("rendered", "syntax", "FOUND") else "render error"] += 1
        if finding:
            found.append(finding)
            _say(shown(finding))
        seed += 1
    seconds, total = time.monotonic() - start, sum(endings.values())
    shares = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common())
    _say(f"{total:,} programs in {seconds:.0f} s, {total / seconds:,.0f} a second, from seed {given.seed}: {shares}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
