"""
What a partner is still to be told of tokens that are not used here any more (RFC 7009), and the runs that tell it.

The token leaves its account at once, in the transaction that revokes or deletes that, and what the partner is told is
set aside by itself: whole, for neither the account nor the configuration it was made of need be there when it is sent;
sealed, under an id of its own, where the rotation of keys finds it; and until its run has come to an end. The run knows
the id alone.
"""

import uuid
from dataclasses import dataclass

from headrace.connect.auth import Revocation
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.store import audit, runs, sign_in_states
from headrace.store.database import Transaction
from headrace.store.runs import Run

#: The kind of the runs that tell partners.
KIND = "revocation"
_PREFIX = "revocation."


@dataclass(frozen=True, slots=True)
class Notice:
    """What a partner is to be told, sealed."""

    id: str
    sealed: dict[str, str]


def seal(safe: Safe, revocation: Revocation) -> Notice:
    """Seal what a partner is to be told. Never inside work of the store."""
    id_ = str(uuid.uuid4())
    return Notice(id_, safe.seal(id_, {f"{_PREFIX}{name}": text for name, text in revocation.texts().items()}))


def ask(tx: Transaction, holder: Holder, notice: Notice, actor: str, now: int) -> Run:
    """Set aside what a partner is to be told, and ask for the run that tells it."""
    tenant = holder.tenant.tenant
    sign_in_states.set_aside(tx, tenant, notice.id, notice.sealed, now)
    return runs.ask(tx, tenant, KIND, {"account": holder.id, "notice": notice.id}, actor, now)


def kept(tx: Transaction, safe: Safe, run: Run) -> Revocation | None:
    """
    Return what a run has to tell, opened; ``None`` once it is forgotten.

    Raises:
        OperationError: it cannot be opened.
    """
    id_ = run.subject["notice"]
    aside = sign_in_states.get(tx, run.tenant, id_)
    if aside is None or aside.sealed is None:
        return None
    opened = safe.open(id_, aside.sealed)
    return Revocation.of({name.removeprefix(_PREFIX): secret.reveal() for name, secret in opened.items()})


def forget(tx: Transaction, run: Run) -> bool:
    """Forget for good what a run had to tell; says whether it was still kept."""
    return sign_in_states.forget_aside(tx, run.tenant, run.subject["notice"])


def note(tx: Transaction, tenant: int, account: str, actor: str, now: int, fault: str | None) -> None:
    """Write down that the partner was told, or why it was not."""
    details = {"outcome": "told"} if fault is None else {"outcome": "not told", "reason": fault}
    audit.note(tx, tenant, actor, "tell-partner", "account", account, now, details=details)
