"""The outbox, promise by promise."""

import pytest

from headrace.errors import Conflict
from headrace.model.change import Changes
from headrace.model.message import Bucket
from headrace.model.outcome import Delivered, Retry, Withheld
from headrace.store import ledger, outbox, parked
from headrace.store.parked import Chosen
from unit.store.yard import LEASE, PARKED, RETRY, Yard, lane

IN, OUT = Bucket(1, "realized"), Bucket(1, "exited")


def content(group):
    return [(entry.profile, entry.audience, entry.part, entry.seq) for entry in group.entries]


# -- accepting ----------------------------------------------------------------------------------------------------


def test_a_change_is_accepted_and_pending_until_it_is_delivered(yard):
    yard.accept()
    assert yard.balance() == {"accepted": 1, "pending": 1}

    (group,) = yard.claim()
    assert yard.settle(group, Delivered())

    assert yard.balance() == {"accepted": 1, "delivered": 1, "messages": 1}


def test_accepting_tells_how_many_there_were(yard):
    batch = [Changes(1, 1, 1, (1, 2), (lane(),), late=(3,)), Changes(1, 2, 2, (1,), ())]

    assert yard.accept_all(batch) == 4
    assert yard.balance() == {"accepted": 4, "superseded": 1, "withheld": 1, "pending": 2}


def test_a_change_with_nothing_to_say_is_withheld(yard):
    yard.accept(lanes=())

    assert yard.balance() == {"accepted": 1, "withheld": 1}
    assert yard.claim() == []


def test_a_change_that_comes_late_is_superseded(yard):
    yard.accept(changed=(), lanes=(), late=(1,))

    assert yard.balance() == {"accepted": 1, "superseded": 1}


def test_a_newer_change_takes_the_place_of_one_that_waits(yard):
    yard.accept(changed=(1,))
    newest = yard.accept(changed=(1,))

    assert yard.balance() == {"accepted": 2, "superseded": 1, "pending": 1}
    assert yard.changes() == [(1, 1, newest)]


def test_a_newer_change_of_another_audience_or_person_takes_no_place(yard):
    yard.accept(1, (1,))
    yard.accept(1, (2,))
    yard.accept(2, (1,))

    assert yard.balance() == {"accepted": 3, "pending": 3}


def test_a_change_that_is_under_way_is_not_superseded(yard):
    first = yard.accept()
    yard.claim()
    second = yard.accept()

    assert yard.changes() == [(1, 1, first), (1, 1, second)]


def test_two_records_of_one_person_in_one_batch_both_count(yard):
    yard.accept_all([Changes(1, 1, seq, (1,), (lane(),)) for seq in (1, 2, 3)])

    yard.deliver_all()

    assert yard.balance() == {"accepted": 3, "delivered": 1, "superseded": 2, "messages": 1}


def test_a_newer_state_does_not_move_the_waiting_time(yard):
    yard.accept(at=1000)
    yard.accept(at=2000)
    row = yard.lane()
    assert (row["waiting_since"], row["due"]) == (1000, 1000)

    yard.claim()
    yard.accept(at=3000)
    yard.accept(at=4000)

    row = yard.lane()
    assert (row["waiting_since"], row["due"]) == (3000, None)


def test_a_lane_that_was_under_way_waits_since_its_newer_state_came(yard):
    yard.accept(at=1000)
    (group,) = yard.claim()
    yard.accept(at=3000)
    yard.settle(group, Delivered())

    row = yard.lane()
    assert (row["waiting_since"], row["due"], row["acked_seq"]) == (3000, 3000, 1)


# -- claiming -----------------------------------------------------------------------------------------------------


def test_a_group_holds_what_waits_up_to_the_limit(yard):
    for number in range(1, 8):
        yard.accept(number)

    assert [len(group.entries) for group in yard.claim(most_entries=3)] == [3, 3, 1]


def test_no_more_groups_are_claimed_than_asked_for(yard):
    for number in range(1, 8):
        yard.accept(number)

    assert [len(group.entries) for group in yard.claim(2, 2)] == [2, 2]
    assert [len(group.entries) for group in yard.claim(9, 2)] == [2, 1]


