"""
Secrets go in through every door and come out of none: not in answers, logs, metrics, processes, or what is kept.

``DOORS`` lists the doors. A new one is a function that sends its canaries in, right and wrong, and a line there.
"""

import base64
import contextlib
import itertools
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import make_url

from acceptance import partner_doors, storage_doors
from authored import KINDS_OF_CREDENTIALS, credentials, messages_with_everything
from canaries import CANARIES, Net, let_out
from forward_proxy import ForwardProxy
from headrace.cli import examples
from headrace.cli.demo import _towards
from headrace.model.block import steps
from headrace.model.credentials import Credentials
from headrace.model.secrets import secret_pointers
from headrace.testkit.partner import Answer as Said
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import generate, ndjson
from support import AUTHORING, FLOWS, Answer, Api, Server, command, environment, eventually, run

pytestmark = pytest.mark.campaign

PERSON = "cnry-person@example.com"
#: What the first start writes for its owner's eyes, and where clients of ours sign in with it.
CREDENTIALS_FILE = "credentials.json"


class Recording(Api):
    """Remembers every answer, to be searched."""

    answers: list[tuple[str, str]]

    def send(self, method: str, path: str, body: Any = None, headers: Any = None) -> Answer:
        answer = super().send(method, path, body, headers)
        told = f"{answer.status} {json.dumps(answer.headers)} {answer.text}"
        self.__dict__.setdefault("answers", []).append((f"{method} {path}", told))
        return answer

    def once(self, secret: str) -> str:
        """Take a secret out of the last answer: the one that hands it out."""
        what, told = self.answers[-1]
        assert secret in told, "this is the answer that hands it out"
        self.answers[-1] = (what, told.replace(secret, ""))
        return secret


@dataclass
class World:
    """A Headrace as a process of its own, a partner that repeats what it is told, and the secrets that it has seen."""

    server: Server
    api: Recording
    partner: Partner
    partners: partner_doors.Partners
    proxy: ForwardProxy
    canaries: dict[str, str] = field(default_factory=lambda: dict(CANARIES))
    sent: set[str] = field(default_factory=set)
    sinks: dict[str, bytes] = field(default_factory=dict)
    #: By id; what is done with each where its partner has refused the account.
    dataflows: dict[str, Callable[[], object]] = field(default_factory=dict)
    audiences_of: list[str] = field(default_factory=list)

    def __getitem__(self, kind: str) -> str:
        """Return a canary that is about to be sent."""
        self.sent.add(kind)
        return self.canaries[kind]

    def found(self, kind: str, value: str) -> None:
        """Take note of a secret that Headrace has made."""
        self.canaries[kind] = value
        self.sent.add(kind)

    def post(self, path: str, document: Any) -> Any:
        """Send a document that is right."""
        answer = self.api.post(path, document)
        assert answer.status in (200, 201), answer.text
        return answer.json

    def post_wrong(self, path: str, document: Any, pointers: list[str]) -> None:
        """Send it in all kinds of wrong documents, so that what is said of these speaks of the secret."""
        for where in pointers:
            secret = _at(document, where)
            for wrong in ([secret], {"deep": secret}, {secret: 1}, [[secret]]):
                answer = self.api.post(path, _with(document, where, wrong))
                assert answer.status == 400, (where, answer.text)
        unknown = self["value of unknown field"]
        assert self.api.post(path, {**document, "surprise": unknown}).status == 400
        whole = json.dumps(document, ensure_ascii=False).encode()
        for body in (whole[:-1], whole + b"]", b"[" + whole, whole.replace(b'":', b'" ', 1)):
            self.api.post(path, body, {"Content-Type": "application/json"})
        self.api.post(path, whole, {"Content-Type": "text/plain"})
        self.api.send("DELETE", f"{path}?{quote(unknown)}")

    def command(self, *words: str, given: str = "") -> None:
        """Run a command of ours and keep what it says."""
        ran = subprocess.run(
            [*command(*words), "--data-dir", str(self.server.data)],
            env=environment(self.server.home),
            cwd=self.server.home,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.sinks[f"headrace {' '.join(words[:3])} #{len(self.sinks)}"] = (ran.stdout + ran.stderr).encode()

    def upload(self, name: str, document: Any) -> Path:
        """Write a document for a command into a file, on purpose."""
        folder = self.server.home / "on-purpose"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(document))
        return folder / name


def _at(document: Any, where: str) -> Any:
    for step in steps(where):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def _with(document: Any, where: str, value: Any) -> Any:
    made = json.loads(json.dumps(document))
    *way, last = steps(where)
    place = made
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return made


