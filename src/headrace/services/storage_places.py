"""
Where files go and how they look, for one operator: the author's texts, rendered with what the operator entered.

Unless their author says otherwise, values are printed as they are: a path and a quotation mark are no HTML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from headrace.model.block import Block
from headrace.model.destination_server import SPECIFICATION, DestinationServer
from headrace.model.file_format import FileFormat
from headrace.model.filename import problems_of_path, split_folder
from headrace.model.problem import ConfigurationError
from headrace.model.text import TemplatedText
from headrace.services.catalog import Edition
from headrace.store.access import Tenant
from headrace.template import compile as compile_template

#: The fields that are a folder's path, and may end in macros.
_FOLDERS = ("path", "rootDirectory")
_EXTENSION = "x-headrace"
#: What an operator may say of any destination of files, whether or not its author asks for it.
MANIFEST = "includeFileManifest"


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where files go: ``block`` as ``MakesStorage`` wants it, and ``folder``, the steps below it that have macros.
    """

    kind: str
    block: Mapping[str, Any]
    folder: str


class Texts:
    """Renders the texts of a destination server for one operator."""

    def __init__(self, tenant: Tenant, edition: Edition, customer_data: Mapping[str, Any]) -> None:
        facts = {"name": edition.destination.name, "id": edition.id, "config": dict(customer_data)}
        about = {"sandboxName": tenant.sandbox, "imsOrgId": tenant.organization}
        self._context = {"customerData": dict(customer_data), "destination": {**facts, **about}}

    def render(self, text: TemplatedText, name: str = "fileConfigurations") -> str:
        """
        Return what a text comes to.

        Raises:
            AuthoringError: the template cannot be compiled, or does not fit what was entered.
        """
        if not text.is_template:
            return text.value
        said = text.extension
        escaping = said.escaping if "escaping" in said.model_fields_set else "none"
        return compile_template(text.value, escaping=escaping, name=name).render(self._context)


def place_of(server: DestinationServer, texts: Texts) -> Place:
    """
    Say where the files of one operator go.

    Raises:
        AuthoringError: a text cannot be rendered, or the path that comes of it leads elsewhere.
    """
    wire = _wire(server)
    block = _rendered(_block(server), wire, texts)
    found = next((name for name in _FOLDERS if name in block), None)
    if found is None:
        return Place(server.destination_server_type, block, "")
    path = block[found].strip()
    problems = [problem for problem in problems_of_path(path, f"/{wire}/{found}") if problem.is_error]
    if problems:
        raise ConfigurationError(problems)
    fixed, folder = split_folder(path)
    return Place(server.destination_server_type, {**block, found: fixed}, folder)


def base_of(place: Place) -> str:
    """
    Return the folder that a storage is opened at, without what says which storage it is.

    >>> base_of(Place("FILE_BASED_ADLS_GEN2", {"path": "abfs://files@account.dfs.core.windows.net/drop/a/"}, ""))
    'drop/a'
    """
    path = next((str(place.block[name]) for name in _FOLDERS if name in place.block), "")
    _, is_url, rest = path.partition("://")
    return (rest.partition("/")[2] if is_url else path).strip("/")


def look_of(server: DestinationServer, texts: Texts, customer_data: Mapping[str, Any]) -> FileFormat:
    """
    Say how the files of one operator look.

    Raises:
        ConfigurationError: what was chosen comes to something that no file can be.
    """
    look = FileFormat.of(server.format, texts.render)
    wants_manifest = customer_data.get(MANIFEST) in (True, "true")
    return replace(look, has_manifest=True) if wants_manifest else look


def _block(server: DestinationServer) -> Block:
    block = getattr(server, SPECIFICATION[server.destination_server_type])
    assert isinstance(block, Block), "a server in use has the address of its type"
    return block


def _wire(server: DestinationServer) -> str:
    name = SPECIFICATION[server.destination_server_type]
    return DestinationServer.model_fields[name].alias or name


def _rendered(block: Block, name: str, texts: Texts) -> dict[str, Any]:
    """Return a block by its names on the wire, each text rendered; a block inside of it is left out, but for ours."""
    found: dict[str, Any] = {}
    for own, field in type(block).model_fields.items():
        wire, value = field.alias or own, getattr(block, own)
        if isinstance(value, TemplatedText):
            found[wire] = texts.render(value, f"{name}/{wire}")
        elif isinstance(value, Block):
            found |= {wire: _rendered(value, f"{name}/{wire}", texts)} if wire == _EXTENSION else {}
        elif value is not None:
            found[wire] = value
    return found