def test_who_waits_longest_goes_first(yard):
    for number, at in ((1, 300), (2, 100), (3, 200)):
        yard.accept(number, at=at)

    assert [group.entries[0].profile for group in yard.claim(most_entries=1)] == [2, 3, 1]


def test_a_lane_is_claimed_once(yard):
    yard.accept()
    yard.claim()
    yard.accept()

    assert yard.claim() == []


def test_an_entry_knows_its_person_what_changed_and_what_the_partner_was_shown(yard):
    yard.accept(changed=(1,))
    (group,) = yard.claim()
    yard.settle(group, Delivered(), shown=b"before")
    yard.accept(changed=(0, 2))

    ((entry,),) = [group.entries for group in yard.claim()]

    assert (entry.document, entry.changed, entry.shown) == (b"\x01{}", (0, 2), b"before")


def test_an_entry_of_an_audience_knows_of_its_own_changes(yard):
    yard.accept(changed=(0, 1, 2), lanes=[lane(1), lane(2)])

    assert sorted(entry.changed for group in yard.claim() for entry in group.entries) == [(0, 1), (0, 2)]


def test_entries_of_one_group_share_their_bucket(yard):
    for number in range(1, 5):
        yard.accept(number, lanes=[lane(1, bucket=IN if number % 2 else OUT)])

    found = {group.bucket: [entry.profile for entry in group.entries] for group in yard.claim()}

    assert found == {IN: [1, 3], OUT: [2, 4]}


def test_buckets_take_turns(yard):
    for number in range(1, 7):
        yard.accept(number, lanes=[lane(1)])
    for number in range(7, 9):
        yard.accept(number, lanes=[lane(2)])

    assert [group.bucket.audience for group in yard.claim(most_entries=2)] == [1, 2, 1, 1]


def test_the_turn_goes_on_where_it_was_left(yard):
    for audience in (1, 2, 3):
        yard.accept(audience, lanes=[lane(audience)])

    groups = yard.claim(2, 10, after_bucket=Bucket(1).encode())

    assert [group.bucket.audience for group in groups] == [2, 3]


def test_a_number_is_never_used_again(yard):
    numbers = []
    for _ in range(5):
        yard.accept()
        numbers += [group.number for group in yard.deliver_all()]

    assert len(set(numbers)) == 5


def test_dataflows_and_sandboxes_do_not_see_each_other(store, tenant):
    mine, flow, sandbox = (
        Yard(store.write_now, tenant),
        Yard(store.write_now, tenant, dataflow=2),
        Yard(store.write_now, tenant + 500_000),
    )
    mine.accept()

    assert flow.claim() == sandbox.claim() == []
    assert flow.balance() == sandbox.balance() == {}
    (group,) = mine.claim()
    assert mine.settle(group, Delivered())


# -- delivered ----------------------------------------------------------------------------------------------------


def test_a_change_is_delivered_when_every_lane_it_touched_has_acknowledged(yard):
    yard.accept(changed=(1,), lanes=[lane(part="1"), lane(part="2", bucket=Bucket(0, None, 2))])
    first, second = yard.claim()

    yard.settle(first, Delivered())
    assert yard.balance() == {"accepted": 1, "pending": 1, "messages": 1}

    yard.settle(second, Delivered())
    assert yard.balance() == {"accepted": 1, "delivered": 1, "messages": 2}


def test_a_lane_that_a_change_does_not_touch_does_not_hold_it_up(yard):
    yard.accept(changed=(1,), lanes=[lane(1)])
    yard.accept(changed=(0,), lanes=[lane(2)])
    groups = {group.bucket.audience: group for group in yard.claim()}

    yard.settle(groups[2], Delivered())
    assert yard.changes() == [(1, 1, 1)]

    yard.settle(groups[1], Delivered())
    assert yard.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


