"""``headrace datasets`` as an operator types it."""

import json
import sys

import pytest

from headrace.cli.main import main
from support import eventually, in_process


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    (folder / "people").mkdir()
    (folder / "people" / "a.csv").write_text("id,city\nC-1,Zürich\nC-2\nC-3,Ulm\n")
    with in_process(folder, dataset_directories=str(folder / "people")) as headrace:
        (folder / "data" / "credentials.json").write_text(json.dumps(headrace.credentials))
        yield headrace


@pytest.fixture
def datasets(headrace, monkeypatch, capsys):
    """Runs the command, and returns its exit code and what it said."""

    def run(*words):
        line = ["headrace", "datasets", *words, "--data-dir", str(headrace.folder / "data")]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def document(headrace, **changes):
    said = {
        "name": "people",
        "format": "csv",
        "location": str(headrace.folder / "people"),
        "key": "id",
        "attributes": [{"column": "city", "path": "city"}],
    }
    path = headrace.folder / "dataset.json"
    path.write_text(json.dumps({**said, **changes}))
    return str(path)


def test_people_are_declared_looked_at_and_taken_in(headrace, datasets):
    id_ = datasets("add", document(headrace))[1].strip()

    assert "none yet" in datasets("list")[1]
    code, out, _ = datasets("snapshot", id_)
    assert (code, out.splitlines()[0]) == (0, "snapshot 1: 2 rows, 1 bad")
    assert out.splitlines()[1].endswith("a.csv:3: the row has 1 values; there are 2 columns (columns)")
    assert json.loads(datasets("show", id_)[1])["snapshot"]["rows"] == 2
    rows = [json.loads(line) for line in datasets("sample", id_, "--rows", "2")[1].splitlines()]
    assert (rows[0], rows[1]["code"]) == ({"profileId": "C-1", "city": "Zürich"}, "columns")
    code, out, _ = datasets("load", id_, "--snapshot", "1")
    assert (code, out.splitlines()[0]) == (0, "2 people taken in, 1 rows rejected")
    assert id_ in [item["id"] for item in json.loads(datasets("list", "--json")[1])]

    assert datasets("remove", id_)[0] == 0
    code, _, err = datasets("show", id_)
    assert (code, "there is no dataset" in err) == (2, True)


def test_a_run_that_fails_is_exit_code_1_and_says_why(headrace, datasets):
    id_ = json.loads(datasets("add", document(headrace, key="nobody"), "--json")[1])["id"]

    code, _, err = datasets("snapshot", id_)

    assert code == 1
    assert "there is no column 'nobody'; these are: id, city" in err


def test_nobody_has_to_wait(headrace, datasets):
    id_ = datasets("add", document(headrace))[1].strip()

    taking = datasets("snapshot", id_, "--no-wait")[1].strip()
    eventually("it is taken", lambda: headrace.api.get(f"/runs/{taking}").json["state"] == "succeeded")
    loading = datasets("load", id_, "--no-wait")[1].strip()

    assert headrace.api.get(f"/runs/{loading}").json["kind"] == "dataset-load"
    eventually("it is loaded", lambda: headrace.api.get(f"/runs/{loading}").json["state"] == "succeeded")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "absent.json"), "absent.json cannot be read as JSON"),
        (("snapshot", "absent"), "there is no dataset 'absent' here"),
        (("load", "../runs"), "was answered 404"),
    ],
)
def test_what_cannot_be_done_says_the_way_out(datasets, words, said):
    code, _, err = datasets(*words)

    assert code == 2
    assert said in err
