"""
Listing as the flow service does it: filtered by properties, in an order, page by page, newest first.

Objects are the documents that the API shows, so nobody can filter by what they may not see.
"""

import base64
import binascii
import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.errors import RequestError

Object = dict[str, Any]
#: The most that one page holds.
MOST = 100
_FILTER = re.compile(r"\s*(?P<path>[\w.\[\]/-]+?)\s*(?P<operator>[=!<>]=|<|>)\s*(?P<value>.*?)\s*", re.DOTALL)


def _is_among(found: list[str], value: str) -> bool:
    """Say whether something is the value, or one of several with commas between."""
    return value in found or any(part in found for part in value.split(","))


def _measured(holds: Callable[[float, float], bool]) -> Callable[[list[str], str], bool]:
    def compare(found: list[str], value: str) -> bool:
        try:
            return any(holds(float(text), float(value)) for text in found)
        except ValueError:
            return False

    return compare


_COMPARED: dict[str, Callable[[list[str], str], bool]] = {
    "==": _is_among,
    "!=": lambda found, value: not _is_among(found, value),
    "<": _measured(operator.lt),
    "<=": _measured(operator.le),
    ">": _measured(operator.gt),
    ">=": _measured(operator.ge),
}


#: Members whose values are the same in whatever letters.
_IN_ANY_CASE = frozenset({"metrics.statusSummary.status"})


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: the path of a member, how it compares (``==`` …) and with what; ``written`` as the client did."""

    written: str
    path: str
    holds: str
    value: str

    def passes(self, item: Object) -> bool:
        """Say whether an object is let through."""
        found, value = [*_texts_at(item, re.split(r"[./]", self.path))], self.value
        if self.path in _IN_ANY_CASE:
            found, value = [text.lower() for text in found], value.lower()
        return _COMPARED[self.holds](found, value)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, how many objects there are in all, and what to ask for the next page with."""

    items: Sequence[Object]
    count: int
    next: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asks of a list, as it wrote it."""

    properties: tuple[str, ...] = ()
    limit: int = MOST
    order_by: str = ""
    token: str = ""

    def page(self, objects: Iterable[Object]) -> Page:
        """
        Return the page that is asked for, of objects that come oldest first.

        Raises:
            RequestError: a filter, the order or the token cannot be read.
        """
        kept = self.kept(objects)
        kept.reverse()
        for name, is_descending in reversed([*self._order()]):
            kept.sort(key=lambda item, name=name: _sortable(item, name), reverse=is_descending)  # type: ignore[misc]
        start = self._start(kept)
        items = kept[start : start + self.limit]
        has_more = start + len(items) < len(kept)
        return Page(items, len(kept), _token_of(items[-1]["id"]) if has_more and items else None)

    def kept(self, objects: Iterable[Object]) -> list[Object]:
        """
        Return the objects that the filters let through.

        Raises:
            RequestError: a filter cannot be read.
        """
        filters = self.filters()
        return [item for item in objects if all(filter_.passes(item) for filter_ in filters)]

    def only(self, name: str) -> str | None:
        """Return the one value that a member must have, where a filter says so."""
        named = [item.value for item in self.filters() if (item.path, item.holds) == (name, "==")]
        return named[0] if named and "," not in named[0] else None

    def filters(self) -> list[Filter]:
        """
        Read the filters.

        Raises:
            RequestError: one cannot be read.
        """
        return [_filter(written) for written in self.properties]

    def _order(self) -> Iterator[tuple[str, bool]]:
        for name in filter(None, (part.strip() for part in self.order_by.split(","))):
            yield name.lstrip("-+"), name.startswith("-")

    def _start(self, kept: list[Object]) -> int:
        """Return the place after the object that the token names, which is there as long as nobody deletes it."""
        if not self.token:
            return 0
        last = _last_of(self.token)
        place = next((place for place, item in enumerate(kept) if item["id"] == last), None)
        if place is None:
            raise RequestError("the `continuationToken` leads nowhere: what it went on from is gone; begin anew")
        return place + 1


def _filter(written: str) -> Filter:
    found = _FILTER.fullmatch(written)
    if found is None:
        raise RequestError(f"the filter {written!r} cannot be read; write `property=name==value`")
    return Filter(written, found["path"], found["operator"], found["value"].strip("\"'"))


def _texts_at(value: Any, path: list[str]) -> Iterator[str]:
    """Yield what stands at a path, as texts; of a list, each item's."""
    if isinstance(value, list):
        for item in value:
            yield from _texts_at(item, path)
    elif not path:
        yield _text(value)
    elif isinstance(value, dict):
        name = path[0].removesuffix("[]")
        if name in value:
            yield from _texts_at(value[name], path[1:])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _sortable(item: Object, name: str) -> tuple[int, float, str]:
    """Numbers sort as numbers, before texts; what is not there comes first."""
    found = item
    for step in name.split("."):
        found = found.get(step, {}) if isinstance(found, dict) else {}
    if isinstance(found, int | float) and not isinstance(found, bool):
        return (1, found, "")
    return (2, 0, found) if isinstance(found, str) else (0, 0, "")


def _token_of(last: str) -> str:
    """Write a token without `=`, at which clients cut it out of the link."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def _last_of(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        raise RequestError("the `continuationToken` is none; take it from `_links.next.href`") from None
