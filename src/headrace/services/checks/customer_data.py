"""What templates read of the values that operators enter, held against the fields that they are asked for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headrace.model.customer_data import CustomerDataField
from headrace.model.problem import Severity
from headrace.services.checks.nouns import Clash
from headrace.services.checks.texts import Used

#: The fields by their names; a group holds its own, any other field nothing.
Fields = Mapping[str, "Fields | None"]
Path = tuple[str, ...]
_ROOTS: tuple[Path, ...] = (("customerData",), ("destination", "config"))


def fields_of(declared: Iterable[CustomerDataField]) -> dict[str, Any]:
    """Return the fields that operators are asked for, groups with those inside."""
    return {field.name: fields_of(field.properties or ()) if field.type == "object" else None for field in declared}


def unread(used: Iterable[Used], fields: Fields, where: str, of: str = "") -> Iterator[Clash]:
    """
    Say which templates read what operators are not asked for.

    A template that asks with ``contains`` whether a field is there can do without it: that is a warning.
    """
    for template in used:
        for path in sorted(template.reads | template.asks):
            missing = _missing(path, fields)
            if missing is None:
                continue
            severity: Severity | None = "warning" if _is_asked(path, template) else None
            name = ".".join(path[: missing + 1])
            message = f"the template at {template.at}{of} reads `{name}`, {_why(path, missing, fields)}"
            yield Clash("unknown-customer-data", message, where or template.at, template.at, severity)


def _is_asked(path: Path, template: Used) -> bool:
    return any(path[: len(asked)] == asked for asked in template.asks)


def _missing(path: Path, fields: Fields) -> int | None:
    """Return the place of the first step of a path that is no field."""
    root = next((root for root in _ROOTS if path[: len(root)] == root), None)
    known: Fields | None = fields
    for place in range(len(root or ()), len(path) if root else 0):
        if known is None:
            return None
        if path[place] not in known:
            return place
        known = known[path[place]]
    return None


def _why(path: Path, missing: int, fields: Fields) -> str:
    name = path[missing]
    group = next((group for group, inner in fields.items() if inner and name in inner), None)
    if group is not None and path[missing - 1] != group:
        return f"which is in the group `{group}`; write `{'.'.join(path[:missing])}.{group}.{name}`"
    return f"which no customer data field is named; add `{name}` to them"
