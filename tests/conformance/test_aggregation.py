"""Aggregation by example: what each policy makes of a list of profiles, and what a template makes of each call."""

import json
from pathlib import Path

import pytest

from headrace.model.aggregation import Aggregation
from headrace.streaming.aggregate import aggregate
from headrace.template import compile as compile_template

CASES = sorted((Path(__file__).parent / "aggregation").glob("*.json"))


def policy_of(wire):
    """Read a policy, as far as its limits are those of examples."""
    return Aggregation.model_validate(wire).policy


def namespaces_of(profiles):
    """List the namespaces of all profiles in the order in which they first appear."""
    return list(dict.fromkeys(name for profile in profiles for name in profile.get("identityMap", {})))


def key_of(call, aliases):
    named = aliases.get(call.key.get("segmentNamespace"), {}).get(call.key.get("segmentId"))
    return call.key | ({"segmentAlias": named} if named is not None else {})


def test_there_are_examples():
    assert len(CASES) >= 13


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_profiles_leave_in_the_calls_of_the_example(path):
    case = json.loads(path.read_text())
    template = compile_template(case["template"])

    made = []
    for call in aggregate(case["profiles"], policy_of(case["policy"]), namespaces_of(case["profiles"])):
        key = key_of(call, case.get("aliases", {}))
        alone = call.entries[0] if len(call.entries) == 1 else None
        seen = {"profiles": list(call.entries), "profile": alone, "aggregationKey": key}
        made.append({"aggregationKey": key, "rendered": template.render({"input": seen})})

    assert made == case["calls"]
