"""
Templates in their places: each is compiled, reads only what its place has, and is advised about where it is a body.

The JSON is walked and not the block, so that templates are judged even where the rest cannot be read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from headrace.errors import TemplateProblem, TemplateSyntaxError
from headrace.model.block import pointer
from headrace.model.problem import Problem
from headrace.services.checks.nouns import AUDIENCE_TEMPLATE, DESTINATION, SERVER
from headrace.template import Template
from headrace.template import compile as compile_template
from headrace.template.advice import Advice, advise, unknown_variables
from headrace.template.macros import as_template, compile_macros, placed
from headrace.template.shape import MESSAGE_CONTEXT

#: Longer bodies are not tried with samples when they are kept: `headrace template check` takes any.
MOST_ADVISED = 8_000
_REMEMBERED = 256

Roots = frozenset[str]
MESSAGE: Roots = frozenset(MESSAGE_CONTEXT.members)
OPERATOR: Roots = frozenset({"customerData"})
STORAGE: Roots = frozenset({"customerData", "destination"})
LOOKUP: Roots = frozenset({"customerData", "authData"})
LOOKUP_ANSWER: Roots = frozenset({"response", "customerData", "authData"})
TOKEN: Roots = frozenset({"authData", "userContext"})
TOKEN_ANSWER: Roots = frozenset({"response", "authData", "userContext"})
EVENT: Roots = frozenset(
    {
        "segment",
        "customerData",
        "authData",
        "oauth2ServiceAccessToken",
        "segmentEnrichmentAttributes",
        "destination",
        "validations",
    }
)
EVENT_ANSWER: Roots = EVENT | {"body", "response", "headers", "error", "root", "message"}

_EVENT = "/metadataTemplate(/x-headrace)?/[^/]+"
#: What may be read where, the first that fits.
_PLACES: dict[str, tuple[tuple[str, Roots], ...]] = {
    SERVER: (
        ("/responseFields/.*", LOOKUP_ANSWER),
        ("/(httpTemplate|urlBasedDestination)/.*", MESSAGE),
        ("(/[^/]+)?/fileConfigurations/.*", OPERATOR),
        ("/.*", STORAGE),
    ),
    DESTINATION: (
        (".*/(responseFields|validations)/.*", TOKEN_ANSWER),
        ("/.*", TOKEN),
    ),
    AUDIENCE_TEMPLATE: (
        (f"{_EVENT}/(url|headers/[0-9]+/value|requestBody/json(/.*)?)", EVENT),
        (f"{_EVENT}/response(Error)?Fields/[0-9]+/value", EVENT_ANSWER),
    ),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A template and where it stands: the value's pointer, and what may be read there."""

    at: str
    text: str
    roots: Roots
    escaping: str = "html"
    has_macros: bool = False

    @property
    def name(self) -> str:
        """What messages call it: its pointer, without the step to the text inside of a pair."""
        return (self.at if self.has_macros else self.at.removesuffix("/value"))[1:]

    def compiled(self) -> Template:
        compile_ = compile_macros if self.has_macros else compile_template
        return compile_(self.text, escaping=self.escaping, name=self.name)


@dataclass(frozen=True, slots=True)
class Used:
    """What a template reads and asks for, and where it stands: the pointer of the pair, or of the text with macros."""

    at: str
    reads: frozenset[tuple[str, ...]]
    asks: frozenset[tuple[str, ...]]


def templates_in(noun: str, document: object) -> list[Placed]:
    """Find every template of a document."""
    if noun == AUDIENCE_TEMPLATE:
        texts = ((path, text, "html", True) for path, text in _leaves(document))
    else:
        texts = ((f"{path}/value", text, escaping, False) for path, text, escaping in _pairs(document))
    found = []
    for at, text, escaping, has_macros in texts:
        roots = next((roots for pattern, roots in _PLACES.get(noun, ()) if re.fullmatch(pattern, at)), None)
        if roots is not None:
            found.append(Placed(at, text, _narrowed(roots, noun, document), escaping, has_macros))
    return found


