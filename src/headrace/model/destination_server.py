"""Where a destination's messages go, and the request that carries each."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from headrace.model.block import SERVER_SET, Block, rule
from headrace.model.problem import Problem
from headrace.model.text import TemplatedText

HttpMethod = Literal["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD"]


class Header(Block):
    """One header of the request."""

    header: str = Field(min_length=1, description="The header's name.")
    value: TemplatedText = Field(description="The header's value, stripped of surrounding white space.")


class HttpExtension(Block):
    """What Headrace adds to the request."""

    message_id_header: str | None = Field(
        None,
        min_length=1,
        description="The header that carries the message's id, so that the partner can recognise a repeat.",
    )


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


class UrlBasedDestination(Block):
    """The address of a partner's endpoint."""

    url: TemplatedText = Field(description="An absolute URL once rendered.")


class DestinationServer(Block):
    """A partner's endpoint and how it wants to be called."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET

    name: str = Field(min_length=1, description="A label for authors; operators never see it.")
    destination_server_type: Literal["URL_BASED"] = Field(description="The kind of endpoint.")
    url_based_destination: UrlBasedDestination | None = Field(None, description="The address of a `URL_BASED` server.")
    http_template: HttpTemplate | None = Field(None, description="The request sent to a `URL_BASED` server.")

    @rule
    def _has_what_its_type_needs(self) -> Iterator[Problem]:
        if self.destination_server_type == "URL_BASED" and self.url_based_destination is None:
            message = "a `URL_BASED` server needs `urlBasedDestination` with its `url`"
            yield Problem("missing-field", "/urlBasedDestination", message)
