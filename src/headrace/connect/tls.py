"""
Whom we trust, and to whom we show which certificate.

Both are the operator's to say, and nobody else's: an author or an account can neither switch verification off nor
choose an authority. No session of TLS is resumed by our transport, and each account has its own connections, so nothing
that a partner remembers of one account's connection serves another.
"""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from headrace.connect.url import parse_url
from headrace.errors import EgressError, OperationError

CA_SETTING = "HEADRACE_TLS_CA_FILE"
CERTIFICATES_SETTING = "HEADRACE_TLS_CLIENT_CERTIFICATES"

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\s*", re.DOTALL)


class Tls:
    """
    The operator's settings of TLS, read and checked when they are made.

    A client certificate is shown to the origin it is for and to no other, whatever name another origin has.
    """

    def __init__(self, ca_file: Path | None = None, certificates: Mapping[str, Path] | None = None) -> None:
        """
        Read the files.

        Raises:
            OperationError: a file cannot be read, or is not what its setting wants.
        """
        self._ca_file = ca_file
        self._plain: ssl.SSLContext | None = None
        self.authorities = _read_authorities(ca_file) if ca_file is not None else ()
        self._dressed = {origin: self._showing(file) for origin, file in (certificates or {}).items()}
        self.identities = {origin: file.read_bytes() for origin, file in (certificates or {}).items()}

    @classmethod
    def parse(cls, ca_file: Path | None, certificates: str) -> "Tls":
        """
        Read the two settings; certificates are ``origin=file``, separated by commas.

        Raises:
            OperationError: a value is not right. The message names the setting and the file.
        """
        return cls(ca_file, dict(_parse_pair(entry.strip()) for entry in certificates.split(",") if entry.strip()))

    def context(self, origin: str) -> ssl.SSLContext:
        """Return what secures connections to an origin."""
        dressed = self._dressed.get(origin)
        if dressed is not None:
            return dressed
        if self._plain is None:
            self._plain = self._trusting()  # Reading the system's authorities takes 25 ms, which http need not pay.
        return self._plain

    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        return context

    def _showing(self, file: Path) -> ssl.SSLContext:
        context = self._trusting()
        try:
            context.load_cert_chain(file, password=_no_passphrase)
        except (OSError, ValueError):
            raise OperationError(
                f"{CERTIFICATES_SETTING}: '{file}' is not a PEM file with a certificate and its key, which needs no "
                "passphrase"
            ) from None
        return context


def _no_passphrase() -> str:
    """Stand in for the terminal, on which OpenSSL would ask and wait."""
    return ""


def _read_authorities(file: Path) -> tuple[bytes, ...]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
        return tuple(_CERTIFICATE.findall(file.read_bytes()))
    except OSError:
        raise OperationError(f"{CA_SETTING}: '{file}' is not a file of certificates as PEM") from None


def _parse_pair(entry: str) -> tuple[str, Path]:
    address, _, file = entry.partition("=")
    try:
        target = parse_url(address.strip(), schemes=("https",))
    except EgressError as error:
        raise OperationError(
            f"{CERTIFICATES_SETTING}: '{entry}' is not a pair such as https://api.partner.example=/etc/partner.pem. "
            f"{error}"
        ) from None
    if target.path_and_query != "/" or not file.strip():
        raise OperationError(
            f"{CERTIFICATES_SETTING}: '{entry}' is not an origin and a file: write {target.origin}=FILE"
        )
    return target.origin, Path(file.strip())
