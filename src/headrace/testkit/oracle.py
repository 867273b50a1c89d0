"""
The oracle: what is true by what was sent in, against what partners were told.

It follows the partner's side alone: the requests that were answered with success, in the order in which they came. The
last thing a partner was told of a person and an audience must be what is true, unless that change was parked.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import orjson

from headrace.model.profile import instant
from headrace.testkit.partner import Received
from headrace.testkit.profiles import AUDIENCES

#: Person and audience, by the customer id and the audience's name.
Pair = tuple[str, str]

_NAMES = {(audience.namespace, audience.id): audience.name for audience in AUDIENCES}
_BY_LIST = {audience.name.lower().replace(" ", "-"): audience.name for audience in AUDIENCES}


class Truth:
    """Who is in which audience, and who was once."""

    def __init__(self) -> None:
        self.members: dict[Pair, bool] = {}
        self._newest: dict[Pair, tuple[datetime, bool]] = {}

    def take(self, records: Iterable[bytes]) -> None:
        """Note what records say that were accepted; the newest of each membership counts, in any order."""
        for record in records:
            person = orjson.loads(record)
            customer = person["identityMap"]["crmId"][0]["id"]
            for namespace, memberships in person.get("segmentMembership", {}).items():
                for audience, membership in memberships.items():
                    pair = (customer, _NAMES[namespace, audience])
                    is_member = membership["status"] == "realized"
                    age = (instant(membership.get("lastQualificationTime")), not is_member)
                    if age >= self._newest.get(pair, age):
                        self._newest[pair] = age
                        if is_member or pair in self.members:
                            self.members[pair] = is_member


def compare(destination: str, truth: Truth, received: Iterable[Received], parked: set[str]) -> list[str]:
    """
    List what a partner believes that is not so, as sentences. ``parked`` are the keys of people whose changes were.

    A person who entered and left before anything was sent need not be known to the partner at all.
    """
    told: dict[Pair, bool] = {}
    for request in list(received):
        if request.answered is not None and 200 <= request.answered < 300:
            told.update(_READERS[destination](request))
    untold = [
        f"{customer} is {'' if is_member else 'not '}in “{audience}”, and the partner was not told"
        for (customer, audience), is_member in truth.members.items()
        if told.get((customer, audience), False) != is_member and f"crmId:{customer}" not in parked
    ]
    invented = sorted(told.keys() - truth.members.keys())
    return untold + [
        f"{customer} was never in “{audience}”, and the partner was told so" for customer, audience in invented
    ]


def told_by_moviestar(request: Received) -> dict[Pair, bool]:
    """Return what one message of the example Moviestar says."""
    person: dict[str, Any] = request.json()
    customer = person["ids"]["customer"]
    joined = {(customer, audience): True for audience in person["joined"]}
    return joined | {(customer, audience): False for audience in person["left"]}


def told_by_lighthouse(request: Received) -> dict[Pair, bool]:
    """Return what one message of the example Lighthouse says."""
    message: dict[str, Any] = request.json()
    audience = _BY_LIST[message["list"]]
    return {(member["customer"], audience): member["member"] for member in message["members"]}


_READERS: dict[str, Callable[[Received], dict[Pair, bool]]] = {
    "moviestar": told_by_moviestar,
    "lighthouse": told_by_lighthouse,
}
