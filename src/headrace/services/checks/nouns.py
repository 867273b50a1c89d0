"""What authors declare, and where the others of their objects are looked up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from headrace.model.block import Block
from headrace.model.destination import Destination
from headrace.model.problem import Problem, Severity
from headrace.model.reading import examine

SERVER = "destination-server"
DESTINATION = "destination"
AUDIENCE_TEMPLATE = "audience-template"
CREDENTIALS = "credentials"
#: What a field points to, by its name: wherever one stands in a destination, it holds the id of another object.
POINTERS = {"destinationServerId": SERVER, "audienceTemplateId": AUDIENCE_TEMPLATE, "authenticationId": CREDENTIALS}
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


@dataclass(frozen=True, slots=True)
class Object(Generic[B]):
    """An object as JSON and as a block, and whether all of that could be read."""

    document: object
    block: B
    is_whole: bool

    @classmethod
    def of(cls, kind: type[B], document: object) -> "Object[B]":
        """Read a document that was kept, or that lies in a folder and may be wrong."""
        examined = examine(kind, document, strict=False)
        return cls(document, examined.block, examined.is_whole)


@dataclass(frozen=True, slots=True)
class Clash:
    """Why two objects do not go together: a sentence, and where it is mended in a destination and in the other."""

    code: str
    message: str
    in_destination: str
    in_other: str = ""
    severity: Severity | None = None

    def for_the_destination(self) -> Problem:
        return Problem(self.code, self.in_destination, self.message, *self._severities())

    def for_the_other(self, destination: str) -> Problem:
        """Tell the author of the other object, who may not know that a destination uses it."""
        return Problem(
            self.code, self.in_other, f"with destination {destination!r}: {self.message}", *self._severities()
        )

    def _severities(self) -> tuple[Severity, ...]:
        return () if self.severity is None else (self.severity,)


def lenient(block: type[B], document: Document) -> B:
    """Read a stored document; what was only warned about when it was kept is left out."""
    return examine(block, document, strict=False).block


def look_up(kind: type[B], noun: str, others: Others, id_: str) -> Object[B] | None:
    """Read an object that a destination points to."""
    document = others.get(noun, id_)
    return Object.of(kind, document) if document is not None else None


def as_far_as_read(clashes: Iterator[Clash], *objects: Object[Any]) -> Iterator[Clash]:
    """Yield what is found until it comes to what could not be read; that has problems of its own."""
    try:
        yield from clashes
    except AttributeError:
        if all(item.is_whole for item in objects):
            raise


def users(others: Others, noun: str, id_: str) -> Iterator[tuple[str, Object[Destination]]]:
    """Yield every destination that points to an object, with its name."""
    for _, document in others.all_of(DESTINATION):
        if (noun, id_) in pointed_to(document):
            yield str(document.get("name")), Object.of(Destination, document)


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a destination that points to another object."""

    path: tuple[int | str, ...]
    noun: str
    id: str


def references(document: object, path: tuple[int | str, ...] = ()) -> Iterator[Reference]:
    """Yield every place in a destination that points to another object, in the document's order."""
    if isinstance(document, dict):
        for name, item in document.items():
            if name in POINTERS and isinstance(item, str):
                yield Reference((*path, name), POINTERS[name], item)
            else:
                yield from references(item, (*path, name))
    elif isinstance(document, list):
        for place, item in enumerate(document):
            yield from references(item, (*path, place))


def pointed_to(document: object) -> list[tuple[str, str]]:
    """
    Return the noun and the id of everything that a destination points to, each once.

    >>> pointed_to({"destinationDelivery": [{"destinationServerId": "s", "authenticationRule": "NONE"}]})
    [('destination-server', 's')]
    """
    return list(dict.fromkeys((found.noun, found.id) for found in references(document)))
