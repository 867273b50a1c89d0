"""Where a destination's messages or files go, and what carries them."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal, get_args

from pydantic import Field

from headrace.model.answers import Answers
from headrace.model.block import SERVER_SET, Block, Flag, repeated, rule, wire_names
from headrace.model.file_configurations import FileConfigurations
from headrace.model.kinds import is_web_url
from headrace.model.pacing import MostAtOnce, RateLimit
from headrace.model.problem import Problem
from headrace.model.retrying import Retrying
from headrace.model.storage import (
    AdlsGen2Destination,
    AzureBlobDestination,
    DlzDestination,
    GoogleCloudStorageDestination,
    S3Destination,
    SftpDestination,
)
from headrace.model.text import NamedTemplate, TemplatedText

HttpMethod = Literal["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD"]
ServerType = Literal[
    "URL_BASED",
    "FILE_BASED_S3",
    "FILE_BASED_SFTP",
    "FILE_BASED_ADLS_GEN2",
    "FILE_BASED_AZURE_BLOB",
    "FILE_BASED_DLZ",
    "FILE_BASED_GOOGLE_CLOUD",
]
SERVER_TYPES: tuple[ServerType, ...] = get_args(ServerType)
STREAMING: ServerType = "URL_BASED"

#: The field that says where a server of each type is.
SPECIFICATION: Mapping[ServerType, str] = MappingProxyType(
    {
        "URL_BASED": "url_based_destination",
        "FILE_BASED_S3": "file_based_s3_destination",
        "FILE_BASED_SFTP": "file_based_sftp_destination",
        "FILE_BASED_ADLS_GEN2": "file_based_adls_gen2_destination",
        "FILE_BASED_AZURE_BLOB": "file_based_azure_blob_destination",
        "FILE_BASED_DLZ": "file_based_dlz_destination",
        "FILE_BASED_GOOGLE_CLOUD": "file_based_google_cloud_storage_destination",
    }
)
#: The headers that `standard-webhooks` writes.
SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_OF_URLS = ("http_template", "response_fields")
_OF_FILES = ("file_configurations",)


class Header(Block):
    """One header of the request."""

    header: str = Field(min_length=1, description="The header's name.")
    value: TemplatedText = Field(description="The header's value, stripped of surrounding white space.")


class Signing(Block):
    """How messages are signed, so that the partner knows who sends them, and that nobody sends them again."""

    scheme: Literal["standard-webhooks"] = Field(
        description="`standard-webhooks`: the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, made "
        "with the signing secrets of the account."
    )


class HttpExtension(Block):
    """What Headrace adds to the request."""

    message_id_header: str | None = Field(
        None,
        min_length=1,
        description="The header that carries the message's id, so that the partner can recognise a repeat.",
    )
    signing: Signing | None = Field(
        None, description="How messages are signed. Look-ups and requests for tokens are not."
    )
    bisect: Flag = Field(
        True,
        description="Whether a message of several entries that the partner answers with 400, 413 or 422 is sent again "
        "in halves, until what it refuses stands alone and is parked. Otherwise all of it is parked.",
    )
    answers: Answers | None = Field(
        None, description="How the partner's answers tell of single entries of a message; else an answer is for all."
    )
    retry: Retrying = Field(
        default_factory=Retrying, description="When messages are sent again that the partner did not take."
    )
    rate_limits: tuple[RateLimit, ...] = Field(
        (), description="How much the partner takes of one account in a time. All of them hold at once."
    )
    concurrency: MostAtOnce | None = Field(
        None, description="How many requests of one account the partner takes at a time."
    )

    @rule
    def _limits_each_thing_once(self) -> Iterator[Problem]:
        seen: set[tuple[str, str]] = set()
        for place, limit in enumerate(self.rate_limits):
            if limit.name in seen:
                unit, per = limit.name
                message = f"there are two limits of `{unit}` per `{per}`; keep the lower one"
                yield Problem("named-twice", f"/rateLimits/{place}", message)
            seen.add(limit.name)

    @property
    def entry_id(self) -> str | None:
        """Where target profiles have the id by which answers name entries, if they do."""
        results = self.answers.results if self.answers is not None else None
        return results.entry_id if results is not None and results.by == "id" else None

    @property
    def most_entries(self) -> tuple[int, ...]:
        """How many entries a message may carry because of limits: one that is larger would never leave."""
        return tuple(limit.profiles for limit in self.rate_limits if limit.profiles is not None)


class HttpTemplate(Block):
    """The request that carries one message to the partner."""

    http_method: HttpMethod = Field(description="The method of the request.")
    request_body: TemplatedText | None = Field(
        None, description="The body, rendered once for each group of changes. Needed for delivery."
    )
    content_type: str | None = Field(None, description="Sent as `Content-Type`. Needed for delivery.")
    headers: tuple[Header, ...] = Field((), description="Further headers; one named `Authorization` replaces ours.")
    query_parameters: TemplatedText | None = Field(None, description="Text appended to the URL as its query.")
    extension: HttpExtension = Field(
        default_factory=HttpExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @rule
    def _leaves_the_headers_of_a_signature_alone(self) -> Iterator[Problem]:
        if self.extension.signing is None:
            return
        named = [(f"/headers/{place}/header", item.header) for place, item in enumerate(self.headers)]
        named.append(("/x-headrace/messageIdHeader", self.extension.message_id_header or ""))
        for where, header in named:
            if header.lower() in SIGNATURE_HEADERS:
                message = f"`x-headrace.signing` writes the header `{header.lower()}` by itself; leave this one out"
                yield Problem("named-twice", where, message)


class UrlBasedDestination(Block):
    """The address of a partner's endpoint."""

    url: TemplatedText = Field(description="An absolute URL once rendered.")

    @rule
    def _is_absolute(self) -> Iterator[Problem]:
        if self.url.fixed is not None and not is_web_url(self.url.fixed):
            message = "`url` is no absolute URL; begin it with `https://` or `http://` and the host"
            yield Problem("not-a-url", "/url/value", message)


