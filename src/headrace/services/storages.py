"""Accounts' ways to their storages: whoever writes files for an operator goes through here."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from headrace.batch.export import Sealing
from headrace.clock import Clock
from headrace.connect.egress import NotedEgress
from headrace.connect.keyring import Keyring
from headrace.connect.pgp import Signer
from headrace.connect.secrets import Redactor, Secret
from headrace.connect.storage import NotStored, Storage, Way, storages
from headrace.connect.storage.storage import MakesStorage
from headrace.errors import AccountError, HeadraceError, TargetBlocked
from headrace.model.file_format import FileFormat
from headrace.model.problem import ConfigurationError
from headrace.services import host_pins, sealing, standing
from headrace.services.catalog import Edition
from headrace.services.reaching import HEADRACE, Errand, Reaching
from headrace.services.sealed_files import encryption_of, key_of, sealing_by
from headrace.services.sealing import Safe
from headrace.services.storage_places import Place, Texts, base_of, look_of, place_of
from headrace.services.storage_sign_in import SignIn, signed_in
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.documents import Declared
from headrace.store.sign_in_states import REFUSED

#: Tells whoever runs Headrace why targets were not reached, by target.
Note = Callable[[Mapping[str, HeadraceError]], Awaitable[None]]


async def no_note(failures: Mapping[str, HeadraceError]) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class StorageAccess:
    """
    One account's way to its storage.

    ``customer_data`` are the values of the operator's form, opened. ``look`` is how files look, ``folder`` the template
    of the folder below the storage's own, and ``seal`` what encrypts a file, if files are encrypted.
    """

    customer_data: Mapping[str, Any] = field(repr=False)
    look: FileFormat
    folder: str
    seal: Sealing | None
    _place: Place = field(repr=False)
    _sign_in: SignIn
    _way: Way
    _redactor: Redactor
    _note: Note = field(default=no_note, repr=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Storage]:
        """
        Open the storage; who opens it twice has two. Errors tell no secret, those raised meanwhile neither.

        Raises:
            AuthoringError: the place comes to something that cannot be.
            AccountError: the credentials do, or the place may not be reached.
            NotStored: the storage was asked, and refused.
        """
        makes, sign_in, egress = _maker(self._place.kind), self._sign_in, NotedEgress(self._way.egress)
        way = replace(self._way, egress=egress)
        try:
            async with makes.open(self._place.block, sign_in.auth_type, sign_in.auth, way) as storage:
                yield storage
        except HeadraceError as error:
            _quieten(error, self._redactor)
            await self._note(egress.failures)
            if isinstance(error, TargetBlocked):  # That it was blocked tells what a network is like from inside.
                raise NotStored("unreached", "The storage was not reached; see that it is there.") from None
            raise

    @property
    def base(self) -> str:
        """The storage's own folder, for manifests: what stands in a storage's path before the folder of a file."""
        return base_of(self._place)

    def rest(self, tx: Transaction, reason: str, now: int) -> str | None:
        """
        Let the account rest that the storage denies what it needs; return its id.

        ``None``: it has none of its own, rests already, or was given other credentials since.
        """
        account, issue = self._sign_in.account, self._sign_in.issue
        if account is None or standing.state_of(tx, account).issue != issue:
            return None
        return account.id if standing.stop(tx, account, REFUSED, reason, now) else None

    def redact(self, text: str) -> str:
        """Take the account's secrets out of a text that somebody may read."""
        return self._redactor.redact(text)


