"""One way of one connection: what comes is passed on as the faults have it that are on at the moment."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from headrace.testkit.faults.kinds import Bandwidth, Blackhole, Cut, Drip, Fault, Garbage, HalfClose, Latency, Reset

_PIECE = 65_536
#: How many pieces wait for their time; whoever sends more has to wait too.
_WAITING = 64
#: A limited rate is given out in so many parts of a second.
_PARTS = 20


@dataclass(eq=False, slots=True)
class Active:
    """
    A fault that is on, for all connections or for the next ``left``.

    ``struck`` counts what it did: connections that it ended or spoiled, pieces that it slowed down.
    """

    fault: Fault
    left: int | None = None
    struck: int = 0

    def takes_next(self) -> bool:
        """Say whether a new connection has it too, and count that one."""
        if self.left is None:
            return True
        is_taken = self.left > 0
        self.left -= is_taken
        return is_taken


@dataclass(frozen=True, slots=True)
class _Piece:
    data: bytes
    came: float
    luck: float


class Pump:
    """
    Carries bytes one way. Once ``is_deaf``, it takes what comes and drops it.

    ``count`` is told how many bytes have gone; ``end`` is called when the whole connection is to end, with whether it
    is to be broken off.
    """

    def __init__(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        luck: Random,
        count: Callable[[int], None],
        end: Callable[[bool], None],
    ) -> None:
        self._source = source
        self._target = target
        self._luck = luck
        self._count = count
        self._end = end
        self._faults: dict[Active, int] = {}
        self._passed = 0
        self._pieces: asyncio.Queue[_Piece | None] = asyncio.Queue(_WAITING)
        self._changed = asyncio.Event()
        self._swallowed_by: Active | None = None
        self.is_deaf = False

    async def run(self) -> None:
        """Carry until the source has ended, and end the target then; raises what the target's socket raises."""
        taking = asyncio.ensure_future(self._take())
        try:
            while (piece := await self._pieces.get()) is not None:
                await self._give(piece)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
        self.finish()

    def suffer(self, active: Active) -> None:
        """Have a fault from now on; what it does after some bytes counts them from here."""
        self._faults[active] = self._passed
        self._changed.set()
        if _strikes_at_once(active.fault):
            self._strike(active)

    def recover(self, active: Active) -> None:
        """Be rid of a fault. What it has swallowed is lost, so a connection that misses something is broken off."""
        self._faults.pop(active, None)
        self._changed.set()
        if self._swallowed_by is active:
            self._end(True)

    def finish(self) -> None:
        """End this way in good order, and drop what else comes."""
        if not self.is_deaf:
            self.be_deaf()
            with suppress(OSError, RuntimeError):
                self._target.write_eof()

    def be_deaf(self) -> None:
        self.is_deaf = True
        self._changed.set()

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await self._source.read(_PIECE):
                await self._pieces.put(_Piece(data, loop.time(), self._luck.uniform(-1, 1)))
        except OSError:  # Whoever sent it is gone: what has not gone on yet never does.
            self._end(True)
        await self._pieces.put(None)

    async def _give(self, piece: _Piece) -> None:
        await self._hold_back(piece)
        data = piece.data
        while data and not self.is_deaf:
            room = self._room()
            if room:
                most, seconds = self._pace()
                part, data = data[: min(room, most)], data[min(room, most) :]
                await self._write(part)
                await self._rest(seconds * len(part))
            self._strike_where_due()

    async def _write(self, data: bytes) -> None:
        self._target.write(data)
        self._passed += len(data)
        self._count(len(data))
        await self._target.drain()

    async def _hold_back(self, piece: _Piece) -> None:
        """Wait until a piece has been held back for as long as the latencies want that are on."""
        slow = {active for active in self._faults if isinstance(active.fault, Latency)}
        for active in slow:
            active.struck += 1
        while not self.is_deaf:
            wanted = sum(_latency(active.fault, piece.luck) for active in self._faults)
            left = piece.came + wanted - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await self._rest(left)

    def _pace(self) -> tuple[int, float]:
        """Return how many bytes may go together, and the seconds that each takes."""
        most, seconds = _PIECE, 0.0
        for active in self._faults:
            if isinstance(active.fault, Bandwidth):
                most, seconds = min(most, max(1, int(active.fault.rate / _PARTS))), max(seconds, 1 / active.fault.rate)
            elif isinstance(active.fault, Drip):
                most, seconds = 1, max(seconds, active.fault.every)
            else:
                continue
            active.struck += 1
        return most, seconds

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than until faults change."""
        if seconds > 0 and not self.is_deaf:
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)

    def _room(self) -> int:
        """Return how many bytes may go before the next fault strikes."""
        return min((self._until(active) for active in self._faults), default=_PIECE)

    def _until(self, active: Active) -> int:
        after = getattr(active.fault, "after", None)
        return _PIECE if after is None else self._faults[active] + after - self._passed

    def _strike_where_due(self) -> None:
        for active in [active for active in self._faults if self._until(active) == 0]:
            self._strike(active)

    def _strike(self, active: Active) -> None:
        """Do what a fault does that strikes once in a connection."""
        self._faults.pop(active)
        if self.is_deaf:
            return
        active.struck += 1
        match active.fault:
            case Cut():
                self._end(False)
            case Reset():
                self._end(True)
            case HalfClose():
                self.finish()
            case Garbage(text=text):
                self._target.write(text.encode())
            case Blackhole():
                self._swallowed_by = active
                self.be_deaf()


def _strikes_at_once(fault: Fault) -> bool:
    return isinstance(fault, Cut | Reset | Blackhole | HalfClose | Garbage) and fault.after is None


def _latency(fault: Fault, luck: float) -> float:
    return fault.seconds + fault.jitter * luck if isinstance(fault, Latency) else 0.0
