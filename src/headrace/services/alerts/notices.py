"""
What a message about alerts says, as plain text and as JSON.

What people and partners have named is shown with nothing in it that a reader of mail would make a link, markup or a
line of its own of: names are chosen by whoever may write a dataflow, and mail is read by others.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from headrace.clock import iso
from headrace.model.alert import KINDS
from headrace.store.access import Tenant
from headrace.store.alerts import Alert, Key

#: The kind of the runs that send.
KIND = "alert"
#: The most alerts of one message; of further ones it says how many.
MOST = 50
#: The longest that a name or a reason is shown.
_NAME, _REASON = 80, 500

#: A dot between a word and a letter is what makes a host's name of two words.
_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_])")
_HEADS = {
    "raised": "In force",
    "reminded": "Still in force",
    "recovered": "Over",
    "news": "It happened",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told: of which alert, which time it began, and what (raised, reminded, recovered, news)."""

    key: Key
    episode: int
    what: str
    raised_at: int
    recovered_at: int | None
    reason: str

    @classmethod
    def of(cls, alert: Alert, what: str, reason: str) -> Self:
        return cls(alert.key, alert.episode, what, alert.raised_at, alert.recovered_at, reason)

    def to_json(self) -> list[Any]:
        """Write what a run keeps: ids, and moments. The reason stays with the alert."""
        return [*self.key[1:], self.episode, self.what, self.raised_at, self.recovered_at]

    @classmethod
    def from_json(cls, tenant: int, kept: Sequence[Any], reason: str) -> Self:
        alert, about, threshold, episode, what, raised_at, recovered_at = kept
        return cls((tenant, alert, about, threshold), episode, what, raised_at, recovered_at, reason)


@dataclass(frozen=True, slots=True)
class Told:
    """What one message tells: notices with the names of what they are about, and how many more there were."""

    tenant: Tenant
    notices: tuple[Notice, ...]
    names: Mapping[str, str]
    more: int
    at: int
    is_test: bool = False


def harmless(text: str, most: int) -> str:
    """
    Return a text in one line that nothing makes a link or markup of.

    >>> harmless("Sale <b>now</b> at www.evil.example/x\\r\\nBcc: a@b.example", 80)
    'Sale ‹b›now‹/b› at www·evil·example/x Bcc: a·b·example'
    """
    printable = "".join(" " if _is_unprintable(char) else char for char in text)
    line = " ".join(printable.split())
    for char, instead in (("<", "‹"), (">", "›"), ("@", "·"), ("://", ":·")):
        line = line.replace(char, instead)
    line = _DOT.sub("·", line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def subject_of(told: Told) -> str:
    """Return the line that a mail is listed with."""
    where = harmless(f"{told.tenant.organization} {told.tenant.sandbox}", _NAME)
    if told.is_test:
        return f"[Headrace {where}] A test of alerts"
    if len(told.notices) + told.more > 1:
        return f"[Headrace {where}] {len(told.notices) + told.more} alerts"
    (notice,) = told.notices
    return f"[Headrace {where}] {_HEADS[notice.what]}: {_what(notice, told.names)}"


def text_of(told: Told) -> str:
    """Return the text of a mail."""
    if told.is_test:
        return "This is a test: whoever reads it would have been told of an alert.\n"
    parts = [_paragraph(notice, told.names) for notice in told.notices]
    if told.more:
        parts.append(f"… and {told.more} more: `headrace alerts list` shows all that are in force.")
    parts.append("What is in force: `headrace alerts list`. To be told no more: `headrace alerts unsubscribe`.")
    return "\n\n".join(parts) + "\n"


def document_of(told: Told) -> dict[str, Any]:
    """Return what a webhook is sent."""
    return {
        "type": "alerts.test" if told.is_test else "alerts",
        "timestamp": iso(told.at),
        "organization": told.tenant.organization,
        "sandbox": told.tenant.sandbox,
        "alerts": [_item(notice, told.names) for notice in told.notices],
        "more": told.more,
    }


def _item(notice: Notice, names: Mapping[str, str]) -> dict[str, Any]:
    _, alert, about, threshold = notice.key
    over = {"recoveredAt": iso(notice.recovered_at)} if notice.recovered_at is not None else {}
    return {
        "alert": alert,
        "state": notice.what,
        "title": KINDS[alert].title,
        "about": {"type": KINDS[alert].about, "id": about, "name": harmless(names.get(about, ""), _NAME)},
        "episode": notice.episode,
        "threshold": float(threshold) if threshold else None,
        "reason": harmless(notice.reason, _REASON),
        "raisedAt": iso(notice.raised_at),
        **over,
    }


def _what(notice: Notice, names: Mapping[str, str]) -> str:
    """Say in a few words what it is: ``a dataflow is held (“EU sales”)``."""
    _, alert, about, _ = notice.key
    name = harmless(names.get(about, about), _NAME)
    return f"{KINDS[alert].title} (“{name}”)"


def _paragraph(notice: Notice, names: Mapping[str, str]) -> str:
    _, alert, about, threshold = notice.key
    kind = KINDS[alert]
    lines = [f"{_HEADS[notice.what]}: {_what(notice, names)}", f"  alert: {alert}", f"  {kind.about}: {about}"]
    if threshold:
        lines.append(f"  threshold: more than {threshold} {kind.unit}")
    if notice.reason and notice.what != "recovered":
        lines.append(f"  why: {harmless(notice.reason, _REASON)}")
    lines.append(f"  since: {iso(notice.raised_at)}")
    if notice.recovered_at is not None:
        lines.append(f"  until: {iso(notice.recovered_at)}")
    return "\n".join(lines)


def _is_unprintable(char: str) -> bool:
    """Say whether a character is a control, or one that changes the order or the look of others unseen."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
