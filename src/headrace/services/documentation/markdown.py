"""The few forms of Markdown that a page is written in."""

import re
from collections.abc import Iterable, Sequence


def heading(level: int, title: str, anchor: str) -> str:
    """
    Return a heading with its anchor.

    >>> heading(2, "Use cases", "use-cases")
    '## Use cases {#use-cases}'
    """
    return f"{'#' * level} {one_line(title)} {{#{anchor}}}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines)


def cell(text: str) -> str:
    r"""
    Return a text as it stands in a table.

    >>> cell("a | b")
    'a \\| b'
    """
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    return " ".join(text.split())


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"* {one_line(item)}" for item in items)


def note(text: str) -> str:
    """Return a paragraph that stands out."""
    return f"> **Note:** {one_line(text)}"


def code(language: str, text: str) -> str:
    """Return a block of code, in a fence that is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    body = text if text.endswith("\n") else f"{text}\n"
    return f"{fence}{language}\n{body}{fence}"


def paragraphs(*parts: str) -> str:
    """Return the parts that are there, an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def sentence(text: object) -> str:
    """
    Return a text with its full stop.

    >>> sentence("Your account"), sentence("Really?")
    ('Your account.', 'Really?')
    """
    said = str(text).strip()
    return said if said.endswith((".", "!", "?")) else f"{said}."


def enumerated(words: Sequence[str], last: str = "and") -> str:
    """
    Join words as a sentence does.

    >>> enumerated(["a", "b", "c"])
    'a, b and c'
    """
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def slug(text: str) -> str:
    """
    Return a text as it stands in an address.

    >>> slug("Moviestar & Co.")
    'moviestar-co'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "destination"
