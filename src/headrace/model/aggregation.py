"""What the profiles of one message have in common, and how many they are."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from headrace.model.block import Block


def _from_digits(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


#: Published configurations write numbers as digits in quotes now and then.
Count = Annotated[int, BeforeValidator(_from_digits)]


class NamespaceGroup(Block):
    """Identity namespaces that travel together."""

    namespaces: tuple[str, ...] = Field(min_length=1, description="Names of target identity namespaces.")


class AggregationKey(Block):
    """What the profiles of one message must share."""

    include_segment_id: bool = Field(False, description="Group by audience.")
    include_segment_status: bool = Field(False, description="Group by audience and status.")
    include_identity: bool = Field(False, description="Group by identity namespaces.")
    one_identity_per_group: bool = Field(False, description="Every namespace is a group of its own.")
    groups: tuple[NamespaceGroup, ...] | None = Field(
        None, description="The sets of namespaces, where they are not each their own."
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "AggregationKey":
        if self.include_segment_status and not self.include_segment_id:
            raise ValueError("`includeSegmentStatus` needs `includeSegmentId`: a status is one of an audience")
        if self.include_identity and not self.one_identity_per_group and not self.groups:
            raise ValueError("`includeIdentity` needs `groups`, or `oneIdentityPerGroup`: there is nothing to group by")
        names = [name for group in self.groups or () for name in group.namespaces]
        if len(names) != len(set(names)) and not self.one_identity_per_group:
            raise ValueError("a namespace stands in two `groups`: it can travel in one only")
        return self


class BestEffortAggregation(Block):
    """Send at once what is waiting, up to so many profiles a message."""

    max_users_per_request: Count = Field(ge=1, description="The most profiles one message carries.")
    split_user_by_id: bool = Field(False, description="One entry for each identity instead of one for each profile.")
    aggregation_key: AggregationKey | None = Field(None, description="What the profiles of a message must share.")


class Aggregation(Block):
    """How activated profiles are put into messages."""

    aggregation_type: Literal["BEST_EFFORT"] = Field(description="The policy.")
    best_effort_aggregation: BestEffortAggregation | None = Field(None, description="The policy `BEST_EFFORT`.")

    @model_validator(mode="after")
    def _has_its_policy(self) -> "Aggregation":
        if self.best_effort_aggregation is None:
            raise ValueError("`BEST_EFFORT` needs `bestEffortAggregation`")
        return self

    @property
    def policy(self) -> BestEffortAggregation:
        """The parameters in force."""
        assert self.best_effort_aggregation is not None
        return self.best_effort_aggregation
