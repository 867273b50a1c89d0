"""What is in use is not deleted; who uses it is named, as far as the one who asks may know."""

import pytest

from support import FLOWS

from .conftest import CREDENTIALS, DESTINATIONS, PUBLISH, REQUESTS, SERVERS, TEMPLATES, destination_on


def uses(answer):
    assert (answer.status, answer.json["code"]) == (409, "conflict"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [(use["noun"], use["name"]) for use in answer.json["uses"]]


def fetched_from(id_, form):
    rule = "CUSTOMER_AUTHENTICATION"
    return {"authenticationRule": rule, "destinationServerId": id_, "value": "lists", "responseFormat": form}


def schema_from(id_):
    return {"segmentRequired": True, "dynamicSchemaConfig": {"dynamicEnum": fetched_from(id_, "SCHEMA")}}


def options_from(id_):
    return [{"name": "list", "type": "string", "dynamicEnum": fetched_from(id_, "NAME_VALUE")}]


#: A server that only answers.
ANSWERING = {
    "name": "Acme's fields",
    "destinationServerType": "URL_BASED",
    "urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": "https://api.acme.example/fields"}},
    "httpTemplate": {"httpMethod": "GET"},
    "responseFields": [{"name": "list", "templatingStrategy": "PEBBLE_V1", "value": "{}"}],
}


WAYS = {
    "the mapping of audiences": (TEMPLATES, lambda id_: {"audienceMetadataConfig": {"audienceTemplateId": id_}}),
    "the same in its older home": (TEMPLATES, lambda id_: {"segmentMappingConfig": {"audienceTemplateId": id_}}),
    "a schema that is fetched": (SERVERS, lambda id_: {"schemaConfig": schema_from(id_)}),
    "options that are fetched": (SERVERS, lambda id_: {"customerDataFields": options_from(id_)}),
}


@pytest.mark.parametrize(("path", "pointing"), WAYS.values(), ids=WAYS)
def test_whatever_a_destination_points_to_is_kept(api, path, pointing, template_document, destination_document):
    document = template_document if path == TEMPLATES else ANSWERING
    id_ = api.post(f"{path}?strict=false", document).json["instanceId"]
    sent = {**destination_document, "name": "Acme", **pointing(id_)}
    destination = api.post(f"{DESTINATIONS}?strict=false", sent)
    assert destination.status == 200, destination.text

    answer = api.delete(f"{path}/{id_}")

    assert uses(answer) == [("destination", "Acme")]
    assert answer.json["uses"][0]["id"] == destination.json["instanceId"]
    assert api.delete(f"{DESTINATIONS}/{destination.json['instanceId']}").status == 200
    assert api.delete(f"{path}/{id_}").status == 200


def test_shared_credentials_that_a_destination_signs_in_with_are_kept(api, credentials_document, destination_document):
    id_ = api.post(CREDENTIALS, credentials_document).json["instanceId"]
    destination_document["destinationDelivery"][0]["authenticationId"] = id_
    assert api.post(DESTINATIONS, {**destination_document, "name": "Acme"}).status == 200

    assert uses(api.delete(f"{CREDENTIALS}/{id_}")) == [("destination", "Acme")]


def test_all_that_use_an_object_are_listed(api, server_document):
    server = api.post(SERVERS, server_document).json["instanceId"]
    for number in range(5):
        api.post(DESTINATIONS, {**destination_on(server), "name": f"number {number}"})

    answer = api.delete(f"{SERVERS}/{server}")

    assert uses(answer) == [("destination", f"number {number}") for number in range(5)]
    assert "'number 2' and 2 more" in answer.json["detail"]


def test_a_destination_with_a_request_to_publish_is_kept_and_so_is_what_was_frozen(headrace, api, server_document):
    server, other = (api.post(SERVERS, server_document).json["instanceId"] for _ in range(2))
    destination = api.post(DESTINATIONS, {**destination_on(server), "name": "Acme"}).json["instanceId"]
    submitted = api.post(PUBLISH, {"destinationId": destination, "destinationAccess": "ALL"}).json
    config_id = submitted["publishDetailsList"][-1]["configId"]
    assert api.put(f"{DESTINATIONS}/{destination}", {**destination_on(other), "name": "Acme"}).status == 200

    assert uses(api.delete(f"{DESTINATIONS}/{destination}")) == [("publish-request", "Acme")]
    assert uses(api.delete(f"{SERVERS}/{server}")) == [("publish-request", "Acme")]
    assert uses(api.delete(f"{SERVERS}/{other}")) == [("destination", "Acme")]

    assert api.post(f"{REQUESTS}/{config_id}/withdraw", {"reason": "not yet"}).status == 200
    assert api.delete(f"{SERVERS}/{server}").status == 200
    assert api.delete(f"{DESTINATIONS}/{destination}").status == 200


def test_what_others_have_is_counted_and_not_named(headrace, api, operator):
    destination = operator.destination()
    config_id = api.post(PUBLISH, {"destinationId": destination, "destinationAccess": "ALL"}).json[
        "publishDetailsList"
    ][-1]["configId"]
    assert headrace.as_client().post(f"{REQUESTS}/{config_id}/approve", None).status == 200
    stranger = headrace.as_client("other@org")
    auth = {"specName": "BEARER", "params": {"token": "t"}}
    account = {"name": "their secret plan", "connectionSpec": {"id": destination}, "auth": auth}
    assert stranger.post(f"{FLOWS}/connections", account).status == 201
    assert api.post(f"{REQUESTS}/{config_id}/withdraw", {"reason": "over"}).status == 200

    answer = api.delete(f"{DESTINATIONS}/{destination}")

    assert uses(answer) == []
    assert answer.json["usesElsewhere"] == 1
    assert "1 of other sandboxes" in answer.json["detail"]
    assert "plan" not in answer.text
