"""A store that is lost is restored from a backup taken under load: partners believe what is true, and nothing else."""

import contextlib
import sys
import threading

import pytest

from headrace.cli.client import FLOWS
from headrace.cli.demo import TOKEN
from headrace.cli.main import main
from headrace.testkit.oracle import _READERS, compare
from headrace.testkit.partner import Partner
from postgres import Database
from support import eventually, in_process, run

from .journey import READERS, check_ids, check_nothing_was_made_up, check_nothing_went_backwards, history, journey
from .test_consent_and_erasure import CANARY, dataflow, person, told

PEOPLE = 300
#: How many states were sent when the backup is begun: nobody has left yet. Then, how many before the loss.
AT_BACKUP = 200


@contextlib.contextmanager
def place(request, kind):
    """Lend a database, and another for what is restored."""
    if kind == "sqlite":
        yield None, None
        return
    server = request.getfixturevalue("postgres")
    with server.lent() as first, server.lent("template0") as second:
        yield Database(server, first), Database(server, second)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sqlite", "sqlite"),
        pytest.param("postgres", "postgres", marks=pytest.mark.campaign),
        pytest.param("sqlite", "postgres", marks=pytest.mark.campaign),
    ],
)
def test_after_a_restore_every_partner_believes_what_is_true(request, tmp_path, before, after):
    states = history(PEOPLE)
    with place(request, before) as (first, _), place(request, after) as (_, second), journey(tmp_path, first) as lost:
        where = {"database_url": first.address} if first is not None else {}
        lost.send_all(states[:AT_BACKUP])
        taken = in_background(lambda: run(tmp_path, "backup", "b", "--data-dir", "data", **where))
        lost.send_all(states[AT_BACKUP : AT_BACKUP + 60])
        assert taken().returncode == 0, taken().stderr
        assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
        lost.send_all(states[AT_BACKUP + 60 :])
        eventually("the last were told", lambda: sum(lost.ledger(item)["pending"] for item in lost.connected) < 20)
        lost.client.close()
        lost.server.kill()
        lost.server.data.rename(tmp_path / "lost")
        lost.server._settings.pop("database_url", None)
        where = {"database_url": second.address} if second is not None else {}
        lost.server._settings |= where

        restored = run(tmp_path, "restore", "b", "--data-dir", "data", **where)
        assert restored.returncode == 0, restored.stderr
        lost.client = lost.server.start()
        received = [partner.count for partner in lost.partners.values()]
        stood = [lost.client.get(f"{FLOWS}/flows/{item.dataflow}")["items"][0] for item in lost.connected]
        lost.send_all(newest(states[AT_BACKUP - 20 :]))

        assert [flow["state"] for flow in stood] == ["disabled", "disabled"]
        assert [partner.count for partner in lost.partners.values()] == received
        for item in lost.connected:
            lost.client.send("POST", f"{FLOWS}/flows/{item.dataflow}/action?op=enable")
        eventually("everybody was told of", lambda: resyncs(lost) == ["succeeded", "succeeded"])
        lost.wait_until_settled()

        for item in lost.connected:
            received = list(item.partner.received)
            assert wrong(item.name, lost.truth, received) == []
            entries = [(request, entry) for request in received for entry in READERS[item.name](request)]
            check_nothing_was_made_up(entries, states, item.name)
            check_nothing_went_backwards(entries)
            check_ids(received)
            ledger = lost.ledger(item)
            parts = ("delivered", "superseded", "withheld", "parked", "pending")
            assert ledger["accepted"] == sum(ledger[part] for part in parts)
            assert (ledger["parked"], ledger["pending"]) == (0, 0)
        assert "Traceback" not in lost.server.log.read_text()


def wrong(name, truth, received):
    """
    List what a partner believes that is not so.

    Who was fed as having left, and may have entered after the backup, is told to have left although they never entered.
    """
    members = {
        pair
        for request in received
        if request.answered == 200
        for pair, is_in in _READERS[name](request).items()
        if is_in
    }
    sentences = {f"{customer} was never in “{audience}”, and the partner was told so" for customer, audience in members}
    found = compare(name, truth, received, parked=set())
    return [text for text in found if " was never in " not in text or text in sentences]


def in_background(work):
    """Begin some work in a thread; returns what waits for it and says what came of it."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()

    def result():
        thread.join()
        return results[0]

    return result


def newest(states):
    """Return the last state of each person."""
    return list({state["identityMap"]["crmId"][0]["id"]: state for state in states}.values())


def resyncs(travelling):
    return [run["state"] for run in travelling.client.get("/runs?kind=resync")["items"]]


@pytest.fixture
def typed(tmp_path, monkeypatch, capsys):
    """Runs a command in this process and in the folder; returns its code and what it said."""
    for name in ("HEADRACE_URL", "HEADRACE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["headrace", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    return run


def test_who_was_erased_after_the_backup_is_erased_again(tmp_path, typed):
    with Partner.in_thread(token=TOKEN) as partner:
        settings = {"egress_allow": partner.origin, "renderers": 1}
        with in_process(tmp_path, **settings) as headrace:
            flow = dataflow(headrace.api, partner)
            canary = person(CANARY["id"], "y", email=CANARY["email"], city=CANARY["city"])
            headrace.api.post("/ingest/profiles", [canary, person("ann", "y")])
            eventually("both enter", lambda: len(told(partner)) == 2)
            headrace.wait_until_settled(flow)
            assert typed("backup", "b", "--data-dir", "data")[0] == 0
            identity = {"identity": {"namespace": "Email", "id": CANARY["email"]}}
            asked = headrace.api.post("/ingest/erasures", identity).json
            path = f"/ingest/erasures/{asked['id']}"
            eventually("they are erased", lambda: headrace.api.get(path).json["state"] == "done")
        (tmp_path / "data").rename(tmp_path / "lost")
        record = (tmp_path / "lost" / "erasures.log").read_text()
        assert not [text for text in CANARY.values() if text in record]

        _, said = typed("restore", "b", "--data-dir", "data", "--erasures", "lost/erasures.log")
        assert "erasures since then, by lost/erasures.log: 1" in said
        with in_process(tmp_path, **settings) as headrace:
            before = len(told(partner))
            refused = headrace.api.post("/ingest/profiles", [canary]).json
            eventually("they are removed", lambda: CANARY["city"].encode() not in headrace.kept())
            assert [item["code"] for item in refused["rejected"]] == ["erased"]
            assert len(told(partner)) == before

            enabled = headrace.api.send("POST", f"{FLOWS}/flows/{flow}/action?op=enable")
            assert enabled.status in (200, 202), enabled.text
            eventually("the partner is told", lambda: len(told(partner)) == before + 2)
            headrace.wait_until_settled(flow)
            assert sorted(told(partner)[before:]) == [("ann", "realized"), (CANARY["id"], "exited")]
            eventually("nothing is kept of them", lambda: not kept_of_canary(headrace))
            assert headrace.api.get(path).json["state"] == "done"


def kept_of_canary(headrace):
    everything = headrace.kept()
    return [text for text in CANARY.values() if text.encode() in everything]


def test_without_a_record_of_erasures_it_is_said_that_nobody_knows(tmp_path, typed):
    with in_process(tmp_path):
        assert typed("backup", "b", "--data-dir", "data")[0] == 0
    (tmp_path / "data").rename(tmp_path / "lost")

    _, said = typed("restore", "b", "--data-dir", "data")

    assert "NOBODY KNOWS WHO WAS ERASED SINCE" in said
    assert typed("restore", "b", "--data-dir", "data")[0] == 2
