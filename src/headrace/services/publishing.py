"""
Publishing: a destination is frozen as it is, reviewed, and offered to other organizations.

REVIEW becomes PUBLISHED or DENIED by a reviewer; what is published becomes DEPRECATED when a newer request is, or
REVOKED when it is withdrawn. A request that is withdrawn before it was decided is REVOKED too.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import Conflict, Forbidden, NotFound
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.publishing import EVERYBODY, Submission
from headrace.model.reading import read
from headrace.services import declared, moving, sealing
from headrace.services.caller import Caller
from headrace.services.catalog import Catalog, Edition, Pinned, Working, edition_of, tenant_of, uses_working
from headrace.services.checks import CREDENTIALS, DESTINATION, EXAMINE, Document, pointed_to
from headrace.services.disclosure import Disclosure
from headrace.services.fitting import misfits
from headrace.services.history import changes
from headrace.services.sealing import Safe
from headrace.store import audit, documents, publishing
from headrace.store.access import Tenant
from headrace.store.database import Store, Transaction
from headrace.store.publishing import PublishRequest

REQUEST = "publish-request"
#: What the page of a destination should say.
_PAGE = ("useCases", "prerequisites", "mapping", "exportedData", "contact")
REVIEW, PUBLISHED, DENIED, REVOKED, DEPRECATED = "REVIEW", "PUBLISHED", "DENIED", "REVOKED", "DEPRECATED"


@dataclass(frozen=True, slots=True)
class Submitted:
    """A destination's requests, oldest first, and what its author should read about the newest."""

    destination: str
    requests: list[PublishRequest]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One frozen document of a request, as it is shown, and what makes it another than what is published now."""

    noun: str
    id: str
    version: int
    document: Document
    changes: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Everything a reviewer looks at."""

    request: PublishRequest
    owner: Tenant
    parts: list[Part]
    published: str | None
    disclosure: Disclosure
    new_origins: tuple[str, ...]
    problems: list[Problem]


# -- authors ----------------------------------------------------------------------------------------------------------


async def submit(store: Store, clock: Clock, keyring: Keyring, caller: Caller, document: object) -> Submitted:
    """
    Ask for a destination to be published as it is now.

    Raises:
        ConfigurationError: with every problem of it and of what it points to.
        Conflict: a request for it is open.
        NotFound: it is not in this sandbox.
    """
    submission, _ = read(Submission, document)
    if submission.destination_id is None:
        raise ConfigurationError([Problem("missing-field", "/destinationId", "`destinationId` is missing")])
    id_, now = submission.destination_id, clock.now()

    def work(tx: Transaction) -> Submitted:
        declared.existing(tx, caller, DESTINATION, id_)
        _refuse_open(tx, id_)
        request = _add(tx, caller, id_, submission, _pins(tx, caller, id_), now)
        edition = edition_of(tx, request)
        problems = [*judge(Safe(keyring, caller.tenant), edition), *_own_misfits(tx, edition)]
        declared.refuse(problems)
        return Submitted(id_, publishing.of_destination(tx, id_), tuple(problems))

    return await store.write(work)


async def allow(store: Store, clock: Clock, caller: Caller, id_: str, document: object) -> Submitted:
    """
    Say anew for whom the request to publish a destination is.

    What is published is narrowed at once. It is widened by a new request, for the very same versions; an open request
    gives way to a new one, so that a reviewer never approves another than was read.

    Raises:
        NotFound: nothing is published or asked for.
    """
    submission, _ = read(Submission, document)
    _refuse_another(id_, submission)
    now = clock.now()

    def work(tx: Transaction) -> Submitted:
        declared.existing(tx, caller, DESTINATION, id_)
        requests = publishing.of_destination(tx, id_)
        current = next((item for item in reversed(requests) if item.status in (REVIEW, PUBLISHED)), None)
        if current is None:
            raise NotFound(f"there is no request to publish {id_!r}; make one first")
        if current.status == PUBLISHED and _narrows(submission, current):
            who = {"access": submission.destination_access, "allowed_orgs": _listed(submission)}
            _change(tx, caller, current, "narrow", now, **who)
        else:
            if current.status == REVIEW:
                _change(tx, caller, current, "withdraw", now, status=REVOKED, ended_at=now)
            _add(tx, caller, id_, submission, current.pinned, now)
        return Submitted(id_, publishing.of_destination(tx, id_))

    return await store.write(work)


