"""However the process ends: nothing that was accepted is lost, told out of order, or told twice without need."""

import signal
from random import Random

import pytest

from headrace.testkit.partner import Answer
from postgres import Database

from .journey import check_everything, history, journey

#: Where the whole server is killed. Every point there is, is proved in ``tests/deaths``, at the price of a fork each:
#: that one server ends and another begins is proved once more at one of them here, the others are campaigns.
MOMENTS = [("before_settle_commit", 25), ("after_send", 80), ("after_ingest_commit", 9)]
#: Where at least one message is under way, of which nobody knows afterwards what became of it.
SENDING = ("after_send", "before_settle_commit")


@pytest.mark.parametrize(
    ("point", "nth"), [MOMENTS[0], *(pytest.param(*moment, marks=pytest.mark.campaign) for moment in MOMENTS[1:])]
)
def test_a_death_at_any_point_loses_nothing(tmp_path, point, nth):
    with journey(tmp_path, crash_at=f"{point}:{nth}") as travelling:
        travelling.send_all(history())
        travelling.wait_until_settled()

        assert travelling.deaths == [-signal.SIGKILL], f"{point} was not reached {nth} times"
        assert travelling.statuses()[503] > 0
        assert travelling.under_way.messages.total() >= (point in SENDING)
        check_everything(travelling)


@pytest.mark.campaign
def test_deaths_at_random_under_load_lose_nothing(tmp_path):
    with journey(tmp_path) as travelling:
        travelling.kill_at = {20 * place for place in Random(2026).sample(range(1, 13), 5)}
        travelling.send_all(history())
        travelling.wait_until_settled()

        assert travelling.deaths == [-signal.SIGKILL] * 5
        assert travelling.under_way.messages.total() >= 5
        check_everything(travelling)


@pytest.mark.campaign
@pytest.mark.parametrize("moment", [None, ("before_settle_commit", 25)], ids=["at random", "before_settle_commit-25"])
def test_on_postgresql_a_death_loses_nothing_either(tmp_path, postgres, moment):
    settings = {} if moment is None else {"crash_at": "{}:{}".format(*moment)}
    with postgres.lent() as address, journey(tmp_path, Database(postgres, address), **settings) as travelling:
        if moment is None:
            travelling.kill_at = {20 * place for place in Random(2027).sample(range(1, 13), 3)}
        travelling.send_all(history())
        travelling.wait_until_settled()

        assert travelling.deaths == [-signal.SIGKILL] * (3 if moment is None else 1)
        assert travelling.under_way.messages.total() >= len(travelling.deaths)
        check_everything(travelling)


def test_who_is_asked_to_stop_finishes_what_is_under_way_and_leaves_the_rest_for_the_next(tmp_path):
    with journey(tmp_path) as travelling:
        for partner in travelling.partners.values():
            partner.delay = 0.2
        travelling.send_all(history())
        travelling.process.send_signal(signal.SIGTERM)
        travelling.process.wait(20)
        left = travelling.statuses().total()
        for partner in travelling.partners.values():
            partner.delay = 0.0
        travelling.restart()
        travelling.wait_until_settled()

        assert travelling.deaths == [0]
        assert 0 < left < travelling.statuses().total()
        assert travelling.under_way.messages.total() == 0
        assert travelling.duplicates() == 0
        check_everything(travelling)


def test_a_partner_that_hangs_does_not_keep_the_process_from_stopping(tmp_path):
    with journey(tmp_path, request_deadline="1") as travelling:
        scripts = {name: partner._default for name, partner in travelling.partners.items()}
        for partner in travelling.partners.values():
            partner._default = Answer(hang=True)
        travelling.send_all(history(40))
        travelling.process.send_signal(signal.SIGTERM)
        travelling.process.wait(20)
        for name, partner in travelling.partners.items():
            partner._default = scripts[name]
        travelling.restart()
        travelling.wait_until_settled()

        assert travelling.deaths == [0]
        check_everything(travelling)
