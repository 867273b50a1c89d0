"""
What the matrix of who may do what needs to know of routes that it cannot read from them: one object for each.

A route under a new noun takes a line in ``MAKERS``; one that looks at its body before it looks for its object takes a
valid body in ``BODIES``; a second parameter in a path takes a value in ``FURTHER``; what the host may see of others is
named in ``HOST_SEES``.
"""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert

from headrace.cli import examples
from headrace.model.flow import STREAMING_FLOW_SPEC
from headrace.model.profile import encode
from headrace.services import schedules
from headrace.store import audiences, dataflows, evaluations, ledger, profiles, runs
from headrace.store.evaluations import Evaluation
from headrace.store.profiles import Kept
from headrace.store.tables import parked
from support import AUTHORING, FLOWS, Answer, Api, InProcess, eventually

from .conftest import PUBLISH, REQUESTS, Operator, dataset_document, destination_on

#: A moment that never comes while tests run.
LATE = 4_000_000_000_000
POLICIES = "/data/foundation/dulepolicy"
NAMESPACES = "/data/core/idnamespace/identities"
CONSENT_POLICIES = "/governance/consent-policies"
_numbers = itertools.count(1)


@dataclass
class World:
    """A Headrace with an object of every kind in one sandbox of its first organization."""

    headrace: InProcess
    operator: Operator
    #: The objects that every caller tries their hands on, by the beginning of the paths that lead to them.
    made: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> Api:
        """The first client, who may do everything."""
        return self.headrace.api

    def object_for(self, path: str, *, fresh: bool = False) -> str:
        """Return the id of an object for a path with a parameter: the one that is there, or one of its own."""
        beginning = path[: path.index("{")]
        assert beginning in MAKERS, (
            f"nothing is known of objects under {beginning!r}: add a line to MAKERS in tests/integration/api/matrix.py"
            " with a function that makes one and returns its id"
        )
        if fresh:
            return MAKERS[beginning](self)
        if beginning not in self.made:
            self.made[beginning] = MAKERS[beginning](self)
        return self.made[beginning]


def _server(world: World) -> str:
    return made(world.api.post(f"{AUTHORING}/destination-servers", _server_document()))["instanceId"]


def _destination(world: World) -> str:
    return world.operator.destination()


def _account(world: World) -> str:
    return made(world.operator.account(_destination(world)))["id"]


def _target(world: World) -> str:
    destination = _destination(world)
    account = made(world.operator.account(destination))["id"]
    customer_data = examples.destination("lighthouse")["activation"]["customerData"]
    return made(world.operator.target(destination, account, customer_data))["id"]


def _audience_template(world: World) -> str:
    return made(world.api.post(f"{AUTHORING}/audience-templates", _template_document()))["instanceId"]


def _credentials(world: World) -> str:
    return made(world.api.post(f"{AUTHORING}/credentials", _credentials_document()))["instanceId"]


def _submitted(world: World) -> str:
    destination = _destination(world)
    access = {"destinationAccess": "LIMITED", "allowedOrgs": ["x@y"]}
    made(world.api.post(PUBLISH, {"destinationId": destination, **access}))
    return destination


def _request(world: World) -> str:
    submitted = world.api.get(f"{PUBLISH}/{_submitted(world)}").json
    return submitted["publishDetailsList"][-1]["configId"]


def _user(world: World) -> str:
    user = {"email": f"person-{next(_numbers)}@example.com", "name": "Somebody", "password": "a long enough one"}
    return made(world.api.post("/access/users", user))["id"]


def _client(world: World) -> str:
    return made(world.api.post("/access/clients", {"name": "a client", "role": "viewer"}))["clientId"]


def _run(world: World) -> str:
    store = world.headrace.app.store
    return store.write_now(lambda tx: runs.ask(tx, 1, "rest", {}, "client:a", 0, due_at=LATE)).run


def _schema(world: World) -> str:
    document = {"name": "a schema", "jsonSchema": {"type": "object"}}
    return made(world.api.post("/data/foundation/conversion/schemas", document))["id"]


def _mapping_set(world: World) -> str:
    document = {"mappings": [{"source": "homeAddress.city", "destination": "city"}]}
    return made(world.api.post("/data/foundation/conversion/mappingSets", document))["id"]


