"""Choices and schemas are looked up at the partner, with the account's credentials, and counted upon."""

import json

import pytest

from headrace.cli.demo import TOKEN
from headrace.testkit.partner import Answer
from support import AUTHORING, FLOWS

from .conftest import DESTINATIONS, SERVERS, codes, destination_on

COVERED = ("choices-unknown", "schema-unknown")
SECRET = "canary-secret-of-the-form-Lp90"
MAPPING = "/transformations/0/params/profileSelectors/selectors"
LIST = (
    "{% set list = [] %}{% for f in response.body %}{% set list = list | merge([{'name': f.label, 'value': f.id}]) %}"
    "{% endfor %}{{ {'list': list} | toJson | raw }}"
)
SCHEMA = (
    '{"type":"object","title":"Contact","properties":{ {% for f in response.body.fields %}"{{ f.id }}":'
    '{"title":"{{ f.label }}","type":"string"}{% if not loop.last %},{% endif %}{% endfor %},'
    '"address":{"type":"object","properties":{"city":{"type":"string"}}} }}'
)


def answered(body, status=200):
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(body).encode())


LISTS = answered([{"id": "7", "label": "Friends"}, {"id": "8", "label": "Others"}])
FIELDS = answered({"fields": [{"id": "first", "label": "First name"}, {"id": "mail", "label": "E-mail"}]})


class Desk:
    """A destination whose lists and attributes are fetched, and an operator before it."""

    def __init__(self, api, operator, partner):
        self.api, self.operator, self.partner = api, operator, partner

    def destination(self, path="/lists", read=LIST, rule="CUSTOMER_AUTHENTICATION", value="$.list", schema=None):
        source = {"authenticationRule": rule, "value": value, "responseFormat": "NAME_VALUE"}
        source |= {"destinationServerId": self._server(path, "list", read), "queryParams": ["region"]}
        fields = [
            {"name": "region", "type": "string"},
            {"name": "key", "type": "string", "format": "password"},
            {"name": "list", "type": "string", "dynamicEnum": source},
            {"name": "workspace", "type": "string", "default": "acme-0001"},
        ]
        changes = {"customerDataFields": fields}
        if schema is not None:
            fetched = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "value": "Contact", "responseFormat": "SCHEMA"}
            fetched["destinationServerId"] = self._server(schema, "schema", SCHEMA)
            dynamic = {"profileFields": None, "dynamicSchemaConfig": {"dynamicEnum": fetched}}
            own = {**destination_on("", "lighthouse")["schemaConfig"], **dynamic}
            changes["schemaConfig"] = {name: item for name, item in own.items() if item is not None}
        return self.operator.destination(**changes)

    def _server(self, path, name, read):
        url = f"{self.partner.origin}{path}"
        document = {
            "name": "asked",
            "destinationServerType": "URL_BASED",
            "urlBasedDestination": {"url": {"templatingStrategy": "PEBBLE_V1", "value": url}},
            "httpTemplate": {"httpMethod": "GET", "headers": [_header("X-Key", "{{ customerData.key }}")]},
            "responseFields": [{"name": name, "templatingStrategy": "PEBBLE_V1", "value": read}],
        }
        made = self.api.post(SERVERS, document)
        assert made.status == 200, made.text
        return made.json["instanceId"]

    def choices(self, destination, account, query="", field="list", **params):
        document = {"field": field, "params": {"region": "eu", **params}}
        if account is not None:
            document["baseConnectionId"] = account
        return self.api.post(f"{FLOWS}/connectionSpecs/{destination}/choices{query}", document)

    def account(self, destination, token=TOKEN):
        return self.operator.account(destination, token).json["id"]

    def asked(self, path):
        return [item for item in self.partner.received if item.path == path]


def _header(name, value):
    return {"header": name, "value": {"templatingStrategy": "PEBBLE_V1", "value": value}}


@pytest.fixture
def desk(api, operator, partner):
    partner.gets = {"/lists": LISTS, "/fields": FIELDS}
    yield Desk(api, operator, partner)
    partner.gets = {}


# -- choices ---------------------------------------------------------------------------------------------------------


