"""A destination is published after a review, as it was when it was asked for."""

import pytest

from support import in_process

from .conftest import DESTINATIONS, PUBLISH, REQUESTS, SERVERS, codes, destination_on, paths

COVERED = ("missing-documentation-link", "incomplete-documentation")


@pytest.fixture(scope="module")
def reviewer(headrace):
    """Somebody else of the organization that runs the installation."""
    return headrace.as_client()


@pytest.fixture
def destination(api, destination_document):
    return api.post(DESTINATIONS, destination_document).json["instanceId"]


def submit(api, destination, access="ALL", **more):
    return api.post(PUBLISH, {"destinationId": destination, "destinationAccess": access, **more})


def newest(answer):
    assert answer.status in (200, 201), answer.text
    return answer.json["publishDetailsList"][-1]


def statuses(api, destination):
    entries = api.get(f"{PUBLISH}/{destination}").json["publishDetailsList"]
    return [entry["status"] for entry in entries]


def publish(api, reviewer, destination, access="ALL", **more):
    config_id = newest(submit(api, destination, access, **more))["configId"]
    assert reviewer.post(f"{REQUESTS}/{config_id}/approve", None).status == 200
    return config_id


# -- authors ---------------------------------------------------------------------------------------------------------


def test_a_request_stands_beside_the_version_that_is_worked_on(headrace, api, destination):
    """The specification's T23."""
    answer = submit(api, destination)

    assert answer.status == 201
    read = api.get(f"{PUBLISH}/{destination}").json
    working, request = read["publishDetailsList"]
    assert read["destinationId"] == destination
    assert {name: working[name] for name in ("allowedOrgs", "status", "destinationType")} == {
        "allowedOrgs": [headrace.credentials["org"]], "status": "TEST", "destinationType": "DEV",
    }  # fmt: skip
    assert "publishedDate" not in working
    assert {name: request[name] for name in ("allowedOrgs", "status", "destinationType")} == {
        "allowedOrgs": ["*"], "status": "REVIEW", "destinationType": "PUBLIC",
    }  # fmt: skip
    assert isinstance(request["publishedDate"], int)
    assert request == newest(answer)


def test_all_requests_are_listed_by_destination(api, destination):
    submit(api, destination)

    listed = api.get(PUBLISH)

    assert listed.status == 200
    assert api.get(f"{PUBLISH}/{destination}").json in listed.json
    assert all(len(item["publishDetailsList"]) > 1 for item in listed.json)


def test_a_destination_that_nobody_asked_to_publish_is_only_worked_on(api, destination):
    assert statuses(api, destination) == ["TEST"]


def test_an_unknown_destination_is_404(api):
    assert api.get(f"{PUBLISH}/absent").status == 404
    assert api.put(f"{PUBLISH}/absent", {"destinationAccess": "ALL"}).status == 404
    assert submit(api, "absent").status == 404


WRONG = {
    "no destination": ({"destinationAccess": "ALL"}, ["/destinationId"]),
    "no access": ({"destinationId": "x"}, ["/destinationAccess"]),
    "another access": ({"destinationId": "x", "destinationAccess": "SOME"}, ["/destinationAccess"]),
    "limited to nobody": ({"destinationId": "x", "destinationAccess": "LIMITED"}, ["/allowedOrgs"]),
    "limited to all": (
        {"destinationId": "x", "destinationAccess": "LIMITED", "allowedOrgs": ["a", "*"]},
        ["/allowedOrgs"],
    ),
    "all, and some": ({"destinationId": "x", "destinationAccess": "ALL", "allowedOrgs": ["a"]}, ["/allowedOrgs"]),
    "no texts": ({"destinationId": "x", "destinationAccess": "LIMITED", "allowedOrgs": [1]}, ["/allowedOrgs/0"]),
    "a field that is none": ({"destinationId": "x", "destinationAccess": "ALL", "more": 1}, ["/more"]),
    "no object": ([], [""]),
}


