"""Pieces of SQL that kernels are made of."""

import re

#: What Java's ``trim`` takes away.
BLANKS = "".join(map(chr, range(0x21)))
_UNTYPED = re.compile(r"([\x00-\x1f]+)")


def literal(text: str) -> str:
    r"""
    Return a text as SQL. Characters that cannot be typed are named: the parser ends at U+0000.

    >>> literal("it's"), literal("a\tb")
    ("'it''s'", "('a' || chr(9) || 'b')")
    """
    pieces = [piece for piece in _UNTYPED.split(text) if piece]
    written = [sql for piece in pieces for sql in _pieces(piece)]
    return f"({' || '.join(written)})" if len(written) > 1 else "".join(written) or "''"


def _pieces(piece: str) -> list[str]:
    if _UNTYPED.match(piece):
        return [f"chr({ord(character)})" for character in piece]
    return ["'" + piece.replace("'", "''") + "'"]


def identifier(name: str) -> str:
    """Return the name of a column as SQL."""
    return '"' + name.replace('"', '""') + '"'


def once(value: str, name: str, body: str) -> str:
    """Return SQL that computes ``value`` once, and ``body`` with it under ``name``."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"
