"""
Advice about a template: what is likely wrong although it can be rendered.

Nothing here stops anyone. Each piece has a place, a code that does not change, and the way out; a mistake that is made
in many places is told once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import orjson

from headrace.errors import TemplateError, TemplateProblem
from headrace.template.commas import Commas
from headrace.template.coverage import Trace, Traced
from headrace.template.engine import compile_template
from headrace.template.limits import MIB, Limits
from headrace.template.parser import parse
from headrace.template.quoting import Places, Quoting
from headrace.template.reading import Reading
from headrace.template.samples import Sample, Samples
from headrace.template.shape import ANY, MESSAGE_CONTEXT, Shape, including, record
from headrace.template.source import Source

CODES = {
    "unknown-variable": "A variable that neither the data nor the template has.",
    "unknown-member": "A member that the data does not have.",
    "out-of-scope": "A variable that was forgotten at the end of its loop.",
    "json-escaping": "A value is printed into a JSON string and not escaped for JSON.",
    "json-quotes": "`toJson` inside of quotes.",
    "json-bare-value": "A value is printed into JSON without quotes and without `toJson`.",
    "comma-trailing": "A loop prints a comma also after its last or before its first item.",
    "comma-missing": "A loop prints its items with nothing between them.",
    "comma-forgotten": "The variable that remembers the first item does not outlive the inner loop.",
    "comma-without-item": "A comma is printed where there may be no item.",
    "render-fails": "The template cannot be rendered with a sample.",
    "json-invalid": "What is rendered from a sample is not JSON.",
    "never-taken": "No sample takes this branch.",
}
EXPLAIN_INVALID = ("json-escaping", "json-quotes", "json-bare-value")
MOST_ADVICE = 50
SAMPLE_LIMITS = Limits(steps=200_000, output=MIB, strings=2 * MIB)
"""For the samples, which are small: advice must not take long."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice."""

    code: str
    problem: TemplateProblem
    rendered: str = ""
    """Where it shows in what was rendered from a sample: a line of that, with a caret below."""
    also: tuple[tuple[int, int], ...] = ()
    """Line and column of other places with the same mistake."""


def advise(
    source: str,
    *,
    escaping: str = "html",
    content_type: str | None = "application/json",
    contexts: Sequence[Sample] = (),
    name: str = "<template>",
) -> list[Advice]:
    """
    What an author may want to change, in the order of the text.

    ``contexts`` are tried beside the standard samples, and what they hold is known to exist.

    >>> [advice.code for advice in advise('{"name": "{{ input.profil.id }}"}')]
    ['json-escaping', 'unknown-member']

    Raises: TemplateSyntaxError if this is no template.
    """
    reads = compile_template(source, escaping=escaping, name=name).reads
    return _Adviser(Source(source, name), escaping, is_json(content_type), contexts).advice(reads)


def unknown_variables(source: str, known: Iterable[str], *, name: str = "<template>") -> list[TemplateProblem]:
    """
    The places where a template reads a variable that is neither known nor its own.

    >>> [str(problem) for problem in unknown_variables("{{ customerdata.region }}", ["customerData"])]
    ['<template>:1:4: `customerdata` is not a variable; did you mean `customerData`?']

    Raises: TemplateSyntaxError if this is no template.
    """
    text = Source(source, name)
    found: dict[int, TemplateProblem] = {}

    def note(offset: int, code: str, message: str) -> None:
        if code == "unknown-variable":
            found[offset] = text.problem(offset, message)

    Reading(parse(text, Limits()), record(**dict.fromkeys(known, ANY)), note)
    return [found[offset] for offset in sorted(found)]


