"""Whether dataflows can go on when their destination becomes another edition."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

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
            yield Problem("aggregation-in-use", "/aggregation/bestEffortAggregation", message)
        for problem in problems_of(flow, after, attributes):
            yield Problem(problem.code, "", f"with {name}: {problem.message}")


def _lanes(destination: Destination) -> tuple[Any, ...]:
    """Return what says which lanes people leave by: while any are on their way it cannot change."""
    policy = destination.best_effort
    if policy is None:
        return ()
    parting = Parting.of(policy, tuple(destination.identity_namespaces))
    return policy.aggregation_key, parting.groups, parting.splits
