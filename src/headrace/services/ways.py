"""The way of OAuth 2 that a destination offers, and whether it may be used here."""

from headrace.errors import AccountError
from headrace.model.authentication import CustomerAuthentication
from headrace.model.destination import Destination
from headrace.model.problem import ConfigurationError, Problem

OAUTH2 = "OAUTH2"

_PASSWORD_GRANT = "OAUTH2_PASSWORD"  # noqa: S105  the name of a grant
_NOT_HERE = (
    f"this destination signs in with `{_PASSWORD_GRANT}`, for which people hand their password to this installation; "
    "whoever runs it has to allow that with HEADRACE_ALLOW_PASSWORD_GRANT"
)


def way_of(destination: Destination) -> CustomerAuthentication:
    """
    Return the way of OAuth 2 that a destination offers.

    Raises:
        AccountError: it offers none any more.
    """
    for way in destination.customer_authentication_configurations:
        if way.auth_type == OAUTH2:
            return way
    raise AccountError("The destination offers OAuth 2 no longer; create an account that signs in as it asks for now.")


def refuse_unless_allowed(auth_type: str, destination: Destination, *, password_grant: bool) -> None:
    """
    Refuse an account that would take somebody's password for the partner, where that is not allowed.

    Raises:
        ConfigurationError: it would, and it is not.
    """
    if auth_type == OAUTH2 and not password_grant and way_of(destination).grant == _PASSWORD_GRANT:
        raise ConfigurationError([Problem("not-allowed", "/auth/specName", _NOT_HERE)])


def refuse_to_sign_in(way: CustomerAuthentication, *, password_grant: bool) -> None:
    """
    Refuse to sign in with a password that was taken while that was allowed.

    Raises:
        AccountError: it is no longer.
    """
    if not password_grant and way.grant == _PASSWORD_GRANT:
        raise AccountError(_NOT_HERE[0].upper() + _NOT_HERE[1:] + ".")
