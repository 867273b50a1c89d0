"""Rows become files: split, counted, stored whole or not at all; whoever fails, nothing hangs."""

import asyncio
import contextlib
import gzip
import hashlib
import json
import threading
from contextlib import contextmanager

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports import Memory, MemoryStaged, look, parts_of
from headrace.batch import parts
from headrace.batch.export import WAITING, Manner, export
from headrace.batch.parts import PIECE, Rows
from headrace.connect.storage import NotStored
from headrace.datasets.engine import BadQuery, Engine
from headrace.errors import OperationError
from headrace.model.problem import ConfigurationError

#: Text that does not give way to compression: nine megabytes of it.
MUCH = "SELECT i, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS text FROM range(100000) AS t(i)"


@pytest.fixture(autouse=True)
def _no_thread_stays():
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("export")]


@pytest.fixture
def rows(tmp_path):
    @contextmanager
    def rows_of(sql=MUCH, **more):
        with Engine(tmp_path / "scratch", keeps_order=True, **more) as engine:
            yield Rows(engine, sql)

    return rows_of


def named(part):
    return f"part-{part}"


async def exported(*given):
    """Stage everything and publish it, as whoever wants nothing in between."""
    async with export(*given) as files:
        await files.publish()
    return files.parts


# -- what is stored ----------------------------------------------------------------------------------------------------


async def test_a_part_says_what_was_stored(rows):
    storage = Memory()
    with rows() as people:
        (first, second) = await exported(people, look("json", "gzip"), storage, Manner(named, max_rows=70_000))

    files = [gzip.decompress(storage.files[part.path]) for part in (first, second)]
    assert [file.count(b"\n") for file in files] == [70_000, 30_000] == [first.rows, second.rows]
    assert [part.plain_size for part in (first, second)] == [len(file) for file in files]
    for part in (first, second):
        assert part.size == len(storage.files[part.path])
        assert part.sha256 == hashlib.sha256(storage.files[part.path]).hexdigest()
    assert [json.loads(line)["i"] for file in files for line in file.splitlines()] == list(range(100_000))


async def test_no_rows_are_one_file_without_any(rows):
    storage = Memory()
    with rows("SELECT 1 AS a WHERE false") as nobody:
        (part,) = await exported(nobody, look("json"), storage, Manner(named))

    assert (part.number, part.rows, part.size, storage.files) == (1, 0, 0, {"part-1": b""})


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(1, 25), st.sampled_from([1, 7, 8192]))
def test_files_hold_all_rows_in_order_and_each_but_the_last_is_full(tmp_path_factory, count, limit, batch):
    sql = f"SELECT i FROM range({count}) AS t(i)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "BATCH", batch)
        made = parts_of(tmp_path_factory.mktemp("split"), sql, look("json"), limit)

    full, rest = divmod(max(count - 1, 0), limit)
    assert [rows for rows, _ in made] == [limit] * full + [rest + 1 if count else 0]
    assert all(file.count(b"\n") == rows for rows, file in made)
    assert b"".join(file for _, file in made) == b"".join(b'{"i":%d}\n' % i for i in range(count))


async def test_the_limit_is_that_of_the_format_where_none_is_said(rows):
    storage = Memory()
    with rows("SELECT 1 AS a FROM range(5000010)") as many:
        first, second = await exported(many, look("json"), storage, Manner(named))

    assert (first.rows, second.rows) == (5_000_000, 10)


async def test_what_is_stored_may_be_sealed_and_is_counted_as_it_is_stored(rows):
    async def seal(pieces):
        yield b"head"
        async for piece in pieces:
            yield bytes(reversed(bytes(piece)))

    storage = Memory()
    with rows("SELECT 1 AS a") as people:
        (part,) = await exported(people, look("json"), storage, Manner(named, seal=seal))

    assert storage.files == {"part-1": b'head\n}1:"a"{'}
    assert (part.plain_size, part.size) == (8, 12)
    assert part.sha256 == hashlib.sha256(b'head\n}1:"a"{').hexdigest()


