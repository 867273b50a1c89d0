"""Delivery for accounts that sign in: what a 401 means, what waits, what goes on, and where credentials may go."""

import pytest

from headrace.model.message import Message
from headrace.services import accounts, authoring, declared, standing
from headrace.store.sign_in_states import REFUSED, REVOKED, SIGN_IN_NEEDED
from unit.services.house import STEPS, House, person
from unit.services.signed_in import TOKEN_URL, Partnership, activate, client_credentials, connect, holder

IN_THE_BODY = '{"token": "{{ authData.accessToken }}", "people": {{ input.profiles | toJson }}}'
ADA = {"username": "ada", "password": "of ada"}
BEARER, BASIC = {"authType": "BEARER"}, {"authType": "BASIC"}


@pytest.fixture
def partner():
    return Partnership()


@pytest.fixture
def house(tmp_path, lend_database, partner):
    with lend_database() as database_url:
        built = House(tmp_path, partner, database_url)
        yield built
        built.close()


def state(house, account):
    return house.store.read_now(lambda tx: standing.state_of(tx, holder(house, account))).state


async def replace(house, account):
    """Give an account the same token once more, as if it were another."""
    item = await declared.read(house.store, house.caller, accounts.ACCOUNT, account)
    params = {"token": "a-long-lived-token"} if item.document["auth"]["specName"] == "BEARER" else dict(ADA)
    change = [{"op": "replace", "path": "/auth/params", "value": params}]
    await accounts.change_account(
        house.store, house.clock, house.keyring, house.caller, account, declared.etag(item), change
    )


def fault(house):
    (flow,) = house.store.read_now(lambda tx: house.live.of(tx, house.caller.number)).values()
    return flow.fault


async def test_a_token_that_dies_is_renewed_and_the_message_sent_again(house, partner):
    await activate(house, "a", way=client_credentials())
    await house.ingest(person(1, "a"))
    await house.run()
    partner.good.clear()
    await house.ingest(person(2, "a"))

    await house.run()

    assert partner.statuses == [200, 401, 200]
    assert len(partner.token_requests) == 2
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


async def test_a_message_with_the_token_in_its_body_is_made_anew(house, partner):
    await activate(house, "a", way=client_credentials(), body=IN_THE_BODY)
    await house.ingest(person(1, "a"))
    await house.run()
    partner.good.clear()
    await house.ingest(person(2, "a"))

    await house.run()

    tokens = [(status, message["token"]) for status, _, message in partner.messages]
    assert dict.fromkeys(tokens) == dict.fromkeys(
        [(200, "access-token-1"), (401, "access-token-1"), (200, "access-token-2")]
    )
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


@pytest.mark.parametrize("body", [None, IN_THE_BODY], ids=["in the header", "in the body"])
async def test_an_account_that_the_partner_always_refuses_rests_and_nothing_is_parked(house, partner, body):
    partner.takes_nothing = True
    account = await activate(house, "a", way=client_credentials(), **({"body": body} if body else {}))
    await house.ingest(person(1, "a"))
    for _ in range(len(STEPS) + 3):
        await house.run()
        assert state(house, account) == REFUSED
        assert "refused by the partner" in fault(house)
        house.pass_time(standing.REST / 1000)
        await house.tokens.try_again()

    partner.takes_nothing = False
    await house.run()

    assert await house.balance() == {"accepted": 1, "delivered": 1, "messages": 1}


@pytest.mark.parametrize("way", [BEARER, BASIC], ids=lambda way: way["authType"])
async def test_credentials_that_the_partner_refuses_rest_until_they_are_replaced(house, partner, way):
    account = await activate(house, "a", way=way)
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.run()
    assert partner.statuses == [401]
    assert state(house, account) == REFUSED
    assert await house.balance() == {"accepted": 2, "pending": 2}
    assert (house.announced()["AccountStopped"], house.announced()["DataflowWaits"]) == (1, 1)
    assert [type(event).__name__ for event in house.events if event.level == "error"] == ["AccountStopped"]

    await replace(house, account)
    await house.wake_all()
    house.pass_time(1)
    shown = partner.messages[0][1].header("authorization").removeprefix("Bearer ")
    partner.good = {shown}
    await house.run()

    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 1}


async def test_a_partner_that_knows_nobody_any_more_stops_the_account_and_loses_nothing(house, partner):
    account = await activate(house, "a", way=client_credentials())
    await house.ingest(person(1, "a"))
    partner.answers = [401, lambda _form: {"error": "invalid_client", "access_token": None}]
    await house.run()
    assert await house.balance() == {"accepted": 1, "pending": 1}
    house.pass_time(100)
    await house.run()

    assert state(house, account) == SIGN_IN_NEEDED
    assert "signed in again" in fault(house)
    assert partner.messages == []
    assert await house.balance() == {"accepted": 1, "pending": 1}


