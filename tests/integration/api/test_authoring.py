"""Authors write destination servers and destinations over REST, and are told of everything that is wrong."""

import copy
import json
import re

import pytest

from support import FLOWS

from .conftest import DESTINATIONS, SERVERS, TEMPLATES, codes, destination_on, paths

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SERVER_SET = {"instanceId", "createdDate", "lastModifiedDate"}
DESTINATION_SET = SERVER_SET | {"imsOrg", "sandboxName", "sandboxId", "destConfigId", "backfillHistoricalProfileData"}
COVERED = (
    "no-credentials",
    "not-a-delivery-server",
    "template-syntax",
    "unknown-customer-data",
    "unknown-server",
    "wrong-id",
)
NOUNS = {"server": SERVERS, "destination": DESTINATIONS, "template": TEMPLATES}


@pytest.fixture(params=NOUNS)
def noun(request, server_document, destination_document, template_document):
    """A path, a document that is right there, and what the server adds to it."""
    documents = {"server": server_document, "destination": destination_document, "template": template_document}
    added = DESTINATION_SET if request.param == "destination" else SERVER_SET
    return NOUNS[request.param], documents[request.param], added


def named(document, name):
    """A document under another name."""
    if "metadataTemplate" in document:
        return {**document, "metadataTemplate": {**document["metadataTemplate"], "name": name}}
    return {**document, "name": name}


def name_of(document):
    return document.get("metadataTemplate", document)["name"]


def test_a_new_object_is_answered_with_what_the_server_adds(api, noun):
    path, document, added = noun

    answer = api.post(path, document)

    assert answer.status == 200
    assert set(answer.json) == set(document) | added
    assert DATE.fullmatch(answer.json["createdDate"])
    assert answer.json["lastModifiedDate"] == answer.json["createdDate"]


def test_the_value_read_back_is_the_value_sent(api, noun):
    path, document, added = noun
    created = api.post(path, document).json

    read = api.get(f"{path}/{created['instanceId']}")

    assert read.status == 200
    assert read.json == created
    assert {key: value for key, value in read.json.items() if key not in added} == document


def test_texts_survive_as_they_are(api, noun):
    path, document, _ = noun
    name = "\u0000 «Zoë» 山田 \u2028 👩\u200d👩\u200d👧 \"'\\ {{ x }} " + "x" * 10_000

    created = api.post(path, named(document, name)).json

    assert name_of(api.get(f"{path}/{created['instanceId']}").json) == name


def test_a_list_has_everything_oldest_first(api, noun):
    path, document, _ = noun
    before = [item["instanceId"] for item in api.get(path).json["items"]]
    new = [api.post(path, named(document, f"number {number}")).json for number in range(3)]

    answer = api.get(path)

    assert set(answer.json) == {"items"}
    assert [item["instanceId"] for item in answer.json["items"]] == before + [item["instanceId"] for item in new]
    assert answer.json["items"][len(before) :] == new


def test_a_replacement_is_whole_and_keeps_the_id_and_the_date_of_birth(api, noun):
    path, document, _ = noun
    created = api.post(path, named(document, "before")).json

    answer = api.put(f"{path}/{created['instanceId']}", named(document, "after"))

    assert answer.status == 200
    assert name_of(answer.json) == "after"
    assert answer.json["instanceId"] == created["instanceId"]
    assert answer.json["createdDate"] == created["createdDate"]
    assert answer.json["lastModifiedDate"] >= created["lastModifiedDate"]
    assert api.get(f"{path}/{created['instanceId']}").json == answer.json


def test_a_replacement_is_no_merge(api, destination_document):
    created = api.post(DESTINATIONS, {**destination_document, "description": "gone soon"}).json
    without = {key: value for key, value in destination_document.items() if key != "description"}

    answer = api.put(f"{DESTINATIONS}/{created['instanceId']}", without)

    assert "description" not in answer.json


def test_what_the_server_set_may_be_sent_back_and_counts_for_nothing(api, noun):
    path, document, _ = noun
    created = api.post(path, document).json
    back = {**created, "createdDate": "1970-01-01T00:00:00.000000Z", "qos": {"rate": 1}}

    answer = api.put(f"{path}/{created['instanceId']}", back)

    assert answer.status == 200
    assert answer.json["createdDate"] == created["createdDate"]
    assert set(answer.json) == set(created)


def test_an_id_of_ones_own_choice_counts_for_nothing(api, noun):
    path, document, _ = noun

    assert api.post(path, {**document, "instanceId": "mine"}).json["instanceId"] != "mine"


def test_a_replacement_that_says_it_is_another_is_refused(api, noun):
    path, document, _ = noun
    created = api.post(path, document).json

    answer = api.put(f"{path}/{created['instanceId']}", {**document, "instanceId": "another"})

    assert codes(answer) == {"/instanceId": "wrong-id"}


