"""What the profiles of one message have in common, and how many they are."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, Count, Flag, rule
from headrace.model.problem import Problem


class NamespaceGroup(Block):
    """Identity namespaces that travel together."""

    namespaces: tuple[str, ...] = Field(min_length=1, description="Names of target identity namespaces.")


class AggregationKey(Block):
    """What the profiles of one message must share."""

    include_segment_id: Flag = Field(False, description="Group by audience.")
    include_segment_status: Flag = Field(False, description="Group by audience and status.")
    include_identity: Flag = Field(False, description="Group by identity namespaces.")
    one_identity_per_group: Flag = Field(False, description="Every namespace is a group of its own.")
    groups: tuple[NamespaceGroup, ...] | None = Field(
        None, description="The sets of namespaces, where they are not each their own."
    )

    @rule
    def _a_status_is_one_of_an_audience(self) -> Iterator[Problem]:
        if self.include_segment_status and not self.include_segment_id:
            message = "`includeSegmentStatus` needs `includeSegmentId`: a status is one of an audience"
            yield Problem("status-without-audience", "/includeSegmentStatus", message)

    @rule
    def _there_is_something_to_group_by(self) -> Iterator[Problem]:
        if self.include_identity and not self.one_identity_per_group and not self.groups:
            message = "`includeIdentity` needs `groups`, or `oneIdentityPerGroup`: there is nothing to group by"
            yield Problem("nothing-to-group-by", "/includeIdentity", message)

    @rule
    def _a_namespace_travels_in_one_group(self) -> Iterator[Problem]:
        names = [name for group in self.groups or () for name in group.namespaces]
        if len(names) != len(set(names)) and not self.one_identity_per_group:
            yield Problem("in-two-groups", "/groups", "a namespace stands in two `groups`: it can travel in one only")


class BestEffortAggregation(Block):
    """Send at once what is waiting, up to so many profiles a message."""

    max_users_per_request: Count = Field(ge=1, description="The most profiles one message carries.")
    split_user_by_id: Flag = Field(False, description="One entry for each identity instead of one for each profile.")
    aggregation_key: AggregationKey | None = Field(None, description="What the profiles of a message must share.")


class Aggregation(Block):
    """How activated profiles are put into messages."""

    aggregation_type: Literal["BEST_EFFORT"] = Field(description="The policy.")
    best_effort_aggregation: BestEffortAggregation | None = Field(None, description="The policy `BEST_EFFORT`.")

    @rule
    def _has_its_policy(self) -> Iterator[Problem]:
        if self.best_effort_aggregation is None:
            yield Problem("missing-field", "/bestEffortAggregation", "`BEST_EFFORT` needs `bestEffortAggregation`")

    @property
    def policy(self) -> BestEffortAggregation:
        """The parameters in force."""
        assert self.best_effort_aggregation is not None
        return self.best_effort_aggregation
