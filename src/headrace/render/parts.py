"""
Parts: how one person becomes several entries when identities are grouped or split.

A part is a short text that names an identity group, a single identity of it, or (empty) the whole person. It is in the
key of a lane, so what one part is told never overtakes what the same part was told before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.mapping.mapping import Identities

if TYPE_CHECKING:  # The processes that render read no configuration, and start without what that takes.
    from headrace.model.aggregation import AggregationKey, Policy

_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Part:
    """A part, read: the number of the identity group (0: not grouped) and the one identity, if split."""

    identity_group: int = 0
    identity: tuple[str, str] | None = None

    def write(self) -> str:
        """
        Return the part as it stands in a lane's key.

        >>> Part(2, ("email", "ana@example.com")).write()
        '2|email|ana@example.com'
        """
        group = str(self.identity_group or "")
        if self.identity is None:
            return group
        namespace, value = self.identity
        return _SEPARATOR.join((group, namespace.replace("%", "%25").replace(_SEPARATOR, "%7C"), value))

    @classmethod
    def read(cls, text: str) -> "Part":
        group, *identity = text.split(_SEPARATOR, 2)
        if not identity:
            return cls(int(group or 0))
        namespace, value = identity
        return cls(int(group or 0), (namespace.replace("%7C", _SEPARATOR).replace("%25", "%"), value))


@dataclass(frozen=True)
class Parting:
    """How a destination's policy parts a person. ``groups`` are numbered from 1; none: identities stay together."""

    groups: tuple[tuple[str, ...], ...]
    splits: bool

    @classmethod
    def of(cls, policy: "Policy", namespaces: tuple[str, ...]) -> "Parting":
        """Read the policy; ``namespaces`` are the destination's, in order, for one group each."""
        return cls(identity_groups(policy.aggregation_key, namespaces), policy.split_user_by_id)

    @property
    def is_whole(self) -> bool:
        """Whether a person stays one entry."""
        return not self.groups and not self.splits

    def parts(self, identities: Identities) -> Iterator[Part]:
        """Yield the parts of a person, identity groups outermost; a group in which a person has nothing is left out."""
        numbered = enumerate(self.groups, 1) if self.groups else [(0, tuple(identities))]
        for number, namespaces in numbered:
            held = [namespace for namespace in identities if namespace in namespaces]
            if not self.splits:
                if held or not number:
                    yield Part(number)
                continue
            for namespace in held:
                for identity in identities[namespace]:
                    yield Part(number, (namespace, identity["id"]))
            if not held and not number:
                yield Part()

    def namespaces(self, identity_group: int) -> tuple[str, ...] | None:
        """Return the namespaces of a group, ``None`` for the whole person."""
        return self.groups[identity_group - 1] if identity_group else None


def identity_groups(key: "AggregationKey | None", namespaces: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the identity groups of an aggregation key in configured order; none if it does not group by identity."""
    if key is None or not key.include_identity:
        return ()
    if key.one_identity_per_group:
        return tuple((namespace,) for namespace in namespaces)
    return tuple(group.namespaces for group in key.groups or ())
