"""Dying in what goes on beside delivery: every run ends, and what it was to do is done."""

import pytest

from .conftest import people


def test_a_death_at_the_turnstile(story):
    told = story(server={"rateLimits": [{"requests": 1, "per": "second"}]}, policy={"most": 3})
    for number, point in enumerate(("at_turnstile", "after_turnstile"), 1):
        told.tell(*people(number))
        told.die("deliver", f"{point}:1")
    for number in range(3, 9):  # Whether somebody waits for so long depends on how quick this machine is just now.
        told.tell(*people(number))
        if told.die("deliver", "after_lease_renewed:1", is_sure=False, **{"headrace.worker.LEASE_MARGIN": 0.1}):
            break
    else:
        pytest.fail("no lease was renewed")
    told.tell(*people(99))
    told.live("deliver")

    told.judge()


def test_a_death_on_the_way_out(story):
    told = story()
    for number, point in enumerate(("before_release", "after_release", "before_farewell_commit"), 4):
        told.tell(*people(number))
        told.die("claim", f"{point}:1")
    told.tell(*people(99))
    told.live("deliver")

    told.judge()


def test_a_death_while_something_is_parked_replayed_or_discarded(story):
    told = story(policy={"most": 1})
    told.tell(*people(1, count=3))
    told.die("deliver", "after_message_kept:1", 400)
    told.live("deliver", answers=(400, 400))
    assert told.notes["parked"] == 2
    told.die("replay", "before_replay_commit:1")
    told.die("replay", "after_replay_commit:1")
    told.live("replay")
    assert told.notes["parked"] == 0
    told.judge()

    told.tell(*people(2, count=3))
    told.live("deliver", answers=(400, 400))
    told.die("discard", "before_discard_commit:1")
    told.live("discard")
    assert told.notes["parked"] == 0
    told.judge_books()


def test_a_death_while_those_are_told_of_who_were_there_before(story):
    told = story(is_begun=False)
    told.tell(*people(1))
    told.live("deliver")
    told.die("begin", "before_backfill_commit:1")
    told.die("deliver", "after_backfill_commit:1")
    told.live("deliver")

    told.judge()
    assert told.notes["books"]["flow"]["delivered"] == 12


def test_a_death_while_an_audience_ends(story):
    told = story()
    told.tell(*people(1))
    told.live("deliver")
    told.die("end_window", "before_turn_commit:1")
    told.live("deliver")

    told.judge_books()
    assert told.count("SELECT count(*) FROM dataflows WHERE window_at IS NULL") == 1


def test_a_death_while_what_is_old_is_forgotten(story):
    told = story()
    told.tell(*people(1))
    told.live("deliver")
    told.live("age")
    told.die("linger", "after_hours_forgotten:1")
    told.die("linger", "after_history_forgotten:1")
    told.tell(*people(2))
    told.live("deliver")

    told.judge()


def test_a_death_while_a_policy_of_consent_is_applied(story):
    told = story()
    told.tell(*people(1))
    told.live("deliver")
    points = ["after_run_taken", "after_run_begun", "before_consent_commit", "after_consent_commit"]
    for point in [*points, "before_consent_settled", "before_run_ended", "after_run_ended"]:
        told.die("forbid", f"{point}:1")
    told.live("deliver")

    told.judge_books()
    assert told.believed() == set()
    assert told.count("SELECT count(*) FROM runs WHERE state <> 'succeeded'") == 0


def test_a_death_while_somebody_is_erased(story):
    told = story()
    told.tell(*people(1))
    told.live("deliver")
    for point in ("before_erasure_commit", "after_erasure_commit", "after_erasure_logged", "before_receipts_commit"):
        told.die("erase", f"{point}:1")
    told.live("deliver")

    told.judge_books()
    assert told.believed() == {str(who) for who in range(2, 13)}
    assert told.count("SELECT count(*) FROM profiles") == 11
    assert told.count("SELECT count(*) FROM erasures WHERE state = 'done'") == 1
    assert 'crmId:1"' not in (told.home / "data" / "erasures.log").read_text()


def test_a_death_while_a_backup_is_made_or_restored_and_while_partners_are_told_again(story):
    told = story()
    told.tell(*people(1))
    told.live("deliver")
    told.die("back_up", "after_backup_part:3")
    assert not (told.home / "backup").exists()
    told.die("back_up", "before_backup_seal:1")
    assert not (told.home / "backup").exists()
    told.live("back_up")
    told.tell(*people(2))
    told.live("deliver")

    told.lose()
    told.die("restore", "after_restored_part:3")
    told.die("restore", "before_restore_commit:1")
    told.live("restore")
    told.tell(*people(3))
    told.die("let_go", "before_resync_commit:1")
    told.die("let_go", "after_resync_commit:1")
    told.live("let_go")

    told.judge(twice=True)


def test_a_death_between_the_commit_of_a_restore_and_its_end_says_what_to_do(story):
    told = story()
    told.live("back_up")
    told.lose()
    told.die("restore", "after_restore_commit:1")

    assert told.live("deliver", crash_at="after_hold:1") == 1
    assert "run `headrace restore` again" in (told.home / "log").read_text()


def test_a_death_while_the_store_is_moved_leaves_it_as_it_was(story):
    told = story()
    told.live("move_back")
    told.die("move", "before_migration:1")
    told.die("move", "before_migration_commit:1")
    told.live("move")
    told.tell(*people(1))
    told.live("deliver")

    told.judge()


def test_a_death_while_keys_are_rotated_leaves_every_secret_readable(story):
    told = story()
    told.live("seal")
    for point in ("before_key_commit", "after_resealed_part", "after_master_key", "before_rewrap"):
        told.die("rotate", f"{point}:1")
    told.live("rotate")
