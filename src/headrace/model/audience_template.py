"""The requests that create, rename and delete an audience in the partner's system."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from headrace.model.block import SERVER_SET, Block, Flag, read_of, rule, wire_names
from headrace.model.kinds import PatternText
from headrace.model.problem import Problem


class PlainHeader(Block):
    """One header of the request; its value may hold macros."""

    header: str = Field(min_length=1, description="The header's name.")
    value: str = Field(description="The header's value, with macros.")


class JsonBody(Block):
    """The body of the request."""

    content: Any = Field(alias="json", description="A JSON value; its texts may hold macros.")


class ResponseField(Block):
    """Something that is read from the partner's answer."""

    name: str = Field(min_length=1, description="What it is; `externalAudienceId` is the audience's id there.")
    value: str = Field(description="Where it stands in the answer, as a template.")


class EventExtension(Block):
    """What Headrace adds to a request."""

    create_is_idempotent: Flag = Field(
        False,
        description="Of `create`: the partner makes no second audience of a repeated request. Where nobody knows what "
        "became of one, it is then sent again.",
    )


class AudienceEvent(Block):
    """The request that is made when something happens to an audience or a dataflow."""

    url: str = Field(min_length=1, description="The partner's endpoint, with macros.")
    http_method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"] = Field(description="The method of the request.")
    headers: tuple[PlainHeader, ...] = Field((), description="The headers of the request.")
    request_body: JsonBody | None = Field(None, description="The body of the request.")
    response_fields: tuple[ResponseField, ...] = Field((), description="What is kept of the answer.")
    response_error_fields: tuple[ResponseField, ...] = Field((), description="What is told of an error.")
    extension: EventExtension = Field(
        default_factory=EventExtension, alias="x-headrace", description="Additions of Headrace."
    )


class MetadataExtension(Block):
    """What Headrace adds to the requests."""

    find: AudienceEvent | None = Field(
        None,
        description="Looks an audience up at the partner: its `externalAudienceId` is empty where there is none. Asked "
        "before an audience is created a second time, so that no failure makes two of it.",
    )
    list_: AudienceEvent | None = Field(
        None,
        alias="list",
        description="Lists the partner's audiences, to adopt one: its response field `audiences` is a JSON list of "
        "objects with `id` and `name`.",
    )


class MetadataTemplate(Block):
    """The requests, by what makes them necessary."""

    name: str | None = Field(None, description="Shown before the partner's error texts.")
    create: AudienceEvent | None = Field(None, description="An audience is activated for the first time.")
    update: AudienceEvent | None = Field(None, description="An audience's name or description changes.")
    delete: AudienceEvent | None = Field(None, description="An audience is no longer activated.")
    validate_: AudienceEvent | None = Field(None, alias="validate", description="Before other requests: may it be?")
    notify: AudienceEvent | None = Field(None, description="Files have been delivered.")
    create_destination: AudienceEvent | None = Field(None, description="A dataflow is made.")
    update_destination: AudienceEvent | None = Field(None, description="A dataflow is changed.")
    delete_destination: AudienceEvent | None = Field(None, description="A dataflow is deleted.")
    extension: MetadataExtension = Field(
        default_factory=MetadataExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @rule
    def _there_is_an_event(self) -> Iterator[Problem]:
        unread = [name for name in EVENTS if name not in self.__dict__]
        if not unread and all(read_of(self, name) is None for name in EVENTS):
            message = f"an audience template has at least one request: add one of {', '.join(EVENTS.values())}"
            yield Problem("no-event", "", message)

    @rule
    def _has_a_name(self) -> Iterator[Problem]:
        if not self.name:
            message = "without `name` nobody can tell whose error texts they are shown; add it"
            yield Problem("unnamed-template", "/name", message)


#: The events by our names, each with its name in JSON.
EVENTS = {name: wire for wire, name in wire_names(MetadataTemplate).items() if name not in ("name", "extension")}


class Validation(Block):
    """What a customer data field must look like before any request is made."""

    field: str = Field(min_length=1, description="The customer data field.")
    regex: PatternText = Field(description="The regular expression that its value must match.")


class AudienceTemplate(Block):
    """How audiences are kept in step between here and the partner's system."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET

    metadata_template: MetadataTemplate = Field(description="The requests.")
    validations: tuple[Validation, ...] = Field((), description="Checked before any request is made.")


class Adoption(Block):
    """Which audience of the partner is taken for one of ours. Without `alias` it is looked for."""

    alias: str | None = Field(None, min_length=1, description="Its id there; null where the partner has none.")
