"""From one form of the store to another, both ways: nothing is lost, all or nothing happens, and large tables stay."""

import contextlib
import itertools
import re
import signal
import sqlite3
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, event

from headrace.errors import OperationError
from headrace.store import audit
from headrace.store.database import Store
from headrace.store.migrate import form_of, forms, migrate
from headrace.store.migrations.versions import r0001_first_form as first
from headrace.store.tables import DATA, metadata

DOCUMENT = {"name": "«Zoë» \0 %s :x", "deep": [{"number": 1.5}, None, True]}
MEMBER = b'\x01{"segmentMembership":{"ups":{"x":{"status":"realized"},"y":{"status":"exited"}}}}'
DECLARED = {"version": 3, "document": DOCUMENT, "created_at": 1, "modified_at": 2}


def row(**values):
    return {name.rstrip("_"): value for name, value in values.items()}


#: Rows of the first form, in the order in which they point to each other: two organizations, three sandboxes.
ROWS = {
    "organizations": [row(organization=1, name="a@headrace"), row(organization=2, name="b@headrace")],
    "tenants": [
        row(tenant=1, organization=1, sandbox="prod", sandbox_id="s1", sequence=7, configuration=1 << 60),
        row(tenant=2, organization=1, sandbox="dev", sandbox_id="s2", sequence=0, configuration=0),
        row(tenant=3, organization=2, sandbox="prod", sandbox_id="s3", sequence=1, configuration=5),
    ],
    "api_clients": [row(organization=1, client_id="c", secret_hash="h", permissions=["authoring:read"])],
    "access_tokens": [row(token_hash="t", client_id="c", expires_at=1 << 45)],
    "data_keys": [row(organization="a@headrace", key_id="k", position=1, wrapped=bytes(range(256)))],
    **{
        table: [row(tenant=1, id=f"{table}-1", **DECLARED), row(tenant=3, id=f"{table}-2", **DECLARED)]
        for table in ("destination_servers", "destinations", "accounts", "source_connections", "target_connections")
    },
    "dataflows": [row(tenant=1, dataflow=1, id="f", **DECLARED, state="held", reason="why", deleted_at=None)],
    "audit": [
        row(tenant=tenant, entry=entry, at=at, actor="client:c", action="create", noun="account", id="é", version=at)
        for tenant, entry, at in [(1, 1, 10), (1, 2, 30), (2, 1, 20), (3, 1, 5), (3, 2, 5)]
    ],
    "epochs": [row(epoch=1, started_at=1), row(epoch=2, started_at=2)],
    "audiences": [row(tenant=1, audience=1, namespace="ups", id="x", name=None, created_at=1, modified_at=1)],
    "dataflow_audiences": [row(tenant=1, dataflow=1, audience=1, mapped_at=1, modified_at=1)],
    "profiles": [row(tenant=1, profile=1, key="crmId:1", document=MEMBER)],
    "changes": [row(tenant=1, dataflow=1, profile=1, audience=1, seq=1)],
    "lanes": [row(tenant=1, dataflow=1, profile=1, audience=0, part="", bucket=4, desired_seq=1, due=1)],
    "groups": [row(tenant=1, claim_group=1, dataflow=1, bucket=4, epoch=1, attempt=1, due=1)],
    "parked": [
        row(tenant=1, dataflow=1, parked=1, profile=1, audience=1, seq=1, parked_at=1, attempts=1, code="c", reason="r")
    ],
    "ledger_deltas": [row(tenant=1, dataflow=1, audience=1, accepted=2)],
    "ledger": [row(tenant=1, dataflow=1, audience=1, accepted=1, parked=1)],
}


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request, tmp_path):
    """Open a new store with nothing in it, again and again."""
    lent = contextlib.nullcontext("")
    if request.param == "postgres":
        lent = request.getfixturevalue("postgres").lent("template0")
    with lent as database_url:
        yield lambda: contextlib.closing(Store.open(tmp_path / "data", database_url))


@pytest.fixture
def old(opened):
    """A store in the first form, with rows in every table."""
    with opened() as store:
        migrate(store, "0001")
        store.write_now(fill)
        yield store


def fill(tx):
    for table, rows in ROWS.items():
        tx.core.execute(first.metadata.tables[table].insert(), rows)


def everything(store):
    """All tables with their columns and their rows, as they are."""

    def look(tx):
        there = MetaData()
        there.reflect(tx.core)
        tables = sorted(there.tables.values(), key=lambda table: table.name)
        return {
            table.name: ([column.name for column in table.columns], sorted(map(repr, tx.core.execute(table.select()))))
            for table in tables
        }

    return store.read_now(look)


def breaks(store):
    return [store.read_now(lambda tx, o=organization: audit.first_break(tx, o)) for organization in (1, 2)]


def without(kept, *names):
    return {name: content for name, content in kept.items() if name not in names}


# -- up and down --------------------------------------------------------------------------------------------------


