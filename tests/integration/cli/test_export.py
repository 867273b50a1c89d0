"""``headrace export``, and ``headrace runs`` of exports, as an operator types them; files lie in a landing zone."""

import json
import time

import pytest

from headrace.errors import PartnerError
from headrace.testkit.partner import Partner
from support import FLOWS, eventually, in_process
from unit.services.exports.filing import connect_files

NOTIFY = {
    "httpMethod": "POST",
    "headers": [{"header": "Content-Type", "value": "application/json"}],
    "requestBody": {
        "json": {
            "audience": "{{ segment.id }}",
            "export": "{{ export.id }}",
            "files": "{% for file in export.files %}{{ file.name }}:{{ file.rows }} {% endfor %}",
        }
    },
}


@pytest.fixture(scope="module")
def partner():
    with Partner.in_thread(default=200) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner):
    with in_process(tmp_path_factory.mktemp("export"), egress_allow=partner.origin) as headrace:
        path = headrace.folder / "data" / "credentials.json"
        path.write_text(json.dumps(headrace.credentials))
        yield headrace


def people(count, audience):
    """Some people who are in an audience, of whom every fourth has no city."""
    for number in range(count):
        city = {"city": "Bonn"} if number % 4 else {}
        membership = {"ups": {audience: {"status": "realized", "lastQualificationTime": "2026-01-01T00:00:00Z"}}}
        identities = {"crmId": [{"id": f"{audience}-{number}"}]}
        yield {"profileId": f"{audience}-{number}", "identityMap": identities, "segmentMembership": membership, **city}


@pytest.fixture(scope="module")
def flow(headrace, partner):
    """A dataflow that writes two audiences once a day, and tells its partner."""
    lines = [json.dumps(one).encode() + b"\n" for audience in ("a", "b") for one in people(20, audience)]
    headrace.api.ingest(b"".join(lines))
    template = {"metadataTemplate": {"name": "Lists", "notify": {**NOTIFY, "url": f"{partner.origin}/arrived"}}}
    return connect_files(headrace.api, "a", "b", template=template, start="2026-01-01", time="23:59")


def _heard(partner):
    return [json.loads(one.body) for one in [*partner.received]]


def test_without_now_it_says_when_files_are_due(typed, flow):
    code, out, _ = typed("export", flow)
    assert code == 0
    assert out.count("23:59") == 2
    code, out, _ = typed("export", flow, "--audience", "b", "--json")
    (item,) = json.loads(out)
    assert (item["audience"], item["frequency"], item["underWay"]) == ("b", "DAILY", None)


def test_now_the_files_are_there_when_it_ends(headrace, typed, partner, flow):
    code, out, err = typed("export", flow, "--now")

    assert code == 0, err
    assert "A: 20 of 20 rows, 100 %, 366 bytes, 1 file" in out
    assert "B: 20 of 20 rows, 100 %, 366 bytes, 1 file" in out
    assert "A: success" in err
    runs = headrace.api.get("/runs?kind=export").json["items"]
    assert not any("files" in run["progress"] for run in runs)
    files = [file for run in runs for file in headrace.api.get(f"/runs/{run['id']}").json["progress"]["files"]]
    assert len(files) == 2
    found = {path.name: path for path in (headrace.folder / "data").rglob("*.csv")}
    for file in files:
        path = found[file["path"].rpartition("/")[2]]
        assert path.stat().st_size == file["bytes"]
        assert path.name in out
        assert file["sha256"] in out


def test_the_partner_is_told_of_each_audience(headrace, typed, partner, flow):
    code, out, _ = typed("export", flow, "--audience", "a", "--now", "--json")

    (run,) = json.loads(out)
    (file,) = run["x-headrace"]["files"]
    name = file["path"].rpartition("/")[2]
    told = eventually("the partner is told", lambda: [one for one in _heard(partner) if one["export"] == run["id"]])
    assert (code, told) == (0, [{"audience": "a", "export": run["id"], "files": f"{name}:20 "}])


