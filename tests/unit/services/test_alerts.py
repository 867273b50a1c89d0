"""Alerts from end to end: real deliveries go wrong and right again, and whoever subscribed is told once of each."""

import asyncio
import base64
import hashlib
import hmac

import orjson
import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.mail import Mailer, MailServer
from headrace.connect.tls import Tls
from headrace.connect.transport import NotSent
from headrace.errors import Conflict, NotFound
from headrace.events import AlertRaised, AlertRecovered, RequestAnswered
from headrace.model.problem import ConfigurationError
from headrace.services.alerts import subscribing, watching
from headrace.services.alerts.evidence import Evidence
from headrace.services.alerts.notices import KIND, MOST
from headrace.services.alerts.sending import Sending
from headrace.services.alerts.watching import Watching
from headrace.store import alerts, runs, sign_in_states
from headrace.testkit.mail import MailBox
from unit.services.house import person

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WEBHOOK = "https://ops.example.com/alerts"


@pytest.fixture(scope="module")
def mail_server():
    with MailBox.in_thread() as box:
        yield box


@pytest.fixture
def box(mail_server):
    mail_server.messages.clear()
    mail_server.recipients.clear()
    mail_server.answers.clear()
    return mail_server


@pytest.fixture
async def house(house, tmp_path, box):
    equip(house, tmp_path, box)
    await house.activate("a")
    return house


def mailer(url):
    server = MailServer.parse(url, "none", "", "", "headrace@example.com")
    return Mailer(server, Egress(AllowList.parse(url)), Tls())


def equip(house, directory, box):
    """Give a house its look-out, and the way to tell people."""
    house.evidence = Evidence(house.clock)
    house.lookout = lookout(house, directory)
    sending = Sending(house.store, house.clock, house.keyring, house.reaching, mailer(box.url))
    house.runs.register(KIND, sending.carry)


def lookout(house, directory, least_free=0):
    arguments = (house.store, house.clock, house.events.append, house.evidence, directory, least_free)
    return Watching(*arguments, house.runs.wake)


async def subscribe(house, *names, **more):
    document = {"alerts": list(names), **more}
    if "webhook" not in more:
        document = {"mail": "ops@example.com", **document}
    return (await subscribing.subscribe(house.store, house.clock, house.keyring, house.caller, document)).id


async def look(house):
    """Look once, and carry what is to be sent."""
    await house.lookout.look()
    await house.carry_runs()


async def in_force(house):
    found = await subscribing.listing(house.store, house.caller, also_recovered=False)
    return {(alert.alert, alert.threshold) for alert, _ in found}


async def hold(house):
    """Let a real delivery be refused so often that its dataflow is held."""
    house.partner.default = 404
    for number in range(1, 102):
        await house.ingest(person(number, "a"))
        await house.run()
    assert (await house.state())[0] == "held"


async def test_a_held_dataflow_is_told_once_and_its_recovery_once(house, box):
    await subscribe(house, "dataflow-held")
    await look(house)
    assert not box.messages

    await hold(house)
    for _ in range(3):
        await look(house)
        house.pass_time(60)

    (mail,) = box.messages
    assert mail["Subject"] == "[Headrace demo·headrace prod] In force: a dataflow is held (“flow”)"
    assert mail["To"] == "ops@example.com"
    assert house.flows["flow"] in mail.get_content()
    assert "100 messages in a row were refused" in mail.get_content()
    assert ("dataflow-held", "") in await in_force(house)

    await house.switch(True)
    for _ in range(3):
        await look(house)

    assert [mail["Subject"].split("] ")[1].split(":")[0] for mail in box.messages] == ["In force", "Over"]
    assert ("dataflow-held", "") not in await in_force(house)
    told = [event for event in house.events if isinstance(event, AlertRaised | AlertRecovered)]
    assert [type(event).__name__ for event in told if event.alert == "dataflow-held"] == [
        "AlertRaised",
        "AlertRecovered",
    ]