def test_every_table_of_the_first_form_is_filled():
    assert set(ROWS) == set(first.metadata.tables)


def test_the_newest_form_has_the_tables_as_they_are_written_down(old):
    migrate(old)

    assert old.read_now(lambda tx: compare_metadata(MigrationContext.configure(tx.core), metadata)) == []


def test_down_and_up_again_everything_is_there(old):
    before = everything(old)

    migrate(old)
    newest = everything(old)
    assert breaks(old) == [None, None]
    assert len(newest["versions"][1]) == 10
    migrate(old, "0001")
    assert everything(old) == before
    migrate(old)

    assert everything(old) == newest
    assert breaks(old) == [None, None]
    assert form_of(old) == forms()[-1]


def test_what_was_declared_has_the_version_it_had(old):
    migrate(old)

    kept = old.read_now(
        lambda tx: tx.core.execute(metadata.tables["versions"].select().order_by("noun", "id")).mappings().all()
    )

    assert {item["noun"] for item in kept} == {
        "account",
        "destination",
        "destination-server",
        "source-connection",
        "target-connection",
    }
    assert all((item["version"], item["action"], item["at"]) == (3, "keep", 2) for item in kept)
    assert all(item["document"] == DOCUMENT for item in kept)


def test_the_audit_of_an_organization_is_in_order_and_whole(old):
    migrate(old)

    entries = old.read_now(lambda tx: audit.latest(tx, 1, 10))

    assert [(entry.entry, entry.tenant, entry.at) for entry in entries] == [(3, 1, 30), (2, 2, 20), (1, 1, 10)]


def test_what_is_written_after_the_migration_continues_the_chain(old):
    migrate(old)

    old.write_now(lambda tx: audit.note(tx, 2, "client:c", "create", "account", "1", 40, 1, {"more": [1, "é"]}))
    old.write_now(lambda tx: audit.note_in_organization(tx, 1, "client:c", "create", "user", "1", 41))

    assert breaks(old) == [None, None]
    assert old.read_now(lambda tx: audit.latest(tx, 1, 1))[0].entry == 5


def test_going_back_lets_nobody_do_more_than_before(old):
    """The first form knows no clients that are revoked, that expire, or that may work in some sandboxes alone."""
    migrate(old)
    clients, tokens = metadata.tables["api_clients"], metadata.tables["access_tokens"]
    limits = {"revoked": {"revoked_at": 1}, "expiring": {"expires_at": 1}, "narrow": {"tenants": [1]}, "free": {}}

    def let_in(tx):
        for name, limit in limits.items():
            row = {"organization": 1, "client_id": name, "secret_hash": "h", "permissions": [], "name": name}
            tx.core.execute(clients.insert().values(**row, **limit))
            tx.core.execute(tokens.insert().values(token_hash=name, client_id=name, expires_at=1 << 45))

    old.write_now(let_in)
    migrate(old, "0001")

    assert old.read_now(lambda tx: tx.run("SELECT client_id FROM api_clients ORDER BY 1").fetchall()) == [
        ("c",),
        ("free",),
    ]
    assert old.read_now(lambda tx: tx.run("SELECT client_id FROM access_tokens ORDER BY 1").fetchall()) == [
        ("c",),
        ("free",),
    ]


def test_a_form_that_there_is_not_is_refused(old):
    with pytest.raises(
        OperationError, match="'0815' is no form of the store; these are: 0001, 0002, 0003, 0004, 0005, 0006"
    ):
        migrate(old, "0815")


# -- the copy -----------------------------------------------------------------------------------------------------


