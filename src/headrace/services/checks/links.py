"""What a destination points to: whether it is there, and whether the two go together."""

from collections.abc import Iterator

from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import pointer
from headrace.model.credentials import Credentials
from headrace.model.customer_data import fetched
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.services.checks.customer_data import fields_of, unread
from headrace.services.checks.kinds import FIRST, checks_of
from headrace.services.checks.nouns import (
    AUDIENCE_TEMPLATE,
    CREDENTIALS,
    DESTINATION,
    SERVER,
    Clash,
    Object,
    Others,
    as_far_as_read,
    look_up,
)
from headrace.services.checks.texts import used_in

#: The types of servers that shared credentials of each kind sign in at.
SIGNS_IN_AT = {
    "basicAuthentication": "URL_BASED",
    "oauth2ClientAuthentication": "URL_BASED",
    "oauth2RefreshTokenAuthentication": "URL_BASED",
    "s3Authentication": "FILE_BASED_S3",
    "sshAuthentication": "FILE_BASED_SFTP",
    "azureAuthentication": "FILE_BASED_ADLS_GEN2",
    "azureConnectionStringAuthentication": "FILE_BASED_AZURE_BLOB",
}
_DELIVERS_TO = f"{FIRST}/destinationServerId"
_SIGNS_IN_WITH = f"{FIRST}/authenticationId"

Server = Object[DestinationServer]
Template = Object[AudienceTemplate]


def clashes(destination: Object[Destination], others: Others) -> Iterator[Clash]:
    """Look at everything that a destination points to."""
    yield from as_far_as_read(_own_templates(destination), destination)
    yield from as_far_as_read(_delivery(destination, others), destination)
    yield from as_far_as_read(_lookups(destination, others), destination)
    yield from as_far_as_read(_audience_template(destination, others), destination)
    yield from as_far_as_read(_credentials(destination, others), destination)
    yield from as_far_as_read(_credentials_of_requests(destination, others), destination)


# -- the server that is delivered to ------------------------------------------------------------------------------


def with_server(destination: Object[Destination], server: Server) -> Iterator[Clash]:
    """Say what keeps a destination from delivering to a server."""
    yield from as_far_as_read(_fit(destination, server), destination, server)
    yield from as_far_as_read(_reads_of_server(destination, server, _DELIVERS_TO), destination, server)


def _fit(destination: Object[Destination], server: Server) -> Iterator[Clash]:
    for check in checks_of(server.block):
        yield from as_far_as_read(check(destination.block, server.block), destination, server)


def _delivery(destination: Object[Destination], others: Others) -> Iterator[Clash]:
    id_ = destination.block.delivery.destination_server_id
    server = look_up(DestinationServer, SERVER, others, id_)
    if server is None:
        yield _no_server(id_, _DELIVERS_TO)
    else:
        yield from with_server(destination, server)


# -- servers that are asked for a schema or for the options of a field --------------------------------------------


def lookups_of(destination: Destination) -> Iterator[tuple[str, str]]:
    """Yield the servers that a destination asks for something, each with the place that names it."""
    schema = destination.schema_config
    dynamic = schema.dynamic_schema_config if schema is not None else None
    if dynamic is not None:
        yield dynamic.dynamic_enum.destination_server_id, "/schemaConfig/dynamicSchemaConfig/dynamicEnum"
    for where, options in fetched(destination.customer_data_fields, "/customerDataFields"):
        yield options.destination_server_id, where


def with_lookup(destination: Object[Destination], server: Server, where: str) -> Iterator[Clash]:
    """Say what keeps a server from being asked for a schema or for options."""
    place = f"{where}/destinationServerId"
    yield from as_far_as_read(_can_be_asked(server.block, place), destination, server)
    yield from as_far_as_read(_reads_of_server(destination, server, place), destination, server)


def _lookups(destination: Object[Destination], others: Others) -> Iterator[Clash]:
    for id_, where in lookups_of(destination.block):
        server = look_up(DestinationServer, SERVER, others, id_)
        if server is None:
            yield _no_server(id_, f"{where}/destinationServerId")
        else:
            yield from with_lookup(destination, server, where)


def _can_be_asked(server: DestinationServer, where: str) -> Iterator[Clash]:
    if not server.is_streaming:
        message = f"a `{server.destination_server_type}` server cannot be asked for anything; use a `URL_BASED` one"
        yield Clash("not-a-lookup-server", message, where, "/destinationServerType")
        return
    if server.http_template is None or server.http_template.http_method != "GET":
        message = "a server that is asked for something is called with `GET`; set `httpTemplate.httpMethod`"
        yield Clash("not-a-lookup-server", message, where, "/httpTemplate/httpMethod")
    if not server.response_fields:
        message = "a server that is asked for something says in `responseFields` how its answer is read; add them"
        yield Clash("not-a-lookup-server", message, where, "/responseFields")


# -- audience templates -------------------------------------------------------------------------------------------


def with_audience_template(
    destination: Object[Destination], template: Template, server: Server | None
) -> Iterator[Clash]:
    """Say what keeps a destination from using an audience template."""
    where = _place_of_template(destination.block)
    parts = (
        _no_files_are_told_of(template.block, server.block, where) if server is not None else iter(()),
        _validated_fields(destination.block, template.block, where),
        _reads_of_template(destination, template, where),
    )
    for part in parts:
        yield from as_far_as_read(part, destination, template, *([server] if server is not None else []))


