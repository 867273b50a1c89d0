"""What signs the requests about audiences of a destination of files: what opens its storage never does."""

import base64

import pytest

from headrace.services import authoring
from headrace.services.at_partner import notifying
from headrace.services.at_partner.notifying import Notices
from headrace.store import audiences, runs
from unit.services.filing import filing
from unit.services.house import House
from unit.services.signed_in import TOKEN_URL, Partnership

S3, KEYS = "FILE_BASED_S3", {"accessId": "AKIAIOSFODNN7EXAMPLE", "secretKey": "canary-secret-of-the-bucket-Jd83"}
CLIENT = {"oauth2ClientAuthentication": {"url": TOKEN_URL, "clientId": "headrace", "clientSecret": "s3cret-of-all"}}
USER = {"basicAuthentication": {"username": "author", "password": "of-the-author"}}
OPERATORS_KEY = {"name": "key", "title": "Key", "type": "string", "format": "password"}
TOKEN = {"header": "X-Token", "value": "{{ oauth2ServiceAccessToken }}"}


@pytest.fixture
def partner():
    return Partnership()


@pytest.fixture
def house(tmp_path, lend_database, partner):
    with lend_database() as database_url:
        built = House(tmp_path, partner, database_url)
        built.runs.register(notifying.KIND, Notices(built.store, built.clock, built.partners).carry)
        yield built
        built.close()


async def save(house, noun, document):
    return (await authoring.save(house.store, house.clock, house.keyring, house.caller, noun, document)).declared.id


def notify(*headers):
    event = {"url": "https://api.partner.example/arrived", "httpMethod": "POST", "requestBody": {"json": {"n": 1}}}
    return {"metadataTemplate": {"name": "Lists", "notify": {**event, "headers": [*headers]}}}


async def with_files(house, *headers, own=None, shared=None):
    """A destination of files that tells its partner; ``own`` signs that, ``shared`` opens the bucket for everybody."""
    metadata = {"audienceTemplateId": await save(house, authoring.AUDIENCE_TEMPLATE, notify(*headers))}
    if own is not None:
        metadata["x-headrace"] = {"authenticationId": await save(house, authoring.CREDENTIALS, own)}
    changes = {"/audienceMetadataConfig": metadata, "/customerDataFields": [OPERATORS_KEY]}
    if shared is not None:
        changes |= {
            "/customerAuthenticationConfigurations": [],
            "/destinationDelivery/0/authenticationRule": "PLATFORM_AUTHENTICATION",
            "/destinationDelivery/0/authenticationId": await save(house, authoring.CREDENTIALS, shared),
        }
    made = await filing(house, S3, {}, changes)
    if shared is None:
        await made.sign_in("S3", **KEYS)
    await made.fill_in(["/params/key"], key="the-operators-key")
    return made


async def told(house, made):
    """Have the partner told, and return how that ended and what it was sent."""
    tenant, now = house.caller.tenant, house.clock.now()

    def work(tx):
        number = audiences.number(tx, tenant.tenant, "ups", "a", "Movie lovers", now)
        subject = {"dataflow": "-", "audiences": [number], "slot": None, "moment": now}
        of = runs.ask(tx, tenant.tenant, "export", subject, "client:a", now)
        runs.end(tx, of.run, "succeeded", now)
        return notifying.notify(tx, tenant, made.target.id, of.run, "client:a", now, number, of)

    run = house.store.write_now(work)
    await house.carry_runs()
    ended = house.store.read_now(lambda tx: runs.get(tx, run.run))
    return ended.state, house.partner.messages[-1][1]


async def test_a_client_of_the_authors_signs_and_its_token_is_there_for_templates(house, partner):
    made = await with_files(house, TOKEN, own=CLIENT)

    state, request = await told(house, made)

    assert state == "succeeded"
    assert request.header("authorization") == "Bearer access-token-1"
    assert request.header("x-token") == "access-token-1"
    assert partner.token_requests[0]["client_id"] == "headrace"


async def test_a_user_of_the_authors_signs(house):
    _, request = await told(house, await with_files(house, own=USER))

    assert request.header("authorization") == "Basic " + base64.b64encode(b"author:of-the-author").decode()


async def test_a_key_that_the_operator_enters_goes_into_a_header(house):
    header = {"header": "X-Key", "value": "{{ customerData.key }}"}

    _, request = await told(house, await with_files(house, header))

    assert request.header("x-key") == "the-operators-key"


@pytest.mark.parametrize("shared", [None, {"s3Authentication": KEYS}], ids=["of the account", "shared"])
async def test_what_opens_the_storage_signs_nothing_and_is_shown_to_no_template(house, shared):
    seen = {"header": "X-Seen", "value": "{{ authData.secretKey }}{{ authData.accessId }}"}

    _, request = await told(house, await with_files(house, seen, shared=shared))

    assert request.header("authorization") is None
    assert not request.header("x-seen")
    assert not any(secret in repr(request) for secret in KEYS.values())


@pytest.mark.parametrize("shared", [None, {"s3Authentication": KEYS}], ids=["of the account", "shared"])
async def test_the_authors_credentials_sign_beside_those_of_the_storage(house, shared):
    made = await with_files(house, own=CLIENT, shared=shared)

    state, request = await told(house, made)

    assert (state, request.header("authorization")) == ("succeeded", "Bearer access-token-1")
    assert made.access()._sign_in.auth == KEYS
