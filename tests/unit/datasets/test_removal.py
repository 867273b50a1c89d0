"""People are taken out of lists for good; what counts the rows of a list by their places is not disturbed."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.datasets import members, removal
from headrace.datasets.members import ENTERED, LEFT, LIST

GONE = {"k3", "k7"}


def gone(keys):
    return [key in GONE for key in keys]


@pytest.fixture
def directory(tmp_path):
    for name in (LIST, ENTERED, LEFT):
        (tmp_path / name).mkdir()
        for part in range(3):
            keys = [f"k{number}" for number in range(part * 4, part * 4 + 4)]
            said = pa.table({"key": keys, "tier": [f"canary of {key}" for key in keys], "more": [[{"a": 1}]] * 4})
            pq.write_table(said, tmp_path / name / f"{part:02}.parquet")
    return tmp_path


def rows(directory, name, start=0):
    return [row for part in members.read(directory, name, start, 3) for row in part]


def test_members_are_removed_and_who_came_and_went_is_emptied(directory):
    untouched = (directory / LIST / "02.parquet").read_bytes()

    removal.remove(directory, gone)
    removal.remove(directory, gone)

    kept = [f"k{number}" for number in range(12)]
    assert [row["key"] for row in rows(directory, LIST)] == [key for key in kept if key not in GONE]
    for name in (ENTERED, LEFT):
        found = rows(directory, name)
        assert [row["key"] for row in found] == [None if key in GONE else key for key in kept]
        assert found[3] == {"key": None, "tier": None, "more": None}
        assert found[4] == {"key": "k4", "tier": "canary of k4", "more": [{"a": 1}]}
        assert [row["key"] for row in rows(directory, name, 7)] == [None, "k8", "k9", "k10", "k11"]
    assert (directory / LIST / "02.parquet").read_bytes() == untouched
    assert not any(b"k3" in path.read_bytes() for path in directory.rglob("*") if path.is_file())
    assert members.measured(directory) == members.Difference(10, 12, 12)


def test_who_reads_meanwhile_goes_on_where_they_are(directory):
    parts = members.read(directory, ENTERED, 0, 2)
    first = next(parts)

    removal.remove(directory, gone)

    rest = [row["key"] for part in parts for row in part]
    assert [row["key"] for row in first] == ["k0", "k1"]
    assert len(rest) == 10
    assert {key for key in rest if key is not None} >= {"k2", "k4", "k5", "k6", "k8"}


def test_a_list_that_goes_away_meanwhile_is_none(directory):
    def remove_it(keys):
        (directory / LIST / "01.parquet").unlink(missing_ok=True)
        return gone(keys)

    removal.remove(directory, remove_it)

    assert [row["key"] for row in rows(directory, LIST)] == ["k0", "k1", "k2", "k8", "k9", "k10", "k11"]


def compared(directory, keys, before):
    directory.mkdir()
    writer = members.Writer(directory)
    writer.write(pa.RecordBatch.from_pydict({"key": keys}))
    members.compare(writer.close(), directory, before, replace=True, refresh=False)
    return directory


def test_lists_with_emptied_rows_are_compared_as_if_these_were_not_there(tmp_path):
    first = compared(tmp_path / "first", [f"k{number}" for number in range(12)], members.Before())
    removal.remove(first, gone)

    made = compared(tmp_path / "next", ["k1", "k50"], members.Before(first / LIST, (first,)))

    assert sorted(row["key"] for row in rows(made, LIST)) == ["k1", "k50"]
    assert sorted(row["key"] for row in rows(made, ENTERED)) == ["k1", "k50"]
    left = [row["key"] for row in rows(made, LEFT)]
    assert sorted(left) == sorted(f"k{number}" for number in range(12) if number not in (1, 3, 7))
