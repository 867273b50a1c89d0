"""Reading what a partner answered to a look-up: a list of choices, or a schema. Strictly, for both are acted upon."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonpath
import orjson
from jsonpath.exceptions import JSONPathError

from headrace.connect.call import CallFailed
from headrace.errors import AuthoringError

#: More choices than anybody looks through; the same for the attributes of a schema.
MOST = 5000
#: Levels of groups in a schema.
DEEPEST = 10
Choice = dict[str, str | int]


class Misread(AuthoringError):
    """The destination does not read the partner's answer as it should."""

    code = "look-up"


def documents_of(texts: Mapping[str, str]) -> dict[str, Any]:
    """
    Return what the response fields of a server gave, as JSON, by their names.

    Raises:
        Misread: one gave something else.
    """
    found = {}
    for name, text in texts.items():
        try:
            found[name] = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            message = f"the response field `{name}` does not give JSON ({error}); {_AUTHOR}"
            raise Misread(message) from None
    return found


def choices_of(documents: Mapping[str, Any], path: str) -> list[Choice]:
    """
    Return the choices at a path in what a server gave.

    >>> choices_of({"list": {"list": [{"name": "Europe", "value": "eu"}]}}, "$.list")
    [{'name': 'Europe', 'value': 'eu'}]

    Raises:
        Misread: nothing is there, or something else than names and values.
        CallFailed: there are too many.
    """
    listed = _list_at(documents, path)
    if len(listed) > MOST:
        raise CallFailed(f"the partner gives {len(listed)} choices; at most {MOST} are read")
    wrong = next((place for place, item in enumerate(listed) if not _is_choice(item)), None)
    if wrong is not None:
        raise Misread(f"item {wrong} at `{path}` has no `name` and `value` that are texts or numbers; {_AUTHOR}")
    return [{"name": str(item["name"]), "value": item["value"]} for item in listed]


def schema_of(documents: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the schema that a server gave.

    Raises:
        Misread: it is none that could be mapped to.
        CallFailed: it has too many attributes.
    """
    schema = next(iter(documents.values()), None)
    if not isinstance(schema, dict) or schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        raise Misread(f"the schema is no JSON object with `type: object` and `properties`; {_AUTHOR}")
    count = len(attributes_of(schema))
    if count > MOST:
        raise CallFailed(f"the partner gives {count} attributes; at most {MOST} are read")
    return schema


def attributes_of(schema: Mapping[str, Any]) -> list[str]:
    """
    Return the target attributes of a schema; one of a group by the way to it.

    >>> attributes_of({"type": "object", "properties": {"a": {"type": "string"}, "g": {"properties": {"b": {}}}}})
    ['a', 'g.b']

    Raises:
        Misread: a property is no schema, or groups stand too deep inside of each other.
    """
    return [".".join(path) for path in _leaves(schema["properties"], ())]


_AUTHOR = "the destination's author can put it right, in `responseFields` of the server or in `dynamicEnum.value`"


def _list_at(documents: Mapping[str, Any], path: str) -> list[Any]:
    """Look into what each response field gave, then into all of it by name: published destinations mean the first."""
    for document in (*documents.values(), dict(documents)):
        try:
            found = jsonpath.findall(path, document) if isinstance(document, dict | list) else []
        except JSONPathError as error:
            raise Misread(f"`{path}` is no path ({error}); {_AUTHOR}") from None
        if len(found) == 1 and isinstance(found[0], list):
            return found[0]
    raise Misread(f"there is no list at `{path}` in what the partner's answer was read as; {_AUTHOR}")


def _is_choice(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    kinds = [type(item.get(name)) for name in ("name", "value")]
    return all(kind in (str, int) for kind in kinds)


def _leaves(properties: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(path) > DEEPEST:
        raise Misread(f"the groups of the schema stand over {DEEPEST} levels deep; {_AUTHOR}")
    for name, item in properties.items():
        if not isinstance(item, dict):
            raise Misread(f"`{'.'.join((*path, name))}` in the schema is no JSON object; {_AUTHOR}")
        inner = item.get("properties")
        if isinstance(inner, dict):
            yield from _leaves(inner, (*path, name))
        else:
            yield (*path, name)
