"""Dying while people are taken in and told of: nothing is lost, told out of order, or told twice without need."""

import pytest

from headrace.testkit.partner import Answer

from .conftest import MORE, people

#: Where a process dies, and what the partner answers first in that life.
DELIVERING = {
    "before_ingest_parse": (),
    "before_ingest_commit": (),
    "after_ingest_commit": (),
    "after_piece": (),
    "before_commit": (),
    "after_commit": (),
    "before_claim_commit": (),
    "after_claim": (),
    "after_render": (),
    "half_request": (),
    "after_request": (),
    "after_send": (),
    "after_retry_noted": (503,),
    "after_split": (400,),
    "after_hold": (410,),
    "before_settle_commit": (),
    "after_settle_commit": (),
    "before_epoch_commit": (),
    "after_epoch": (),
    "before_beat_commit": (Answer(delay=1),),
    "after_fold": (),
}
#: Points that a life passes once at the most.
ONCE = {"after_hold"}
#: Which passing of a point is the last, in the campaign.
LATER = (2, 3, 5, 8, *range(9, 5 + 4 * MORE))


@pytest.mark.parametrize("turn", [1, *(pytest.param(nth, marks=pytest.mark.campaign) for nth in LATER)])
def test_a_death_at_any_point_of_delivery_loses_nothing(story, turn):
    told = story()
    for number, (point, answers) in enumerate(DELIVERING.items(), 1):
        told.tell(*people(number))
        told.die("deliver", f"{point}:{1 if point in ONCE else turn}", *answers, is_sure=turn == 1)
    told.tell(*people(99))
    told.live("deliver")

    told.judge()
