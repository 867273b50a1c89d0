"""Source profile to target profile: the operator's mapping, compiled once for a dataflow."""

from headrace.mapping.left_out import LeftOut
from headrace.mapping.mapping import AttributeRow, IdentityRow, Mapping

__all__ = ["AttributeRow", "IdentityRow", "LeftOut", "Mapping"]
