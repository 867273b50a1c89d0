"""Whoever dies while an audience is made or deleted at the partner leaves neither two of it nor one too many."""

import copy
import json
import signal

import pytest

from headrace.cli import examples
from headrace.cli.demo import TOKEN
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.audiences import AudienceBook
from headrace.testkit.partner import Partner
from support import AUTHORING, FLOWS, PATIENCE, Server, eventually

PIER = examples.destination("pier")
#: That nothing is made twice or left behind whoever dies is proved in one process, by ``test_laws.py``.
POINTS = ("before_audience_call", "after_audience_call")


class Shore:
    """A data directory, a partner beside it, and servers that come and go."""

    def __init__(self, folder, partner, book):
        self.server = Server(folder, egress_allow=partner.origin)
        self.partner, self.book = partner, book
        self.opened = []

    def start(self, **settings):
        """Start a server and sign in there."""
        self.opened.append(self.server.start(**settings))
        return self.opened[-1]

    def die(self, point, ask):
        """Start a server that dies at a point, and do what leads there."""
        ask(self.start(crash_at=f"{point}:1"))
        assert self.server.process.wait(PATIENCE) == -signal.SIGKILL

    def connect(self, api, *, find=True):
        """Author the example and set a dataflow of one audience going."""
        template = self.towards("audienceTemplate")
        if not find:
            del template["metadataTemplate"]["x-headrace"]["find"]
        server = api.post(f"{AUTHORING}/destination-servers", self.towards("destinationServer"))["instanceId"]
        document = copy.deepcopy(PIER["destination"])
        made = api.post(f"{AUTHORING}/audience-templates", template)
        document["audienceMetadataConfig"]["audienceTemplateId"] = made["instanceId"]
        document["destinationDelivery"][0]["destinationServerId"] = server
        spec = {"id": api.post(f"{AUTHORING}/destinations", document)["instanceId"], "version": "1.0"}
        auth = {"specName": "BEARER", "params": {"token": TOKEN}}
        account = api.post(f"{FLOWS}/connections", {"name": "pier", "connectionSpec": spec, "auth": auth})["id"]
        target = {"name": "pier", "connectionSpec": spec, "baseConnectionId": account, "params": {}}
        source = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
        row = {"source": "identityMap.crmId", "destination": "identityMap.customer"}
        params = {
            "segmentSelectors": {"selectors": [{"value": {"id": "shoppers", "name": "Shoppers"}}]},
            "profileSelectors": {"selectors": [{"value": {"path": row["source"], "mapping": row}}]},
        }
        flow = {
            "name": "to the pier",
            "sourceConnectionIds": [api.post(f"{FLOWS}/sourceConnections", source)["id"]],
            "targetConnectionIds": [api.post(f"{FLOWS}/targetConnections", target)["id"]],
            "transformations": [{"name": "GeneralTransform", "params": params}],
        }
        self.flow = api.post(f"{FLOWS}/flows", flow)["id"]

    def towards(self, part):
        return json.loads(json.dumps(PIER[part]).replace("https://api.pier.example", self.partner.origin))

    def wait_for(self, api, state):
        """Wait until the audience of the dataflow stands like this, and return it."""
        return eventually(f"the audience is {state}", lambda: self._audience(api, state))

    def _audience(self, api, state):
        (item,) = api.get(f"{FLOWS}/flows/{self.flow}")["items"]
        (audience,) = item["x-headrace"]["audiences"]
        return audience if audience["state"] == state else None

    def adopt(self, api, alias):
        path = f"{FLOWS}/flows/{self.flow}/audiences/ups/shoppers/adopt"
        return api.post(path, {"alias": alias})["items"][0]["state"]


@pytest.fixture
def shore(tmp_path):
    book = AudienceBook()
    with Partner.in_thread(default=book, token=TOKEN) as partner:
        shore = Shore(tmp_path, partner, book)
        with shore.server:
            yield shore
        for client in shore.opened:
            client.close()


@pytest.mark.parametrize("point", [pytest.param(POINTS[0], marks=pytest.mark.campaign), POINTS[1]])
def test_a_death_around_the_request_makes_one_audience(shore, point):
    shore.die(point, shore.connect)
    assert len(shore.book.kept) == (point == "after_audience_call")

    shore.wait_for(shore.start(), "ready")
    assert shore.book.names() == ["Shoppers"]


@pytest.mark.campaign
@pytest.mark.parametrize("point", POINTS)
def test_a_death_around_the_request_that_deletes_leaves_none(shore, point):
    api = shore.start()
    shore.connect(api)
    shore.wait_for(api, "ready")
    shore.server.stop()
    shore.die(point, lambda api: api.exchange("DELETE", f"{FLOWS}/flows/{shore.flow}"))

    shore.start()
    eventually("the audience is gone", lambda: shore.book.kept == {})


@pytest.mark.campaign
def test_where_nobody_can_look_the_operator_says_what_the_partner_has(shore):
    shore.die("after_audience_call", lambda api: shore.connect(api, find=False))
    api = shore.start()

    failed = shore.wait_for(api, "failed")
    assert "look there" in failed["reason"]
    (id_,) = shore.book.kept
    assert shore.adopt(api, id_) == "ready"
    assert shore.book.asked == [("POST", "/audiences")]


def test_where_the_partner_has_none_the_operator_lets_it_be_made(shore):
    shore.die("before_audience_call", lambda api: shore.connect(api, find=False))
    api = shore.start()
    shore.wait_for(api, "failed")

    assert shore.adopt(api, None) == "creating"
    shore.wait_for(api, "ready")
    assert shore.book.names() == ["Shoppers"]
