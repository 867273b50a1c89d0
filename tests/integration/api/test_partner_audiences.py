"""Audiences at a partner over REST: a real partner with an API of audiences, the example that uses one."""

import copy
import json

import pytest

from headrace.cli import examples
from headrace.cli.demo import TOKEN
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.services.at_partner import notifying
from headrace.services.catalog import tenant_of
from headrace.services.checks import AUDIENCE_TEMPLATE
from headrace.store import audiences, documents, runs
from headrace.testkit.audiences import AudienceBook
from headrace.testkit.partner import Answer, Partner
from support import FLOWS, eventually, in_process

from .conftest import DESTINATIONS, SERVERS, TEMPLATES

PIER = examples.destination("pier")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A partner with an API of audiences, and a Headrace beside it."""
    folder = tmp_path_factory.mktemp("pier")
    with Partner.in_thread(token=TOKEN) as partner, in_process(folder, egress_allow=partner.origin) as headrace:
        yield partner, headrace


@pytest.fixture
def pier(running):
    partner, headrace = running
    partner.received.clear()
    book = partner._default = AudienceBook()
    return Pier(headrace, partner, book)


class Pier:
    """The example's partner, a Headrace, and somebody who works with both."""

    def __init__(self, headrace, partner, book):
        self.headrace, self.partner, self.book = headrace, partner, book
        self.api = headrace.api
        self.author()

    def author(self):
        self.template = made(self.api.post(TEMPLATES, self.towards("audienceTemplate")))["instanceId"]
        server = made(self.api.post(SERVERS, self.towards("destinationServer")))["instanceId"]
        document = copy.deepcopy(PIER["destination"])
        document["audienceMetadataConfig"]["audienceTemplateId"] = self.template
        document["destinationDelivery"][0]["destinationServerId"] = server
        destination = made(self.api.post(DESTINATIONS, document))["instanceId"]
        spec = {"id": destination, "version": "1.0"}
        auth = {"specName": "BEARER", "params": {"token": TOKEN}}
        account = {"name": "pier", "connectionSpec": spec, "auth": auth}
        self.account = made(self.api.post(f"{FLOWS}/connections", account))["id"]
        target = {"name": "pier", "connectionSpec": spec, "baseConnectionId": self.account, "params": {}}
        self.target = made(self.api.post(f"{FLOWS}/targetConnections", target))["id"]
        source = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
        self.source = made(self.api.post(f"{FLOWS}/sourceConnections", source))["id"]

    def towards(self, part):
        """A document of the example, with the addresses of the partner on this machine."""
        return json.loads(json.dumps(PIER[part]).replace("https://api.pier.example", self.partner.origin))

    def start(self, *ids):
        fields = {
            "path": "identityMap.crmId",
            "mapping": {"source": "identityMap.crmId", "destination": "identityMap.customer"},
        }
        params = {
            "segmentSelectors": {"selectors": [{"value": {"id": id_, "name": id_.title()}} for id_ in ids]},
            "profileSelectors": {"selectors": [{"value": fields}]},
        }
        document = {
            "name": "to the pier",
            "sourceConnectionIds": [self.source],
            "targetConnectionIds": [self.target],
            "transformations": [{"name": "GeneralTransform", "params": params}],
        }
        self.flow = made(self.api.post(f"{FLOWS}/flows", document))["id"]

    def shown(self):
        (item,) = self.api.get(f"{FLOWS}/flows/{self.flow}").json["items"]
        return item.get("x-headrace", {}).get("audiences")

    def wait_for(self, *states):
        """Wait until the audiences of the dataflow stand like this, and return them."""
        look = lambda: (found := self.shown()) and [item["state"] for item in found] == [*states] and found  # noqa: E731
        return eventually(f"its audiences are {states}", look)

    def members(self):
        bodies = [received.json() for received in self.partner.received if received.path == "/members"]
        return [(body["audience"], member["customer"], member["in"]) for body in bodies for member in body["members"]]


def made(answer):
    assert answer.status in (200, 201), answer.text
    return answer.json


def person(customer, *audiences):
    memberships = {id_: {"status": "realized"} for id_ in audiences}
    identities = {"crmId": [{"id": customer}]}
    return json.dumps({"identityMap": identities, "segmentMembership": {"ups": memberships}}).encode()


def test_an_audience_is_made_and_people_are_sent_under_its_name_there(pier):
    assert pier.api.ingest(person("c-1", "shoppers")).status == 200
    pier.start("shoppers")

    assert pier.wait_for("ready") == [
        {
            "id": "shoppers",
            "namespace": "ups",
            "name": "Shoppers",
            "alias": "partner-1",
            "state": "ready",
            "reason": None,
            "attempts": 0,
        }
    ]
    pier.headrace.wait_until_backfilled(pier.flow)
    assert pier.book.names() == ["Shoppers"]
    assert pier.members() == [("partner-1", "c-1", True)]
    assert {received.headers["authorization"] for received in pier.partner.received} == {f"Bearer {TOKEN}"}


def test_a_refusal_is_shown_in_the_partners_words_and_can_be_tried_again(pier):
    pier.book.fail("POST", 422)
    pier.start("shoppers")
    (shown,) = pier.wait_for("failed")
    assert (shown["reason"], shown["attempts"]) == ("Pier audiences: not now", 1)

    answer = pier.api.post(f"{FLOWS}/flows/{pier.flow}/audiences/retry", {})
    assert [item["state"] for item in answer.json["items"]] == ["creating"]
    pier.wait_for("ready")


