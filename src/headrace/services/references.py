"""What a destination points to, wherever in its document it does."""

from collections.abc import Iterator
from typing import Any

from headrace.services.checks import AUDIENCE_TEMPLATE, CREDENTIALS, SERVER

#: The noun that a field points to, by the field's name: every field of this name is such a pointer.
_POINTERS = {"destinationServerId": SERVER, "audienceTemplateId": AUDIENCE_TEMPLATE, "authenticationId": CREDENTIALS}


def references(document: Any) -> list[tuple[str, str]]:
    """
    Return the noun and id of everything that a destination points to, each once.

    >>> references({"destinationDelivery": [{"destinationServerId": "s", "authenticationRule": "NONE"}]})
    [('destination-server', 's')]
    """
    return list(dict.fromkeys(_references(document)))


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _POINTERS and isinstance(item, str):
                yield _POINTERS[name], item
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
