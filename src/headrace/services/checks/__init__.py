"""
Checking what people declare: each object by itself, with its templates, and together with those it belongs with.

Everything that is wrong is found at once. The other objects are looked up where the caller says: in the sandbox, inside
the transaction that will keep the object, or in a folder of files. What is wrong between two objects is told of the one
that is being checked: of a destination where it points to the other, of any other object for each destination that uses
it, with that destination's name.
"""

from collections.abc import Callable, Iterator
from typing import Any

from headrace.model.audience_template import AudienceTemplate
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import Problem
from headrace.model.reading import Examined, examine
from headrace.services.checks import links, mappings, sources, texts
from headrace.services.checks.nouns import (
    AUDIENCE_TEMPLATE,
    CREDENTIALS,
    DESTINATION,
    SERVER,
    Clash,
    Document,
    Object,
    Others,
    as_far_as_read,
    lenient,
    pointed_to,
    references,
    users,
)

__all__ = [
    "AUDIENCE_TEMPLATE",
    "CREDENTIALS",
    "DESTINATION",
    "EXAMINE",
    "SERVER",
    "Document",
    "Others",
    "lenient",
    "pointed_to",
    "prepare",
    "references",
]

Examine = Callable[[object, Others, str | None, bool], Examined[Any]]


def examine_server(document: object, others: Others, id_: str | None, strict: bool) -> Examined[DestinationServer]:
    """Check a destination server; under its own ``id_``, if it has one, destinations may use it: they are asked too."""
    examined = examine(DestinationServer, document, strict=strict)
    examined.ask(texts.problems_in(SERVER, document))
    if id_ is not None:
        server = Object(document, examined.block, examined.is_whole)
        examined.ask(_with_users_of_server(server, others, id_))
    return examined


def examine_destination(document: object, others: Others, id_: str | None, strict: bool) -> Examined[Destination]:
    """Check a destination, and whether it goes together with what it points to."""
    examined = examine(Destination, document, strict=strict)
    examined.ask(texts.problems_in(DESTINATION, document))
    for check in (*sources.CHECKS, *mappings.CHECKS):
        examined.ask(check(examined.block))
    destination = Object(document, examined.block, examined.is_whole)
    examined.ask(clash.for_the_destination() for clash in links.clashes(destination, others))
    return examined


def examine_audience_template(
    document: object, others: Others, id_: str | None, strict: bool
) -> Examined[AudienceTemplate]:
    """Check an audience template, and with it the destinations that use it."""
    examined = examine(AudienceTemplate, document, strict=strict)
    examined.ask(texts.problems_in(AUDIENCE_TEMPLATE, document))
    template = Object(document, examined.block, examined.is_whole)
    for name, user in users(others, AUDIENCE_TEMPLATE, id_) if id_ is not None else ():
        found = links.with_audience_template(user, template, links.server_of(user, others))
        examined.ask(_told(as_far_as_read(found, user, template), name))
    return examined


def examine_credentials(document: object, others: Others, id_: str | None, strict: bool) -> Examined[Credentials]:
    """Check shared credentials, and with them the destinations that use them."""
    examined = examine(Credentials, document, strict=strict)
    if id_ is None:
        return examined
    for name, user in users(others, CREDENTIALS, id_):
        examined.ask(_told(as_far_as_read(_of_credentials(user, document, others, id_), user), name))
    return examined


#: How each noun is checked. Called with the document, the others, the object's own id (or ``None``) and strictness.
EXAMINE: dict[str, Examine] = {
    SERVER: examine_server,
    DESTINATION: examine_destination,
    AUDIENCE_TEMPLATE: examine_audience_template,
    CREDENTIALS: examine_credentials,
}


def prepare(noun: str, document: object) -> None:
    """
    Do what takes longest of a check, and depends on nothing else: compile the templates, and try bodies with samples.

    The check that follows finds it done. It is made inside the one transaction that writes, where others wait for it.
    """
    for _ in texts.problems_in(noun, document):
        pass


def _with_users_of_server(server: Object[DestinationServer], others: Others, id_: str) -> Iterator[Problem]:
    """Ask every destination that uses a server whether it still can."""
    before = others.get(SERVER, id_)
    kept = before.get("destinationServerType") if before is not None else None
    for name, user in users(others, SERVER, id_):
        if kept is not None and server.block.destination_server_type != kept:
            message = f"destination {name!r} uses this server as `{kept}`; create another server for the new type"
            yield Problem("type-in-use", "/destinationServerType", message)
        else:
            yield from _told(as_far_as_read(_of_server(user, server, id_), user, server), name)


def _of_credentials(user: Object[Destination], document: object, others: Others, id_: str) -> Iterator[Clash]:
    """Ask a destination for what it uses credentials: to sign in where it delivers to, to sign requests, or both."""
    if user.block.audience_metadata.extension.authentication_id == id_:
        yield from links.with_credentials_of_requests(document, links.place_of_credentials(user.block))
    server = links.server_of(user, others)
    is_delivered = any(delivery.authentication_id == id_ for delivery in user.block.destination_delivery)
    if is_delivered and server is not None and server.is_whole:
        yield from links.with_credentials(document, server.block)


def _of_server(user: Object[Destination], server: Object[DestinationServer], id_: str) -> Iterator[Clash]:
    if any(delivery.destination_server_id == id_ for delivery in user.block.destination_delivery):
        yield from links.with_server(user, server)
    for asked, where in links.lookups_of(user.block):
        if asked == id_:
            yield from links.with_lookup(user, server, where)


def _told(clashes: Iterator[Clash], destination: str) -> Iterator[Problem]:
    """Tell the author of the other object what a destination can no longer do; what it is warned of stays its own."""
    problems = (clash.for_the_other(destination) for clash in clashes)
    return (problem for problem in problems if problem.is_error)
