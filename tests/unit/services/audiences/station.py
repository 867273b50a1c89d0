"""A house with audiences, and a yard in which datasets of their members lie."""

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.datasets.places import Place, Places
from headrace.datasets.sources import Sources
from headrace.model.profile import decode
from headrace.services.audiences.acting import Acting
from headrace.services.audiences.asking import EVALUATE, note_cancelled
from headrace.services.audiences.declaring import Declaring
from headrace.services.audiences.evaluating import Evaluating
from headrace.services.datasets import TAKE, Datasets, Ground
from headrace.services.taking_snapshots import TakingSnapshots
from headrace.store import runs

QUERY = {"name": "Buyers", "kind": "sql", "audienceId": "a", "identity": {"column": "id", "namespace": "crmId"}}


class Station:
    def __init__(self, house, directory):
        self.house, self.caller = house, house.caller
        self.yard = (directory / "yard").resolve()
        self.yard.mkdir()
        self.lists = directory / "lists"
        ground = Ground(Places((Place(self.yard),)), Sources(()), directory / "kept")
        self.datasets = Datasets(house.store, house.clock, ground)
        self.declaring = Declaring(house.store, house.clock, self.lists)
        self.evaluating = Evaluating(self.declaring, self.datasets, house.ingestion, house.events.append)
        self.acting = Acting(house.store, house.clock, self.declaring, self.evaluating, house.ingestion)
        house.runs.register(TAKE, TakingSnapshots(self.datasets).carry)
        house.runs.register(EVALUATE, self.evaluating.carry, at_once=1, on_cancel=note_cancelled)
        self.dataset = None

    async def lay(self, *ids, name="shop"):
        """Write people down in a file, and take a snapshot of it."""
        pq.write_table(
            pa.table({"id": pa.array([str(one) for one in ids], pa.string())}), self.yard / f"{name}.parquet"
        )
        if self.dataset is None:
            said = {"name": name, "format": "parquet", "location": str(self.yard / f"{name}.parquet"), "key": "id"}
            self.dataset = (await self.datasets.create(self.caller, said)).id
        await self.datasets.ask_for_snapshot(self.caller, self.dataset)
        await self.house.carry_runs()

    async def create(self, query="SELECT id FROM shop", **said):
        return await self.declaring.create(self.caller, {**QUERY, "query": query, **said})

    async def evaluate(self, id_="a"):
        asked = await self.acting.evaluate(self.caller, id_)
        return await self.carried(id_, asked.evaluation)

    async def carried(self, id_, number):
        await self.house.carry_runs()
        return next(item for item in await self.history(id_) if item.evaluation == number)

    async def history(self, id_="a"):
        return await self.declaring.history(self.caller, id_, 100, None)

    async def upload(self, content, id_="a", kind="csv", part="all", valid_until=None):
        async def chunks():
            for place in range(0, len(content), 7):
                yield content[place : place + 7]

        asked = await self.acting.upload(self.caller, id_, chunks(), kind, part=part, valid_until=valid_until)
        return await self.carried(id_, asked.evaluation)

    def run(self, id_):
        return self.house.store.read_now(lambda tx: runs.get(tx, id_))

    async def definition(self, id_="a"):
        return (await self.declaring.read(self.caller, id_)).definition

    async def size(self, id_="a"):
        return (await self.declaring.read(self.caller, id_)).stored.size

    def members(self, namespace="ups", id_="a"):
        """The keys of the people who are in an audience by their documents."""
        return sorted(
            key
            for key, document in self.house.rows("SELECT key, document FROM profiles")
            if decode(bytes(document))["segmentMembership"].get(namespace, {}).get(id_, {}).get("status") == "realized"
        )
