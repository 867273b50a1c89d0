"""How many members audiences have: counted with every change of a person, in its transaction."""

from collections import Counter
from typing import Any

from headrace.model.profile import Audience, Profile
from headrace.store import audiences
from headrace.store.database import Transaction


class Sizes:
    """What some records do to the sizes of audiences. Whoever writes people notes each, and writes once at the end."""

    def __init__(self) -> None:
        self._moved: Counter[Audience] = Counter()

    def note(self, before: Profile | None, after: Profile | None) -> None:
        """Note what a person was and is; ``None``: nobody is there."""
        was: dict[str, Any] = (before or {}).get("segmentMembership") or {}
        now: dict[str, Any] = (after or {}).get("segmentMembership") or {}
        if was == now:
            return
        for namespace in {**was, **now}:
            self._compare(namespace, was.get(namespace, {}), now.get(namespace, {}))

    def _compare(self, namespace: str, was: dict[str, Any], now: dict[str, Any]) -> None:
        for id_, membership in now.items():
            if membership["status"] == "realized" and was.get(id_, _OUT)["status"] != "realized":
                self._moved[namespace, id_] += 1
        for id_, membership in was.items():
            if membership["status"] == "realized" and now.get(id_, _OUT)["status"] != "realized":
                self._moved[namespace, id_] -= 1

    def write(self, tx: Transaction, tenant: int, now: int) -> None:
        """Write what was noted. Always in one order, so that two that write wait and do not block each other."""
        for (namespace, id_), by in sorted(self._moved.items()):
            if by:
                audiences.resize(tx, tenant, namespace, id_, by, now)


_OUT = {"status": "exited"}
