"""
Checking what people declare: each object by itself, with its templates, and together with those it belongs with.

Everything that is wrong is found at once. The other objects are looked up where the caller says: in the sandbox, inside
the transaction that will keep the object, or in a folder of files.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from headrace.errors import TemplateSyntaxError
from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import Block, pointer
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import Problem
from headrace.model.reading import Examined, examine
from headrace.template import Template
from headrace.template import compile as compile_template

SERVER = "destination-server"
DESTINATION = "destination"
AUDIENCE_TEMPLATE = "audience-template"
CREDENTIALS = "credentials"
B = TypeVar("B", bound=Block)

Document = dict[str, Any]


class Others(Protocol):
    """The other objects of a sandbox, or of a folder."""

    def get(self, noun: str, id_: str) -> Document | None:
        """Return the document of an object."""
        ...

    def all_of(self, noun: str) -> list[tuple[str, Document]]:
        """Return the id and the document of every object of a noun."""
        ...


Examine = Callable[[object, Others, str | None, bool], Examined[Any]]


def examine_server(document: object, others: Others, id_: str | None, strict: bool) -> Examined[DestinationServer]:
    """Check a destination server; under its own ``id_``, if it has one, destinations may use it: they are asked too."""
    examined = examine(DestinationServer, document, strict=strict)
    examined.problems.extend(_template_problems(document))
    for name, user in _destinations_using(others, id_) if id_ is not None else ():
        examined.ask(_fit(examined.block, document, user, f"with destination {name!r}: ", ""))
    return examined


def examine_destination(document: object, others: Others, id_: str | None, strict: bool) -> Examined[Destination]:
    """Check a destination, and whether it goes together with what it points to."""
    examined = examine(Destination, document, strict=strict)
    examined.problems.extend(_template_problems(document))
    examined.ask(_links(examined.block, others))
    return examined


def examine_audience_template(
    document: object, others: Others, id_: str | None, strict: bool
) -> Examined[AudienceTemplate]:
    """Check an audience template."""
    return examine(AudienceTemplate, document, strict=strict)


def examine_credentials(document: object, others: Others, id_: str | None, strict: bool) -> Examined[Credentials]:
    """Check shared credentials."""
    return examine(Credentials, document, strict=strict)


#: How each noun is checked. Called with the document, the others, the object's own id (or ``None``) and strictness.
EXAMINE: dict[str, Examine] = {
    SERVER: examine_server,
    DESTINATION: examine_destination,
    AUDIENCE_TEMPLATE: examine_audience_template,
    CREDENTIALS: examine_credentials,
}


def lenient(block: type[B], document: Document) -> B:
    """Read a stored document; what was only warned about when it was kept is left out."""
    return examine(block, document, strict=False).block


def _links(destination: Destination, others: Others) -> Iterator[Problem]:
    where = "/destinationDelivery/0/destinationServerId"
    if destination.delivery.authentication_rule == "PLATFORM_AUTHENTICATION":
        message = "`PLATFORM_AUTHENTICATION` needs shared credentials, and there are none; use another rule"
        yield Problem("no-credentials", "/destinationDelivery/0/authenticationId", message)
    wanted = destination.delivery.destination_server_id
    server = others.get(SERVER, wanted)
    if server is None:
        yield Problem("unknown-server", where, f"there is no destination server {wanted!r}; create it first")
    else:
        yield from _fit(lenient(DestinationServer, server), server, destination, "", where)


def _fit(
    server: DestinationServer, document: object, destination: Destination, prefix: str, where: str
) -> Iterator[Problem]:
    """Say what keeps a server and a destination from working together."""
    http = server.http_template
    if http is None or http.request_body is None or http.content_type is None:
        message = "a server that delivers needs `httpTemplate` with `httpMethod`, `requestBody` and `contentType`"
        yield Problem("not-a-delivery-server", where, f"{prefix}{message}")
    asked_for = {field.name for field in destination.customer_data_fields}
    for path, template, _ in _templates(document):
        for used in sorted(template.reads if template is not None else ()):
            if used[0] == "customerData" and len(used) > 1 and used[1] not in asked_for:
                message = (
                    f"the template at {path} reads `customerData.{used[1]}`, which no customer data field is named"
                )
                yield Problem("unknown-customer-data", where or path, f"{prefix}{message}")


def _template_problems(document: object) -> Iterator[Problem]:
    for _, _, problems in _templates(document):
        yield from problems


def _templates(value: object, path: str = "") -> Iterator[tuple[str, Template | None, list[Problem]]]:
    """
    Compile every template in a document: its JSON pointer with the template, or with what is wrong with it.

    It walks the JSON and not the block, so that templates are judged even where the rest cannot be read.
    """
    if isinstance(value, dict) and value.get("templatingStrategy") == "PEBBLE_V1" and type(value.get("value")) is str:
        try:
            yield path, compile_template(value["value"], name=path[1:]), []
        except TemplateSyntaxError as error:
            yield path, None, [Problem(error.code, f"{path}/value", str(problem)) for problem in error.problems]
    elif isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _templates(item, f"{path}{pointer((step,))}")


def _destinations_using(others: Others, server_id: str) -> list[tuple[str, Destination]]:
    all_of_them = [lenient(Destination, document) for _, document in others.all_of(DESTINATION)]
    return [(item.name, item) for item in all_of_them if item.delivery.destination_server_id == server_id]
