"""The manifest: what the original's readers find in it, and what is ours."""

import json
from hashlib import sha256

import pytest

from headrace.batch.filenames import inside
from headrace.batch.manifest import Written, has_a_file, manifest, name_of_manifest

#: 2031-03-02 06:00:00.123 UTC.
SCHEDULED = 1_930_197_600_123


def test_a_manifest_says_what_was_written():
    digest = sha256(b"id\n1\n").hexdigest()
    files = [Written("drop/daily/harbor.csv", 5, 1, digest), Written("drop/daily/harbor_2.csv", 9, 2, digest)]

    made = json.loads(manifest("run-7", SCHEDULED, files))

    assert made == {
        "flowRunId": "run-7",
        "scheduledTime": "2031-03-02T06:00:00Z",
        "exportResults": [
            {
                "sinkPath": "/drop/daily",
                "name": "harbor.csv",
                "size": 5,
                "x-headrace": {"rows": 1, "sha256": digest},
            },
            {
                "sinkPath": "/drop/daily",
                "name": "harbor_2.csv",
                "size": 9,
                "x-headrace": {"rows": 2, "sha256": digest},
            },
        ],
        "x-headrace": {"files": 2, "rows": 3},
    }


def test_readers_of_the_original_find_what_they_know_and_nothing_else_beside_one_key():
    made = json.loads(manifest("run-7", SCHEDULED, [Written("a.csv", 5, 1, "0")]))

    assert made.keys() - {"x-headrace"} == {"flowRunId", "scheduledTime", "exportResults"}
    assert made["exportResults"][0].keys() - {"x-headrace"} == {"sinkPath", "name", "size"}
    assert made["exportResults"][0]["sinkPath"] == "/"


def test_a_run_that_has_left_no_file_says_so():
    made = json.loads(manifest("run-7", SCHEDULED, []))

    assert made["exportResults"] == []
    assert made["x-headrace"] == {"files": 0, "rows": 0}


@pytest.mark.parametrize(
    ("rows", "mode", "expected"),
    [(0, "full", True), (0, "incremental", False), (1, "full", True), (1, "incremental", True)],
)
def test_a_full_file_without_rows_takes_the_place_of_an_older_one(rows, mode, expected):
    assert has_a_file(rows, mode) is expected


def test_the_same_files_have_the_same_manifest():
    files = [Written("a.csv", 5, 1, "0")]

    assert manifest("run-7", SCHEDULED, files) == manifest("run-7", SCHEDULED, files)


def test_a_manifest_lies_beside_its_files_whatever_ids_are():
    assert name_of_manifest("flow-1", "run-7") == "manifest-flow-1-run-7.json"
    assert inside("", name_of_manifest("../flow", "r/7"))
