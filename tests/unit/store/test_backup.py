"""A backup holds everything of one moment, says by itself whether it is whole, and fills any database again."""

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import tracemalloc

import pytest
from sqlalchemy import JSON, Boolean, LargeBinary, Text

from headrace.errors import OperationError
from headrace.services.backing_up import write
from headrace.services.restoring import MARK, Wanted, refuse_half_restored, restore
from headrace.store import audit, epochs, profiles, restored
from headrace.store.backup import aftermath, archive, rows
from headrace.store.backup.archive import BadBackup
from headrace.store.database import Store
from headrace.store.migrate import form_of, forms, migrate
from headrace.store.tables import metadata
from stores import open_new

from .test_migrations import everything, fill

NOW = 1_790_000_000_000
#: Tables that a restore adds to, or that it leaves out.
ITS_OWN = ("api_clients", "audit", "epochs", "alembic_version", *rows.PASSING)


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request, tmp_path):
    with database(request, request.param) as address:
        yield lambda name="data": contextlib.closing(Store.open(tmp_path / name, address))


@pytest.fixture
def laid(lend_database, tmp_path):
    """Opens a store in the newest form."""
    with lend_database() as address:
        yield lambda: contextlib.closing(open_new(tmp_path / "data", address))


@contextlib.contextmanager
def database(request, kind):
    lent = contextlib.nullcontext("")
    if kind == "postgres":
        lent = request.getfixturevalue("postgres").lent("template0")
    with lent as address:
        yield address


def fill_all(tx):
    """Put a row into every table there is, and two where nothing but a number tells them apart."""
    for table in metadata.sorted_tables:
        tx.core.execute(table.insert(), [{column.name: value_of(column) for column in table.columns}])


def value_of(column):
    if column.name in ("tenant", "organization") and not isinstance(column.type, Text):
        return 1
    if column.foreign_keys:
        return value_of(next(iter(column.foreign_keys)).column)
    if isinstance(column.type, JSON):
        return {"name": "«Zoë» \0 %s :x", "deep": [{"number": 1.5}, None, True]}
    if isinstance(column.type, LargeBinary):
        return bytes(range(256))
    if isinstance(column.type, Boolean):
        return True
    return f"é\t\\N\n{column.name}" if isinstance(column.type, Text) else 7


def backup(store, path, **options):
    with path.open("wb") as file:
        write(store, file, NOW, **options)
    return path


def restore_to(store, path, *, moved=False, erased=()):
    return restore(store, Wanted(path, archive.verify(path), moved, erased), NOW + 1000)


def kept(store):
    return {name: content for name, content in everything(store).items() if name not in ITS_OWN}


# -- everything -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_every_table_is_there_again_on_either_database(laid, request, tmp_path, target):
    with laid() as store:
        store.write_now(fill_all)
        store.write_now(lambda tx: tx.run("UPDATE groups SET lease_until = NULL"))  # Else it is given back.
        path, before = backup(store, tmp_path / "b", at_rest=True), kept(store)

    with database(request, target) as address, contextlib.closing(Store.open(tmp_path / "other", address)) as other:
        restore_to(other, path, moved=True)
        after = kept(other)

    assert after == before
    assert all(len(found) == 1 for name, (_, found) in after.items())


def test_a_backup_of_an_older_form_is_brought_to_the_newest(opened, request, tmp_path):
    with opened() as store:
        migrate(store, "0001")
        store.write_now(fill)
        path = backup(store, tmp_path / "b", at_rest=True)
        migrate(store)
        wanted = kept(store)

    with contextlib.closing(Store.open(tmp_path / "other")) as other:
        restore_to(other, path, moved=True)

        assert form_of(other) == forms()[-1]
        assert kept(other).keys() == wanted.keys()
        assert {name: len(found) for name, (_, found) in kept(other).items()} == {
            name: len(found) for name, (_, found) in wanted.items()
        }


