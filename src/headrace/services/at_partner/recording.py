"""What is written down of a request about an audience: that it is about to leave, and what came of it."""

from dataclasses import replace
from typing import Any

from headrace.errors import HeadraceError
from headrace.services.at_partner import wanting
from headrace.services.at_partner.deciding import Facts, Step
from headrace.services.at_partner.events import ALIAS, Event, Unreadable, is_in_doubt
from headrace.services.at_partner.wanting import Place
from headrace.services.catalog import tenant_of
from headrace.store import access, audiences, partner_audiences
from headrace.store.access import Tenant
from headrace.store.audiences import StoredAudience
from headrace.store.database import Transaction
from headrace.store.partner_audiences import ITSELF, PartnerAudience
from headrace.store.runs import Run

FIRST_WAIT = 60_000
LONGEST_WAIT = 60 * 60_000

_IN_DOUBT = (
    "nobody knows whether the partner made it: look there, then say its id (adopt it with `alias`), or that there is"
    " none (adopt it with `alias` null), and it is made"
)


def wait_after(attempts: int) -> int:
    """
    Return the milliseconds to wait before the next try by itself.

    >>> [wait_after(attempts) // 60_000 for attempts in (1, 2, 3, 7, 100)]
    [1, 2, 4, 60, 60]
    """
    return min(FIRST_WAIT << min(max(attempts - 1, 0), 10), LONGEST_WAIT)


def audience_of(tx: Transaction, row: PartnerAudience) -> StoredAudience:
    """Return the audience that a row is about."""
    return audiences.all_of(tx, row.tenant)[row.audience]


def begin(tx: Transaction, row: PartnerAudience, step: Step, now: int) -> PartnerAudience | None:
    """Note that a request is about to leave: whoever finds this after a crash does not know what became of it."""
    states = {"create": "creating", "delete": "deleting"}
    state, calling = states.get(step, row.state), row.calling if step == "find" else step
    begun = replace(row, state=state, calling=calling, attempts=row.attempts + 1)
    was_so = partner_audiences.change(tx, row, now, state=state, calling=calling, attempts=begun.attempts)
    return begun if was_so else None


def learned(
    row: PartnerAudience, step: Step, wanted: Facts | None, event: Event, kept: dict[str, str]
) -> dict[str, Any]:
    """
    Return what a row says after a request has succeeded.

    Raises:
        Unreadable: an audience was made, and what the partner calls it could not be read.
    """
    alias = kept.get(ALIAS, "")
    if step == "delete":
        return {"told": None, "alias": None, "calling": None}
    if step == "find":
        # Under which name it was made, nobody knows any more.
        return {"told": {}, "alias": alias, "calling": None} if alias else {"calling": None}
    if step == "create" and row.audience != ITSELF and not alias:
        message = (
            f"{event.template}: the partner made the audience, and what it calls it could not be read from its answer;"
            f" it was looked for in {event.where(ALIAS)}"
        )
        raise Unreadable(message)
    told = dict(wanted) if wanted is not None else {}
    return {"told": told, "alias": alias or row.alias, "calling": None}


def succeed(
    tx: Transaction, tenant: Tenant, row: PartnerAudience, values: dict[str, Any], actor: str, now: int
) -> None:
    """Keep what a partner said, and let take part what may from now on: whoever is a member by now is sent."""
    told = values.get("told", row.told)
    state = "ready" if told is not None else ("creating" if row.state != "deleting" else "deleting")
    partner_audiences.change(tx, row, now, **values, state=state, reason=None, attempts=0)
    access.raise_configuration(tx, row.tenant)
    place = wanting.place_of(tx, tenant, row)
    if row.told is not None and told is None and row.audience != ITSELF and place is not None:
        wanting.forget_members(place, row.audience, now)
    if told is None or place is None:
        return
    if row.audience == ITSELF and row.told is None:
        wanting.follow(tx, tenant, place.target.id, actor, now)
    else:
        wanting.join(place, now)


def fail(
    tx: Transaction, run: Run, before: PartnerAudience, row: PartnerAudience, error: HeadraceError, now: int
) -> None:
    """
    Keep why a request failed, and ask for the next try, unless somebody has already or the operator has to decide.

    ``before`` is how it stood before the request began; ``row`` is the same where it did not come to that.
    """
    is_begun = row is not before
    is_known = is_begun and not is_in_doubt(error)
    failed = replace(
        row,
        state="failed",
        reason=error.message,
        attempts=row.attempts if is_begun else row.attempts + 1,
        calling=before.calling if is_known else row.calling,
    )
    place = wanting.place_of(tx, tenant_of(tx, row.tenant), row)
    if place is None:
        return
    has_to_ask = place.step(failed) == "ask"
    values = {name: getattr(failed, name) for name in ("state", "attempts", "calling")}
    reason = _to_decide(error.message) if has_to_ask else error.message
    current = partner_audiences.get(tx, row.tenant, row.target, row.audience)
    was_so = partner_audiences.change(tx, row, now, **values, reason=reason)
    if was_so and not has_to_ask and current is not None and current.run == run.run:
        wanting.ask(tx, failed, "nothing", run.actor, now, now + wait_after(failed.attempts))


def rest(place: Place, row: PartnerAudience, step: Step, now: int) -> None:
    """Keep that there is nothing to send: the partner agrees, is to have nothing, or the operator has to decide."""
    tx = place.tx
    if step == "forget":
        wanting.forget(place, row, now)
    elif step == "ask":
        partner_audiences.change(tx, row, now, state="failed", reason=_to_decide(row.reason))
    else:
        partner_audiences.change(tx, row, now, state="ready", reason=wanting.note_of(place, row))
        wanting.join(place, now)


def _to_decide(reason: str | None) -> str:
    if reason is None:
        return f"the request to make the audience was cut off, and {_IN_DOUBT}"
    return reason if _IN_DOUBT in reason else f"{reason}; {_IN_DOUBT}"