class Storages:
    """
    Makes the ways of accounts to their storages, as a transaction sees what they are made of.

    ``way`` holds for all of them; keys of hosts, and who we are at Amazon for whom, are each account's own. ``signer``
    signs files that are encrypted; ``landing`` returns the directory of a sandbox's landing zone, and ``reaching``
    tells whoever runs Headrace what was not reached.
    """

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        way: Way,
        signer: Signer | None = None,
        landing: Callable[[Tenant], Awaitable[Path]] | None = None,
        reaching: Reaching | None = None,
    ) -> None:
        self.way = way
        self._reaching = reaching
        self._keyring = keyring
        self._clock = clock
        self._signer = signer
        self._landing = landing

    def access(
        self,
        tx: Transaction,
        tenant: Tenant,
        edition: Edition,
        account: Declared | None,
        target: Declared,
        actor: str = HEADRACE,
    ) -> StorageAccess:
        """
        Return the way of an account to the storage of its target connection, under an edition of the destination.

        ``actor`` is whoever wants the storage to be called.

        Raises:
            SignInNeeded: the account was revoked, or is refused; the message says what to do.
            AccountError: the credentials or the key of encryption are not complete, or may not be used.
            AuthoringError: the place or the format cannot be made of what the operator entered.
            OperationError: credentials cannot be opened.
        """
        safe = Safe(self._keyring, tenant)
        values = sealing.opened(safe, target.id, target.document).get("params", {})
        secrets = sealing.secrets_of(safe, target.id, target.document)
        return self.drafted(tx, tenant, edition, account, values, secrets, actor)

    def drafted(
        self,
        tx: Transaction,
        tenant: Tenant,
        edition: Edition,
        account: Declared | None,
        values: Mapping[str, Any],
        secrets: Iterable[str | Secret],
        actor: str = HEADRACE,
    ) -> StorageAccess:
        """Return the way to the storage of values that nobody has stored yet. Raises as ``access``."""
        sign_in = signed_in(tx, self._keyring, tenant, edition, account)
        redactor = Redactor([*sign_in.secrets, *secrets])
        try:
            made = self._made(tenant, edition, account, values, sign_in, redactor)
        except HeadraceError as error:
            _quieten(error, redactor)
            raise
        noun, id_ = ("account", account.id) if account is not None else ("destination", edition.id)
        return replace(made, _note=self.note_for(Errand(tenant.tenant, actor, noun, id_)))

    def note_for(self, errand: Errand) -> Note:
        """Return what tells whoever runs Headrace of targets that an errand did not reach."""
        reaching = self._reaching
        if reaching is None:
            return no_note

        async def note(failures: Mapping[str, HeadraceError]) -> None:
            for target, reason in failures.items():
                await reaching.note(errand, target, reason)

        return note

    def _made(
        self,
        tenant: Tenant,
        edition: Edition,
        account: Declared | None,
        values: Mapping[str, Any],
        sign_in: SignIn,
        redactor: Redactor,
    ) -> StorageAccess:
        server, texts = edition.server, Texts(tenant, edition, values)
        place = place_of(server, texts)
        _refuse_other_ways(place, sign_in)
        key = key_of(server, encryption_of(account), self._clock.now())
        return StorageAccess(
            values,
            look_of(server, texts, values),
            place.folder,
            sealing_by(key, self._signer) if key is not None else None,
            place,
            sign_in,
            self._way_of(tenant, account, place, sign_in),
            redactor,
        )

    def _way_of(self, tenant: Tenant, account: Declared | None, place: Place, sign_in: SignIn) -> Way:
        """Return the way out for one account: the house is known to partners by the sandbox that it acts for."""
        house = replace(self.way.house, external_id=external_id(tenant)) if self.way.house is not None else None
        landing = partial(self._landing, tenant) if self._landing is not None else None
        trusted = host_pins.trusted(account, place.block, sign_in)
        return replace(self.way, house=house, landing=landing, trusted_keys=trusted)


def external_id(tenant: Tenant) -> str:
    """Return the name by which a partner's role knows for whom the house assumes it."""
    return tenant.sandbox_id


def _quieten(error: HeadraceError, redactor: Redactor) -> None:
    if isinstance(error, ConfigurationError):
        error.problems = [replace(item, message=redactor.redact(item.message)) for item in error.problems]
    error.message = redactor.redact(error.message)
    error.args = (error.message,)  # What ``str`` and a traceback show.


def _maker(kind: str) -> MakesStorage:
    if kind not in storages:
        raise AccountError(f"Headrace does not write to `{kind}`; use a destination that sends files elsewhere.")
    return storages.get(kind)


def _refuse_other_ways(place: Place, sign_in: SignIn) -> None:
    ways = _maker(place.kind).auth_types
    if ways and sign_in.auth_type not in ways:
        raise AccountError(
            f"`{sign_in.auth_type}` does not sign in at a `{place.kind}` server; create an account with "
            f"{' or '.join(f'`{way}`' for way in ways)}."
        )
