"""``headrace runs`` as an operator types it."""

import asyncio
import functools
import json
import threading

import pytest

from headrace.cli.demo import TOKEN, connect
from headrace.errors import PartnerError
from headrace.store import runs
from headrace.testkit.partner import Partner
from support import FLOWS, eventually, in_process

LATE = 4_000_000_000_000


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("runs")) as headrace:
        path = headrace.folder / "data" / "credentials.json"
        path.write_text(json.dumps(headrace.credentials))
        yield headrace


@pytest.fixture(scope="module", autouse=True)
def gate(headrace):
    """A gate that runs of the kind ``wait`` wait for; there is also a kind that counts, and one that fails."""
    gate = threading.Event()

    async def count(run, steps):
        await steps.note(done=7)

    async def fail(run, steps):
        await steps.step("call", _refuse)

    async def wait(run, steps):
        await steps.note(people=3)
        await steps.step("wait", lambda: asyncio.to_thread(gate.wait))

    for kind, work in {"count": count, "fail": fail, "wait": wait}.items():
        headrace.app.runs.register(kind, work)
    return gate


async def _refuse():
    raise PartnerError("the partner is \x1b[2Jclosed [red]today")


@pytest.fixture
def command(typed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    return functools.partial(typed, "runs")


@pytest.fixture
def flow(headrace):
    """A dataflow, with the account and the target connection it sends through."""
    with Partner.in_thread(token=TOKEN) as partner:
        id_ = connect(headrace.client, "lighthouse", partner).dataflow
        (dataflow,) = headrace.api.get(f"{FLOWS}/flows/{id_}").json["items"]
        (target,) = headrace.api.get(f"{FLOWS}/targetConnections/{dataflow['targetConnectionIds'][0]}").json["items"]
        yield id_, target["baseConnectionId"], target["id"]


def ask(headrace, kind, due_at=None, **subject):
    run = headrace.app.store.write_now(lambda tx: runs.ask(tx, 1, kind, subject, "client:a", 0, due_at)).run
    headrace.app.runs.wake()
    return run


def ended(headrace, run):
    path = f"/runs/{run}"
    return eventually("the run ends", lambda: row if (row := headrace.api.get(path).json)["endedAt"] else None)


def test_runs_are_listed_by_kind_and_state(headrace, command):
    run = ask(headrace, "count", people=3)
    ended(headrace, run)

    _, out, _ = command("list", "--kind", "count", "--state", "succeeded")
    code, listed, _ = command("list", "--kind", "count", "--state", "succeeded", "--json")

    assert all(text in out for text in (run, "people 3", "succeeded", "done 7"))
    assert (code, [item["id"] for item in json.loads(listed)]) == (0, [run])
    assert json.loads(command("list", "--kind", "count", "--state", "failed", "--json")[1]) == []


def test_runs_are_listed_by_account_and_dataflow(headrace, command, flow):
    dataflow, account, target = flow
    run, other = (ask(headrace, "rest", LATE, target=one) for one in (target, "another"))

    for words in (["--account", account], ["--dataflow", dataflow], ["--account", account, "--dataflow", dataflow]):
        listed = json.loads(command("list", "--kind", "rest", *words, "--json")[1])
        assert [item["id"] for item in listed] == [run], words
    everything = {item["id"] for item in json.loads(command("list", "--kind", "rest", "--json")[1])}
    assert {run, other} <= everything


def test_an_account_that_nothing_is_sent_through_has_no_runs(headrace, command, flow):
    ask(headrace, "rest", LATE, target=flow[2])
    (account,) = headrace.api.get(f"{FLOWS}/connections/{flow[1]}").json["items"]
    spec = {"id": account["connectionSpec"]["id"]}
    unused = headrace.client.post(f"{FLOWS}/connections", {"name": "unused", "connectionSpec": spec, "auth": _auth()})[
        "id"
    ]

    assert json.loads(command("list", "--account", unused, "--json")[1]) == []


def _auth():
    return {"specName": "BEARER", "params": {"token": TOKEN}}


def test_a_run_that_failed_says_why_and_what_was_tried_before(headrace, command):
    first = ask(headrace, "fail")
    ended(headrace, first)

    code, out, _ = command("retry", first)
    second = out.strip()
    ended(headrace, second)
    shown = command("show", second)[1]
    told = json.loads(command("show", second, "--json")[1])

    assert code == 0
    assert r"reason: the partner is \x1b[2Jclosed [red]today" in shown
    assert f"tries again: {first}" in shown
    assert "[red]today" in shown.partition("tried before")[2]
    assert (told["state"], [run["id"] for run in told["earlier"]]) == ("failed", [first])


def test_a_run_is_followed_until_it_has_ended(headrace, command, gate):
    gate.clear()
    run = ask(headrace, "wait")
    eventually("it has begun", lambda: headrace.api.get(f"/runs/{run}").json["progress"])
    opening = threading.Timer(1.0, gate.set)
    opening.start()

    code, out, _ = command("show", run, "--follow")

    opening.join()
    assert (code, "state: succeeded" in out, "progress: people 3" in out) == (0, True, True)


def test_a_run_that_ended_otherwise_than_well_is_exit_code_1_where_it_was_followed(headrace, command):
    run = ask(headrace, "fail")

    assert command("show", run, "--follow")[0] == 1
    assert command("show", run)[0] == 0


def test_a_run_that_waits_is_cancelled(headrace, command):
    run = ask(headrace, "rest", LATE)

    code, out, _ = command("cancel", run)

    assert (code, out) == (0, f"{run} is cancelled\n")
    assert json.loads(command("show", run, "--json")[1])["state"] == "cancelled"


REFUSED = {
    "a run that is none": (("show", "absent"), "there is no run 'absent' here"),
    "an account that is none": (("list", "--account", "absent"), "no account 'absent'"),
    "a dataflow that is none": (("list", "--dataflow", "absent"), "no dataflow 'absent'"),
    "a retry of what succeeded": (
        ("retry", "succeeded"),
        "is succeeded: what failed or was cancelled can be",
    ),
    "a cancel of what has ended": (("cancel", "succeeded"), "has succeeded already"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_says_why(headrace, command, words, said):
    run = ask(headrace, "count")
    ended(headrace, run)

    code, _, err = command(*(run if word == "succeeded" else word for word in words))

    assert code == 2
    assert said in err