def test_what_is_deleted_is_gone(api, noun):
    path, document, _ = noun
    created = api.post(path, document).json

    answer = api.delete(f"{path}/{created['instanceId']}")

    assert (answer.status, answer.text) == (200, "")
    assert api.get(f"{path}/{created['instanceId']}").status == 404
    assert api.put(f"{path}/{created['instanceId']}", document).status == 404
    assert api.delete(f"{path}/{created['instanceId']}").status == 404
    assert created["instanceId"] not in [item["instanceId"] for item in api.get(path).json["items"]]


@pytest.mark.parametrize("id_", ["absent", "..%2f..", "%00", "%ff", "a%20b", "x" * 3000, "%27%20OR%201=1"])
def test_an_unknown_id_is_404(api, noun, id_):
    path, document, _ = noun

    answer = api.get(f"{path}/{id_}")

    assert answer.status == 404
    assert answer.json["status"] == 404
    assert api.put(f"{path}/{id_}", document).status == 404


def test_a_method_that_is_not_there_is_405(api, noun):
    path, document, _ = noun
    created = api.post(path, document).json

    answer = api.send("PATCH", f"{path}/{created['instanceId']}", [])

    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "PUT", "POST", "DELETE"}
    assert answer.json["status"] == 405
    assert api.delete(path).status == 405