def _audience_template(destination: Object[Destination], others: Others) -> Iterator[Clash]:
    id_ = destination.block.audience_metadata.audience_template_id
    if id_ is None:
        return
    template = look_up(AudienceTemplate, AUDIENCE_TEMPLATE, others, id_)
    if template is None:
        message = f"there is no audience template {id_!r}; create it first"
        yield Clash("unknown-audience-template", message, _place_of_template(destination.block))
    else:
        yield from with_audience_template(destination, template, server_of(destination, others))


def _no_files_are_told_of(template: AudienceTemplate, server: DestinationServer, where: str) -> Iterator[Clash]:
    if server.is_streaming and template.metadata_template.notify is not None:
        message = (
            "the audience template's `notify` tells of files, and a `URL_BASED` server takes messages; leave it out"
        )
        yield Clash("file-based-only", message, where, "/metadataTemplate/notify")


def _validated_fields(destination: Destination, template: AudienceTemplate, where: str) -> Iterator[Clash]:
    known = fields_of(destination.customer_data_fields)
    for place, validation in enumerate(template.validations):
        if validation.field not in known:
            message = (
                f"the audience template checks `{validation.field}`, which no customer data field is named; add it"
            )
            yield Clash("unknown-customer-data", message, where, f"/validations/{place}/field")


def with_credentials_of_requests(credentials: object, where: str) -> Iterator[Clash]:
    """Say that credentials which are to sign the requests of an audience template are for storages."""
    held = credentials.keys() & SIGNS_IN_AT.keys() if isinstance(credentials, dict) else set()
    for kind in sorted(held):
        if SIGNS_IN_AT[kind] != "URL_BASED":
            message = (
                f"`{kind}` signs in at a storage, and no request of an audience template; use `basicAuthentication`"
            )
            yield Clash("wrong-credentials", message, where, pointer((kind,)))


def _credentials_of_requests(destination: Object[Destination], others: Others) -> Iterator[Clash]:
    id_ = destination.block.audience_metadata.extension.authentication_id
    if id_ is None:
        return
    where, credentials = place_of_credentials(destination.block), look_up(Credentials, CREDENTIALS, others, id_)
    if credentials is None:
        message = f"there are no credentials {id_!r}; create them first, or leave it out"
        yield Clash("no-credentials", message, where)
    else:
        yield from as_far_as_read(with_credentials_of_requests(credentials.document, where))


def place_of_credentials(destination: Destination) -> str:
    """Return where a destination says with what the requests of its audience template are signed."""
    newer = destination.audience_metadata_config
    is_newer = newer is not None and newer.extension.authentication_id is not None
    home = "audienceMetadataConfig" if is_newer else "segmentMappingConfig"
    return f"/{home}/x-headrace/authenticationId"


def _place_of_template(destination: Destination) -> str:
    newer = destination.audience_metadata_config
    home = "segmentMappingConfig"
    if newer is not None and newer.audience_template_id is not None:
        home = "audienceMetadataConfig"
    return f"/{home}/audienceTemplateId"


# -- shared credentials -------------------------------------------------------------------------------------------


def with_credentials(credentials: object, server: DestinationServer) -> Iterator[Clash]:
    """Say that shared credentials are of a kind that signs in elsewhere."""
    held = credentials.keys() & SIGNS_IN_AT.keys() if isinstance(credentials, dict) else set()
    for kind in sorted(held):
        if SIGNS_IN_AT[kind] != server.destination_server_type:
            right = [name for name, type_ in SIGNS_IN_AT.items() if type_ == server.destination_server_type]
            way_out = f"use `{right[0]}`" if right else "use another `authenticationRule`"
            message = f"`{kind}` does not sign in at a `{server.destination_server_type}` server; {way_out}"
            yield Clash("wrong-credentials", message, _SIGNS_IN_WITH, pointer((kind,)))


def _credentials(destination: Object[Destination], others: Others) -> Iterator[Clash]:
    delivery = destination.block.delivery
    if delivery.authentication_rule != "PLATFORM_AUTHENTICATION" or delivery.authentication_id is None:
        return
    credentials = look_up(Credentials, CREDENTIALS, others, delivery.authentication_id)
    server = server_of(destination, others)
    if credentials is None:
        message = f"there are no credentials {delivery.authentication_id!r}; create them first, or use another rule"
        yield Clash("no-credentials", message, _SIGNS_IN_WITH)
    elif server is not None:
        yield from as_far_as_read(with_credentials(credentials.document, server.block), server)


# -- templates ----------------------------------------------------------------------------------------------------


def _own_templates(destination: Object[Destination]) -> Iterator[Clash]:
    fields = fields_of(destination.block.customer_data_fields)
    yield from unread(used_in(DESTINATION, destination.document), fields, "")


def _reads_of_server(destination: Object[Destination], server: Server, where: str) -> Iterator[Clash]:
    fields = fields_of(destination.block.customer_data_fields)
    yield from unread(used_in(SERVER, server.document), fields, where, " of the server")


def _reads_of_template(destination: Object[Destination], template: Template, where: str) -> Iterator[Clash]:
    fields = fields_of(destination.block.customer_data_fields)
    yield from unread(used_in(AUDIENCE_TEMPLATE, template.document), fields, where, " of the audience template")


def server_of(destination: Object[Destination], others: Others) -> Server | None:
    """Return the server that a destination delivers to, if it is there and can be told."""
    for delivery in getattr(destination.block, "destination_delivery", ())[:1]:
        id_ = getattr(delivery, "destination_server_id", None)
        return look_up(DestinationServer, SERVER, others, id_) if id_ is not None else None
    return None


def _no_server(id_: str, where: str) -> Clash:
    return Clash("unknown-server", f"there is no destination server {id_!r}; create it first", where)