def _consent_policy(world: World) -> str:
    return made(world.api.post(CONSENT_POLICIES, _consent_document()))["id"]


def _erasure(world: World) -> str:
    identity = {"namespace": "crmId", "id": f"nobody-{next(_numbers)}"}
    asked = world.api.post("/ingest/erasures", {"identity": identity})
    assert asked.status == 202, asked.text
    path = f"/ingest/erasures/{asked.json['id']}"
    eventually("they are removed", lambda: world.api.get(path).json["removedAt"] is not None)
    return str(asked.json["id"])


def _flow_run(world: World) -> str:
    store, subject = world.headrace.app.store, {"dataflow": world.operator.flow()}
    return store.write_now(lambda tx: runs.ask(tx, 1, "rest", subject, "client:a", 0, due_at=LATE)).run


def _dataflow(world: World) -> str:
    """A dataflow that has parked one change, of somebody who was never sent."""
    flow = world.operator.flow()

    def work(tx: Any) -> None:
        number = dataflows.number_of(tx, 1, flow)
        person = profiles.last_number(tx, 1) + 1
        profiles.insert(tx, 1, [Kept(person, f"parked:{person}", encode({}), 0, None)])
        row = {"tenant": 1, "dataflow": number, "profile": person, "audience": 0, "parked": 1, "seq": 1}
        tx.core.execute(insert(parked).values(**row, parked_at=0, attempts=1, code="status-400", reason="a reason"))
        ledger.post(tx, 1, ledger.Tally({(number, 0, "accepted"): 1, (number, 0, "parked"): 1}), 0)

    world.headrace.app.store.write_now(work)
    return flow


def _schedule(world: World) -> str:
    name = f"schedule-{next(_numbers)}"
    store = world.headrace.app.store
    return store.write_now(lambda tx: schedules.add(tx, 1, name, "rest", {}, "0 3 1 1 *", "client:a", LATE)).schedule


def _namespace(world: World) -> str:
    document = {"code": f"mine-{next(_numbers)}", "name": "Mine", "idType": "CROSS_DEVICE"}
    return str(made(world.api.post(NAMESPACES, document))["id"])


def _dataset(world: World) -> str:
    id_ = made(world.api.post("/datasets", dataset_document()))["id"]
    assert world.api.post(f"/datasets/{id_}/snapshots", {}).status == 202
    eventually("its snapshot is taken", lambda: world.api.get(f"/datasets/{id_}").json["snapshot"] is not None)
    return id_


def _label(world: World) -> str:
    name = f"label-{next(_numbers)}"
    return made(world.api.put(f"{POLICIES}/labels/custom/{name}", {"name": name}))["name"]


def _action(world: World) -> str:
    name = f"action-{next(_numbers)}"
    return made(world.api.put(f"{POLICIES}/marketingActions/custom/{name}", {"name": name}))["name"]


def _policy_document() -> dict[str, Any]:
    refs = ["/dulepolicy/marketingActions/core/analytics"]
    return {"name": "a policy", "marketingActionRefs": refs, "deny": {"label": "C8"}}


def _policy(world: World) -> str:
    return made(world.api.post(f"{POLICIES}/policies/custom", _policy_document()))["id"]


def _audience(world: World) -> str:
    """An audience with an evaluation that is held, so that it can be decided."""
    name = f"audience-{next(_numbers)}"
    id_ = made(world.api.post("/audiences", {**_audience_document(), "audienceId": name}))["id"]
    store = world.headrace.app.store

    def hold(tx: Any) -> None:
        (known,) = audiences.find(tx, 1, id_)
        held = Evaluation(known.audience, 1, 1, "a-run", "asked", "all", "held", 0)
        evaluations.add(tx, 1, held)

    store.write_now(hold)
    return id_


def _subscription(world: World) -> str:
    document = {"alerts": ["dataflow-held"], "mail": "ops@example.com"}
    return made(world.api.post("/alerts/subscriptions", document))["id"]


def _segment(world: World) -> str:
    return str(made(world.api.post("/audiences", {"name": "A segment"}))["id"])