def test_a_change_is_not_forgotten_when_an_older_lane_comes_last(yard):
    yard.accept(changed=(1,), lanes=[lane(part="1"), lane(part="2", bucket=Bucket(0, None, 2))])
    yard.accept(changed=(2,), lanes=[lane(part="1")])
    first, second = yard.claim()

    yard.settle(first, Delivered())
    yard.settle(second, Delivered())

    assert yard.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


def test_the_newest_of_those_that_arrive_together_is_delivered_and_the_others_superseded(yard):
    yard.accept()
    (group,) = yard.claim()
    yard.accept()
    yard.settle(group, RETRY)
    yard.now += 1000

    (group,) = yard.claim()
    yard.settle(group, Delivered())

    assert yard.balance() == {"accepted": 2, "delivered": 1, "superseded": 1, "messages": 1}


def test_a_lane_is_forgotten_once_the_partner_need_not_know_the_person(yard):
    yard.accept()
    (group,) = yard.claim()

    yard.settle(group, Delivered(), shown=None)

    assert yard.lane() is None


def test_a_lane_is_kept_while_something_newer_waits(yard):
    yard.accept()
    (group,) = yard.claim()
    newest = yard.accept()

    yard.settle(group, Delivered(), shown=None)

    assert yard.lane()["desired_seq"] == newest
    assert content(*yard.claim()) == [(1, 0, "", newest)]


def test_what_the_partner_was_shown_is_kept_until_it_is_shown_something_else(yard):
    yard.accept()
    (group,) = yard.claim()
    yard.settle(group, Delivered(), shown=b"a")
    assert yard.run(lambda tx: outbox.known_lanes(tx, yard.tenant, 1, 1)) == [(0, "")]

    yard.accept()
    (group,) = yard.claim()
    yard.settle(group, RETRY)

    assert yard.lane()["shown"] == b"a"


# -- retried ------------------------------------------------------------------------------------------------------


def test_a_retry_keeps_its_group_and_its_content_and_counts_the_attempt(yard):
    for number in (1, 2, 3):
        yard.accept(number)
    (first,) = yard.claim()
    yard.settle(first, RETRY, retry_in=1000)
    assert yard.claim() == []
    assert yard.run(lambda tx: outbox.next_due(tx, yard.tenant, 1)) == yard.now + 1000

    yard.now += 1000
    (second,) = yard.claim()

    assert second.number == first.number
    assert content(second) == content(first)
    assert (first.attempt, second.attempt) == (1, 2)
    assert yard.balance() == {"accepted": 3, "pending": 3}


def test_a_retry_sends_what_is_true_now(yard):
    yard.accept()
    (group,) = yard.claim()
    newest = yard.accept()
    yard.settle(group, RETRY)
    yard.now += 1000

    assert content(*yard.claim()) == [(1, 0, "", newest)]


def test_only_what_is_to_be_retried_is_retried(yard):
    for number in (1, 2, 3):
        yard.accept(number)
    (group,) = yard.claim()
    yard.settle(group, Delivered(), RETRY, PARKED)
    yard.now += 1000

    assert content(*yard.claim()) == [(2, 0, "", 2)]
    assert yard.balance() == {"accepted": 3, "delivered": 1, "parked": 1, "pending": 1, "messages": 1}


def test_an_entry_that_moved_to_another_bucket_leaves_its_group(yard):
    yard.accept(1, lanes=[lane(1, bucket=IN)])
    yard.accept(2, lanes=[lane(1, bucket=IN)])
    (group,) = yard.claim()
    yard.accept(1, lanes=[lane(1, bucket=OUT)])
    yard.settle(group, RETRY)
    yard.now += 1000

    again, moved = yard.claim()

    assert (again.number, again.bucket, content(again)) == (group.number, IN, [(2, 1, "", 2)])
    assert (moved.bucket, content(moved)) == (OUT, [(1, 1, "", 3)])
    assert moved.number != group.number


def test_a_group_that_all_entries_have_left_is_gone(yard):
    yard.accept(lanes=[lane(1, bucket=IN)])
    (group,) = yard.claim()
    yard.accept(lanes=[lane(1, bucket=OUT)])
    yard.settle(group, RETRY)
    yard.now += 1000

    (moved,) = yard.claim()

    assert yard.rows("groups", "claim_group", "1") == [(moved.number,)]
    assert yard.settle(group, Delivered()) is False