def test_what_the_partner_has_is_listed_and_adopted(pier):
    pier.book.make("Old shoppers", "shoppers")
    pier.book.fail("POST", 422)
    pier.start("shoppers")
    pier.wait_for("failed")

    listed = pier.api.get(f"{FLOWS}/flows/{pier.flow}/audiences/atPartner")
    assert listed.json["items"] == [{"id": "partner-1", "name": "Old shoppers"}]
    path = f"{FLOWS}/flows/{pier.flow}/audiences/ups/shoppers/adopt"
    answer = pier.api.post(path, {"alias": "partner-1"})
    assert [(item["state"], item["alias"]) for item in answer.json["items"]] == [("ready", "partner-1")]
    assert pier.book.names() == ["Old shoppers"]


def test_what_the_partner_has_is_found_and_adopted(pier):
    pier.book.fail("POST", 422)
    pier.start("shoppers")
    pier.wait_for("failed")
    path = f"{FLOWS}/flows/{pier.flow}/audiences/ups/shoppers/adopt"
    assert pier.api.post(path, {}).status == 409

    pier.book.make("Old shoppers", "shoppers")
    assert [item["alias"] for item in pier.api.post(path, {}).json["items"]] == ["partner-1"]


def test_the_audiences_of_a_deleted_dataflow_are_shown_until_they_are_gone(pier):
    pier.start("shoppers")
    pier.wait_for("ready")
    pier.book.fail("DELETE", 423)
    assert pier.api.delete(f"{FLOWS}/flows/{pier.flow}").status == 202

    path = f"{FLOWS}/targetConnections/{pier.target}/audiences"
    failed = eventually("it failed", lambda: [i for i in pier.api.get(path).json["items"] if i["state"] == "failed"])
    assert [(item["id"], item["reason"]) for item in failed] == [("shoppers", "Pier audiences: not now")]
    assert pier.api.put(f"{TEMPLATES}/{pier.template}", pier.towards("audienceTemplate")).status == 200
    eventually("it is gone", lambda: pier.api.get(path).json["items"] == [])
    assert pier.book.names() == []


def test_a_connection_is_not_deleted_from_under_what_is_to_be_deleted_at_the_partner(pier):
    pier.start("shoppers")
    pier.wait_for("ready")
    pier.book.fail("DELETE", 423)
    assert pier.api.delete(f"{FLOWS}/flows/{pier.flow}").status == 202
    target = f"{FLOWS}/targetConnections/{pier.target}"
    eventually(
        "it failed", lambda: [i["state"] for i in pier.api.get(f"{target}/audiences").json["items"]] == ["failed"]
    )

    refused = pier.api.delete(target)
    assert refused.status == 409
    assert "the audience 'Shoppers'" in refused.json["detail"]
    assert f"GET /targetConnections/{pier.target}/audiences" in refused.json["detail"]

    assert pier.api.delete(f"{target}?abandon=true").status == 202
    assert pier.api.get(target).status == 404
    assert pier.book.names() == ["Shoppers"]


def test_whoever_asks_for_what_a_dataflow_does_not_have_is_told_so(pier):
    pier.start("shoppers")
    answer = pier.api.post(f"{FLOWS}/flows/{pier.flow}/audiences/ups/nobody/adopt", {"alias": "x"})
    assert answer.status == 404
    assert "does not send the audience 'nobody'" in answer.json["errorDetails"]
    assert pier.api.post(f"{FLOWS}/flows/{pier.flow}/audiences/ups/shoppers/adopt", {"alias": ""}).status == 400


def test_a_partner_is_told_of_an_export_until_it_answers_and_always_under_the_same_id(pier):
    """No destination of messages has `notify`: the store is given one."""
    answers = [Answer(reset=True), 200]
    pier.book.messages = lambda received: answers.pop(0) if received.path.startswith("/arrived/") else 200
    arrived = {"url": f"{pier.partner.origin}/arrived/{{{{ export.id }}}}", "httpMethod": "POST"}
    store = pier.headrace.app.store
    pier.start("shoppers")
    (audience,) = store.read_now(lambda tx: [one.audience for one in audiences.all_of(tx, 1).values()])

    def end_export(tx):
        known = documents.get(tx, 1, AUDIENCE_TEMPLATE, pier.template)
        document = {**known.document, "metadataTemplate": {**known.document["metadataTemplate"], "notify": arrived}}
        documents.replace(tx, 1, AUDIENCE_TEMPLATE, known, document, 1, "client:a", "replace")
        subject = {"dataflow": pier.flow, "audiences": [audience], "slot": None, "moment": 1}
        export = runs.ask(tx, 1, "export", subject, "client:a", 1)
        runs.end(tx, export.run, "succeeded", 1)
        return notifying.notify(tx, tenant_of(tx, 1), pier.target, "export-7", "client:a", 1, audience, export)

    run = store.write_now(end_export).run
    pier.headrace.app.runs.wake()
    failed = eventually("the answer was lost", lambda: (row := found(store, run)).state == "failed" and row)
    assert "connection" in failed.reason

    again = store.read_now(lambda tx: runs.latest(tx, 1, 1, kind=notifying.KIND)[0])
    assert (again.retry_of, again.due_at > failed.asked_at) == (run, True)
    store.write_now(lambda tx: tx.run("UPDATE runs SET due_at = 0 WHERE run = :run", {"run": again.run}))
    pier.headrace.app.runs.wake()
    eventually("it was told", lambda: found(store, again.run).state == "succeeded")
    told = [received for received in pier.partner.received if received.path.startswith("/arrived")]
    assert [received.path for received in told] == ["/arrived/export-7"] * 2
    assert {received.headers["authorization"] for received in told} == {f"Bearer {TOKEN}"}


def found(store, run):
    return store.read_now(lambda tx: runs.get(tx, run))
