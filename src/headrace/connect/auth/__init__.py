"""Ways of signing in at a partner, one a file; importing the folder registers them all."""

from headrace.connect.auth.answer import Granted
from headrace.connect.auth.basic import Basic
from headrace.connect.auth.bearer import Bearer
from headrace.connect.auth.client import Exchange, OAuthClient, UserContext
from headrace.connect.auth.none import Unsigned
from headrace.connect.auth.oauth2 import OAuth2
from headrace.connect.auth.proof import pkce
from headrace.connect.auth.refusal import SignInNeeded, TokenRefused
from headrace.connect.auth.revocation import Revocation
from headrace.connect.auth.scheme import Flow, MakesScheme, Params, Scheme, TokenSource, TokenWanted, schemes
from headrace.connect.auth.shared import platform
from headrace.connect.auth.token import Token

__all__ = [
    "Basic",
    "Bearer",
    "Exchange",
    "Flow",
    "Granted",
    "MakesScheme",
    "OAuth2",
    "OAuthClient",
    "Params",
    "Revocation",
    "Scheme",
    "SignInNeeded",
    "Token",
    "TokenRefused",
    "TokenSource",
    "TokenWanted",
    "Unsigned",
    "UserContext",
    "pkce",
    "platform",
    "schemes",
]
