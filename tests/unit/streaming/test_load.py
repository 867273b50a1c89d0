"""How much may be under way: bounded for an account and in all, and never so that an account has nothing."""

from dataclasses import replace

from headrace.streaming.load import Load
from unit.render.making import entry, group


def of(count, number):
    return replace(group(*(entry(number=n) for n in range(count))), number=number)


def test_an_account_takes_no_more_than_its_share():
    load = Load(of_account=10, in_all=100)
    assert load.room("a", 4) == 2
    load.take("a", of(4, 1))
    assert load.room("a", 4) == 1
    load.take("a", of(4, 2))
    assert load.room("a", 4) == 0
    assert load.room("b", 4) == 2

    load.give_back(1)
    load.give_back(1)

    assert load.room("a", 4) == 1


def test_all_of_them_take_no_more_than_there_is_and_each_may_have_one():
    load = Load(of_account=10, in_all=12)
    load.take("a", of(8, 1))

    assert load.room("b", 4) == 1
    load.take("b", of(4, 2))
    assert load.room("b", 4) == load.room("a", 1) == 0
    assert load.room("c", 5000) == 1


def test_a_group_that_is_claimed_again_counts_once():
    load = Load(of_account=10, in_all=100)
    load.take("a", of(4, 1))
    load.take("a", of(3, 1))

    assert load.room("a", 1) == 7
