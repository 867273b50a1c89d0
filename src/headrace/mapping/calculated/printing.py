"""Writes a calculated field down again, in one form for each meaning."""

import re

from headrace.mapping.calculated import nodes
from headrace.mapping.calculated.lexer import RESERVED

_PLAIN = re.compile(r"[^\W\d]\w*")
_SPECIAL = re.compile(r"([\\\"{}])")
_BLANKS = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def written(node: nodes.Node) -> str:
    """Return a text that is read as this again: every operation in brackets, every text in double quotes."""
    match node:
        case nodes.Literal(value):
            return _literal(value)
        case nodes.Array(items):
            return f"[{', '.join(map(written, items))}]"
        case nodes.Name(name):
            return _name(name)
        case nodes.Member(of, name):
            return f"{_held(of)}.{_name(name)}"
        case nodes.Index(of, index):
            return f"{_held(of)}[{written(index)}]"
        case nodes.Unary(operator, operand):
            return f"({operator}{written(operand)})"
        case nodes.Binary(operator, left, right):
            return f"({written(left)} {operator} {written(right)})"
        case nodes.Lambda(parameter, body):
            return f"{_name(parameter)} -> {written(body)}"
        case nodes.Call(name, arguments):
            return f"{name}({', '.join(map(written, arguments))})"


def _held(node: nodes.Node) -> str:
    """Return something that a dot or a bracket follows; a number would be read as one with a fraction."""
    text = written(node)
    return f"({text})" if isinstance(node, nodes.Literal) else text


def _literal(value: str | float | bool | None) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f'"{_escaped(value)}"' if isinstance(value, str) else f"{value}"


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in RESERVED else f"${{{_escaped(name)}}}"


def _escaped(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", text)
    return "".join(_BLANKS.get(character, character) for character in escaped)
