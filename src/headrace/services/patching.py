"""JSON Patch (RFC 6902), as clients of the flow service write it."""

import copy
from typing import Any

from jsonpath import JSONPatch
from jsonpath.exceptions import JSONPatchError, JSONPatchTestFailure, JSONPointerError

from headrace.model.problem import ConfigurationError, Problem

Operations = list[dict[str, Any]]


def patched(document: dict[str, Any], operations: Operations, noun: str) -> dict[str, Any]:
    """
    Return a document with operations applied in their order; their names may be written in any case.

    Raises:
        ConfigurationError: a path is not there, or no document is left.
    """
    lowered = [{**operation, "op": str(operation.get("op", "")).lower()} for operation in operations]
    try:
        result = JSONPatch(lowered).apply(copy.deepcopy(document))
    except (JSONPatchError, JSONPatchTestFailure, JSONPointerError) as error:
        raise ConfigurationError([Problem("patch", "", f"the patch does not apply: {error}")]) from None
    if not isinstance(result, dict):
        raise ConfigurationError([Problem("patch", "", f"the patch leaves no {noun}")])
    return result
