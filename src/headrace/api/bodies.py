"""Bodies that authors write: JSON of a sane depth, in which no name stands twice in one object."""

import json
from typing import Annotated, Any

from fastapi import Depends, Request

from headrace.api.doors import json_body
from headrace.api.problems import BadRequestError
from headrace.model.problem import ConfigurationError, Problem

#: How deep a configuration may be nested; none that means anything comes near.
DEEPEST = 100
#: The largest body of a call of the authoring API, in bytes.
LARGEST = 1 << 20


async def authored_body(request: Request) -> Any:
    """
    Read the body as a document of an author's.

    Raises:
        BadRequestError: it is not JSON, or nested too deep.
        ConfigurationError: a name is twice in one object: who knows which of the two was meant?
    """
    document = await json_body(request)
    if _is_deeper(document, DEEPEST):
        raise BadRequestError(f"the body is not JSON: it is nested over {DEEPEST} levels deep")
    json.loads(await request.body(), object_pairs_hook=_each_name_once)
    return document


AuthoredBody = Annotated[Any, Depends(authored_body)]


def _is_deeper(document: Any, most: int) -> bool:
    level = [document]
    for _ in range(most):
        level = [item for value in level for item in _inside(value)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigurationError([Problem("duplicate-name", "", f"`{twice}` is there twice in one object")])
    return made