class DestinationServer(Block):
    """Where messages or files go. Exactly one of the blocks for addresses is there: that of the type."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET
    old_names: ClassVar[Mapping[str, str]] = {"fileBasedSftpDestination": "fileBasedSFTPDestination"}

    name: str = Field(min_length=1, description="A label for authors; operators never see it.")
    destination_server_type: ServerType = Field(
        description="What is at the other end: `URL_BASED` takes messages, all others take files."
    )
    url_based_destination: UrlBasedDestination | None = Field(None, description="The address of a `URL_BASED` server.")
    http_template: HttpTemplate | None = Field(None, description="The request sent to a `URL_BASED` server.")
    response_fields: tuple[NamedTemplate, ...] = Field(
        (), description="What is read from the answers of a server that gives a schema or the options of a field."
    )
    file_based_s3_destination: S3Destination | None = Field(None, description="The address of `FILE_BASED_S3`.")
    file_based_sftp_destination: SftpDestination | None = Field(
        None, alias="fileBasedSFTPDestination", description="The address of `FILE_BASED_SFTP`."
    )
    file_based_adls_gen2_destination: AdlsGen2Destination | None = Field(
        None, description="The address of `FILE_BASED_ADLS_GEN2`."
    )
    file_based_azure_blob_destination: AzureBlobDestination | None = Field(
        None, description="The address of `FILE_BASED_AZURE_BLOB`."
    )
    file_based_dlz_destination: DlzDestination | None = Field(None, description="The address of `FILE_BASED_DLZ`.")
    file_based_google_cloud_storage_destination: GoogleCloudStorageDestination | None = Field(
        None, description="The address of `FILE_BASED_GOOGLE_CLOUD`."
    )
    file_configurations: FileConfigurations | None = Field(
        None, description="How the files look that a `FILE_BASED_…` server takes."
    )

    @property
    def is_streaming(self) -> bool:
        """Whether it takes messages; the others take files."""
        return self.destination_server_type == STREAMING

    @property
    def format(self) -> FileConfigurations:
        """How files look, wherever the document says it."""
        dlz = self.file_based_dlz_destination
        older = dlz.file_configurations if dlz is not None else None
        return self.file_configurations or older or FileConfigurations()

    @rule
    def _has_the_address_of_its_type(self) -> Iterator[Problem]:
        wanted = SPECIFICATION[self.destination_server_type]
        for name in SPECIFICATION.values():
            wire = _wire(name)
            if name == wanted and getattr(self, name) is None:
                message = f"a `{self.destination_server_type}` server needs `{wire}`"
                yield Problem("missing-field", f"/{wire}", message)
            elif name != wanted and getattr(self, name) is not None:
                yield self._out_of_place(wire)

    @rule
    def _has_nothing_of_other_types(self) -> Iterator[Problem]:
        for name in _OF_FILES if self.is_streaming else _OF_URLS:
            if getattr(self, name):
                yield self._out_of_place(_wire(name))

    @rule
    def _says_once_how_files_look(self) -> Iterator[Problem]:
        dlz = self.file_based_dlz_destination
        if dlz is not None and None not in (dlz.file_configurations, self.file_configurations):
            message = "`fileConfigurations` stands in two places; leave the one in `fileBasedDlzDestination` out"
            yield Problem("two-names", "/fileBasedDlzDestination/fileConfigurations", message)

    @rule
    def _keeps_each_answer_under_a_name_of_its_own(self) -> Iterator[Problem]:
        for place, name in repeated(self.response_fields):
            yield Problem("named-twice", f"/responseFields/{place}/name", f"{name!r} is there twice; rename one")

    def _out_of_place(self, wire: str) -> Problem:
        kind = self.destination_server_type
        message = f"`{wire}` is not for a `{kind}` server; leave it out, or change `destinationServerType`"
        return Problem("not-for-this-type", f"/{wire}", message)


def _wire(name: str) -> str:
    return next(wire for wire, own in wire_names(DestinationServer).items() if own == name)