def test_retries_come_before_what_is_new(yard):
    yard.accept(1)
    (group,) = yard.claim()
    yard.settle(group, RETRY, retry_in=0)
    yard.accept(2)

    assert [item.number == group.number for item in yard.claim()] == [True, False]


# -- parked -------------------------------------------------------------------------------------------------------


def test_a_parked_change_is_laid_aside_with_its_reason(yard):
    seq = yard.accept(7, (1,))
    (group,) = yard.claim()
    yard.settle(group, PARKED)

    (change,) = yard.run(lambda tx: parked.latest(tx, yard.tenant, 1, 10))
    assert (change.profile, change.audience, change.seq, change.attempts) == ("crmId:7", 1, seq, 1)
    assert (change.code, change.reason) == ("status-400", "the partner answered 400")
    assert yard.balance() == {"accepted": 1, "parked": 1}


def test_parking_frees_the_lane_for_what_comes_next(yard):
    yard.accept()
    (group,) = yard.claim()
    yard.settle(group, PARKED)
    assert yard.lane() is None

    newest = yard.accept()

    assert content(*yard.claim()) == [(1, 0, "", newest)]


def test_what_came_while_it_was_parked_goes(yard):
    yard.accept(at=1000)
    (group,) = yard.claim()
    newest = yard.accept(at=2000)
    yard.settle(group, PARKED)

    assert yard.lane()["due"] == 2000
    assert content(*yard.claim()) == [(1, 0, "", newest)]
    assert yard.balance() == {"accepted": 2, "parked": 1, "pending": 1}


def test_the_partner_is_not_forgotten_to_know_a_person_because_something_was_parked(yard):
    yard.accept()
    (group,) = yard.claim()
    yard.settle(group, Delivered(), shown=b"told")
    yard.accept()
    (group,) = yard.claim()

    yard.settle(group, PARKED)

    assert yard.lane()["shown"] == b"told"


def test_of_several_states_of_an_audience_the_newest_is_parked(yard):
    yard.accept(changed=(1,))
    (group,) = yard.claim()
    yard.accept(changed=(1,))
    yard.settle(group, RETRY)
    yard.now += 1000
    (group,) = yard.claim()

    yard.settle(group, PARKED)

    assert yard.balance() == {"accepted": 2, "parked": 1, "superseded": 1}
    assert [item.seq for item in yard.run(lambda tx: parked.latest(tx, yard.tenant, 1, 10))] == [2]


def test_a_change_is_parked_when_one_of_its_lanes_is(yard):
    yard.accept(changed=(1,), lanes=[lane(part="1"), lane(part="2", bucket=Bucket(0, None, 2))])
    first, second = yard.claim()
    yard.settle(first, PARKED)
    yard.settle(second, Delivered())

    assert yard.balance() == {"accepted": 1, "parked": 1, "messages": 1}


def test_parked_changes_are_listed_newest_first_and_in_pages(yard):
    for number in range(1, 6):
        yard.accept(number)
    (group,) = yard.claim()
    yard.settle(group, PARKED)

    first = yard.run(lambda tx: parked.latest(tx, yard.tenant, 1, 3))
    rest = yard.run(lambda tx: parked.latest(tx, yard.tenant, 1, 3, before=first[-1].number))

    assert [item.number for item in first + rest] == [5, 4, 3, 2, 1]


# -- late answers and lost processes ------------------------------------------------------------------------------


def lose_lease(yard):
    yard.now += LEASE


def lose_process(yard):
    yard.epoch += 1
    assert yard.run(lambda tx: outbox.expire_leases(tx, yard.epoch, yard.now)) >= 1