# -- the doors ---------------------------------------------------------------------------------------------------------


def shared_credentials(world: World) -> None:
    for kind in KINDS_OF_CREDENTIALS:
        document = credentials(kind)
        pointers = secret_pointers(Credentials, document)
        for where in pointers:
            document = _with(document, where, world[f"{kind} {where.rpartition('/')[2]}"])
        made = world.post(f"{AUTHORING}/credentials", document)
        world.post_wrong(f"{AUTHORING}/credentials", document, pointers)
        where = f"{AUTHORING}/credentials/{made['instanceId']}"
        world.api.put(where, document)
        world.api.put(where, {**document, "type": 5})
        world.command("api", "PUT", where, str(world.upload(f"{kind}.json", document)))
        world.command(
            "api", "POST", f"{AUTHORING}/credentials", str(world.upload("wrong.json", {**document, "type": 5}))
        )


def secrets_of_a_destination(world: World) -> None:
    server = world.post(f"{AUTHORING}/destination-servers", examples.destination("moviestar")["destinationServer"])
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server["instanceId"]}
    document = {**messages_with_everything(), "destinationDelivery": [delivery]}
    document.pop("audienceMetadataConfig", None)
    where = "/customerAuthenticationConfigurations/0"
    document = _with(document, f"{where}/clientSecret", world["OAuth client secret in a destination"])
    secret = {"name": "accessToken", "value": world["authenticationDataFields value"]}
    document = _with(document, f"{where}/authenticationDataFields", [secret])
    pointers = [f"{where}/clientSecret", f"{where}/authenticationDataFields/0/value"]
    answer = world.api.post(f"{AUTHORING}/destinations", document)
    world.post_wrong(f"{AUTHORING}/destinations", document, pointers)
    if answer.status == 200:
        world.api.put(f"{AUTHORING}/destinations/{answer.json['instanceId']}", document)


def accounts_and_customer_data(world: World) -> None:
    destination = destination_towards(world)
    spec = {"id": destination, "version": "1.0"}
    token, pin = world["account token"], world["customer data"]
    document = {"name": "a", "connectionSpec": spec, "auth": {"specName": "BEARER", "params": {"token": token}}}
    account = world.post(f"{FLOWS}/connections", document)["id"]
    world.post_wrong(f"{FLOWS}/connections", document, ["/auth/params/token"])
    world.api.post(f"{FLOWS}/connections", {**document, "auth": {"specName": "NOBODY", "params": {"token": token}}})
    world.api.post(f"{FLOWS}/connections", {**document, "auth": token})
    line_end = {"specName": "BEARER", "params": {"token": f"{token}\nx"}}
    world.api.post(f"{FLOWS}/connections", {**document, "auth": line_end})
    params = {**examples.destination("moviestar")["activation"]["customerData"], "pin": pin}
    target = {"name": "t", "baseConnectionId": account, "connectionSpec": spec, "params": params}
    made = world.post(f"{FLOWS}/targetConnections", target)["id"]
    for wrong in ([pin], {"a": pin}, f"{pin} does not match", 5):
        answer = world.api.post(f"{FLOWS}/targetConnections", _with(target, "/params/pin", wrong))
        assert answer.status == 400, answer.text
    world.api.post(f"{FLOWS}/targetConnections", {**target, "params": {**params, "surprise": pin}})
    world.command("api", "POST", f"{FLOWS}/connections", str(world.upload("account.json", document)))
    partner_doors.dataflow(world, made, partner_doors.given_again(world, account, {"token": token}))