def is_json(content_type: str | None) -> bool:
    """
    Whether bodies of this type are JSON.

    >>> is_json("application/vnd.api+json; charset=utf-8"), is_json("text/csv"), is_json(None)
    (True, False, False)
    """
    kind = (content_type or "").split(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


class _Adviser:
    """Collects the advice about one template."""

    def __init__(self, source: Source, escaping: str, as_json: bool, contexts: Sequence[Sample]) -> None:
        self.source = source
        self.escaping = escaping
        self.as_json = as_json
        self.contexts = contexts
        self.found: dict[tuple[str, int], Advice] = {}

    def advice(self, reads: frozenset[tuple[str, ...]]) -> list[Advice]:
        body = parse(self.source, Limits())
        reading = Reading(body, self._shape(), self.note)
        if self.as_json:
            places = Places(body)
            Quoting(reading, places, self.escaping, self.note).body(body)
            Commas(reading, places, self.note).body(body)
        members = frozenset(path[2] for path in reads if path[:2] == ("input", "aggregationKey") and len(path) > 2)
        paths = {path[:2] for path in reads}
        one_profile = ("input", "profile") in paths and ("input", "profiles") not in paths
        standard = Samples(reading.wants, members, one_profile=one_profile)
        self._try(Traced(self.source, body, self.escaping, SAMPLE_LIMITS), [*self.contexts, *standard.all()])
        return _told_once(sorted(self.found.values(), key=_place))[:MOST_ADVICE]

    def note(self, offset: int, code: str, message: str, rendered: str = "") -> None:
        """Remember a piece of advice; the first of a code at a place is kept."""
        problem = self.source.problem(offset, message)
        self.found.setdefault((code, offset), Advice(code, problem, rendered))

    def _shape(self) -> Shape:
        shape = MESSAGE_CONTEXT
        for sample in self.contexts:
            shape = including(shape, sample.data)
        return shape

    # Samples --------------------------------------------------------------------------------------------------------

    def _try(self, traced: Traced, samples: Sequence[Sample]) -> None:
        for sample in samples:
            try:
                trace = traced.render(sample.data)
            except TemplateError as error:
                self._failed(error.problems[0], sample)
                continue
            if self.as_json:
                self._check_json(trace, sample)
        for branch in traced.untaken():
            way = "render it with data of your own: `--context FILE`"
            self.note(branch.offset, "never-taken", f"no sample takes {branch.what}; {way}")

    def _failed(self, problem: TemplateProblem, sample: Sample) -> None:
        told = replace(problem, message=f'rendering the sample "{sample.name}" fails: {problem.message}')
        self.found.setdefault(("render-fails", _number(problem)), Advice("render-fails", told))

    def _check_json(self, trace: Trace, sample: Sample) -> None:
        try:
            orjson.loads(trace.text)
        except orjson.JSONDecodeError as error:
            why = explained(trace.text, error.pos, error.msg)
            message = f'the sample "{sample.name}" is not rendered to JSON: {why}'
            shown = TemplateProblem("", "", error.lineno, error.colno, error.doc.split("\n")[error.lineno - 1])
            self._not_json(trace.origin(error.pos), message, shown.excerpt)

    def _not_json(self, origin: tuple[int, ...], message: str, rendered: str) -> None:
        """What was foretold of this place is shown there; else it is advice of its own."""
        foretold = [(code, offset) for code in EXPLAIN_INVALID for offset in origin if (code, offset) in self.found]
        for key in foretold:
            self.found[key] = replace(self.found[key], rendered=rendered)
        if not foretold:
            self.note(origin[0], "json-invalid", message, rendered)


def explained(text: str, position: int, reason: str) -> str:
    """
    What is wrong with a text that is not JSON, as an author of a template would say it.

    >>> explained("[1,]", 2, "")
    'a comma with nothing behind it'
    >>> explained("[1 2]", 3, "")
    'a comma is missing'
    """
    if not text.strip():
        return "nothing is printed"
    here, rest = text[position : position + 1], text[position + 1 :].lstrip()[:1]
    earlier = text[:position].rstrip()[-1:]
    if here == "," and rest in ("]", "}", ""):
        return "a comma with nothing behind it"
    if here == "," and earlier in ("[", "{", ",", ":"):
        return "a comma with nothing before it"
    if earlier in ("}", "]", '"') and here in ("{", "[", '"') and position:
        return "a comma is missing"
    if earlier.isdecimal() and here and here in '{["-0123456789':
        return "a comma is missing"
    if here == "&":
        return "html escaping changed a quote"
    if here in (",", "}", "]") and earlier == ":":
        return "a value is missing"
    return reason


def _number(problem: TemplateProblem) -> int:
    return problem.line << 32 | problem.column


def _place(advice: Advice) -> tuple[int, int, int]:
    return advice.problem.line, advice.problem.column, list(CODES).index(advice.code)


def _told_once(advice: list[Advice]) -> list[Advice]:
    """Those that say the same become one that names all places."""
    first: dict[tuple[str, str], Advice] = {}
    for piece in advice:
        key = piece.code, piece.problem.message
        if key in first:
            place = piece.problem.line, piece.problem.column
            shown = first[key].rendered or piece.rendered
            first[key] = replace(first[key], also=(*first[key].also, place), rendered=shown)
        else:
            first[key] = piece
    return list(first.values())
