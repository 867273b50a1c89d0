"""The page about metrics has every metric that there is, as it is, and no other."""

import re
from pathlib import Path

from headrace.events import described
from headrace.meters import Described
from headrace.services.gauges import GAUGES

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(headrace_\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$", re.MULTILINE)

DROPPED = Described("headrace_log_lines_dropped_total", "counter", (), "Log lines that nobody took.")


def test_every_metric_has_its_row():
    told = {(name, type_, labels.strip(), text) for name, type_, labels, text in ROW.findall(PAGE.read_text())}
    there = {
        (metric.name, metric.type, ", ".join(f"`{label}`" for label in metric.labels), metric.text)
        for metric in (*described(), *GAUGES, DROPPED)
    }

    assert not there - told, "\n".join(f"| `{a}` | {b} | {c} | {d} |" for a, b, c, d in sorted(there - told))
    assert not told - there