def test_a_database_that_numbers_rows_goes_on_after_those_that_were_restored(laid, request, tmp_path):
    with laid() as store:
        store.write_now(fill_all)
        path = backup(store, tmp_path / "b")

    for kind in ("sqlite", "postgres"):
        with database(request, kind) as address, contextlib.closing(Store.open(tmp_path / kind, address)) as other:
            restore_to(other, path)
            made = other.write_now(lambda tx: epochs.begin(tx, NOW))
            organization = other.write_now(
                lambda tx: tx.run("INSERT INTO organizations (name) VALUES ('x') RETURNING organization").fetchone()[0]
            )

        assert made == 7 + aftermath.STARTS + 1
        assert organization > 1


def test_a_backup_is_of_one_moment_while_the_writer_goes_on(laid, tmp_path, monkeypatch):
    with laid() as store:
        store.write_now(fill_all)
        reading = rows.read

        def disturbed(tx, table):
            store.write_now(lambda tx: tx.run("UPDATE profiles SET document = document, sequence = sequence + 1"))
            store.write_now(lambda tx: tx.run("UPDATE tenants SET sequence = sequence + 1"))
            return reading(tx, table)

        monkeypatch.setattr(rows, "read", disturbed)
        path = backup(store, tmp_path / "b")

    assert rows_of(path, "tenants")[0][4] == rows_of(path, "profiles")[0][4] == 7


def rows_of(path, table):
    found = []
    for member in archive.members(path):
        if member.kind == "tables" and member.name.startswith(f"{table}/"):
            found += member.rows()
    return found


def test_what_lets_somebody_in_for_a_while_is_left_out(laid, tmp_path):
    with laid() as store:
        store.write_now(fill_all)
        path = backup(store, tmp_path / "b")

    names = {table.name for table in archive.read_head(path).tables}
    assert names == {table.name for table in metadata.sorted_tables} - rows.PASSING


def test_files_that_the_store_names_are_in_it_and_put_back(laid, tmp_path):
    with laid() as store:
        store.write_now(fill_all)
        list_ = store.directory / "audiences" / "1" / "2" / "3" / "list" / "0.parquet"
        for file in (list_, store.directory / "audiences" / "1" / "2" / "scratch" / "half", store.directory / "lock2"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"members")
        path = backup(store, tmp_path / "b")
        assert not (store.directory / "backing-up").exists()

    with contextlib.closing(Store.open(tmp_path / "other")) as other:
        restore_to(other, path)
        put_back = {file.relative_to(other.directory).as_posix() for file in other.directory.rglob("*.parquet")}

    assert archive.verify(path).files == 1
    assert put_back == {"audiences/1/2/3/list/0.parquet"}
    assert (tmp_path / "other" / "audiences/1/2/3/list/0.parquet").read_bytes() == b"members"


def test_a_file_that_goes_away_meanwhile_is_in_it_all_the_same(tmp_path, monkeypatch):
    with contextlib.closing(open_new(tmp_path / "data")) as store:
        list_ = store.directory / "audiences" / "1" / "2" / "3" / "list"
        list_.parent.mkdir(parents=True)
        list_.write_bytes(b"members")
        listing = rows.tables

        def removed(tx):
            found = listing(tx)
            list_.unlink()
            return found

        monkeypatch.setattr(rows, "tables", removed)
        path = backup(store, tmp_path / "b")

    assert archive.verify(path).files == 1


