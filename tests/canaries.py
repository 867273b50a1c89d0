"""
Canaries: secrets that stand for one kind each, and nets that find them wherever they got out, in whatever form.

Their values are the same in every process, so that the end of a session finds what any of its tests has let out.
Whoever has to write one into a file of a test on purpose does so below a folder called ``ON_PURPOSE``.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from headrace.connect.secrets import _forms

ON_PURPOSE = "on-purpose"
_BEGIN = "cnry-"
#: What a text that is not for a header may have: whatever quoting and encoding makes other characters of.
_ODD = '/+ä"&= \\z'


def _value(kind: str, end: str = "") -> str:
    return f"{_BEGIN}{hashlib.sha256(kind.encode()).hexdigest()[:16]}{end}"


#: By kind. What is sent in a header is plain; the others are as awkward as may be.
CANARIES: dict[str, str] = {
    "account token": _value("account token"),
    "account token of a partner that is away": _value("account token of a partner that is away"),
    "basic password": _value("basic password", _ODD),
    "OAuth client secret in a destination": _value("OAuth client secret in a destination", _ODD),
    "OAuth client secret of an operator": _value("OAuth client secret of an operator", _ODD),
    "issued access token": _value("issued access token"),
    "issued refresh token": _value("issued refresh token"),
    "authorization code": _value("authorization code"),
    "password of the password grant": _value("password of the password grant", _ODD),
    "basicAuthentication password": _value("basicAuthentication password", _ODD),
    "s3Authentication secretKey": _value("s3Authentication secretKey", _ODD),
    "sshAuthentication sshKey": _value("sshAuthentication sshKey", _ODD),
    "azureAuthentication servicePrincipalKey": _value("azureAuthentication servicePrincipalKey", _ODD),
    "azureConnectionStringAuthentication connectionString": _value("azure connection string", _ODD),
    "oauth2ClientAuthentication clientSecret": _value("oauth2ClientAuthentication clientSecret", _ODD),
    "oauth2ClientAuthentication developerToken": _value("oauth2ClientAuthentication developerToken"),
    "oauth2ClientAuthentication header": _value("oauth2ClientAuthentication header"),
    "oauth2RefreshTokenAuthentication clientSecret": _value("oauth2RefreshTokenAuthentication clientSecret", _ODD),
    "oauth2RefreshTokenAuthentication header": _value("oauth2RefreshTokenAuthentication header"),
    "oauth2RefreshTokenAuthentication refreshToken": _value("oauth2RefreshTokenAuthentication refreshToken", _ODD),
    "customer data": _value("customer data"),
    "customer data in a group": _value("customer data in a group", _ODD),
    "authenticationDataFields value": _value("authenticationDataFields value", _ODD),
    "secret key of a bucket": _value("secret key of a bucket"),
    "secret of an HMAC key": _value("secret of an HMAC key"),
    "account key of a connection string": _value("account key of a connection string"),
    "signature of a connection string": _value("signature of a connection string"),
    "service principal's key": _value("service principal's key", _ODD),
    "password of SFTP": _value("password of SFTP", _ODD),
    "SSH key": _value("SSH key", _ODD),
    "service account key": _value("service account key"),
    "user password": _value("user password", _ODD),
    "another password of a user": _value("another password of a user", _ODD),
    "metrics token": _value("metrics token"),
    "database password": _value("database password", "/+&=z"),
    "proxy password": _value("proxy password", "+=z"),
    "value of unknown field": _value("value of unknown field", _ODD),
}


class Net:
    """Finds canaries in bytes, by kind."""

    def __init__(self, canaries: Mapping[str, str]) -> None:
        self._forms = {kind: {form.encode() for form in _forms(value)} for kind, value in canaries.items()}

    def find(self, content: bytes) -> set[str]:
        """Return the kinds of the canaries that content has in any form."""
        return {kind for kind, forms in self._forms.items() if any(form in content for form in forms)}


#: How the beginning of every canary looks: as it is, and in base64 at each offset. Only content with one is searched.
_MARKS = [_BEGIN.encode()] + [
    base64.b64encode(b"\0" * before + _BEGIN.encode())[first : first + 5] for before, first in ((0, 0), (1, 2), (2, 3))
]


def let_out(folders: Iterable[Path]) -> list[str]:
    """Say which files below folders have canaries that are not there on purpose."""
    net = Net(CANARIES)
    return [
        f"{path}: {', '.join(sorted(kinds))}"
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and ON_PURPOSE not in path.parts and (kinds := _in_file(net, path))
    ]


def _in_file(net: Net, path: Path) -> set[str]:
    content = path.read_bytes()
    return net.find(content) if any(mark in content for mark in _MARKS) else set()
