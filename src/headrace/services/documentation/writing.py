"""The rules that a page is written by, held against what the author wrote; what breaks one is a warning."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from headrace.services.documentation.subject import Subject

MOST_WORDS = 25
MOST_COMMAS = 3
LEAST_WORDS_OF_A_PICTURE = 4
_LABELS = (
    "Manage Destinations",
    "Activate Destinations",
    "View Profiles",
    "View Segments",
    "View Identity Graph",
    "Apply transformation",
)
_POLITE = re.compile(r"\b(please|kindly)\b", re.IGNORECASE)
_GUESS = re.compile(
    r"\b(probably|perhaps|maybe|presumably|apparently|we (?:think|believe|assume|guess|noticed|observed)|seems? to)\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"(?-i:\bYOUR[A-Z_ ]+\b)|\b(?:TBD|lorem ipsum)\b|<(?:your|insert)[^>]*>"
    r"|(?<![\w*_])[*_](?![*_ ])[^*_\n]*(?<![A-Za-z])(?:insert|replace|describe|your|enter|add)(?![A-Za-z])"
    r"[^*_\n]*(?<![*_ ])[*_](?![\w*_])",
    re.IGNORECASE,
)
#: What is no prose: code, and where links lead.
_CODE = re.compile(r"(```|~~~).*?\1|`[^`]*`|\]\([^)]*\)|https?://\S+", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\[*`])|\n\s*\n|\n\s*[*+-]\s+")
Rule = Callable[[str], Iterator[str]]


def review(subject: Subject) -> list[str]:
    """Return what the author might write better, each with the text it is in."""
    found = [
        f"{where}: {said}" for where, text in _texts(subject) for rule in RULES for said in rule(_CODE.sub("it", text))
    ]
    return [*found, *_missing(subject), *_pictures(subject)]


def _texts(subject: Subject) -> Iterator[tuple[str, str]]:
    yield "description", str(subject.destination.get("description") or "")
    yield from _leaves(subject.words, "documentation")


def _leaves(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and not where.endswith((".url", ".file", ".contact")):
        yield where, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{where}.{name}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{where}[{place}]")


def _long_sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE.split(text):
        words, commas = len(sentence.split()), sentence.count(",")
        begin = " ".join(sentence.split()[:6])
        if words > MOST_WORDS:
            yield f"a sentence of {words} words, “{begin} …”: about 20 are enough"
        elif commas > MOST_COMMAS:
            yield f"a sentence with {commas} commas, “{begin} …”: make two of it"


def _tone(text: str) -> Iterator[str]:
    for match in _POLITE.finditer(text):
        yield f"“{match[0]}”: say what to do, without it"
    for match in _GUESS.finditer(text):
        yield f"“{match[0]}”: say what is so, not what may be"


def _labels(text: str) -> Iterator[str]:
    for label in _LABELS:
        if re.search(rf"(?<!\*\*)\b{label}\b(?!\*\*)", text):
            yield f"“{label}” is a label: write **{label}**"


def _left_over(text: str) -> Iterator[str]:
    for match in _PLACEHOLDER.finditer(text):
        yield f"“{match[0]}” looks like an instruction that was left over"


RULES: tuple[Rule, ...] = (_long_sentences, _tone, _labels, _left_over)


def _missing(subject: Subject) -> Iterator[str]:
    for name, why in (
        ("useCases", "a page shows at least one concrete case"),
        ("contact", "readers want to know whom to ask"),
    ):
        if not subject.words.get(name):
            yield f"documentation.{name} is missing: {why}"


def _pictures(subject: Subject) -> Iterator[str]:
    for section, picture in (subject.words.get("screenshots") or {}).items():
        where, name = f"documentation.screenshots.{section}", str(picture.get("file", "")).rpartition("/")[2]
        if not re.fullmatch(r"[a-z][a-z-]*\.png", name) or subject.slug not in name:
            example = f"{subject.slug}-{re.sub('(?=[A-Z])', '-', section).lower()}.png"
            yield f"{where}: a picture is a PNG with a name of lower-case words and no numbers, such as {example}"
        if len(str(picture.get("text", "")).split()) < LEAST_WORDS_OF_A_PICTURE:
            yield f"{where}: describe the picture in a full sentence, for those who do not see it"
