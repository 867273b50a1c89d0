"""
Secrets in what people declare: sealed before they are stored, masked when they are shown.

In the place of a secret a stored document has dots, so that it stays right by its block; what is sealed stands beside
it under ``SEALED``, by the JSON pointer of its place. Dots that a client sends back mean that nothing has changed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.connect.keyring import Keyring, Place
from headrace.connect.secrets import MASK, Masked, Secret
from headrace.errors import HeadraceError
from headrace.model.block import pointer, steps
from headrace.model.problem import Problem
from headrace.services.disclosure import origin_of, preset_addresses
from headrace.store import documents
from headrace.store.access import Tenant

Document = dict[str, Any]

#: Where an entry says to which addresses its secrets go.
_ADDRESSES = (
    "/accessTokenUrl",
    "/refreshTokenUrl",
    "/authorizationUrl",
    "/x-headrace/revocationUrl",
    "/accessTokenRequest/urlBasedDestination/url",
    "/accessTokenRequest/urlBasedDestination/url/value",
    "/url",
)

#: The key under which a stored document holds what is sealed.
SEALED = documents.SEALED
#: What makes an entry the one that it was: where one of these differs, its dots stand for the secret of another.
_TELLING = ("authType", "grant", "clientId", "name")


@dataclass(frozen=True, slots=True)
class Safe:
    """The keyring for the records of one sandbox: what it seals opens in its own record and field only."""

    keyring: Keyring
    tenant: Tenant

    def seal(self, record: str, values: Mapping[str, str]) -> dict[str, str]:
        """Seal values by field. Never inside work of the store: it may have to keep a new key."""
        return {field: self.keyring.seal(value, self._place(record, field)) for field, value in values.items()}

    def open(self, record: str, sealed: Mapping[str, str]) -> dict[str, Secret]:
        """
        Open sealed values by field.

        Raises:
            OperationError: one of them cannot be opened.
        """
        return {field: self.keyring.open(value, self._place(record, field)) for field, value in sealed.items()}

    def mask(self, record: str, sealed: Mapping[str, str]) -> dict[str, Masked]:
        """Return what the API shows of sealed values."""
        opened = self.open(record, sealed)
        return {field: self.keyring.mask(secret, self.tenant.organization) for field, secret in opened.items()}

    def _place(self, record: str, field: str) -> Place:
        return Place(self.tenant.organization, self.tenant.sandbox, record, field)


def sealed(safe: Safe, record: str, document: Document, pointers: list[str]) -> Document:
    """Take the secrets out of a document that was sent and seal them; dots stay, with nothing sealed beside them."""
    given = {where: value for where in pointers if (value := _at(document, where)) not in (MASK, None)}
    texts = {where: json.dumps(value) for where, value in given.items()}
    return {**_with(document, dict.fromkeys(given, MASK)), SEALED: safe.seal(record, texts)}


def completed(document: Document, known: Document | None, pointers: list[str]) -> tuple[Document, list[Problem]]:
    """
    Put beside the dots in a sealed document what is stored at their places, and say where nothing is.

    An entry that has moved in its list, became another, or sends its secrets to another origin than before does not
    inherit the secret that was stored at its place.
    """
    sealed_before: dict[str, str] = (known or {}).get(SEALED, {})
    stored = {where: value for where, value in sealed_before.items() if _is_same_entry(document, known, where)}
    dots = [where for where in pointers if _at(document, where) == MASK and where not in document[SEALED]]
    message = f"{MASK} stands for a secret that is stored, and none is stored here: send the secret itself"
    problems = [Problem("masked-secret", where, message) for where in dots if where not in stored]
    kept = {where: stored[where] for where in dots if where in stored} | document[SEALED]
    return without_sealed(document) | ({SEALED: kept} if kept else {}), problems


def opened(safe: Safe, record: str, stored: Document) -> Document:
    """Return a stored document with its secrets in their places, for whoever signs in with them or checks them."""
    secrets = safe.open(record, stored.get(SEALED, {}))
    whole: Document = _with(without_sealed(stored), {where: _read(secret) for where, secret in secrets.items()})
    return whole


def restored(safe: Safe, record: str, document: Document, stored: Document) -> Document:
    """Put in the places of dots what is stored there."""
    kept = stored.get(SEALED, {})
    dots = {where: kept[where] for where in kept if _at(document, where) == MASK}
    whole: Document = _with(document, {where: _read(secret) for where, secret in safe.open(record, dots).items()})
    return whole


def masked(safe: Safe, record: str, stored: Document) -> tuple[Document, dict[str, str]]:
    """Return a stored document as the API shows it, and the fingerprint of each secret by its pointer."""
    shown = safe.mask(record, stored.get(SEALED, {}))
    return without_sealed(stored), {where: value.fingerprint for where, value in shown.items()}


def fault(error: HeadraceError) -> dict[str, str]:
    """Return what a list says of an object whose secrets cannot be opened: which key is missing."""
    return {"code": error.code, "message": error.message}


def marked(safe: Safe, record: str, stored: Document) -> Document:
    """Return a stored document in which dots and a fingerprint stand for each secret, so that a change of one shows."""
    shown = safe.mask(record, stored.get(SEALED, {}))
    marks = {where: f"{value.text} {value.fingerprint}" for where, value in shown.items()}
    whole: Document = _with(without_sealed(stored), marks)
    return whole


def secrets_of(safe: Safe, record: str, stored: Document) -> tuple[Secret, ...]:
    """Return the secrets of a stored document, to keep them out of texts."""
    opened_ = safe.open(record, stored.get(SEALED, {}))
    return tuple(Secret(str(_read(secret))) for secret in opened_.values())


def dotted(document: Document, pointers: Iterable[str]) -> Document:
    """Return a document with dots at some of its places."""
    whole: Document = _with(document, dict.fromkeys(pointers, MASK))
    return whole


def without_sealed(stored: Document) -> Document:
    """Return a stored document without what is sealed."""
    return {key: value for key, value in stored.items() if key != SEALED}


def _is_same_entry(document: Document, known: Document | None, where: str) -> bool:
    """Say whether the entry that a secret belongs to is the one that it was, and goes where it went."""
    entry, _, _ = where.rpartition("/")
    now, before = _at(document, entry), _at(known, entry)
    if not isinstance(now, dict) or not isinstance(before, dict):
        return False
    is_named_alike = not entry or all(now.get(name) == before.get(name) for name in _TELLING)
    return is_named_alike and not _has_moved(document, known, where)


def _has_moved(document: Document, known: Document | None, where: str) -> bool:
    """
    Say whether an entry around a secret sends it to another origin than the one for which it was given.

    A secret of a data field goes where its way of signing in goes, so every entry on the way to it is looked at.
    """
    path = steps(where)
    around = [pointer(tuple(path[:length])) for length in range(1, len(path))]
    return any(_origins(_at(document, entry)) - _origins(_at(known, entry)) for entry in around)


def _origins(entry: object) -> set[str]:
    declared = [address for place in _ADDRESSES if isinstance(address := _at(entry, place), str)]
    preset = preset_addresses(entry) if isinstance(entry, dict) else ()
    return {origin_of(address) for address in (*declared, *preset)}


def _read(secret: Secret) -> Any:
    """Return what a field had: sealed as JSON, so that a number comes back as one."""
    return json.loads(secret.reveal())


def _at(document: object, where: str) -> object:
    for step in steps(where):
        if isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            return None
    return document


def _with(document: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy of a document with values put in the places of others."""
    for where, value in values.items():
        document = _put(document, steps(where), value)
    return document


def _put(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(document, list):
        place = int(step)
        return [*document[:place], _put(document[place], rest, value), *document[place + 1 :]]
    return {**document, step: _put(document[step], rest, value)}
