"""Lists as the policy service answers them: filtered, in an order, page by page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.errors import RequestError
from headrace.services.listing import Query

Object = dict[str, Any]
_STARTS = re.compile(r"(?:.*[?&])?start=([^&]*).*")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks of a list. ``start`` is the key to go on after, or the whole link to the next page."""

    limit: int
    start: str
    order_by: str
    properties: tuple[str, ...]

    def page(self, path: str, key: str, objects: Sequence[Object]) -> Object:
        """
        Return the page that is asked for; ``key`` is what tells the objects apart.

        Raises:
            RequestError: a filter cannot be read, or there is no such place to go on from.
        """
        kept = self._sorted(key, self._kept(objects))
        start = self._start(key, kept)
        items = kept[start : start + self.limit]
        after = items[-1][key] if start + len(items) < len(kept) else ""
        link = {"href": f"{path}?start={after}&limit={self.limit}"} if after else {}
        return {
            "_page": {"start": items[0][key] if items else "", "count": len(items), "next": after},
            "_links": {"page": link},
            "children": items,
        }

    def _kept(self, objects: Sequence[Object]) -> list[Object]:
        """Return what the filters let through; one that is a name alone asks whether there is such a member."""
        names = [name for name in self.properties if re.fullmatch(r"\w+", name)]
        others = tuple(item for item in self.properties if item not in names)
        return [item for item in Query(others).kept(objects) if all(name in item for name in names)]

    def _sorted(self, key: str, objects: list[Object]) -> list[Object]:
        objects.sort(key=lambda item: str(item[key]))
        for written in reversed([part.strip() for part in self.order_by.split(",") if part.strip()]):
            name = written.lstrip("+-")
            objects.sort(key=lambda item, name=name: str(item.get(name, "")), reverse=written.startswith("-"))  # type: ignore[misc]
        return objects

    def _start(self, key: str, kept: list[Object]) -> int:
        found = _STARTS.fullmatch(self.start)
        after = found[1] if found else self.start
        if not after:
            return 0
        place = next((place for place, item in enumerate(kept) if item[key] == after), None)
        if place is not None:
            return place + 1
        if self.order_by:
            raise RequestError("`start` leads nowhere: what it went on from is gone; begin anew")
        return sum(str(item[key]) <= after for item in kept)
