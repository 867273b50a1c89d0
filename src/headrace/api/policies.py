"""The policy service: labels, marketing actions and policies, as the original's clients know them."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from headrace.api.doors import Doors, JsonBody, allowed, doors
from headrace.clock import Clock
from headrace.errors import HeadraceError, NotFound, RequestError
from headrace.model.core_governance import ACTION_BY_NAME, CORE_ACTIONS, CORE_LABELS, CORE_POLICIES, LABEL_BY_NAME
from headrace.model.deny import labels_in, read_deny
from headrace.model.governance import action_of, actions_in
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.services.governance import keeping
from headrace.services.governance.constraints import Answer, of_entities, of_labels, refuse_unknown
from headrace.services.governance.gathering import ACTION, LABEL, POLICY
from headrace.services.governance.listed import Asked
from headrace.store.database import Transaction
from headrace.store.documents import Declared

PREFIX = "/data/foundation/dulepolicy"
router = APIRouter(prefix=PREFIX, tags=["governance"])

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("governance:read", sandbox="prod"))]
Writer = Annotated[Caller, Depends(allowed("governance:write", sandbox="prod"))]
Name = Annotated[str, Path(description="Its name.")]
Labels = Annotated[str, Query(alias="duleLabels", description="Labels with commas between.")]
Drafts = Annotated[bool, Query(alias="includeDraft", description="Hold policies that are drafts against it, too.")]
Object = dict[str, Any]
#: The kind and the name of a marketing action.
Action = tuple[str, str]
OURS = {"x-headrace": True}
_MOST_EVALUATED = 100


def asked(
    limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
    start: Annotated[str, Query(description="Where to go on: `_page.next`, or the link of the last page.")] = "",
    orderby: Annotated[str, Query(description="By what to sort: names with commas between, `-` for descending.")] = "",
    properties: Annotated[
        list[str] | None, Query(alias="property", description="A filter, `name==value`, or a name that is there.")
    ] = None,
) -> Asked:
    """Read what is asked of a list."""
    return Asked(limit, start, orderby, tuple(properties or ()))


Listing = Annotated[Asked, Depends(asked)]


@dataclass(frozen=True, slots=True)
class PolicyFilter:
    """Which policies are wanted: those that name one of some labels, those that deny a marketing action."""

    labels: frozenset[str]
    action: Action | None

    def keeps(self, document: Object) -> bool:
        """Say whether a policy is wanted."""
        deny, _ = read_deny(document["deny"], "/deny")
        is_named = not self.labels or not self.labels.isdisjoint(labels_in(deny))
        return is_named and (self.action is None or self.action in actions_in(document["marketingActionRefs"]))


def filtered(
    labels: Labels = "",
    action: Annotated[str, Query(alias="marketingAction", description="A reference to a marketing action.")] = "",
) -> PolicyFilter:
    """Read which policies are wanted."""
    return PolicyFilter(_labels(labels), action_of(action) or ("", action) if action else None)


Wanted = Annotated[PolicyFilter, Depends(filtered)]


# -- labels ---------------------------------------------------------------------------------------------------------


@router.get("/labels/core", summary="List the core labels")
async def list_core_labels(caller: Reader, wanted: Listing) -> Object:
    return wanted.page(f"{PREFIX}/labels/core", "name", [_core_label(caller, label.name) for label in CORE_LABELS])


@router.get("/labels/core/{name}", summary="Read a core label")
async def read_core_label(name: Name, caller: Reader) -> Object:
    return _core_label(caller, name)


@router.get("/labels/custom", summary="List the sandbox's labels")
async def list_labels(caller: Reader, wanted: Listing, handed: Handed) -> Object:
    items = await declared.listing(handed.store, caller, LABEL)
    return wanted.page(f"{PREFIX}/labels/custom", "name", [_shown(caller, "labels/custom", item) for item in items])


@router.get("/labels/custom/{name}", summary="Read a label of the sandbox")
async def read_label(name: Name, caller: Reader, handed: Handed) -> Object:
    return _shown(caller, "labels/custom", await declared.read(handed.store, caller, LABEL, name))


@router.put("/labels/custom/{name}", summary="Create or replace a label of the sandbox")
async def put_label(name: Name, caller: Writer, body: JsonBody, handed: Handed) -> Object:
    return _shown(caller, "labels/custom", await keeping.put(handed.store, handed.clock, caller, LABEL, name, body))


@router.delete("/labels/custom/{name}", summary="Delete a label of the sandbox", status_code=204, openapi_extra=OURS)
async def delete_label(name: Name, caller: Writer, handed: Handed) -> Response:
    await keeping.delete(handed.store, handed.clock, caller, LABEL, name)
    return Response(status_code=204)


# -- marketing actions ----------------------------------------------------------------------------------------------


@router.get("/marketingActions/core", summary="List the core marketing actions")
async def list_core_actions(caller: Reader, wanted: Listing) -> Object:
    items = [_core_action(caller, action.name) for action in CORE_ACTIONS]
    return wanted.page(f"{PREFIX}/marketingActions/core", "name", items)


@router.get("/marketingActions/core/{name}", summary="Read a core marketing action")
async def read_core_action(name: Name, caller: Reader) -> Object:
    return _core_action(caller, name)


@router.get("/marketingActions/custom", summary="List the sandbox's marketing actions")
async def list_actions(caller: Reader, wanted: Listing, handed: Handed) -> Object:
    items = await declared.listing(handed.store, caller, ACTION)
    shown = [_shown(caller, "marketingActions/custom", item) for item in items]
    return wanted.page(f"{PREFIX}/marketingActions/custom", "name", shown)


@router.get("/marketingActions/custom/{name}", summary="Read a marketing action of the sandbox")
async def read_action(name: Name, caller: Reader, handed: Handed) -> Object:
    return _shown(caller, "marketingActions/custom", await declared.read(handed.store, caller, ACTION, name))


@router.put("/marketingActions/custom/{name}", summary="Create or replace a marketing action of the sandbox")
async def put_action(name: Name, caller: Writer, body: JsonBody, handed: Handed) -> Object:
    kept = await keeping.put(handed.store, handed.clock, caller, ACTION, name, body)
    return _shown(caller, "marketingActions/custom", kept)


@router.delete("/marketingActions/custom/{name}", summary="Delete a marketing action of the sandbox", status_code=204)
async def delete_action(name: Name, caller: Writer, handed: Handed) -> Response:
    await keeping.delete(handed.store, handed.clock, caller, ACTION, name)
    return Response(status_code=204)


@router.get("/marketingActions/core/{name}/constraints", summary="Say which policies deny a core action for labels")
async def evaluate_core_labels(
    name: Name, caller: Reader, handed: Handed, labels: Labels = "", drafts: Drafts = False
) -> Object:
    return await _of_labels(caller, handed, ("core", name), labels, drafts=drafts)


@router.get("/marketingActions/custom/{name}/constraints", summary="Say which policies deny an action for labels")
async def evaluate_labels(
    name: Name, caller: Reader, handed: Handed, labels: Labels = "", drafts: Drafts = False
) -> Object:
    return await _of_labels(caller, handed, ("custom", name), labels, drafts=drafts)


@router.post("/marketingActions/core/{name}/constraints", summary="Say which policies deny a core action for datasets")
async def evaluate_core_datasets(
    name: Name, caller: Reader, body: JsonBody, handed: Handed, drafts: Drafts = False
) -> Object:
    return await _of_entities(caller, handed, ("core", name), body, drafts=drafts)


@router.post("/marketingActions/custom/{name}/constraints", summary="Say which policies deny an action for datasets")
async def evaluate_datasets(
    name: Name, caller: Reader, body: JsonBody, handed: Handed, drafts: Drafts = False
) -> Object:
    return await _of_entities(caller, handed, ("custom", name), body, drafts=drafts)


@router.post("/bulk-eval", summary="Say which policies deny actions, for many at once")
async def bulk_evaluate(caller: Reader, body: JsonBody, handed: Handed) -> list[Object]:
    if not isinstance(body, list) or not 0 < len(body) <= _MOST_EVALUATED:
        raise RequestError(f"write a list of 1 to {_MOST_EVALUATED} evaluations")
    return await handed.store.read(lambda tx: [_evaluated(tx, handed.clock, caller, item) for item in body])


# -- policies -------------------------------------------------------------------------------------------------------


@router.get("/policies/core", summary="List the core policies")
async def list_core_policies(caller: Reader, wanted: Listing, policies: Wanted, handed: Handed) -> Object:
    enabled, _ = await keeping.enabled_core(handed.store, caller)
    items = [_core_policy(caller, policy.id, enabled) for policy in CORE_POLICIES]
    return wanted.page(f"{PREFIX}/policies/core", "id", [item for item in items if policies.keeps(item)])


@router.get("/policies/core/{id}", summary="Read a core policy")
async def read_core_policy(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    enabled, _ = await keeping.enabled_core(handed.store, caller)
    return _core_policy(caller, id, enabled)


@router.get("/enabledCorePolicies", summary="List the core policies that are enforced")
async def read_enabled(caller: Reader, handed: Handed) -> Object:
    return await _enabled(caller, handed)


@router.put("/enabledCorePolicies", summary="Say which core policies are enforced")
async def put_enabled(caller: Writer, body: JsonBody, handed: Handed) -> Object:
    await keeping.enable_core(handed.store, handed.clock, caller, body)
    return await _enabled(caller, handed)


@router.get("/policies/custom", summary="List the sandbox's policies")
async def list_policies(caller: Reader, wanted: Listing, policies: Wanted, handed: Handed) -> Object:
    items = [_policy(caller, item) for item in await declared.listing(handed.store, caller, POLICY)]
    return wanted.page(f"{PREFIX}/policies/custom", "id", [item for item in items if policies.keeps(item)])


@router.post("/policies/custom", summary="Create a policy", status_code=201)
async def create_policy(caller: Writer, body: JsonBody, handed: Handed) -> Object:
    return _policy(caller, await keeping.create_policy(handed.store, handed.clock, caller, body))


@router.get("/policies/custom/{id}", summary="Read a policy of the sandbox")
async def read_policy(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return _policy(caller, await declared.read(handed.store, caller, POLICY, id))


@router.put("/policies/custom/{id}", summary="Replace a policy")
async def replace_policy(id: str, caller: Writer, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    return _policy(caller, await keeping.replace_policy(handed.store, handed.clock, caller, id, body))


@router.patch("/policies/custom/{id}", summary="Change a policy by JSON Patch")
async def patch_policy(id: str, caller: Writer, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    if not isinstance(body, list) or not all(isinstance(operation, dict) for operation in body):
        raise RequestError("a JSON Patch is an array of operations")
    return _policy(caller, await keeping.patch_policy(handed.store, handed.clock, caller, id, body))


@router.delete("/policies/custom/{id}", summary="Delete a policy", status_code=204)
async def delete_policy(id: str, caller: Writer, handed: Handed) -> Response:  # noqa: A002
    await keeping.delete_policy(handed.store, handed.clock, caller, id)
    return Response(status_code=204)


# -- how they are judged and shown -------------------------------------------------------------------------------------


async def _of_labels(caller: Caller, handed: Doors, action: Action, labels: str, *, drafts: bool) -> Object:
    def look(tx: Transaction) -> Object:
        answer = of_labels(tx, caller, action, _labels(labels), drafts=drafts)
        return _constraints(tx, handed.clock, caller, action, answer)

    return await handed.store.read(look)


async def _of_entities(caller: Caller, handed: Doors, action: Action, body: Any, *, drafts: bool) -> Object:
    def look(tx: Transaction) -> Object:
        refuse_unknown(tx, caller, *action)
        answer = of_entities(tx, caller, action, body, drafts=drafts)
        return _constraints(tx, handed.clock, caller, action, answer)

    return await handed.store.read(look)


def _labels(text: str) -> frozenset[str]:
    return frozenset(filter(None, (label.strip() for label in text.split(","))))


def _place(caller: Caller, path: str) -> Object:
    return {
        "imsOrg": caller.tenant.organization,
        "sandboxName": caller.tenant.sandbox,
        "_links": {"self": {"href": f"{PREFIX}/{path}"}},
    }


def _core_label(caller: Caller, name: str) -> Object:
    if name not in LABEL_BY_NAME:
        raise NotFound(f"there is no core label {name!r}")
    label = LABEL_BY_NAME[name]
    said = {"category": label.category, "friendlyName": label.friendly_name, "description": label.description}
    return {"name": name, **said, **_place(caller, f"labels/core/{name}")}


def _core_action(caller: Caller, name: str) -> Object:
    if name not in ACTION_BY_NAME:
        raise NotFound(f"there is no core marketing action {name!r}")
    description = ACTION_BY_NAME[name].description
    return {"name": name, "description": description, **_place(caller, f"marketingActions/core/{name}")}


def _shown(caller: Caller, path: str, item: Declared) -> Object:
    dates = {"created": item.created_at, "updated": item.modified_at}
    return {**item.document, **dates, **_place(caller, f"{path}/{item.id}")}


def _policy(caller: Caller, item: Declared) -> Object:
    return {"id": item.id, **_shown(caller, "policies/custom", item)}


def _core_policy(caller: Caller, id_: str, enabled: list[str]) -> Object:
    status = "ENABLED" if id_ in enabled else "DISABLED"
    return {**keeping.core_policy(id_), "status": status, **_place(caller, f"policies/core/{id_}")}


async def _enabled(caller: Caller, handed: Doors) -> Object:
    ids, at = await keeping.enabled_core(handed.store, caller)
    return {"policyIds": ids, "updated": at, **_place(caller, "enabledCorePolicies")}


def _constraints(tx: Transaction, clock: Clock, caller: Caller, action: Action, answer: Answer) -> Object:
    enabled = [rule.id for rule in answer.violated if rule.kind == "core"]
    violated = [
        _core_policy(caller, rule.id, enabled)
        if rule.kind == "core"
        else _policy(caller, declared.existing(tx, caller, POLICY, rule.id))
        for rule in answer.violated
    ]
    return {
        "timestamp": clock.now(),
        "imsOrg": caller.tenant.organization,
        "sandboxName": caller.tenant.sandbox,
        "marketingActionRef": f"{PREFIX}/marketingActions/{action[0]}/{action[1]}",
        "duleLabels": [*answer.labels],
        **({"discoveredLabels": [*answer.discovered]} if answer.discovered else {}),
        "violatedPolicies": violated,
    }


def _evaluated(tx: Transaction, clock: Clock, caller: Caller, item: object) -> Object:
    """Return one evaluation of many with its status; what is wrong with one leaves the others alone."""
    try:
        return {"status": 200, "body": _evaluation(tx, clock, caller, item)}
    except HeadraceError as error:
        status = 404 if isinstance(error, NotFound) else 400
        return {"status": status, "body": {"title": type(error).__name__, "status": status, "detail": error.message}}


def _evaluation(tx: Transaction, clock: Clock, caller: Caller, item: object) -> Object:
    asked_for = item if isinstance(item, dict) else {}
    action = action_of(str(asked_for.get("evalRef", "")))
    labels, drafts = asked_for.get("labels"), asked_for.get("includeDraft") is True
    if action is None:
        raise RequestError("an evaluation has an `evalRef`: `/dulepolicy/marketingActions/core/analytics/constraints`")
    if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
        return _constraints(tx, clock, caller, action, of_labels(tx, caller, action, labels, drafts=drafts))
    refuse_unknown(tx, caller, *action)
    answer = of_entities(tx, caller, action, asked_for.get("entityList"), drafts=drafts)
    return _constraints(tx, clock, caller, action, answer)