def destination_towards(world: World) -> str:
    """Author a destination whose messages carry all that is secret, so that the partner can repeat it."""
    example = examples.destination("moviestar")
    server = json.loads(json.dumps(_towards(example["destinationServer"], world.partner.origin)))
    pin = {"header": "X-Pin", "value": {"templatingStrategy": "PEBBLE_V1", "value": "{{ customerData.pin }}"}}
    server["httpTemplate"].setdefault("headers", []).append(pin)
    server_id = world.post(f"{AUTHORING}/destination-servers", server)["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server_id}
    secret = {"name": "pin", "title": "Pin", "type": "string", "format": "password", "pattern": "^[a-z]+-[0-9a-f]+$"}
    fields = [*example["destination"].get("customerDataFields", []), secret]
    document = {**example["destination"], "customerDataFields": fields, "destinationDelivery": [delivery]}
    return str(world.post(f"{AUTHORING}/destinations", document)["instanceId"])


def api_clients(world: World) -> None:
    made = world.post("/access/clients", {"name": "c", "role": "admin"})
    world.found("API client secret", world.api.once(made["clientSecret"]))
    client_id, secret = made["clientId"], made["clientSecret"]
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    token = world.api.form("/ims/token/v3", form).json["access_token"]
    world.found("access token", world.api.once(token))
    for wrong in ({"client_secret": f"{secret}x"}, {"client_id": secret}, {"grant_type": secret}):
        world.api.form("/ims/token/v3", form | wrong)
    for path in (f"/access/users/{token}", f"/access/clients/{secret}", f"/nowhere/{token}", f"/audit?limit={secret}"):
        world.api.get(path)
    for headers in ({"Authorization": token}, {"x-api-key": secret}, {"x-sandbox-name": token}):
        world.api.get("/access/me", headers)
        world.api.get(f"{FLOWS}/connections", {**headers, "x-gw-ims-org-id": token})
    world.post_wrong("/access/clients", {"name": ["no name"], "role": "admin"}, [])
    rotated = world.api.post(f"/access/clients/{client_id}/secret", {}).json
    world.found("rotated client secret", world.api.once(rotated["clientSecret"]))
    world.command("access", "clients")


def users_and_sessions(world: World) -> None:
    password, another = world["user password"], world["another password of a user"]
    user = {"email": "ana@example.com", "name": "Ana", "password": password, "roles": [{"role": "viewer"}]}
    made = world.post("/access/users", user)
    world.post_wrong("/access/users", {**user, "email": "eva@example.com"}, ["/password"])
    signing_in = {"email": "ana@example.com", "password": password}
    session = world.api.post("/access/sessions", signing_in, {"Authorization": None})
    cookie = session.headers["set-cookie"].partition("=")[2].partition(";")[0]
    world.found("session cookie", world.api.once(cookie))
    # It is shown again to whoever has the session, for pages that are loaded anew: only what is left of it counts.
    csrf = session.json["csrfToken"]
    stranger = {"Authorization": None, "Cookie": f"headrace_session={cookie}"}
    world.api.get("/access/sessions/current", stranger)
    world.api.answers.pop()
    world.api.answers[-1] = (world.api.answers[-1][0], world.api.answers[-1][1].replace(csrf, ""))
    world.found("CSRF token", csrf)
    for wrong in ({**signing_in, "password": f"{password}x"}, {"email": password, "password": 5}, [password]):
        world.api.post("/access/sessions", wrong, {"Authorization": None})
    change = {"oldPassword": password, "newPassword": another}
    world.api.send("PUT", "/access/me/password", change, {**stranger, "X-CSRF-Token": csrf})
    world.api.send("PUT", "/access/me/password", {**change, "x": another}, {**stranger, "X-CSRF-Token": "wrong"})
    world.api.post(f"/access/users/{made['id']}/password", {"password": another})
    world.command("access", "user-add", "cli@example.com", "--role", "viewer", given=f"{password}\n")
    world.command("access", "user-add", "no address", "--role", "viewer", given=f"{password}\n")
    world.command("access", "users")


def metrics(world: World) -> None:
    token = world["metrics token"]
    for header in (f"Bearer {token}", f"Bearer {token}x", token):
        answer = world.api.get("/metrics", {"Authorization": header})
        world.sinks[f"/metrics with {len(header)}"] = answer.text.encode()
    world.api.get(f"/metrics?token={token}")
    world.api.answers.pop()  # It is its own address that the answer may name; what is kept is looked at below.


def settings_that_are_wrong(world: World) -> None:
    """A server that does not start says why, and not with what."""
    home = world.server.home
    proxy, database = quote(world["proxy password"], safe=""), quote(world["database password"], safe="")
    wrong = [
        {"egress_proxy": f"http://me:{proxy}@127.0.0.1:1", "port": "no port"},
        {"egress_proxy": f"nonsense://me:{proxy}@[::", "port": "99999999"},
        {"database_url": f"postgresql://me:{database}@127.0.0.1:1/none?connect_timeout=1"},
        {"database_url": f"postgresql://me:{database}@[::/none"},
        {"database_url": f"mysql://me:{database}@127.0.0.1/none"},
        {"metrics_token": world["metrics token"], "renderers": "many"},
    ]
    for number, settings in enumerate(wrong):
        ran = run(home, "serve", "--data-dir", str(home / "other" / str(number)), **settings)
        assert ran.returncode == 2, ran.stderr
        world.sinks[f"serve with wrong settings {number}"] = (ran.stdout + ran.stderr).encode()


def people(world: World) -> None:
    """Somebody's address, in profiles that are right and wrong: it is kept, and never told."""
    for line in (f'{{"profileId": "{PERSON}", oops', f'{{"profileId": ["{PERSON}"]}}', f'{{"{PERSON}": 1}}', PERSON):
        world.api.ingest(line.encode())


def keys(world: World) -> None:
    """The master key, whose bytes are in its file and nowhere else."""
    for entry in json.loads((world.server.home / "master.key").read_text())["keys"]:
        world.found(f"master key {entry['id']}", entry["key"])
    world.command("keys", "status", "--all")
    world.command("keys", "rotate", "--all", "--prune")
    world.command("keys", "rotate-master", "--prune")
    for entry in json.loads((world.server.home / "master.key").read_text())["keys"]:
        world.found(f"master key {entry['id']}", entry["key"])


#: Every door, in the order in which they are gone through.
DOORS = [
    shared_credentials,
    secrets_of_a_destination,
    accounts_and_customer_data,
    *partner_doors.DOORS,
    *storage_doors.DOORS,
    api_clients,
    users_and_sessions,
    metrics,
    settings_that_are_wrong,
    people,
    keys,
]


# -- what happens ------------------------------------------------------------------------------------------------------


def echoing():
    """Make the answers of a partner that repeats everything it was sent, in all forms, and fails in all ways."""
    numbers = itertools.count()

    def answer(received):
        heard = f"{received.headers.get('authorization', '')} {received.headers.get('x-pin', '')}"
        encoded = base64.b64encode(f"{heard}\n{quote(heard)}".encode()).decode()
        body = json.dumps({"error": f"not good: {heard}", "encoded": encoded, "url": quote(heard, safe="")}).encode()
        location = (("Location", f"http://127.0.0.1:1/{quote(heard)}"),)
        ways = (200, Said(400, body=body), Said(500, body=body), Said(302, location, body), Said(reset=True))
        more = (
            Said(429, (("Retry-After", "0"),), body),
            Said(401, body=body),
            Said(hang=True),
            Said(422, location, body),
        )
        return (*ways, *more)[next(numbers) % 9]

    return answer


def deliver(world: World) -> None:
    """Let messages be delivered and fail."""
    for seed in range(4):
        world.api.ingest(b"".join(ndjson(generate(20, seed=seed))))
    _settle(world)


def _settle(world: World) -> None:
    for id_ in world.audiences_of:
        for _ in range(4):
            world.api.post(f"{FLOWS}/flows/{id_}/audiences/retry", {})
            world.api.get(f"{FLOWS}/flows/{id_}/audiences/atPartner")
            world.api.post(f"{FLOWS}/flows/{id_}/audiences/ups/absent/adopt", {})
    for id_, again in world.dataflows.items():
        if id_ not in world.audiences_of:
            eventually(f"nothing of {id_} is pending", lambda i=id_, a=again: _is_settled(world, i, a))


def _is_settled(world: World, id_: str, again: Callable[[], object]) -> bool:
    """Say whether a dataflow has told everything; where its account is refused, that is given again."""
    if world.api.get(f"/dataflows/{id_}/ledger").json["pending"] == 0:
        return True
    (flow,) = world.api.get(f"{FLOWS}/flows/{id_}").json["items"]
    if "reason" in flow.get("x-headrace", {}):
        again()
    return False


def ask_everything(world: World) -> None:
    """GET whatever the OpenAPI document has, with every id that any answer has told."""
    document = world.api.get("/openapi.json").json
    told = " ".join(text for _, text in world.api.answers)
    ids = set(re.findall(r'"(?:id|instanceId|clientId|configId|destConfigId)": ?"([^"]+)"', told))
    assert len(ids) > 15
    for path, operations in document["paths"].items():
        if "get" in operations:
            for id_ in ids if "{" in path else ["none"]:
                one = re.sub(r"{version}", "1", path)
                world.api.get(
                    re.sub(r"{\w+}", quote(id_, safe=""), one), {"Authorization": _authorization(world, path)}
                )


def _authorization(world: World, path: str) -> str:
    return f"Bearer {world['metrics token']}" if path == "/metrics" else world.api.headers["Authorization"]


def children_of(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(child) for child in (thread / "children").read_text().split()]
    return sorted({*found, *(other for child in found for other in children_of(child))})


def look_at_processes(world: World) -> None:
    """Command lines of the process and its children, and the children's environments."""
    pid = world.server.process.pid
    children = children_of(pid)
    assert children, "templates are rendered in processes of their own"
    for one in (pid, *children):
        world.sinks[f"command line of {one}"] = Path(f"/proc/{one}/cmdline").read_bytes()
    for child in children:
        world.sinks[f"environment of {child}"] = Path(f"/proc/{child}/environ").read_bytes()


def kept_by(world: World, database_url: str) -> dict[str, bytes]:
    """Return all that is kept: every file of the data directory, and every row of a database beside it."""
    kept = {str(path): path.read_bytes() for path in world.server.data.rglob("*") if path.is_file()}
    for path in [path for path in kept if path.endswith(CREDENTIALS_FILE)]:
        secret = json.loads(kept[path])["client_secret"].encode()
        kept[path] = kept[path].replace(secret, b"")
    if database_url:
        with psycopg.connect(database_url, autocommit=True) as connection:
            system = "('pg_catalog', 'information_schema')"
            named = f"SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN {system}"
            for schema, table in connection.execute(named).fetchall():
                rows = connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()  # type: ignore[call-overload]
                kept[f"table {schema}.{table}"] = b"\n".join(_as_bytes(value) for row in rows for value in row)
    return kept


def _as_bytes(value: object) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)).encode()