def problems_in(noun: str, document: object) -> Iterator[Problem]:
    """Say what is wrong with the templates of a document, whoever uses it."""
    for template in templates_in(noun, document):
        yield from _problems(template, _content_type(document) if template.at == _BODY else None)


def used_in(noun: str, document: object) -> list[Used]:
    """Return what the templates of a document read, of those that can be compiled."""
    found = []
    for template in templates_in(noun, document):
        try:
            compiled = template.compiled()
        except TemplateSyntaxError:
            continue
        found.append(Used(f"/{template.name}", compiled.reads, compiled.asks))
    return found


_BODY = "/httpTemplate/requestBody/value"


def _problems(template: Placed, content_type: str | None) -> Iterator[Problem]:
    try:
        read = {path[0] for path in template.compiled().reads}
    except TemplateSyntaxError as error:
        yield from (Problem(error.code, template.at, str(problem)) for problem in error.problems)
        return
    if template.at == _BODY and len(template.text) <= MOST_ADVISED:
        for piece in _advice(template.text, template.escaping, content_type, template.name):
            code = "unknown-root" if piece.code == "unknown-variable" else piece.code
            yield Problem(code, template.at, _told(piece), "warning")
    elif not read <= template.roots:
        for problem in _unknown_roots(template):
            yield Problem("unknown-root", template.at, str(problem))


def _unknown_roots(template: Placed) -> list[TemplateProblem]:
    if not template.has_macros:
        return unknown_variables(template.text, template.roots, name=template.name)
    found = unknown_variables(as_template(template.text), template.roots, name=template.name)
    return [placed(problem, template.text) for problem in found]


@lru_cache(_REMEMBERED)
def _advice(text: str, escaping: str, content_type: str | None, name: str) -> tuple[Advice, ...]:
    return tuple(advise(text, escaping=escaping, content_type=content_type, name=name))


def _told(piece: Advice) -> str:
    """
    Write a piece of advice on one line.

    >>> (piece,) = advise("{{ a }} {{ a }}", content_type=None, name="x")
    >>> _told(piece)
    'x:1:4: `a` is not a variable; these are: authData, customerData, destination, input, message; also at 1:12'
    """
    also = ", ".join(f"{line}:{column}" for line, column in piece.also)
    return f"{piece.problem}{f'; also at {also}' if also else ''}"


def _narrowed(roots: Roots, noun: str, document: object) -> Roots:
    """A server that is asked for a schema or for options carries no message."""
    if noun == SERVER and roots is MESSAGE and isinstance(document, dict) and document.get("responseFields"):
        http = document.get("httpTemplate")
        return MESSAGE if isinstance(http, dict) and "requestBody" in http else LOOKUP
    return roots


def _content_type(document: object) -> str | None:
    http = document.get("httpTemplate") if isinstance(document, dict) else None
    kind = http.get("contentType") if isinstance(http, dict) else None
    return kind if isinstance(kind, str) else None


def _pairs(value: object, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Find the pairs of a strategy and a template: the pointer, the text, and how it is escaped."""
    if isinstance(value, dict) and value.get("templatingStrategy") == "PEBBLE_V1" and type(value.get("value")) is str:
        yield path, value["value"], _escaping(value)
    elif isinstance(value, dict | list):
        for step, item in _items(value):
            yield from _pairs(item, f"{path}{pointer((step,))}")


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Find every text of a document, with its pointer."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for step, item in _items(value):
            yield from _leaves(item, f"{path}{pointer((step,))}")


def _items(value: dict[str, object] | list[object]) -> Iterator[tuple[str | int, object]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _escaping(pair: dict[str, object]) -> str:
    """Return how a template is escaped; where that cannot be read, it has a problem of its own."""
    ours = pair.get("x-headrace")
    wanted = ours.get("escaping") if isinstance(ours, dict) else None
    return wanted if wanted in ("html", "json", "none") else "html"