async def test_progress_is_told_after_every_piece(rows):
    told = []
    with rows() as people:
        manner = Manner(named, max_rows=60_000, progress=lambda **how_far: told.append(how_far))
        stored = await exported(people, look("json"), Memory(), manner)

    assert [item["part"] for item in told] == sorted(item["part"] for item in told)
    for part in stored:
        own = [item for item in told if item["part"] == part.number]
        assert own[-1] == {"part": part.number, "rows": part.rows, "size": part.size}
        assert len(own) == -(-part.size // PIECE)
        assert [item["rows"] for item in own] == sorted(item["rows"] for item in own)


async def test_the_same_rows_are_the_same_files(rows):
    sums = []
    for _ in range(2):
        with rows() as people:
            sums.append([part.sha256 for part in await exported(people, look("json", "gzip"), Memory(), Manner(named))])

    assert sums[0] == sums[1]


async def test_rows_may_come_from_arrow(tmp_path):
    reader = pa.RecordBatchReader.from_batches(
        pa.schema([("name", pa.string())]),
        iter([pa.record_batch({"name": ["Ana"]}), pa.record_batch({"name": ["Bo"]})]),
    )
    storage = Memory()
    with Engine(tmp_path / "scratch", keeps_order=True) as engine:
        engine.view_reader("people", reader)
        await exported(Rows(engine, "SELECT * FROM people -- all"), look("json"), storage, Manner(named))

    assert storage.files == {"part-1": b'{"name":"Ana"}\n{"name":"Bo"}\n'}


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def test_nobody_sees_a_part_before_all_are_uploaded(rows):
    storage = Memory()
    with rows() as people:
        async with export(people, look("json"), storage, Manner(named, max_rows=40_000)) as files:
            assert (list(storage.files), list(storage.staged)) == ([], ["part-1", "part-2", "part-3"])
            stored = await files.publish()
    assert [(one.path, one.size) for one in stored] == [(part.path, part.size) for part in files.parts]
    assert (list(storage.files), storage.staged) == (["part-1", "part-2", "part-3"], {})


@pytest.mark.parametrize("error", [None, ZeroDivisionError, asyncio.CancelledError])
async def test_what_is_not_published_is_taken_back(rows, error):
    storage = Memory()
    with rows() as people, contextlib.suppress(error or ()):
        async with export(people, look("json"), storage, Manner(named, max_rows=40_000)):
            assert len(storage.staged) == 3
            if error:
                raise error
    assert (storage.files, storage.staged) == ({}, {})


@pytest.mark.parametrize(("is_there", "cause"), [(True, "exists"), (False, "gone")])
async def test_what_was_published_stays_where_a_later_part_cannot_be(rows, is_there, cause):
    storage = Memory()
    with rows() as people:
        async with export(people, look("json"), storage, Manner(named, max_rows=40_000)) as files:
            if is_there:
                storage.files["part-2"] = b"the other's"
            else:
                del storage.staged["part-2"]
            with pytest.raises(NotStored) as refused:
                await files.publish()
    assert refused.value.cause == cause
    assert (set(storage.files) - {"part-2"}, storage.staged) == ({"part-1"}, {})


async def test_a_storage_that_fails_ends_the_export_and_nothing_is_seen_of_it(rows):
    storage = Memory(fails_after=8)
    with rows() as people, pytest.raises(NotStored, match="there is no room"):
        await exported(people, look("json"), storage, Manner(named, max_rows=40_000))

    assert storage.taken == 8
    assert (storage.files, storage.staged) == ({}, {})


@pytest.mark.parametrize(
    "bad",
    [
        "if(i = 90000, 'geheim', i::VARCHAR)::BIGINT",
        "CASE WHEN i = 90000 THEN 'geheim ' || i ELSE '1' END::INT",
        "error('geheim' || i)::INT",
    ],
)
async def test_rows_that_cannot_be_read_leave_no_file_and_say_nothing_of_people(rows, bad):
    storage = Memory()
    sql = f"SELECT {bad} AS x, i, md5(i::VARCHAR) FROM range(100000) AS t(i)"
    with rows(sql) as people, pytest.raises(OperationError) as caught:
        await exported(people, look("json"), storage, Manner(named))

    assert storage.files == {}
    assert "geheim" not in str(caught.value)
    assert str(caught.value).startswith("the rows of the export cannot be read: ")


async def test_a_storage_may_say_in_its_own_words_that_its_pieces_failed(rows):
    class Wordy(Memory):
        async def stage(self, path, pieces, *, replaces=False):
            try:
                return await super().stage(path, pieces, replaces=replaces)
            except OperationError:
                raise NotStored("refused", "the body ended early") from None

    sql = "SELECT i::TINYINT AS x FROM range(100000) AS t(i)"
    with rows(sql) as people, pytest.raises(OperationError, match="cannot be read: Conversion Error"):
        await exported(people, look("json"), Wordy(), Manner(named))


async def test_an_engine_can_be_used_again_after_an_export_whatever_came_of_it(rows):
    with rows() as people:
        await exported(people, look("json"), Memory(), Manner(named))
        with pytest.raises(NotStored):
            await exported(people, look("json"), Memory(fails_after=1), Manner(named))
        (part,) = await exported(people, look("json"), Memory(), Manner(named))

    assert part.rows == 100_000


async def test_too_little_memory_is_said(rows):
    sql = "SELECT list(i::VARCHAR || md5(i::VARCHAR)) AS x FROM range(3000000) AS t(i)"
    with rows(sql, memory_mb=40) as people, pytest.raises(OperationError, match="Out of Memory Error"):
        await exported(people, look("json"), Memory(), Manner(named))


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT nobody", BadQuery),
        ("DROP TABLE x", BadQuery),
        ("SELECT INTERVAL 1 MONTH AS wait", ConfigurationError),
    ],
)
async def test_what_is_no_query_is_refused_before_anything_is_stored(rows, sql, error):
    storage = Memory()
    with rows(sql) as people, pytest.raises(error):
        await exported(people, look("json"), storage, Manner(named))

    assert storage.taken == 0


