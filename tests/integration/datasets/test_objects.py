"""Datasets in object storage, with a real server of S3: read by way of the guard, and as they were when looked at."""

import asyncio
import contextlib
import socket
import threading
from itertools import islice
from pathlib import Path

import orjson
import pytest
import trustme

import objects
from headrace.connect.buckets import Buckets
from headrace.connect.egress import AllowList, Egress
from headrace.connect.tls import Tls
from headrace.datasets.engine import Engine
from headrace.datasets.manifest import Changed, Manifest
from headrace.datasets.objects import AHEAD, Objects, StorageUnreached
from headrace.datasets.places import Misplaced, Places
from headrace.datasets.rows import Surroundings
from headrace.datasets.snapshot import Snapshot
from headrace.datasets.sources import Source, Sources
from headrace.errors import OperationError
from headrace.model.dataset import Dataset
from headrace.model.reading import read
from unit.datasets.yard import SHAPE, TYPES, Yard, people, profile

ENDPOINTS = ("http", "https")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module", params=ENDPOINTS)
def server(request, authority):
    certificate = authority.issue_cert("127.0.0.1") if request.param == "https" else None
    with objects.server(certificate) as running:
        yield running


@pytest.fixture(scope="module")
def plain():
    with objects.server() as running:
        yield running


class Lake:
    """A bucket, and Headrace's way to it."""

    def __init__(self, server, buckets):
        self.server = server
        self.bucket = server.bucket()
        self.buckets = buckets
        self.source = source(server)

    def surroundings(self, *sources):
        known = Sources(sources or (self.source,))
        return Surroundings(Places(), known, lambda: "", objects=Objects(known, self.buckets))

    async def take(self, *sources, location="s3://lake/people", format_="csv", **said):
        said = said or {**SHAPE, "types": TYPES if format_ == "csv" else {}}
        dataset, _ = read(Dataset, {"name": "people", "format": format_, "location": location, **said})
        return await asyncio.to_thread(Snapshot.take, self.surroundings(*sources), dataset)

    def lay(self, path, below):
        for file in sorted(path.rglob("*") if path.is_dir() else [path]):
            if file.is_file():
                self.bucket.put(f"{below}/{file.name}", file.read_bytes())

    def clear(self):
        for page in self.bucket.list():
            self.bucket.delete([one["path"] for one in page])


def source(server, url="s3://lake", access_key=objects.KEY, secret_key=objects.SECRET, endpoint=""):
    keys = {"access_key": access_key, "secret_key": secret_key}
    return Source("lake", "s3", url, region="us-east-1", endpoint=endpoint or server.endpoint, **keys)


@contextlib.asynccontextmanager
async def way_to(server, allow, tls=None):
    buckets = Buckets(Egress(AllowList.parse(allow)), tls)
    await buckets.start()
    try:
        made = Lake(server, buckets)
        made.clear()
        yield made
    finally:
        await buckets.stop()


@pytest.fixture
async def lake(plain):
    async with way_to(plain, plain.endpoint) as made:
        yield made


async def shaped(snapshot):
    return await asyncio.to_thread(lambda: [orjson.loads(document) for _, _, document in snapshot.profiles()])


@pytest.mark.parametrize("format_", ["parquet", "csv", "ndjson", "arrow"])
async def test_people_in_a_bucket_are_read_in_every_format_of_files(server, authority, tmp_path, format_):
    table = people(25)
    local = Path(Yard(tmp_path, tmp_path / "copies").declared(format_, table)["location"])
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with way_to(server, server.endpoint, Tls(tmp_path / "ca.pem")) as lake:
        await asyncio.to_thread(lake.lay, local, "people")

        snapshot = await lake.take(format_=format_)

        assert await shaped(snapshot) == [profile(row) for row in table.to_pylist()]
        assert await asyncio.to_thread(snapshot.count, lambda *_: True) == 25
        again = Snapshot.open(lake.surroundings(), snapshot.dataset, Manifest.read(snapshot.manifest.document()))
        assert await shaped(again) == await shaped(snapshot)
        assert {file.path.rpartition("/")[0] for file in snapshot.manifest.files} == {"s3://lake/people"}


