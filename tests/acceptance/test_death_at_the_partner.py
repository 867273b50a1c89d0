"""Whoever dies while an audience is made or deleted at the partner leaves neither two of it nor one too many."""

import copy
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.cli import examples
from headrace.cli.demo import TOKEN
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.audiences import AudienceBook
from headrace.testkit.partner import Partner
from support import AUTHORING, FLOWS, PATIENCE, environment, in_process

CARRIER = Path(__file__).with_name("carrier.py")
PIER = examples.destination("pier")
POINTS = ("before_audience_call", "after_audience_call")


class Shore:
    """A data directory, a partner beside it, and processes that come and go."""

    def __init__(self, folder, partner):
        self.folder = folder
        self.partner = partner

    def running(self):
        return in_process(self.folder, egress_allow=self.partner.origin)

    def carry(self, crash_at=""):
        """Let a process carry what is due, and return how it ended."""
        data, key = self.folder / "data", self.folder / "keys" / "master.key"
        line = [sys.executable, "-W", "error", str(CARRIER), str(data), str(key), self.partner.origin]
        given = environment(self.folder, **({"crash_at": crash_at} if crash_at else {}))
        ended = subprocess.run(line, env=given, timeout=PATIENCE, capture_output=True, text=True, check=False)
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
        return ended.returncode

    def connect(self, api, *, find):
        """Author the example and set a dataflow of one audience going; return the dataflow's id."""
        template = self.towards("audienceTemplate")
        if not find:
            del template["metadataTemplate"]["x-headrace"]["find"]
        server = _made(api.post(f"{AUTHORING}/destination-servers", self.towards("destinationServer")))["instanceId"]
        document = copy.deepcopy(PIER["destination"])
        made = _made(api.post(f"{AUTHORING}/audience-templates", template))
        document["audienceMetadataConfig"]["audienceTemplateId"] = made["instanceId"]
        document["destinationDelivery"][0]["destinationServerId"] = server
        spec = {"id": _made(api.post(f"{AUTHORING}/destinations", document))["instanceId"], "version": "1.0"}
        auth = {"specName": "BEARER", "params": {"token": TOKEN}}
        account = _made(api.post(f"{FLOWS}/connections", {"name": "pier", "connectionSpec": spec, "auth": auth}))["id"]
        target = {"name": "pier", "connectionSpec": spec, "baseConnectionId": account, "params": {}}
        source = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
        row = {"source": "identityMap.crmId", "destination": "identityMap.customer"}
        params = {
            "segmentSelectors": {"selectors": [{"value": {"id": "shoppers", "name": "Shoppers"}}]},
            "profileSelectors": {"selectors": [{"value": {"path": row["source"], "mapping": row}}]},
        }
        flow = {
            "name": "to the pier",
            "sourceConnectionIds": [_made(api.post(f"{FLOWS}/sourceConnections", source))["id"]],
            "targetConnectionIds": [_made(api.post(f"{FLOWS}/targetConnections", target))["id"]],
            "transformations": [{"name": "GeneralTransform", "params": params}],
        }
        return _made(api.post(f"{FLOWS}/flows", flow))["id"]

    def towards(self, part):
        return json.loads(json.dumps(PIER[part]).replace("https://api.pier.example", self.partner.origin))


@pytest.fixture
def book():
    return AudienceBook()


@pytest.fixture
def shore(tmp_path, book):
    with Partner.in_thread(default=book, token=TOKEN) as partner:
        yield Shore(tmp_path, partner)


@pytest.mark.parametrize("point", POINTS)
def test_a_death_around_the_request_makes_one_audience(shore, book, point):
    with shore.running() as headrace:
        flow = shore.connect(headrace.api, find=True)

    assert shore.carry(f"{point}:1") == -signal.SIGKILL
    assert len(book.kept) == (point == "after_audience_call")
    assert shore.carry() == 0

    assert book.names() == ["Shoppers"]
    with shore.running() as headrace:
        assert _audience(headrace.api, flow)["state"] == "ready"


@pytest.mark.parametrize("point", POINTS)
def test_a_death_around_the_request_that_deletes_leaves_none(shore, book, point):
    with shore.running() as headrace:
        flow = shore.connect(headrace.api, find=True)
    shore.carry()
    with shore.running() as headrace:
        assert headrace.api.delete(f"{FLOWS}/flows/{flow}").status == 202

    assert shore.carry(f"{point}:1") == -signal.SIGKILL
    assert shore.carry() == 0
    assert book.names() == []


def test_where_nobody_can_look_the_operator_says_what_the_partner_has(shore, book):
    with shore.running() as headrace:
        flow = shore.connect(headrace.api, find=False)
    assert shore.carry("after_audience_call:1") == -signal.SIGKILL
    assert shore.carry() == 0

    with shore.running() as headrace:
        shown = _audience(headrace.api, flow)
        assert (shown["state"], shown["alias"]) == ("failed", None)
        assert "look there" in shown["reason"]
        (id_,) = book.kept
        path = f"{FLOWS}/flows/{flow}/audiences/ups/shoppers/adopt"
        assert _made(headrace.api.post(path, {"alias": id_}))["items"][0]["state"] == "ready"
    assert book.asked == [("POST", "/audiences")]


def test_where_the_partner_has_none_the_operator_lets_it_be_made(shore, book):
    with shore.running() as headrace:
        flow = shore.connect(headrace.api, find=False)
    assert shore.carry("before_audience_call:1") == -signal.SIGKILL
    assert shore.carry() == 0

    with shore.running() as headrace:
        path = f"{FLOWS}/flows/{flow}/audiences/ups/shoppers/adopt"
        assert _made(headrace.api.post(path, {"alias": None}))["items"][0]["state"] == "creating"
    assert shore.carry() == 0
    assert book.names() == ["Shoppers"]


def _audience(api, flow):
    (item,) = api.get(f"{FLOWS}/flows/{flow}").json["items"]
    (audience,) = item["x-headrace"]["audiences"]
    return audience


def _made(answer):
    assert answer.status in (200, 201), answer.text
    return answer.json
