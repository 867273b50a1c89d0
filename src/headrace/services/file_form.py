"""
The form of a destination, with what may be said of every destination of files: whether runs write a manifest.

Its author may ask for that by a field of the same name, which then counts like any other.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headrace.model.block import pointer
from headrace.model.destination import Destination
from headrace.model.problem import Problem
from headrace.services import form
from headrace.services.form import Choices, Filled, Path, Values
from headrace.services.storage_places import MANIFEST

_FLAGS = {True: True, False: False, "true": True, "false": False}


def fill(
    destination: Destination, given: Mapping[str, Any], choices: Choices | None = None, root: Path = ("params",)
) -> Filled:
    """Complete the values of a destination's form; see ``form.fill``."""
    fields = destination.customer_data_fields
    if not _is_ours(destination, given):
        return form.fill(fields, given, choices, root)
    said = given[MANIFEST]
    filled = form.fill(fields, _without(given), choices, root)
    if not isinstance(said, bool | str) or said not in _FLAGS:
        problem = Problem("invalid", pointer((*root, MANIFEST)), f"`{MANIFEST}` is `true` or `false`")
        return replace(filled, problems=(*filled.problems, problem))
    return replace(filled, values={**filled.values, MANIFEST: _FLAGS[said]})


def as_sent(destination: Destination, given: Mapping[str, Any], before: Mapping[str, Any]) -> Values:
    """Take out of a form what nobody entered; see ``form.as_sent``."""
    fields = destination.customer_data_fields
    if not _is_ours(destination, given):
        return form.as_sent(fields, given, before)
    return {**form.as_sent(fields, _without(given), before), MANIFEST: given[MANIFEST]}


def _is_ours(destination: Destination, given: Mapping[str, Any]) -> bool:
    declared = any(field.name == MANIFEST for field in destination.customer_data_fields)
    return destination.takes_files and MANIFEST in given and not declared


def _without(given: Mapping[str, Any]) -> Values:
    return {name: value for name, value in given.items() if name != MANIFEST}
