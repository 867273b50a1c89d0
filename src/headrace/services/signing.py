"""What is signed in with at a partner: an account's credentials, or those that a destination's operators share."""

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.connect.auth import OAuthClient, Scheme, UserContext, platform, schemes
from headrace.connect.keyring import Keyring
from headrace.connect.secrets import Secret
from headrace.errors import AccountError
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.services import accounts, sealing
from headrace.services.catalog import Edition
from headrace.services.checks import CREDENTIALS, lenient
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.services.ways import OAUTH2, refuse_to_sign_in, way_of
from headrace.store.access import Tenant
from headrace.store.documents import Declared


@dataclass(frozen=True, slots=True)
class Signing:
    """Credentials, opened: how they sign, whose they are, the client that gets their tokens, and what is secret."""

    scheme: Scheme
    holder: Holder | None
    client: OAuthClient | None
    given: Mapping[str, str]
    secrets: tuple[Secret, ...]


class Signings:
    """Opens what is signed in with."""

    def __init__(self, keyring: Keyring, *, password_grant: bool) -> None:
        self._keyring = keyring
        self._password_grant = password_grant

    def of(self, tenant: Tenant, edition: Edition, account: Declared | None, own: str | None = None) -> Signing:
        """
        Open what signs requests of an account, or without one, under an edition of a destination.

        ``own`` are credentials of the author's that sign in the place of the account's.

        Raises:
            AccountError: the credentials are not complete.
            OperationError: they cannot be opened.
        """
        delivery = edition.destination.delivery
        if own is not None:
            return self._shared(edition, own)
        if delivery.authentication_rule == "PLATFORM_AUTHENTICATION":
            return self._shared(
                edition, delivery.authentication_id or "", opens_storage=edition.destination.takes_files
            )
        opened_account = account is not None and "auth" in account.document
        if not opened_account:
            return Signing(schemes.get("NONE")({}), None, None, {}, ())
        assert account is not None
        holder = Holder(tenant, account.id)
        if account.document["auth"]["specName"] == OAUTH2:
            return self._oauth2(holder, edition, account)
        opened = accounts.credentials(Safe(self._keyring, tenant), account)
        return Signing(opened.scheme, holder, None, opened.auth_data, opened.secrets)

    def _oauth2(self, holder: Holder, edition: Edition, account: Declared) -> Signing:
        """Open an account that signs in with OAuth 2, and with it what the author keeps secret about that."""
        opened = Safe(self._keyring, holder.tenant).open(account.id, account.document["auth"]["params"])
        given = {name: secret.reveal() for name, secret in opened.items()}
        author = Safe(self._keyring, edition.owner)
        way = way_of(lenient(Destination, sealing.opened(author, edition.id, edition.document)))
        refuse_to_sign_in(way, password_grant=self._password_grant)
        client = OAuthClient.of(way, given, _context(holder.tenant))
        secrets = (*opened.values(), *sealing.secrets_of(author, edition.id, edition.document))
        return Signing(schemes.get(OAUTH2)({}), holder, client, given, secrets)

    def _shared(self, edition: Edition, id_: str, *, opens_storage: bool = False) -> Signing:
        """Open credentials that operators share, which are in the author's sandbox."""
        document = edition.parts.get(CREDENTIALS, id_)
        if document is None:
            raise AccountError(
                f"The destination's shared credentials {id_!r} are not there; the destination's author mends that."
            )
        author = Safe(self._keyring, edition.owner)
        holder, secrets = Holder(edition.owner, id_, is_shared=True), sealing.secrets_of(author, id_, document)
        if opens_storage:  # What opens a storage signs no request.
            return Signing(schemes.get("NONE")({}), holder, None, {}, secrets)
        found = platform(lenient(Credentials, sealing.opened(author, id_, document)))
        if isinstance(found, OAuthClient):
            return Signing(schemes.get(OAUTH2)({}), holder, found, {}, secrets)
        return Signing(found, holder, None, {}, secrets)


def _context(tenant: Tenant) -> UserContext:
    return UserContext(tenant.sandbox, tenant.sandbox_id, tenant.organization)
