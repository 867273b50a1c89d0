"""Signing in with credentials that all operators of a destination share."""

import re
from typing import Any

from headrace.connect.auth.basic import Basic
from headrace.connect.auth.client import AUTHORIZATION_CODE, OAuthClient, UserContext, declared_inputs
from headrace.connect.auth.scheme import Scheme
from headrace.errors import AccountError
from headrace.model.authentication import CustomerAuthentication
from headrace.model.credentials import Credentials, OAuth2ClientAuthentication, OAuth2RefreshTokenAuthentication
from headrace.model.http import Headers
from headrace.model.kinds import is_web_url

_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\x20-\x7e]+)")


def platform(credentials: Credentials) -> Scheme | OAuthClient:
    """
    Return how shared credentials sign in: a scheme that is ready, or the client that gets tokens for ``OAUTH2``.

    Raises:
        AccountError: they are for files, or not complete.
    """
    if (of_user := credentials.basic_authentication) is not None:
        return Basic({"username": of_user.username, "password": of_user.password})
    if (of_client := credentials.oauth2_client_authentication) is not None:
        return _client(of_client)
    if (of_token := credentials.oauth2_refresh_token_authentication) is not None:
        return _refresher(of_token)
    kind = credentials.kind or "none at all"
    raise AccountError(
        f"The shared credentials are `{kind}`, which is for files; messages take `basicAuthentication`, "
        "`oauth2ClientAuthentication` or `oauth2RefreshTokenAuthentication`."
    )


def _client(declared: OAuth2ClientAuthentication) -> OAuthClient:
    way = {"grant": "OAUTH2_CLIENT_CREDENTIALS", "accessTokenUrl": _url(declared.url)}
    given = {"developerToken": declared.developer_token} if declared.developer_token is not None else {}
    return _made(way, declared, given)


def _refresher(declared: OAuth2RefreshTokenAuthentication) -> OAuthClient:
    way = {"grant": AUTHORIZATION_CODE, "accessTokenUrl": _url(declared.url), "refreshTokenUrl": declared.url}
    return _made(way, declared, {"refreshToken": declared.refresh_token}, declared.expiration)


def _made(
    way: dict[str, str],
    declared: OAuth2ClientAuthentication | OAuth2RefreshTokenAuthentication,
    given: dict[str, str],
    expiration: int | None = None,
) -> OAuthClient:
    """Say in the words of a sign-in of operators what the credentials declare; the same requests follow from it."""
    fields: list[dict[str, Any]] = [{"name": name, "source": "CUSTOMER"} for name in given if name == "refreshToken"]
    fields += [{"name": name, "value": value} for name, value in given.items() if name != "refreshToken"]
    fields += [{"name": "expiresIn", "value": expiration}] if expiration else []
    block = CustomerAuthentication.model_validate(
        {
            "authType": "OAUTH2",
            "clientId": declared.client_id,
            "clientSecret": declared.client_secret,
            "authenticationDataFields": fields,
            **way,
        }
    )
    return OAuthClient(block, declared_inputs(block) | given, UserContext(), _headers(declared.header))


def _headers(header: str | None) -> Headers:
    if not header:
        return ()
    parts = _HEADER.fullmatch(header.strip())
    if parts is None:
        raise AccountError("The `header` of the shared credentials is no header; write it as `Name: value`.")
    return ((parts[1], parts[2]),)


def _url(text: str) -> str:
    if not is_web_url(text):
        raise AccountError("The `url` of the shared credentials is no absolute URL; begin it with `https://`.")
    return text
