"""What is signed in with at a storage: an account's credentials, or those that a destination's operators share."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headrace.connect.keyring import Keyring
from headrace.connect.secrets import Secret
from headrace.errors import AccountError
from headrace.model.credentials import Credentials
from headrace.services import sealing, standing
from headrace.services.catalog import Edition
from headrace.services.checks import CREDENTIALS, lenient
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.documents import Declared

NOBODY = "NONE"
#: Where a storage is and whose it is may be told; all else of credentials may not.
_TOLD = frozenset({"domain", "port", "url", "endpoint", "roleArn"})
#: As which way to sign in each kind of shared credentials counts.
_SHARED: Mapping[str, str] = {
    "s3Authentication": "S3",
    "sshAuthentication": "SFTP_WITH_SSH_KEY",
    "basicAuthentication": "SFTP_WITH_PASSWORD",
    "azureAuthentication": "AZURE_SERVICE_PRINCIPAL",
    "azureConnectionStringAuthentication": "AZURE_CONNECTION_STRING",
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """
    Credentials, opened: by which way they sign in, and what must be in no text. ``NOBODY`` signs in with none.

    ``account`` is whose they are, as of its ``issue``. Those that operators share have none: what one operator enters
    may well be denied, and the others have nothing to do with it.
    """

    auth_type: str = NOBODY
    auth: Mapping[str, str] = field(default_factory=dict, repr=False)
    account: Holder | None = None
    issue: int = 0

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must be in no text, and the parts of it that would be known by themselves."""
        return tuple(Secret(text) for text in _secret(self.auth) if text)


def signed_in(tx: Transaction, keyring: Keyring, tenant: Tenant, edition: Edition, account: Declared | None) -> SignIn:
    """
    Open what an account signs in with at its storage.

    Raises:
        SignInNeeded: it was revoked, or the storage refuses it; the message says what to do.
        AccountError: there are no credentials.
        OperationError: they cannot be opened.
    """
    rule = edition.destination.delivery.authentication_rule
    if rule == "NONE":
        return SignIn()
    if rule == "PLATFORM_AUTHENTICATION":
        return _shared(tx, keyring, edition)
    if account is None or "auth" not in account.document:
        raise AccountError(
            "The destination's storage is signed in to, and the account has no credentials; give it some."
        )
    holder, auth = Holder(tenant, account.id), account.document["auth"]
    known = standing.state_of(tx, holder)
    standing.refuse_unless_usable(holder, known)
    opened = Safe(keyring, tenant).open(account.id, auth["params"])
    return SignIn(auth["specName"], {name: secret.reveal() for name, secret in opened.items()}, holder, known.issue)


def _shared(tx: Transaction, keyring: Keyring, edition: Edition) -> SignIn:
    id_ = edition.destination.delivery.authentication_id or ""
    document = edition.parts.get(CREDENTIALS, id_)
    if document is None:
        raise AccountError(
            f"The destination's shared credentials {id_!r} are not there; the destination's author mends that."
        )
    holder = Holder(edition.owner, id_, is_shared=True)
    standing.refuse_unless_usable(holder, standing.state_of(tx, holder))
    found = lenient(Credentials, sealing.opened(Safe(keyring, edition.owner), id_, document))
    kind = found.kind or "none at all"
    if kind not in _SHARED:
        raise AccountError(f"The shared credentials are `{kind}`, which signs in at no storage of files.")
    said = found.model_dump(mode="json", by_alias=True, exclude_none=True)[kind]
    return SignIn(_SHARED[kind], said)


def _secret(auth: Mapping[str, str]) -> Iterator[str]:
    for name, text in auth.items():
        if name in _TOLD:
            continue
        yield text
        if name == "connectionString":
            pairs = (entry.partition("=") for entry in text.split(";"))
            yield from (value for key, _, value in pairs if key.strip().lower() in _KEYS)
        elif name == "serviceAccountKey":
            yield from _private(text)


_KEYS = ("accountkey", "sharedaccesssignature")


def _private(text: str) -> Iterator[str]:
    """Yield the private key of a service account, which stands in its file as JSON writes it."""
    try:
        said = json.loads(text)
    except json.JSONDecodeError:
        return
    if isinstance(said, dict) and isinstance(said.get("private_key"), str):
        yield said["private_key"]
