"""The store: commits that many share, work that fails alone, one process at a time, what is there again."""

import asyncio
import sqlite3
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from headrace.errors import Conflict, OperationError
from headrace.store.database import FILE, Store, StoreUnavailable
from headrace.store.migrate import migrate
from headrace.store.tables import metadata

_ADD = "INSERT INTO organizations (name) VALUES (:name)"


def open_store(directory):
    store = Store.open(directory)
    migrate(store)
    return store


@pytest.fixture
def own(tmp_path):
    """A store of its own, for tests that close it or count in it."""
    opened = open_store(tmp_path / "data")
    yield opened
    opened.close()


def add(name):
    return lambda tx: tx.run(_ADD, {"name": name}).lastrowid


def names(store):
    return store.read_now(lambda tx: [name for (name,) in tx.run("SELECT name FROM organizations ORDER BY 1")])


def fail(tx):
    tx.run(_ADD, {"name": "half"})
    raise Conflict("no")


# -- writing ------------------------------------------------------------------------------------------------------


async def test_what_is_written_is_read(own):
    number = await own.write(add("a"))

    assert await own.read(lambda tx: tx.run("SELECT organization FROM organizations").fetchall()) == [(number,)]


async def test_work_that_raises_is_undone_and_its_error_is_raised(own):
    with pytest.raises(Conflict, match="no"):
        await own.write(fail)

    assert names(own) == []


async def test_work_that_fails_fails_alone(own):
    """Pieces that share a commit: a writer that is kept busy finds them all waiting."""
    busy, go_on = threading.Event(), threading.Event()

    def hold(tx):
        busy.set()
        assert go_on.wait(10)

    holding = asyncio.ensure_future(own.write(hold))
    await asyncio.get_running_loop().run_in_executor(None, busy.wait)
    pieces = [asyncio.ensure_future(own.write(work)) for work in (add("a"), fail, add("b"), add("a"), add("c"))]
    await asyncio.sleep(0)
    go_on.set()
    results = await asyncio.gather(*pieces, return_exceptions=True)
    await holding

    assert [type(result) for result in results] == [int, Conflict, int, type(results[3]), int]
    assert isinstance(results[3], Exception)
    assert names(own) == ["a", "b", "c"]


async def test_a_commit_that_fails_fails_for_all_who_share_it_and_for_nobody_later(own):
    await own.write(lambda tx: tx.run("PRAGMA busy_timeout = 0").fetchall())
    other = sqlite3.connect(own.directory / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await own.write(add("a"))
    other.execute("ROLLBACK")
    other.close()

    await own.write(add("b"))

    assert names(own) == ["b"]


async def test_a_full_disk_refuses_work_and_loses_nothing_that_was_answered(own):
    await own.write(add("before"))
    pages = await own.write(lambda tx: tx.run("PRAGMA page_count").fetchone()[0])
    await own.write(lambda tx: tx.run(f"PRAGMA max_page_count = {pages}").fetchall())

    with pytest.raises(StoreUnavailable, match="full"):
        await own.write(lambda tx: tx.many(_ADD, ({"name": f"{n}" * 1000} for n in range(10_000))))

    await own.write(lambda tx: tx.run("PRAGMA max_page_count = 1000000").fetchall())
    await own.write(add("later"))
    assert names(own) == ["before", "later"]


async def test_an_answer_nobody_waits_for_any_more_harms_nobody(own):
    busy, go_on = threading.Event(), threading.Event()

    def hold(tx):
        busy.set()
        assert go_on.wait(10)

    gone = asyncio.ensure_future(own.write(hold))
    await asyncio.get_running_loop().run_in_executor(None, busy.wait)
    gone.cancel()
    go_on.set()

    assert await own.write(add("a"))


async def test_many_at_once_are_all_answered_in_order(own):
    numbers = await asyncio.gather(*(own.write(add(f"{n:04}")) for n in range(600)))

    assert numbers == sorted(numbers)
    assert len(names(own)) == 600


def test_work_may_be_waited_for_in_a_thread(own):
    assert own.write_now(add("a")) == 1
    with pytest.raises(Conflict):
        own.write_now(fail)


async def test_readers_see_what_is_committed_and_not_what_is_under_way(own):
    def look(tx):
        tx.run(_ADD, {"name": "a"})
        return names(own)

    assert await own.write(look) == []
    assert names(own) == ["a"]


def test_closing_commits_what_waits(tmp_path):
    store = open_store(tmp_path)

    async def write_and_go():
        pieces = [asyncio.ensure_future(store.write(add(str(n)))) for n in range(20)]
        await asyncio.sleep(0)
        store.close()
        await asyncio.gather(*pieces)

    asyncio.run(write_and_go())

    reopened = open_store(tmp_path)
    assert len(names(reopened)) == 20
    reopened.close()


# -- opening ------------------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_the_directory(own):
    with pytest.raises(OperationError, match="in use by another process"):
        Store.open(own.directory)


def test_the_directory_is_free_again_once_the_store_is_closed(tmp_path):
    open_store(tmp_path).close()

    open_store(tmp_path).close()


def test_what_was_there_is_there_again(tmp_path):
    store = open_store(tmp_path)
    store.write_now(add("a"))
    store.close()

    store = open_store(tmp_path)
    assert names(store) == ["a"]
    store.close()


def test_a_directory_that_cannot_be_made_is_an_error_of_whoever_runs_the_process(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OperationError, match="cannot be written"):
        Store.open(tmp_path / "file" / "data")


def test_a_new_directory_is_for_its_owner_alone(own):
    assert own.directory.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("pragma", "expected"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)], ids=str
)
def test_a_commit_is_on_the_disk(own, pragma, expected):
    assert own.write_now(lambda tx: tx.run(f"PRAGMA {pragma}").fetchone()[0]) == expected
    assert own.read_now(lambda tx: tx.run(f"PRAGMA {pragma}").fetchone()[0]) == expected


# -- the form of the store ----------------------------------------------------------------------------------------


def test_a_new_store_has_the_tables_as_they_are_written_down(own):
    differences = own.read_now(lambda tx: compare_metadata(MigrationContext.configure(tx.core), metadata))

    assert differences == []


def test_bringing_a_store_to_the_form_it_has_changes_nothing(own):
    own.write_now(add("a"))

    migrate(own)

    assert names(own) == ["a"]
    assert [path.name for path in own.directory.glob("*-before-*")] == []


def test_a_store_of_a_newer_headrace_is_left_alone(own):
    own.write_now(lambda tx: tx.run("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(OperationError, match="newer Headrace"):
        migrate(own)
