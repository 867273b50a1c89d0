"""Databases are those that the operator declared; a query reads there, and does nothing else anywhere."""

import sqlite3

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyiceberg.catalog.sql import SqlCatalog

from headrace.datasets.formats.iceberg import PlacedIO
from headrace.datasets.manifest import Unreadable
from headrace.datasets.places import Misplaced
from headrace.datasets.sources import Source, Sources, UnknownSource
from headrace.errors import OperationError
from unit.datasets.yard import people

FILE = """
[crm]
type = "postgresql"
url = "postgresql://reader:${CRM_PASSWORD}@db.internal/crm"
organization = "acme@org"
sandbox = "prod"

[lake]
type = "iceberg"
url = "sqlite:////srv/catalog.db"
"""


def sources(tmp_path, text=FILE, environment=None):
    (tmp_path / "sources.toml").write_text(text)
    return Sources.read(tmp_path / "sources.toml", {"CRM_PASSWORD": "p%40ss"} if environment is None else environment)


BUCKET = """
[people]
type = "s3"
url = "s3://lake/crm"
access_key = "AKIA"
secret_key = "${LAKE_SECRET}"
"""


def test_a_bucket_has_its_keys_from_the_environment_and_an_endpoint_of_its_region(tmp_path):
    (source,) = sources(tmp_path, BUCKET + 'region = "eu-west-3"', {"LAKE_SECRET": "s3cr3t"}).sources

    assert (source.endpoint, source.secret_key) == ("https://s3.eu-west-3.amazonaws.com", "s3cr3t")
    assert "s3cr3t" not in repr(source)
    assert "s3cr3t" in Sources((source,)).secrets()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BUCKET.replace("s3://lake/crm", "https://lake"), r"the `url` of \[people\] is a bucket"),
        (BUCKET.replace("s3://lake", "s3://L"), r"the `url` of \[people\] is a bucket"),
        (BUCKET.replace('access_key = "AKIA"', ""), r"needs `access_key` and `secret_key`"),
        (BUCKET.replace('"s3"', '"sqlite"'), r"`access_key` of \[people\] is for the type s3"),
        (BUCKET.replace("LAKE_SECRET", "NOBODY"), r"names \$\{NOBODY\}"),
    ],
)
def test_a_bucket_that_is_not_right_is_refused(tmp_path, text, message):
    with pytest.raises(OperationError, match=message):
        sources(tmp_path, text, {"LAKE_SECRET": "s3cr3t"})


def test_a_source_is_known_by_its_name_to_whom_it_is_for(tmp_path):
    known = sources(tmp_path)

    assert known.of("acme@org", "prod").get("crm", ("postgresql",)).url == "postgresql://reader:p%40ss@db.internal/crm"
    assert {*known.secrets()} == {"p%40ss", "p@ss", ""}
    assert "p%40ss" not in repr(known)
    for organization, sandbox in (("acme@org", "test"), ("other@org", "prod")):
        with pytest.raises(UnknownSource, match="these are: none"):
            known.of(organization, sandbox).get("crm", ("postgresql",))
    with pytest.raises(UnknownSource):
        known.get("lake", ("sqlite", "postgresql"))
    assert Sources.read(None) == Sources()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "cannot be read as TOML"),
        ("a = 1", "both texts"),
        ("[a]\ntype = 1", "both texts"),
        ('[a]\ntype = "sqlite"', "needs `type`"),
        ('[a]\ntype = "oracle"\nurl = ""', "needs `type`"),
        ('[a]\ntype = "sqlite"\nurl = ""\npasword = ""', "`pasword` is not known"),
        ('[a]\ntype = "sqlite"\nurl = "${ABSENT}"', "the environment does not have"),
    ],
)
def test_a_file_of_sources_that_is_not_right_is_refused(tmp_path, text, message):
    with pytest.raises(OperationError, match=message):
        sources(tmp_path, text)


def test_a_file_of_sources_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OperationError, match="cannot be read"):
        Sources.read(tmp_path / "absent.toml")


NOT_ONE_SELECT = [
    "DELETE FROM people",
    "SELECT 1; DELETE FROM people",
    "CREATE TABLE kept AS SELECT 1",
    "DROP TABLE people",
    "",
    "SELECT nothing FROM people",
]


@pytest.mark.parametrize(
    "query",
    [
        *NOT_ONE_SELECT,
        "ATTACH '{other}' AS other",
        "PRAGMA database_list",
        "SELECT load_extension('/tmp/evil.so')",
        "SELECT writefile('/tmp/x', 'y')",
        "VACUUM INTO '/tmp/stolen.db'",
        "SELECT id, id FROM people",
    ],
)
def test_a_query_to_sqlite_only_reads_and_only_there(yard, query):
    declared = yard.declared("sql", people(3))
    with pytest.raises(Unreadable):
        yard.take(**{**declared, "query": query.format(other=yard.directory / "other.db") or " "})

    with sqlite3.connect(yard.directory / "crm.db") as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    connection.close()


