"""The store on PostgreSQL: several processes, what is on disk, and a server that goes away and comes back."""

import asyncio
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from string import ascii_letters

import psycopg
import pytest

from headrace.errors import Conflict, OperationError
from headrace.store.database import Store, StoreUnavailable
from headrace.store.dialect import NotStorable
from headrace.store.migrate import form_of, forms, hold, migrate
from headrace.store.postgres import _pinging
from headrace.store.tables import destinations, organizations, tenants

_ADD = "INSERT INTO organizations (name) VALUES (:name)"


@pytest.fixture
def address(postgres):
    with postgres.lent() as address:
        yield address


@pytest.fixture
def own(tmp_path, address):
    """A store of its own, for tests that break its connections."""
    opened = Store.open(tmp_path / "data", address)
    yield opened
    opened.close()


def add(name):
    return lambda tx: tx.run(_ADD, {"name": name})


def names(store):
    return store.read_now(lambda tx: [name for (name,) in tx.run("SELECT name FROM organizations ORDER BY 1")])


def shown(store, setting):
    return [work(lambda tx: tx.run(f"SHOW {setting}").fetchone()[0]) for work in (store.write_now, store.read_now)]


# -- several processes --------------------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path, address):
    """The same store as another process has it."""
    opened = Store.open(tmp_path / "data", address)
    yield opened
    opened.close()


def count_up(tx):
    """Read, then write what was read and one: of two who do so at the same time, one would be lost."""
    (before,) = tx.run("SELECT count(*) FROM organizations").fetchone()
    time.sleep(0.002)
    add(f"{before:04}")(tx)
    return before


def test_what_reads_before_it_writes_never_does_so_beside_another(own, other):
    with ThreadPoolExecutor(8) as both:
        counted = [both.submit(store.write_now, count_up) for _ in range(25) for store in (own, other)]

    assert sorted(future.result() for future in counted) == list(range(50))


def test_whoever_waits_for_another_takes_along_what_comes_meanwhile(own, other):
    busy, go_on = threading.Event(), threading.Event()

    def hold(_):
        busy.set()
        assert go_on.wait(10)

    query = "SELECT pg_current_xact_id()::text"
    with ThreadPoolExecutor(8) as both:
        holding = both.submit(own.write_now, hold)
        assert busy.wait(10)
        waiting = []
        for _ in range(3):
            waiting.append(both.submit(other.write_now, lambda tx: tx.run(query).fetchone()[0]))
            time.sleep(0.05)
        go_on.set()
        holding.result()

    assert len({future.result() for future in waiting}) == 1


def test_who_stops_in_the_middle_is_cut_off_and_the_others_go_on(own, other):
    def stop(tx):
        tx.run("SET LOCAL idle_in_transaction_session_timeout = '200ms'")
        add("a")(tx)
        time.sleep(1)
        add("b")(tx)

    with ThreadPoolExecutor(1) as beside:
        stopped = beside.submit(own.write_now, stop)
        time.sleep(0.1)
        began = time.monotonic()
        other.write_now(add("c"))
        assert 0.05 < time.monotonic() - began < 0.8

        with pytest.raises(StoreUnavailable):
            stopped.result()
    own.write_now(add("d"))

    assert names(own) == ["c", "d"]


def test_the_server_cuts_off_who_is_silent_before_those_who_wait_give_up(own):
    assert shown(own, "idle_in_transaction_session_timeout") == ["10s", "0"]
    assert shown(own, "lock_timeout") == ["20s", "0"]


def test_who_waits_for_too_long_is_told_and_has_written_nothing(own, other):
    other.write_now(lambda tx: tx.run("SET lock_timeout = '100ms'"))
    with pytest.raises(StoreUnavailable, match="lock timeout"):
        own.write_now(lambda _: other.write_now(add("a")))

    other.write_now(add("b"))

    assert names(own) == ["b"]


