"""
How accounts stand with their partners: whether they may be used, and what becomes of it when that changes.

An account that is not signed in keeps its dataflows from claiming; their changes wait, and leave by themselves once it
is mended. So every change here raises the configuration of the sandboxes that it concerns.
"""

from dataclasses import dataclass

from headrace.clock import iso
from headrace.connect.auth import SignInNeeded
from headrace.services.checks import CREDENTIALS
from headrace.store import access, audit, begun_sign_ins, documents, sign_in_states
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.sign_in_states import NOT_SIGNED_IN, REFUSED, REVOKED, SIGN_IN_NEEDED, SIGNED_IN, SignInState

#: How long credentials that the partner refuses rest before they are tried again.
REST = 5 * 60_000

_FLOW_SERVICE = "/data/foundation/flowservice/connections"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose credentials they are: an account's, or, kept with their author, those that operators share."""

    tenant: Tenant
    id: str
    is_shared: bool = False

    @property
    def key(self) -> tuple[int, str]:
        return self.tenant.tenant, self.id

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return f"the shared credentials {self.id}" if self.is_shared else f"the account {self.id}"


def state_of(tx: Transaction, holder: Holder) -> SignInState:
    """Return how a holder stands, also if nothing has happened with it yet."""
    known = sign_in_states.get(tx, *holder.key)
    return known or SignInState(*holder.key, state=NOT_SIGNED_IN, reason=None, since=0)


def fault_of(holder: Holder, known: SignInState, *, needs_browser: bool = False) -> str | None:
    """Say why nothing may be sent with a holder's credentials, and what to do; ``None``: it may."""
    said = f": {known.reason}" if known.reason else ""
    if known.state == NOT_SIGNED_IN and needs_browser:
        return f"{holder.name} is not signed in at the partner yet: {_way_in(holder)}"
    if known.state == SIGN_IN_NEEDED:
        return f"{holder.name} has to be signed in again{said} To mend it, {_way_in(holder)}"
    if known.state == REVOKED:
        return f"the credentials of {holder.name} were revoked; to use it again, {_way_in(holder)}"
    if known.state == REFUSED:
        again = f"it is tried again every {REST // 60_000} minutes, and when it is given new credentials"
        return f"{holder.name} is refused by the partner{said}; {again}"
    return None


def told_of(tx: Transaction, holder: Holder, *, is_granted: bool) -> dict[str, str | int]:
    """
    Return how a holder stands, as the API tells it. ``is_granted``: the partner gives it tokens, by OAuth 2.

    Credentials that need none are ``ready`` until the partner refuses them.
    """
    known = state_of(tx, holder)
    state = "ready" if known.state in (NOT_SIGNED_IN, SIGNED_IN) and not is_granted else known.state
    since = {"since": known.since, "issue": known.issue} if known.since else {}
    return {"state": state, **({"reason": known.reason} if known.reason else {}), **since}


def refuse_unless_usable(holder: Holder, known: SignInState, *, needs_browser: bool = False) -> None:
    """
    Refuse to use credentials that are not signed in.

    Raises:
        SignInNeeded: they are not; the message says what to do.
    """
    fault = fault_of(holder, known, needs_browser=needs_browser)
    if fault is not None:
        raise SignInNeeded(fault[0].upper() + fault[1:])


def stop(tx: Transaction, holder: Holder, state: str, reason: str, now: int) -> bool:
    """Note that a holder can be used no longer, and why; says whether it could until now."""
    if state_of(tx, holder).state in (REFUSED, SIGN_IN_NEEDED, REVOKED):
        return False
    sign_in_states.change(tx, *holder.key, state, reason, now)
    _announce_change(tx, holder)
    return True


def note_failure(tx: Transaction, holder: Holder, reason: str, now: int) -> None:
    """Let whoever waits for an account to be signed in see that somebody came back from the partner, and was not."""
    message = f"the sign-in at the partner's page that ended at {iso(now)} failed: {reason}"
    sign_in_states.explain(tx, *holder.key, message, now)


def try_again(tx: Transaction, now: int) -> list[Holder]:
    """Let holders that a partner has refused for long enough be used again; return them."""
    rested = [_holder(tx, known) for known in sign_in_states.refused_since(tx, now - REST)]
    for holder in rested:
        sign_in_states.change(tx, *holder.key, SIGNED_IN, None, now)
        _announce_change(tx, holder)
    return rested


def begin_anew(tx: Transaction, holder: Holder, now: int) -> SignInState:
    """Forget all that the partner gave for credentials that were just replaced."""
    begun_sign_ins.forget_all_of(tx, *holder.key)
    known = sign_in_states.forget(tx, *holder.key, NOT_SIGNED_IN, None, now)
    _announce_change(tx, holder)
    return known


def remove(tx: Transaction, holder: Holder) -> None:
    """Forget a holder that is deleted."""
    begun_sign_ins.forget_all_of(tx, *holder.key)
    sign_in_states.remove(tx, *holder.key)
    _announce_change(tx, holder)


def revoke(tx: Transaction, holder: Holder, actor: str, now: int) -> SignInState:
    """Let nobody use the credentials any more, and forget what the partner gave for them."""
    begun_sign_ins.forget_all_of(tx, *holder.key)
    known = sign_in_states.forget(tx, *holder.key, REVOKED, None, now)
    audit.note(tx, holder.tenant.tenant, actor, "revoke", "account", holder.id, now)
    _announce_change(tx, holder)
    return known


def forget(tx: Transaction, holder: Holder) -> None:
    """Forget how somebody was signed in who is deleted."""
    begun_sign_ins.forget_all_of(tx, *holder.key)
    sign_in_states.remove(tx, *holder.key)


def sign_in(
    tx: Transaction, holder: Holder, sealed: dict[str, str], expires_at: int | None, actor: str, now: int
) -> SignInState:
    """Keep what the partner gave to somebody who signed in there."""
    known = sign_in_states.sign_in(tx, *holder.key, sealed, expires_at, now)
    audit.note(tx, holder.tenant.tenant, actor, "sign-in", "account", holder.id, now)
    _announce_change(tx, holder)
    return known


def _announce_change(tx: Transaction, holder: Holder) -> None:
    """Raise the configuration wherever the credentials are used: those that are shared, perhaps anywhere."""
    for number in concerned(tx, holder):
        access.raise_configuration(tx, number)


def concerned(tx: Transaction, holder: Holder) -> list[int]:
    """Return the sandboxes whose dataflows a holder's state may concern."""
    if not holder.is_shared:
        return [holder.tenant.tenant]
    return [tenant.tenant for tenant in access.all_tenants(tx)]


def _holder(tx: Transaction, known: SignInState) -> Holder:
    tenant = next(tenant for tenant in access.all_tenants(tx) if tenant.tenant == known.tenant)
    is_shared = documents.get(tx, known.tenant, CREDENTIALS, known.holder) is not None
    return Holder(tenant, known.holder, is_shared)


def _way_in(holder: Holder) -> str:
    if holder.is_shared:
        return "their author gives them anew, at /authoring/credentials"
    asked = f"`POST {_FLOW_SERVICE}/{holder.id}/authorize`"
    return f"give it new credentials or, if people sign in at the partner's page, open the address that {asked} answers"
