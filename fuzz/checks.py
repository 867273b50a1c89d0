"""What has to hold for every template and all data, and whoever breaks it is a finding."""

from types import CodeType, FunctionType
from typing import Any

from interpreter import Interpreter
from programs import CANARY

from headrace import template
from headrace.template import engine
from headrace.template.limits import Limits
from headrace.template.parser import parse
from headrace.template.source import Source
from headrace.template.values import RenderError

WORLD = frozenset(engine._HELPERS) | {f"print_{name}" for name in ("escaped", "plain", *engine.STRATEGIES)}
MEMBERS = frozenset({"append", "exhausted", "get", "items", "join", "overflow", "steps"})
"""All members that a compiled template may name, of maps, lists, the meter and the text that joins."""
CONSTANTS = (str, int, float, bool, type(None))
SMALL = Limits(steps=20_000, output=60_000, strings=200_000, items=2_000)
LIMITS = (SMALL, SMALL, SMALL, Limits())
COUNTED = frozenset({"steps", "output", "strings", "items", "memory", "time", "depth"})
"""Limits at which a compiled template and an interpreter may part: they make different strings on the way."""


class FindingError(Exception):
    """Something that must not be."""


def check(text: str, context: dict[str, Any], limits: Limits, escaping: str = "html") -> str:
    """
    Compile, inspect and render; say how it ended.

    Raises: FindingError, or whatever the engine lets out that it must not.
    """
    try:
        compiled = template.compile(text, escaping=escaping, limits=limits)
    except template.TemplateSyntaxError as error:
        _check_places(text, error)
        return "syntax"
    _check_world(compiled)
    before = flat(context)
    ended, rendered = _rendered(compiled, context)
    if flat(context) != before:
        raise FindingError("the data was changed")
    if rendered is not None:
        _check_output(rendered, limits)
    if _rendered(compiled, context) != (ended, rendered) and ended != "time":
        raise FindingError("rendered again, it ends in another way")
    _compare(text, context, limits, escaping, (ended, rendered))
    return ended if rendered is None else "rendered"


def flat(value: Any) -> list[object]:
    """All that some data holds, in a list: data may be nested deeper than Python likes to compare."""
    parts: list[object] = []
    pending = [value]
    while pending:
        part = pending.pop()
        parts.append(type(part))
        if isinstance(part, dict):
            pending += [*part.values(), *part]
            parts.append(len(part))
        elif isinstance(part, list):
            pending += part
            parts.append(len(part))
        else:
            parts.append(repr(part))
    return parts


def _check_places(text: str, error: template.TemplateSyntaxError) -> None:
    for problem in error.problems:
        if not problem.source_line or problem.source_line in text:
            continue
        raise FindingError("a problem shows a line that is not in the template")


def _rendered(compiled: template.Template, context: dict[str, Any]) -> tuple[str, str | None]:
    try:
        return "", compiled.render(context)
    except template.TemplateError as error:
        if CANARY in error.message.replace(error.problems[0].source_line, "") and CANARY not in compiled.text:
            raise FindingError("a message holds what is in the data") from error
        if "not plain data" in error.message:
            raise FindingError("a template holds something that is no data") from error
        return error.limit or error.problems[0].message, None


def _check_output(rendered: object, limits: Limits) -> None:
    if type(rendered) is not str:
        raise FindingError(f"a {type(rendered).__name__} was rendered")
    if len(rendered.encode("utf-8", "surrogatepass")) > limits.output:
        raise FindingError("the output is longer than its limit")


def _check_world(compiled: template.Template) -> None:
    """Nothing is reachable from the compiled function but the helpers, and it names no member but the few it needs."""
    render = compiled._render
    assert isinstance(render, FunctionType)
    world, code = render.__globals__, render.__code__
    if set(world) != WORLD or world["__builtins__"] != {}:
        raise FindingError("the compiled function lives in another world")
    if not set(code.co_names) <= WORLD | MEMBERS:
        raise FindingError(f"the compiled function names {set(code.co_names) - WORLD - MEMBERS}")
    if code.co_freevars or code.co_cellvars or render.__closure__ or render.__defaults__:
        raise FindingError("the compiled function holds on to something")
    _check_constants(code)


def _check_constants(code: CodeType) -> None:
    pending = list(code.co_consts)
    while pending:
        constant = pending.pop()
        if isinstance(constant, tuple):
            pending += constant
        elif type(constant) not in CONSTANTS:
            raise FindingError(f"the compiled function holds a {type(constant).__name__}")


def _compare(
    text: str, context: dict[str, Any], limits: Limits, escaping: str, outcome: tuple[str, str | None]
) -> None:
    """The compiled template against the plain interpreter, where no limit stands between them."""
    ended, rendered = outcome
    if ended in COUNTED:
        return
    try:
        expected, reason = Interpreter(context, limits, escaping).body(parse(Source(text, "t"), limits)), ""
    except RenderError as error:
        expected, reason = None, error.limit or error.message
    except RecursionError:
        return
    if reason in COUNTED:
        return
    if (rendered, ended) != (expected, reason):
        raise FindingError(f"compiled: {ended or rendered!r:.200}; interpreted: {reason or expected!r:.200}")
