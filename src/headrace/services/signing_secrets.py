"""
The secrets that an account's messages are signed with, where its destination says that they are.

They belong to the account and not to its credentials: another one changes nothing of how the account is signed in.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.connect.secrets import MASK, Secret
from headrace.connect.webhooks import WebhookSigner
from headrace.errors import AccountError
from headrace.model.block import pointer
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import Problem
from headrace.model.signing_secret import key_of
from headrace.services import declared, sealing
from headrace.services.sealing import Safe
from headrace.store.documents import Declared

Document = dict[str, Any]

_PLACE = ("x-headrace", "signingSecrets")


def sealed(
    safe: Safe, id_: str, document: Document, given: Mapping[str, str], known: Declared | None, *, are_needed: bool
) -> Document:
    """
    Return an account's document with its signing secrets sealed; dots stand for those that are stored.

    Raises:
        ConfigurationError: one of them is none, or they are needed and there is none.
    """
    message = "the destination's messages are signed: give a signing secret, `whsec_…`, under a name of yours"
    missing = [Problem("missing-field", pointer(_PLACE), message)] if are_needed and not given else []
    declared.refuse([*missing, *_wrong(given)])
    pointers = [pointer((*_PLACE, name)) for name in given]
    secret = sealing.sealed(safe, id_, document, pointers)
    whole, problems = sealing.completed(secret, known.document if known is not None else None, pointers)
    declared.refuse(problems)
    return whole


def forgotten(document: Document) -> Document:
    """Return an account's document without any signing secret, for versions that are past."""
    plain = sealing.without_sealed(document)
    return {**plain, _PLACE[0]: {**plain[_PLACE[0]], _PLACE[1]: {}}} if _PLACE[0] in plain else plain


def opened(safe: Safe, account: Declared | None) -> tuple[Secret, ...]:
    """
    Return what an account's messages are signed with.

    Raises:
        OperationError: it cannot be opened.
    """
    return sealing.secrets_of(safe, account.id, account.document) if account is not None else ()


def signs(server: DestinationServer) -> bool:
    """Say whether messages to a server are signed."""
    return scheme_of(server) is not None


def scheme_of(server: DestinationServer) -> str | None:
    """Return how messages to a server are signed, if they are."""
    signing = server.http_template.extension.signing if server.http_template is not None else None
    return signing.scheme if signing is not None else None


def signer_for(server: DestinationServer, secrets: tuple[Secret, ...]) -> WebhookSigner | None:
    """
    Return what signs the messages to a server, if they are to be signed.

    Raises:
        AccountError: the account has nothing to sign with.
    """
    if not signs(server):
        return None
    if not secrets:
        raise AccountError(
            "The destination's messages are signed and the account has no signing secret; give it one under "
            "`x-headrace.signingSecrets`."
        )
    return WebhookSigner.of(secret.reveal() for secret in secrets)


def _wrong(given: Mapping[str, str]) -> Iterator[Problem]:
    for name, secret in given.items():
        if secret == MASK:
            continue
        try:
            key_of(secret)
        except ValueError as error:
            yield Problem("invalid", pointer((*_PLACE, name)), str(error))
