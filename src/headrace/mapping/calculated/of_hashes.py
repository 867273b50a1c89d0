"""Functions that hash."""

import hashlib
import zlib

from headrace.mapping.calculated.registry import function
from headrace.mapping.calculated.values import CalculationError, Effort, Value

_ENCODINGS = {"UTF-8": "utf-8", "UTF-16": "utf-16-be", "ISO-8859-1": "latin-1", "US-ASCII": "ascii"}
_BEGINNINGS = {"UTF-16": b"\xfe\xff"}
_SHA256 = "7330d2b39ca35eaf4cb95fc846c21ee6a39af698154a83a586ee270a0d372104"


@function(
    "sha256",
    takes=("text", "charset?"),
    gives="text",
    of_text=True,
    examples=(('sha256("my text")', _SHA256), ('sha256("my text", "UTF-8")', _SHA256), ('sha256("")', None)),
)
def sha256(effort: Effort, text: str, charset: Value = "UTF-8") -> str | None:
    """Hash a text with SHA-256, in lower-case hexadecimal. Of the empty text it is null, for it names nobody."""
    return hashlib.sha256(_bytes(effort, text, charset)).hexdigest() if text else None


@function(
    "sha512",
    takes=("text", "charset?"),
    gives="text",
    of_text=True,
    examples=(
        (
            'sha512("my text")',
            "a3d7e45a0d9be5fd4e4b9a3b8c9c2163c21ef708bf11b4232bb21d2a8704ada2"
            "cdcd7b367dd0788a89a5c908cfe377aceb1072a7b386b7d4fd2ff68a8fd24d16",
        ),
    ),
)
def sha512(effort: Effort, text: str, charset: Value = "UTF-8") -> str | None:
    """Hash a text with SHA-512, in lower-case hexadecimal. Of the empty text it is null."""
    return hashlib.sha512(_bytes(effort, text, charset)).hexdigest() if text else None


@function(
    "sha1",
    takes=("text", "charset?"),
    gives="text",
    of_text=True,
    examples=(('sha1("my text")', "c3599c11e47719df18a2448690840c5dfcce3c80"),),
)
def sha1(effort: Effort, text: str, charset: Value = "UTF-8") -> str | None:
    """Hash a text with SHA-1, for partners that ask for it. Of the empty text it is null."""
    return hashlib.sha1(_bytes(effort, text, charset), usedforsecurity=False).hexdigest() if text else None


@function(
    "md5",
    takes=("text", "charset?"),
    gives="text",
    of_text=True,
    examples=(('md5("my text")', "d3b96ce8c9fb4e9bd0198d03ba6852c7"),),
)
def md5(effort: Effort, text: str, charset: Value = "UTF-8") -> str | None:
    """Hash a text with MD5, for partners that ask for it. Of the empty text it is null."""
    return hashlib.md5(_bytes(effort, text, charset), usedforsecurity=False).hexdigest() if text else None


@function(
    "crc32",
    takes=("text", "charset?"),
    gives="text",
    of_text=True,
    examples=(('crc32("my text")', "8df92e80"),),
)
def crc32(effort: Effort, text: str, charset: Value = "UTF-8") -> str | None:
    """Compute the check sum CRC-32 of a text, lowest byte first, in hexadecimal. Of the empty text it is null."""
    return zlib.crc32(_bytes(effort, text, charset)).to_bytes(4, "little").hex() if text else None


def _bytes(effort: Effort, text: str, charset: Value) -> bytes:
    name = "UTF-8" if charset is None else str(charset).upper()
    if name not in _ENCODINGS:
        raise CalculationError(f"a character set is one of {', '.join(_ENCODINGS)}")
    effort.charge(4 * len(text))
    return _BEGINNINGS.get(name, b"") + text.encode(_ENCODINGS[name], "replace")