@pytest.mark.parametrize(("body", "where"), WRONG.values(), ids=WRONG)
def test_a_request_that_is_not_right_is_told(api, body, where):
    assert paths(api.post(PUBLISH, body)) == where


def test_everything_is_checked_again_and_more_is_asked_of_what_is_public(api, destination_document):
    looks = destination_document["uiAttributes"]
    del looks["documentationLink"]
    destination = api.post(DESTINATIONS, destination_document).json["instanceId"]

    answer = submit(api, destination)

    assert codes(answer)["/uiAttributes/documentationLink"] == "missing-documentation-link"
    assert statuses(api, destination) == ["TEST"]


def test_what_operators_would_miss_is_a_warning(api, destination_document):
    document = {**destination_document, "uiAttributes": {"documentationLink": "https://acme.example/help"}}
    document.pop("description", None)
    destination = api.post(DESTINATIONS, document).json["instanceId"]

    answer = submit(api, destination)

    assert answer.status == 201
    missing = [item for item in answer.json["x-headrace"]["warnings"] if item["code"] == "incomplete-documentation"]
    warned = {item["path"] for item in missing}
    assert {
        "/x-headrace/documentation/useCases",
        "/description",
        "/uiAttributes/category",
        "/uiAttributes/icon",
    } <= warned


def test_one_request_is_open_at_a_time(api, destination):
    first = newest(submit(api, destination))["configId"]

    again = submit(api, destination)

    assert (again.status, again.json["code"]) == (409, "conflict")
    assert first in again.json["detail"]
    assert api.post(f"{REQUESTS}/{first}/withdraw", {"reason": "a slip"}).status == 200
    assert submit(api, destination).status == 201
    assert statuses(api, destination) == ["TEST", "REVOKED", "REVIEW"]


# -- reviewers -------------------------------------------------------------------------------------------------------


def test_who_approves_publishes_and_what_was_there_before_is_deprecated(api, reviewer, destination):
    publish(api, reviewer, destination)
    assert statuses(api, destination) == ["TEST", "PUBLISHED"]

    publish(api, reviewer, destination)

    assert statuses(api, destination) == ["TEST", "DEPRECATED", "PUBLISHED"]
    assert "decidedBy" in api.get(f"{PUBLISH}/{destination}").json["publishDetailsList"][-1]["x-headrace"]


def test_who_refuses_says_why_and_the_author_reads_it(api, reviewer, destination):
    config_id = newest(submit(api, destination))["configId"]

    assert paths(reviewer.post(f"{REQUESTS}/{config_id}/reject", {})) == ["/reason"]
    assert paths(reviewer.post(f"{REQUESTS}/{config_id}/reject", {"reason": ""})) == ["/reason"]
    answer = reviewer.post(f"{REQUESTS}/{config_id}/reject", {"reason": "the page is empty"})

    assert answer.json["status"] == "DENIED"
    entry = api.get(f"{PUBLISH}/{destination}").json["publishDetailsList"][-1]
    assert (entry["status"], entry["x-headrace"]["reason"]) == ("DENIED", "the page is empty")
    assert newest(submit(api, destination))["status"] == "REVIEW"


@pytest.mark.parametrize("step", ["approve", "reject"])
def test_nobody_decides_their_own_request(headrace, api, destination, step):
    config_id = newest(submit(api, destination))["configId"]

    answer = api.post(f"{REQUESTS}/{config_id}/{step}", {"reason": "mine"})

    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert statuses(api, destination) == ["TEST", "REVIEW"]


def test_one_person_alone_may_where_that_is_allowed(tmp_path, server_document):
    with in_process(tmp_path, self_review=True) as headrace:
        api = headrace.api
        server = api.post(SERVERS, server_document).json["instanceId"]
        destination = api.post(DESTINATIONS, destination_on(server)).json["instanceId"]

        publish(api, api, destination)

        assert statuses(api, destination) == ["TEST", "PUBLISHED"]


