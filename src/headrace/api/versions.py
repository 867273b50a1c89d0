"""The versions that authors' objects have had: ours, beside each of the four objects."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from headrace.api.authoring import (
    KINDS,
    OURS,
    PREFIX,
    Author,
    Kind,
    Object,
    Reader,
    authored,
    wake_users,
    with_ours,
)
from headrace.api.doors import Handed
from headrace.clock import iso
from headrace.errors import NotFound
from headrace.services import history, sealing
from headrace.services.sealing import Safe
from headrace.store.documents import Version

_MOST = 1 << 31


@dataclass(frozen=True, slots=True)
class Versions:
    """The routes of the versions of one kind of object."""

    kind: Kind

    async def list_all(
        self,
        instance_id: str,
        caller: Reader,
        handed: Handed,
        limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
        before: Annotated[
            int | None, Query(ge=1, lt=_MOST, description="List those below this number: `next` of the last page.")
        ] = None,
    ) -> Object:
        found = await history.versions_of(handed.store, caller, self.kind.noun, instance_id, limit, before)
        return {
            "items": [_described(version) for version in found],
            "next": found[-1].version if len(found) == limit else None,
        }

    async def read(self, instance_id: str, version: str, caller: Reader, handed: Handed) -> Object:
        number = _number(version)
        found = await history.version_of(handed.store, caller, self.kind.noun, instance_id, number)
        if found.document is None:
            raise NotFound(f"version {number} is the deletion of {instance_id!r}: it left no document")
        document, prints = sealing.masked(Safe(handed.keyring, caller.tenant), instance_id, found.document)
        ours = {"fingerprints": prints, "version": _described(found)}
        return with_ours({"instanceId": instance_id, **document}, ours)

    async def diff(
        self,
        instance_id: str,
        caller: Reader,
        handed: Handed,
        earlier: Annotated[
            int | None,
            Query(alias="from", ge=0, lt=_MOST, description="The earlier version; 0 is before there was one."),
        ] = None,
        later: Annotated[int | None, Query(alias="to", ge=1, lt=_MOST, description="The later version.")] = None,
    ) -> Object:
        first, last, found = await history.diff(
            handed.store, handed.keyring, caller, self.kind.noun, instance_id, earlier, later
        )
        return {"from": first, "to": last, "changes": found}

    async def restore(
        self, instance_id: str, version: str, caller: Author, handed: Handed, response: Response
    ) -> Object:
        saved = await history.restore(
            handed.store, handed.clock, handed.keyring, caller, self.kind.noun, instance_id, _number(version)
        )
        await wake_users(handed, self.kind, caller, instance_id)
        return authored(self.kind, saved, caller, handed, response)


def _add_routes(kind: Kind) -> None:
    """Add the routes of the versions of one kind of object."""
    versions, one = Versions(kind), f"{kind.path}/{{instance_id}}"
    table: list[tuple[str, str, Any, str, str]] = [
        ("GET", f"{one}/versions", versions.list_all, f"list_{kind.name}_versions", f"List the versions of {kind.one}"),
        (
            "GET",
            f"{one}/versions/{{version}}",
            versions.read,
            f"read_{kind.name}_version",
            f"Read {kind.one} as it was",
        ),
        ("GET", f"{one}/diff", versions.diff, f"diff_{kind.name}", f"Say what has changed in {kind.one}"),
        (
            "POST",
            f"{one}/versions/{{version}}/restore",
            versions.restore,
            f"restore_{kind.name}",
            f"Make {kind.one} what it was",
        ),
    ]
    for method, path, endpoint, name, summary in table:
        router.add_api_route(
            path, endpoint, methods=[method], name=name, operation_id=name, summary=summary, openapi_extra=OURS
        )


router = APIRouter(prefix=PREFIX, tags=["versions"])
for kind in KINDS:
    _add_routes(kind)


def _described(version: Version) -> Object:
    return {
        "version": version.version,
        "action": version.action,
        "actor": version.actor,
        "date": iso(version.at),
    }


def _number(text: str) -> int:
    """Read the number of a version from a path, in which anything may stand."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"there is no version {text!r}")
    return int(text)
