"""What a partner gives to whoever signed in: an access token, perhaps one to get the next with, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.connect.secrets import Secret


@dataclass(frozen=True, slots=True)
class Token:
    """
    What an account is signed in with at this moment.

    ``generation`` counts the tokens of an account, so that whoever was refused with one can say which it was.
    ``expires_at`` is in milliseconds since 1970; ``None``: the partner did not say. ``fields`` is everything that was
    read from the partner's answers by its name in templates (``accessToken``, ``refreshToken``, ``tokenType``, the
    author's own), all of it secret.
    """

    access_token: Secret
    generation: int = 1
    expires_at: int | None = None
    fields: Mapping[str, Secret] = field(default_factory=dict)
