"""With what the files of an account are encrypted: the partner's key, judged anew each time that it is used."""

from contextlib import aclosing
from datetime import UTC, datetime

from headrace.batch.export import Pieces, Sealing
from headrace.connect.pgp import NotEncrypted, PublicKey, Signer, encrypted, key_wanted, read_public_key
from headrace.model.account_encryption import AccountEncryption
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.checks import Document, lenient
from headrace.store.documents import Declared


def encryption_of(account: Declared | None) -> AccountEncryption | None:
    """Return what an account says of encryption, if it does."""
    said = account.document.get("encryption") if account is not None else None
    return lenient(AccountEncryption, said) if said is not None else None


def key_of(server: DestinationServer, encryption: AccountEncryption | None, now: int) -> PublicKey | None:
    """
    Return the key that files are encrypted with at a moment in milliseconds; ``None``: they go as they are.

    Raises:
        NotEncrypted: the key may not be used, is not the one that was pinned, or there is none and has to be one.
    """
    sftp = server.file_based_sftp_destination
    wanted = key_wanted(sftp.encryption_mode if sftp is not None else "None", encryption)
    if wanted is None:
        return None
    said = encryption.extension.fingerprint if encryption is not None else None
    return read_public_key(wanted[1], datetime.fromtimestamp(now / 1000, UTC), pinned=said)


def pinned(server: DestinationServer, document: Document, before: Document | None, now: int) -> Document:
    """
    Return an account's document with the fingerprint of its key, which is judged unless it is the one that was before.

    Raises:
        ConfigurationError: the key may not be used, has another fingerprint than is said, or is needed and not there.
    """
    said = document.get("encryption")
    if server.is_streaming or (before is not None and said == before.get("encryption")):
        return document
    try:
        key = key_of(server, lenient(AccountEncryption, said) if said is not None else None, now)
    except NotEncrypted as error:
        where = "/encryption/params/publicKey" if said is not None else "/encryption"
        raise ConfigurationError([Problem("unusable-key", where, error.message)]) from None
    if key is None or said is None:
        return document
    ours = {**said.get("x-headrace", {}), "fingerprint": key.fingerprint}
    return {**document, "encryption": {**said, "x-headrace": ours}}


def sealing_by(key: PublicKey, signer: Signer | None) -> Sealing:
    """Return what encrypts files to a key, each by itself."""

    async def sealed(pieces: Pieces) -> Pieces:
        async with aclosing(pieces), encrypted(pieces, key, signer) as found:
            async for piece in found:
                yield piece

    return sealed
