"""Every combination of options comes to the bytes that are checked in, and these are what the rules say."""

import pyarrow.parquet as pq
import pytest

from unit.batch.formats.csv_combinations import combinations
from unit.batch.formats.csv_goldens import goldens
from unit.batch.formats.csv_reference import file_of
from unit.batch.formats.csv_table import TABLES, look, written

GOLDENS = goldens()
IDS = [f"{table} {' '.join(f'{name}={value!r}' for name, value in options.items())}" for table, options, _ in GOLDENS]


def test_every_combination_is_checked_in():
    assert [(table, options) for table, options, _ in GOLDENS] == list(combinations())
    assert len(GOLDENS) > 150


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The tables as files of Parquet, by name."""
    folder = tmp_path_factory.mktemp("tables")
    for name, table in TABLES.items():
        pq.write_table(table, folder / name)
    return folder.joinpath


@pytest.mark.parametrize(("table", "options", "file"), GOLDENS, ids=IDS)
def test_a_file_is_what_is_checked_in(table, options, file, stored):
    chosen = dict(options)
    guard = chosen.pop("formulaGuard", False)

    assert written(TABLES[table], look(formula_guard=guard, **chosen), file=stored(table)) == file


@pytest.mark.parametrize(("table", "options", "file"), GOLDENS, ids=IDS)
def test_what_is_checked_in_is_what_the_rules_say(table, options, file):
    assert file_of(TABLES[table], options) == file
