"""
People as their senders know them: every record has a number, and what is true of a person after each is known.

A person's ``city`` is the number of their last record, so that whatever a partner is told says by itself what it was
made of.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from headrace.testkit.simulation.ground import AUDIENCES

#: Status and time of each audience.
Memberships = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class State:
    """
    What is true of a person after a record; ``consents`` is whether they may be told of, ``made_at`` when it was made.
    """

    number: int
    memberships: Memberships
    consents: bool
    made_at: float = 0.0


@dataclass(slots=True)
class Person:
    """One person: the states that their records have made, and when each was acknowledged."""

    name: str
    states: list[State] = field(default_factory=list)
    acknowledged: dict[int, float] = field(default_factory=dict)
    erased_at: float | None = None

    @property
    def now(self) -> State | None:
        return self.states[-1] if self.states else None

    def state(self, number: int) -> State | None:
        """Return the state after a record; ``None``: there never was one."""
        return next((state for state in self.states if state.number == number), None)


class People:
    """Everybody, and the numbers of records."""

    def __init__(self, luck: Random, count: int) -> None:
        self._luck = luck
        self._number = 0
        self.by_name = {str(number): Person(str(number)) for number in range(1, count + 1)}

    def record(self, person: Person, moment: float, *, now: float, withdraws: bool) -> bytes:
        """Make the next record of a person, and note what is true after it."""
        luck = self._luck
        self._number += 1
        said: Memberships = {}
        for audience in AUDIENCES:
            if luck.random() < 0.5:
                is_late = luck.random() < 0.1
                at = moment - luck.random() * 3600 if is_late else moment
                said[audience] = ("realized" if luck.random() < 0.6 else "exited", _written(at))
        consents = not (withdraws and luck.random() < 0.3)
        before = person.now.memberships if person.now is not None else {}
        person.states.append(State(self._number, _merged(before, said), consents, now))
        return _document(person.name, self._number, said, consents=consents)


def _merged(before: Memberships, said: Memberships) -> Memberships:
    """The newest of each audience counts; of two at one moment, that the person has left."""
    merged = dict(before)
    for audience, (status, time) in said.items():
        known = merged.get(audience)
        if known is None or (time, status == "exited") >= (known[1], known[0] == "exited"):
            merged[audience] = (status, time)
    return merged


def _written(seconds: float) -> str:
    """Write a moment in whole milliseconds."""
    moment = datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def _document(name: str, number: int, said: Memberships, *, consents: bool) -> bytes:
    memberships = {
        audience: {"status": status, "lastQualificationTime": time} for audience, (status, time) in said.items()
    }
    person: dict[str, Any] = {
        "identityMap": {"crmId": [{"id": name}]},
        "segmentMembership": {"ups": memberships},
        "consents": {"email": {"val": "y" if consents else "n"}},
        "city": str(number),
    }
    return orjson.dumps(person)