async def test_sql_is_asked_over_a_bucket(lake, tmp_path):
    local = Path(Yard(tmp_path, tmp_path / "copies").declared("parquet", people(25))["location"])
    lake.lay(local, "people")
    snapshot = await lake.take(format_="parquet")

    def ask():
        with Engine(tmp_path / "scratch") as engine:
            snapshot.view(engine, "people")
            engine.lock()
            return engine.read("SELECT count(*) AS n, max(age) AS oldest FROM people").read_all().to_pylist()

    assert await asyncio.to_thread(ask) == [{"n": 25, "oldest": 23}]


CSV = b"id,email,city,age\nC-1,a@example.com,Bern,1\n"


@pytest.mark.parametrize(
    ("location", "names"),
    [
        ("s3://lake/people", ["b/deep.csv", "day-1.csv", "day-2.csv"]),
        ("s3://lake/people/", ["b/deep.csv", "day-1.csv", "day-2.csv"]),
        ("s3://lake/people/day-*.csv", ["day-1.csv", "day-2.csv"]),
        ("s3://lake/people/day-[2-9].csv", ["day-2.csv"]),
        ("s3://lake/people/readme.md", ["readme.md"]),
    ],
)
async def test_a_location_is_an_object_those_below_a_prefix_or_a_pattern(lake, location, names):
    laid = ("people/day-1.csv", "people/day-2.csv", "people/b/deep.csv", "people/readme.md", "people/_day-3.csv")
    for key in (*laid, "people/.tmp/day-4.csv", "peoples/day-5.csv"):
        lake.bucket.put(key, CSV)

    snapshot = await lake.take(location=location)

    assert [file.path.removeprefix("s3://lake/people/") for file in snapshot.manifest.files] == names


async def test_nothing_there_is_said(lake):
    for location in ("s3://lake/nobody", "s3://lake/nobody-*.csv", "s3://lake"):
        with pytest.raises(Misplaced, match="no object at"):
            await lake.take(location=location)


async def test_an_object_that_was_changed_is_noticed(lake):
    lake.bucket.put("people/a.csv", CSV)
    lake.bucket.put("people/b.csv", CSV)
    snapshot = await lake.take()
    lake.bucket.put("people/b.csv", CSV.replace(b"Bern", b"Rome"))

    with pytest.raises(Changed, match=r"'s3://lake/people/b\.csv' was changed since the snapshot"):
        await shaped(snapshot)

    lake.bucket.delete("people/b.csv")
    with pytest.raises(Changed, match=r"'s3://lake/people/b\.csv' is gone"):
        await shaped(snapshot)


