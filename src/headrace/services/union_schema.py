"""The schema of people, as far as it is known: what the first of them have, for nobody declares it."""

from typing import Any

from headrace.model.profile import Profile
from headrace.services.caller import Caller
from headrace.store import profiles
from headrace.store.database import Store, Transaction

Object = dict[str, Any]
#: People that are looked at.
SAMPLE = 500
ID = "https://ns.adobe.com/xdm/context/profile__union"
_MEMBERSHIP = {
    "type": "object",
    "properties": {"status": {"type": "string"}, "lastQualificationTime": {"type": "string"}},
}
_IDENTITIES = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}
_GIVEN: Object = {
    "identityMap": {"type": "object", "additionalProperties": _IDENTITIES},
    "segmentMembership": {
        "type": "object",
        "additionalProperties": {"type": "object", "additionalProperties": _MEMBERSHIP},
    },
}


async def union_schema(store: Store, caller: Caller) -> Object:
    """Return the schema of a sandbox's people, and of how many it was read off."""

    def look(tx: Transaction) -> list[Profile]:
        last = profiles.last_number(tx, caller.number)
        return [profile for _, profile in profiles.scan(tx, caller.number, 0, last, SAMPLE)]

    people = await store.read(look)
    read_off: Object = {"type": "object", "properties": {}}
    for person in people:
        read_off = _joined(read_off, _schema_of({key: person[key] for key in person if key not in _GIVEN}))
    return {
        "$id": ID,
        "title": "People",
        "type": "object",
        "properties": {**read_off["properties"], **_GIVEN},
        "x-headrace": {"people": len(people)},
    }


def _schema_of(value: Any) -> Object:
    if isinstance(value, dict):
        return {"type": "object", "properties": {key: _schema_of(item) for key, item in value.items()}}
    if isinstance(value, list):
        items: Object = {}
        for item in value:
            items = _joined(items, _schema_of(item))
        return {"type": "array", "items": items}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": kinds[type(value)]} if type(value) in kinds else {}


def _joined(one: Object, other: Object) -> Object:
    """
    Return what covers two schemas; where they disagree, nothing is said.

    >>> _joined({"type": "integer"}, {"type": "number"})
    {'type': 'number'}
    """
    if not one or not other or one == other:
        return one or other
    kinds = {one.get("type"), other.get("type")}
    if kinds == {"integer", "number"}:
        return {"type": "number"}
    if kinds == {"object"}:
        properties = {**one["properties"]}
        for name, schema in other["properties"].items():
            properties[name] = _joined(properties.get(name, {}), schema)
        return {"type": "object", "properties": properties}
    return {"type": "array", "items": _joined(one["items"], other["items"])} if kinds == {"array"} else {}
