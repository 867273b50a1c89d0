"""Alerts through REST, with a real mail server and a real webhook at the other end, and from the command line."""

import json

import pytest

from headrace.connect.webhooks import WebhookSigner
from headrace.model.http import Request
from headrace.testkit.mail import MailBox
from headrace.testkit.partner import Partner
from support import eventually, in_process, run

PATH = "/alerts/subscriptions"
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """A Headrace with a mail server and somebody who takes webhooks."""
    folder = tmp_path_factory.mktemp("alerts")
    with MailBox.in_thread() as box, Partner.in_thread() as taker:
        allowed = f"{box.url}, {taker.origin}"
        settings = {"egress_allow": allowed, "smtp_url": box.url, "smtp_tls": "none", "smtp_from": "us@example.com"}
        with in_process(folder, alert_free_megabytes=1 << 40, **settings) as headrace:
            yield headrace, box, taker


def made(answer):
    assert answer.status == 201, answer.text
    return answer.json


def ended(api, run_id):
    states = ("succeeded", "failed")
    return eventually("the run ends", lambda: (r := api.get(f"/runs/{run_id}").json)["state"] in states and r)


def test_what_is_in_force_is_listed(surroundings):
    headrace, _, _ = surroundings

    def found():
        return [item for item in headrace.api.get("/alerts").json["items"] if item["alert"] == "storage-full"]

    (item,) = eventually("it is found out", found)
    assert item["state"] == "raised"
    assert item["about"] == {"type": "installation", "id": "data-directory", "name": None}
    assert item["reason"].endswith("megabytes are left where the data directory is")


def test_a_test_arrives_by_mail(surroundings):
    headrace, box, _ = surroundings
    kept = made(headrace.api.post(PATH, {"alerts": ["dataflow-held", "storage-full"], "mail": "ops@example.com"}))

    asked = headrace.api.post(f"{PATH}/{kept['id']}/test", {})
    assert asked.status == 202
    assert ended(headrace.api, asked.json["run"]["id"])["state"] == "succeeded"

    (mail,) = box.messages
    assert (mail["To"], mail["From"]) == ("ops@example.com", "us@example.com")
    assert "A test of alerts" in mail["Subject"]
    assert headrace.api.delete(f"{PATH}/{kept['id']}").status == 204
    assert headrace.api.get(f"{PATH}/{kept['id']}").status == 404


def test_a_test_arrives_at_a_webhook_signed_and_the_secret_is_not_shown(surroundings):
    headrace, _, taker = surroundings
    document = {"alerts": ["dataflow-held"], "webhook": f"{taker.origin}/hook", "signingSecret": SECRET}
    kept = made(headrace.api.post(PATH, document))

    assert kept["signingSecret"] == "••••"
    assert SECRET not in headrace.api.get(PATH).text + headrace.api.get(f"{PATH}/{kept['id']}").text
    asked = headrace.api.post(f"{PATH}/{kept['id']}/test", {})
    assert ended(headrace.api, asked.json["run"]["id"])["state"] == "succeeded"

    (received,) = taker.received
    assert json.loads(received.body)["type"] == "alerts.test"
    given = received.headers
    sent = Request("POST", "", (), received.body)
    signed = WebhookSigner.of([SECRET]).sign(sent, given["webhook-id"], int(given["webhook-timestamp"]) * 1000)
    assert dict(signed.headers)["webhook-signature"] == given["webhook-signature"]


def test_a_webhook_inside_the_network_is_not_reached_and_nobody_is_told_why(surroundings):
    headrace, _, _ = surroundings
    document = {"alerts": ["dataflow-held"], "webhook": "https://169.254.169.254/latest", "signingSecret": SECRET}
    kept = made(headrace.api.post(PATH, document))

    asked = headrace.api.post(f"{PATH}/{kept['id']}/test", {})
    failed = ended(headrace.api, asked.json["run"]["id"])

    assert failed["state"] == "failed"
    assert "was not reached" in failed["reason"]


def test_the_command_line_subscribes_tries_lists_and_unsubscribes(surroundings, tmp_path):
    headrace, box, _ = surroundings
    box.messages.clear()
    there = ("--data-dir", str(headrace.folder / "data"))

    done = run(tmp_path, "alerts", "subscribe", "backlog-age", "--mail", "me@example.com", "--threshold", "5", *there)
    assert done.returncode == 0, done.stderr
    id_ = done.stdout.strip()
    tried = run(tmp_path, "alerts", "test", id_, *there)
    assert (tried.returncode, tried.stdout) == (0, "the test was taken\n"), tried.stderr
    assert box.messages[-1]["To"] == "me@example.com"
    listed = run(tmp_path, "alerts", "list", "--subscriptions", *there)
    assert id_ in listed.stdout
    assert "me@example.com" in listed.stdout
    assert "storage-full" in run(tmp_path, "alerts", "list", *there).stdout
    assert run(tmp_path, "alerts", "unsubscribe", id_, *there).returncode == 0
    assert id_ not in run(tmp_path, "alerts", "list", "--subscriptions", *there).stdout


def test_what_is_not_right_is_refused(surroundings):
    headrace, _, _ = surroundings

    answer = headrace.api.post(PATH, {"alerts": ["nonsense"], "mail": "x"})
    assert answer.status == 400
    assert {problem["path"] for problem in answer.json["errors"]} >= {"/alerts/0", "/mail"}
