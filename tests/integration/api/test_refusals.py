"""What is refused because of what else there is, or because Headrace does not carry it out yet."""

import pytest

from authored import changed, waiting_messages
from headrace.cli.demo import TOKEN
from support import FLOWS

from .conftest import DESTINATIONS, codes, destination_on

COVERED = (
    "aggregation-in-use",
    "credentials",
    "not-carried-yet",
    "other-destination",
    "patch",
    "server-set",
    "unknown-account",
    "unknown-destination",
    "unknown-source",
)
#: What can be authored and is not carried out yet.
BEYOND = {"sources": ["ACCOUNTS"]}
WAITING = changed(
    waiting_messages()["aggregation"], {"/configurableAggregation/aggregationKey": {"includeSegmentId": True}}
)


def test_what_only_the_server_sets_is_a_warning_in_what_is_new(api, destination_document):
    answer = api.post(DESTINATIONS, {**destination_document, "instanceId": "mine", "imsOrg": "mine"})

    warnings = [(item["code"], item["path"]) for item in answer.json["x-headrace"]["warnings"]]
    assert warnings == [("server-set", "/imsOrg"), ("server-set", "/instanceId")]
    assert answer.json["instanceId"] != "mine"
    sent_back = {key: value for key, value in answer.json.items() if key != "x-headrace"}
    assert "x-headrace" not in api.put(f"{DESTINATIONS}/{answer.json['instanceId']}", sent_back).json


def test_what_is_not_carried_out_yet_can_be_authored(api, destination_document):
    answer = api.post(DESTINATIONS, {**destination_document, **BEYOND})

    assert answer.status == 200
    kept = api.get(f"{DESTINATIONS}/{answer.json['instanceId']}").json
    assert BEYOND.items() <= kept.items()


def test_nobody_signs_in_where_it_is_not_carried_out_yet(operator):
    destination = operator.destination(**BEYOND)

    answer = operator.account(destination)

    assert codes(answer) == {"/connectionSpec/id": "not-carried-yet"}
    assert "sources" in answer.json["errors"][0]["message"]


def test_an_account_signs_in_by_any_of_the_ways_that_are_offered(operator):
    destination = operator.destination(
        customerAuthenticationConfigurations=[{"authType": "BASIC"}, {"authType": "BEARER"}]
    )
    basic = {"specName": "BASIC", "params": {"username": "a", "password": "b"}}

    assert operator.account(destination, auth=basic).status == 201
    assert operator.account(destination).status == 201


def test_no_target_is_set_up_where_it_is_not_carried_out_yet(operator):
    destination = operator.destination(**BEYOND)

    assert codes(operator.target(destination, None, {"workspace": "x"})) == {"/connectionSpec/id": "not-carried-yet"}


def test_a_destination_in_use_does_not_become_what_is_not_carried_out(api, operator):
    destination = operator.destination()
    document = operator.flow_document(destination)
    assert api.post(f"{FLOWS}/flows", document).status == 201
    server = api.get(f"{DESTINATIONS}/{destination}").json["destinationDelivery"][0]["destinationServerId"]
    authored = destination_on(server, "lighthouse")

    answer = api.put(f"{DESTINATIONS}/{destination}", {**authored, **BEYOND})

    assert {problem["code"] for problem in answer.json["errors"]} == {"not-carried-yet"}
    assert api.put(f"{DESTINATIONS}/{destination}", authored).status == 200


def test_a_destination_in_use_may_let_messages_wait_and_not_group_them_in_another_way(api, operator):
    destination = operator.destination()
    assert api.post(f"{FLOWS}/flows", operator.flow_document(destination)).status == 201
    server = api.get(f"{DESTINATIONS}/{destination}").json["destinationDelivery"][0]["destinationServerId"]
    waiting = {**destination_on(server, "lighthouse"), "aggregation": WAITING}
    otherwise = changed(waiting, {"/aggregation/configurableAggregation/aggregationKey/includeSegmentStatus": True})

    assert api.put(f"{DESTINATIONS}/{destination}", waiting).status == 200
    answer = api.put(f"{DESTINATIONS}/{destination}", otherwise)

    assert codes(answer) == {"/aggregation/configurableAggregation": "aggregation-in-use"}


def test_a_destination_that_became_what_is_not_carried_out_takes_no_dataflow(api, operator):
    destination = operator.destination()
    document = operator.flow_document(destination)
    server = api.get(f"{DESTINATIONS}/{destination}").json["destinationDelivery"][0]["destinationServerId"]
    changed = {**destination_on(server, "lighthouse"), **BEYOND}
    assert api.put(f"{DESTINATIONS}/{destination}", changed).status == 200

    assert codes(api.post(f"{FLOWS}/flows", document))["/targetConnectionIds/0"] == "not-carried-yet"


@pytest.mark.parametrize("token", ["", "two\nlines"])
def test_credentials_that_can_sign_nothing_are_refused(operator, token):
    assert codes(operator.account(operator.destination(), token)) == {"/auth/params": "credentials"}


def test_credentials_go_to_no_other_destination(operator):
    account = operator.account(operator.destination(), TOKEN).json["id"]

    answer = operator.target(operator.destination(), account, {"workspace": "quay-1234"})

    assert codes(answer) == {"/baseConnectionId": "other-destination"}


def test_an_account_is_there(operator):
    answer = operator.target(operator.destination(), "absent", {"workspace": "quay-1234"})

    assert codes(answer) == {"/baseConnectionId": "unknown-account"}


def test_a_destination_is_there(operator):
    assert codes(operator.account("absent")) == {"/connectionSpec/id": "unknown-destination"}


def test_a_source_is_there(api, operator):
    document = operator.flow_document(operator.destination())

    answer = api.post(f"{FLOWS}/flows", {**document, "sourceConnectionIds": ["absent"]})

    assert codes(answer) == {"/sourceConnectionIds/0": "unknown-source"}


def test_a_patch_of_what_is_not_there_is_refused(api, operator):
    flow = api.post(f"{FLOWS}/flows", operator.flow_document(operator.destination())).json
    headers = {"If-Match": flow["etag"], "Content-Type": "application/json"}

    answer = api.send("PATCH", f"{FLOWS}/flows/{flow['id']}", b'[{"op": "remove", "path": "/nothing"}]', headers)

    assert codes(answer) == {"": "patch"}
