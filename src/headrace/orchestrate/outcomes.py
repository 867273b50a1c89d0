"""
What a step came to, as JSON: its value, or its error, so that work which catches it goes the same way again.

An error of ours comes back as what it was, with its message alone; of any other, only its name was kept.
"""

from headrace.errors import HeadraceError
from headrace.orchestrate.port import Json


class StepFailed(Exception):
    """A step failed with an error that is not ours, when it was done: the argument is that error's name."""


def to_json(outcome: Json | Exception) -> Json:
    """
    Write what a step came to.

    >>> to_json([1]), to_json(ValueError("x"))
    ({'value': [1]}, {'error': 'ValueError', 'message': None})
    """
    if not isinstance(outcome, Exception):
        return {"value": outcome}
    message = outcome.message if isinstance(outcome, HeadraceError) else None
    return {"error": type(outcome).__name__, "message": message}


def from_json(written: Json) -> Json:
    """
    Return a step's value.

    Raises:
        HeadraceError: the step failed with it.
        StepFailed: the step failed with any other error.
    """
    if "value" in written:
        return written["value"]
    if written["message"] is None:
        raise StepFailed(written["error"])
    raise _ours(written["error"], written["message"])


def _ours(name: str, message: str) -> HeadraceError:
    """Make an error of ours again, with its message alone: what else it carried is not kept."""
    kinds = _kinds(HeadraceError)
    kind = kinds.get(name, HeadraceError)
    error = kind.__new__(kind)
    HeadraceError.__init__(error, message)
    return error


def _kinds(root: type[HeadraceError]) -> dict[str, type[HeadraceError]]:
    found = {root.__name__: root}
    for kind in root.__subclasses__():
        found |= _kinds(kind)
    return found
