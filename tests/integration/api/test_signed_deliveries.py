"""Messages are signed where their destination says so, by secrets of the account that can be rotated."""

import base64
import copy
import json
import time
from contextlib import contextmanager

import pytest

from headrace.cli import examples
from headrace.cli.demo import TOKEN, _towards
from headrace.connect.secrets import MASK
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import AUDIENCES
from support import FLOWS
from unit.connect.test_webhooks import verify

from .conftest import DESTINATIONS, SERVERS, codes, destination_on

FIRST, SECOND, OTHER = (
    "whsec_" + base64.b64encode(f"canary-signing-secret-{number}-of-the-account".encode()).decode()
    for number in ("one", "two", "xyz")
)
SIGNING = {"signing": {"scheme": "standard-webhooks"}}


@pytest.fixture(scope="module")
def refusals():
    """What the partner answers before it takes messages again."""
    return []


@pytest.fixture(scope="module")
def partner(refusals, lend_database):
    with Partner.in_thread(token=TOKEN, default=lambda _: refusals.pop() if refusals else 200) as partner:
        yield partner


def server_document(partner, **changes):
    document = copy.deepcopy(_towards(examples.destination("lighthouse")["destinationServer"], partner.origin))
    document["httpTemplate"] |= {"x-headrace": SIGNING, **changes}
    return document


@pytest.fixture
def destination(api, partner):
    """A destination whose messages are signed."""
    server = api.post(SERVERS, server_document(partner))
    assert server.status == 200, server.text
    return api.post(DESTINATIONS, destination_on(server.json["instanceId"], "lighthouse")).json["instanceId"]


@pytest.fixture
def account(operator, destination):
    answer = operator.account(destination, **{"x-headrace": {"signingSecrets": {"first": FIRST}}})
    assert answer.status == 201, answer.text
    return answer.json["id"]


def read(api, account):
    (item,) = api.get(f"{FLOWS}/connections/{account}").json["items"]
    return item


def patched(api, account, *operations):
    return api.patch(f"{FLOWS}/connections/{account}", list(operations), read(api, account)["etag"])


def added(name, secret):
    return {"op": "add", "path": f"/x-headrace/signingSecrets/{name}", "value": secret}


class Sender:
    """A dataflow under an account, and what of it arrives."""

    def __init__(self, headrace, operator, partner, destination, account):
        self.headrace, self.partner = headrace, partner
        document = operator.flow_document(destination, account=account)
        self.flow = headrace.api.post(f"{FLOWS}/flows", document).json["id"]
        headrace.wait_until_backfilled(self.flow)

    def sent(self, key):
        """Let somebody enter an audience, and return the requests that tell the partner, in order."""
        before = len(self.partner.received)
        person = {
            "identityMap": {"crmId": [{"id": key}]},
            "person": {"name": {"firstName": key}},
            "segmentMembership": {"ups": {AUDIENCES[0].id: {"status": "realized"}}},
        }
        answer = self.headrace.api.ingest(json.dumps(person).encode())
        assert answer.json == {"accepted": 1, "rejected": []}, answer.text
        self.headrace.wait_until_settled(self.flow)
        found = [item for item in list(self.partner.received)[before:] if key in item.body.decode()]
        assert found, "nothing arrived"
        return found


@pytest.fixture
def sender(headrace, operator, partner, destination, account):
    with sending(headrace, operator, partner, destination, account) as sender:
        yield sender


@contextmanager
def sending(headrace, *what):
    """A dataflow that is there for a while, so that it tells nobody of what other tests do."""
    sender = Sender(headrace, *what)
    yield sender
    assert headrace.api.delete(f"{FLOWS}/flows/{sender.flow}").status == 202


def test_a_connection_spec_says_that_messages_are_signed(api, operator, destination):
    (signed,) = api.get(f"{FLOWS}/connectionSpecs/{destination}").json["items"]
    (plain,) = api.get(f"{FLOWS}/connectionSpecs/{operator.destination()}").json["items"]

    assert signed["x-headrace"]["signing"] == "standard-webhooks"
    assert "signing" not in plain["x-headrace"]


def test_a_message_is_signed_with_the_accounts_secret(sender):
    (received,) = sender.sent("signed-once")

    assert verify(received.headers, received.body, FIRST)
    assert not verify(received.headers, received.body, OTHER)
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 300
    assert received.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_repeat_has_the_same_id_and_a_signature_of_its_own(sender, refusals):
    refusals.append(503)

    first, again = sender.sent("signed-twice")

    assert (first.answered, again.answered) == (503, 200)
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.body == again.body
    assert verify(first.headers, first.body, FIRST)
    assert verify(again.headers, again.body, FIRST)