def test_the_control_tables_are_copied_before(old):
    before = without(everything(old), *DATA)

    path = migrate(old)

    assert path == old.directory / f"control-before-{forms()[-1]}.db"
    assert path.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(path)) as copy:
        tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        counts = {table: copy.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
        (wrapped,) = copy.execute("SELECT wrapped FROM data_keys").fetchone()
        reasons = copy.execute("SELECT reason, deleted_at FROM dataflows").fetchall()
    assert counts == {name: len(rows) for name, (_, rows) in before.items()}
    assert wrapped == bytes(range(256))
    assert reasons == [("why", None)]


def test_a_new_store_and_one_that_has_the_form_are_not_copied(opened):
    with opened() as store:
        assert migrate(store) is None
        assert migrate(store) is None
        assert list(store.directory.glob("control-*")) == []


def test_where_the_copy_cannot_be_written_nothing_is_moved(old):
    (old.directory / "control-before-0006.new").mkdir()

    with pytest.raises(OperationError, match=r"the copy .+ cannot be written"):
        migrate(old)

    assert form_of(old) == "0001"


# -- all or nothing -----------------------------------------------------------------------------------------------

#: What moves nothing: reads, whose number differs as tables are looked at, and what a connection to PostgreSQL says
#: by itself whenever two seconds have gone by.
MOVES_NOTHING = ("SELECT", "DISCARD PLANS")


@contextlib.contextmanager
def statements(store):
    """Note every statement by which the revisions move something."""
    noted = []

    def note(_connection, _cursor, statement, *_):
        if not statement.startswith(MOVES_NOTHING):
            noted.append(statement)

    engine = store.write_now(lambda tx: tx.core.engine)
    event.listen(engine, "before_cursor_execute", note)
    yield noted
    event.remove(engine, "before_cursor_execute", note)


class Stopped(Exception):
    """A revision fails."""


@contextlib.contextmanager
def stopping(store, number):
    """Fail at the statement of a number, as ``statements`` counts them."""
    left = [number]

    def stop(_connection, _cursor, statement, *_):
        left[0] -= not statement.startswith(MOVES_NOTHING)
        if left[0] == 0:
            raise Stopped

    engine = store.write_now(lambda tx: tx.core.engine)
    event.listen(engine, "before_cursor_execute", stop)
    yield
    event.remove(engine, "before_cursor_execute", stop)


def _next_to_each_other():
    """Yield each form with the next one, both ways. What makes the first four is changed no more: a campaign."""
    for old, new in itertools.pairwise(forms()):
        marks = [pytest.mark.campaign] if new < "0005" else []
        yield pytest.param(old, new, id=f"up to {int(new)}", marks=marks)
        yield pytest.param(new, old, id=f"down to {int(old)}", marks=marks)


@pytest.mark.long_on_postgres
@pytest.mark.parametrize(("present", "wanted"), list(_next_to_each_other()))
def test_a_revision_that_fails_anywhere_leaves_the_store_as_it_was(old, present, wanted):
    migrate(old, present)
    before = everything(old)
    with statements(old) as noted:
        migrate(old, wanted)
    migrate(old, present)
    assert len(noted) > 2

    for number in range(1, len(noted) + 1, max(1, len(noted) // 4)):
        with stopping(old, number), pytest.raises(Stopped):
            migrate(old, wanted)
        assert everything(old) == before

    migrate(old, wanted)
    assert form_of(old) == wanted


DYING = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from headrace.store.database import Store
from headrace.store.migrate import migrate
store = Store.open(Path(sys.argv[1]), sys.argv[2])
def die(_connection, _cursor, statement, *_):
    if statement.startswith("UPDATE alembic_version"):
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(store.write_now(lambda tx: tx.core.engine), "before_cursor_execute", die)
migrate(store)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_death_on_the_way_leaves_the_store_as_it_was(request, tmp_path, kind):
    lent = contextlib.nullcontext("")
    if kind == "postgres":
        lent = request.getfixturevalue("postgres").lent("template0")
    with lent as database_url:
        with contextlib.closing(Store.open(tmp_path, database_url)) as store:
            migrate(store, "0001")
            store.write_now(fill)
            before = everything(store)

        died = subprocess.run([sys.executable, "-c", DYING, tmp_path, database_url], timeout=60, check=False)

        assert died.returncode == -signal.SIGKILL
        with contextlib.closing(Store.open(tmp_path, database_url)) as store:
            assert everything(store) == before
            migrate(store)
            assert breaks(store) == [None, None]


# -- large tables -------------------------------------------------------------------------------------------------


def test_after_the_first_form_a_table_that_grows_is_added_to_and_nothing_else(old):
    with statements(old) as up:
        migrate(old)
    with statements(old) as down:
        migrate(old, "0001")

    touched = re.compile(rf"\b({'|'.join(DATA)})\b", re.IGNORECASE)
    allowed = re.compile(r"ALTER TABLE \w+ ADD |CREATE |SELECT |UPDATE audiences SET size = ", re.IGNORECASE)
    assert len(up) > 20
    assert [sql for sql in up if touched.search(sql) and not allowed.match(sql.strip())] == []
    columns = (
        r"profiles DROP COLUMN (sequence|expires_at|identities_at)|audiences DROP COLUMN size"
        r"|dataflow_audiences DROP COLUMN (ended_at|leaving)|erasure_receipts DROP COLUMN left_in"
        r"|groups DROP COLUMN (split_of|refusals|begun_at|may_know|since)"
        r"|parked DROP COLUMN (begun_at|message|status|version)"
        r"|ledger_deltas DROP COLUMN (hour|people|entries)|withheld_reasons DROP COLUMN hour"
    )
    added = re.compile(rf"DROP (TABLE|INDEX) |ALTER TABLE ({columns})", re.IGNORECASE)
    assert [sql for sql in down if touched.search(sql) and not added.match(sql.strip())] == []


def test_the_members_of_audiences_that_there_are_already_are_counted(old):
    migrate(old)

    assert old.read_now(lambda tx: tx.run("SELECT id, size FROM audiences").fetchall()) == [("x", 1)]
    assert old.read_now(lambda tx: tx.run("SELECT expires_at FROM profiles").fetchall()) == [(0,)]
