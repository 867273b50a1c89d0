"""Target identities: the names in a partner's system for who a person is, and what may be mapped to them."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, Flag, rule
from headrace.model.problem import Problem

HASHED = "sha256(lower($))"
Transformation = Literal["sha256(lower($))"]


class AcceptedNamespace(Block):
    """A standard namespace that may be mapped to a target identity."""

    required_transformation: Transformation | None = Field(None, description="Always applied to its values.")


class IdentityNamespace(Block):
    """A target identity: a name in the partner's system for who a person is."""

    accepts_attributes: Flag = Field(False, description="Profile attributes may be mapped to it.")
    accepts_custom_namespaces: Flag = Field(False, description="Custom identity namespaces may be mapped to it.")
    accepted_global_namespaces: dict[str, AcceptedNamespace] = Field(
        default_factory=dict, description="The standard namespaces that may be mapped to it."
    )
    transformation: Transformation | None = Field(None, description="A transformation operators may apply.")

    @rule
    def _accepts_something(self) -> Iterator[Problem]:
        if not (self.accepts_attributes or self.accepts_custom_namespaces or self.accepted_global_namespaces):
            message = (
                "nothing can be mapped to this namespace: set `acceptsAttributes` or `acceptsCustomNamespaces`, "
                "or list `acceptedGlobalNamespaces`"
            )
            yield Problem("accepts-nothing", "", message)
