"""
The host keys of servers of SFTP, as accounts pin them: nothing is sent to a server that shows another.

An account holds the fingerprints that OpenSSH prints, with blanks between, for the server that it leads to.
"""

from collections.abc import Mapping
from typing import Any

from headrace.connect.storage import sftp
from headrace.services.storage_sign_in import SignIn
from headrace.store.documents import Declared

KIND = "FILE_BASED_SFTP"
_OURS, _PIN = "x-headrace", "hostKey"


def pinned(document: Mapping[str, Any]) -> str:
    """Return what an account's document pins, or nothing."""
    found: str = (document.get(_OURS) or {}).get(_PIN) or ""
    return found


def trusted(account: Declared | None, place: Mapping[str, Any], sign_in: SignIn) -> Mapping[str, str]:
    """Return what an account pins, by the host and port that it leads to."""
    found = pinned(account.document) if account is not None else ""
    if not found:
        return {}
    host, port = sftp.endpoint(place, sign_in.auth)
    return {f"{host}:{port}": found}