def test_what_it_asked_for_is_among_the_runs(headrace, typed, flow):
    code, out, _ = typed("export", flow, "--audience", "b", "--now", "--no-wait")
    (run,) = out.split()
    assert code == 0

    code, out, _ = typed("runs", "show", run, "--watch")

    assert code == 0
    assert "about: dataflow" in out
    assert "on demand" in out
    assert "audiences: B" in out
    assert "progress: 20 of 20 rows" in out
    code, out, _ = typed("runs", "list", "--kind", "export", "--watch")
    assert run in out
    assert "20 of 20 rows, 100 %" in out
    assert "sourceSummaries" not in out
    (listed,) = headrace.api.get(f"{FLOWS}/runs/{run}").json["items"]
    assert listed["metrics"]["recordSummary"]["outputRecordCount"] == 20


def test_an_audience_that_is_not_sent_is_refused(typed, flow):
    code, _, err = typed("export", flow, "--audience", "x", "--now")
    assert (code, "Segments `x` are not part of this dataflow or out of schedule range!" in err) == (2, True)


def test_people_without_a_row_are_counted_by_reason_and_a_failure_ends_with_its_reason(headrace, typed):
    flow = connect_files(headrace.api, "a", name="cities", start="2026-01-01", time="23:59", mandatory=("city",))
    code, out, err = typed("export", flow, "--now")
    assert code == 0, err
    assert "A: 15 of 20 rows" in out
    assert "missing-field" in out
    assert "a mandatory field has no value" in out

    headrace.api.post(f"{FLOWS}/flows/{flow}/action?op=disable", {})
    code, _, err = typed("export", flow, "--now")
    assert code == 2
    assert "enable it first" in err


def test_in_a_terminal_there_is_a_bar_for_each_audience(typed, flow, monkeypatch):
    time.sleep(1)  # Files of one second have one name.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    code, _, err = typed("export", flow, "--audience", "a", "--now")

    assert code == 0
    (last, *_) = [line for line in reversed(err.splitlines()) if "━" in line]
    assert "20 of 20 rows, 100 %, 366 bytes, 1 file" in last


@pytest.fixture
def failing(headrace):
    """Whoever writes files finds that there is no room."""

    async def fail(run, steps):
        raise PartnerError("the storage has no room")

    kinds = headrace.app.runs._kinds
    kept = kinds["export"]
    headrace.app.runs.register("export", fail)
    yield
    kinds["export"] = kept


def test_a_run_that_fails_is_told_with_its_reason(typed, flow, failing):
    code, out, err = typed("export", flow, "--audience", "a", "--now")
    assert (code, out) == (1, "")
    assert "failed: the storage has no room" in err

    code, out, _ = typed("export", flow, "--audience", "a", "--now", "--json")
    (run,) = json.loads(out)
    assert (code, run["metrics"]["statusSummary"]["status"]) == (1, "failed")


def test_a_run_that_failed_is_tried_again_for_its_moment(headrace, typed, flow):
    (failed, *_) = headrace.api.get("/runs?kind=export&state=failed").json["items"]

    code, again, _ = typed("runs", "retry", failed["id"])
    assert code == 0
    code, out, _ = typed("runs", "show", again.strip(), "--watch", "--json")

    shown = json.loads(out)
    assert (code, shown["subject"]["moment"]) == (0, failed["subject"]["moment"])
    assert shown["flowRun"]["x-headrace"]["export"] == failed["id"]
    assert [one["id"] for one in shown["earlier"]] == [failed["id"]]


def test_a_run_that_is_cancelled_leaves_no_file(headrace, typed, flow):
    def files():
        return {*(headrace.folder / "data").rglob("*.csv")}

    before = files()
    _, out, _ = typed("export", flow, "--audience", "b", "--now", "--no-wait")
    code, _, _ = typed("runs", "cancel", out.strip())
    assert code == 0
    code, out, _ = typed("runs", "show", out.strip(), "--watch")
    assert code == 1
    assert "state: cancelled" in out
    assert files() == before
