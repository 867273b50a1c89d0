"""Storages that are asked while somebody waits: within a time, and without telling why one was not reached."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from headrace.connect.storage import NotStored
from headrace.errors import TargetBlocked, TooManyCalls
from headrace.model.problem import ConfigurationError
from headrace.services.call_limit import CallLimit
from headrace.services.setting_up_storages import Storage, try_out
from headrace.services.storage_trials import StorageTrials

COVERED = ("busy", "denied", "distrusted", "full", "host-key", "no-place", "refused", "unreached")


class Refusing:
    """A way to a storage that does nothing but what is said here."""

    def __init__(self, does):
        self._does = does

    @asynccontextmanager
    async def open(self):
        yield self

    async def check(self):
        await self._does()


def raising(error):
    async def does():
        raise error

    return Refusing(does)


@pytest.fixture
def slept():
    return []


@pytest.fixture
def trials(house, slept):
    async def sleep(seconds):
        slept.append(round(seconds))

    limit = CallLimit(house.store, house.clock, 3)
    return StorageTrials(None, limit, house.clock, within=0.05, told_after=10.0, sleep=sleep)


async def tried(trials, house, access):
    with pytest.raises(ConfigurationError) as raised:
        await try_out(trials, house.caller, Storage(access, is_tried=True))
    return {problem.pointer: problem.code for problem in raised.value.problems}


@pytest.mark.parametrize(
    ("cause", "where", "code"),
    [
        ("no-place", "/params", "no-place"),
        ("denied", "/baseConnectionId", "denied"),
        ("host-key", "/baseConnectionId", "host-key"),
        ("distrusted", "/params", "distrusted"),
        ("full", "/params", "full"),
        ("busy", "/params", "busy"),
        ("refused", "/params", "refused"),
        ("unreached", "/params", "unreached"),
        ("exists", "/params", "refused"),
        ("gone", "/params", "refused"),
    ],
)
async def test_each_cause_is_told_where_it_is_mended(trials, house, cause, where, code):
    assert await tried(trials, house, raising(NotStored(cause, "It was not."))) == {where: code}


async def test_that_a_storage_was_not_reached_is_told_at_one_time_whatever_the_reason(trials, house, slept):
    async def hangs():
        await asyncio.sleep(60)

    for access in (raising(NotStored("unreached", "no")), raising(TargetBlocked()), Refusing(hangs)):
        assert await tried(trials, house, access) == {"/params": "unreached"}
    assert slept == [10, 10, 10]


async def test_what_a_storage_answers_is_told_at_once(trials, house, slept):
    await tried(trials, house, raising(NotStored("denied", "no")))

    assert slept == []


async def test_storages_are_not_asked_any_number_of_times(trials, house):
    for _ in range(3):
        await tried(trials, house, raising(NotStored("denied", "no")))

    with pytest.raises(TooManyCalls):
        await try_out(trials, house.caller, Storage(raising(NotStored("denied", "no")), is_tried=True))


async def test_who_asks_for_no_trial_waits_for_none(trials, house):
    await try_out(trials, house.caller, Storage(raising(NotStored("denied", "no")), is_tried=False))
