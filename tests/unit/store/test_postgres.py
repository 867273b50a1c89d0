"""The store on PostgreSQL: one process at a time, what is on disk, and a server that goes away and comes back."""

import asyncio
import sys
import threading
from random import Random
from string import ascii_letters

import psycopg
import pytest

from headrace.errors import Conflict, OperationError
from headrace.store.database import Store, StoreUnavailable
from headrace.store.dialect import NotStorable
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


# -- one process at a time ----------------------------------------------------------------------------------------


def test_a_second_process_is_refused_the_database(own, address, tmp_path):
    with pytest.raises(OperationError, match=r"^the database 'headrace_\d+' on .+ is in use by another process$"):
        Store.open(tmp_path / "elsewhere", address)


def test_who_was_refused_the_database_holds_no_data_directory(own, address, tmp_path):
    with pytest.raises(OperationError):
        Store.open(tmp_path / "elsewhere", address)

    Store.open(tmp_path / "elsewhere").close()


def test_two_databases_of_one_server_have_a_process_each(own, postgres, tmp_path):
    with postgres.lent() as other:
        Store.open(tmp_path / "other", other).close()


def test_who_lost_the_database_to_another_writes_nothing_more(own, address, postgres, tmp_path):
    postgres.disconnect(address)
    thief = Store.open(tmp_path / "thief", address)
    with pytest.raises(StoreUnavailable):
        own.write_now(add("a"))
    with pytest.raises(StoreUnavailable, match="in use by another process"):
        own.write_now(add("a"))
    thief.close()

    own.write_now(add("b"))

    assert names(own) == ["b"]


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