@pytest.fixture(scope="module")
def world(tmp_path_factory, lend_database):
    """Go through every door, deliver, ask for everything, stop, and bring what is kept into an older form."""
    home = tmp_path_factory.mktemp("secrets")
    with contextlib.ExitStack() as closing:
        lent = closing.enter_context(lend_database())
        partner = closing.enter_context(Partner.in_thread(default=echoing()))
        partners = closing.enter_context(partner_doors.running())
        shown = base64.b64encode(f"me:{CANARIES['proxy password']}".encode())
        proxy = closing.enter_context(ForwardProxy.in_thread(b"\r\nProxy-Authorization: Basic %b\r\n" % shown))
        address = ""
        if lent:
            url = make_url(lent).set(password=CANARIES["database password"])
            address = url.render_as_string(hide_password=False)
        settings = {
            "egress_allow": f"{partner.origin}, {partners.origins}",
            "allow_password_grant": "true",
            "log_format": "json",
            "retry_steps": "0.05,0.05,0.05",
            "probe_after": "0.01",
            "request_deadline": "0.5",
            "calls_per_minute": "100000",
            "unreached_after": "0",
            "metrics_token": CANARIES["metrics token"],
            "egress_proxy": f"http://me:{quote(CANARIES['proxy password'], safe='')}@127.0.0.1:{proxy.port}",
            "database_url": address,
        }
        with Server(home, **settings) as server:
            client = server.start()
            client.close()
            kept = json.loads((server.data / CREDENTIALS_FILE).read_text())
            api = Recording.signed_in(kept["url"], kept["client_id"], kept["client_secret"], kept["org"])
            closing.callback(api.close)
            made = World(server, api, partner, partners, proxy)
            made.found("first client secret", kept["client_secret"])
            made.found("first access token", api.once(api.headers["Authorization"].partition(" ")[2]))
            for door in DOORS:
                door(made)
            deliver(made)
            ask_everything(made)
            look_at_processes(made)
            made.sinks["kept while it runs"] = b"\n".join(kept_by(made, lent).values())
            api.close()
            assert server.stop() == 0
            ran = run(home, "migrate", "--to", "0002", "--data-dir", str(server.data), database_url=address)
            made.sinks["headrace migrate"] = (ran.stdout + ran.stderr).encode()
            assert list(server.data.glob("control-before-*.db")), ran.stderr
            made.sinks |= {f"kept in {name}": content for name, content in kept_by(made, lent).items()}
            made.sinks["log"] = server.log.read_bytes()
            yield made


