"""A house that writes datasets into a folder of this machine, and the dataflow that does."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way
from headrace.datasets.places import Place, Places
from headrace.datasets.sources import Source, Sources
from headrace.model.flow import DATA_LAKE_SPEC
from headrace.services import activation, authoring, sources, targets
from headrace.services.datasets import TAKE, Datasets, Ground
from headrace.services.erased import Erased
from headrace.services.exports import due
from headrace.services.exports.carrying_datasets import ExportingDatasets
from headrace.services.landing.zones import LandingZones
from headrace.services.storages import Storages
from headrace.services.taking_snapshots import TakingSnapshots
from headrace.store import exported_datasets, runs
from schedules import DATASET_BATCH
from unit.datasets.yard import Yard
from unit.services.exports.filing import destination, server, text

HOUR = 3600
PARQUET = {"fileType": text("PARQUET"), "compression": text("GZIP")}
JSON = {"fileType": text("JSON"), "compression": text("GZIP")}
EVERY_3_HOURS = {"interval": 3, "timeUnit": "hour", "exportMode": "FIRST_FULL_THEN_INCREMENTAL"}
ONCE = {"interval": 0, "timeUnit": "day", "exportMode": "DAILY_FULL_EXPORT"}
PERSON = {"key": "id", "identities": [{"column": "email", "namespace": "Email"}]}


class Lake:
    """Datasets in a directory, and the partner's folder; in the words of tests."""

    def __init__(self, house, directory):
        self.house = house
        (directory / "lake").mkdir(exist_ok=True)
        self.yard = Yard((directory / "lake").resolve(), directory / "copies")
        crm = Source("crm", "sqlite", f"sqlite:///{self.yard.directory}/crm.db")
        ground = Ground(Places((Place(self.yard.directory),)), Sources((crm,)), directory / "kept")
        self.datasets = Datasets(house.store, house.clock, ground)
        zones = LandingZones(house.store, house.clock, house.keyring, directory / "partner", "http://127.0.0.1", 7, 7)
        exporting = ExportingDatasets(
            house.store,
            house.clock,
            Storages(house.keyring, house.clock, Way(Egress(AllowList()), Guard()), landing=zones.directory_of),
            self.datasets,
            Erased(house.keyring),
            Path(house.store.directory) / "exports",
            house.events.append,
        )
        house.runs.register(TAKE, TakingSnapshots(self.datasets).carry)
        house.runs.register(due.KIND, exporting.carry)
        house.pass_time(3 * HOUR)
        self.zones = zones
        self.folder = None

    async def open(self):
        """Return it with the partner's folder."""
        self.folder = await self.zones.directory_of(self.house.caller.tenant)
        return self

    # -- what lies there ----------------------------------------------------------------------------------------------

    def lay(self, folder, file, rows, schema=None):
        """Write rows into a Parquet file; one that was there before is another then."""
        directory = self.yard.directory / folder
        directory.mkdir(exist_ok=True)
        path = directory / file
        path.unlink(missing_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema), path)

    async def dataset(self, folder="people", **said):
        document = {"name": folder, "format": "parquet", "location": str(self.yard.directory / folder), **PERSON}
        return (await self.datasets.create(self.house.caller, {**document, **said})).id

    async def table(self, *rows):
        """A dataset that is what a query of a database answers."""
        self.run("CREATE TABLE people (id TEXT, email TEXT, age INTEGER)")
        self.insert(*rows)
        asked = {"format": "sql", "source": "crm", "query": "SELECT id, email, age FROM people ORDER BY id"}
        return (await self.datasets.create(self.house.caller, {"name": "people", **asked, **PERSON})).id

    def insert(self, *rows):
        for row in rows:
            self.run("INSERT INTO people VALUES (?, ?, ?)", *row.values())

    def run(self, sql, *values):
        with closing(sqlite3.connect(self.yard.directory / "crm.db")) as connection, connection:
            connection.execute(sql, values)

    async def look(self, *datasets):
        """Take a snapshot of each."""
        for id_ in datasets:
            await self.datasets.ask_for_snapshot(self.house.caller, id_)
        await self.house.carry_runs()

    # -- the dataflow -------------------------------------------------------------------------------------------------

    async def source(self, *datasets):
        named = [{"dataSetId": id_, "name": f"dataset {place}"} for place, id_ in enumerate(datasets, 1)]
        document = {"name": "lake", "connectionSpec": {"id": DATA_LAKE_SPEC}, "params": {"datasets": named}}
        made = await sources.create_source(self.house.store, self.house.clock, self.house.caller, document)
        return made.id

    async def target(self, formats=PARQUET):
        made = (self.house.store, self.house.clock, self.house.keyring, self.house.caller)
        document = server(**formats)
        document["fileBasedDlzDestination"]["path"] = text("out")
        served = await authoring.save(*made, authoring.SERVER, document)
        takes = destination(served.declared.id)
        takes |= {
            "sources": ["DATASETS"],
            "batchConfig": DATASET_BATCH,
            "schemaConfig": {"profileRequired": False, "segmentRequired": False, "identityRequired": False},
        }
        kept = await authoring.save(*made, authoring.DESTINATION, takes)
        return (await targets.create_target(*made, {"name": "t", "connectionSpec": {"id": kept.declared.id}})).id

    async def export(self, *datasets, formats=PARQUET, schedule=EVERY_3_HOURS, **more):
        start = self.house.clock.now() // 1000 + HOUR
        flow = {
            "name": "datasets",
            "sourceConnectionIds": [await self.source(*datasets)],
            "targetConnectionIds": [await self.target(formats)],
            "transformations": [],
            "scheduleParams": {"startTime": start, **schedule, **more},
        }
        stored = await activation.create(self.house.store, self.house.clock, self.house.caller, flow)
        self.house.flows["flow"] = stored.id
        return stored

    # -- what arrives -------------------------------------------------------------------------------------------------

    async def pass_slot(self, hours=3):
        """Let time pass, and carry what is due; return the new files."""
        before = self.files()
        self.house.pass_time(hours * HOUR)
        await self.house.carry_runs()
        await self.house.carry_runs()
        return sorted(set(self.files()) - set(before))

    async def rows(self, hours=3):
        """Let time pass, and return the rows that arrived."""
        return [row for path in await self.pass_slot(hours) for row in read(path)]

    def files(self):
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path for path in found if not path.name.startswith("manifest"))

    def manifests(self):
        return [json.loads(path.read_text()) for path in sorted(self.folder.rglob("manifest-*"))]

    @property
    def last(self):
        """The last run that wrote files, or failed to."""
        return self.house.store.read_now(lambda tx: runs.latest(tx, self.house.caller.number, 1, kind=due.KIND))[0]

    @property
    def told(self):
        """What the last run says of its datasets: how, and how many rows."""
        return [(one["how"], one["rows"]) for one in self.last.progress["datasets"]]

    def published(self):
        known = self.house.store.read_now(lambda tx: exported_datasets.of_dataflow(tx, self.house.caller.number, 1))
        return {id_: item.snapshot for id_, item in known.items()}


def read(path):
    if path.name.endswith(".json.gz"):
        return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return pq.read_table(path).to_pylist()


def people(*numbers, **more):
    return [{"id": f"C-{number}", "email": f"p{number}@example.com", "age": number, **more} for number in numbers]