async def test_a_webhook_is_signed_and_a_repetition_has_the_same_id(house):
    id_ = await subscribe(house, "changes-parked", webhook=WEBHOOK, signingSecret=SECRET)
    house.partner.default = 400
    await house.ingest(person(1, "a"))
    await house.run()
    house.partner.messages.clear()
    house.partner.answers, house.partner.default = [503], 200

    await look(house)
    house.pass_time(120)
    await house.carry_runs()

    first, second = [request for _, request, _ in house.partner.messages]
    assert first.url == second.url == WEBHOOK
    headers, again = dict(first.headers), dict(second.headers)
    assert headers["webhook-id"] == again["webhook-id"]
    signed = f"{again['webhook-id']}.{again['webhook-timestamp']}.".encode() + second.body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert again["webhook-signature"] == f"v1,{expected}"
    (item,) = orjson.loads(second.body)["alerts"]
    assert (item["alert"], item["state"], item["threshold"]) == ("changes-parked", "raised", 0)
    assert item["about"] == {"type": "dataflow", "id": house.flows["flow"], "name": "flow"}
    kept = house.rows("SELECT CAST(document AS TEXT) FROM alert_subscriptions WHERE id = :id", id=id_)
    assert SECRET not in kept[0][0]


async def test_whoever_dies_between_raising_and_sending_has_it_sent(house, box, tmp_path):
    await subscribe(house, "dataflow-held")
    await hold(house)
    await house.lookout.look()
    assert not box.messages

    house.lookout = lookout(house, tmp_path)  # Another process, which finds the alert raised and the run asked for.
    await look(house)
    await look(house)

    assert len(box.messages) == 1


async def test_an_alert_that_was_not_committed_is_raised_by_the_next_look(house, box, monkeypatch):
    await subscribe(house, "dataflow-held")
    await hold(house)

    def die(name):
        if name == "before_alert_commit":
            raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(watching, "crashpoint", die)
        with pytest.raises(RuntimeError):
            await house.lookout.look()
    assert await in_force(house) == set()

    await look(house)
    assert len(box.messages) == 1


async def test_two_processes_that_look_at_once_raise_an_alert_once(house, box, tmp_path):
    await subscribe(house, "dataflow-held")
    await hold(house)

    await asyncio.gather(*(lookout(house, tmp_path).look() for _ in range(4)))
    await house.carry_runs()

    assert len(box.messages) == 1


async def test_a_mail_server_that_is_away_is_tried_again_and_tells_in_order(house, box):
    await subscribe(house, "dataflow-held")
    box.answers = [451]
    await hold(house)
    await look(house)
    house.pass_time(1)
    await house.switch(True)
    await look(house)
    assert not box.messages

    for _ in range(5):
        house.pass_time(90)
        await house.carry_runs()

    assert [mail["Subject"].split("] ")[1].split(":")[0] for mail in box.messages] == ["In force", "Over"]
    reasons = [
        run.reason for run in house.store.read_now(lambda tx: runs.latest(tx, 1, 100, kind=KIND, state="failed"))
    ]
    assert "The mail server answered 451." in reasons


async def test_it_is_reminded_of_once_a_day(house, box):
    await subscribe(house, "dataflow-held")
    await hold(house)
    for _ in range(8):
        await look(house)
        house.pass_time(6 * 60 * 60)

    kinds = [mail["Subject"].split("] ")[1].split(":")[0] for mail in box.messages]
    assert kinds == ["In force", "Still in force"]


async def test_a_threshold_of_ones_own_counts_for_oneself(house, box):
    await subscribe(house, "changes-parked", threshold=2, mail="two@example.com")
    await subscribe(house, "changes-parked", mail="any@example.com")
    house.partner.default = 400
    for number in (1, 2, 3):
        await house.ingest(person(number, "a"))
        await house.run()
        await look(house)

    assert box.recipients == ["any@example.com", "two@example.com"]
    assert {("changes-parked", "0"), ("changes-parked", "2")} <= await in_force(house)


async def test_what_waits_too_long_is_told_and_over_once_it_has_left(house, box):
    await subscribe(house, "backlog-age", "flow-run-delay")
    house.partner.default = NotSent("refused")
    await house.ingest(person(1, "a"))
    await house.run()
    house.pass_time(16 * 60)
    await look(house)
    assert await in_force(house) == {("backlog-age", "15")}

    house.pass_time(140 * 60)
    await look(house)
    assert await in_force(house) == {("backlog-age", "15"), ("flow-run-delay", "150")}

    house.partner.default = 200
    await house.run_out()
    await look(house)
    assert await in_force(house) <= {("changes-parked", "0")}