@pytest.mark.parametrize("outcome", [Delivered(), RETRY, PARKED], ids=lambda outcome: type(outcome).__name__)
@pytest.mark.parametrize("lose", [lose_lease, lose_process], ids=["lease", "process"])
def test_an_answer_that_comes_after_another_took_over_changes_nothing(yard, lose, outcome):
    yard.accept(1)
    yard.accept(2)
    (first,) = yard.claim()
    lose(yard)
    (second,) = yard.claim()
    before = yard.everything()

    assert yard.settle(first, outcome) is False

    assert yard.everything() == before
    assert (second.number, second.attempt, content(second)) == (first.number, 2, content(first))
    assert yard.settle(second, Delivered())


@pytest.mark.parametrize("outcome", [Delivered(), RETRY, PARKED], ids=lambda outcome: type(outcome).__name__)
def test_a_group_is_settled_once(yard, outcome):
    yard.accept()
    (group,) = yard.claim()
    yard.settle(group, outcome)
    before = yard.everything()

    assert yard.settle(group, Delivered()) is False
    assert yard.everything() == before


def test_an_answer_that_comes_after_the_lease_but_before_anybody_took_over_counts(yard):
    yard.accept()
    (group,) = yard.claim()
    yard.now += LEASE

    assert yard.settle(group, Delivered())


def test_a_lease_that_still_runs_is_nobody_elses(yard):
    yard.accept()
    yard.claim()
    yard.now += LEASE - 1

    assert yard.claim() == []


def test_the_leases_of_a_process_that_lives_are_left_alone(yard):
    yard.accept()
    yard.claim()

    yard.run(lambda tx: outbox.expire_leases(tx, yard.epoch, yard.now))

    assert yard.claim() == []


# -- withheld -----------------------------------------------------------------------------------------------------


def test_a_deleted_dataflow_withholds_what_waits(yard):
    yard.accept(1, (1,))
    yard.accept(2, (1, 2))
    yard.accept(3, (2,))
    (group,) = yard.claim(1, 1)

    assert yard.run(lambda tx: outbox.withhold(tx, yard.tenant, 1, yard.now)) == 4

    assert yard.balance() == {"accepted": 4, "withheld": 4}
    assert yard.claim() == []
    assert yard.settle(group, Delivered()) is False


def test_an_audience_that_is_no_longer_sent_withholds_what_waits_of_it(yard):
    yard.accept(1, (1, 2), [lane(1), lane(2)])

    assert yard.run(lambda tx: outbox.withhold_audience(tx, yard.tenant, 1, 1, yard.now)) == 1

    assert yard.balance() == {"accepted": 2, "withheld": 1, "pending": 1}
    assert [group.bucket.audience for group in yard.deliver_all()] == [2]
    assert yard.balance() == {"accepted": 2, "withheld": 1, "delivered": 1, "messages": 1}


def test_attributes_that_only_that_audience_would_have_carried_are_withheld_with_it(yard):
    yard.accept(1, (0,), [lane(1)])
    yard.accept(2, (0,), [lane(1), lane(2)])

    assert yard.run(lambda tx: outbox.withhold_audience(tx, yard.tenant, 1, 1, yard.now)) == 1

    assert yard.changes() == [(2, 0, 2)]
    yard.deliver_all()
    assert yard.balance() == {"accepted": 2, "withheld": 1, "delivered": 1, "messages": 1}


def test_a_group_whose_audience_is_no_longer_sent_comes_to_its_end(yard):
    yard.accept(1, (1,), [lane(1)])
    (group,) = yard.claim()
    yard.run(lambda tx: outbox.withhold_audience(tx, yard.tenant, 1, 1, yard.now))

    yard.settle(group, RETRY)
    yard.now += 1000
    (again,) = yard.claim()
    yard.settle(again, PARKED)

    assert yard.claim() == []
    assert yard.rows("groups", "claim_group", "1") == []
    assert yard.balance() == {"accepted": 1, "withheld": 1}


# -- what the partner knows, as a backfill asks ------------------------------------------------------------------


def told(yard, audience, first=1, last=9):
    found = yard.run(lambda tx: outbox.told(tx, yard.tenant, 1, audience, first, last))
    return found.shown | found.waiting


def test_who_was_told_of_is_known(yard):
    yard.accept(changed=(1,))
    (group,) = yard.claim()
    yard.settle(group, Delivered(), shown=b'{"audiences": {"1": ""}, "identities": {}}')

    assert [told(yard, audience) for audience in (1, 2)] == [{1}, set()]


