"""Consent: who is withheld is not told of, who withdraws leaves at once, who agrees enters, however policies change."""

from random import Random

import pytest

from headrace.connect.transport import Unanswered
from headrace.errors import Conflict, NotFound
from headrace.model.governance import reference_to
from headrace.model.problem import ConfigurationError
from headrace.services import applying_consent
from headrace.store import access, dataflows, withheld
from headrace.store import reasons as reason_counts
from unit.services.house import person

EMAILS = (
    '{"people": [{% for person in input.profiles %}"{{ person.identityMap.email[0].id }} '
    '{{ person.segmentMembership.ups.a.status }}"{% if not loop.last %},{% endif %}{% endfor %}]}'
)
YES, NO = {"consents": {"email": {"val": "y"}}}, {"consents": {"email": {"val": "n"}}}


async def ready(house, *ids, **more):
    await house.activate(*(ids or ("a",)), **more)
    await house.open()


def reasons(house, dataflow=1):
    return dict(house.store.read_now(lambda tx: withheld.counts(tx, house.caller.number, dataflow)))


async def test_who_has_not_agreed_is_withheld_with_the_reason(house):
    await ready(house)
    await house.consent()

    await house.ingest(person(1, "a", **YES), person(2, "a", **NO), person(3, "a"))
    await house.run()

    assert house.partner.knows() == {("1", "a")}
    assert await house.balance() == {"accepted": 3, "delivered": 1, "withheld": 2, "messages": 1}
    assert reasons(house) == {"consent: email": 2}


async def test_who_withdraws_consent_leaves_at_once(house):
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a", **YES))
    await house.run()

    await house.ingest(person(1, "a", minute=1, **NO))
    await house.run()

    assert house.partner.told() == [("1", "a", "realized"), ("1", "a", "exited")]
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


async def test_who_agrees_later_enters_and_what_is_mapped_is_sent(house):
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a", city="Bern", **NO))
    await house.run()
    assert house.partner.messages == []

    await house.ingest(person(1, "a", city="Bern", minute=1, **YES))
    await house.run()

    assert house.partner.told() == [("1", "a", "realized")]


async def test_nothing_more_is_said_of_who_is_withheld(house):
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a", city="Bern", **NO))
    await house.ingest(person(1, "a", city="Ulm", minute=1, **NO), person(1, a=False, minute=2, **NO))
    await house.run()

    assert house.partner.messages == []
    assert await house.balance() == {"accepted": 1, "withheld": 1}


async def test_who_withdraws_before_anything_was_sent_is_never_told_of(house):
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a", **YES))

    await house.ingest(person(1, "a", minute=1, **NO))
    await house.run()

    assert house.partner.messages == []
    assert await house.balance() == {"accepted": 2, "superseded": 1, "withheld": 1}
    assert house.rows("SELECT 1 FROM lanes") == []


@pytest.mark.parametrize("status", [False, True])
async def test_what_waits_for_a_retry_leaves_as_an_exit_once_consent_is_withdrawn(house, status):
    house.partner.answers = [503]
    await ready(house, includeSegmentId=True, includeSegmentStatus=status)
    await house.consent()
    await house.ingest(person(1, "a", **YES))
    await house.run()

    await house.ingest(person(1, "a", minute=1, **NO))
    await house.run_out()

    assert ("1", "a", "realized") not in house.partner.told()
    assert house.partner.knows() == set()
    assert (await house.balance()).get("pending", 0) == 0


async def test_a_withdrawal_after_the_claim_and_before_the_message_leaves_wins(house):
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a", **YES), person(2, "a", **YES))
    taken = house.outbox.holds

    async def withdraws_now(group):
        house.outbox.holds = taken
        await house.ingest(person(1, "a", minute=1, **NO))
        return await taken(group)

    house.outbox.holds = withdraws_now
    await house.run_out()

    assert house.partner.told() == [("2", "a", "realized")]
    assert await house.balance() == {"accepted": 3, "delivered": 1, "superseded": 1, "withheld": 1, "messages": 1}


async def test_a_message_that_may_have_arrived_is_taken_back(house):
    house.partner.answers = [Unanswered("no answer")]
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a", **YES))
    await house.run()

    await house.ingest(person(1, "a", minute=1, **NO))
    await house.run_out()

    assert house.partner.told() == [("1", "a", "exited")]


