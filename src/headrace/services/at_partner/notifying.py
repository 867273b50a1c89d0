"""
Telling a partner that the files of an audience have arrived: the request `notify` of the audience template.

It is made at least once. Every call about an audience of an export has the same `export.id`, by which a partner can
tell a repetition.
"""

from dataclasses import dataclass

from headrace.clock import Clock, iso
from headrace.connect.call import CallFailed
from headrace.errors import HeadraceError
from headrace.orchestrate.port import Steps
from headrace.services.at_partner import contexts, preparing, wanting
from headrace.services.at_partner.contexts import Context
from headrace.services.at_partner.preparing import Prepared
from headrace.services.at_partner.recording import wait_after
from headrace.services.at_partner.wanting import TARGET, Place
from headrace.services.catalog import tenant_of
from headrace.services.exports import due
from headrace.services.live import alias_of
from headrace.services.partners import Partners
from headrace.services.steps import patiently
from headrace.store import audiences, documents, partner_audiences, runs
from headrace.store.access import Tenant
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction
from headrace.store.partner_audiences import PartnerAudience
from headrace.store.runs import Run

#: The kind of the runs that make the call.
KIND = "notify"
#: How often it is tried by itself, which takes most of a day; an operator can have the last run tried again.
MOST_TRIES = 24


def notify(
    tx: Transaction, tenant: Tenant, target: str, export: str, actor: str, now: int, audience: int, of: Run
) -> Run | None:
    """
    Ask for the call about an audience, in the transaction that ends an export; nothing if the template has none.

    ``export`` is the export's id, the same however often this is asked for; ``of`` the run that wrote the files.
    """
    template = wanting.metadata_of(Place.of(tx, tenant, target).template)
    if template is None or template.notify is None:
        return None
    subject = {"target": target, "export": export, "audience": audience, "of": of.run}
    subject |= {"notifies": of.subject["dataflow"]}
    return runs.ask(tx, tenant.tenant, KIND, subject, actor, now)


@dataclass(frozen=True, slots=True)
class Notices:
    """Carries the runs that tell partners of exports."""

    store: Store
    clock: Clock
    partners: Partners

    async def carry(self, run: Run, steps: Steps) -> None:
        """
        Make the call. A connection that is gone, or whose template has no `notify` any longer, ends it quietly.

        Raises:
            CallFailed: it did not succeed; another run is asked for, until it was tried often enough.
        """
        reason = await steps.step("notify", lambda: self._notify(run))
        if reason is not None:
            await steps.step("ask again", lambda: self._ask_again(run))
            raise CallFailed(reason)

    async def _notify(self, run: Run) -> str | None:
        """Make the call; return why it failed."""
        try:
            prepared = await patiently(lambda: self.store.read(lambda tx: self._prepare(tx, run)))
            event = prepared.events.get("notify") if prepared is not None else None
            if prepared is not None and event is not None:
                await event.carry_out(prepared.access, await prepared.context())
        except HeadraceError as error:
            return error.message
        return None

    def _prepare(self, tx: Transaction, run: Run) -> Prepared | None:
        target = documents.get(tx, run.tenant, TARGET, run.subject["target"])
        if target is None:
            return None
        place = Place(tx, tenant_of(tx, run.tenant), target)
        about = _about(place, run) if place.template is not None else None
        return preparing.prepare(place, self.partners, about, run.actor) if about is not None else None

    async def _ask_again(self, run: Run) -> None:
        """Ask for the next try, unless somebody has already: also when this step is done a second time."""
        now, tried = self.clock.now(), run.progress.get("tried", 0) + 1

        def work(tx: Transaction) -> None:
            if tried < MOST_TRIES and not runs.is_tried_again(tx, run.run):
                due, progress = now + wait_after(tried), {"tried": tried}
                runs.ask(tx, run.tenant, KIND, run.subject, run.actor, now, due, progress=progress, retry_of=run.run)

        await patiently(lambda: self.store.write(work))


def _about(place: Place, run: Run) -> Context | None:
    """Return what the call is about: an audience, and the export that has its files."""
    number = run.subject["audience"]
    audience = audiences.get(place.tx, run.tenant, number)
    if audience is None:
        return None
    row = partner_audiences.get(place.tx, run.tenant, place.target.id, number)
    told = (row.told if row is not None else None) or {}
    facts = place.audiences[number][1] if number in place.audiences else told
    segment = contexts.of_audience(audience, facts, _alias(place, audience, row))
    return {"segment": segment, "export": _export(place.tx, run)}


def _alias(place: Place, audience: StoredAudience, row: PartnerAudience | None) -> str | None:
    """Return what the partner calls an audience."""
    for _, flow in place.flows:
        selector = due.selectors_of(place.tx, place.tenant.tenant, flow).get(audience.audience)
        if selector is not None:
            return alias_of(selector, audience, place.edition.destination, row)
    return row.alias if row is not None else None


def _export(tx: Transaction, run: Run) -> Context:
    """Return ``export``: its id and its files, as long as its run is kept."""
    of = runs.get(tx, run.subject["of"])
    if of is None:
        return {"id": run.subject["export"], "files": []}
    slot = of.subject["slot"]
    return {
        "id": run.subject["export"],
        "run": of.run,
        "moment": iso(due.moment_of(of)),
        "slot": None if slot is None else iso(slot),
        "rows": of.progress.get("rows", 0),
        "files": [_file(file) for file in of.progress.get("files", ())],
    }


def _file(file: Context) -> Context:
    path: str = file["path"]
    return {"name": path.rpartition("/")[2], **{name: file[name] for name in ("path", "rows", "bytes", "sha256")}}
