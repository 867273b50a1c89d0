"""Publishing: authors submit as the original's clients do; reviewers look, and decide."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from headrace.api.authoring import OURS, PREFIX, Author, Object, Reader, with_ours
from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Handed, allowed
from headrace.clock import iso
from headrace.model.publishing import EVERYBODY, Reason
from headrace.model.reading import read
from headrace.services import publishing
from headrace.services.caller import Caller
from headrace.services.publishing import Part, Reviewed, Submitted
from headrace.store.access import Tenant
from headrace.store.publishing import PublishRequest

Reviewer = Annotated[Caller, Depends(allowed("publishing:review", host=True))]
Status = Annotated[
    str | None,
    Query(pattern="^(REVIEW|PUBLISHED|DENIED|REVOKED|DEPRECATED)$", description="Only requests of this status."),
]

submitting = APIRouter(prefix=f"{PREFIX}/destinations/publish", tags=["publishing"])
reviewing = APIRouter(prefix="/publishing/requests", tags=["publishing"])


@submitting.post("", summary="Ask for a destination to be published", status_code=201)
async def submit_destination(caller: Author, body: AuthoredBody, handed: Handed) -> Object:
    made = await publishing.submit(handed.store, handed.clock, handed.keyring, caller, body)
    return _submitted(made, caller)


@submitting.get("", summary="List the requests to publish, by destination")
async def list_submissions(caller: Reader, handed: Handed) -> list[Object]:
    return [_submitted(item, caller) for item in await publishing.submissions(handed.store, caller)]


@submitting.get("/{instance_id}", summary="Read the requests to publish a destination")
async def read_submission(instance_id: str, caller: Reader, handed: Handed) -> Object:
    return _submitted(await publishing.submission_of(handed.store, caller, instance_id), caller)


@submitting.put("/{instance_id}", summary="Say anew for whom the request to publish a destination is")
async def replace_submission(instance_id: str, caller: Author, body: AuthoredBody, handed: Handed) -> Object:
    changed = await publishing.allow(handed.store, handed.clock, caller, instance_id, body)
    return _submitted(changed, caller)


@submitting.post(
    "/{instance_id}/withdraw", summary="Take back the open request, or what is published", openapi_extra=OURS
)
async def withdraw_submission(instance_id: str, caller: Author, body: AuthoredBody, handed: Handed) -> Object:
    reason, _ = read(Reason, body)
    ended, reached = await publishing.take_back(handed.store, handed.clock, caller, instance_id, reason.reason)
    await _wake(handed, reached)
    return _entry(ended)


@reviewing.get("", summary="List the requests of all organizations", openapi_extra=OURS)
async def list_requests(caller: Reviewer, handed: Handed, status: Status = None) -> Object:
    found = await publishing.listing(handed.store, status)
    return {"items": [_request(item, owner) for item, owner in found]}


@reviewing.get("/{config_id}", summary="Read a request, with all that a reviewer looks at", openapi_extra=OURS)
async def read_request(config_id: str, caller: Reviewer, handed: Handed) -> Object:
    return _reviewed(await publishing.review(handed.store, handed.keyring, config_id))


@reviewing.post("/{config_id}/approve", summary="Publish what a request froze", openapi_extra=OURS)
async def approve_request(config_id: str, caller: Reviewer, handed: Handed) -> Object:
    decided, reached = await publishing.approve(
        handed.store, handed.clock, caller, config_id, self_review=handed.settings.self_review
    )
    await _wake(handed, reached)
    return _entry(decided)


@reviewing.post("/{config_id}/reject", summary="Refuse a request, saying why", openapi_extra=OURS)
async def reject_request(config_id: str, caller: Reviewer, body: AuthoredBody, handed: Handed) -> Object:
    reason, _ = read(Reason, body)
    allows = handed.settings.self_review
    decided = await publishing.reject(handed.store, handed.clock, caller, config_id, reason.reason, self_review=allows)
    return _entry(decided)


@reviewing.post("/{config_id}/withdraw", summary="Take back any request, or what it published", openapi_extra=OURS)
async def withdraw_request(config_id: str, caller: Reviewer, body: AuthoredBody, handed: Handed) -> Object:
    reason, _ = read(Reason, body)
    ended, reached = await publishing.withdraw(handed.store, handed.clock, caller, config_id, reason.reason)
    await _wake(handed, reached)
    return _entry(ended)


async def _wake(handed: Handed, tenants: list[int]) -> None:
    for tenant in tenants:
        await handed.wake(tenant)


def _submitted(made: Submitted, caller: Caller) -> Object:
    """Return a destination's requests as the original shows them: first the version that is being worked on."""
    working = {
        "configId": made.destination,
        "allowedOrgs": [caller.tenant.organization],
        "status": "TEST",
        "destinationType": "DEV",
    }
    details = [working, *(_entry(item) for item in made.requests)]
    answer: Object = {"destinationId": made.destination, "publishDetailsList": details}
    return with_ours(answer, {"warnings": [warning.as_json() for warning in made.warnings]})


def _entry(request: PublishRequest) -> Object:
    """Return a request as the original shows it; under ours, what was decided."""
    entry: Object = {
        "configId": request.config_id,
        "allowedOrgs": [EVERYBODY] if request.access == "ALL" else request.allowed_orgs,
        "status": request.status,
        "destinationType": "PUBLIC",
        "publishedDate": request.submitted_at,
    }
    decided = iso(request.decided_at) if request.decided_at is not None else None
    return with_ours(entry, {"reason": request.reason, "decidedBy": request.decided_by, "decidedDate": decided})


def _request(request: PublishRequest, owner: Tenant) -> Object:
    return {
        **_entry(request),
        "destinationId": request.destination,
        "organization": owner.organization,
        "sandbox": owner.sandbox,
        "submittedBy": request.submitted_by,
    }


def _reviewed(item: Reviewed) -> Object:
    return {
        **_request(item.request, item.owner),
        "documents": [_part(part) for part in item.parts],
        "published": item.published,
        "origins": [*item.disclosure.origins],
        "newOrigins": [*item.new_origins],
        "fields": [*item.disclosure.fields],
        "errors": [problem.as_json() for problem in item.problems if problem.is_error],
        "warnings": [problem.as_json() for problem in item.problems if not problem.is_error],
    }


def _part(part: Part) -> dict[str, Any]:
    return asdict(part)
