"""Ways of signing in at a partner, one a file; importing the folder registers them all."""

from headrace.connect.auth.bearer import Bearer
from headrace.connect.auth.none import Unsigned
from headrace.connect.auth.scheme import Flow, MakesScheme, Params, Scheme, TokenSource, TokenWanted, schemes
from headrace.connect.auth.token import Token

__all__ = [
    "Bearer",
    "Flow",
    "MakesScheme",
    "Params",
    "Scheme",
    "Token",
    "TokenSource",
    "TokenWanted",
    "Unsigned",
    "schemes",
]