#: One object for the routes whose path begins like this, up to its first parameter.
MAKERS: dict[str, Callable[[World], str]] = {
    f"{AUTHORING}/destination-servers/": _server,
    f"{AUTHORING}/destinations/": _destination,
    f"{AUTHORING}/audience-templates/": _audience_template,
    f"{AUTHORING}/credentials/": _credentials,
    f"{PUBLISH}/": _submitted,
    f"{REQUESTS}/": _request,
    f"{FLOWS}/connectionSpecs/": _destination,
    f"{FLOWS}/connections/": _account,
    f"{FLOWS}/sourceConnections/": lambda world: world.operator.source(),
    f"{FLOWS}/targetConnections/": _target,
    f"{FLOWS}/flows/": lambda world: world.operator.flow(),
    f"{NAMESPACES}/": _namespace,
    f"{FLOWS}/flowSpecs/": lambda _: STREAMING_FLOW_SPEC,
    f"{FLOWS}/runs/": _flow_run,
    "/data/foundation/conversion/schemas/": _schema,
    "/data/foundation/conversion/mappingSets/": _mapping_set,
    f"{POLICIES}/labels/core/": lambda _: "C1",
    f"{POLICIES}/labels/custom/": _label,
    f"{POLICIES}/marketingActions/core/": lambda _: "analytics",
    f"{POLICIES}/marketingActions/custom/": _action,
    f"{POLICIES}/policies/core/": lambda _: "corepolicy_0001",
    f"{POLICIES}/policies/custom/": _policy,
    "/runs/": _run,
    "/schedules/": _schedule,
    "/datasets/": _dataset,
    "/ingest/erasures/": _erasure,
    f"{CONSENT_POLICIES}/": _consent_policy,
    "/alerts/subscriptions/": _subscription,
    "/audiences/": _audience,
    "/data/core/ups/audiences/": _audience,
    "/data/core/ups/segment/definitions/": _segment,
    "/dataflows/": _dataflow,
    "/access/users/": _user,
    "/access/clients/": _client,
    "/quotas/": lambda world: world.api.get("/access/sandboxes").json["items"][0]["id"],
}


def _consent_document() -> dict[str, Any]:
    condition = {"path": "consents.email.val", "values": ["y"]}
    return {"name": f"policy {next(_numbers)}", "conditions": [condition]}


def _server_document() -> dict[str, Any]:
    return copy.deepcopy(examples.destination("moviestar")["destinationServer"])


def _audience_document() -> dict[str, Any]:
    return {"name": "A list", "kind": "external", "namespace": "crm"}


def _template_document() -> dict[str, Any]:
    return {"metadataTemplate": {"name": "lists", "delete": {"url": "https://acme.example/", "httpMethod": "DELETE"}}}


def _credentials_document() -> dict[str, Any]:
    return {"basicAuthentication": {"username": "us", "password": "a-secret"}}


