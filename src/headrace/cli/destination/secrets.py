"""
Secrets of configuration: they are named in files, and never written there.

Where the API wants a secret, a file says `{env: NAME}`: the variable that holds it when it is pushed.
"""

import re
from collections.abc import Mapping
from typing import Any

from headrace.cli.destination.nouns import Noun
from headrace.cli.destination.values import NOTHING, Path, at, put
from headrace.errors import AuthoringError
from headrace.model import secrets as model

#: What a secret is to who checks a file: something that is there.
STAND_IN = "a-secret"

#: The members by which an entry of a list is known again after others have moved.
_TELLING = ("authType", "clientId", "grant", "name")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def secret_paths(noun: Noun, document: Any) -> list[Path]:
    """Return where a document has secrets, as texts or as placeholders."""
    return [path for path in model.secret_paths(noun.block, document) if _is_text(at(document, path))]


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and set(value) == {"env"})


def variable_of(value: object) -> str | None:
    """Return the variable that a placeholder names; ``None`` if it is no placeholder."""
    if isinstance(value, dict) and set(value) == {"env"} and isinstance(value["env"], str):
        return value["env"] if _VARIABLE.fullmatch(value["env"]) else None
    return None


def placeholders(noun: Noun, document: Any) -> dict[Path, str]:
    """Return the secrets of a document by their paths, as the variables that hold them."""
    found = {path: variable_of(at(document, path)) for path in secret_paths(noun, document)}
    return {path: variable for path, variable in found.items() if variable is not None}


def without_secrets(noun: Noun, document: Any) -> Any:
    """Return a document that says of its secrets only that they are there: to be checked, or compared."""
    for path in secret_paths(noun, document):
        document = put(document, path, STAND_IN)
    return document


def filled(
    noun: Noun, document: Any, remote: Any, environment: Mapping[str, str], *, sends_again: bool = False
) -> tuple[Any, list[str]]:
    """
    Return a document with its secrets in the places of the placeholders, and the variables whose secrets are sent.

    What the server has is sent back as the server shows it, masked, which leaves it as it is; with ``sends_again`` a
    variable that is there wins.

    Raises:
        AuthoringError: a secret is new, and its variable is not there.
    """
    sent: list[str] = []
    for path, variable in placeholders(noun, document).items():
        kept = _kept(document, remote, path)
        secret = environment.get(variable, "")
        if secret and (sends_again or kept is NOTHING):
            sent.append(variable)
        elif kept is NOTHING:
            where = ".".join(map(str, path))
            raise AuthoringError(f"the secret `{where}` is new: set {variable} in the environment, then push again")
        document = put(document, path, secret if variable in sent else kept)
    return document, sent


def _kept(document: Any, remote: Any, path: Path) -> Any:
    """Return what the server shows of a secret; nothing if its place in a list is another entry's there."""
    last = max((place for place, step in enumerate(path) if isinstance(step, int)), default=None)
    if last is not None:
        here, there = at(document, path[: last + 1]), at(remote, path[: last + 1])
        if not isinstance(there, dict) or any(here.get(name) != there.get(name) for name in _TELLING):
            return NOTHING
    return at(remote, path)


def with_placeholders(noun: Noun, remote: Any, local: Any, stem: str) -> Any:
    """Return what a server shows, its masks replaced by placeholders: those of the file, or new ones."""
    named = placeholders(noun, local)
    for path in secret_paths(noun, remote):
        variable = named.get(path) or _variable_for(stem, path)
        remote = put(remote, path, {"env": variable})
    return remote


def _variable_for(stem: str, path: Path) -> str:
    """
    Name a variable for a secret.

    >>> _variable_for("acme", ("basicAuthentication", "password"))
    'ACME_PASSWORD'
    """
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", f"{stem}_{path[-1]}")
    return re.sub(r"[^A-Z0-9]+", "_", words.upper()).strip("_")