@pytest.mark.long_on_postgres
def test_however_much_there_is_it_takes_little_memory(laid, tmp_path):
    document = b"\x01" + bytes(4000)
    with laid() as store:
        store.write_now(
            lambda tx: profiles.insert(tx, 1, (profiles.Kept(n, f"crmId:{n}", document, n) for n in range(1, 15_001)))
        )
        tracemalloc.start()
        path = backup(store, tmp_path / "b")
        verdict = archive.verify(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert verdict.rows["profiles"] == 15_000
    assert peak < 40 << 20


# -- whole or not -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with contextlib.closing(open_new(folder / "data")) as store:
        store.write_now(fill_all)
        return backup(store, folder / "b").read_bytes()


def test_a_backup_that_is_cut_short_anywhere_is_none(whole, tmp_path):
    path = tmp_path / "b"
    ends = sorted({*range(0, len(whole) - 10_240, max(1, len(whole) // 40)), 1, 511, 512, 513})
    for end in ends:
        path.write_bytes(whole[:end])
        with pytest.raises(BadBackup):
            archive.verify(path)


def test_a_byte_that_is_another_is_found_or_is_of_no_account(whole, tmp_path):
    path = tmp_path / "b"
    path.write_bytes(whole)
    before, refused = contents(path), 0
    for place in range(0, len(whole.rstrip(b"\0")), 997):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            archive.verify(path)
        except OperationError:
            refused += 1
        else:
            assert contents(path) == before  # It is between two members.

    assert refused > 10


def contents(path):
    return [(member.kind, member.name, member.read()) for member in archive.members(path)]


def rebuilt(whole, change):
    """Write a backup anew, with other members, and a manifest that says so."""
    given = {}
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        for entry in tar:
            given[entry.name] = tar.extractfile(entry).read()
    told = json.loads(given.pop("manifest.json"))
    given.pop("manifest.sha256")
    change(given)
    told["members"] = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in given.items()
    ]
    given["manifest.json"] = json.dumps(told).encode()
    given["manifest.sha256"] = hashlib.sha256(given["manifest.json"]).hexdigest().encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in given.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def put_head(**values):
    def change(given):
        given["headrace.json"] = json.dumps({**json.loads(given["headrace.json"]), **values}).encode()

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put_head(form=2), "was made by a newer Headrace"),
        (lambda given: given.update({"files/../../evil": b"x"}), "which no backup does"),
        (lambda given: given.update({"files//etc/evil": b"x"}), "which no backup does"),
        (lambda given: given.update({"evil": b"x"}), "which no backup does"),
        (lambda given: given.pop("tables/tenants/000001.msgpack.gz"), "was altered"),
        (lambda given: given.update({"tables/tenants/000002.msgpack.gz": gzip.compress(b"x")}), "cannot be read"),
        (lambda given: given.update({"headrace.json": b"{}"}), "is no backup"),
    ],
    ids=["newer", "upward", "absolute", "unknown", "fewer rows", "no rows", "no head"],
)
def test_what_is_not_as_we_write_it_is_refused(whole, tmp_path, change, says):
    path = tmp_path / "b"
    path.write_bytes(rebuilt(whole, change))

    with pytest.raises(OperationError, match=says):
        archive.verify(path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["b"]


@pytest.mark.parametrize("content", [b"", b"no tar", b"\0" * 20_480], ids=["empty", "text", "an empty tar"])
def test_what_is_no_backup_is_refused(tmp_path, content):
    (tmp_path / "b").write_bytes(content)

    with pytest.raises(BadBackup):
        archive.verify(tmp_path / "b")
    with pytest.raises(BadBackup):
        archive.read_head(tmp_path / "b")


# -- where it may be restored -----------------------------------------------------------------------------------------


def test_nothing_is_overwritten(laid, whole, tmp_path):
    path = tmp_path / "b"
    path.write_bytes(whole)
    with laid() as store:
        before = everything(store)
        with pytest.raises(OperationError, match="is not empty"):
            restore_to(store, path)

        assert everything(store) == before


def test_files_that_are_there_are_not_overwritten_either(whole, tmp_path):
    path, theirs = tmp_path / "b", tmp_path / "data" / "audiences" / "mine"
    path.write_bytes(whole)
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    with (
        contextlib.closing(Store.open(tmp_path / "data")) as store,
        pytest.raises(OperationError, match="is not empty"),
    ):
        restore_to(store, path)

    assert theirs.read_bytes() == b"mine"


def test_a_backup_of_a_newer_store_is_refused(opened, whole, tmp_path):
    path = tmp_path / "b"
    path.write_bytes(rebuilt(whole, put_head(store="9999")))
    with opened() as store, pytest.raises(OperationError, match="newer Headrace"):
        restore_to(store, path)


def test_a_restore_that_dies_leaves_nothing_and_can_be_done_again(opened, whole, tmp_path, monkeypatch):
    path = tmp_path / "b"
    path.write_bytes(whole)
    with opened() as store:
        with monkeypatch.context() as patch:
            patch.setattr(aftermath, "note", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                restore_to(store, path)
        assert form_of(store) is None
        assert (store.directory / MARK).exists()
        with pytest.raises(OperationError, match="did not end"):
            refuse_half_restored(store.directory)
        restore_to(store, path)

        refuse_half_restored(store.directory)
        assert form_of(store) == forms()[-1]


def test_only_what_was_at_rest_was_moved(whole, tmp_path):
    path = tmp_path / "b"
    path.write_bytes(whole)
    with (
        contextlib.closing(Store.open(tmp_path / "data")) as store,
        pytest.raises(OperationError, match="while Headrace ran"),
    ):
        restore_to(store, path, moved=True)


# -- after it ---------------------------------------------------------------------------------------------------------


def test_numbers_go_on_where_none_was_given_and_what_waits_is_another_state(opened, tmp_path):
    with opened() as store:
        migrate(store, "0001")
        store.write_now(fill)
        migrate(store)
        path = backup(store, tmp_path / "b")

    with contextlib.closing(Store.open(tmp_path / "other")) as other:
        done = restore_to(other, path)
        look = lambda sql: other.read_now(lambda tx: tx.run(sql).fetchall())  # noqa: E731

        assert done.dataflows == 1
        assert look("SELECT sequence FROM tenants ORDER BY tenant") == [(aftermath.STATES + n,) for n in (7, 0, 1)]
        assert look("SELECT seq FROM changes") == look("SELECT desired_seq FROM lanes") == [(aftermath.STATES + 1,)]
        assert look("SELECT max(epoch) FROM epochs") == [(2 + aftermath.STARTS,)]
        ((state, reason),) = look("SELECT state, reason FROM dataflows")
        assert state == "held"
        assert "restored from a backup of 2026-09-21T" in reason
        (item,) = [other.write_now(lambda tx: restored.take(tx, 1, 1))]
        assert (item.taken_at, item.restored_at, item.sequence) == (NOW, NOW + 1000, aftermath.STATES + 7)


def test_what_was_moved_at_rest_goes_on_as_it_was(opened, tmp_path):
    with opened() as store:
        migrate(store, "0001")
        store.write_now(fill)
        migrate(store)
        path = backup(store, tmp_path / "b", at_rest=True)

    with contextlib.closing(Store.open(tmp_path / "other")) as other:
        done = restore_to(other, path, moved=True)

        assert done.dataflows == 0
        assert other.read_now(lambda tx: tx.run("SELECT desired_seq FROM lanes").fetchall()) == [(1,)]
        assert other.write_now(lambda tx: restored.take(tx, 1, 1)) is None


def test_the_audit_says_so_and_is_whole(opened, tmp_path):
    with opened() as store:
        migrate(store, "0001")
        store.write_now(fill)
        migrate(store)
        path = backup(store, tmp_path / "b")

    with contextlib.closing(Store.open(tmp_path / "other")) as other:
        restore_to(other, path)
        newest = other.read_now(lambda tx: [audit.latest(tx, o, 1)[0] for o in (1, 2)])

        assert [(entry.actor, entry.action) for entry in newest] == [("headrace restore", "restore")] * 2
        assert other.read_now(lambda tx: [audit.first_break(tx, o) for o in (1, 2)]) == [None, None]