async def submissions(store: Store, caller: Caller) -> list[Submitted]:
    """Return the requests of a sandbox, by destination."""

    def look(tx: Transaction) -> list[Submitted]:
        requests = publishing.of_tenant(tx, caller.number)
        ids = dict.fromkeys(item.destination for item in requests)
        there = [id_ for id_ in ids if documents.get(tx, caller.number, DESTINATION, id_) is not None]
        return [Submitted(id_, [item for item in requests if item.destination == id_]) for id_ in there]

    return await store.read(look)


async def submission_of(store: Store, caller: Caller, id_: str) -> Submitted:
    """
    Return the requests for one destination.

    Raises:
        NotFound: it is not in this sandbox.
    """

    def look(tx: Transaction) -> Submitted:
        declared.existing(tx, caller, DESTINATION, id_)
        return Submitted(id_, publishing.of_destination(tx, id_))

    return await store.read(look)


async def take_back(
    store: Store, clock: Clock, caller: Caller, id_: str, reason: str
) -> tuple[PublishRequest, list[int]]:
    """
    Take back the open request for a destination, or else what is published. Returns also the sandboxes this reaches.

    Nobody connects any more to what is taken back, and who is connected goes on as before.

    Raises:
        Conflict: nothing is asked for or published.
        NotFound: the destination is not in this sandbox.
    """
    now = clock.now()

    def work(tx: Transaction) -> tuple[PublishRequest, list[int]]:
        declared.existing(tx, caller, DESTINATION, id_)
        requests = publishing.of_destination(tx, id_)
        live = [item for status in (REVIEW, PUBLISHED) for item in requests if item.status == status]
        if not live:
            raise Conflict("nothing is asked for or published: there is nothing to withdraw")
        return _end(tx, caller, live[0], reason, now)

    return await store.write(work)


# -- reviewers --------------------------------------------------------------------------------------------------------


async def listing(store: Store, status: str | None) -> list[tuple[PublishRequest, Tenant]]:
    """Return the requests of all organizations, oldest first, each with whose it is; for the host's reviewers."""

    def look(tx: Transaction) -> list[tuple[PublishRequest, Tenant]]:
        return [(item, tenant_of(tx, item.tenant)) for item in publishing.listing(tx, status)]

    return await store.read(look)


async def review(store: Store, keyring: Keyring, config_id: str) -> Reviewed:
    """
    Return a request with everything a reviewer looks at; for the host's reviewers.

    Raises:
        NotFound: there is no such request.
    """

    def look(tx: Transaction) -> Reviewed:
        request = _existing(tx, config_id)
        edition = edition_of(tx, request)
        safe = Safe(keyring, edition.owner)
        known = [item for item in publishing.of_destination(tx, request.destination) if item.status == PUBLISHED]
        published = edition_of(tx, known[0]) if known else None
        parts = [_part(safe, pin, edition, published) for pin in request.pinned]
        before = published.disclosure.origins if published is not None else ()
        return Reviewed(
            request,
            edition.owner,
            parts,
            published.config_id if published is not None else None,
            edition.disclosure,
            tuple(origin for origin in edition.disclosure.origins if origin not in before),
            judge(safe, edition),
        )

    return await store.read(look)


async def approve(
    store: Store, clock: Clock, caller: Caller, config_id: str, *, self_review: bool
) -> tuple[PublishRequest, list[int]]:
    """
    Publish what a request froze; what was published before is deprecated. Returns also the sandboxes that this reaches.

    Raises:
        Conflict: it was decided already, or dataflows of its author cannot go on under it.
        Forbidden: the caller submitted it, or is not of the organization that runs this installation.
        NotFound: there is no such request.
    """
    now = clock.now()

    def work(tx: Transaction) -> tuple[PublishRequest, list[int]]:
        request = _to_decide(tx, caller, config_id, self_review=self_review)
        broken = [*_own_misfits(tx, edition_of(tx, request))]
        if broken:
            count = f"{len(broken)} reasons" if len(broken) > 1 else "a reason"
            raise Conflict(f"dataflows of the author cannot go on under this version, for {count}: deny the request")
        for earlier in publishing.of_destination(tx, request.destination):
            if earlier.status == PUBLISHED:
                _change(tx, caller, earlier, "deprecate", now, status=DEPRECATED, ended_at=now)
        decided = {"status": PUBLISHED, "decided_by": caller.actor, "decided_at": now, "published_at": now}
        published = _change(tx, caller, request, "approve", now, **decided)
        return published, moving.move_all(tx, edition_of(tx, published), caller.actor, now)

    return await store.write(work)