def test_a_query_without_rows_has_columns_too(yard):
    declared = yard.declared("sql", people(3))

    snapshot = yard.take(**{**declared, "query": "SELECT * FROM people WHERE id = ''"})

    assert (snapshot.schema.names, [*snapshot.profiles()]) == (["id", "email", "city", "age"], [])


def test_values_that_do_not_go_together_are_told(yard):
    declared = yard.declared("sql", people(3))

    with pytest.raises(Unreadable, match="the column 'id' holds different things in rows 1 to 2"):
        yard.take(
            **{**declared, "query": "SELECT 1 AS id, 'a' AS email, '' AS city, 1 AS age UNION ALL SELECT 'a',1,1,1"}
        )


@pytest.fixture
def crm(postgres):
    with postgres.lent("template0") as address:
        database = address.rpartition("/")[2].partition("?")[0]
        postgres.run("CREATE TABLE people (id bigint, name text, born date, paid numeric(20,2), tags text[])", database)

        row = "'Ada 100%', '1990-05-01', 12.50, '{a,b}'"
        postgres.run(f"INSERT INTO people VALUES (1, {row}), (2, {row}), (3, {row})", database)
        yield address, lambda sql: postgres.run(sql, database)


@pytest.fixture
def crm_yard(yard, crm):
    yard.copies.mkdir()
    yard.sources += (Source("crm", "postgresql", crm[0]),)
    return yard


QUERY = "SELECT id, name, born, paid, tags FROM people WHERE name LIKE 'Ada 100%' ORDER BY id"


def test_postgresql_is_asked_as_it_types_its_columns(crm_yard):
    attributes = [{"column": name, "path": name} for name in ("name", "born", "paid", "tags")]

    snapshot = crm_yard.take(format="sql", source="crm", query=QUERY, key="id", attributes=attributes)

    assert next(snapshot.profiles())[2] == (
        b'{"profileId":"1","name":"Ada 100%","born":"1990-05-01","paid":12.50,"tags":["a","b"]}'
    )
    assert snapshot.count(lambda *_: True) == 3
    assert snapshot.schema.field("born").type == pa.date32()


@pytest.mark.parametrize("query", [*NOT_ONE_SELECT, "SELECT 1; COMMIT; BEGIN READ WRITE; DELETE FROM people", "COMMIT"])
def test_a_query_to_postgresql_only_reads(crm_yard, crm, query):
    with pytest.raises(Unreadable):
        crm_yard.take(format="sql", source="crm", query=query or " ", key="id")

    assert crm[1]("SELECT count(*) FROM people") == [(3,)]
    assert crm[1]("SELECT to_regclass('kept')") == [(None,)]


def test_an_address_is_not_told_when_a_source_does_not_answer(yard):
    yard.copies.mkdir()
    yard.sources += (Source("gone", "postgresql", "postgresql://reader:s3cret@127.0.0.1:1/crm"),)

    with pytest.raises(Unreadable, match="the source 'gone' does not answer") as failure:
        yard.take(format="sql", source="gone", query="SELECT 1 AS id", key="id")

    assert "s3cret" not in str(failure.value)
    assert "127.0.0.1" not in str(failure.value)


def test_what_a_driver_says_of_values_is_not_told(crm_yard):
    with pytest.raises(Unreadable, match="InvalidTextRepresentation") as failure:
        crm_yard.take(format="sql", source="crm", query="SELECT name::int AS id FROM people", key="id")

    assert "Ada" not in str(failure.value)


def test_a_delta_log_that_names_files_elsewhere_is_refused(yard, tmp_path):
    write_deltalake(str(yard.directory / "delta"), people(2))
    write_deltalake(str(tmp_path / "other"), people(2))
    (stolen,) = (tmp_path / "other").glob("*.parquet")
    (own,) = (yard.directory / "delta").glob("*.parquet")
    own.unlink()
    own.symlink_to(stolen)

    with pytest.raises(Misplaced, match="leads out of"):
        yard.take(format="delta", location=str(yard.directory / "delta"), key="id")


def test_iceberg_opens_no_file_outside_whatever_a_table_says(yard, tmp_path):
    declared = yard.declared("iceberg", people(2))
    url = yard.sources[0].url
    catalog = SqlCatalog("lake", uri=url, warehouse=f"file://{tmp_path}/outside")
    catalog.create_namespace("other")
    evil = {"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}
    catalog.create_table("other.people", people(1).schema, properties=evil)
    catalog.close()

    with pytest.raises(Misplaced):
        yard.take(**{**declared, "table": "other.people"})
    with pytest.raises(Unreadable, match="has no table"):
        yard.take(**{**declared, "table": "crm.absent"})


def test_iceberg_neither_reads_elsewhere_nor_writes_anywhere(yard):
    io = PlacedIO({"headrace.directories": str(yard.directory)})

    for location in ("s3://bucket/a", "http://127.0.0.1/a", "/etc/passwd", "file:///etc/passwd"):
        with pytest.raises(Misplaced):
            io.new_input(location)
    for refused in (io.new_output, io.delete):
        with pytest.raises(Misplaced, match="never written"):
            refused(str(yard.directory / "a"))
