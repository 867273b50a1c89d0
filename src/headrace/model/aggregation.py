"""What the profiles of one message have in common, and how many they are."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, Count, Flag, read_of, rule
from headrace.model.message import Patience
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
            message = "`includeSegmentStatus` needs `includeSegmentId`: a status is one of an audience; set both"
            yield Problem("status-without-audience", "/includeSegmentStatus", message)

    @rule
    def _there_is_something_to_group_by(self) -> Iterator[Problem]:
        if self.include_identity and not self.one_identity_per_group and not self.groups:
            message = "`includeIdentity` needs `groups`, or `oneIdentityPerGroup`: there is nothing to group by"
            yield Problem("nothing-to-group-by", "/includeIdentity", message)

    @rule
    def _groups_are_named_to_be_used(self) -> Iterator[Problem]:
        if self.groups and (self.one_identity_per_group or not self.include_identity):
            why = "`oneIdentityPerGroup` is `true`" if self.one_identity_per_group else "`includeIdentity` is `false`"
            message = f"`groups` count for nothing while {why}; leave them out, or change it"
            yield Problem("has-no-effect", "/groups", message)

    @rule
    def _a_namespace_travels_in_one_group(self) -> Iterator[Problem]:
        if self.one_identity_per_group:
            return
        seen: set[str] = set()
        for place, group in enumerate(self.groups or ()):
            for step, name in enumerate(read_of(group, "namespaces") or ()):
                if name in seen:
                    message = f"`{name}` stands in two `groups`: it can travel in one only"
                    yield Problem("in-two-groups", f"/groups/{place}/namespaces/{step}", message)
                seen.add(name)

    @property
    def groups_in_force(self) -> tuple[NamespaceGroup, ...]:
        """The groups, where they count for something."""
        return (self.groups or ()) if self.include_identity and not self.one_identity_per_group else ()


class BestEffortAggregation(Block):
    """Send at once what is waiting, up to so many profiles a message."""

    max_users_per_request: Count = Field(ge=1, description="The most profiles one message carries.")
    split_user_by_id: Flag = Field(False, description="One entry for each identity instead of one for each profile.")
    aggregation_key: AggregationKey | None = Field(None, description="What the profiles of a message must share.")

    @property
    def most_entries(self) -> int:
        """The most entries one message carries."""
        return self.max_users_per_request

    @property
    def patience(self) -> Patience | None:
        """How long entries wait for others: they do not."""
        return None


class ConfigurableAggregation(Block):
    """Wait until many profiles are together, or until the first has waited long enough."""

    split_user_by_id: Flag = Field(False, description="One entry for each identity instead of one for each profile.")
    max_batch_age_in_secs: Count = Field(ge=301, le=3600, description="The longest that a profile waits, in seconds.")
    max_num_events_in_batch: Count = Field(ge=1000, le=10_000, description="The most profiles one message carries.")
    aggregation_key: AggregationKey = Field(description="What the profiles of a message must share.")
    aggregation_policy_id: str | None = Field(None, description="Written by the original; of no effect.")

    @property
    def most_entries(self) -> int:
        """The most entries one message carries."""
        return self.max_num_events_in_batch

    @property
    def patience(self) -> Patience | None:
        """How long entries wait for others."""
        return Patience(self.max_batch_age_in_secs * 1000, self.max_num_events_in_batch)


#: How profiles are put into messages: at once, or many together.
Policy = BestEffortAggregation | ConfigurableAggregation


class Aggregation(Block):
    """How activated profiles are put into messages."""

    aggregation_type: Literal["BEST_EFFORT", "CONFIGURABLE_AGGREGATION"] = Field(
        description="The policy: at once, or many together."
    )
    best_effort_aggregation: BestEffortAggregation | None = Field(None, description="The policy `BEST_EFFORT`.")
    configurable_aggregation: ConfigurableAggregation | None = Field(
        None, description="The policy `CONFIGURABLE_AGGREGATION`."
    )

    @rule
    def _has_no_other_policy(self) -> Iterator[Problem]:
        other = self._name_of_the_other()
        if read_of(self, other[0]) is not None:
            message = f"`{other[1]}` is not of `{self.aggregation_type}`: leave it out, or change `aggregationType`"
            yield Problem("other-policy", f"/{other[1]}", message)

    @property
    def policy(self) -> Policy | None:
        """The parameters in force."""
        if self.aggregation_type == "BEST_EFFORT":
            return self.best_effort_aggregation
        return self.configurable_aggregation

    @property
    def policy_name(self) -> str:
        """The name of the field that holds the parameters in force."""
        return "bestEffortAggregation" if self.aggregation_type == "BEST_EFFORT" else "configurableAggregation"

    def groups_of_no_target(self, targets: tuple[str, ...], where: str) -> Iterator[Problem]:
        """Say which namespaces of the groups are no target identities."""
        here, groups = self._groups(where)
        these = ", ".join(targets) or "none"
        for place, group in enumerate(groups):
            for step, name in enumerate(read_of(group, "namespaces") or ()):
                if name not in targets:
                    message = f"`{name}` is no target identity, so nobody is in this group by it; these are: {these}"
                    yield Problem("not-a-target", f"{here}/{place}/namespaces/{step}", message)

    def targets_in_no_group(self, targets: tuple[str, ...], where: str) -> Iterator[Problem]:
        """Say which target identities are in none of the groups, where there are groups."""
        here, groups = self._groups(where)
        grouped = {name for group in groups for name in group.namespaces}
        for name in targets if groups else ():
            if name not in grouped:
                message = f"the target identity `{name}` is in none of the `groups`, so it is not sent; add it to one"
                yield Problem("in-no-group", here, message)

    def _groups(self, where: str) -> tuple[str, tuple[NamespaceGroup, ...]]:
        """Return where the groups stand, and those that count for something."""
        key = self.policy.aggregation_key if self.policy is not None else None
        return f"{where}/{self.policy_name}/aggregationKey/groups", key.groups_in_force if key is not None else ()

    def _name_of_the_other(self) -> tuple[str, str]:
        if self.aggregation_type == "BEST_EFFORT":
            return "configurable_aggregation", "configurableAggregation"
        return "best_effort_aggregation", "bestEffortAggregation"
