"""An account that signs in with OAuth 2: the partner in memory, its authorization server, and the words for it."""

import asyncio
import itertools
from urllib.parse import parse_qsl

import orjson

from headrace.model.http import Response
from headrace.services import accounts, activation, authoring, sources, targets
from headrace.services.standing import Holder
from unit.services.house import BODY, flow_document

TOKEN_URL = "https://auth.partner.example/token"
REVOCATION_URL = "https://auth.partner.example/revoke"
JSON = (("Content-Type", "application/json"),)


def grant(**more):
    return {
        "authType": "OAUTH2",
        "grant": "OAUTH2_AUTHORIZATION_CODE",
        "authorizationUrl": "https://auth.partner.example/authorize",
        "accessTokenUrl": TOKEN_URL,
        "refreshTokenUrl": TOKEN_URL,
        "clientId": "headrace",
        "clientSecret": "secret-of-the-client",
    } | more


def client_credentials():
    return {
        "authType": "OAUTH2",
        "grant": "OAUTH2_CLIENT_CREDENTIALS",
        "accessTokenUrl": TOKEN_URL,
        "clientId": "headrace",
        "clientSecret": "secret-of-the-client",
    }


class Partnership:
    """
    A partner in memory and its authorization server, which rotates refresh tokens and takes a second use for theft.

    ``answers`` are given at the token endpoint in order, before right ones: a status, an error to raise, or members to
    put over a right answer; ``endings`` where tokens are ended: a response, an error to raise, or what is done before a
    right one. ``good`` are the access tokens that the partner takes, ``ended`` the requests to end some. With
    ``forbids``, so many of the messages that it would take are answered with 403.
    """

    def __init__(self, life=3600):
        self.life = life
        self.answers, self.endings = [], []
        self.ended = []
        self.good = set()
        self.refreshes = {}
        self.token_requests = []
        self.messages = []
        self.takes_nothing = False
        self.forbids = 0
        self.numbers = itertools.count(1)
        self.is_revoked = False

    async def send(self, request, *, deadline, pool):
        del deadline, pool
        await asyncio.sleep(0)
        if request.url == TOKEN_URL:
            return await self._token(dict(parse_qsl(request.body.decode())))
        if request.url == REVOCATION_URL:
            return self._end(request)
        message = orjson.loads(request.body)
        shown = message.get("token") or (request.header("authorization") or "").removeprefix("Bearer ")
        status = 200 if shown in self.good and not self.takes_nothing else 401
        if status == 200 and self.forbids:
            self.forbids -= 1
            status = 403
        self.messages.append((status, request, message))
        return Response(status)

    async def _token(self, form):
        self.token_requests.append(form)
        answer = self.answers.pop(0) if self.answers else {}
        if callable(answer):
            answer = answer(form)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return Response(answer)
        await asyncio.sleep(0.01)
        if form["grant_type"] == "refresh_token" and not self._takes(form["refresh_token"]):
            return Response(400, JSON, b'{"error": "invalid_grant"}')
        return Response(200, JSON, orjson.dumps(self._granted() | answer))

    def _end(self, request):
        self.ended.append(request)
        answer = self.endings.pop(0) if self.endings else Response(200)
        answer = answer(request) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _takes(self, refresh):
        is_first = self.refreshes.get(refresh) is False
        self.is_revoked = self.is_revoked or not is_first
        self.refreshes[refresh] = True
        return is_first and not self.is_revoked

    def _granted(self):
        number = next(self.numbers)
        access, refresh = f"access-token-{number}", f"refresh-token-{number}"
        self.good = {access}
        self.refreshes[refresh] = False
        return {"access_token": access, "refresh_token": refresh, "expires_in": self.life, "token_type": "bearer"}

    @property
    def statuses(self):
        return [status for status, _, _ in self.messages]


async def activate(house, *ids, way=None, name="flow", body=BODY, **server):
    """Send audiences to a destination whose account signs in with OAuth 2; return the account's id."""
    document = house.server_document(body) | server
    saved = await authoring.save(house.store, house.clock, house.keyring, house.caller, authoring.SERVER, document)
    house.servers[name] = saved.declared.id
    destination = house.destination_document(name)
    destination["destinationDelivery"][0]["authenticationRule"] = "CUSTOMER_AUTHENTICATION"
    destination["customerAuthenticationConfigurations"] = [way or grant()]
    saved = await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.DESTINATION, destination
    )
    house.destinations[name] = saved.declared.id
    auth_type = destination["customerAuthenticationConfigurations"][0]["authType"]
    params = {"BEARER": {"token": "a-long-lived-token"}, "BASIC": {"username": "ada", "password": "of ada"}}
    auth = {"specName": auth_type, "params": params.get(auth_type, {})}
    return await connect(house, name, auth, *ids)


async def connect(house, name, auth, *ids):
    """Make an account, unless ``auth`` is none, and a dataflow that uses it; return the account's id."""
    connection = {"name": name, "connectionSpec": {"id": house.destinations[name]}}
    account_id = None
    if auth is not None:
        account = await accounts.create_account(
            house.store, house.clock, house.keyring, house.caller, connection | {"auth": auth}
        )
        account_id = account.id
    source = await sources.create_source(house.store, house.clock, house.caller, connection)
    of_account = {"baseConnectionId": account_id} if account_id else {}
    target = await targets.create_target(house.store, house.clock, house.keyring, house.caller, connection | of_account)
    rows = (("identityMap.crmId", "identityMap.id"),)
    flow = await activation.create(
        house.store, house.clock, house.caller, flow_document(name, source.id, target.id, ids, rows)
    )
    house.flows[name] = flow.id
    await house.wake_all()
    return account_id


def holder(house, account):
    return Holder(house.caller.tenant, account)
