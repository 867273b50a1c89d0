"""What a server has, said as a file would say it: names for ids, placeholders for secrets, nothing that it added."""

import difflib
from collections.abc import Mapping
from typing import Any

from headrace.cli.destination.folder import Object
from headrace.cli.destination.nouns import Document, Noun, is_name, references
from headrace.cli.destination.remote import Stored
from headrace.cli.destination.secrets import with_placeholders, without_secrets
from headrace.cli.destination.syntax import write_yaml
from headrace.cli.destination.values import put
from headrace.model.reading import examine

#: What a server tells of an object under our key beside what its author wrote there.
_TOLD = ("warnings", "fingerprints")
#: What a server adds where the author said nothing.
_DERIVED = ("backfillHistoricalProfileData", "type")


def as_file(noun: Noun, stored: Stored, local: Object | None, names: Mapping[str, str], stem: str) -> Document:
    """Return an object of a server as its file would say it. ``names`` are those of ids that are in the folder."""
    written = local.document if local is not None and isinstance(local.document, dict) else {}
    document = _without_additions(noun, stored.document, written)
    for reference in references(document):
        if reference.value in names:
            document = put(document, reference.path, names[reference.value])
    shown: Document = with_placeholders(noun, document, written, stem)
    return shown


def as_sent(document: Document, ids: Mapping[str, str]) -> Document:
    """Return a document with ids in the places of names; those of objects that are to be created are not there yet."""
    for reference in references(document):
        if is_name(reference.value) and reference.value in ids:
            document = put(document, reference.path, ids[reference.value])
    return document


def is_same(noun: Noun, one: Document, other: Document) -> bool:
    """Say whether two documents say the same, whatever their secrets are: in these words, or read."""
    one, other = without_secrets(noun, one), without_secrets(noun, other)
    if one == other:
        return True
    read = [examine(noun.block, document, strict=True) for document in (one, other)]
    return all(examined.is_whole and not examined.errors for examined in read) and read[0].block == read[1].block


def differences(name: str, there: Document | None, here: Document | None) -> str:
    """Return what makes one of the other, as a unified diff."""
    before, after = ("" if document is None else write_yaml(document) for document in (there, here))
    titles = (f"{name} (server)", f"{name} (folder)")
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), *titles, lineterm=""))


def _without_additions(noun: Noun, shown: Document, written: Document) -> Document:
    added = noun.block.ignored | {name for name in _DERIVED if name not in written}
    kept: dict[str, Any] = {}
    for name, value in shown.items():
        if name == "x-headrace" and isinstance(value, dict):
            value = {key: item for key, item in value.items() if key not in _TOLD}
            if not value and name not in written:
                continue
        if name not in added or (name in written and name not in _DERIVED and written[name] == value):
            kept[name] = value
    return kept