def test_a_decision_is_final(api, reviewer, destination):
    config_id = publish(api, reviewer, destination)

    for step, body in (("approve", None), ("reject", {"reason": "no"})):
        assert reviewer.post(f"{REQUESTS}/{config_id}/{step}", body).status == 409
    assert reviewer.post(f"{REQUESTS}/{config_id}/withdraw", {"reason": "x"}).json["status"] == "REVOKED"
    assert reviewer.post(f"{REQUESTS}/{config_id}/withdraw", {"reason": "x"}).status == 409


@pytest.mark.parametrize(
    ("method", "end"), [("GET", ""), ("POST", "/approve"), ("POST", "/reject"), ("POST", "/withdraw")]
)
def test_only_the_organization_that_runs_the_installation_reviews(headrace, api, destination, method, end):
    config_id = newest(submit(api, destination))["configId"]
    guest = headrace.as_client("guest@org")

    foreign = guest.send(method, f"{REQUESTS}/{config_id}{end}", {"reason": "x"} if end else None)

    assert (foreign.status, foreign.json["code"]) == (403, "forbidden")
    assert guest.get(REQUESTS).status == 403


def test_an_author_of_another_sandbox_does_not_see_the_request(headrace, destination, api):
    submit(api, destination)
    other = headrace.as_client(sandbox="other")

    assert other.get(f"{PUBLISH}/{destination}").status == 404
    assert other.get(PUBLISH).json == []
    assert other.post(f"{PUBLISH}/{destination}/withdraw", {"reason": "x"}).status == 404
    assert submit(other, destination).status == 404


def test_an_author_takes_back_the_open_request_first_and_then_what_is_published(api, reviewer, destination):
    publish(api, reviewer, destination)
    submit(api, destination)

    taken = [api.post(f"{PUBLISH}/{destination}/withdraw", {"reason": "x"}) for _ in range(3)]

    assert [answer.status for answer in taken] == [200, 200, 409]
    assert [answer.json["status"] for answer in taken[:2]] == ["REVOKED", "REVOKED"]
    assert statuses(api, destination) == ["TEST", "REVOKED", "REVOKED"]
    assert reviewer.get(f"{REQUESTS}/{taken[0].json['configId']}").json["status"] == "REVOKED"


def test_a_withdrawal_says_why(api, destination):
    submit(api, destination)

    assert paths(api.post(f"{PUBLISH}/{destination}/withdraw", {})) == ["/reason"]
    assert statuses(api, destination) == ["TEST", "REVIEW"]


def test_a_reviewer_reads_what_is_frozen_and_what_has_changed_since_the_last(api, reviewer, server_document):
    server = api.post(SERVERS, server_document).json["instanceId"]
    document = {**destination_on(server), "name": "Acme"}
    destination = api.post(DESTINATIONS, document).json["instanceId"]
    before = publish(api, reviewer, destination)
    api.put(f"{DESTINATIONS}/{destination}", {**document, "description": "new"})
    moved = {"templatingStrategy": "PEBBLE_V1", "value": "https://{{ customerData.region }}.new.example/v1"}
    server_document["urlBasedDestination"]["url"] = moved
    region = [{"name": "region", "type": "string"}]
    api.put(f"{DESTINATIONS}/{destination}", {**document, "description": "new", "customerDataFields": region})
    answer = api.put(f"{SERVERS}/{server}", server_document)
    assert answer.status == 200, answer.text
    config_id = newest(submit(api, destination))["configId"]
    api.put(f"{DESTINATIONS}/{destination}", {**document, "description": "newer", "customerDataFields": region})

    read = reviewer.get(f"{REQUESTS}/{config_id}").json

    parts = {part["noun"]: part for part in read["documents"]}
    assert parts["destination"]["document"]["description"] == "new"
    assert {change["path"] for change in parts["destination"]["changes"]} >= {"/description"}
    changed = [change["path"] for change in parts["destination-server"]["changes"]]
    assert changed == ["/urlBasedDestination/url/templatingStrategy", "/urlBasedDestination/url/value"]
    assert read["published"] == before
    assert read["newOrigins"] == ["https://{{customerData.region}}.new.example"]
    assert read["newOrigins"][0] in read["origins"]
    assert {"audience:*", "customerData:region"} <= set(read["fields"])
    assert read["errors"] == []
    assert (read["destinationId"], read["sandbox"], read["status"]) == (destination, "prod", "REVIEW")