async def test_a_partner_that_does_not_answer_is_told_and_so_is_its_return(house):
    def answered(answer):
        event = RequestAnswered(dataflow=house.flows["flow"], answer=answer, message="m", seconds=0.1)
        house.evidence.hear(event)

    for _ in range(6):
        answered("partner-unanswered")
        await look(house)
    assert await in_force(house) == set()
    house.pass_time(61)
    await look(house)
    assert await in_force(house) == {("partner-unreachable", "")}

    house.evidence.reached.clear()  # Another process, which knows of nothing yet.
    await look(house)
    assert await in_force(house) == {("partner-unreachable", "")}

    answered("2xx")
    await look(house)
    assert await in_force(house) == set()


async def test_deliveries_are_heard_by_what_finds_out_about_partners(house):
    await house.ingest(person(1, "a"))
    await house.run()

    heard = [event for event in house.events if isinstance(event, RequestAnswered)]
    assert [event.answer for event in heard] == ["2xx"]


async def test_an_account_that_has_to_be_signed_in_again_is_told(house, box):
    await subscribe(house, "account-sign-in-needed")
    now = house.clock.now()
    needed = sign_in_states.SIGN_IN_NEEDED
    house.store.write_now(lambda tx: sign_in_states.change(tx, 1, "acc", needed, "it said <a href=x>no</a>", now))
    await look(house)
    house.store.write_now(lambda tx: sign_in_states.change(tx, 1, "acc", sign_in_states.SIGNED_IN, None, now))
    await look(house)

    first, second = box.messages
    assert "it said ‹a href=x›no‹/a›" in first.get_content()
    assert "Over: an account cannot be used" in second["Subject"]


async def test_the_rate_of_what_is_withheld_is_that_of_an_hour(house):
    await look(house)
    counted = house.store.write_now

    def settle(tx, delivered, withheld):
        rows = {"delivered": delivered, "withheld": withheld}
        columns = "tenant, dataflow, audience, accepted, delivered, withheld"
        values = f"1, 1, 1, {delivered + withheld}, {rows['delivered']}, {rows['withheld']}"
        tx.run(f"INSERT INTO ledger_deltas ({columns}) VALUES ({values})", {})

    counted(lambda tx: settle(tx, 100, 0))
    await look(house)
    house.pass_time(3601)
    counted(lambda tx: settle(tx, 80, 20))
    await look(house)
    assert await in_force(house) == {("activation-skip-rate-exceeded", "10")}

    house.pass_time(3601)
    counted(lambda tx: settle(tx, 99, 1))
    await look(house)
    assert await in_force(house) == set()


async def test_runs_of_a_dataflow_are_told_of_as_they_begin_succeed_and_fail(house, box):
    await subscribe(house, "flow-run-start", "flow-run-success", "flow-run-failure")
    await look(house)
    subject, outcome = {"dataflow": house.flows["flow"]}, {}

    async def work(_run, _steps):
        if outcome:
            raise Conflict("it is in use")

    house.runs.register("work", work)
    for fails in (False, True, False):
        outcome = {"fails": True} if fails else {}
        house.pass_time(10)
        house.store.write_now(lambda tx: runs.ask(tx, 1, "work", subject, "client:a", house.clock.now()))
        await house.carry_runs()
        house.pass_time(10)
        await look(house)

    told = [line for mail in box.messages for line in mail.get_content().splitlines() if "alert: " in line]
    assert [line.split(": ")[1] for line in told] == [
        "flow-run-start",
        "flow-run-success",
        "flow-run-failure",
        "flow-run-start",
        "flow-run-failure",
        "flow-run-start",
        "flow-run-success",
    ]
    assert "it is in use" in "".join(mail.get_content() for mail in box.messages)


