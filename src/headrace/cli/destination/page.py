"""Where the documents of a page come from: a folder, or a server."""

from headrace.cli.destination.folder import Folder, Object
from headrace.cli.destination.nouns import NOUNS, Document, Noun, Reference, references
from headrace.cli.destination.remote import Remote, Stored
from headrace.errors import AuthoringError
from headrace.services.checks import AUDIENCE_TEMPLATE, DESTINATION, SERVER
from headrace.services.documentation.page import Page, page


def page_of_folder(folder: Folder, name: str | None) -> Page:
    """
    Write the page of a destination of a folder: the one that is named, or the only one.

    Raises:
        AuthoringError: there is no such destination, or it cannot be read.
    """
    for finding in folder.findings:
        raise AuthoringError(f"{finding.file}:{finding.place.line}: {finding.message}")
    destination = _destination(folder, name)

    def look(noun: Noun, id_: str) -> Document | None:
        found = folder.objects.get(id_)
        return found.document if found is not None and found.noun == noun else None

    pointed = {ref.noun.name: look(ref.noun, ref.value) for ref in _pointing(destination.document)}
    return page(destination.document, pointed.get(SERVER), pointed.get(AUDIENCE_TEMPLATE))


def page_of_server(remote: Remote, destination: Stored) -> Page:
    """Write the page of a destination of a server."""
    pointed: dict[str, Document | None] = {}
    for reference in _pointing(destination.document):
        stored = remote.read(reference.noun, reference.value)
        pointed[reference.noun.name] = stored.document if stored is not None else None
    return page(destination.document, pointed.get(SERVER), pointed.get(AUDIENCE_TEMPLATE))


def _pointing(destination: Document) -> list[Reference]:
    """Return what a page tells of: the server of the delivery, and the audience template."""
    parts = {name: destination.get(name) for name in ("destinationDelivery", "audienceMetadataConfig")}
    return list(references(parts))


def _destination(folder: Folder, name: str | None) -> Object:
    there = {item.name.rpartition("/")[2]: item for item in folder.of(NOUNS[DESTINATION])}
    if name is None and len(there) == 1:
        return next(iter(there.values()))
    found = there.get((name or "").rpartition("/")[2])
    if found is None or not isinstance(found.document, dict):
        names = ", ".join(there) or "(none)"
        raise AuthoringError(f"name a destination of {folder.root}; these are: {names}")
    return found
