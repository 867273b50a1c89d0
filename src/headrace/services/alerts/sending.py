"""
Telling subscriptions of alerts, by mail or by webhook: at least once, and under the same id each time.

One subscription is told in the order in which things happened: what waits behind a message that cannot be delivered
goes once that has gone, or was given up.
"""

import uuid
from dataclasses import dataclass

import orjson

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.connect.mail import Mail, Mailer
from headrace.connect.webhooks import WebhookSigner
from headrace.crashpoints import crashpoint
from headrace.errors import HeadraceError, OperationError, PartnerError
from headrace.model.http import Request, Response
from headrace.orchestrate.port import Json
from headrace.services import sealing
from headrace.services.alerts.conditions import SUBSCRIPTION
from headrace.services.alerts.notices import KIND, Notice, Told, document_of, subject_of, text_of
from headrace.services.at_partner.recording import wait_after
from headrace.services.catalog import tenant_of
from headrace.services.reaching import HEADRACE, Errand, Reaching
from headrace.services.sealing import Safe
from headrace.services.steps import HeldSteps, patiently
from headrace.store import alerts, dataflows, documents, runs
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared
from headrace.store.runs import Run

#: How often it is tried by itself, which takes most of a day.
MOST_TRIES = 24
#: Seconds that a webhook may take.
DEADLINE = 15.0
_NAMES = uuid.UUID("5c6e1d0f-6f2b-4d5f-9a54-0f6f4f6f2a11")
_WAITS = "a message before it has not been delivered yet"
#: What is still to be told goes again after this, however often the one before it has failed.
_NEXT = 15_000


class NotTold(PartnerError):
    """The subscription was not told."""

    code = "not-told"


@dataclass(frozen=True, slots=True)
class Sending:
    """Carries the runs that tell subscriptions. Without a ``mailer`` no mail is sent."""

    store: Store
    clock: Clock
    keyring: Keyring
    reaching: Reaching
    mailer: Mailer | None

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Tell a subscription. One that is deleted is told nothing, and the run ends quietly.

        Raises:
            NotTold: it was not told; another run is asked for, until it was tried often enough.
        """
        fault = await steps.step("tell", lambda: self._tell(run))
        if fault is not None:
            await steps.step("ask again", lambda: self._ask_again(run, fault))
            raise NotTold(fault["reason"])

    async def _tell(self, run: Run) -> Json:
        """Tell it; return why it was not told."""
        known, told, is_held = await patiently(lambda: self.store.read(lambda tx: _read(tx, run)))
        if known is None:
            return None
        if is_held:
            return {"reason": _WAITS, "counts": False}
        try:
            if known.document.get("mail") is not None:
                await self._mail(run, known, told)
            else:
                await self._post(run, known, told)
        except HeadraceError as error:
            return {"reason": error.message, "counts": True}
        crashpoint("after_alert_sent")
        return None

    async def _mail(self, run: Run, known: Declared, told: Told) -> None:
        if self.mailer is None:
            raise OperationError("there is no mail server: whoever runs Headrace sets HEADRACE_SMTP_URL")
        mail = Mail(known.document["mail"], id_of(run), subject_of(told), text_of(told), told.at)
        await self.mailer.send(mail)

    async def _post(self, run: Run, known: Declared, told: Told) -> None:
        secrets = sealing.secrets_of(Safe(self.keyring, told.tenant), known.id, known.document)
        headers = (("Content-Type", "application/json"),)
        request = Request("POST", known.document["webhook"], headers, orjson.dumps(document_of(told)))
        signer = WebhookSigner.of(secret.reveal() for secret in secrets)
        signed = signer.sign(request, id_of(run), self.clock.now())
        errand = Errand(told.tenant.tenant, HEADRACE, SUBSCRIPTION, known.id)
        _refuse_unless_taken(
            await self.reaching.send(errand, signed, DEADLINE, f"{told.tenant.tenant}:{known.id}:alerts")
        )

    async def _ask_again(self, run: Run, fault: dict[str, Json]) -> None:
        """Ask for the next try, unless somebody has already: also when this step is done a second time."""
        now, tried = self.clock.now(), run.progress.get("tried", 0) + bool(fault["counts"])

        def work(tx: Transaction) -> None:
            is_test = "test" in run.subject  # Somebody waits for the answer, and can try again.
            if tried < MOST_TRIES and not is_test and not runs.is_tried_again(tx, run.run):
                due = now + (wait_after(tried) if fault["counts"] else _NEXT)
                progress = {"tried": tried}
                runs.ask(tx, run.tenant, KIND, run.subject, run.actor, now, due, progress=progress, retry_of=run.run)

        await patiently(lambda: self.store.write(work))


def id_of(run: Run) -> str:
    """Return the id of a message, the same one however often it is sent."""
    return str(uuid.uuid5(_NAMES, f"{run.tenant}:{orjson.dumps(run.subject, option=orjson.OPT_SORT_KEYS).decode()}"))


def _read(tx: Transaction, run: Run) -> tuple[Declared | None, Told, bool]:
    """Return the subscription, what it is told, and whether a message before this one has still to go."""
    subject, tenant = run.subject, tenant_of(tx, run.tenant)
    known = documents.get(tx, run.tenant, SUBSCRIPTION, subject["subscription"])
    notices = tuple(_notice(tx, run.tenant, kept) for kept in subject.get("notices", ()))
    names = {id_: name for _, id_, name in dataflows.names(tx, run.tenant)}
    told = Told(tenant, notices, names, subject.get("more", 0), subject["at"], is_test=subject.get("test", False))
    others = [other.subject for other in runs.unfinished(tx, run.tenant, KIND) if other.run != run.run]
    is_held = any(
        other["subscription"] == subject["subscription"] and other["at"] < subject["at"] and "test" not in subject
        for other in others
    )
    return known, told, is_held


def _notice(tx: Transaction, tenant: int, kept: list[Json]) -> Notice:
    alert = alerts.get(tx, (tenant, *kept[:3]))
    return Notice.from_json(tenant, kept, alert.reason if alert is not None else "")


def _refuse_unless_taken(response: Response) -> None:
    if not 200 <= response.status < 300:
        raise NotTold(f"the webhook answered {response.status}")