KINDS = {
    "none": None,
    "text": "text/plain",
    "a form": "application/x-www-form-urlencoded",
    "nearly": "application/jsonp",
    "empty": "",
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_body_must_be_said_to_be_json(api, noun, kind):
    path, document, _ = noun

    answer = api.post(path, json.dumps(document).encode(), {"Content-Type": kind})

    assert answer.status == 400
    assert answer.json["title"] == "BadRequestError"
    assert answer.json["detail"] == "A valid content-type must be specified"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.adobe+json"])
def test_json_may_be_said_in_several_ways(api, noun, kind):
    path, document, _ = noun

    assert api.post(path, json.dumps(document).encode(), {"Content-Type": kind}).status == 200


NOT_JSON = {
    "cut off": b'{"name": ',
    "empty": b"",
    "no number": b'{"name": NaN}',
    "without end": b'{"name": Infinity}',
    "half a surrogate": b'{"name": "\\ud800"}',
    "not UTF-8": b'{"name": "\xff"}',
    "too deep": b"[" * 100_000,
    "two documents": b"{}{}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_not_json_is_refused(api, noun, body):
    answer = api.post(noun[0], body, {"Content-Type": "application/json"})

    assert answer.status == 400
    assert answer.json["code"] == "bad-request"
    assert answer.json["detail"].startswith("the body is not JSON: ")


@pytest.mark.parametrize("body", [None, [], [{}], "text", 7, True], ids=str)
def test_a_body_that_is_no_object_is_refused(api, noun, body):
    answer = api.post(noun[0], json.dumps(body).encode(), {"Content-Type": "application/json"})

    assert paths(answer) == [""]


@pytest.mark.parametrize("nested", [b'{"a":' * 900 + b"1" + b"}" * 900, b"[" * 900 + b"]" * 900], ids=["maps", "lists"])
def test_a_body_that_is_deep_is_refused_in_words(api, noun, nested):
    path, document, _ = noun
    body = json.dumps(document).encode()[:-1] + b', "uiAttributes": ' + nested + b"}"

    answer = api.post(path, body, {"Content-Type": "application/json"})

    assert answer.status == 400
    assert answer.json["detail"] == "the body is not JSON: it is nested over 100 levels deep"


def test_every_problem_of_a_server_is_told_at_once(api, server_document):
    server_document["destinationServerType"] = "FTP"
    server_document["httpTemplat"] = server_document["httpTemplate"]
    server_document["httpTemplate"]["httpMethod"] = "SEND"
    server_document["httpTemplate"]["headers"][0]["valeu"] = 1
    server_document["httpTemplate"]["requestBody"]["value"] = "{{ a\nb %} {% if %}"
    server_document["urlBasedDestination"]["url"] = {"templatingStrategy": "PEBBLE_V1"}
    del server_document["name"]

    found = codes(api.post(SERVERS, server_document))

    assert found == {
        "/destinationServerType": "not-allowed",
        "/httpTemplat": "unknown-field",
        "/httpTemplat/requestBody/value": "template-syntax",
        "/httpTemplate/httpMethod": "not-allowed",
        "/httpTemplate/headers/0/valeu": "unknown-field",
        "/httpTemplate/requestBody/value": "template-syntax",
        "/name": "missing-field",
        "/urlBasedDestination/url/value": "missing-field",
    }


def test_every_problem_of_a_destination_is_told_at_once(api, destination_document):
    destination_document |= {
        "status": "NEW",
        "maxProfileAttributes": "many",
        "customerDataFields": [{"name": "", "type": "date"}],
        "identityNamespaces": {"id": {}, "other/one": {"acceptsAttribute": True}},
    }
    destination_document["aggregation"]["bestEffortAggregation"]["maxUsersPerRequest"] = 0
    destination_document["destinationDelivery"].append({})

    found = paths(api.post(DESTINATIONS, destination_document))

    assert {
        "/status",
        "/maxProfileAttributes",
        "/customerDataFields/0/name",
        "/customerDataFields/0/type",
        "/identityNamespaces/id",
        "/identityNamespaces/other~1one/acceptsAttribute",
        "/aggregation/bestEffortAggregation/maxUsersPerRequest",
        "/destinationDelivery/1/authenticationRule",
    } <= set(found)


NEAREST = {
    "httpTemplat": "httpTemplate",
    "http_template": "httpTemplate",
    "HTTPTEMPLATE": "httpTemplate",
    "urlBasedDestinations": "urlBasedDestination",
    "destinationserverType": "destinationServerType",
}


@pytest.mark.parametrize(("wrong", "right"), NEAREST.items(), ids=NEAREST)
def test_an_unknown_field_is_told_with_the_nearest_right_name(api, server_document, wrong, right):
    (problem,) = api.post(SERVERS, {**server_document, wrong: None}).json["errors"]

    assert problem["message"] == f"`{wrong}` is not a field here; did you mean `{right}`?"


def test_an_unknown_field_that_is_near_to_none_is_told_with_all_there_are(api, server_document):
    (problem,) = api.post(SERVERS, {**server_document, "zzz": 1}).json["errors"]

    assert problem["path"] == "/zzz"
    assert "these are: destinationServerType, fileBasedAdlsGen2Destination, " in problem["message"]


def test_unknown_fields_are_warnings_to_whoever_asks_for_that(api, noun):
    path, document, _ = noun
    document = {**document, "colour": {"deep": ["kept"]}}

    answer = api.post(f"{path}?strict=false", document)

    assert answer.status == 200
    (warning,) = answer.json["x-headrace"]["warnings"]
    assert (warning["path"], warning["severity"]) == ("/colour", "warning")
    read = api.get(f"{path}/{answer.json['instanceId']}").json
    assert read["colour"] == document["colour"]
    assert "x-headrace" not in read
    assert codes(api.put(f"{path}/{answer.json['instanceId']}", document)) == {"/colour": "unknown-field"}
    assert api.put(f"{path}/{answer.json['instanceId']}?strict=false", document).status == 200


def test_leniency_ends_at_what_is_wrong(api, server_document):
    server_document |= {"colour": 1, "destinationServerType": "FTP"}

    answer = api.post(f"{SERVERS}?strict=false", server_document)

    assert "/destinationServerType" in paths(answer)


def test_a_query_that_is_not_right_is_told(api, server_document):
    answer = api.post(f"{SERVERS}?strict=perhaps", server_document)

    assert paths(answer) == ["/query/strict"]


def test_a_template_is_told_with_line_and_column(api, server_document):
    server_document["httpTemplate"]["requestBody"]["value"] = '{"a": 1,\n  "b": {{ input.profile | nosuch }}}'

    (problem,) = api.post(SERVERS, server_document).json["errors"]

    assert problem["path"] == "/httpTemplate/requestBody/value"
    assert problem["code"] == "template-syntax"
    assert "httpTemplate/requestBody:2:" in problem["message"]
    assert "nosuch" in problem["message"]


def test_templates_are_judged_in_every_place_that_has_them(api, server_document):
    broken = {"templatingStrategy": "PEBBLE_V1", "value": "{{"}
    server_document["urlBasedDestination"]["url"] = broken
    server_document["httpTemplate"]["queryParameters"] = broken
    server_document["httpTemplate"]["headers"] = [{"header": "X", "value": broken}]

    assert paths(api.post(SERVERS, server_document)) == [
        "/httpTemplate/headers/0/value/value",
        "/httpTemplate/queryParameters/value",
        "/urlBasedDestination/url/value",
    ]


def test_what_is_no_template_may_look_like_one(api, server_document):
    server_document["httpTemplate"]["requestBody"] = {"templatingStrategy": "NONE", "value": "{{"}

    assert api.post(SERVERS, server_document).status == 200


def reading_customer_data(server_document):
    body = '{"region": "{{ customerData.region }}"}'
    server_document["httpTemplate"]["requestBody"] = {"templatingStrategy": "PEBBLE_V1", "value": body}
    return server_document


REGION = {"name": "region", "type": "string"}


def test_customer_data_that_the_destination_does_not_ask_for_is_told(api, server_document):
    server = api.post(SERVERS, reading_customer_data(server_document)).json["instanceId"]

    (problem,) = api.post(DESTINATIONS, destination_on(server)).json["errors"]

    assert problem["code"] == "unknown-customer-data"
    assert problem["path"] == "/destinationDelivery/0/destinationServerId"
    assert "`customerData.region`" in problem["message"]
    assert api.post(DESTINATIONS, {**destination_on(server), "customerDataFields": [REGION]}).status == 200


def test_a_server_is_changed_only_to_what_its_destinations_can_use(api, server_document):
    server = api.post(SERVERS, server_document).json["instanceId"]
    api.post(DESTINATIONS, {**destination_on(server), "name": "Acme"})

    answer = api.put(f"{SERVERS}/{server}", reading_customer_data(copy.deepcopy(server_document))).json
    (problem,) = [problem for problem in answer["errors"] if problem["severity"] == "error"]

    assert problem["path"] == "/httpTemplate/requestBody"
    assert problem["message"].startswith("with destination 'Acme': ")
    assert api.get(f"{SERVERS}/{server}").json["httpTemplate"] == server_document["httpTemplate"]


def test_a_server_that_only_answers_cannot_deliver(api, server_document):
    del server_document["httpTemplate"]["requestBody"]
    server = api.post(SERVERS, server_document).json["instanceId"]

    assert set(codes(api.post(DESTINATIONS, destination_on(server))).values()) == {"not-a-delivery-server"}


def test_a_server_that_is_not_there_is_told(api):
    answer = api.post(DESTINATIONS, destination_on("absent"))

    assert codes(answer) == {"/destinationDelivery/0/destinationServerId": "unknown-server"}


def test_credentials_for_all_are_told_to_be_missing(api, destination_document):
    delivery = destination_document["destinationDelivery"][0]
    delivery |= {"authenticationRule": "PLATFORM_AUTHENTICATION", "authenticationId": "x"}
    del destination_document["customerAuthenticationConfigurations"]

    answer = api.post(DESTINATIONS, destination_document)

    assert codes(answer) == {"/destinationDelivery/0/authenticationId": "no-credentials"}


def test_a_server_in_use_is_not_deleted_and_who_uses_it_is_told(api, server_document):
    server = api.post(SERVERS, server_document).json["instanceId"]
    destination = api.post(DESTINATIONS, {**destination_on(server), "name": "Acme"}).json["instanceId"]

    answer = api.delete(f"{SERVERS}/{server}")

    assert answer.status == 409
    assert answer.json["code"] == "conflict"
    assert answer.json["detail"] == "this destination server is in use by destination 'Acme'; delete that first"
    assert api.delete(f"{DESTINATIONS}/{destination}").status == 200
    assert api.delete(f"{SERVERS}/{server}").status == 200


def test_a_destination_in_use_is_not_deleted_and_who_uses_it_is_told(api, operator):
    destination = operator.destination()
    account = operator.account(destination, name="Acme's account")

    answer = api.delete(f"{DESTINATIONS}/{destination}")

    assert account.status == 201
    assert answer.status == 409
    assert 'account "Acme\'s account"' in answer.json["detail"]


def test_a_destination_in_use_is_not_changed_under_its_dataflows(api, operator):
    flow = operator.flow()
    target = api.get(f"{FLOWS}/flows/{flow}").json["items"][0]["targetConnectionIds"][0]
    destination = api.get(f"{FLOWS}/targetConnections/{target}").json["items"][0]["connectionSpec"]["id"]
    document = api.get(f"{DESTINATIONS}/{destination}").json
    renamed = {**document, "identityNamespaces": {"member": {"acceptsCustomNamespaces": True}}}
    regrouped = copy.deepcopy(document)
    regrouped["aggregation"]["bestEffortAggregation"]["aggregationKey"]["includeSegmentStatus"] = True

    first, second = (api.put(f"{DESTINATIONS}/{destination}", changed) for changed in (renamed, regrouped))

    assert "with dataflow 'All audiences to Lighthouse'" in first.text
    assert "/aggregation/bestEffortAggregation" in paths(second)
    assert api.get(f"{DESTINATIONS}/{destination}").json == document
    assert api.put(f"{DESTINATIONS}/{destination}", {**document, "description": "new"}).status == 200


def test_a_pattern_that_is_none_is_told_to_its_author(api, destination_document):
    destination_document["customerDataFields"] = [{"name": "region", "type": "string", "pattern": "("}]

    assert paths(api.post(DESTINATIONS, destination_document)) == ["/customerDataFields/0/pattern"]
