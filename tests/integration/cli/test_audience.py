"""``headrace audience`` as an operator types it."""

import json
import sys

import pytest

from headrace.cli.main import main
from support import eventually, in_process


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audiences")
    (folder / "people").mkdir()
    rows = "".join(f"C-{number}\n" for number in range(150))
    (folder / "people" / "a.csv").write_text(f"id\n{rows}")
    with in_process(folder, dataset_directories=str(folder / "people"), max_upload_bytes=1 << 20) as headrace:
        headrace.largest = 1 << 20
        (folder / "data" / "credentials.json").write_text(json.dumps(headrace.credentials))
        said = {"name": "shop", "format": "csv", "location": str(folder / "people"), "key": "id"}
        headrace.dataset = headrace.api.post("/datasets", said).json["id"]
        snapshot(headrace)
        yield headrace


def snapshot(headrace):
    number = headrace.api.post(f"/datasets/{headrace.dataset}/snapshots", {}).json["snapshot"]["number"]
    where = f"/datasets/{headrace.dataset}/snapshots/{number}"
    eventually("it is taken", lambda: headrace.api.get(where).json["state"] == "ready")


@pytest.fixture
def audience(headrace, monkeypatch, capsys):
    """Runs the command, and returns its exit code and what it said."""

    def run(*words):
        line = ["headrace", "audience", *words, "--data-dir", str(headrace.folder / "data")]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def document(headrace, **said):
    path = headrace.folder / "audience.json"
    path.write_text(json.dumps({"name": "Buyers", **said}))
    return str(path)


def test_a_query_is_looked_ahead_declared_evaluated_and_held(headrace, audience):
    said = {"kind": "sql", "query": "SELECT id FROM shop", "key": "id"}
    code, out, _ = audience("preview", document(headrace, **said))
    assert (code, out.splitlines()[0], len(out.splitlines())) == (0, "150 members, 0 rows name nobody", 11)

    id_ = audience("create", document(headrace, **said))[1].strip()
    code, out, _ = audience("evaluate", id_)
    assert (code, out) == (0, "150 members: 150 entered, 0 left, 0 rows rejected\n")
    assert json.loads(audience("show", id_)[1])["size"] == 150

    (headrace.folder / "people" / "a.csv").write_text("id\nC-1\n")
    snapshot(headrace)
    code, _, err = audience("evaluate", id_)
    assert (code, "evaluation 2 held: 149 of 150 members would leave" in err) == (1, True)
    assert audience("confirm", id_, "2")[:2] == (0, "1 members: 0 entered, 149 left, 0 rows rejected\n")
    listed = json.loads(audience("history", id_, "--json")[1])
    assert [(item["number"], item["state"]) for item in listed] == [(2, "applied"), (1, "applied")]
    assert "applied" in audience("history", id_)[1]
    assert id_ in [item["id"] for item in json.loads(audience("list", "--json")[1])]
    assert "members" in audience("list")[1]


def test_members_are_uploaded_and_lines_that_name_nobody_are_told(headrace, audience):
    said = {"kind": "upload", "identity": {"column": "mail", "namespace": "Email"}}
    id_ = json.loads(audience("create", document(headrace, **said), "--json")[1])["id"]
    file = headrace.folder / "members.csv"
    file.write_text("mail,tier\na@x.example,gold\n,tin\n")

    code, out, _ = audience("upload", id_, str(file), "--valid-until", "2999-01-01T00:00:00Z")

    assert code == 0
    assert out.splitlines() == [
        "upload:3: `mail` is empty, and says who is a member (no-key)",
        "1 members: 1 entered, 0 left, 1 rows rejected",
    ]
    file.write_text("mail\nb@x.example\n")
    assert audience("upload", id_, str(file), "--add")[1].startswith("2 members: 1 entered")
    assert audience("upload", id_, str(headrace.folder / "x.txt"))[0] == 2
    file.write_bytes(b"mail\n" + b"c@x.example\n" * (headrace.largest // 8))
    code, _, err = audience("upload", id_, str(file))
    assert (code, f"larger than {headrace.largest} bytes" in err) == (2, True)
    file.write_text("other\nx\n")
    code, _, err = audience("upload", id_, str(file))
    assert (code, "there is no column 'mail'" in err) == (1, True)


def test_names_that_others_gave_are_shown_as_they_are_and_ids_whole(headrace, audience, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    id_ = audience("create", document(headrace, name="[/r] [b]", kind="upload", key="id"))[1].strip()

    code, out, _ = audience("list")

    assert (code, id_ in out, "[/r]" in out) == (0, True, True)
