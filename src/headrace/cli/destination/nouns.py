"""The four kinds of object a destination is made of: where their files lie, and where the REST API has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headrace.cli.client import AUTHORING
from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import Block, pointer
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.services import checks
from headrace.services.checks import AUDIENCE_TEMPLATE, CREDENTIALS, DESTINATION, SERVER

Document = dict[str, Any]
Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of object. ``folder`` is also the first half of the names that its objects have in references."""

    name: str
    folder: str
    route: str
    block: type[Block]

    @property
    def words(self) -> str:
        return self.name.replace("-", " ")


#: In the order in which they can be created: what is pointed to comes first.
NOUNS = {
    noun.name: noun
    for noun in (
        Noun(SERVER, "servers", f"{AUTHORING}/destination-servers", DestinationServer),
        Noun(AUDIENCE_TEMPLATE, "audience-templates", f"{AUTHORING}/audience-templates", AudienceTemplate),
        Noun(CREDENTIALS, "credentials", f"{AUTHORING}/credentials", Credentials),
        Noun(DESTINATION, "destinations", f"{AUTHORING}/destinations", Destination),
    )
}
BY_FOLDER = {noun.folder: noun for noun in NOUNS.values()}
#: The name of the only destination of a folder, whose file lies at the top.
ONLY = "destination"


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a destination that points to another object: by its name in a folder, by its id on a server."""

    path: Path
    noun: Noun
    value: str

    @property
    def pointer(self) -> str:
        return pointer(self.path)


def references(destination: object) -> Iterator[Reference]:
    """Yield every reference in a destination."""
    return (Reference(found.path, NOUNS[found.noun], found.id) for found in checks.references(destination))


def is_name(value: str) -> bool:
    """
    Say whether a reference is a name in the folder; ids hold no slash.

    >>> is_name("servers/api"), is_name("8b0d6a62-0000-4000-8000-000000000002")
    (True, False)
    """
    folder, slash, _ = value.partition("/")
    return bool(slash) and folder in BY_FOLDER


def noun_of(name: str) -> Noun:
    """Return the kind of an object by the name of its file: ``servers/api``, or ``destination`` alone."""
    return NOUNS[DESTINATION] if name == ONLY else BY_FOLDER[name.partition("/")[0]]


def title_of(document: object) -> str | None:
    """Return the name that an object has for people, if it has one."""
    if not isinstance(document, dict):
        return None
    template = document.get("metadataTemplate")
    named = template if isinstance(template, dict) else document
    title = named.get("name")
    return title if isinstance(title, str) and title else None
