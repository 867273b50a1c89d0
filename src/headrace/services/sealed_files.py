"""With what the files of an account are encrypted: the partner's key, judged anew each time that it is used."""

from contextlib import aclosing
from datetime import datetime

from headrace.batch.export import Pieces, Sealing
from headrace.connect.pgp import PublicKey, Signer, encrypted, key_wanted, read_public_key
from headrace.model.account_encryption import AccountEncryption
from headrace.model.destination_server import DestinationServer
from headrace.services.checks import lenient
from headrace.store.documents import Declared


def encryption_of(account: Declared | None) -> AccountEncryption | None:
    """Return what an account says of encryption, if it does."""
    said = account.document.get("encryption") if account is not None else None
    return lenient(AccountEncryption, said) if said is not None else None


def key_of(server: DestinationServer, encryption: AccountEncryption | None, now: datetime) -> PublicKey | None:
    """
    Return the key that files are encrypted with; ``None``: they go as they are.

    Raises:
        NotEncrypted: the key may not be used, is not the one that was pinned, or there is none and has to be one.
    """
    sftp = server.file_based_sftp_destination
    wanted = key_wanted(sftp.encryption_mode if sftp is not None else "None", encryption)
    if wanted is None:
        return None
    pinned = encryption.extension.fingerprint if encryption is not None else None
    return read_public_key(wanted[1], now, pinned=pinned)


def sealing_by(key: PublicKey, signer: Signer | None) -> Sealing:
    """Return what encrypts files to a key, each by itself."""

    async def sealed(pieces: Pieces) -> Pieces:
        async with aclosing(pieces), encrypted(pieces, key, signer) as found:
            async for piece in found:
                yield piece

    return sealed
