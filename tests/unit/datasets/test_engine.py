"""SQL over datasets: what it can reach, and what it cannot."""

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from headrace.datasets.engine import BadQuery, Engine


@pytest.fixture
def people(tmp_path):
    file = tmp_path / "people.parquet"
    pa.parquet.write_table(pa.table({"key": ["ann", "ben"], "age": [30, 40]}), file)
    return file


@pytest.fixture
def engine(tmp_path, people):
    with Engine(tmp_path / "scratch") as engine:
        engine.view_parquet("people", [people])
        engine.view_arrow("regions", pa.table({"key": ["ben"], "region": ["north"]}))
        engine.lock()
        yield engine


def test_a_query_joins_files_and_arrow(engine):
    assert engine.read("SELECT key, region FROM people JOIN regions USING (key)").read_all().to_pylist() == [
        {"key": "ben", "region": "north"}
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT content FROM read_text('/etc/hostname')",
        "SELECT * FROM read_parquet('https://example.com/a.parquet')",
        "SELECT getenv('HOME')",
        "COPY people TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "CREATE TABLE kept AS SELECT 1",
        "PRAGMA database_list",
        "SELECT 1; SELECT 2",
        "",
        "SELECT nothing FROM people",
        "SELECT * FROM pytest",
    ],
)
def test_anything_but_one_query_over_the_views_is_refused(engine, sql):
    with pytest.raises(BadQuery):
        engine.read(sql).read_all()


def test_nothing_is_left_in_the_scratch_directory(tmp_path, people):
    with Engine(tmp_path / "scratch") as engine:
        engine.view_parquet("people", [people])
        engine.lock()
        engine.read("SELECT count(*) FROM people").read_all()

    assert list((tmp_path / "scratch").iterdir()) == []
