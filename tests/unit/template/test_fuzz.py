"""A short run of the fuzzer, and what it found before. `make fuzz` runs it for longer."""

import json
from pathlib import Path
from typing import Any

import pytest
from checks import SMALL, FindingError, check
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import CANARY, Programs

from headrace import template
from headrace.template.limits import Limits

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "conformance" / "templates").glob("[A-Z][0-9][0-9].json"))
CORPUS = tuple(json.loads(path.read_text())["template"] for path in EXAMPLES)
FINDINGS = json.loads((HERE / "findings.json").read_text())


@settings(max_examples=1500)
@given(st.integers(0, 2**64))
def test_whatever_is_written_and_whatever_the_data_nothing_gives_way(seed: int) -> None:
    programs = Programs(seed, CORPUS)
    check(programs.template(), programs.context(), SMALL, programs.random.choice(("html", "json", "none")))


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding["what"])
def test_what_was_found_is_mended(finding: dict[str, Any]) -> None:
    for limits in (SMALL, Limits()):
        check(finding["template"], finding["context"], limits, finding["escaping"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_worked_examples_hold_for_the_interpreter_too(path: Path) -> None:
    example = json.loads(path.read_text())
    if "destination.config" not in example["template"]:
        check(example["template"], example["context"], Limits(), "html")


def test_programs_come_again_with_their_seed() -> None:
    one, other = Programs(7, CORPUS), Programs(7, CORPUS)
    assert [one.template(), one.context()] == [other.template(), other.context()]


def test_the_fuzzer_notices_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template.Template, "render", lambda self, context: context.clear() or "")
    with pytest.raises(FindingError, match="the data was changed"):
        check("{{ a }}", {"a": 1}, SMALL)
    monkeypatch.setattr(template.Template, "render", lambda self, context: "x" * 100_000)
    with pytest.raises(FindingError, match="longer than its limit"):
        check("{{ a }}", {"a": 1}, SMALL)
    monkeypatch.setattr(template.Template, "render", lambda self, context: "wrong")
    with pytest.raises(FindingError, match="compiled: 'wrong'; interpreted: '1'"):
        check("{{ a }}", {"a": 1}, SMALL)
    monkeypatch.undo()
    compiled = template.compile("{{ b }}")
    compiled._render.__globals__["open"] = open
    with pytest.raises(FindingError, match="another world"):
        check("{{ b }}", {"a": CANARY}, compiled._limits)
    del compiled._render.__globals__["open"]
