"""What an operator reads of a dataflow whose partner is busy or down, while it is and afterwards."""

import pytest

from headrace.testkit.partner import Answer, Partner
from headrace.testkit.profiles import generate, ndjson
from support import FLOWS, eventually

BUSY = Answer(429, headers=(("Retry-After", "2"),))


@pytest.fixture(scope="module")
def flow(operator):
    return operator.flow("moviestar")


def told(api, flow):
    (item,) = api.get(f"{FLOWS}/flows/{flow}").json["items"]
    assert item["state"] == "enabled", "nobody has to mend it"
    return item.get("x-headrace", {}).get("partner")


def test_a_partner_that_is_busy_is_shown_and_goes_on_by_itself(headrace, api, flow, partner: Partner):
    assert told(api, flow) is None
    partner._script.append(BUSY)
    api.ingest(b"".join(ndjson(generate(20, seed=11))))

    shown = eventually("the dataflow says so", lambda: told(api, flow))

    assert (shown["state"], shown["reason"]) == ("slowed", "the partner answered 429")
    assert shown["since"] < shown["nextTry"]
    after = headrace.wait_until_settled(flow)
    assert after["delivered"] == after["accepted"] > 0
    assert after["parked"] == 0