def test_who_is_about_to_be_told_of_is_known(yard):
    yard.accept(changed=(1,))

    assert [told(yard, audience) for audience in (1, 2)] == [{1}, set()]


def test_of_others_than_those_asked_for_nothing_is_said(yard):
    for number in (1, 2, 3):
        yard.accept(number, (1,))

    assert told(yard, 1, 2, 3) == {2, 3}


# -- the ledger ---------------------------------------------------------------------------------------------------


def test_folding_changes_no_sum(yard):
    for number in range(1, 4):
        yard.accept(number, (number,))
    (group,) = yard.claim()
    yard.settle(group, Delivered(), PARKED, RETRY)
    before = yard.run(lambda tx: ledger.balance(tx, yard.tenant, 1))

    for _ in range(2):
        yard.run(ledger.fold)
        assert yard.run(lambda tx: ledger.balance(tx, yard.tenant, 1)) == before
    yard.accept(9, (1,))
    yard.run(ledger.fold)

    assert yard.balance() == {"accepted": 4, "delivered": 1, "parked": 1, "pending": 2, "messages": 1}


def test_the_ledger_is_kept_for_each_audience(yard):
    yard.accept(1, (0, 1))
    yard.accept(2, (1,))

    rows = yard.run(lambda tx: ledger.balance(tx, yard.tenant, 1))

    assert {audience: row["pending"] for audience, row in rows.items()} == {0: 1, 1: 2}
    assert yard.run(lambda tx: ledger.waiting(tx, yard.tenant, 1)) == 3


# -- taking parked changes away -----------------------------------------------------------------------------------


def laid_aside(yard):
    return yard.run(lambda tx: parked.next_of(tx, yard.tenant, yard.dataflow, Chosen(), 0, 1 << 62, 100))


def test_what_was_taken_away_by_somebody_else_is_not_counted_twice(yard):
    yard.accept()
    (group,) = yard.claim()
    assert yard.settle(group, PARKED)
    seen = laid_aside(yard)
    yard.run(lambda tx: parked.discard(tx, yard.tenant, yard.dataflow, seen, yard.now))
    before = yard.everything()

    with pytest.raises(Conflict):
        yard.run(lambda tx: parked.discard(tx, yard.tenant, yard.dataflow, seen, yard.now))

    assert yard.everything() == before
    assert yard.balance() == {"accepted": 1, "withheld": 1}


def test_the_lane_of_what_may_have_arrived_remembers_it(yard):
    yard.accept()
    (group,) = yard.claim()
    yard.settle(group, Retry("unanswered", "no answer", unknown=True))
    yard.now += 1000
    (group,) = yard.claim()

    assert yard.settle(group, PARKED)

    assert yard.lane()["shown"] is not None
    (change,) = yard.run(lambda tx: parked.latest(tx, yard.tenant, yard.dataflow, 10))
    assert (change.begun_at, change.parked_at, change.attempts) == (yard.now - 1000, yard.now, 2)


def test_a_message_that_a_dead_process_had_under_way_may_have_arrived(yard):
    yard.accept()
    yard.claim()
    yard.epoch += 1
    yard.run(lambda tx: outbox.expire_leases(tx, yard.epoch, yard.now))
    (group,) = yard.claim()

    assert yard.settle(group, PARKED)

    assert yard.lane()["shown"] is not None


def test_what_was_refused_after_certain_failures_did_not_arrive(yard):
    yard.accept()
    (group,) = yard.claim()
    yard.settle(group, RETRY)
    yard.now += 1000
    (group,) = yard.claim()

    assert yard.settle(group, PARKED)

    assert yard.lane() is None


def test_an_entry_of_what_is_not_mapped_any_more_is_withheld(yard):
    yard.accept()
    (group,) = yard.claim()

    assert yard.settle(group, Withheld("not-mapped"))

    assert yard.balance() == {"accepted": 1, "withheld": 1}
    assert yard.rows("lanes", "profile, audience, part") == []