#: What to send, where it is looked at before the object is looked for; else it is ``{}``. Given the object's id.
BODIES: dict[tuple[str, str], Callable[[str], Any]] = {
    ("PUT", f"{AUTHORING}/destination-servers/{{instance_id}}"): lambda _: _server_document(),
    ("PUT", f"{AUTHORING}/destinations/{{instance_id}}"): lambda _: destination_on("a server that is not there"),
    ("PUT", f"{AUTHORING}/audience-templates/{{instance_id}}"): lambda _: _template_document(),
    ("POST", f"{AUTHORING}/audience-templates/{{instance_id}}"): lambda _: _template_document(),
    ("PUT", f"{AUTHORING}/credentials/{{instance_id}}"): lambda _: _credentials_document(),
    ("PUT", f"{PUBLISH}/{{instance_id}}"): lambda _: {"destinationAccess": "LIMITED", "allowedOrgs": ["x@y"]},
    ("POST", f"{PUBLISH}/{{instance_id}}/withdraw"): lambda _: {"reason": "because"},
    ("POST", f"{REQUESTS}/{{config_id}}/reject"): lambda _: {"reason": "because"},
    ("POST", f"{REQUESTS}/{{config_id}}/withdraw"): lambda _: {"reason": "because"},
    **{
        ("PATCH", f"{FLOWS}/{noun}/{{id}}"): lambda _: []
        for noun in ("flows", "connections", "sourceConnections", "targetConnections")
    },
    ("POST", f"{FLOWS}/connectionSpecs/{{id}}/choices"): lambda _: {"field": "region"},
    ("POST", "/dataflows/{id}/activate-now"): lambda _: {},
    ("POST", "/dataflows/{id}/parked/replay"): lambda _: {"code": "none"},
    ("POST", "/dataflows/{id}/parked/discard"): lambda _: {"code": "none", "reason": "because"},
    ("POST", "/schedules/{id}/backfill"): lambda _: {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z"},
    ("PUT", f"{NAMESPACES}/{{id}}"): lambda _: {"code": "mine", "name": "Another", "idType": "CROSS_DEVICE"},
    ("PUT", f"{CONSENT_POLICIES}/{{id}}"): lambda _: _consent_document(),
    ("PUT", "/datasets/{id}"): lambda _: dataset_document(),
    ("PUT", f"{POLICIES}/labels/custom/{{name}}"): lambda id_: {"name": id_},
    ("PUT", f"{POLICIES}/marketingActions/custom/{{name}}"): lambda id_: {"name": id_},
    ("PUT", f"{POLICIES}/policies/custom/{{id}}"): lambda _: _policy_document(),
    ("PATCH", f"{POLICIES}/policies/custom/{{id}}"): lambda _: [],
    ("PUT", "/audiences/{id}"): lambda _: _audience_document(),
    ("PUT", "/data/core/ups/audiences/{id}"): lambda _: _audience_document(),
    ("PATCH", "/data/core/ups/audiences/{id}"): lambda _: [],
    ("POST", "/audiences/{id}/members"): lambda _: {"add": [{"profileId": "7"}]},
    ("PUT", "/access/users/{id}"): lambda id_: {"email": f"{id_}@example.com", "name": "Another"},
    ("PUT", "/access/clients/{id}"): lambda _: {"name": "another", "permissions": []},
}

#: Query and headers that a path cannot do without.
QUERIES = {
    f"{FLOWS}/flows/{{id}}/action": "?op=enable",
    f"{FLOWS}/connections/{{id}}/action": "?op=revoke",
    f"{FLOWS}/connectionSpecs/{{id}}/configs": "?outputType=activationDatasets&outputField=datasets",
}
HEADERS = {
    ("PATCH", f"{FLOWS}/{noun}/{{id}}"): {"If-Match": '"a version"'}
    for noun in ("flows", "connections", "sourceConnections", "targetConnections")
}

#: Beginnings of paths whose objects are the business of the host, wherever they are.
HOST_SEES: set[str] = {f"{REQUESTS}/", REQUESTS}

#: Beginnings of paths whose objects are the same for everybody.
EVERYBODYS: set[str] = {
    f"{FLOWS}/flowSpecs/",
    f"{FLOWS}/flowSpecs",
    *(f"{POLICIES}/{noun}/core{end}" for noun in ("labels", "marketingActions", "policies") for end in ("", "/")),
}

#: Operations that make an object of the name that they are given, in whatever sandbox: there are no others' objects.
MAKING: set[tuple[str, str]] = {
    ("PUT", f"{POLICIES}/labels/custom/{{name}}"),
    ("PUT", f"{POLICIES}/marketingActions/custom/{{name}}"),
}

#: Operations whose method is unsafe in name alone.
HARMLESS: set[tuple[str, str]] = {
    ("POST", "/data/core/ups/segment/definitions/bulk-get"),
    ("POST", f"{POLICIES}/bulk-eval"),
    ("POST", "/history"),
    *(("POST", f"{POLICIES}/marketingActions/{kind}/{{name}}/constraints") for kind in ("core", "custom")),
}

#: Ends of paths of operations that leave an object other than it was, so that each is tried on one of its own.
ENDING = ("/approve", "/reject", "/withdraw", "/snapshots", "/lift", "/confirm", "/drop")

#: Values for parameters after a path's first.
FURTHER: dict[str, str] = {"{version}": "1", "{namespace}": "ups", "{audience}": "an-audience", "{number}": "1"}


def made(answer: Answer) -> Any:
    """Return what was made, or show why it was not."""
    assert answer.status in (200, 201), answer.text
    return answer.json
