"""Which destinations a sandbox sees, in which version its dataflows use them, and to what its operators agree."""

import copy
import itertools

import pytest

from headrace.cli import examples
from headrace.cli.demo import TOKEN, _chosen, _towards
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.store import access, consents
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import AUDIENCES
from support import FLOWS, eventually, in_process

from .conftest import DESTINATIONS, PUBLISH, REQUESTS, SERVERS, codes, destination_on, paths

NAMES = itertools.count(1)
LIGHTHOUSE = examples.destination("lighthouse")

COVERED = ("new-origin",)


@pytest.fixture(scope="module")
def other_partner(lend_database):
    """Where another version of a destination sends."""
    with Partner.in_thread(token=TOKEN) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner, other_partner, lend_database):
    folder = tmp_path_factory.mktemp("headrace")
    allow = f"{partner.origin}, {other_partner.origin}"
    with lend_database() as database_url:
        settings = {"egress_allow": allow, "retry_steps": "0.05,0.05", "database_url": database_url}
        with in_process(folder, **settings) as headrace:
            yield headrace


@pytest.fixture(scope="module")
def reviewer(headrace):
    return headrace.as_client()


class Sandbox:
    """What authors and operators do in one sandbox."""

    def __init__(self, headrace, api):
        self.headrace = headrace
        self.api = api
        self.organization = api.headers["x-gw-ims-org-id"]

    def author(self, origin, **changes):
        """Declare an example that sends to an origin, and return the ids of the destination and its server."""
        server = self.api.post(SERVERS, _towards(copy.deepcopy(LIGHTHOUSE["destinationServer"]), origin)).json
        document = {**destination_on(server["instanceId"], "lighthouse"), **changes}
        created = self.api.post(DESTINATIONS, document)
        assert created.status == 200, created.text
        return created.json["instanceId"], server["instanceId"]

    def move(self, server, origin):
        """Let a server send to another origin."""
        document = _towards(copy.deepcopy(LIGHTHOUSE["destinationServer"]), origin)
        answer = self.api.put(f"{SERVERS}/{server}", document)
        assert answer.status == 200, answer.text
        return answer

    def change(self, destination, **changes):
        document = self.api.get(f"{DESTINATIONS}/{destination}").json
        answer = self.api.put(f"{DESTINATIONS}/{destination}", {**document, **changes})
        assert answer.status == 200, answer.text
        return answer

    def publish(self, reviewer, destination, access="ALL", **more):
        body = {"destinationId": destination, "destinationAccess": access, **more}
        submitted = self.api.post(PUBLISH, body)
        assert submitted.status == 201, submitted.text
        config_id = submitted.json["publishDetailsList"][-1]["configId"]
        approved = reviewer.post(f"{REQUESTS}/{config_id}/approve", None)
        assert approved.status == 200, approved.text
        return config_id

    def withdraw(self, destination):
        answer = self.api.post(f"{PUBLISH}/{destination}/withdraw", {"reason": "over"})
        assert answer.status == 200, answer.text

    def account(self, destination):
        auth = {"specName": "BEARER", "params": {"token": TOKEN}}
        spec = {"id": destination, "version": "1.0"}
        return self.api.post(f"{FLOWS}/connections", {"name": "account", "connectionSpec": spec, "auth": auth})

    def target(self, destination, **more):
        params = LIGHTHOUSE["activation"]["customerData"]
        document = {"name": "target", "connectionSpec": {"id": destination}, "params": params, **more}
        account = self.account(destination)
        assert account.status == 201, account.text
        return self.api.post(f"{FLOWS}/targetConnections", {**document, "baseConnectionId": account.json["id"]})

    def flow(self, destination, **more):
        """Connect a destination and send it an audience; return the ids of the dataflow and its target connection."""
        target = self.target(destination, **more)
        assert target.status == 201, target.text
        source = self.api.post(
            f"{FLOWS}/sourceConnections", {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
        ).json["id"]
        document = {
            "name": f"dataflow {next(NAMES)}",
            "sourceConnectionIds": [source],
            "targetConnectionIds": [target.json["id"]],
            "transformations": [{"name": "GeneralTransform", "params": _chosen(LIGHTHOUSE["activation"]["mapping"])}],
        }
        created = self.api.post(f"{FLOWS}/flows", document)
        assert created.status == 201, created.text
        return created.json["id"], target.json["id"]

    def send(self, flow):
        """Send somebody new, and wait until the partner has been told."""
        audience = AUDIENCES[0]
        number = next(NAMES)
        profile = {
            "profileId": f"person-{number}",
            "identityMap": {"crmId": [{"id": f"c-{number}"}]},
            "segmentMembership": {audience.namespace: {audience.id: {"status": "realized"}}},
        }
        assert self.api.post("/ingest/profiles", [profile]).json["accepted"] == 1
        path = f"/dataflows/{flow}/ledger"
        eventually("nothing is pending", lambda: self.api.get(path).json["pending"] == 0)

    def shown(self, kind, id_):
        (item,) = self.api.get(f"{FLOWS}/{kind}/{id_}").json["items"]
        return item

    def cards(self):
        return {item["id"]: item for item in self.api.get(f"{FLOWS}/connectionSpecs").json["items"]}


@pytest.fixture
def sandbox_of(headrace):
    """Make sandboxes, by default each of an organization of its own, in which nothing is yet."""
    numbers = itertools.count(len(headrace.opened))

    def make(organization=None, sandbox="prod"):
        return Sandbox(headrace, headrace.as_client(organization or f"organization-{next(numbers)}", sandbox))

    return make


@pytest.fixture
def home(sandbox_of):
    """The author's sandbox."""
    return sandbox_of()


@pytest.fixture
def guest(sandbox_of):
    """The sandbox of another organization."""
    return sandbox_of()


# -- who sees what -------------------------------------------------------------------------------------------------


def test_a_private_destination_is_its_own_sandboxs_alone(sandbox_of, home, guest, partner):
    destination, _ = home.author(partner.origin)
    neighbour = sandbox_of(home.organization, "neighbour")

    assert destination in home.cards()
    for stranger in (guest, neighbour):
        assert destination not in stranger.cards()
        assert stranger.api.get(f"{FLOWS}/connectionSpecs/{destination}").status == 404
        assert codes(stranger.account(destination)) == {"/connectionSpec/id": "unknown-destination"}


def test_a_published_destination_is_seen_by_those_it_is_for(sandbox_of, home, guest, reviewer, partner):
    for_all, _ = home.author(partner.origin)
    for_one, _ = home.author(partner.origin)
    home.publish(reviewer, for_all)
    home.publish(reviewer, for_one, "LIMITED", allowedOrgs=[guest.organization])
    other, neighbour = sandbox_of(), sandbox_of(home.organization, "neighbour")

    assert {for_all, for_one} <= guest.cards().keys()
    assert for_all in other.cards()
    assert for_one not in other.cards()
    assert other.api.get(f"{FLOWS}/connectionSpecs/{for_one}").status == 404
    assert for_one in neighbour.cards(), "the author's own organization sees it always"


def test_a_card_tells_where_it_sends_and_what_and_nothing_more(home, guest, reviewer, partner):
    destination, server = home.author(partner.origin, name="Lighthouse of others")
    config_id = home.publish(reviewer, destination)

    card = guest.cards()[destination]

    assert card["x-headrace"] == {
        "configId": config_id,
        "version": 1,
        "origins": [partner.origin],
        "fields": ["audience:*", "identity:customer", "attribute:email", "customerData:workspace"],
    }
    assert server not in str(card)
    assert "/v2/lists" not in str(card)
    assert guest.api.get(f"{DESTINATIONS}/{destination}").status == 404
    assert guest.api.get(f"{SERVERS}/{server}").status == 404


def test_a_card_that_its_author_hides_is_in_no_catalog(home, guest, reviewer, partner):
    hidden, _ = home.author(partner.origin, status="DELETED")

    assert hidden not in home.cards()
    assert home.api.get(f"{FLOWS}/connectionSpecs/{hidden}").status == 404
    assert codes(home.account(hidden)) == {"/connectionSpec/id": "unknown-destination"}
    assert home.api.get(f"{DESTINATIONS}/{hidden}").status == 200


def test_a_withdrawn_destination_leaves_the_catalog_and_who_is_connected_goes_on(home, guest, reviewer, partner):
    destination, _ = home.author(partner.origin)
    home.publish(reviewer, destination)
    flow, target = guest.flow(destination)
    home.withdraw(destination)

    assert destination not in guest.cards()
    assert codes(guest.account(destination)) == {"/connectionSpec/id": "unknown-destination"}
    told = partner.count
    guest.send(flow)
    assert partner.count > told
    assert "x-headrace" not in guest.shown("targetConnections", target)
    assert destination in home.cards(), "at home it is private again"


# -- which version is used -----------------------------------------------------------------------------------------


def test_a_published_destination_is_what_it_was_until_a_new_request_is_approved(
    home, guest, reviewer, partner, other_partner
):
    """The specification's T22."""
    destination, server = home.author(partner.origin, name="before")
    home.publish(reviewer, destination)
    own, _ = home.flow(destination)
    before = guest.cards()[destination]

    home.move(server, other_partner.origin)
    home.change(destination, name="after")

    assert guest.cards()[destination] == before
    assert home.cards()[destination]["name"] == "before", "at home too it is used as it was published"
    told = other_partner.count
    home.send(own)
    assert other_partner.count == told

    home.publish(reviewer, destination)

    assert guest.cards()[destination]["name"] == "after"
    assert guest.cards()[destination]["x-headrace"]["origins"] == [other_partner.origin]
    home.send(own)
    assert other_partner.count > told


def test_a_change_of_a_private_destination_acts_at_once_and_tells_of_a_new_origin(home, partner, other_partner):
    destination, server = home.author(partner.origin)
    flow, _ = home.flow(destination)

    answer = home.move(server, other_partner.origin)

    (warning,) = answer.json["x-headrace"]["warnings"]
    assert (warning["code"], warning["severity"]) == ("new-origin", "warning")
    assert f"1 dataflow sends to {other_partner.origin} from now on" in warning["message"]
    told = other_partner.count
    home.send(flow)
    assert other_partner.count > told


def test_the_working_version_of_what_is_published_is_tried_at_home(home, guest, reviewer, partner, other_partner):
    destination, server = home.author(partner.origin)
    home.publish(reviewer, destination)
    working = {"x-headrace": {"working": True}}
    flow, target = home.flow(destination, **working)

    home.move(server, other_partner.origin)

    told = other_partner.count
    home.send(flow)
    assert other_partner.count > told
    assert home.shown("targetConnections", target)["x-headrace"] == {"working": True}
    assert paths(guest.target(destination, **working)) == ["/x-headrace/working"]


def test_a_working_version_that_would_break_its_dataflows_is_refused_and_a_published_ones_is_not(
    home, reviewer, partner
):
    private, _ = home.author(partner.origin)
    home.flow(private)
    published, _ = home.author(partner.origin)
    home.publish(reviewer, published)
    home.flow(published)
    renamed = {"identityNamespaces": {"member": {"acceptsCustomNamespaces": True}}}

    first, second = (
        home.api.put(f"{DESTINATIONS}/{id_}", {**home.api.get(f"{DESTINATIONS}/{id_}").json, **renamed})
        for id_ in (private, published)
    )

    assert "with dataflow" in first.text
    assert second.status == 200, second.text
    again = home.api.post(PUBLISH, {"destinationId": published, "destinationAccess": "ALL"})
    assert again.status == 400, "its own dataflows would move to it, and could not go on"
    assert "with dataflow" in again.text


def test_at_home_a_withdrawn_destination_is_private_again_except_where_that_would_break_a_dataflow(
    home, reviewer, partner, other_partner
):
    destination, server = home.author(partner.origin)
    home.publish(reviewer, destination)
    flow, target = home.flow(destination)
    home.move(server, other_partner.origin)
    home.withdraw(destination)
    told = other_partner.count
    home.send(flow)
    assert other_partner.count > told

    home.publish(reviewer, destination)
    home.change(destination, identityNamespaces={"member": {"acceptsCustomNamespaces": True}})
    home.withdraw(destination)

    told = other_partner.count
    home.send(flow)
    assert other_partner.count > told
    waiting = home.shown("targetConnections", target)["x-headrace"]["consentRequired"]
    assert waiting["configId"] is None
    assert {problem["code"] for problem in waiting["errors"]} == {"unknown-target"}


# -- consent -------------------------------------------------------------------------------------------------------


def test_a_new_version_that_sends_where_it_did_before_is_used_at_once(home, guest, reviewer, partner):
    destination, server = home.author(partner.origin)
    home.publish(reviewer, destination)
    flow, target = guest.flow(destination)
    document = home.api.get(f"{SERVERS}/{server}").json
    url = document["urlBasedDestination"]["url"]
    url["value"] = url["value"].replace("/v2/", "/v3/")
    home.api.put(f"{SERVERS}/{server}", document)

    home.publish(reviewer, destination)

    told = partner.count
    guest.send(flow)
    assert partner.count > told
    assert partner.received[-1].path.startswith("/v3/")
    assert "x-headrace" not in guest.shown("targetConnections", target)


def test_a_new_origin_waits_for_the_operators_consent(home, guest, reviewer, partner, other_partner):
    destination, server = home.author(partner.origin)
    home.publish(reviewer, destination)
    flow, target = guest.flow(destination)
    home.move(server, other_partner.origin)
    config_id = home.publish(reviewer, destination)
    told, others = partner.count, other_partner.count

    guest.send(flow)

    assert partner.count > told
    assert other_partner.count == others
    required = {"configId": config_id, "origins": [other_partner.origin], "fields": [], "errors": []}
    assert guest.shown("targetConnections", target)["x-headrace"]["consentRequired"] == required
    assert guest.shown("flows", flow)["x-headrace"]["consentRequired"] == required

    answer = guest.api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": config_id})

    assert answer.status == 200
    guest.send(flow)
    assert other_partner.count > others
    assert "x-headrace" not in guest.shown("targetConnections", target)
    assert "x-headrace" not in guest.shown("flows", flow)
    assert guest.api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": config_id}).status == 409


def test_a_kind_of_field_that_was_not_agreed_to_waits_and_another_of_a_known_kind_does_not(
    home, guest, reviewer, partner
):
    destination, _ = home.author(partner.origin, schemaConfig={"segmentRequired": True})
    home.publish(reviewer, destination)
    target = guest.target(destination).json["id"]
    more = {
        "identityNamespaces": {"customer": {"acceptsCustomNamespaces": True}, "device": {"acceptsAttributes": True}}
    }
    home.change(destination, **more)
    home.publish(reviewer, destination)
    assert "x-headrace" not in guest.shown("targetConnections", target)

    home.change(destination, schemaConfig={"segmentRequired": True, "profileRequired": True})
    home.publish(reviewer, destination)

    waiting = guest.shown("targetConnections", target)["x-headrace"]["consentRequired"]
    assert waiting["fields"] == ["attribute:*"]


def test_the_consent_is_to_the_version_that_was_read(home, guest, reviewer, partner, other_partner):
    destination, server = home.author(partner.origin)
    first = home.publish(reviewer, destination)
    target = guest.target(destination).json["id"]
    home.move(server, other_partner.origin)
    home.publish(reviewer, destination)

    for config_id in (first, "absent", None):
        answer = guest.api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": config_id})
        assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert guest.api.post(f"{FLOWS}/targetConnections/absent/consent", {"configId": first}).status == 404
    assert home.api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": first}).status == 404


def test_a_form_that_a_new_version_does_not_fit_keeps_its_connection_where_it_is(home, guest, reviewer, partner):
    fields = [
        {"name": "workspace", "type": "string", "isRequired": True},
        {"name": "key", "type": "string", "format": "password", "isRequired": True, "pattern": "^canary"},
    ]
    destination, _ = home.author(partner.origin, customerDataFields=fields)
    home.publish(reviewer, destination)
    target = guest.target(destination, params={"workspace": "acme-0001", "key": "canary-of-a-form"}).json["id"]
    fields[0]["pattern"] = "^[a-z]+$"
    home.change(destination, customerDataFields=fields)
    config_id = home.publish(reviewer, destination)

    waiting = guest.shown("targetConnections", target)["x-headrace"]["consentRequired"]
    (problem,) = waiting["errors"]
    assert (problem["code"], problem["path"]) == ("invalid", "/params/workspace")
    assert "`workspace` does not match" in problem["message"]
    consent = f"{FLOWS}/targetConnections/{target}/consent"
    assert guest.api.post(consent, {"configId": config_id}).status == 400

    etag = guest.shown("targetConnections", target)["etag"]
    mended = [{"op": "replace", "path": "/params/workspace", "value": "acme"}]
    answer = guest.api.patch(f"{FLOWS}/targetConnections/{target}", mended, etag)
    assert answer.status == 200, answer.text
    assert guest.shown("targetConnections", target)["x-headrace"]["consentRequired"]["errors"] == []
    assert guest.api.post(consent, {"configId": config_id}).status == 200


def test_a_new_version_that_asks_for_more_waits_and_one_with_a_default_does_not(home, guest, reviewer, partner):
    workspace = {"name": "workspace", "type": "string"}
    destination, _ = home.author(partner.origin, customerDataFields=[workspace])
    home.publish(reviewer, destination)
    target = guest.target(destination, params={"workspace": "acme"}).json["id"]
    region = {"name": "region", "type": "string", "isRequired": True, "default": "eu"}
    home.change(destination, customerDataFields=[workspace, region])
    home.publish(reviewer, destination)
    assert "x-headrace" not in guest.shown("targetConnections", target)

    home.change(destination, customerDataFields=[workspace, {"name": "place", "type": "string", "isRequired": True}])
    home.publish(reviewer, destination)
    (problem,) = guest.shown("targetConnections", target)["x-headrace"]["consentRequired"]["errors"]
    assert (problem["code"], problem["path"]) == ("missing-field", "/params/place")


def test_dataflows_that_a_new_version_does_not_fit_stay_where_they_are(home, guest, reviewer, partner):
    destination, _ = home.author(partner.origin)
    home.publish(reviewer, destination)
    flow, target = guest.flow(destination)
    home.change(destination, identityNamespaces={"member": {"acceptsCustomNamespaces": True}})
    config_id = home.publish(reviewer, destination)

    told = partner.count
    guest.send(flow)
    assert partner.count > told
    waiting = guest.shown("flows", flow)["x-headrace"]["consentRequired"]
    assert {problem["code"] for problem in waiting["errors"]} == {"unknown-target"}
    answer = guest.api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": config_id})
    assert answer.status == 400
    guest.api.delete(f"{FLOWS}/flows/{flow}")
    assert guest.api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": config_id}).status == 200


def test_what_was_agreed_to_is_kept_with_who_agreed(headrace, guest, home, reviewer, partner):
    destination, _ = home.author(partner.origin)
    config_id = home.publish(reviewer, destination)
    target = guest.target(destination).json["id"]
    (tenant,) = [
        item.tenant
        for item in headrace.app.store.read_now(access.all_tenants)
        if item.organization == guest.organization and item.sandbox == guest.api.headers["x-sandbox-name"]
    ]

    kept = headrace.app.store.read_now(lambda tx: consents.get(tx, tenant, target))

    assert (kept.config_id, list(kept.origins)) == (config_id, [partner.origin])
    assert kept.actor == f"client:{guest.api.headers['x-api-key']}"