def test_the_form_is_not_changed_beside_another_process(own, other):
    hold(other)

    with pytest.raises(OperationError, match=r"^the database 'headrace_\d+' on .+ is in use by another process$"):
        migrate(own, "0001")

    other.close()
    migrate(own, "0001")


def test_two_that_begin_at_once_on_an_older_form_both_find_the_newest(own, other):
    migrate(own, "0003")
    with ThreadPoolExecutor(2) as both:
        for moved in [both.submit(lambda store=store: (migrate(store), hold(store))) for store in (own, other)]:
            moved.result()

    assert form_of(own) == forms()[-1]


def test_who_lost_the_connection_looks_whether_the_form_is_still_theirs(own, other, postgres, address):
    hold(own)
    own.write_now(add("a"))
    postgres.disconnect(address)
    with pytest.raises(StoreUnavailable):
        own.write_now(add("b"))
    with pytest.raises(StoreUnavailable):
        other.write_now(add("b"))
    migrate(other, "0003")

    with pytest.raises(StoreUnavailable, match="was moved to another form meanwhile: start this process again"):
        own.write_now(add("b"))


async def test_whoever_listens_hears_what_others_commit_and_each_thing_once(own, other):
    hearing = own.hear()
    assert await anext(hearing) is None

    await other.write(lambda tx: [tx.wake(1, 7), tx.wake(1, 7), tx.wake(2)])
    await other.write(lambda tx: tx.wake(1, 8))

    assert sorted([await anext(hearing), await anext(hearing)]) == ["1:7", "2"]
    assert await anext(hearing) == "1:8"
    await hearing.aclose()


async def test_whoever_listens_is_told_that_the_connection_is_lost(own, postgres, address):
    hearing = own.hear()
    await anext(hearing)
    await asyncio.to_thread(postgres.disconnect, address)

    with pytest.raises(StoreUnavailable):
        await anext(hearing)


def test_a_store_in_a_file_and_one_in_a_database_do_not_share_a_data_directory(own, tmp_path):
    with pytest.raises(OperationError, match="in use by another process"):
        Store.open(tmp_path / "data")


# -- what is on disk, what a reader sees --------------------------------------------------------------------------


def test_a_commit_is_on_the_disk_whatever_the_server_does_by_default(postgres, address, tmp_path):
    name = address.rsplit("/", 1)[1].split("?")[0]
    postgres.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = Store.open(tmp_path, address)

    written, _ = shown(store, "synchronous_commit")
    store.close()

    assert written == "on"


def test_a_reader_sees_one_moment_and_changes_nothing(own):
    def look_twice(tx):
        before = tx.run("SELECT count(*) FROM organizations").fetchone()
        own.write_now(add("a"))
        return before, tx.run("SELECT count(*) FROM organizations").fetchone()

    before, after = own.read_now(look_twice)

    assert before == after == (0,)
    assert names(own) == ["a"]
    with pytest.raises(StoreUnavailable, match="read-only"):
        own.read_now(add("b"))


# -- a server that goes away --------------------------------------------------------------------------------------


def test_after_a_lost_connection_the_next_work_is_done(own, address, postgres):
    own.write_now(add("a"))
    assert names(own) == ["a"]
    assert postgres.disconnect(address) >= 2

    with pytest.raises(StoreUnavailable, match="cannot take anything now"):
        own.write_now(add("lost"))
    own.write_now(add("b"))

    assert names(own) == ["a", "b"]
    assert names(own) == ["a", "b"]


async def test_a_connection_lost_in_a_commit_fails_all_who_share_it(own, address, postgres):
    busy, go_on = threading.Event(), threading.Event()

    def hold(tx):
        busy.set()
        assert go_on.wait(10)

    def lose(tx):
        postgres.disconnect(address)
        tx.run(_ADD, {"name": "lost"})

    def refuse(tx):
        raise Conflict("no")

    holding = asyncio.ensure_future(own.write(hold))
    await asyncio.get_running_loop().run_in_executor(None, busy.wait)
    pieces = [asyncio.ensure_future(own.write(work)) for work in (add("a"), refuse, lose, add("b"))]
    await asyncio.sleep(0)
    go_on.set()
    results = await asyncio.gather(*pieces, return_exceptions=True)
    await holding

    assert [type(result) for result in results] == [StoreUnavailable, Conflict, StoreUnavailable, StoreUnavailable]
    await own.write(add("later"))
    assert names(own) == ["later"]