async def test_a_new_policy_is_applied_to_those_who_are_known(house, monkeypatch):
    monkeypatch.setattr(applying_consent, "AT_ONCE", 2)
    await ready(house)
    await house.ingest(*[person(n, "a", **(YES if n % 2 else NO)) for n in range(7)])
    await house.run()

    await house.consent()
    await house.carry_runs()
    await house.run_out()

    assert house.partner.knows() == {("1", "a"), ("3", "a"), ("5", "a")}
    (run,) = house.rows("SELECT state FROM runs WHERE kind = 'apply-consent'")
    assert run == ("succeeded",)


@pytest.mark.parametrize("change", ["deleted", "disabled", "loosened"])
async def test_who_is_let_go_by_a_policy_enters(house, change):
    await ready(house)
    id_ = await house.consent()
    await house.ingest(person(1, "a", **YES), person(2, "a", **NO))
    await house.run()

    if change == "deleted":
        await house.drop_policy(id_)
    else:
        changed = {"enabled": False} if change == "disabled" else {"values": ("y", "n")}
        await house.consent(id_=id_, **changed)
    await house.carry_runs()
    await house.run_out()

    assert house.partner.knows() == {("1", "a"), ("2", "a")}
    assert house.partner.told().count(("1", "a", "realized")) == 1


async def test_a_policy_that_comes_and_goes_leaves_the_partner_as_it_was(house):
    await ready(house, includeSegmentId=True, includeSegmentStatus=True)
    await house.ingest(person(1, "a", **NO))
    await house.run()
    id_ = await house.consent()
    await house.carry_runs()
    await house.drop_policy(id_)
    await house.carry_runs()

    await house.run_out()

    assert house.partner.knows() == {("1", "a")}
    for _, _, message in house.partner.messages:
        for who in message["people"]:
            assert who["segmentMembership"]["ups"]["a"]["status"] == message["key"]["segmentStatus"]


async def test_who_may_be_told_of_again_while_their_exit_is_under_way_enters(house, monkeypatch):
    await ready(house)
    await house.ingest(person(1, "a", **NO))
    await house.run()
    policies, send = [await house.consent()], house.partner.send
    await house.carry_runs()

    async def send_meanwhile(request, **more):
        if policies:
            await house.drop_policy(policies.pop())
            await house.carry_runs()
        return await send(request, **more)

    monkeypatch.setattr(house.partner, "send", send_meanwhile)
    await house.run()

    assert [status for _, _, status in house.partner.told()] == ["realized", "exited", "realized"]
    assert house.partner.knows() == {("1", "a")}
    await house.balance()


@pytest.mark.parametrize("waits", [False, True], ids=["told", "under way"])
async def test_who_leaves_after_a_policy_came_and_before_it_was_applied_leaves(house, monkeypatch, waits):
    await ready(house, includeSegmentId=True)

    async def leave():
        await house.consent()
        await house.ingest(person(1, minute=1, a=False, **YES))
        await house.carry_runs()

    meanwhile, send = [leave] if waits else [], house.partner.send

    async def send_meanwhile(request, **more):
        if meanwhile:
            await meanwhile.pop()()
        return await send(request, **more)

    monkeypatch.setattr(house.partner, "send", send_meanwhile)
    await house.ingest(person(1, "a", **NO))
    await house.run()
    if not waits:
        await leave()
    await house.run_out()

    assert house.partner.told()[-1] == ("1", "a", "exited")
    assert (await house.balance()).get("pending", 0) == 0


async def test_what_waits_when_a_policy_comes_is_never_sent_as_realized(house):
    await ready(house, includeSegmentId=True, includeSegmentStatus=True)
    await house.ingest(person(1, "a", **NO), person(2, "a", **YES))

    await house.consent()
    await house.run_out()

    assert house.partner.told() == [("2", "a", "realized")]


async def test_what_was_parked_is_not_sent_because_a_policy_changes(house):
    house.partner.answers = [400]
    await ready(house)
    await house.ingest(person(1, "a", **YES))
    await house.run()

    await house.consent()
    await house.carry_runs()
    await house.run_out()

    assert len(house.partner.messages) == 1
    assert (await house.balance())["parked"] == 1


def _declare(house, actions):
    """Have the dataflow carry marketing actions, as its document says them."""
    policy = {"enforcementRefs": [reference_to(action, "custom") for action in actions]}

    def work(tx):
        (flow,) = dataflows.all_of(tx, house.caller.number)
        dataflows.change(tx, flow, house.clock.now(), document={**flow.document, "policy": policy})
        access.raise_configuration(tx, house.caller.number)

    house.store.write_now(work)


