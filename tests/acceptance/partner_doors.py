"""The doors at partners: every way of signing in, forms, look-ups, audiences; each partner repeats what it is told."""

import http.client
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from canaries import CANARIES
from headrace.cli import examples
from headrace.cli.demo import _chosen, _towards
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.oauth import AuthorizationServer
from headrace.testkit.partner import Answer, Partner, Received
from support import AUTHORING, FLOWS, eventually

#: Where no partner is.
AWAY = "http://127.0.0.1:9"
_JSON = (("Content-Type", "application/json"),)
_CUSTOMER_SECRET = {"name": "clientSecret", "type": "string", "source": "CUSTOMER", "format": "password"}


def repeated(received: Received) -> bytes:
    """Say again all that was said, at the places where errors, choices and tokens are looked for."""
    heard = " ".join(
        [received.path, received.query, *received.headers.values(), received.body.decode(errors="replace")]
    )
    told = f"not good: {heard} {quote(heard)} {dict(parse_qsl(received.body.decode(errors='replace')))}"
    return json.dumps({"error": {"message": told}, "error_description": told, "message": told}).encode()


def repeating(*statuses: int) -> Callable[[Received], Answer]:
    """Make the answers of a partner that repeats everything, with these statuses in turn."""
    turn = itertools.cycle(statuses)
    return lambda received: Answer(next(turn), _JSON, repeated(received))


def asking(oauth: AuthorizationServer, answer: Callable[[Received], Answer]) -> Callable[[Received], Answer]:
    """Make the answers of a partner that refuses tokens which the authorization server no longer takes."""

    def asked(received: Received) -> Answer:
        token = received.headers.get("authorization", "").removeprefix("Bearer ")
        is_dead = token.startswith(CANARIES["issued access token"]) and not oauth.accepts(token)
        return Answer(401, _JSON, repeated(received)) if is_dead else answer(received)

    return asked


@dataclass
class Partners:
    """A partner that repeats everything, and an authorization server whose secrets are canaries."""

    partner: Partner
    oauth: AuthorizationServer

    @property
    def origins(self) -> str:
        return f"{self.partner.origin}, {self.oauth.issuer}, {AWAY}"


@contextmanager
def running() -> Iterator[Partners]:
    """Run both, until the end of the block."""
    numbers = itertools.count()
    options = {
        "client_secret": CANARIES["OAuth client secret of an operator"],
        "users": {"ada": CANARIES["password of the password grant"]},
        "mint": lambda kind: (
            f"{CANARIES[f'issued {kind}' if kind != 'code' else 'authorization code']}-{next(numbers)}"
        ),
    }
    with (
        AuthorizationServer.in_thread(**options) as oauth,
        Partner.in_thread(default=asking(oauth, repeating(200, 400, 500, 422, 200, 404))) as partner,
    ):
        yield Partners(partner, oauth)


# -- what a door is made of --------------------------------------------------------------------------------------------