def test_no_secret_is_found_anywhere(world):
    net = Net({kind: world.canaries[kind] for kind in world.sent})
    found = [f"{where}: {sorted(kinds)}" for where, content in world.sinks.items() if (kinds := net.find(content))]
    found += [
        f"{what}: {sorted(kinds)}: {told}" for what, told in world.api.answers if (kinds := net.find(told.encode()))
    ]

    assert not found, "\n".join(dict.fromkeys(found))


def test_nobody_is_told_of_outside_of_what_is_kept(world):
    net = Net({"a person": PERSON})
    told = {"log": world.sinks["log"], **{what: text.encode() for what, text in world.api.answers}}

    assert {what for what, content in told.items() if net.find(content)} == set()


def test_everything_was_tried(world):
    """Every canary was sent through a door, and what came back was of every kind."""
    statuses = {text[:3] for _, text in world.api.answers}

    assert len(world.sent) >= 30
    assert len(world.api.answers) > 300
    assert statuses >= {"200", "201", "400", "401", "403", "404"}
    assert b"changes_parked" in world.sinks["log"]
    assert b"message_retried" in world.sinks["log"]
    assert {*CANARIES} <= world.sent
    assert {kind.rstrip(" 0123456789") for kind in world.sent} >= {"PKCE verifier", "state"}


