"""What a destination needs that delivers to a server of messages, and what one that delivers to a server of files."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from headrace.model.batch import Source
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer, ServerType
from headrace.services.checks.nouns import Clash

Logins = Mapping[str, frozenset[str]]
Check = Callable[[Destination, DestinationServer], Iterator[Clash]]


def _signing_in(*logins: str, others: tuple[str, ...] = ("PLATFORM_AUTHENTICATION",)) -> Logins:
    own = {"CUSTOMER_AUTHENTICATION": frozenset(logins)} if logins else {}
    return MappingProxyType({**own, **dict.fromkeys(others, frozenset[str]())})


#: Whose credentials may be used at a server of each type, and which ways operators have of signing in there.
SIGNING_IN: Mapping[ServerType, Logins] = MappingProxyType(
    {
        "URL_BASED": _signing_in("BASIC", "BEARER", "OAUTH2", others=("PLATFORM_AUTHENTICATION", "NONE")),
        "FILE_BASED_S3": _signing_in("S3"),
        "FILE_BASED_SFTP": _signing_in("SFTP_WITH_PASSWORD", "SFTP_WITH_SSH_KEY"),
        "FILE_BASED_ADLS_GEN2": _signing_in("AZURE_SERVICE_PRINCIPAL"),
        "FILE_BASED_AZURE_BLOB": _signing_in("AZURE_CONNECTION_STRING"),
        "FILE_BASED_GOOGLE_CLOUD": _signing_in("GOOGLE_CLOUD_STORAGE", others=()),
        "FILE_BASED_DLZ": _signing_in(others=("NONE",)),
    }
)
_OF_FILES: tuple[Source, ...] = ("UNIFIED_PROFILE_PROSPECTS", "DATASETS")
FIRST = "/destinationDelivery/0"


# -- any server ---------------------------------------------------------------------------------------------------


def _credentials_are_of_a_known_kind(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    rule, allowed = destination.delivery.authentication_rule, SIGNING_IN[server.destination_server_type]
    if rule not in allowed:
        message = f"a `{server.destination_server_type}` server is not reached by `{rule}`; use {_or(allowed)}"
        yield Clash("wrong-rule", message, f"{FIRST}/authenticationRule", "/destinationServerType")


def _operators_can_sign_in(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    rule, kind = destination.delivery.authentication_rule, server.destination_server_type
    allowed = SIGNING_IN[kind].get("CUSTOMER_AUTHENTICATION", frozenset())
    logins = destination.customer_authentication_configurations
    for place, login in enumerate(logins if rule == "CUSTOMER_AUTHENTICATION" else ()):
        if login.auth_type not in allowed:
            way_out = f"use {_or(allowed)}" if allowed else "leave it out, and use the rule `NONE`"
            message = f"`{login.auth_type}` does not sign in at a `{kind}` server; {way_out}"
            where = f"/customerAuthenticationConfigurations/{place}/authType"
            yield Clash("wrong-sign-in", message, where, "/destinationServerType")


def _the_card_tells_the_kind(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    said = destination.ui_attributes.frequency if destination.ui_attributes is not None else None
    right = "Streaming" if server.is_streaming else "Batch"
    if said not in (None, right):
        message = f"`frequency` is `{right}` with a `{server.destination_server_type}` server, not `{said}`"
        yield Clash("wrong-frequency", message, "/uiAttributes/frequency", "/destinationServerType")


# -- messages -----------------------------------------------------------------------------------------------------


def _the_server_carries_messages(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    http = server.http_template
    if http is None or http.request_body is None or http.content_type is None:
        message = "a server that delivers needs `httpTemplate` with `httpMethod`, `requestBody` and `contentType`"
        yield Clash("not-a-delivery-server", message, f"{FIRST}/destinationServerId", "/httpTemplate")
    elif not http.request_body.is_template:
        message = "every message has the same body: `requestBody` is no template; use the strategy `PEBBLE_V1`"
        yield Clash("constant-body", message, f"{FIRST}/destinationServerId", "/httpTemplate/requestBody")


def _somebody_can_be_told_of(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    if not destination.identity_namespaces and not destination.follows_profiles:
        message = "messages tell of somebody: declare at least one target identity in `identityNamespaces`"
        yield Clash("no-namespaces", message, "/identityNamespaces")


def _messages_are_put_together(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    if destination.aggregation is None:
        message = "say how people are put into messages: `aggregation` is missing"
        yield Clash("no-aggregation", message, "/aggregation")


def _nothing_of_files_is_said(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    if destination.batch_config is not None:
        message = "`batchConfig` is for files, and a `URL_BASED` server takes messages; leave it out"
        yield Clash("file-based-only", message, "/batchConfig", "/destinationServerType")
    for source in destination.sources:
        if source in _OF_FILES:
            message = (
                f"`{source}` are delivered in files, and a `URL_BASED` server takes messages; deliver to a storage"
            )
            yield Clash("file-based-only", message, "/sources/0", "/destinationServerType")


def _no_matchers_are_needed(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    if destination.delivery.delivery_matchers is not None:
        message = "`deliveryMatchers` count for nothing with messages; leave them out"
        yield Clash("has-no-effect", message, f"{FIRST}/deliveryMatchers")


# -- files --------------------------------------------------------------------------------------------------------


def _files_have_a_schedule(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    if destination.batch_config is None:
        message = f"`batchConfig` is missing: a `{server.destination_server_type}` server takes files, say when and how"
        yield Clash("no-batch-config", message, "/batchConfig", "/destinationServerType")


def _files_are_not_aggregated(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    aggregation = destination.aggregation
    if aggregation is None:
        return
    if not destination.exports_datasets:
        message = "`aggregation` is for messages, and this server takes files; leave it out"
        yield Clash("streaming-only", message, "/aggregation", "/destinationServerType")
    elif aggregation.aggregation_type != "BEST_EFFORT":
        message = "datasets go with `BEST_EFFORT` and no other `aggregationType`"
        yield Clash("streaming-only", message, "/aggregation/aggregationType")


def _the_export_is_matched(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    matchers = destination.delivery.delivery_matchers
    way_out = 'write `[{"type": "SOURCE", "value": ["batch"]}]`'
    if not matchers:
        message = f"files need `deliveryMatchers`; {way_out}"
        yield Clash("missing-matchers", message, f"{FIRST}/deliveryMatchers", "/destinationServerType")


def _datasets_are_no_csv(destination: Destination, server: DestinationServer) -> Iterator[Clash]:
    if not destination.exports_datasets:
        return
    format_, where = server.format, f"{FIRST}/destinationServerId"
    file_type, compression = (text.fixed for text in (format_.file_type, format_.compression))
    if file_type is not None and file_type.lower() == "csv":
        message = "datasets are written as `json` or `parquet`, not as `csv`; set `fileType`"
        yield Clash("dataset-format", message, where, "/fileConfigurations/fileType")
    if file_type is not None and file_type.lower() == "json" and (compression or "").lower() == "none":
        message = "datasets are written as `json` in compressed files only; set `compression` to `gzip`"
        yield Clash("dataset-format", message, where, "/fileConfigurations/compression")


ALWAYS: tuple[Check, ...] = (_credentials_are_of_a_known_kind, _operators_can_sign_in, _the_card_tells_the_kind)
OF_MESSAGES: tuple[Check, ...] = (
    _the_server_carries_messages,
    _somebody_can_be_told_of,
    _messages_are_put_together,
    _nothing_of_files_is_said,
    _no_matchers_are_needed,
)
OF_FILES: tuple[Check, ...] = (
    _files_have_a_schedule,
    _files_are_not_aggregated,
    _the_export_is_matched,
    _datasets_are_no_csv,
)


def checks_of(server: DestinationServer) -> tuple[Check, ...]:
    """Return what has to hold of a destination that delivers to a server."""
    return (*ALWAYS, *(OF_MESSAGES if server.is_streaming else OF_FILES))


def _or(names: Mapping[str, object] | frozenset[str]) -> str:
    return " or ".join(f"`{name}`" for name in sorted(names))