def test_choices_are_fetched_with_the_accounts_credentials(desk):
    destination = desk.destination()

    answer = desk.choices(destination, desk.account(destination), key=SECRET)

    assert answer.status == 200, answer.text
    assert answer.json["items"] == [{"name": "Friends", "value": "7"}, {"name": "Others", "value": "8"}]
    (asked,) = desk.asked("/lists")[-1:]
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["x-key"] == SECRET


def test_an_answer_is_used_again_until_somebody_wants_a_fresh_one(desk):
    destination = desk.destination()
    account, before = desk.account(destination), len(desk.asked("/lists"))

    for region in ("eu", "eu", "us"):
        assert desk.choices(destination, account, region=region).status == 200
    assert len(desk.asked("/lists")) == before + 2
    desk.partner.gets["/lists"] = answered([])
    assert desk.choices(destination, account).json["items"] != []
    assert desk.choices(destination, account, "?fresh=true").json["items"] == []
    assert desk.choices(destination, account).json["items"] == []


def test_another_account_is_asked_for_itself(desk):
    destination = desk.destination()
    before = len(desk.asked("/lists"))

    for account in (desk.account(destination), desk.account(destination)):
        assert desk.choices(destination, account).status == 200

    assert len(desk.asked("/lists")) == before + 2


def test_choices_are_not_asked_for_before_what_they_depend_on_is_filled_in(desk):
    destination = desk.destination()

    answer = desk.choices(destination, desk.account(destination), region="")

    assert codes(answer) == {"/params/region": "missing-field"}


NOT_ASKED = {
    "no account": ({"account": None}, {"/baseConnectionId": "missing-field"}),
    "another's account": ({"account": "absent"}, {"/baseConnectionId": "unknown-account"}),
    "a field that is none": ({"field": "absent"}, {"/field": "unknown-form-field"}),
    "a field that anybody fills in": ({"field": "region"}, {"/field": "unknown-form-field"}),
}


@pytest.mark.parametrize(("wrong", "found"), NOT_ASKED.values(), ids=NOT_ASKED)
def test_a_look_up_that_cannot_be_made_is_refused(desk, wrong, found):
    destination = desk.destination()

    assert codes(desk.choices(destination, **{"account": desk.account(destination), **wrong})) == found


FAILURES = {
    "no JSON": ({"read": "{"}, LISTS, 400, "look-up", "does not give JSON"),
    "no list": ({"read": '{"list": 5}'}, LISTS, 400, "look-up", "no list at `$.list`"),
    "another path": ({"value": "$.items"}, LISTS, 400, "look-up", "no list at `$.items`"),
    "no names": ({"read": '{"list": [{"value": "7"}]}'}, LISTS, 400, "look-up", "no `name` and `value`"),
    "a fault": ({}, answered({"error": f"so sorry, {SECRET}"}, 500), 502, "partner-refused", "500"),
    "a refusal": ({}, answered({"error": "no such user"}, 403), 400, "account", "no such user"),
    "an answer without end": ({}, answered(["x" * 70_000]), 502, "partner-refused", "longer than"),
    "nobody there": ({}, Answer(reset=True), 502, "partner-unanswered", ""),
}


@pytest.mark.parametrize(("says", "answer", "status", "code", "message"), FAILURES.values(), ids=FAILURES)
def test_a_failure_says_whose_turn_it_is_and_no_secret(desk, says, answer, status, code, message):
    destination = desk.destination(**says)
    desk.partner.gets["/lists"] = answer

    refused = desk.choices(destination, desk.account(destination), key=SECRET)

    assert (refused.status, refused.json["code"]) == (status, code), refused.text
    assert message in refused.json["detail"]
    assert SECRET not in refused.text
    assert TOKEN not in refused.text


def test_a_partner_that_wants_credentials_of_a_look_up_without_is_the_authors_matter(desk):
    destination = desk.destination(rule="NONE")

    answer = desk.choices(destination, None)

    assert (answer.status, answer.json["code"]) == (400, "look-up")
    assert "`NONE`" in answer.json["detail"]


