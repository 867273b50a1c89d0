"""Whether dataflows violate policies: pure functions of policies, the labels that dataflows use, and their actions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headrace.errors import Conflict
from headrace.model.deny import Expression, met_by

Object = dict[str, Any]
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Named:
    """One step of a lineage: what it is, its id, and what people call it."""

    noun: str
    id: str
    name: str

    def as_json(self) -> Object:
        return {"noun": self.noun, "id": self.id, "name": self.name}

    def __str__(self) -> str:
        return f"the {self.noun} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy that is enforced: the marketing actions that it denies, by kind and name, and for which data."""

    id: str
    name: str
    kind: Literal["core", "custom"]
    actions: frozenset[tuple[str, str]]
    deny: Expression


@dataclass(frozen=True, slots=True)
class Used:
    """
    A label on something that a dataflow uses.

    ``carrier`` is what the label was put on, ``field`` what is used of it, ``user`` the row of the mapping or the
    audience that uses it.
    """

    label: str
    carrier: Named
    field: str
    user: Named

    def steps(self) -> Iterator[Named]:
        """Yield the way from what carries the label to what uses it: dataset, audience, field, mapping."""
        if self.carrier.noun != "field" or self.carrier.id != self.field:
            yield self.carrier
        field = Named("field", self.field, self.field)
        yield from (self.user, field) if self.user.noun == "audience" else (field, self.user)


@dataclass(frozen=True, slots=True)
class Subject:
    """
    A dataflow as policies see it: what it is for, by kind and name, and the labels on what it uses.

    ``of_destination`` are those of the actions that the destination says for everybody.
    """

    dataflow: Named
    destination: Named
    actions: frozenset[tuple[str, str]]
    of_destination: frozenset[tuple[str, str]]
    used: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """A policy that a dataflow violates: by which actions, and by which labels where."""

    policy: Named
    kind: Literal["core", "custom"]
    subject: Subject
    actions: tuple[tuple[str, str], ...]
    used: tuple[Used, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it is about."""
        return tuple(sorted({item.label for item in self.used}))

    def parts(self) -> Iterator[tuple[Any, ...]]:
        """Yield what makes up a violation: it is a new one where any of these is new."""
        for action in self.actions:
            for item in self.used:
                carrier, user = (item.carrier.noun, item.carrier.id), (item.user.noun, item.user.id)
                yield self.subject.dataflow.id, self.policy.id, action, item.label, carrier, item.field, user

    def as_json(self) -> Object:
        end = [self.subject.dataflow.as_json(), self.subject.destination.as_json()]
        ways = [
            {"label": item.label, "steps": [*(step.as_json() for step in item.steps()), *end]} for item in self.used
        ]
        return {
            "policy": {"id": self.policy.id, "name": self.policy.name, "kind": self.kind},
            "marketingActions": [name for _, name in self.actions],
            "labels": [*self.labels],
            "dataflow": {"id": self.subject.dataflow.id, "name": self.subject.dataflow.name},
            "lineage": ways,
            "fixes": [*self._fixes()],
            "message": str(self),
        }

    def _fixes(self) -> Iterator[Object]:
        """Yield what may be done about it; each is enough where one label or action alone is to blame."""
        for user in dict.fromkeys(item.user for item in self.used):
            message = f"take {user} out of the dataflow {self.subject.dataflow.name!r}"
            yield {"action": "remove", **user.as_json(), "message": message}
        for label, carrier in dict.fromkeys((item.label, item.carrier) for item in self.used):
            message = f"take the label {label} off {carrier}"
            yield {"action": "unlabel", **carrier.as_json(), "label": label, "message": message}
        for kind, name in self.actions:
            if (kind, name) not in self.subject.of_destination:
                message = f"take the marketing action {name!r} off the dataflow {self.subject.dataflow.name!r}"
                yield {"action": "remove", "noun": "marketing action", "id": name, "name": name, "message": message}
        yield {"action": "disable", **self.policy.as_json(), "message": f"disable {self.policy}"}

    def __str__(self) -> str:
        named = [" → ".join(f"{step.noun} {step.name!r}" for step in item.steps()) for item in self.used]
        rest = len(named) - _MOST_NAMED
        ways = "; ".join([*named[:_MOST_NAMED], *([f"{rest} more"] if rest > 0 else [])])
        actions = ", ".join(repr(name) for _, name in self.actions)
        where = f"{self.subject.dataflow} to {self.subject.destination}"
        return f"{self.policy} denies {actions} for data labelled {', '.join(self.labels)}, which {where} uses: {ways}"


class PolicyViolation(Conflict):
    """A policy denies what dataflows would do with data."""

    code = "policy-violation"

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = [item.as_json() for item in violations]
        first, rest = violations[0], len(violations) - 1
        more = f" (and {rest} more)" if rest else ""
        fix = self.violations[0]["fixes"][0]["message"]
        super().__init__(f"nothing was changed, for {first}{more}; a way out: {fix}")


def evaluate(rules: Iterable[Rule], subject: Subject) -> list[Violation]:
    """
    Return the policies that a dataflow violates.

    A policy is violated where it denies one of the dataflow's marketing actions, and the labels on all that the
    dataflow uses, taken together, make its expression true.
    """
    labels = frozenset(item.label for item in subject.used)
    found = []
    for rule in rules:
        denied = tuple(sorted(rule.actions & subject.actions))
        met = met_by(rule.deny, labels) if denied else frozenset()
        if met:
            used = tuple(item for item in subject.used if item.label in met)
            found.append(Violation(Named("policy", rule.id, rule.name), rule.kind, subject, denied, used))
    return found
