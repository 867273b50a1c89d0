"""Telling a partner that a token is not used any more (RFC 7009): one request, and what its answer means."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self
from urllib.parse import parse_qs

from headrace.connect.auth.answer import TokenAnswer
from headrace.connect.auth.refusal import asked_wait, said_in, told_in
from headrace.connect.secrets import Redactor, Secret
from headrace.model.http import Request, Response

#: Answers that tend to pass; the standard names the last of 503 alone, and that the token lives on until then.
_MAY_PASS = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a partner did not end a token; whether it may at another time, and after how many seconds if it says so."""

    reason: str
    may_pass: bool
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Revocation:
    """
    What a partner is told, complete: it is sent when the account that it was made of may be gone.

    ``client_secret`` is what must not be read in texts where it goes in the header.
    """

    url: str
    form: str = field(repr=False)
    authorization: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Self:
        """Make it of what ``texts`` returned."""
        return cls(**texts)

    def texts(self) -> dict[str, str]:
        """Return all of it by names, to be sealed."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What nobody may read in an error."""
        token = parse_qs(self.form)["token"][0]
        return tuple(Secret(text) for text in (token, self.client_secret, self.authorization) if text)

    def request(self) -> Request:
        """Return the request."""
        kind, accepted = ("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")
        shown = (("Authorization", self.authorization),) if self.authorization else ()
        return Request("POST", self.url, (kind, accepted, *shown), self.form.encode())

    def refused(self, response: Response) -> Refused | None:
        """
        Say why an answer does not mean that the token is ended; ``None``: it does.

        A partner answers 200 to a token that it does not know, too, so that a repetition is as good as the first time.
        """
        body = TokenAnswer.of(response).body
        if 200 <= response.status < 300 and not told_in(body)[0]:
            return None
        said = said_in(body, Redactor(self.secrets))
        what = f"{response.status}, {said}" if said else f"{response.status}"
        reason = f"The partner did not end the token: it answered {what}."
        return Refused(reason, response.status in _MAY_PASS, asked_wait(response))
