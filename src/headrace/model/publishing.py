"""What an author sends to have a destination published, and a reviewer to decide it."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, rule
from headrace.model.problem import Problem

EVERYBODY = "*"


class Submission(Block):
    """A request to publish a destination as it is now."""

    destination_id: str | None = Field(None, min_length=1, description="The `instanceId` of the destination.")
    destination_access: Literal["ALL", "LIMITED"] = Field(
        description="`ALL`: every organization sees it. `LIMITED`: those alone that are listed."
    )
    allowed_orgs: tuple[str, ...] = Field((), description="The organizations that see it, with `LIMITED`.")

    @rule
    def _says_for_whom(self) -> Iterator[Problem]:
        if self.destination_access == "LIMITED" and not self.organizations:
            yield Problem("missing-field", "/allowedOrgs", "`LIMITED` needs `allowedOrgs`: who is to see it?")
        if self.destination_access == "LIMITED" and EVERYBODY in self.allowed_orgs:
            yield Problem("invalid", "/allowedOrgs", f"{EVERYBODY!r} is everybody: use `ALL`")
        if self.destination_access == "ALL" and self.organizations:
            yield Problem("invalid", "/allowedOrgs", "with `ALL` everybody sees it: leave `allowedOrgs` out")

    @property
    def organizations(self) -> list[str]:
        """The organizations that are named, each once."""
        return sorted({*self.allowed_orgs} - {EVERYBODY})


class Reason(Block):
    """Why a request is refused or withdrawn."""

    reason: str = Field(min_length=1, max_length=10_000, description="What the author should know, or mend.")


class Agreement(Block):
    """The consent to a newer version of a destination."""

    config_id: str | None = Field(
        None,
        description="The `configId` of the version that is agreed to, as `consentRequired` names it; `null` where that "
        "is the working version.",
    )
