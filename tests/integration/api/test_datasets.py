"""Datasets through the REST API: declared, looked at, sampled, loaded, listed as the original's clients ask."""

import pytest

from support import FLOWS, eventually

from .conftest import PEOPLE, codes, dataset_document, paths

LAKE = f"{FLOWS}/connectionSpecs/23598e46-f560-407b-88d5-ea6207e49db0/configs"
LISTED = f"{LAKE}?outputType=activationDatasets&outputField=datasets"


def ended(api, run):
    eventually("the run ends", lambda: api.get(f"/runs/{run}").json["state"] not in ("asked", "running"))
    return api.get(f"/runs/{run}").json


@pytest.fixture(scope="module")
def dataset(api):
    """A dataset with a snapshot."""
    made = api.post("/datasets", dataset_document())
    assert made.status == 201, made.text
    taken = api.post(f"/datasets/{made.json['id']}/snapshots", {})
    assert taken.status == 202, taken.text
    assert ended(api, taken.json["run"]["id"])["state"] == "succeeded"
    return made.json["id"]


def test_a_dataset_is_shown_as_it_was_sent_with_its_snapshot(api, dataset):
    shown = api.get(f"/datasets/{dataset}").json

    assert {name: shown[name] for name in dataset_document()} == dataset_document()
    snapshot = shown["snapshot"]
    assert (snapshot["number"], snapshot["state"], snapshot["rows"], snapshot["badRows"]) == (1, "ready", 2, 1)
    assert snapshot["files"] == [{"path": str(PEOPLE / "people.csv"), "bytes": (PEOPLE / "people.csv").stat().st_size}]
    assert [column["name"] for column in snapshot["columns"]] == ["id", "email", "city"]
    assert (snapshot["bad"][0]["line"], snapshot["bad"][0]["code"]) == (4, "columns")
    assert shown in api.get("/datasets").json["items"]
    assert api.get(f"/datasets/{dataset}/snapshots/1").json == snapshot
    assert api.get(f"/datasets/{dataset}/snapshots").json == {"items": [snapshot], "next": None}
    for absent in ("2", "x", "-1", "99999999999"):
        assert api.get(f"/datasets/{dataset}/snapshots/{absent}").status == 404


def test_the_first_people_are_shown(api, dataset):
    rows = api.get(f"/datasets/{dataset}/sample?limit=3").json["items"]

    assert rows[0]["profile"] == {
        "profileId": "C-1",
        "identityMap": {"Email": [{"id": "ann@example.com"}]},
        "address": {"city": "Bern"},
    }
    assert (rows[1]["line"], rows[2]["code"]) == (3, "columns")
    assert paths(api.get(f"/datasets/{dataset}/sample?limit=0")) == ["/query/limit"]


def test_people_are_taken_in(api, dataset):
    asked = api.post(f"/datasets/{dataset}/load?snapshot=1", {})

    run = ended(api, asked.json["id"])
    assert (asked.status, run["state"], run["kind"]) == (202, "succeeded", "dataset-load")
    assert {name: run["progress"][name] for name in ("rows", "done", "accepted", "rejected")} == {
        "rows": 3,
        "done": 3,
        "accepted": 2,
        "rejected": 1,
    }
    assert run["progress"]["rejects"][0]["line"] == 4


