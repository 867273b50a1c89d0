"""JSON Schemas of answers, in short."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
DATE: Schema = {"type": "string", "format": "date-time"}
DATE_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
TEXTS: Schema = {"type": "array", "items": TEXT}
YES_OR_NO: Schema = {"type": "boolean"}


def of_object(required: dict[str, Schema], optional: dict[str, Schema] | None = None, about: str = "") -> Schema:
    """Return the schema of an object with members that are always there, and others that may be."""
    schema: Schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": [*required]}
    return {**schema, "description": about} if about else schema


def list_of(item: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def ref(name: str) -> Schema:
    """Return a reference to a schema that has a name."""
    return {"$ref": f"#/components/schemas/{name}"}


def items_of(name: str) -> Schema:
    """Return the schema of an answer that lists objects."""
    return of_object({"items": list_of(ref(name))})