async def reject(
    store: Store, clock: Clock, caller: Caller, config_id: str, reason: str, *, self_review: bool
) -> PublishRequest:
    """
    Refuse a request, saying why.

    Raises:
        Conflict: it was decided already.
        Forbidden: the caller submitted it, or is not of the organization that runs this installation.
        NotFound: there is no such request.
    """
    now = clock.now()

    def work(tx: Transaction) -> PublishRequest:
        request = _to_decide(tx, caller, config_id, self_review=self_review)
        decided = {"status": DENIED, "decided_by": caller.actor, "decided_at": now, "ended_at": now}
        return _change(tx, caller, request, "reject", now, **decided, reason=reason)

    return await store.write(work)


async def withdraw(
    store: Store, clock: Clock, caller: Caller, config_id: str, reason: str
) -> tuple[PublishRequest, list[int]]:
    """
    Take back any request, or what it published; for the host's reviewers. Returns also the sandboxes this reaches.

    Raises:
        Conflict: there is nothing to take back any more.
        NotFound: there is no such request.
    """
    now = clock.now()
    return await store.write(lambda tx: _end(tx, caller, _existing(tx, config_id), reason, now))


# -- what both stand on -----------------------------------------------------------------------------------------------


def judge(safe: Safe, edition: Edition) -> list[Problem]:
    """Check everything that an edition is made of again, and what is asked of public destinations alone."""
    whole = sealing.opened(safe, edition.id, edition.document)
    problems = [*EXAMINE[DESTINATION](whole, edition.parts, edition.id, False).problems]
    for noun, id_ in pointed_to(edition.document):
        document = edition.parts.get(noun, id_)
        if document is not None:
            found = EXAMINE[noun](sealing.opened(safe, id_, document), edition.parts, None, False).problems
            problems += [replace(item, message=f"{declared.spoken(noun)} {id_}: {item.message}") for item in found]
    return [*problems, *_asked_of_public_ones(edition.document)]


def _asked_of_public_ones(document: Document) -> Iterator[Problem]:
    looks = document.get("uiAttributes") or {}
    if not looks.get("documentationLink"):
        message = "a public destination says where it is documented: `uiAttributes.documentationLink`"
        yield Problem("missing-documentation-link", "/uiAttributes/documentationLink", message)
    if document.get("status") == "DELETED":
        yield Problem("not-allowed", "/status", "the card of a public destination is not hidden: use `TEST`")
    if not document.get("description"):
        yield _undocumented("/description", "the card has no text")
    for name in ("category", "connectionType", "frequency"):
        if not looks.get(name):
            yield _undocumented(f"/uiAttributes/{name}", f"the catalog shows `{name}`")
    if not looks.get("icon") and not looks.get("iconUrl"):
        yield _undocumented("/uiAttributes/icon", "the card has no logo")
    page = (document.get("x-headrace") or {}).get("documentation") or {}
    for name in _PAGE:
        if not page.get(name):
            yield _undocumented(f"/x-headrace/documentation/{name}", f"the page that explains it has no `{name}`")
    for place, field in enumerate(document.get("customerDataFields") or ()):
        if not field.get("title") or not field.get("description"):
            message = f"say in `title` and `description` what `{field['name']}` is"
            yield _undocumented(f"/customerDataFields/{place}", message)


def _undocumented(where: str, message: str) -> Problem:
    return Problem("incomplete-documentation", where, message)


def _own_misfits(tx: Transaction, edition: Edition) -> Iterator[Problem]:
    """Say which dataflows of the author's own sandbox could not go on under an edition: they move to it at once."""
    catalog = Catalog(tx, edition.owner)
    for number, target in documents.connected_to(tx, moving.TARGET, edition.id):
        if number == edition.owner.tenant:
            before = catalog.in_force(target)
            if not uses_working(target):
                yield from misfits(catalog.dataflows_of(target.id), before.destination, edition.destination)


def _pins(tx: Transaction, caller: Caller, id_: str) -> list[dict[str, Any]]:
    """Name the versions of everything a destination is made of now. Shared credentials stay as they are at any time."""
    parts = Working(tx, caller.number)
    frozen = [(DESTINATION, id_)]
    frozen += [item for item in pointed_to(parts.get(DESTINATION, id_)) if item[0] != CREDENTIALS]
    versions = [(noun, part, parts.version_of(noun, part)) for noun, part in frozen]
    return [{"noun": noun, "id": part, "version": version} for noun, part, version in versions if version is not None]


