"""
The runs that tell partners of tokens that are not used any more.

A partner is told at least once: it answers 200 also to a token that it has ended already.
"""

from dataclasses import asdict, dataclass
from typing import Any

from headrace.clock import Clock
from headrace.connect.auth import Revocation
from headrace.connect.call import CallFailed
from headrace.connect.keyring import Keyring
from headrace.crashpoints import crashpoint
from headrace.errors import HeadraceError
from headrace.services import revocations
from headrace.services.at_partner.recording import wait_after
from headrace.services.catalog import tenant_of
from headrace.services.partners import Partners
from headrace.services.sealing import Safe
from headrace.services.standing import Holder
from headrace.services.steps import HeldSteps, patiently
from headrace.store import runs
from headrace.store.database import Store, Transaction
from headrace.store.runs import Run

#: How often it is tried by itself, which takes most of a day. The token is forgotten then.
MOST_TRIES = 24
_FORGOTTEN = "Headrace keeps this token no longer, so that it cannot tell the partner; end the grant at the partner."


@dataclass(frozen=True, slots=True)
class Telling:
    """Carries the runs that tell partners."""

    store: Store
    clock: Clock
    keyring: Keyring
    partners: Partners

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Tell the partner, and forget the token for good once it is told, refuses, or was not reached for too long.

        Raises:
            CallFailed: it was not told; another run is asked for where that may help.
        """
        fault = await steps.step("tell", lambda: self._tell(run))
        await steps.step("settle", lambda: self._settle(run, steps, fault))
        if fault is not None:
            raise CallFailed(fault["reason"])

    async def _tell(self, run: Run) -> dict[str, Any] | None:
        """Tell the partner; return why it did not end the token."""
        try:
            holder, told = await patiently(lambda: self.store.read(lambda tx: self._look(tx, run)))
            if told is None:
                return {"reason": _FORGOTTEN, "may_pass": False, "after": None}
            access = self.partners.to_one_address(holder, told.url, told.secrets)
            refused = told.refused(await access.send(told.request()))
            crashpoint("after_revocation_call")
        except HeadraceError as error:
            return {"reason": error.message, "may_pass": True, "after": None}
        return asdict(refused) if refused is not None else None

    def _look(self, tx: Transaction, run: Run) -> tuple[Holder, Revocation | None]:
        tenant = tenant_of(tx, run.tenant)
        return Holder(tenant, run.subject["account"]), revocations.kept(tx, Safe(self.keyring, tenant), run)

    async def _settle(self, run: Run, steps: HeldSteps, fault: dict[str, Any] | None) -> None:
        """Ask for the next try, or forget the token and write down what became of it; a repetition does neither."""
        now, tried = self.clock.now(), run.progress.get("tried", 0) + 1

        def work(tx: Transaction) -> None:
            steps.hold(tx)
            if fault is not None and fault["may_pass"] and tried < MOST_TRIES:
                _ask_again(tx, run, now, tried, fault["after"])
            elif revocations.forget(tx, run):
                reason = fault["reason"] if fault is not None else None
                revocations.note(tx, run.tenant, run.subject["account"], run.actor, now, reason)

        await patiently(lambda: self.store.write(work))


def _ask_again(tx: Transaction, run: Run, now: int, tried: int, after: float | None) -> None:
    if runs.is_tried_again(tx, run.run):
        return
    due = now + max(wait_after(tried), int((after or 0) * 1000))
    runs.ask(tx, run.tenant, run.kind, run.subject, run.actor, now, due, progress={"tried": tried}, retry_of=run.run)