def test_a_read_that_loses_its_connection_fails_and_the_next_does_not(own, address, postgres):
    def lose(tx):
        postgres.disconnect(address)
        tx.run("SELECT 1")

    with pytest.raises(StoreUnavailable):
        own.read_now(lose)

    assert names(own) == []


# -- what cannot be kept ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\0b", "".join(Random(1).choices(ascii_letters, k=9000))], ids=["NUL", "too long"])
def test_a_text_that_cannot_be_kept_is_the_senders_mistake_and_harms_nobody_else(own, name):
    with pytest.raises(NotStorable, match="U\\+0000"):
        own.write_now(add(name))
    own.write_now(add("a"))

    assert names(own) == ["a"]


def test_a_name_with_nul_is_looked_for_in_vain(own):
    with pytest.raises(NotStorable):
        own.read_now(lambda tx: tx.core.execute(organizations.select().where(organizations.c.name == "\0")).all())


def test_a_document_keeps_every_character(own):
    document = {"text": "\0 \u2028 \\u0000 👩‍👧 ' \" % :name", "number": 1.0, "deep": [None, {"": -1}]}

    def keep(tx):
        tx.run("INSERT INTO organizations (organization, name) VALUES (1, 'a')")
        tx.core.execute(tenants.insert().values(tenant=1, organization=1, sandbox="prod", sandbox_id="1"))
        row = {"tenant": 1, "id": "1", "version": 1, "created_at": 0, "modified_at": 0}
        tx.core.execute(destinations.insert().values(**row, document=document))

    own.write_now(keep)

    assert own.read_now(lambda tx: tx.core.execute(destinations.select()).one().document) == document


def test_a_statement_is_prepared_once_whatever_its_numbers(own):
    query = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%FROM profiles WHERE profile%'"

    def look(tx):
        for number in range(20):
            tx.run("SELECT 1 FROM profiles WHERE profile = :number", {"number": 1 << 3 * number}).fetchall()
        return tx.run(query).fetchone()

    assert own.write_now(look) == (1,)


# -- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["mysql://user@host/db", "host/db", "postgresql+asyncpg://host/db", "://"])
def test_what_is_no_address_of_postgresql_is_refused(tmp_path, address):
    with pytest.raises(OperationError, match="HEADRACE_DATABASE_URL is not the address of a PostgreSQL database"):
        Store.open(tmp_path, address)


def test_a_server_that_is_not_there_is_one_line_without_the_password(tmp_path):
    with pytest.raises(OperationError) as raised:
        Store.open(tmp_path, "postgresql://user:hush@127.0.0.1:1/headrace")

    assert "127.0.0.1" in raised.value.message
    assert "hush" not in raised.value.message
    assert "\n" not in raised.value.message


def test_a_database_in_another_encoding_is_refused(postgres, tmp_path):
    postgres.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")

    with pytest.raises(OperationError, match="is encoded in LATIN1: make one with ENCODING 'UTF8'"):
        Store.open(tmp_path, postgres.address("latin"))


def test_without_the_driver_the_error_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "headrace.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(OperationError, match=r"pip install 'headrace\[postgres\]'"):
        Store.open(tmp_path, "postgresql://user@host/db")


def test_a_pooled_connection_whose_dialect_trips_over_its_state_is_gone():
    def trips(_):
        raise psycopg.ProgrammingError("can't change 'autocommit' now: connection in transaction status ACTIVE")

    assert _pinging(trips)(None) is False
    assert _pinging(lambda _: True)(None) is True