#: Which canaries each of those outside is told, and no other. One that never left its door would prove nothing.
HEARD = {
    "the partner who echoes": {"account token", "customer data", "signature of a connection string"},
    "the partner who repeats": {"account token", "basic password", "customer data in a group", "issued access token"},
    "the authorization server": {
        "OAuth client secret of an operator",
        "password of the password grant",
        "authorization code",
        "issued refresh token",
        "issued access token",  # When it is ended.
    },
    "the proxy": {"proxy password"},
}
#: What goes in and nowhere on: nothing that is set up here sends it, or there is nobody to hear it.
KEPT = {
    "account token of a partner that is away",
    "OAuth client secret in a destination",
    "authenticationDataFields value",
    *(kind for kind in CANARIES if kind.partition(" ")[0] in KINDS_OF_CREDENTIALS),
    "user password",
    "another password of a user",
    "metrics token",
    "database password",
    "value of unknown field",
    *storage_doors.SIGN_WITHOUT_BEING_SENT,
}


def test_each_partner_was_told_what_is_meant_for_it_and_nothing_else(world):
    heard = {
        "the partner who echoes": _words(world.partner.received),
        "the partner who repeats": _words(world.partners.partner.received),
        "the authorization server": _words(world.partners.oauth.received),
        "the proxy": b"".join(world.proxy.heads),
    }

    assert {who: Net(CANARIES).find(content) for who, content in heard.items()} == HEARD
    assert KEPT | set().union(*HEARD.values()) == {*CANARIES}


def test_every_state_was_shown_at_the_partners_page(world):
    states = {kind: value for kind, value in world.canaries.items() if kind.startswith("state ")}

    assert Net(states).find(_words(world.partners.oauth.received)) == {*states}


def test_all_that_went_out_went_through_the_proxy_and_nobody_else_was_shown_its_password(world):
    asked = {head.split(b" ")[1].decode() for head in world.proxy.heads}
    partners = (world.partner.origin, world.partners.partner.origin, world.partners.oauth.issuer, partner_doors.AWAY)

    assert {f"http://{place}" for place in asked} == {*partners}


def _words(received):
    """Return all that was said to a partner."""
    said = (
        f"{one.path}?{one.query} {' '.join(one.headers.values())} ".encode(errors="surrogateescape") + one.body
        for one in received
    )
    return b"\n".join(said)


def test_the_partner_had_it_all_and_repeated_it(world):
    heard = {(received.headers["authorization"], received.headers["x-pin"]) for received in world.partner.received}

    assert heard == {(f"Bearer {CANARIES['account token']}", CANARIES["customer data"])}
    assert len(world.partner.received) > 9


@pytest.mark.parametrize("kind", ["basic password", "account token"])
def test_the_nets_find_what_is_let_out(tmp_path, kind):
    """In every form, and in a file as at the end of a session; what is there on purpose is left alone."""
    value = CANARIES[kind]
    forms = (
        value,
        quote(value),
        quote(value, safe="").lower() if "%" not in quote(value) else quote(value, safe=""),
        json.dumps(value),
        base64.b64encode(f"u:{value}".encode()).decode(),
        base64.b64encode(f"us:{value}".encode()).decode(),
        base64.urlsafe_b64encode(f"{value}:x".encode()).decode(),
    )
    (tmp_path / "on-purpose").mkdir()
    for number, form in enumerate(forms):
        assert Net(CANARIES).find(f"before {form} after".encode()) == {kind}, form
        (tmp_path / "on-purpose" / str(number)).write_text(f"before {form} after")
    assert let_out([tmp_path]) == []

    for number, form in enumerate(forms):
        (tmp_path / str(number)).write_text(f"before {form} after")
    found = let_out([tmp_path])
    for number in range(len(forms)):
        (tmp_path / str(number)).unlink()

    assert len(found) == len(forms)