def _add(
    tx: Transaction, caller: Caller, id_: str, submission: Submission, pinned: list[dict[str, Any]], now: int
) -> PublishRequest:
    request = PublishRequest(
        tenant=caller.number,
        config_id=str(uuid.uuid4()),
        destination=id_,
        access=submission.destination_access,
        allowed_orgs=_listed(submission),
        pinned=pinned,
        status=REVIEW,
        submitted_by=caller.actor,
        submitted_at=now,
    )
    publishing.add(tx, request)
    _note(tx, caller, request, "submit", now)
    return request


def _listed(submission: Submission) -> list[str]:
    return submission.organizations or [EVERYBODY]


def _narrows(submission: Submission, current: PublishRequest) -> bool:
    is_listed = submission.destination_access == "LIMITED"
    return current.access == "ALL" or (is_listed and {*submission.organizations} <= {*current.allowed_orgs})


def _refuse_open(tx: Transaction, id_: str) -> None:
    for request in publishing.of_destination(tx, id_):
        if request.status == REVIEW:
            message = f"the request {request.config_id} for this destination is open: wait for it, or withdraw it"
            raise Conflict(message)


def _refuse_another(id_: str, submission: Submission) -> None:
    if submission.destination_id not in (None, id_):
        message = f"the path names the destination {id_!r}, and the body another: leave `destinationId` out"
        raise ConfigurationError([Problem("wrong-id", "/destinationId", message)])


def _to_decide(tx: Transaction, caller: Caller, config_id: str, *, self_review: bool) -> PublishRequest:
    request = _existing(tx, config_id)
    if request.status != REVIEW:
        raise Conflict(f"this request is {request.status}: it is decided already")
    if request.submitted_by == caller.actor and not self_review:
        raise Forbidden("nobody decides their own request; HEADRACE_SELF_REVIEW allows it where there is one person")
    return request


def _end(
    tx: Transaction, caller: Caller, request: PublishRequest, reason: str, now: int
) -> tuple[PublishRequest, list[int]]:
    if request.status not in (REVIEW, PUBLISHED):
        raise Conflict(f"this request is {request.status}: there is nothing to withdraw")
    decided = {"status": REVOKED, "decided_by": caller.actor, "decided_at": now, "ended_at": now}
    ended = _change(tx, caller, request, "withdraw", now, **decided, reason=reason)
    working = Catalog(tx, tenant_of(tx, request.tenant)).working(request.destination)
    if request.status != PUBLISHED or working is None:
        return ended, []
    return ended, moving.move_all(tx, working, caller.actor, now)


def _existing(tx: Transaction, config_id: str) -> PublishRequest:
    request = publishing.get(tx, config_id)
    if request is None:
        raise NotFound(f"there is no request {config_id!r} here")
    return request


def _change(
    tx: Transaction, caller: Caller, request: PublishRequest, action: str, now: int, **values: Any
) -> PublishRequest:
    changed = publishing.change(tx, request, **values)
    if changed is None:
        raise Conflict("this request was decided by somebody else just now; read it again")
    _note(tx, caller, changed, action, now)
    return changed


def _note(tx: Transaction, caller: Caller, request: PublishRequest, action: str, now: int) -> None:
    """Write down a step where the destination is at home, and where the one who took it is, if that is elsewhere."""
    details = {"destination": request.destination, "access": request.access, "allowedOrgs": request.allowed_orgs}
    details |= {"reason": request.reason} if request.reason else {}
    for number in dict.fromkeys([request.tenant, caller.number]):
        audit.note(tx, number, caller.actor, action, REQUEST, request.config_id, now, details=details)


def _part(safe: Safe, pin: dict[str, Any], edition: Edition, published: Edition | None) -> Part:
    noun, id_ = pin["noun"], pin["id"]
    document = edition.parts.get(noun, id_) or {}
    before = published.parts.get(noun, id_) if published is not None and _has(published, noun, id_) else None
    after = sealing.marked(safe, id_, document)
    found = changes(sealing.marked(safe, id_, before), after) if before is not None else []
    return Part(noun, id_, pin["version"], sealing.masked(safe, id_, document)[0], [*found])


def _has(edition: Edition, noun: str, id_: str) -> bool:
    parts = edition.parts
    return isinstance(parts, Pinned) and any((pin["noun"], pin["id"]) == (noun, id_) for pin in parts.request.pinned)