async def test_nothing_is_sent_after_a_revocation_is_confirmed(house, partner):
    account = await activate(house, "a", way=BEARER)
    partner.good = {"a-long-lived-token"}
    await house.ingest(person(1, "a"))
    await house.run()
    route = next(iter(house.store.read_now(lambda tx: house.live.of(tx, house.caller.number)).values())).route

    await house.revoking.revoke(house.caller, account)
    await house.ingest(person(2, "a"))
    await house.run()
    outcome = await route.deliver(Message("m", partner.messages[0][1], (), ()))

    assert partner.statuses == [200]
    assert (outcome.code, outcome.counts) == ("sign-in-needed", False)
    assert state(house, account) == REVOKED
    assert await house.balance() == {"accepted": 2, "delivered": 1, "messages": 1, "pending": 1}


# -- where credentials go -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "{{ input.profiles[0].identityMap.id[0].id }}.evil.example",
        "partner.example.{{ input.profiles[0].identityMap.id[0].id }}",
        "partner.example@{{ input.profiles[0].identityMap.id[0].id }}",
        "{% if input.profiles is not empty %}evil.example{% else %}partner.example{% endif %}",
    ],
)
async def test_a_host_that_comes_from_a_person_gets_no_credentials(house, partner, host):
    url = {"templatingStrategy": "PEBBLE_V1", "value": f"https://{host}/"}
    await activate(house, "a", way=client_credentials(), urlBasedDestination={"url": url})
    await house.ingest(person("evil", "a"))

    await house.run()

    assert partner.messages == []
    assert [code for _, _, code in house.parked()] == ["unbound-origin"]


async def test_a_host_that_the_operator_chose_gets_them(house, partner):
    url = {
        "templatingStrategy": "PEBBLE_V1",
        "value": "https://{{ authData.username }}.partner.example/{{ 1 }}",
    }
    await activate(house, "a", way=BASIC, urlBasedDestination={"url": url})
    await house.ingest(person(1, "a"))

    await house.run()

    assert [request.url for _, request, _ in partner.messages] == ["https://ada.partner.example/1"]


async def test_a_path_may_come_from_a_person(house, partner):
    path = "{{ input.profiles[0].identityMap.id[0].id }}/{{ input.profiles[0].segmentMembership.ups.a.status }}"
    url = {"templatingStrategy": "PEBBLE_V1", "value": f"https://api.partner.example/{path}"}
    await activate(house, "a", way=client_credentials(), urlBasedDestination={"url": url})
    await house.ingest(person(7, "a"))

    await house.run()

    assert [request.url for _, request, _ in partner.messages] == ["https://api.partner.example/7/realized"]


# -- credentials that operators share --------------------------------------------------------------------------------


async def shared(house, document, *ids):
    saved = await authoring.save(house.store, house.clock, house.keyring, house.caller, authoring.CREDENTIALS, document)
    server = await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.SERVER, house.server_document()
    )
    house.servers["flow"] = server.declared.id
    destination = house.destination_document("flow")
    destination["destinationDelivery"][0] |= {
        "authenticationRule": "PLATFORM_AUTHENTICATION",
        "authenticationId": saved.declared.id,
    }
    made = await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.DESTINATION, destination
    )
    house.destinations["flow"] = made.declared.id
    await connect(house, "flow", None, *ids)
    return saved.declared.id


async def test_shared_credentials_sign_without_an_account(house, partner):
    client = {"url": TOKEN_URL, "clientId": "headrace", "clientSecret": "s3cret-of-all"}
    await shared(house, {"oauth2ClientAuthentication": client}, "a")
    await house.ingest(person(1, "a"))

    await house.run()

    assert partner.statuses == [200]
    assert partner.token_requests[0]["client_id"] == "headrace"


async def test_shared_credentials_that_are_refused_rest_until_their_author_replaces_them(house, partner):
    document = {"basicAuthentication": {"username": "us", "password": "wrong one"}}
    id_ = await shared(house, document, "a")
    await house.ingest(person(1, "a"))
    await house.run()
    assert partner.statuses == [401]
    assert state(house, id_) == REFUSED
    assert "shared credentials" in fault(house)

    document["basicAuthentication"]["password"] = "the right one"
    await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.CREDENTIALS, document, id_=id_
    )
    await house.wake_all()
    partner.good = {"Basic dXM6dGhlIHJpZ2h0IG9uZQ=="}
    house.pass_time(1)
    await house.run()

    assert partner.statuses == [401, 200]


async def test_a_refusal_of_what_was_replaced_meanwhile_stops_nothing(house, partner):
    account = await activate(house, "a", way=BEARER)
    await house.ingest(person(1, "a"))
    real = partner.send

    async def replaced_under_way(request, **how):
        answer = await real(request, **how)
        if answer.status == 401:
            partner.good = {"a-long-lived-token"}
            await replace(house, account)
        return answer

    partner.send = replaced_under_way
    await house.run()
    house.pass_time(1)
    await house.run()

    assert partner.statuses == [401, 200]
    assert state(house, account) != REFUSED
