"""
Values that nobody may read by accident.

A ``Secret`` has no text form but dots, so that a log line, a trace or an error that holds one shows nothing. What
slips through in a partner's answer is taken out by a ``Redactor``, and what would end in a log by a ``Veil``. How
secrets are stored is ``keyring``'s subject.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote, quote_plus

MASK = "••••"


class Secret:
    """
    A text that shows itself only to who calls ``reveal``.

    >>> f"token={Secret('s3cret')}"
    'token=••••'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself. Search for calls of this to find every place that can leak one."""
        return self._text

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        """Compare in constant time, with other secrets only: a plain text is never equal to one."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; reveal it or seal it")


@dataclass(frozen=True, slots=True)
class Masked:
    """What the API shows of a secret: dots, and a fingerprint by which its owner sees whether it is the same one."""

    text: str
    fingerprint: str


def mask(value: str | Secret, key: bytes) -> Masked:
    """
    Mask a secret for the API. The fingerprint is keyed, so that guesses cannot be tried against it elsewhere.

    >>> mask("s3cret", b"key")
    Masked(text='••••', fingerprint='0574b240')
    """
    return Masked(MASK, hmac.new(key, _plain(value).encode(), hashlib.sha256).hexdigest()[:8])


class Redactor:
    """
    Takes the given secrets out of texts, in every form in which HTTP and JSON carry them about.

    These are: as it is, percent-encoded (both cases of the digits, blanks as ``+``), escaped as in JSON, and in base64,
    also inside a longer text that was encoded (``user:password``). Values below four characters are left alone, for
    taking every ``a`` out of a text tells more than it hides. Meant for the secrets of one account at a time.
    """

    SHORTEST = 4

    def __init__(self, secrets: Iterable[str | Secret]) -> None:
        forms = {form for secret in secrets for form in _forms(_plain(secret))}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def redact(self, text: str) -> str:
        """Return the text with ``[secret]`` in the place of each."""
        return text if self._pattern is None else self._pattern.sub("[secret]", text)


#: Tokens and client secrets that we hand out ourselves: known by their form, wherever somebody has put one.
_OURS = re.compile(r"hr[st]-[A-Za-z0-9_-]{43,}")


def without_ours(text: str) -> str:
    """
    Take tokens and client secrets of our own making out of a text.

    >>> without_ours("there is no user 'hrt-jWWoAVkBDtJWPHC7Lr_5aM6nUXLY3nMBSmJzQtBpfzw'")
    "there is no user '[secret]'"
    """
    return _OURS.sub("[secret]", text)


class Veil:
    """
    Takes out of log lines what this process has opened lately or was started with, in the forms of a ``Redactor``.

    It is the last wall, behind those at the sources, and for the log alone: an answer of the API that went through it
    would tell whoever guesses secrets of others when they are right. Of secrets it keeps the newest ``MOST``; below
    ``SHORTEST`` characters they are left alone, for words of the log itself are not taken out.
    """

    SHORTEST = 8
    MOST = 4096

    def __init__(self) -> None:
        self._forms: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._by_start: dict[str, tuple[str, ...]] = {}
        self._changing = threading.Lock()

    def note(self, secret: str | Secret) -> None:
        """Keep a secret out of everything from now on."""
        plain = _plain(secret)
        if plain in self._forms or len(plain) < self.SHORTEST:
            return
        with self._changing:
            self._forms[plain] = frozenset(form for form in _forms(plain) if len(form) >= self.SHORTEST)
            for form in self._forms[plain]:
                start = form[: self.SHORTEST]
                self._by_start[start] = (*self._by_start.get(start, ()), form)
            if len(self._forms) > self.MOST:
                self._forget(self._forms.popitem(last=False)[1])

    def redact(self, text: str) -> str:
        """Return the text with ``[secret]`` in the place of each."""
        parts, kept, place = [], 0, 0
        while place <= len(text) - self.SHORTEST:
            forms = self._by_start.get(text[place : place + self.SHORTEST], ())
            length = max((len(form) for form in forms if text.startswith(form, place)), default=0)
            if length:
                parts += [text[kept:place], "[secret]"]
                kept = place + length
            place += length or 1
        return without_ours("".join([*parts, text[kept:]]))

    def _forget(self, forms: frozenset[str]) -> None:
        for form in forms:
            start = form[: self.SHORTEST]
            self._by_start[start] = tuple(other for other in self._by_start[start] if other != form)
            if not self._by_start[start]:
                del self._by_start[start]


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < Redactor.SHORTEST:
        return
    yield secret
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda digits: digits[0].lower(), encoded)
    for escaped in (json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        yield escaped[1:-1]
        yield escaped[1:-1].replace("/", "\\/")
    yield from _base64_forms(secret.encode())


def _base64_forms(secret: bytes) -> Iterator[str]:
    """Encode it alone, and at each place it can have in a longer text, without the characters its neighbours share."""
    alone = base64.b64encode(secret).decode()
    forms = [alone, alone.rstrip("=")]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).decode()
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        forms.append(encoded[first:last])
    for form in forms:
        yield form
        yield form.translate({ord("+"): "-", ord("/"): "_"})
