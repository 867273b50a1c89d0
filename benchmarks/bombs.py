"""
What the template bombs of the tests cost: time and memory of each, in a process of its own.

    python benchmarks/bombs.py [--all | --json]

Each has to end in an error within 250 ms of CPU time and 64 MiB. Without ``--all`` the ten that cost most are shown.
``--json`` prints what was measured and judges nothing.
"""

import argparse
import gc
import json
import os
import time
from pathlib import Path
from typing import Any

from headrace import template

CORPUS = Path(__file__).parents[1] / "tests" / "unit" / "template" / "bombs.json"
MOST_SECONDS, MOST_MIB = 0.25, 64
DEPTH = 10_000
DIED = '{"outcome": "DIED", "message": "", "seconds": 0, "mebibytes": 0}'


def text_of(bomb: Any) -> str:
    """The text of a bomb: as it is, or pieces that are repeated."""
    return bomb if isinstance(bomb, str) else "".join(piece * count for piece, count in bomb)


def nested() -> list[Any]:
    """A list that holds a list that holds a list."""
    inner: list[Any] = []
    for _ in range(DEPTH):
        inner = [inner]
    return inner


def data() -> dict[str, Any]:
    """The data that the bombs work on."""
    deep = {"a": [{"b": list(range(200)), "c": "x" * 200} for _ in range(20)]}
    return {
        "xs": list(range(60)),
        "ys": list(range(100)),
        "longText": "x" * 20_000,
        "deep": deep,
        "deep2": json.loads(json.dumps(deep)),
        "bottomless": nested(),
        "bottomless2": nested(),
    }


def outcome(text: str, context: dict[str, Any]) -> tuple[str, str]:
    """How a bomb ends, and what is said about it."""
    try:
        template.compile(text).render(context)
    except template.TemplateSyntaxError as error:
        return "syntax", error.problems[0].message
    except template.TemplateError as error:
        return error.limit or "error", error.problems[0].message
    return "RENDERED", ""


def _peak() -> int:
    """The most memory of this process since the last reset, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def measured(text: str, context: dict[str, Any]) -> dict[str, Any]:
    """Render in a child: the outcome, seconds of CPU time, and MiB beyond what the process had."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
        before, start = _peak(), time.process_time()
        ended, message = outcome(text, context)
        seconds, mebibytes = time.process_time() - start, (_peak() - before) / 1024
        report = {"outcome": ended, "message": message[:500], "seconds": seconds, "mebibytes": mebibytes}
        os.write(sender, json.dumps(report).encode())
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as answer:
        report = json.loads(answer.read() or DIED)
    os.waitpid(child, 0)
    return report


def costs_too_much(row: dict[str, Any]) -> bool:
    """Whether a bomb is above the limits or did not end in an error."""
    return row["seconds"] > MOST_SECONDS or row["mebibytes"] > MOST_MIB or row["outcome"].isupper()


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table."""
    for row in rows:
        figures = f"{row['seconds'] * 1000:7.1f} ms {row['mebibytes']:6.1f} MiB"
        print(f"{figures}  {row['outcome']:8} {row['name']}")


def main() -> None:
    """Measure all of them, show those that cost most, and fail if one costs too much."""
    arguments = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    arguments.add_argument("--all", action="store_true", help="show every bomb")
    arguments.add_argument("--json", action="store_true", help="print what was measured as JSON")
    given = arguments.parse_args()
    context = data()
    rows = [{"name": name, **measured(text_of(bomb), context)} for name, bomb in json.loads(CORPUS.read_text()).items()]
    if given.json:
        print(json.dumps(rows))
        return
    rows.sort(key=lambda row: -max(row["seconds"] / MOST_SECONDS, row["mebibytes"] / MOST_MIB))
    print(f"{len(rows)} bombs; each has to end within {MOST_SECONDS * 1000:.0f} ms of CPU time and {MOST_MIB} MiB")
    show(rows if given.all else rows[:10])
    bad = [row for row in rows if costs_too_much(row)]
    if bad:
        raise SystemExit(f"{len(bad)} of them cost too much or did not end in an error")


if __name__ == "__main__":
    main()
