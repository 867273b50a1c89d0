"""How often people may make Headrace call partners, which is what whoever searches a network would do most."""

from headrace.clock import Clock
from headrace.errors import TooManyCalls
from headrace.services import backoff
from headrace.services.caller import Caller
from headrace.store import failures
from headrace.store.database import Store, Transaction
from headrace.store.failures import Failures

MINUTE = 60_000
#: How many callers' worth of calls an organization has.
CALLERS = 5


class CallLimit:
    """
    Counts the calls of each caller and of each organization, over all processes.

    They are counted where failures to sign in are. ``last_at`` is then the beginning of the minute that is counted, and
    who has had all calls of it is locked until it ends.
    """

    def __init__(self, store: Store, clock: Clock, most: int) -> None:
        self._store = store
        self._clock = clock
        self._most = most

    async def admit(self, caller: Caller) -> None:
        """
        Count a call that is about to be made.

        Raises:
            TooManyCalls: there were as many as there may be in this minute; nothing is counted.
        """
        now, organization = self._clock.now(), caller.tenant.organization
        subjects = {
            backoff.subject_of("calls", f"{organization}:{caller.actor}"): self._most,
            backoff.subject_of("calls", organization): CALLERS * self._most,
        }

        def work(tx: Transaction) -> None:
            for subject in subjects:
                backoff.refuse_early(tx, subject, now, TooManyCalls)
            for subject, most in subjects.items():
                failures.keep(tx, _counted(failures.of(tx, subject), subject, most, now))

        await self._store.write(work)


def _counted(known: Failures | None, subject: str, most: int, now: int) -> Failures:
    is_new = known is None or now >= known.last_at + MINUTE
    count, began = (0, now) if known is None or is_new else (known.failures, known.last_at)
    return Failures(subject, count + 1, began, began + MINUTE if count + 1 >= most else 0)
