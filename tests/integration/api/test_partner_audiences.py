"""Audiences at a partner over REST: a real partner with an API of audiences, the example that uses one."""

import asyncio
import contextlib
import copy
import json

import pytest

from headrace.cli import examples
from headrace.cli.demo import TOKEN
from headrace.connect.call import CallFailed
from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.services.at_partner.carrying import AudienceCalls
from headrace.services.partners import Partners
from headrace.store import runs
from headrace.testkit.audiences import AudienceBook
from headrace.testkit.partner import Partner
from support import FLOWS, in_process

from .conftest import DESTINATIONS, SERVERS, TEMPLATES

PIER = examples.destination("pier")


@pytest.fixture
def pier(tmp_path):
    with Pier(tmp_path) as pier:
        yield pier


class Pier:
    """The example's partner, a Headrace, and somebody who works with both."""

    def __init__(self, folder):
        self.folder = folder
        self.book = AudienceBook()

    def __enter__(self):
        self._partner = Partner.in_thread(default=self.book, token=TOKEN)
        self.partner = self._partner.__enter__()
        self._running = in_process(self.folder, egress_allow=self.partner.origin)
        self.headrace = self._running.__enter__()
        self.api = self.headrace.api
        self.author()
        return self

    def __exit__(self, *error):
        self._running.__exit__(*error)
        self._partner.__exit__(*error)

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

    def carry(self):
        """Carry the runs that are due, as whoever carries them does."""
        asyncio.run(self._carry())

    async def _carry(self):
        app = self.headrace.app
        transport = HttpTransport(Egress(AllowList.parse(self.partner.origin)))
        calls = AudienceCalls(app.store, app.clock, Partners(app.partners._keyring, transport, 5.0), _nobody)
        look = "SELECT run FROM runs WHERE state = 'asked' AND due_at <= :now"
        try:
            for (id_,) in app.store.read_now(lambda tx: tx.run(look, {"now": app.clock.now()}).fetchall()):
                run = app.store.read_now(lambda tx, id_=id_: runs.get(tx, id_))
                with contextlib.suppress(CallFailed):
                    await calls.carry(run, _Plain())
                app.store.write_now(lambda tx, id_=id_: runs.end(tx, id_, "succeeded", app.clock.now()))
        finally:
            await transport.close()

    def members(self):
        bodies = [received.json() for received in self.partner.received if received.path == "/members"]
        return [(body["audience"], member["customer"], member["in"]) for body in bodies for member in body["members"]]


class _Plain:
    run = ""

    async def step(self, _name, work):
        return await work()


async def _nobody(_tenant):
    return None


def made(answer):
    assert answer.status in (200, 201), answer.text
    return answer.json


def person(customer, *audiences):
    memberships = {id_: {"status": "realized"} for id_ in audiences}
    identities = {"crmId": [{"id": customer}]}
    return json.dumps({"identityMap": identities, "segmentMembership": {"ups": memberships}}).encode()


def test_an_audience_is_made_and_people_are_sent_under_its_name_there(pier):
    pier.start("shoppers")
    assert pier.api.ingest(person("c-1", "shoppers")).status == 200
    assert [(item["state"], item["alias"]) for item in pier.shown()] == [("creating", None)]

    pier.carry()
    pier.headrace.wait_until_backfilled(pier.flow)

    assert pier.shown() == [
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
    assert pier.book.names() == ["Shoppers"]
    assert pier.members() == [("partner-1", "c-1", True)]
    assert {received.headers["authorization"] for received in pier.partner.received} == {f"Bearer {TOKEN}"}


def test_a_refusal_is_shown_in_the_partners_words_and_can_be_tried_again(pier):
    pier.book.fail("POST", 422)
    pier.start("shoppers")
    pier.carry()
    (shown,) = pier.shown()
    assert (shown["state"], shown["reason"], shown["attempts"]) == ("failed", "Pier audiences: not now", 1)

    answer = pier.api.post(f"{FLOWS}/flows/{pier.flow}/audiences/retry", {})
    assert [item["state"] for item in answer.json["items"]] == ["creating"]
    pier.carry()
    assert [item["state"] for item in pier.shown()] == ["ready"]


def test_what_the_partner_has_is_listed_and_adopted(pier):
    pier.book._make({"name": "Old shoppers", "ref": "shoppers"})
    pier.book.fail("POST", 422)
    pier.start("shoppers")
    pier.carry()

    listed = pier.api.get(f"{FLOWS}/flows/{pier.flow}/audiences/atPartner")
    assert listed.json["items"] == [{"id": "partner-1", "name": "Old shoppers"}]
    path = f"{FLOWS}/flows/{pier.flow}/audiences/ups/shoppers/adopt"
    answer = pier.api.post(path, {"alias": "partner-1"})
    assert [(item["state"], item["alias"]) for item in answer.json["items"]] == [("ready", "partner-1")]

    pier.carry()
    assert pier.book.names() == ["Old shoppers"]


def test_what_the_partner_has_is_found_and_adopted(pier):
    pier.book.fail("POST", 422)
    pier.start("shoppers")
    pier.carry()
    path = f"{FLOWS}/flows/{pier.flow}/audiences/ups/shoppers/adopt"
    assert pier.api.post(path, {}).status == 409

    pier.book._make({"name": "Old shoppers", "ref": "shoppers"})
    assert [item["alias"] for item in pier.api.post(path, {}).json["items"]] == ["partner-1"]


def test_the_audiences_of_a_deleted_dataflow_are_shown_until_they_are_gone(pier):
    pier.start("shoppers")
    pier.carry()
    pier.book.fail("DELETE", 423)
    assert pier.api.delete(f"{FLOWS}/flows/{pier.flow}").status == 202
    pier.carry()

    path = f"{FLOWS}/targetConnections/{pier.target}/audiences"
    (left,) = pier.api.get(path).json["items"]
    assert (left["id"], left["state"], left["reason"]) == ("shoppers", "failed", "Pier audiences: not now")
    assert pier.api.put(f"{TEMPLATES}/{pier.template}", pier.towards("audienceTemplate")).status == 200
    pier.carry()
    assert pier.api.get(path).json["items"] == []
    assert pier.book.names() == []


def test_whoever_asks_for_what_a_dataflow_does_not_have_is_told_so(pier):
    pier.start("shoppers")
    answer = pier.api.post(f"{FLOWS}/flows/{pier.flow}/audiences/ups/nobody/adopt", {"alias": "x"})
    assert answer.status == 404
    assert "does not send the audience 'nobody'" in answer.json["errorDetails"]
    assert pier.api.post(f"{FLOWS}/flows/{pier.flow}/audiences/ups/shoppers/adopt", {"alias": ""}).status == 400
