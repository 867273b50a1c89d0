"""
Whether a partner may be told of a person: the consent policies of one dataflow, compiled. Pure functions of a document.

Who is withheld is, to the partner, out of every audience: ``seen`` returns the person so. That alone makes the rest:
who withdraws consent leaves what the partner knows of, and who gives it enters.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from headrace.mapping.paths import Getter, getter
from headrace.model.consent import ConsentCondition, ConsentPolicy
from headrace.model.profile import Profile

Test = Callable[[Profile], bool]
_MEMBERSHIPS = "segmentMembership"


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy as it is kept: its id and what it says."""

    id: str
    policy: ConsentPolicy

    def applies_to(self, actions: frozenset[str] | None) -> bool:
        """Say whether a dataflow with these marketing actions is bound; one that declares none is bound by all."""
        wanted = self.policy.marketing_actions
        return self.policy.enabled and (not wanted or actions is None or not actions.isdisjoint(wanted))


class Consents:
    """
    The policies that bind one dataflow. It is false where there are none, so that nobody asks.

    ``policies`` are those that it was made of; ``version`` is another for others.
    """

    __slots__ = ("_tests", "policies", "version")

    def __init__(self, policies: Iterable[NamedPolicy] = ()) -> None:
        """
        Compile policies.

        Raises:
            AccountError: a path is none.
        """
        self.policies = bound = tuple(sorted(policies, key=lambda item: item.id))
        self._tests = tuple((item.policy.name, _test(item.policy)) for item in bound)
        said = "\n".join(f"{item.id} {item.policy.model_dump_json()}" for item in bound)
        self.version = sha256(said.encode()).hexdigest()[:16] if bound else ""

    def __bool__(self) -> bool:
        return bool(self._tests)

    def withholding(self, person: Profile) -> str | None:
        """Return the name of the policy that withholds a person; ``None``: the partner may be told."""
        for name, is_met in self._tests:
            if not is_met(person):
                return name
        return None

    def seen(self, person: Profile | None) -> Profile | None:
        """Return a person as the partner may know them: out of every audience, where they are withheld."""
        if person is None or not self._tests or self.withholding(person) is None:
            return person
        return without_memberships(person)


def without_memberships(person: Profile) -> Profile:
    """Return a person who has left every audience, without a change to the one that is given."""
    left = {
        namespace: {id_: {**membership, "status": "exited"} for id_, membership in audiences.items()}
        for namespace, audiences in (person.get(_MEMBERSHIPS) or {}).items()
    }
    return {**person, _MEMBERSHIPS: left}


def _test(policy: ConsentPolicy) -> Test:
    tests = [_test_of(condition) for condition in policy.conditions]
    if len(tests) == 1:
        return tests[0]
    combined: Callable[[Iterable[bool]], bool] = all if policy.match == "all" else any
    return lambda person: combined(is_met(person) for is_met in tests)


def _test_of(condition: ConsentCondition) -> Test:
    get: Getter = getter(condition.path)
    if condition.operator == "exists":
        return lambda person: get(person) is not None
    if condition.operator == "notExists":
        return lambda person: get(person) is None
    wanted, is_told_if_absent = _comparable(condition.values), condition.absent == "told"
    is_in = condition.operator == "in"

    def is_met(person: Profile) -> bool:
        found = get(person)
        if found is None or found == [] or type(found) is dict:  # None of these is a value.
            return is_told_if_absent
        return _holds(wanted, found) == is_in

    return is_met


def _holds(wanted: frozenset[tuple[bool, Any]], found: Any) -> bool:
    """Say whether a value, or one in a list of values, is among those that are wanted."""
    values: Sequence[Any] = found if type(found) is list else (found,)
    return any(type(value) in (str, bool, int, float) and (type(value) is bool, value) in wanted for value in values)


def _comparable(values: Iterable[Any]) -> frozenset[tuple[bool, Any]]:
    """Return values so that ``true`` is not 1; to Python they are equal."""
    return frozenset((type(value) is bool, value) for value in values)