def test_while_a_secret_takes_the_place_of_another_both_sign(api, account, sender):
    assert patched(api, account, added("second", SECOND)).status == 200
    (both,) = sender.sent("signed-by-both")
    assert patched(api, account, {"op": "remove", "path": "/x-headrace/signingSecrets/first"}).status == 200
    (new,) = sender.sent("signed-by-the-new-one")

    assert len(both.headers["webhook-signature"].split(" ")) == 2
    assert verify(both.headers, both.body, FIRST)
    assert verify(both.headers, both.body, SECOND)
    assert verify(new.headers, new.body, SECOND)
    assert not verify(new.headers, new.body, FIRST)


def test_a_secret_is_never_read_back_and_nothing_is_left_of_an_old_one(headrace, api, account):
    before = read(api, account)["x-headrace"]
    sealed = _sealed(headrace, account)
    assert before["signingSecrets"] == {"first": MASK}
    assert list(before["fingerprints"]) == ["/x-headrace/signingSecrets/first"]

    assert patched(api, account, added("first", SECOND)).status == 200

    after = read(api, account)["x-headrace"]
    assert after["signingSecrets"] == {"first": MASK}
    assert after["fingerprints"] != before["fingerprints"]
    assert [item["action"] for item in api.get("/audit?limit=1").json["items"]] == ["rotate"]
    kept = headrace.kept()
    assert sealed.encode() not in b"".join(headrace._rows()) + _versions(headrace, account)
    assert not any(secret.encode() in kept for secret in (FIRST, SECOND))
    assert api.get(f"{FLOWS}/connections").text.count("whsec_") == 0


def _sealed(headrace, account):
    query = "SELECT document FROM accounts WHERE id = :id"
    (row,) = headrace.app.store.read_now(lambda tx: tx.run(query, {"id": account}).fetchall())
    document = row[0] if isinstance(row[0], dict) else json.loads(row[0])
    return document["x-headrace-sealed"]["/x-headrace/signingSecrets/first"]


def _versions(headrace, account):
    query = "SELECT document FROM versions WHERE id = :id"
    return repr(headrace.app.store.read_now(lambda tx: tx.run(query, {"id": account}).fetchall())).encode()


def test_other_changes_of_an_account_keep_its_secrets(api, account, sender):
    assert patched(api, account, {"op": "replace", "path": "/name", "value": "renamed"}).status == 200

    (received,) = sender.sent("signed-by-a-renamed-account")

    assert verify(received.headers, received.body, FIRST)


PLACE = "/x-headrace/signingSecrets"
WRONG = {
    "none": ({}, {PLACE: "missing-field"}),
    "no prefix": ({"signingSecrets": {"a": "canary"}}, {f"{PLACE}/a": "invalid"}),
    "dots for nothing": ({"signingSecrets": {"a": MASK}}, {f"{PLACE}/a": "masked-secret"}),
    "too many": ({"signingSecrets": {str(number): FIRST for number in range(5)}}, {PLACE: "invalid"}),
}


@pytest.mark.parametrize(("given", "found"), WRONG.values(), ids=WRONG)
def test_an_account_without_the_right_secrets_is_refused(operator, destination, given, found):
    answer = operator.account(destination, **{"x-headrace": given})

    assert codes(answer) == found
    assert "canary" not in answer.text


def test_when_an_author_begins_to_sign_what_cannot_be_signed_waits(headrace, api, operator, partner):
    """Nothing leaves unsigned, and the operator is told what to do."""
    plain = server_document(partner)
    plain["httpTemplate"].pop("x-headrace")
    server = api.post(SERVERS, plain).json["instanceId"]
    destination = api.post(DESTINATIONS, destination_on(server, "lighthouse")).json["instanceId"]
    account = operator.account(destination).json["id"]
    with sending(headrace, operator, partner, destination, account) as sender:
        (unsigned,) = sender.sent("not-signed-yet")
        assert api.put(f"{SERVERS}/{server}", server_document(partner)).status == 200
        told = api.get(f"{FLOWS}/flows/{sender.flow}").text
        given = {"op": "add", "path": "/x-headrace", "value": {"signingSecrets": {"a": FIRST}}}
        assert patched(api, account, given).status == 200
        (received,) = sender.sent("signed-at-last")

    assert "webhook-id" not in unsigned.headers
    assert "signing secret" in told
    assert verify(received.headers, received.body, FIRST)


def test_who_signs_leaves_the_headers_of_the_signature_alone(api, partner):
    text = {"templatingStrategy": "NONE", "value": "1"}
    document = server_document(partner, headers=[{"header": "Webhook-Id", "value": text}])

    assert codes(api.post(SERVERS, document)) == {"/httpTemplate/headers/0/header": "named-twice"}