def test_what_stands_under_the_name_of_the_response_field_is_found_too(desk):
    destination = desk.destination(read='[{"name": "a", "value": 1}]')

    assert desk.choices(destination, desk.account(destination)).json["items"] == [{"name": "a", "value": 1}]


# -- the form --------------------------------------------------------------------------------------------------------


def test_a_value_is_held_against_the_choices_when_a_connection_is_made_and_changed(api, desk):
    destination = desk.destination()
    account = desk.account(destination)

    made = desk.operator.target(destination, account, {"region": "eu", "list": "7"})
    wrong = desk.operator.target(destination, account, {"region": "eu", "list": "9"})

    assert made.status == 201, made.text
    assert codes(wrong) == {"/params/list": "not-allowed"}
    path = f"{FLOWS}/targetConnections/{made.json['id']}"
    answer = api.patch(path, [{"op": "replace", "path": "/params/list", "value": "9"}], made.json["etag"])
    assert codes(answer) == {"/params/list": "not-allowed"}
    answer = api.patch(path, [{"op": "replace", "path": "/params/list", "value": "8"}], made.json["etag"])
    assert answer.status == 200, answer.text


def test_nothing_is_guessed_when_the_partner_cannot_be_asked(api, desk):
    destination = desk.destination()
    account = desk.account(destination)
    made = desk.operator.target(destination, account, {"region": "eu", "list": "7"}).json
    desk.partner.gets["/lists"] = 503

    refused = desk.operator.target(destination, account, {"region": "us", "list": "7"})

    assert codes(refused) == {"/params/list": "choices-unknown"}
    assert "503" in refused.json["errors"][0]["message"]
    path = f"{FLOWS}/targetConnections/{made['id']}"
    renamed = api.patch(path, [{"op": "replace", "path": "/name", "value": "renamed"}], made["etag"])
    assert renamed.status == 200, renamed.text


# -- schemas ---------------------------------------------------------------------------------------------------------


def row(source, target):
    mapping = {"sourceType": "text/x.schema-path", "source": source, "destination": target}
    return {"type": "JSON_PATH", "value": {"path": source, "mapping": mapping}}


@pytest.fixture
def mapped(api, desk):
    """A dataflow's document for a destination whose schema is fetched."""
    destination = desk.destination(schema="/fields")
    account = desk.account(destination)
    target = desk.operator.target(destination, account, {"region": "eu", "list": "7"})
    assert target.status == 201, target.text
    document = desk.operator.flow_document(desk.operator.destination())
    document["targetConnectionIds"] = [target.json["id"]]
    selectors = document["transformations"][0]["params"]["profileSelectors"]["selectors"]
    identities = [item for item in selectors if "identityMap" in json.dumps(item)]
    document["transformations"][0]["params"]["profileSelectors"]["selectors"] = identities
    return destination, account, document


def with_rows(document, *rows):
    made = json.loads(json.dumps(document))
    made["transformations"][0]["params"]["profileSelectors"]["selectors"] += rows
    return made


def test_a_schema_is_fetched(api, desk, mapped):
    destination, account, _ = mapped

    answer = api.post(f"{FLOWS}/connectionSpecs/{destination}/schema", {"baseConnectionId": account})

    assert answer.status == 200, answer.text
    assert [*answer.json["properties"]] == ["first", "mail", "address"]
    assert answer.json["properties"]["mail"] == {"title": "E-mail", "type": "string"}


def test_a_destination_without_a_fetched_schema_has_none(api, desk):
    assert api.post(f"{FLOWS}/connectionSpecs/{desk.destination()}/schema", {}).status == 400


def test_a_mapping_is_held_against_the_fetched_schema(api, mapped):
    _, _, document = mapped
    place = len(document["transformations"][0]["params"]["profileSelectors"]["selectors"])

    right = api.post(f"{FLOWS}/flows", with_rows(document, row("a.b", "mail"), row("c", "address.city")))
    wrong = api.post(f"{FLOWS}/flows", with_rows(document, row("a.b", "absent")))

    assert right.status == 201, right.text
    assert codes(wrong) == {f"{MAPPING}/{place}/value/mapping/destination": "unknown-target"}
    (item,) = api.get(f"{FLOWS}/flows/{right.json['id']}").json["items"]
    operation = {"op": "add", "path": f"{MAPPING}/-", "value": row("x", "absent")}
    answer = api.patch(f"{FLOWS}/flows/{right.json['id']}", [operation], item["etag"])
    assert codes(answer) == {f"{MAPPING}/{place + 2}/value/mapping/destination": "unknown-target"}


