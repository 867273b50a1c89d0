"""What the documentation page of a destination says that its configuration does not: written by the author."""

from typing import ClassVar, Literal

from pydantic import Field

from headrace.model.block import Block


class UseCase(Block):
    """Something that people do with the destination."""

    title: str = Field(min_length=1, description="What it is for, in a few words.")
    text: str = Field(min_length=1, description="A concrete case, in Markdown.")


class Link(Block):
    """A page to read on."""

    title: str = Field(min_length=1, description="What the page is called.")
    url: str = Field(min_length=1, description="Where it is.")


class IdentityNote(Block):
    """What to know about one target identity."""

    description: str | None = Field(None, description="What it is.")
    considerations: str | None = Field(None, description="What to mind when mapping it.")


class Screenshot(Block):
    """A picture of the whole screen."""

    file: str = Field(min_length=1, description="A PNG, from where the page lies.")
    text: str = Field(min_length=1, description="What the picture shows, for those who do not see it.")


class Screenshots(Block):
    """The pictures, by the section that shows them."""

    authenticate: Screenshot | None = Field(None, description="Signing in at the partner.")
    destination_details: Screenshot | None = Field(None, description="The form of the destination's details.")


class Documentation(Block):
    """What the author tells on the destination's page, in Markdown."""

    overview: str | None = Field(None, description="What the partner does and why it helps; else the description.")
    contact: str | None = Field(None, description="The address or page of those who maintain the destination.")
    use_cases: tuple[UseCase, ...] = Field((), description="What people do with it; at least one.")
    prerequisites: str | None = Field(None, description="What operators need before they connect.")
    identities: dict[str, IdentityNote] = Field(default_factory=dict, description="Notes, by target identity.")
    mapping: str | None = Field(None, description="What to mind when mapping, with an example.")
    exported_data: str | None = Field(None, description="How to see at the partner that data has arrived.")
    screenshots: Screenshots = Field(default_factory=Screenshots, description="Pictures.")
    additional_resources: tuple[Link, ...] = Field((), description="Pages to read on.")


class DestinationExtension(Block):
    """What Headrace adds to a destination."""

    #: The server shows these here, and clients that read, change and replace send them back.
    ignored: ClassVar[frozenset[str]] = frozenset({"warnings", "fingerprints"})

    documentation: Documentation | None = Field(None, description="What its documentation page says.")
    trigger: Literal["audience", "profile"] = Field(
        "audience",
        description="What is told of a person. `audience`: entering and leaving mapped audiences, and changes of what "
        "is mapped. `profile`: also whatever is written of what is mapped, be it what is known, and every change of an "
        "identity; messages hold all identities, no identity can be mapped, and consent is not asked for.",
    )