async def test_a_full_disk_and_a_process_that_is_gone_are_told_to_the_host(house, tmp_path):
    house.lookout = lookout(house, tmp_path, least_free=1 << 40)
    await look(house)
    assert await in_force(house) == {("storage-full", "")}

    house.lookout = lookout(house, tmp_path)
    house.pass_time(150)
    await look(house)
    assert await in_force(house) == {("worker-gone", "")}
    await look(house)
    await look(house)
    assert await in_force(house) == set()

    await house.lookout.end()
    house.lookout = lookout(house, tmp_path)
    house.pass_time(150)
    await look(house)
    assert await in_force(house) == set()


async def test_many_alerts_at_once_are_one_message(house, box):
    await subscribe(house, "dataflow-held")
    for number in range(MOST + 5):
        await house.activate("a", name=f"flow-{number}")
    house.store.write_now(
        lambda tx: tx.run("UPDATE dataflows SET state = 'held', reason = 'why' WHERE dataflow > 1", {})
    )
    await look(house)

    (mail,) = box.messages
    assert mail["Subject"].endswith(f"] {MOST + 5} alerts")
    assert mail.get_content().count("dataflow-held") == MOST
    assert "… and 5 more" in mail.get_content()


NAMES = {
    "a header": "x\r\nBcc: everybody@example.com",
    "a line of its own": "x\n\nYour account is closed",
    "markup": "<img src=https://evil.example/x.png>",
    "a link": "https://evil.example/login",
    "a link without a scheme": "www.evil.example/login",
    "an address": "write to me@evil.example",
    "turned about": "safe\u202egnp.exe\u200b",
    "a separator of lines": "x\u2028Bcc: y\u0085z",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_names_cannot_break_out_of_their_place(house, box, name):
    await subscribe(house, "dataflow-held")
    document = {"name": name}
    house.store.write_now(
        lambda tx: tx.run(
            "UPDATE dataflows SET document = :document, state = 'held', reason = :name WHERE dataflow = 1",
            {"document": orjson.dumps(document).decode(), "name": name},
        )
    )
    await look(house)

    (mail,) = box.messages
    text = mail["Subject"] + mail.get_content()
    assert mail["Bcc"] is None
    assert mail.get_content_type() == "text/plain"
    assert not [
        bad for bad in ("://", "www.", "<", "@evil", "evil.", "\u202e", "\u200b", "\u2028", "\x85") if bad in text
    ]
    assert "\nYour account" not in text
    assert "\nBcc" not in text


async def test_of_two_ways_one_is_needed_and_a_threshold_goes_with_one_alert(house):
    for document, code in (
        ({"alerts": ["dataflow-held"]}, "one-of-two"),
        ({"alerts": ["dataflow-held"], "mail": "a@b.example", "webhook": WEBHOOK}, "one-of-two"),
        ({"alerts": ["dataflow-held"], "webhook": WEBHOOK}, "one-of-two"),
        ({"alerts": ["dataflow-held"], "webhook": WEBHOOK, "signingSecret": "short"}, "invalid"),
        ({"alerts": ["dataflow-held"], "mail": "a@b.example\r\nBcc: c@d.example"}, "invalid"),
        ({"alerts": ["dataflow-held"], "mail": "a@b.example", "threshold": 1}, "one-of-two"),
        ({"alerts": ["storage-full"], "mail": "a@b.example", "dataflow": "x"}, "one-of-two"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            await subscribing.subscribe(house.store, house.clock, house.keyring, house.caller, document)
        assert code in {problem.code for problem in refused.value.problems}, document
    with pytest.raises(NotFound):
        await subscribe(house, "dataflow-held", dataflow="not-there")


async def test_whoever_unsubscribes_is_told_no_more(house, box):
    id_ = await subscribe(house, "dataflow-held")
    await hold(house)
    await house.lookout.look()
    await subscribing.end(house.store, house.clock, house.caller, id_)
    await house.carry_runs()

    assert not box.messages
    assert ("dataflow-held", "") in await in_force(house)


async def test_what_is_over_is_forgotten_after_a_month(house):
    await hold(house)
    await look(house)
    await house.switch(True)
    await look(house)
    house.pass_time(31 * 24 * 60 * 60)
    await look(house)

    kept = house.store.read_now(lambda tx: alerts.of(tx, 1, 100, also_recovered=True))
    assert "dataflow-held" not in {alert.alert for alert in kept}
