"""The authoring API: the four objects a destination is made of, as the original's clients know them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Doors, Handed, allowed
from headrace.clock import iso
from headrace.errors import OperationError
from headrace.model.problem import ConfigurationError, Problem
from headrace.services import authoring, declared, sealing, standing
from headrace.services.authoring import AUDIENCE_TEMPLATE, CREDENTIALS, DESTINATION, SERVER, Authored
from headrace.services.caller import Caller
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.store.documents import Declared

PREFIX = "/data/core/activation/authoring"

Reader = Annotated[Caller, Depends(allowed("authoring:read"))]
Author = Annotated[Caller, Depends(allowed("authoring:write"))]
OURS = {"x-headrace": True}
Strict = Annotated[
    bool,
    Query(description="Whether unknown fields are refused; else they are warnings.", json_schema_extra=OURS),
]
IfMatch = Annotated[
    str | None,
    Header(description="The `ETag` of the version that is meant, or `*`.", json_schema_extra=OURS),
]
Limit = Annotated[int | None, Query(ge=1, le=1000, description="The most to list.", json_schema_extra=OURS)]
Start = Annotated[
    str | None, Query(description="The id to begin with: `_page.next` of the page before.", json_schema_extra=OURS)
]
Object = dict[str, Any]


#: Where a destination says which origins of audiences it takes, under today's names and those before.
_ORIGIN_LISTS = frozenset(
    {"segmentNamespaceAllowList", "segmentNamespaceDenyList", "segmentNamespaceAllowed", "segmentNamespaceDenied"}
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the four objects: its noun, its path, and how it is spoken of."""

    noun: str
    path: str
    one: str
    many: str

    @property
    def name(self) -> str:
        """Its name in the ids of operations."""
        return self.noun.replace("-", "_")


DESTINATIONS = Kind(DESTINATION, "/destinations", "a destination", "the destinations")
TEMPLATES = Kind(AUDIENCE_TEMPLATE, "/audience-templates", "an audience template", "the audience templates")
KINDS = (
    DESTINATIONS,
    Kind(SERVER, "/destination-servers", "a destination server", "the destination servers"),
    TEMPLATES,
    Kind(CREDENTIALS, "/credentials", "shared credentials", "the shared credentials"),
)


async def wake_users(handed: Doors, kind: Kind, caller: Caller, id_: str) -> None:
    """Look again at the dataflows that an object may be used by: those of credentials may be in any sandbox."""
    holder = Holder(caller.tenant, id_, is_shared=kind.noun == CREDENTIALS)
    for number in await handed.store.read(lambda tx: standing.concerned(tx, holder)):
        await handed.wake(number)


@dataclass(frozen=True, slots=True)
class Objects:
    """The routes of one kind."""

    kind: Kind

    async def create(
        self, caller: Author, body: AuthoredBody, handed: Handed, response: Response, strict: Strict = True
    ) -> Object:
        saved = await authoring.save(
            handed.store, handed.clock, handed.keyring, caller, self.kind.noun, body, strict=strict
        )
        return authored(self.kind, saved, caller, handed, response)

    async def list_all(self, caller: Reader, handed: Handed, limit: Limit = None, start: Start = None) -> Object:
        if limit is None and start is None:
            found = await declared.listing(handed.store, caller, self.kind.noun)
            return {"items": [listed(self.kind, item, caller, handed) for item in found]}
        found, more = await declared.page(handed.store, caller, self.kind.noun, limit or 1000, start)
        items = [listed(self.kind, item, caller, handed) for item in found]
        return {"items": items, "_page": {"next": more, "count": len(items)}}

    async def read(self, instance_id: str, caller: Reader, handed: Handed, response: Response) -> Object:
        found = await declared.read(handed.store, caller, self.kind.noun, instance_id)
        response.headers["ETag"] = declared.etag(found)
        one = shown(self.kind, found, caller, handed)
        is_wrapped = self.kind is DESTINATIONS and handed.settings.wrap_read_destination
        return {"items": [one]} if is_wrapped else one

    async def replace(
        self,
        instance_id: str,
        caller: Author,
        body: AuthoredBody,
        handed: Handed,
        response: Response,
        strict: Strict = True,
        if_match: IfMatch = None,
    ) -> Object:
        _refuse_another(instance_id, body)
        saved = await authoring.save(
            handed.store,
            handed.clock,
            handed.keyring,
            caller,
            self.kind.noun,
            body,
            strict=strict,
            id_=instance_id,
            if_match=if_match,
        )
        await wake_users(handed, self.kind, caller, instance_id)
        return authored(self.kind, saved, caller, handed, response)

    async def replace_named(
        self,
        caller: Author,
        body: AuthoredBody,
        handed: Handed,
        response: Response,
        strict: Strict = True,
        if_match: IfMatch = None,
    ) -> Object:
        return await self.replace(_id_in(body), caller, body, handed, response, strict, if_match)

    async def delete(self, instance_id: str, caller: Author, handed: Handed, if_match: IfMatch = None) -> Response:
        await authoring.delete(handed.store, handed.clock, caller, self.kind.noun, instance_id, if_match=if_match)
        return Response(status_code=200)