async def test_an_object_that_is_changed_while_it_is_read_is_noticed(lake):
    line = b'{"id":"C-1","city":"%s"}\n' % (b"x" * 200)
    lake.bucket.put("people/a.ndjson", line * (3 * AHEAD // len(line)))
    snapshot = await lake.take(format_="ndjson", key="id")
    rows = snapshot.profiles()
    await asyncio.to_thread(next, rows)
    lake.bucket.put("people/a.ndjson", line)

    with pytest.raises(Changed, match="was changed"):
        await asyncio.to_thread(list, rows)


async def test_an_object_is_read_in_memory_that_stays_flat(lake):
    line = b'{"id":"C-1","city":"%s"}\n' % (b"x" * 1000)
    size = 24 * AHEAD
    lake.bucket.put("people/a.ndjson", line * (size // len(line)))
    snapshot = await lake.take(format_="ndjson", key="id")

    def peaks():
        """Read everything, and return the peaks of memory when a part had been read, and at the end."""
        pieces = snapshot.rows.pieces()
        resident(reset=True)
        rows = sum(piece.count for piece in islice(pieces, 3))
        early = resident()
        return early, rows + sum(piece.count for piece in pieces), resident()

    early, rows, late = await asyncio.to_thread(peaks)

    assert rows == size // len(line)
    assert late - early < size // 6


def resident(*, reset=False):
    """Return the most memory that this process has had since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


async def test_what_no_source_holds_is_not_read(lake):
    lake.bucket.put("people/a.csv", CSV)
    lake.bucket.put("secret/a.csv", CSV)
    narrow = source(lake.server, "s3://lake/people")

    await lake.take(narrow, location="s3://lake/people/a.csv")
    for location in ("s3://lake/secret/a.csv", "s3://lake/peoples", "s3://lake/people/../secret", "s3://pond/people"):
        with pytest.raises(Misplaced, match="none of the buckets"):
            await lake.take(narrow, location=location)


async def test_a_bucket_that_is_not_there_is_said(lake):
    allowed = source(lake.server, "s3://pond", objects.WRITER, objects.WRITER_SECRET)

    with pytest.raises(Misplaced, match="the source 'lake' has no bucket 'pond'"):
        await lake.take(allowed, location="s3://pond/people")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"secret_key": "another"}, "SignatureDoesNotMatch"),
        ({"access_key": "nobody"}, "InvalidAccessKeyId"),
        ({"access_key": "", "secret_key": ""}, "AccessDenied"),
    ],
)
async def test_who_may_not_read_is_told_so(lake, keys, said):
    lake.bucket.put("people/a.csv", CSV)

    for location in ("s3://lake/people/*.csv", "s3://lake/people/a.csv"):
        with pytest.raises(Misplaced, match="the source 'lake' may not read") as refused:
            await lake.take(source(lake.server, **keys), location=location)
        assert said in str(refused.value) or "status 403" in str(refused.value)
        assert objects.SECRET not in str(refused.value)


async def test_a_certificate_that_nobody_vouches_for_is_said(authority):
    with objects.server(authority.issue_cert("127.0.0.1")) as running:
        async with way_to(running, running.endpoint) as lake:
            with pytest.raises(StorageUnreached, match=r"not trusted \(UnknownIssuer\).*HEADRACE_TLS_CA_FILE"):
                await lake.take()


async def test_storage_that_does_not_listen_is_said(plain):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with way_to(plain, f"{plain.endpoint} {endpoint}") as lake:
            with pytest.raises(StorageUnreached, match="'lake' was not reached"):
                await lake.take(source(plain, endpoint=endpoint))


class Trap:
    """A port that counts who connects, whatever they want."""

    def __enter__(self):
        self.taken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self._listener.accept()[0].close()
                self.taken += 1


async def test_nothing_is_dialled_but_by_the_guard_whatever_the_environment_says(lake, monkeypatch):
    lake.bucket.put("people/a.csv", CSV)
    with Trap() as trap:
        for name in ("AWS_PROXY_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "AWS_METADATA_ENDPOINT"):
            monkeypatch.setenv(name, trap.endpoint)
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            monkeypatch.setenv(name, trap.endpoint)
        for name in ("AWS_PROXY_EXCLUDES", "NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1,localhost")
        for name in ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "of-another-program")
        monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
        monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")

        assert len(await shaped(await lake.take())) == 1
        await lake.buckets.stop()
        with pytest.raises(StorageUnreached):
            await lake.take(location="s3://lake/people/*.csv")
        await lake.buckets.start()

        assert trap.taken == 0


async def test_an_endpoint_that_is_not_allowed_is_not_reached(plain):
    with Trap() as trap:
        buckets = Buckets(Egress(AllowList.parse("")))
        with pytest.raises(OperationError, match="the endpoint"):
            buckets.admit(trap.endpoint)
        async with way_to(plain, plain.endpoint) as lake:
            with pytest.raises(OperationError, match="the endpoint"):
                await lake.take(source(plain, endpoint=trap.endpoint))
        assert trap.taken == 0
