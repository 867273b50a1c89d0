"""Export now, as the original's clients ask for it; nobody carries the runs here, so that they are under way."""

import pytest

from support import FLOWS
from unit.services.exports.filing import connect_files

NOW = "/data/core/activation/disflowprovider/adhocrun"
SECOND = {"Accept": "application/vnd.adobe.adhoc.activation+json; version=2"}


@pytest.fixture(scope="module")
def flow(headrace, api):
    """A dataflow that writes the files of two audiences once a day."""
    headrace.app.runs._kinds.pop("export")
    return connect_files(api, "a", "b", start="2026-01-01", time="23:59")


@pytest.fixture
def idle(api, flow):
    """The dataflow, with no run under way."""
    for run in api.get("/runs?kind=export&limit=1000").json["items"]:
        if run["endedAt"] is None:
            api.post(f"/runs/{run['id']}/cancel", {})
    return flow


def test_each_audience_has_a_run_with_a_url_to_look_at(api, idle):
    answer = api.post(NOW, {"activationInfo": {idle: ["a", "b"]}}, headers=SECOND)

    assert answer.status == 200, answer.text
    assert [(item["segment"], item["order"]) for item in answer.json["order"]] == [("a", idle), ("b", idle)]
    url = answer.json["order"][0]["statusURL"]
    path = f"{FLOWS}/runs/"
    assert url.startswith("http://127.0.0.1:")
    run = api.get(path + url.partition(path)[2]).json["items"][0]
    assert (run["flowId"], run["x-headrace"]["kind"]) == (idle, "export")


def test_the_first_form_names_jobs_that_are_of_no_effect(api, idle):
    asked = {"activationInfo": {idle: ["a"]}}
    for wrong in ({}, {"exportIds": []}, {"exportIds": [""]}, {"exportIds": "a"}, {"exportIds": [1]}):
        refused = api.post(NOW, asked | wrong)
        assert (refused.status, refused.json["code"]) == (400, "bad-request")
        assert "exportIds" in refused.json["detail"]

    assert api.post(NOW, asked | {"exportIds": ["a job of another system"]}).status == 200


def test_what_is_under_way_is_not_asked_for_again(api, idle):
    asked = {"activationInfo": {idle: ["a"]}}
    run = api.post(NOW, asked, headers=SECOND).json["order"][0]["statusURL"].rpartition("/")[2]

    refused = api.post(NOW, asked, headers=SECOND)

    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert refused.json["detail"] == f"Run already going on for audience `a` for order `{idle}` with run id `{run}`"


def test_an_audience_that_is_not_sent_is_named(api, idle):
    refused = api.post(NOW, {"activationInfo": {idle: ["a", "nobody's"]}}, headers=SECOND)

    assert (refused.status, refused.json["code"]) == (400, "request")
    assert refused.json["detail"] == "Segments `nobody's` are not part of this dataflow or out of schedule range!"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"activationInfo": {}},
        {"activationInfo": ["a"]},
        {"activationInfo": {"a": []}},
        {"activationInfo": {"a": "b"}},
        {"activationInfo": {"a": [1]}},
        {"activationInfo": {"a": [""]}},
    ],
)
def test_a_body_of_another_form_is_refused_with_the_form(api, body):
    refused = api.post(NOW, body, headers=SECOND)

    assert (refused.status, refused.json["code"]) == (400, "bad-request")
    assert "activationInfo" in refused.json["detail"]


def test_a_version_that_nobody_knows_is_refused(api, idle):
    unknown = {"Accept": "application/vnd.adobe.adhoc.activation+json; version=9"}
    refused = api.post(NOW, {"activationInfo": {idle: ["a"]}}, headers=unknown)

    assert (refused.status, refused.json["code"]) == (400, "bad-request")


def test_a_dataflow_shows_when_its_files_are_due(api, flow):
    (shown,) = api.get(f"{FLOWS}/flows/{flow}").json["items"]
    assert [(item["audience"], item["frequency"]) for item in shown["x-headrace"]["exports"]] == [
        ("a", "DAILY"),
        ("b", "DAILY"),
    ]
    assert all("T23:59:00" in item["nextSlot"] for item in shown["x-headrace"]["exports"])