@pytest.mark.parametrize("after", [0, 1, 5])
async def test_an_export_that_is_cancelled_ends_both_sides(rows, after):
    class Hanging(Memory):
        async def stage(self, path, pieces, *, replaces=False):
            async for _ in pieces:
                self.taken += 1
                if self.taken > after:
                    reached.set()
                    await asyncio.Event().wait()

    reached, storage = asyncio.Event(), Hanging()
    with rows() as people:
        running = asyncio.create_task(exported(people, look("json"), storage, Manner(named)))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert storage.taken == after + 1


async def test_a_query_that_has_not_answered_yet_is_interrupted(rows):
    sql = "SELECT sum(hash(a.i + b.i)) AS x FROM range(1000000) AS a(i), range(1000000) AS b(i)"
    with rows(sql) as endless:
        running = asyncio.create_task(exported(endless, look("json"), Memory(), Manner(named)))
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 20)


async def test_a_seal_that_fails_ends_the_export_and_is_closed(rows):
    closed = []

    async def seal(pieces):
        try:
            async for piece in pieces:
                yield piece
                raise OperationError("the key has expired")
        finally:
            closed.append(True)

    storage = Memory()
    with rows() as people, pytest.raises(OperationError, match="the key has expired"):
        await exported(people, look("json"), storage, Manner(named, seal=seal))

    assert (closed, storage.files) == ([True], {})


async def test_a_storage_that_takes_only_the_beginning_is_found_out(rows):
    class Hasty(Memory):
        async def stage(self, path, pieces, *, replaces=False):
            async for piece in pieces:
                self.staged[path] = bytes(piece)
                return MemoryStaged(self, path, len(piece), replaces)
            return None

    with rows() as people, pytest.raises(NotStored, match="only the beginning of part-1"):
        await exported(people, look("json"), Hasty(), Manner(named))


async def test_no_more_is_made_than_a_few_pieces_ahead_of_what_is_taken(rows, monkeypatch):
    made, ahead = [], []
    original = parts._Part._put
    monkeypatch.setattr(parts._Part, "_put", lambda self, data, **more: (made.append(1), original(self, data, **more)))

    class Slow(Memory):
        async def stage(self, path, pieces, *, replaces=False):
            async for _ in pieces:
                self.taken += 1
                await asyncio.sleep(0.02)
                ahead.append(len(made) - self.taken)
            self.staged[path] = b""
            return MemoryStaged(self, path, 0, replaces)

    with rows() as people:
        await exported(people, look("json"), Slow(), Manner(named))

    assert max(ahead) <= WAITING + 1


# -- a folder ----------------------------------------------------------------------------------------------------------


async def pieces_of(*texts):
    for text in texts:
        if isinstance(text, Exception):
            raise text
        yield text