def test_a_mapping_is_not_taken_where_the_schema_cannot_be_fetched(api, desk, mapped):
    _, _, document = mapped
    desk.partner.gets["/fields"] = 500

    answer = api.post(f"{FLOWS}/flows", with_rows(document, row("a.b", "mail")))

    assert codes(answer) == {MAPPING: "schema-unknown"}


def test_a_change_that_takes_a_dataflows_attributes_away_is_refused_by_name(api, desk, mapped):
    _, _, document = mapped
    assert api.post(f"{FLOWS}/flows", with_rows(document, row("a.b", "mail"))).status == 201
    (target,) = document["targetConnectionIds"]
    (item,) = api.get(f"{FLOWS}/targetConnections/{target}").json["items"]
    desk.partner.gets["/fields"] = answered({"fields": [{"id": "other", "label": "Other"}]})

    change = [{"op": "replace", "path": "/params/key", "value": SECRET}]
    change[0]["op"] = "add"
    answer = api.patch(f"{FLOWS}/targetConnections/{target}", change, item["etag"])

    assert answer.status == 400, answer.text
    assert document["name"] in answer.json["errors"][0]["message"]


# -- trying an account -----------------------------------------------------------------------------------------------


def tried(api, account):
    answer = api.post(f"{FLOWS}/connections/{account}/test", {})
    assert answer.status == 200, answer.text
    return answer.json


def test_an_account_is_tried_by_what_its_destination_looks_up(api, desk):
    destination = desk.destination(schema="/fields")

    good = tried(api, desk.account(destination))
    bad = tried(api, desk.account(destination, "canary-token-that-is-wrong"))

    assert (good["ok"], good["code"], good["checked"]) == (True, "ok", ["credentials", "sign-in", "schema"])
    assert (bad["ok"], bad["code"], bad["checked"]) == (False, "account", ["credentials", "sign-in", "schema"])
    assert "401" in bad["message"]
    assert "canary" not in bad["message"]


def test_an_account_of_a_destination_that_can_be_asked_nothing_is_signed_in(api, operator):
    account = operator.account(operator.destination()).json["id"]

    trial = tried(api, account)

    assert (trial["ok"], trial["checked"]) == (True, ["credentials", "sign-in"])
    assert api.get(f"{FLOWS}/connections/{account}/test").json == trial


def test_the_audience_templates_validate_is_asked_where_there_is_one(api, desk):
    destination = desk.destination(schema="/fields")
    account = desk.account(destination)
    event = {
        "url": f"{desk.partner.origin}/validate?name={{{{destination.name}}}}",
        "httpMethod": "GET",
        "responseErrorFields": [{"name": "message", "value": "{{error.message}}"}],
    }
    document = {"metadataTemplate": {"name": "Acme", "validate": event}}
    template = api.post(f"{AUTHORING}/audience-templates", document).json["instanceId"]
    known = api.get(f"{DESTINATIONS}/{destination}").json
    known["audienceMetadataConfig"] = {"audienceTemplateId": template}
    known.pop("segmentMappingConfig", None)
    changed = api.put(f"{DESTINATIONS}/{destination}", known)
    assert changed.status == 200, changed.text
    desk.partner.gets["/validate"] = 200

    good = tried(api, account)
    desk.partner.gets["/validate"] = answered({"error": {"message": f"no such berth, {TOKEN}"}}, 422)
    bad = tried(api, account)

    assert (good["ok"], good["checked"][-1]) == (True, "validate"), good
    assert (bad["ok"], bad["code"]) == (False, "partner-refused")
    assert "422: no such berth" in bad["message"]
    assert TOKEN not in bad["message"]
