"""Membership changes and what they touch, by the numbers that dataflows, people and audiences have inside."""

from dataclasses import dataclass

#: The audience number of changes of attributes and identities, which belong to no audience.
NO_AUDIENCE = 0


@dataclass(frozen=True, slots=True)
class LaneTouched:
    """A lane that changes must leave by, and the bucket its entry now belongs to."""

    audience: int
    part: str
    bucket: int


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What one record changes for one dataflow.

    ``changed`` are audiences that the person entered or left (0: attributes or identities), ``late`` those whose new
    state came after a newer one, ``lanes`` the lanes they must leave by: none where there is nothing to say.
    ``withheld`` are audiences that the partner may not be told that the person entered, for the ``reason``.
    """

    dataflow: int
    profile: int
    seq: int
    changed: tuple[int, ...]
    lanes: tuple[LaneTouched, ...]
    late: tuple[int, ...] = ()
    withheld: tuple[int, ...] = ()
    reason: str = ""
