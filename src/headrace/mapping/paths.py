"""Paths into source profiles: ``person.name.firstName``, ``emails[0].address``, ``_acme.tier``."""

import re
from collections.abc import Callable
from typing import Any

from headrace.errors import AccountError

Getter = Callable[[Any], Any]
_STEP = re.compile(r"([^.\[\]]+)((?:\[\d+\])*)")


def getter(path: str) -> Getter:
    """
    Compile a path to a function; what is not there is ``None``, never an error.

    >>> getter("a.b[1]")({"a": {"b": [1, 2]}})
    2

    Raises:
        AccountError: the text is not a path.
    """
    steps = parse(path)
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda profile: profile.get(name) if type(profile) is dict else None
    return lambda profile: _walk(profile, steps)


def parse(path: str) -> tuple[str | int, ...]:
    """
    Split a path into member names and list positions.

    >>> parse("orders[0].id")
    ('orders', 0, 'id')
    """
    steps: list[str | int] = []
    for part in path.split("."):
        match = _STEP.fullmatch(part)
        if match is None:
            raise AccountError(f"{path!r} is not a path; write it like `person.name.firstName` or `emails[0].address`")
        steps.append(match[1])
        steps.extend(int(position) for position in re.findall(r"\d+", match[2]))
    return tuple(steps)


def _walk(value: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        if type(value) is dict:
            value = value.get(step)
        elif type(value) is list and type(step) is int and step < len(value):
            value = value[step]
        else:
            return None
    return value