def test_a_dataset_is_replaced_and_deleted(api):
    made = api.post("/datasets", dataset_document()).json

    stale = api.send("PUT", f"/datasets/{made['id']}", dataset_document(), {"If-Match": '"x"'})
    replaced = api.send("PUT", f"/datasets/{made['id']}", {**made, "name": "others"}, {"If-Match": made["etag"]})

    assert (stale.status, replaced.status, replaced.json["name"]) == (412, 200, "others")
    assert api.send("DELETE", f"/datasets/{made['id']}").status == 204
    assert api.get(f"/datasets/{made['id']}").status == 404


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        pytest.param({"format": "xml"}, {"/format": "not-allowed"}, id="no such format"),
        pytest.param({"location": None}, {"/location": "missing-field"}, id="no location"),
        pytest.param({"source": "crm"}, {"/source": "invalid"}, id="a source of files"),
        pytest.param({"query": "SELECT 1"}, {"/query": "invalid"}, id="a query to files"),
        pytest.param({"format": "sql", "location": None, "source": "crm"}, {"/query": "missing-field"}, id="no query"),
        pytest.param({"key": None, "identities": []}, {"/key": "missing-field"}, id="nobody"),
        pytest.param({"shape": "profiles", "format": "ndjson"}, {"/shape": "invalid"}, id="columns of whole profiles"),
        pytest.param(
            {"shape": "profiles", "key": None, "identities": [], "attributes": []},
            {"/shape": "not-allowed"},
            id="whole profiles in CSV",
        ),
        pytest.param(
            {"attributes": [{"column": "city", "path": "a.b"}, {"column": "id", "path": "a"}]},
            {"/attributes/1/path": "mapped-twice"},
            id="an attribute inside of another",
        ),
        pytest.param(
            {"attributes": [{"column": "city", "path": "identityMap.Email"}]},
            {"/attributes/0/path": "invalid-path"},
            id="an attribute that is an identity",
        ),
        pytest.param(
            {"identities": [{"column": "email", "namespace": "a"}, {"column": "email", "namespace": "b"}]},
            {"/identities/1/column": "named-twice"},
            id="a column as two identities",
        ),
        pytest.param(
            {"identities": [{"column": c, "namespace": c, "primary": True} for c in ("a", "b")]},
            {"/identities": "named-twice"},
            id="two primary identities",
        ),
        pytest.param({"csv": {"header": False}}, {"/csv/columns": "one-of-two"}, id="no names of columns"),
        pytest.param({"csv": {"delimiter": '"'}}, {"/csv/delimiter": "invalid"}, id="a delimiter that is the quote"),
        pytest.param({"csv": {"encoding": "base64"}}, {"/csv/encoding": "invalid"}, id="no encoding of texts"),
    ],
)
def test_a_dataset_that_is_not_right_is_refused(api, changes, problems):
    document = {name: value for name, value in {**dataset_document(), **changes}.items() if value is not None}

    assert codes(api.post("/datasets", document)) == problems


@pytest.mark.parametrize("location", ["/etc/passwd", f"{PEOPLE}/../conftest.py", "people.csv", "file:///etc/passwd"])
def test_a_location_outside_is_refused(api, location):
    answer = api.post("/datasets", {**dataset_document(), "location": location})

    assert (answer.status, answer.json["code"]) == (400, "misplaced")


def test_a_source_that_nobody_declared_is_refused(api):
    document = {"name": "crm", "format": "sql", "source": "postgresql://me@db/crm", "query": "SELECT 1", "key": "id"}

    answer = api.post("/datasets", document)

    assert (answer.status, answer.json["code"]) == (400, "no-such-source")


def test_datasets_are_listed_as_the_originals_clients_ask(api, dataset):
    api.post("/datasets", dataset_document())  # Without a snapshot there is nothing to send.

    answer = api.get(LISTED).json

    item = next(item for item in answer["items"] if item["id"] == dataset)
    assert (item["name"], item["state"]) == ("people", "ENABLED")
    assert answer["pageInfo"] == {"start": 0, "end": 1, "total": 1, "hasNext": False}
    assert api.get(f"{LISTED}&start=1").json == {
        "items": [],
        "pageInfo": {"start": 1, "end": 1, "total": 1, "hasNext": False},
    }
    assert api.get(f"{LISTED}&properties=name").json["items"] == [{"id": dataset, "name": "people"}]
    assert paths(api.get(LAKE)) == ["/query/outputField", "/query/outputType"]
    assert paths(api.get(f"{LISTED}&limit=101")) == ["/query/limit"]
    assert api.get(LISTED.replace("23598e46", "00000000")).status == 404
