"""What of a person could not be mapped, and why."""

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "invalid-phone", "phone-without-region", "empty-identity", "calculation-failed", "list-or-object", "no-identity"
]
REASONS: dict[Reason, str] = {
    "invalid-phone": "a telephone number that is none",
    "phone-without-region": "a telephone number without `+`, where no region says its country",
    "empty-identity": "an identity of nothing but white space",
    "calculation-failed": "a calculated field that fails on the person's data",
    "list-or-object": "a list or an object, which messages do not carry",
    "no-identity": "an attribute mapped to an identity that is neither a text nor a number",
}


@dataclass(frozen=True, slots=True)
class Withheld:
    """Stands where a value would, with the reason why there is none."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One value of a person that does not go to the partner: the target it was mapped to, and the reason."""

    target: str
    reason: Reason
