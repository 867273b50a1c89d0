"""The limits of the original on what one sandbox, and one dataflow, has."""

import pytest

from headrace.testkit.partner import Partner
from support import FLOWS, in_process

from .conftest import Operator, codes

COVERED = ("too-many",)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A Headrace whose sandboxes have three destinations at most."""
    with Partner.in_thread() as partner, in_process(tmp_path_factory.mktemp("small"), most_destinations=3) as headrace:
        yield Operator(headrace, partner)


def test_a_dataflow_of_very_many_audiences_is_kept_with_a_warning(small):
    document = small.flow_document(small.destination())
    params = document["transformations"][0]["params"]
    selectors = [
        {"type": "PLATFORM_SEGMENT", "value": {"id": f"a-{number}", "mappingId": f"list-{number}"}}
        for number in range(251)
    ]
    params["segmentSelectors"] = {"selectors": selectors}
    api = small.headrace.api

    made = api.post(f"{FLOWS}/flows", document)

    assert made.status == 201, made.text
    (warning,) = made.json["x-headrace"]["warnings"]
    assert (warning["code"], warning["severity"]) == ("larger-than-advised", "warning")
    assert "251" in warning["message"]
    assert "250" in warning["message"]
    where = "/transformations/0/params/segmentSelectors/selectors/0"
    fewer = api.patch(f"{FLOWS}/flows/{made.json['id']}", [{"op": "remove", "path": where}], made.json["etag"])
    assert fewer.json.keys() == {"id", "etag"}


def test_a_sandbox_has_so_many_destinations_and_no_more(small):
    destination = small.destination()
    account = small.account(destination).json["id"]
    data = {"workspace": "harbour-2026"}
    answers = [small.target(destination, account, data) for _ in range(4)]

    assert codes(answers[-1]) == {"": "too-many"}
    assert "3 destinations are set up in this sandbox, and 3 is the most" in answers[-1].text
    made = [answer.json["id"] for answer in answers if answer.status == 201]
    assert small.headrace.api.delete(f"{FLOWS}/targetConnections/{made[0]}").status == 202
    assert small.target(destination, account, data).status == 201
