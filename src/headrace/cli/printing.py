"""What commands print: lines for people, or one JSON document for scripts."""

import json
import sys
from typing import Any


def say(text: str = "") -> None:
    """Print lines, at once: a command may take its time. What could steer a terminal is shown and not obeyed."""
    sys.stdout.write(f"{harmless(text)}\n")
    sys.stdout.flush()


def tell(document: Any, text: str, *, as_json: bool) -> None:
    """Print a document for scripts, or what it comes to for people."""
    if as_json:
        say_json(document)
    else:
        say(text)


def harmless(text: str) -> str:
    r"""
    Return a text in which what cannot be printed is written as an escape.

    >>> harmless("a\x1b[2J\tb\n")
    'a\\x1b[2J\tb\n'
    """
    return "".join(one if one.isprintable() or one in "\n\t" else f"\\x{ord(one):02x}" for one in text)


def say_json(value: Any) -> None:
    """Print a document for scripts, in ASCII: what could steer a terminal is an escape of JSON's."""
    say(json.dumps(value, indent=2))