async def test_a_policy_of_other_marketing_actions_binds_only_who_carries_them(house):
    await ready(house)
    await house.consent(marketingActions=["email"])
    await house.ingest(person(1, "a", **NO))
    await house.run()
    assert house.partner.messages == []

    _declare(house, ["sms"])
    await house.ingest(person(2, "a", **NO))
    await house.run()

    assert house.partner.knows() == {("2", "a")}


async def test_a_backfill_leaves_out_who_has_not_agreed(house):
    await house.ingest(person(1, "a", **YES), person(2, "a", **NO))
    await house.consent()
    await ready(house)

    await house.backfill()
    await house.run()

    assert house.partner.knows() == {("1", "a")}
    assert await house.balance() == {"accepted": 2, "delivered": 1, "withheld": 1, "messages": 1}


async def test_each_identity_of_who_withdraws_leaves(house):
    await ready(house, split=True, mapping=(("identityMap.Email", "identityMap.email"),), body=EMAILS)
    await house.consent()
    await house.ingest(person(1, "a", email=["x", "y"], **YES))
    await house.run_out()

    await house.ingest(person(1, "a", email=["x", "y"], minute=1, **NO))
    await house.run_out()

    said = [message["people"] for _, _, message in house.partner.messages]
    assert said == [["x realized", "y realized"], ["x exited", "y exited"]]
    assert house.rows("SELECT 1 FROM lanes") == []


async def test_names_are_told_apart_and_what_is_not_there_is_said(house):
    id_ = await house.consent()
    with pytest.raises(Conflict, match="already"):
        await house.consent()
    await house.drop_policy(id_)
    with pytest.raises(NotFound):
        await house.drop_policy(id_)


async def test_a_path_that_is_none_is_refused(house):
    with pytest.raises(ConfigurationError) as refused:
        await house.consent(path="a..b")
    assert [problem.pointer for problem in refused.value.problems] == ["/conditions/0/path"]


async def test_reasons_are_folded_without_a_loss(house, monkeypatch):
    monkeypatch.setattr(reason_counts, "FEW", 1)
    await ready(house)
    await house.consent()
    for n in range(5):
        await house.ingest(person(n, "a", **NO))

    house.store.write_now(withheld.fold)

    assert reasons(house) == {"consent: email": 5}
    assert house.rows("SELECT count(*) FROM withheld_reasons") == [(1,)]


@pytest.mark.parametrize("by_status", [False, True], ids=["together", "by status"])
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_the_partner_knows_in_the_end_who_is_in_and_has_agreed(house, seed, by_status):
    random = Random(seed)
    await ready(
        house, "a", "b", most=2, **({"includeSegmentId": True, "includeSegmentStatus": True} if by_status else {})
    )
    await house.open(steps=(10,) * 50)
    stands, policies = {}, []
    for minute in range(40):
        await _something_happens(house, random, minute, stands, policies)
    house.partner.answers, house.partner.default = [], 200
    await house.carry_runs()
    await house.run_out()

    assert "parked" not in await house.balance()
    binds = bool(policies)
    agreed = {who for who, (says, _) in stands.items() if says or not binds}
    assert house.partner.knows() == {(who, id_) for who in agreed for id_ in stands[who][1]}
    assert (await house.balance()).get("pending", 0) == 0


async def _something_happens(house, random, minute, stands, policies):
    """Somebody enters, leaves, agrees or withdraws; a policy comes or goes; time passes; the partner fails."""
    what = random.random()
    if what < 0.55:
        who, says = str(random.randrange(5)), random.random() < 0.5
        is_in = {id_: random.random() < 0.6 for id_ in "ab"}
        await house.ingest(person(who, minute=minute, city=str(minute), **is_in, **(YES if says else NO)))
        stands[who] = (says, [id_ for id_, realized in is_in.items() if realized])
    elif what < 0.65 and not policies:
        policies.append(await house.consent())
    elif what < 0.7 and policies:
        await house.drop_policy(policies.pop())
    elif what < 0.8:
        await house.carry_runs()
    else:
        house.partner.answers = random.choices([200, 503, 429], k=3)
        await house.run()
        house.pass_time(random.choice([0, 15, 100]))
