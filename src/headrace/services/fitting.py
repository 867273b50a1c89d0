"""Whether dataflows can go on when their destination becomes another edition."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from headrace.model.aggregation import AggregationKey
from headrace.model.destination import Destination
from headrace.model.flow import Flow
from headrace.model.problem import Problem
from headrace.render.parts import Parting
from headrace.services.rules import problems_of


def misfits(
    flows: Iterable[Flow], before: Destination, after: Destination, attributes: Collection[str] | None = None
) -> Iterator[Problem]:
    """
    Say what keeps dataflows from going on when what they send to changes.

    ``attributes`` are the target attributes there will be, where these are fetched from the partner.
    """
    for flow in flows:
        name = f"dataflow {flow.name!r}"
        if _lanes(after) != _lanes(before):
            message = f"{name} has people on their way under the old grouping; delete it first"
            yield Problem("aggregation-in-use", _place(after), message)
        for problem in problems_of(flow, after, attributes):
            yield Problem(problem.code, "", f"with {name}: {problem.message}")


def _place(destination: Destination) -> str:
    """Return where the grouping stands in the document."""
    aggregation = destination.aggregation
    return f"/aggregation/{aggregation.policy_name}" if aggregation is not None else "/aggregation"


def _lanes(destination: Destination) -> tuple[Any, ...]:
    """Return what says which lanes people leave by: while any are on their way it cannot change."""
    policy = destination.policy
    if policy is None:
        return ()
    parting = Parting.of(policy, tuple(destination.identity_namespaces))
    return policy.aggregation_key or AggregationKey(), parting.groups, parting.splits