def test_requests_are_listed_for_reviewers_by_status(api, reviewer, destination):
    config_id = newest(submit(api, destination))["configId"]

    open_ = reviewer.get(f"{REQUESTS}?status=REVIEW").json["items"]
    published = reviewer.get(f"{REQUESTS}?status=PUBLISHED").json["items"]

    assert config_id in [item["configId"] for item in open_]
    assert {item["status"] for item in open_} == {"REVIEW"}
    assert config_id not in [item["configId"] for item in published]
    assert config_id in [item["configId"] for item in reviewer.get(REQUESTS).json["items"]]
    assert paths(reviewer.get(f"{REQUESTS}?status=OPEN")) == ["/query/status"]


@pytest.mark.parametrize("id_", ["absent", "%00", "x" * 2000])
def test_an_unknown_request_is_404(reviewer, id_):
    assert reviewer.get(f"{REQUESTS}/{id_}").status == 404
    for step in ("approve", "reject", "withdraw"):
        assert reviewer.post(f"{REQUESTS}/{id_}/{step}", {"reason": "x"}).status == 404


# -- for whom --------------------------------------------------------------------------------------------------------


def test_who_sees_it_is_narrowed_at_once_and_widened_by_review(api, reviewer, destination):
    publish(api, reviewer, destination, "LIMITED", allowedOrgs=["a", "b"])
    where = f"{PUBLISH}/{destination}"

    narrowed = newest(api.put(where, {"destinationAccess": "LIMITED", "allowedOrgs": ["a"]}))
    assert (narrowed["status"], narrowed["allowedOrgs"]) == ("PUBLISHED", ["a"])

    widened = newest(api.put(where, {"destinationAccess": "LIMITED", "allowedOrgs": ["a", "c"]}))
    assert (widened["status"], widened["allowedOrgs"]) == ("REVIEW", ["a", "c"])
    assert statuses(api, destination) == ["TEST", "PUBLISHED", "REVIEW"]


def test_an_open_request_gives_way_to_a_new_one_for_the_same_versions(api, reviewer, destination):
    first = newest(submit(api, destination, "LIMITED", allowedOrgs=["a"]))["configId"]
    frozen = reviewer.get(f"{REQUESTS}/{first}").json["documents"]
    document = api.get(f"{DESTINATIONS}/{destination}").json
    api.put(f"{DESTINATIONS}/{destination}", {**document, "description": "changed meanwhile"})

    second = newest(api.put(f"{PUBLISH}/{destination}", {"destinationAccess": "ALL"}))["configId"]

    assert statuses(api, destination) == ["TEST", "REVOKED", "REVIEW"]
    assert reviewer.post(f"{REQUESTS}/{first}/approve", None).status == 409
    assert reviewer.get(f"{REQUESTS}/{second}").json["documents"] == frozen


def test_without_a_request_there_is_nothing_to_change(api, destination):
    assert api.put(f"{PUBLISH}/{destination}", {"destinationAccess": "ALL"}).status == 404


def test_a_body_that_names_another_destination_is_refused(api, destination):
    submit(api, destination)

    answer = api.put(f"{PUBLISH}/{destination}", {"destinationId": "another", "destinationAccess": "ALL"})

    assert codes(answer) == {"/destinationId": "wrong-id"}


def test_every_step_is_in_the_audit(headrace, api, reviewer, destination):
    config_id = publish(api, reviewer, destination)
    reviewer.post(f"{REQUESTS}/{config_id}/withdraw", {"reason": "over"})
    query = "SELECT action, actor FROM audit WHERE id = :id ORDER BY entry"

    noted = headrace.app.store.read_now(lambda tx: tx.run(query, {"id": config_id}).fetchall())

    author, other = (f"client:{who.headers['x-api-key']}" for who in (api, reviewer))
    assert noted == [("submit", author), ("approve", other), ("withdraw", other)]
