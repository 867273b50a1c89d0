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
#: The fields of a destination that hold the id of another object, by what that is.
REFERENCES = {
    SERVER: "destinationServerId",
    AUDIENCE_TEMPLATE: "audienceTemplateId",
    CREDENTIALS: "authenticationId",
}
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
        if points_to(document, REFERENCES[noun], id_):
            yield str(document.get("name")), Object.of(Destination, document)


def points_to(document: object, reference: str, id_: str) -> bool:
    """
    Whether a document holds a reference anywhere.

    >>> points_to({"destinationDelivery": [{"destinationServerId": "s-1"}]}, "destinationServerId", "s-1")
    True
    """
    if isinstance(document, dict):
        return document.get(reference) == id_ or any(points_to(item, reference, id_) for item in document.values())
    return isinstance(document, list) and any(points_to(item, reference, id_) for item in document)