def _add_routes(kind: Kind) -> None:
    """Add the routes of one kind of object."""
    objects, one = Objects(kind), f"{kind.path}/{{instance_id}}"
    table: list[tuple[str, str, Callable[..., Any], str, str, Object | None]] = [
        ("POST", kind.path, objects.create, f"create_{kind.name}", f"Create {kind.one}", None),
        ("GET", kind.path, objects.list_all, f"list_{kind.name}", f"List {kind.many}", None),
        ("GET", one, objects.read, f"read_{kind.name}", f"Read {kind.one}", None),
        ("PUT", one, objects.replace, f"replace_{kind.name}", f"Replace {kind.one}", None),
        ("DELETE", one, objects.delete, f"delete_{kind.name}", f"Delete {kind.one} that nothing uses", None),
    ]
    if kind is DESTINATIONS:
        summary = "Replace the destination that the body names by its `instanceId`"
        table.append(("PUT", kind.path, objects.replace_named, "replace_named_destination", summary, OURS))
    if kind is TEMPLATES:
        summary = "Replace an audience template, as some clients ask for it"
        table.append(("POST", one, objects.replace, "update_audience_template", summary, OURS))
    for method, path, endpoint, name, summary, extra in table:
        router.add_api_route(
            path, endpoint, methods=[method], name=name, operation_id=name, summary=summary, openapi_extra=extra
        )


router = APIRouter(prefix=PREFIX, tags=["authoring"])
for kind in KINDS:
    _add_routes(kind)


def authored(kind: Kind, saved: Authored, caller: Caller, handed: Doors, response: Response) -> Object:
    """Return an object that was just kept, with its warnings."""
    response.headers["ETag"] = declared.etag(saved.declared)
    return shown(kind, saved.declared, caller, handed, saved.warnings)


def shown(kind: Kind, item: Declared, caller: Caller, handed: Doors, warnings: tuple[Problem, ...] = ()) -> Object:
    """Return a stored object with what the server adds to it."""
    document, fingerprints = sealing.masked(Safe(handed.keyring, caller.tenant), item.id, item.document)
    ours = {"warnings": [warning.as_json() for warning in warnings], "fingerprints": fingerprints}
    return _with_additions(kind, item, caller, document, ours)


def listed(kind: Kind, item: Declared, caller: Caller, handed: Doors) -> Object:
    """Return an object for a list, in which one whose key cannot be had says so and hides no other."""
    try:
        return shown(kind, item, caller, handed)
    except OperationError as error:
        ours = {"error": sealing.fault(error)}
        return _with_additions(kind, item, caller, sealing.without_sealed(item.document), ours)


def _with_additions(kind: Kind, item: Declared, caller: Caller, document: Object, ours: Object) -> Object:
    added: Object = {
        "instanceId": item.id,
        "createdDate": iso(item.created_at),
        "lastModifiedDate": iso(item.modified_at),
    }
    if kind is DESTINATIONS:
        added |= _of_a_destination(item.id, document, caller)
    return with_ours({**added, **document, **_with_defaults(kind, document)}, ours)


def with_ours(document: Object, ours: Object) -> Object:
    """Return a document with what we add under ``x-headrace``, beside what its author has there."""
    present = {key: value for key, value in ours.items() if value}
    return {**document, "x-headrace": {**document.get("x-headrace", {}), **present}} if present else document


def _of_a_destination(id_: str, document: Object, caller: Caller) -> Object:
    tenant = caller.tenant
    place = {"imsOrg": tenant.organization, "sandboxName": tenant.sandbox, "sandboxId": tenant.sandbox_id}
    return {**place, "destConfigId": id_, "backfillHistoricalProfileData": True}


def _with_defaults(kind: Kind, document: Object) -> Object:
    """Return the parts of a document in which defaults are written out, as the original does it."""
    schema = document.get("schemaConfig")
    lists = {
        "segmentNamespaceAllowList",
        "segmentNamespaceDenyList",
        "segmentNamespaceAllowed",
        "segmentNamespaceDenied",
    }
    if kind is not DESTINATIONS or not isinstance(schema, dict) or schema.keys() & lists:
        return {}
    return {"schemaConfig": {**schema, "segmentNamespaceDenyList": []}}


def _id_in(body: object) -> str:
    id_ = body.get("instanceId") if isinstance(body, dict) else None
    if not isinstance(id_, str):
        message = "the body names no object: say which in `instanceId`, or in the path"
        raise ConfigurationError([Problem("missing-field", "/instanceId", message)])
    return id_


def _refuse_another(instance_id: str, body: object) -> None:
    """Refuse an object that says that it is another than the one it would replace."""
    given = body.get("instanceId", instance_id) if isinstance(body, dict) else instance_id
    if given != instance_id:
        message = f"the path names the object {instance_id!r}, and the body another: leave `instanceId` out"
        raise ConfigurationError([Problem("wrong-id", "/instanceId", message)])
