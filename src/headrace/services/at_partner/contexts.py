"""What the macros of audience templates see: in a request, in its URL, and in the partner's answer."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from headrace.connect.call import json_of
from headrace.errors import RenderError
from headrace.model.audience_template import AudienceTemplate
from headrace.model.http import Response
from headrace.services.catalog import Edition
from headrace.services.partners import PartnerAccess
from headrace.store.audiences import StoredAudience

Context = dict[str, Any]


def of_connection(edition: Edition, access: PartnerAccess, template: AudienceTemplate) -> Context:
    """Return what every request sees of a target connection; see :func:`signed_in` for the rest."""
    return {
        "customerData": dict(access.customer_data),
        "segmentEnrichmentAttributes": [],
        "validations": {check.field: _text(access.customer_data.get(check.field)) for check in template.validations},
        "destination": {
            "name": edition.destination.name,
            "id": edition.id,
            "sandboxName": edition.owner.sandbox,
            "imsOrgId": edition.owner.organization,
            "enrichmentAttributes": {},
        },
    }


def signed_in(context: Context, auth_data: Mapping[str, str]) -> Context:
    """Return a context with what the account signs in with at this moment."""
    token = auth_data.get("accessToken") or auth_data.get("token") or ""
    tokens = {"accessToken": token, "token": token} if token else {}
    return {**context, "authData": {**tokens, **auth_data}, "oauth2ServiceAccessToken": token}


def of_audience(audience: StoredAudience, facts: Mapping[str, Any], alias: str | None) -> Context:
    """Return ``segment``: an audience by the name that the partner shall know."""
    return {
        "alias": alias or "",
        "id": audience.id,
        "namespace": audience.namespace,
        "name": facts.get("name", audience.name or audience.id),
        "description": facts.get("description", ""),
        "metadata": {},
    }


def in_url(context: Context) -> Context:
    """
    Return a context for a URL: what is told of the audience is one step of the path, or one value of the query.

    Raises:
        RenderError: it would be the step up, or the step to the same place.
    """
    segment = context.get("segment")
    if segment is None:
        return context
    return {**context, "segment": {name: _encoded(name, value) for name, value in segment.items()}}


def of_answer(response: Response, context: Context, headers: frozenset[str]) -> Context:
    """
    Return what a partner's answer shows: its members at the root, below what is ours; ``headers`` by the names given.

    A header has no case; a template asks for one as its author wrote it.
    """
    body = json_of(response) if response.body.strip() else {}
    members = body if isinstance(body, dict) else {}
    return {
        "error": None,
        "message": None,
        **members,
        **context,
        "body": body,
        "response": body,
        "headers": {name: response.header(name) for name in headers},
        "root": response.body.decode("utf-8", "replace"),
    }


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _encoded(name: str, value: Any) -> Any:
    if value in (".", ".."):
        raise RenderError(f"`segment.{name}` is {value!r}, which would lead to another place in a URL")
    return quote(value, safe="") if isinstance(value, str) else value