def destination(world: Any, way: dict[str, Any], origin: str, *, header: str = "", **more: Any) -> str:
    """Author a destination towards an origin; ``header`` is the template of one that its messages carry as well."""
    example = examples.destination("moviestar")
    server = json.loads(json.dumps(_towards(example["destinationServer"], origin)))
    value = {"templatingStrategy": "PEBBLE_V1", "value": header}
    server["httpTemplate"].setdefault("headers", []).append({"header": "X-Form", "value": value})
    server_id = world.post(f"{AUTHORING}/destination-servers", server)["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server_id}
    document = {**example["destination"], "customerDataFields": [], "destinationDelivery": [delivery], **more}
    document["customerAuthenticationConfigurations"] = [way]
    return str(world.post(f"{AUTHORING}/destinations", document)["instanceId"])


def account(world: Any, destination_id: str, way: str, params: dict[str, str]) -> str:
    """Make an account, and before that many that are wrong."""
    document = {"name": way, "connectionSpec": {"id": destination_id}, "auth": {"specName": way, "params": params}}
    made = world.post(f"{FLOWS}/connections", document)["id"]
    world.post_wrong(f"{FLOWS}/connections", document, [f"/auth/params/{name}" for name in params])
    return str(made)


def target(world: Any, destination_id: str, account_id: str, form: Any = None) -> str:
    """Make a target connection."""
    spec = {"id": destination_id, "version": "1.0"}
    document = {"name": "t", "baseConnectionId": account_id, "connectionSpec": spec, "params": form or {}}
    return str(world.post(f"{FLOWS}/targetConnections", document)["id"])


def dataflow(world: Any, target_id: str, again: Callable[[], object]) -> str:
    """Make a dataflow; ``again`` is done where the partner's refusals have stopped it."""
    source = world.post(f"{FLOWS}/sourceConnections", {"name": "s", "connectionSpec": {"id": PROFILE_STORE_SPEC}})["id"]
    document = {
        "name": f"flow {len(world.dataflows)}",
        "sourceConnectionIds": [source],
        "targetConnectionIds": [target_id],
        "transformations": [
            {"name": "GeneralTransform", "params": _chosen(examples.destination("moviestar")["activation"]["mapping"])}
        ],
    }
    made = str(world.post(f"{FLOWS}/flows", document)["id"])
    world.dataflows[made] = again
    return made


def given_again(world: Any, account_id: str, params: dict[str, str]) -> Callable[[], object]:
    """Return what gives an account its credentials anew."""

    def give() -> None:
        (item,) = world.api.get(f"{FLOWS}/connections/{account_id}").json["items"]
        operations = [{"op": "replace", "path": "/auth/params", "value": params}]
        answer = world.api.patch(f"{FLOWS}/connections/{account_id}", operations, item["etag"])
        assert answer.status == 200, answer.text

    return give


def try_it(world: Any, account_id: str) -> None:
    """Try an account, over REST and by the command."""
    for method in ("POST", "GET"):
        assert world.api.send(method, f"{FLOWS}/connections/{account_id}/test").status == 200
    world.command("account", "test", account_id)


def way_of_oauth(world: Any, grant: str) -> dict[str, Any]:
    """Return a way of OAuth 2 for which operators type the client's secret."""
    oauth = world.partners.oauth
    way = {"authType": "OAUTH2", "grant": grant, "accessTokenUrl": oauth.token_url, "clientId": oauth.client_id}
    return {**way, "authenticationDataFields": [_CUSTOMER_SECRET]}


def let_it_repeat(world: Any) -> None:
    """Have the authorization server repeat what it hears, in place of its next four answers."""
    world.partners.oauth.answers.extend(repeating(status) for status in (400, 401, 503, 200))


# -- the doors ---------------------------------------------------------------------------------------------------------


def basic(world: Any) -> None:
    params = {"username": "me", "password": world["basic password"]}
    where = destination(world, {"authType": "BASIC"}, world.partners.partner.origin)
    made = account(world, where, "BASIC", params)
    try_it(world, made)
    dataflow(world, target(world, where, made), given_again(world, made, params))


def partner_that_is_away(world: Any) -> None:
    params = {"token": world["account token of a partner that is away"]}
    where = destination(world, {"authType": "BEARER"}, AWAY)
    made = account(world, where, "BEARER", params)
    dataflow(world, target(world, where, made), given_again(world, made, params))


def customer_data_in_a_group(world: Any) -> None:
    pin = {"name": "pin", "type": "string", "format": "password"}
    group = {"name": "deep", "type": "object", "properties": [pin, {"name": "other", "type": "string"}]}
    said = {"header": "{{ customerData.deep.pin | urlencode }}", "customerDataFields": [group]}
    where = destination(world, {"authType": "BEARER"}, world.partners.partner.origin, **said)
    params = {"token": world["account token"]}
    made = account(world, where, "BEARER", params)
    form = {"deep": {"pin": world["customer data in a group"], "other": "plain"}}
    under = target(world, where, made, form)
    document = {"name": "t", "baseConnectionId": made, "connectionSpec": {"id": where}, "params": form}
    world.post_wrong(f"{FLOWS}/targetConnections", document, ["/params/deep/pin"])
    world.api.post(f"{FLOWS}/targetConnections", {**document, "params": {"deep": form["deep"]["pin"]}})
    dataflow(world, under, given_again(world, made, params))


def client_credentials(world: Any) -> None:
    way = way_of_oauth(world, "OAUTH2_CLIENT_CREDENTIALS")
    _signed_in_by_itself(world, way, {"clientSecret": world["OAuth client secret of an operator"]})


def password_grant(world: Any) -> None:
    way = way_of_oauth(world, "OAUTH2_PASSWORD")
    secrets = {
        "password": world["password of the password grant"],
        "clientSecret": world["OAuth client secret of an operator"],
    }
    _signed_in_by_itself(world, way, {"username": "ada", **secrets})


def _signed_in_by_itself(world: Any, way: dict[str, Any], params: dict[str, str]) -> None:
    where = destination(world, way, world.partners.partner.origin)
    refused = account(world, where, "OAUTH2", params)
    let_it_repeat(world)
    for _ in range(4):
        try_it(world, refused)
        given_again(world, refused, params)()
    world.partners.oauth.answers.clear()
    made = account(world, where, "OAUTH2", params)
    try_it(world, made)
    world.sent.add("issued access token")
    dataflow(world, target(world, where, made), given_again(world, made, params))


def partners_page(world: Any) -> None:
    """Sign in at the partner's page: in vain, denied, with the code of another, and then rightly."""
    oauth = world.partners.oauth
    way = {**way_of_oauth(world, "OAUTH2_AUTHORIZATION_CODE"), "authorizationUrl": oauth.authorization_url}
    way["refreshTokenUrl"] = oauth.token_url
    params = {"clientSecret": world["OAuth client secret of an operator"]}
    where = destination(world, way, world.partners.partner.origin)
    made = account(world, where, "OAUTH2", params)
    oauth.detours.extend(["denied", "other-issuer", "no-code", "wrong-state", "no-state"])
    for _ in range(5):
        _there_and_back(world, made)
    let_it_repeat(world)
    for _ in range(4):
        _there_and_back(world, made)
    oauth.answers.clear()
    _there_and_back(world, made)
    try_it(world, made)
    oauth.answers.append(repeating(503))
    oauth.kill()
    for kind in ("issued access token", "issued refresh token", "authorization code"):
        world.sent.add(kind)
    for number, received in enumerate(received for received in oauth.received if b"code_verifier" in received.body):
        world.found(f"PKCE verifier {number}", parse_qs(received.body.decode())["code_verifier"][0])
    dataflow(world, target(world, where, made), lambda: _there_and_back(world, made))


def _there_and_back(world: Any, account_id: str) -> None:
    """Go to the partner's page as a browser does, and back, and back once more."""
    page = world.api.post(f"{FLOWS}/connections/{account_id}/authorize", {}).json["authorizationUrl"]
    state = parse_qs(urlsplit(page).query)["state"][0]
    world.found(f"state {len(world.canaries)}", world.api.once(state))
    back = _browse(page)[0]["Location"]
    for address in (back, back):
        headers, text = _browse(address)
        world.sinks[f"page of the way back #{len(world.sinks)}"] = f"{headers} {text}".encode()


def _browse(url: str) -> tuple[Any, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.headers, text


def ended_accounts(world: Any) -> None:
    """Delete and revoke accounts, and have the partner told: it repeats what it hears, is down, and then does it."""
    oauth = world.partners.oauth
    way = way_of_oauth(world, "OAUTH2_CLIENT_CREDENTIALS") | {"x-headrace": {"revocationUrl": oauth.revocation_url}}
    where = destination(world, way, world.partners.partner.origin)
    for answers in ([repeating(400)], [repeating(503)], [repeating(200)], []):
        oauth.revocations.extend(answers)
        made = account(world, where, "OAUTH2", {"clientSecret": world["OAuth client secret of an operator"]})
        try_it(world, made)
        told = oauth.counts["/revoke"]
        assert world.api.post(f"{FLOWS}/connections/{made}/action?op=revoke", {}).status == 200
        eventually("the partner is told", lambda told=told: oauth.counts["/revoke"] > told)
        assert world.api.delete(f"{FLOWS}/connections/{made}").status == 204
        for path in ("/runs?kind=revocation", "/audit"):
            assert world.api.get(path).status == 200


def looked_up_choices(world: Any) -> None:
    """A partner that repeats the token where its choices are asked for: as an error, and as the choices themselves."""
    origin = world.partners.partner.origin
    read = "{{ {'list': [{'name': response.body.message, 'value': response.body.message}]} | toJson | raw }}"
    server = {
        "name": "asked",
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": f"{origin}/lists"}},
        "httpTemplate": {"httpMethod": "GET"},
        "responseFields": [{"name": "list", "templatingStrategy": "PEBBLE_V1", "value": read}],
    }
    asked = {
        "authenticationRule": "CUSTOMER_AUTHENTICATION",
        "value": "$.list",
        "responseFormat": "NAME_VALUE",
        "destinationServerId": world.post(f"{AUTHORING}/destination-servers", server)["instanceId"],
    }
    field = {"name": "list", "type": "string", "dynamicEnum": asked}
    where = destination(world, {"authType": "BEARER"}, origin, customerDataFields=[field])
    made = account(world, where, "BEARER", {"token": world["account token"]})
    for _ in range(6):
        body = {"field": "list", "params": {}, "baseConnectionId": made}
        world.api.post(f"{FLOWS}/connectionSpecs/{where}/choices?fresh=true", body)
        try_it(world, made)


def audience_calls(world: Any) -> None:
    """An audience template whose requests carry the token, and a partner that repeats it."""
    origin = world.partners.partner.origin
    template = json.loads(json.dumps(examples.destination("pier")["audienceTemplate"]))
    template = json.loads(json.dumps(template).replace("https://api.pier.example", origin))
    metadata = template["metadataTemplate"]
    events = [metadata[name] for name in ("create", "update", "delete")]
    for event in (*events, *metadata["x-headrace"].values()):
        event["headers"] = [{"header": "X-Token", "value": "{{ oauth2ServiceAccessToken }}"}]
    metadata["validate"] = {"url": f"{origin}/validate", "httpMethod": "GET", "headers": events[0]["headers"]}
    template_id = world.post(f"{AUTHORING}/audience-templates", template)["instanceId"]
    config = {"mapExperiencePlatformSegmentName": False, "mapUserInput": False, "audienceTemplateId": template_id}
    way = way_of_oauth(world, "OAUTH2_CLIENT_CREDENTIALS")
    params = {"clientSecret": world["OAuth client secret of an operator"]}
    where = destination(world, way, origin, audienceMetadataConfig=config)
    made = account(world, where, "OAUTH2", params)
    for _ in range(4):
        try_it(world, made)
    flow = dataflow(world, target(world, where, made), given_again(world, made, params))
    world.audiences_of.append(flow)


DOORS = [
    basic,
    partner_that_is_away,
    customer_data_in_a_group,
    client_credentials,
    password_grant,
    ended_accounts,
    partners_page,
    looked_up_choices,
    audience_calls,
]
