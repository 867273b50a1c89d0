"""A full disk: room is given up so that what is there can be delivered and deleted, and is taken again later."""

import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections import namedtuple

import pytest

from headrace.store.database import Store, StoreUnavailable
from headrace.store.reserve import Reserve
from headrace.store.writer import IN_DOUBT

SIZE = 1 << 20
Usage = namedtuple("Usage", "total used free")


def test_the_reserve_takes_room_is_given_up_and_made_again(tmp_path):
    reserve = Reserve(tmp_path, SIZE)

    assert reserve.make()
    assert ((tmp_path / "reserve").stat().st_blocks * 512, reserve.is_short) == (SIZE, False)
    reserve.release()
    assert (list(tmp_path.iterdir()), reserve.is_short) == ([], True)
    assert reserve.make()
    assert not reserve.is_short


def test_it_is_not_made_before_there_is_room_for_it_twice(tmp_path, monkeypatch):
    reserve = Reserve(tmp_path, SIZE)
    reserve.release()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(SIZE, 0, 2 * SIZE - 1))

    assert not reserve.make()
    assert (list(tmp_path.iterdir()), reserve.is_short) == ([], True)


def test_another_size_is_another_file_and_none_is_none(tmp_path):
    Reserve(tmp_path, SIZE).make()
    assert Reserve(tmp_path, 2 * SIZE).make()
    assert (tmp_path / "reserve").stat().st_size == 2 * SIZE
    assert Reserve(tmp_path, 0).make()
    assert list(tmp_path.iterdir()) == []


async def test_a_store_that_is_full_gives_its_reserve_up(tmp_path):
    store = Store.open(tmp_path)
    try:
        store.reserve = Reserve(tmp_path, SIZE)
        store.reserve.make()
        await store.write(lambda tx: tx.run("CREATE TABLE words (word TEXT)"))
        pages = await store.write(lambda tx: tx.run("PRAGMA page_count").fetchone()[0])
        await store.write(lambda tx: tx.run(f"PRAGMA max_page_count = {pages}").fetchall())
        with pytest.raises(StoreUnavailable, match="full"):
            await store.write(
                lambda tx: tx.many("INSERT INTO words VALUES (:w)", ({"w": "x" * 1000} for _ in range(100)))
            )

        assert store.reserve.is_short
        assert not (tmp_path / "reserve").exists()
    finally:
        store.close()


def test_a_disk_that_fails_to_keep_what_was_written_ends_the_process(tmp_path):
    """As the driver tells it: the commit that comes after must not be believed."""
    program = """
        import sqlite3, sys
        from pathlib import Path
        from headrace.store.database import Store
        from headrace.store.writer import Writer

        store = Store.open(Path(sys.argv[1]))
        def failing(self, connection, pieces):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = int(sys.argv[2])
            raise error
        Writer._commit = failing
        try:
            store.write_now(lambda tx: None)
        except Exception as error:
            print(type(error).__name__)
        store.close()
    """

    def ended(code):
        line = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path), str(code)]
        return subprocess.run(line, capture_output=True, text=True, timeout=60)

    unkept, unread = ended(sqlite3.SQLITE_IOERR_FSYNC), ended(sqlite3.SQLITE_IOERR_READ)
    assert (unkept.returncode, unkept.stdout) == (IN_DOUBT, "")
    assert "fsync" in unkept.stderr
    assert (unread.returncode, unread.stdout) == (0, "StoreUnavailable\n")
