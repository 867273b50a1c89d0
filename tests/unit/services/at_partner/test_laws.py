"""No history leaves two audiences of one at the partner, or one that nobody wants, or a wish unfulfilled."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.testkit.audiences import AudienceBook
from unit.services.at_partner.branch import Branch

AUDIENCES = ("a", "b")
DATAFLOWS = ("flow", "second")


class Died(BaseException):
    """The process ended between the partner's answer and our commit."""


class Mortal(AudienceBook):
    """A partner whose next answers kill whoever waits for them."""

    deaths = 0

    def __call__(self, received):
        answer = super().__call__(received)
        if self.deaths and received.path.startswith("/audiences"):
            self.deaths -= 1
            raise Died
        return answer


wishes = st.tuples(st.sampled_from(("map", "unmap")), st.sampled_from(DATAFLOWS), st.sampled_from(AUDIENCES))
faults = st.tuples(
    st.sampled_from(("fail", "doubt", "lose")), st.sampled_from(("POST", "DELETE", "GET", "PATCH")), st.just("")
)
others = st.sampled_from((("carry", "", ""), ("later", "", ""), ("die", "", ""), ("retry", "", ""), ("rename", "", "")))


class History:
    """A house to which things happen, and what is wished for by now."""

    def __init__(self, branch):
        self.branch = branch
        self.book = branch.partner.book = branch.book = Mortal()
        self.wished = {name: set() for name in DATAFLOWS}
        self.names = 0

    async def begin(self):
        await self.branch.author()
        for name in DATAFLOWS:
            await self.branch.start(name=name)

    async def happen(self, what, one, two):
        await getattr(self, what)(one, two)

    async def map(self, flow, audience):
        if audience not in self.wished[flow]:
            self.wished[flow].add(audience)
            await self.branch.map_audience(audience, name=flow)

    async def unmap(self, flow, audience):
        if audience in self.wished[flow]:
            self.wished[flow].remove(audience)
            place = (await self.branch.chosen(flow)).index(audience)
            await self.branch.unmap_audience(place, name=flow)

    async def rename(self, _one, _two):
        for flow in DATAFLOWS:
            if self.wished[flow]:
                self.names += 1
                where = "/transformations/0/params/segmentSelectors/selectors/0/value/name"
                await self.branch.patch({"op": "replace", "path": where, "value": f"name {self.names}"}, name=flow)

    async def fail(self, method, _):
        self.book.fail(method, 429)

    async def doubt(self, method, _):
        self.book.fail(method, 502)

    async def lose(self, method, _):
        self.book.lose(method)

    async def die(self, _one, _two):
        self.book.deaths += 1
        await self.carry("", "")

    async def later(self, _one, _two):
        self.branch.pass_time(90)
        await self.carry("", "")

    async def retry(self, _one, _two):
        await self.branch.retry()

    async def carry(self, _one, _two):
        try:
            await self.branch.carry()
        except Died:
            return

    async def end(self):
        """Let the partner be well, and time pass."""
        self.book.deaths = 0
        self.book._faults.clear()
        for _ in range(3):
            await self.branch.carry()
            self.branch.pass_time(4000)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(wishes, wishes, faults, others), max_size=25))
def test_the_partner_has_what_is_wished_for_once_and_nothing_else(history):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live_through(history, Path(folder)))


async def _live_through(history, folder):
    branch = Branch(folder)
    try:
        living = History(branch)
        await living.begin()
        for event in history:
            await living.happen(*event)
        await living.end()

        wished = set().union(*living.wished.values())
        assert Counter(kept.ref for kept in living.book.kept.values()) == Counter(wished)
        for flow in DATAFLOWS:
            assert branch.mapped(flow) == sorted(living.wished[flow])
        names = dict(branch.rows("SELECT id, name FROM audiences"))
        assert {kept.name for kept in living.book.kept.values()} == {names[id_] for id_ in wished}
        assert {row[0] for row in branch.rows("SELECT state FROM partner_audiences")} <= {"ready"}
    finally:
        branch.close()
