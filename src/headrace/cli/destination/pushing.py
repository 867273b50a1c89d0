"""Carrying out a plan: each object in its turn, remembered as soon as it is there."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headrace.cli.destination.comparing import as_sent
from headrace.cli.destination.lock import Lock, Seen, digest
from headrace.cli.destination.planning import Action, Step
from headrace.cli.destination.remote import Refused, Remote, Stored
from headrace.cli.destination.secrets import filled
from headrace.errors import HeadraceError
from headrace.services.checks import DESTINATION


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was taken, and which secrets went along."""

    step: Step
    id: str
    note: str = ""


@dataclass
class Push:
    """A plan on its way: what is done, and what stopped it."""

    remote: Remote
    lock: Lock
    steps: list[Step]
    resends: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stopped_by: HeadraceError | None = None
    left: list[Step] = field(default_factory=list)

    def run(self) -> Iterator[Done]:
        """
        Take the steps; yield each once it is done and remembered.

        A server or template that is refused as it is may be right once the destinations that use it are changed: it is
        tried once more after them. Any other refusal ends the push, with ``stopped_by`` and ``left``.
        """
        self._ids = {step.name: step.stored.id for step in self.steps if step.stored is not None}
        waiting, deferred = deque(self.steps), set[str]()
        while waiting:
            step = waiting[0]
            try:
                done = self._take(step)
            except HeadraceError as error:
                if self._may_wait(step, error, deferred, waiting):
                    deferred.add(step.name)
                    waiting.append(waiting.popleft())
                    continue
                self.stopped_by, self.left = error, [one for one in waiting if one.changes]
                break
            waiting.popleft()
            self.lock.save()
            if step.changes:
                yield done

    def _take(self, step: Step) -> Done:
        if step.action is Action.delete:
            assert step.stored is not None
            self.remote.delete(step.noun, step.stored)
            del self.lock.seen[step.name]
            return Done(step, step.stored.id)
        if step.local is None:
            return Done(step, self._ids[step.name])
        stored, note = (step.stored, "") if step.action is Action.leave else self._send(step)
        assert stored is not None
        self._ids[step.name] = stored.id
        self.lock.seen[step.name] = Seen(stored.id, stored.version, digest(step.local.document))
        return Done(step, stored.id, note)

    def _send(self, step: Step) -> tuple[Stored, str]:
        assert step.local is not None
        before = step.stored
        shown = before.document if before is not None else None
        document, sent = filled(step.noun, step.local.document, shown, self.environment, sends_again=self.resends)
        document = as_sent(document, self._ids)
        if before is None:
            stored = self.remote.create(step.noun, document)
        else:
            stored = self.remote.replace(step.noun, before, document)
        return stored, _said(sent, before, stored)

    @staticmethod
    def _may_wait(step: Step, error: HeadraceError, deferred: set[str], waiting: deque[Step]) -> bool:
        is_refused = isinstance(error, Refused) and bool(error.problems)
        is_used = step.action is Action.change and step.noun.name != DESTINATION
        return is_refused and is_used and step.name not in deferred and any(one.changes for one in list(waiting)[1:])


def _said(sent: list[str], before: Stored | None, after: Stored) -> str:
    """Say which secrets were sent, and whether the server had the same ones already."""
    if not sent:
        return ""
    same = before is not None and before.fingerprints and before.fingerprints == after.fingerprints
    return f"sent {', '.join(sent)}{', the same as before' if same else ''}"
