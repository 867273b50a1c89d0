"""What every storage promises, at every storage there is."""

import asyncio
import posixpath
from secrets import token_hex

import pytest

from headrace.connect.storage import NotStored, objects
from headrace.connect.storage.objects import PART
from headrace.connect.storage.unseen import is_unseen
from headrace.testkit.faults import FaultProxy
from integration.storage.between import BUSY, DROPPED, UNHEARD, between, first

LARGE = 2 * PART + 4321
#: Those that can be asked to forget what a killed process has left.
CLEARED = ("seaweedfs", "moto", "local")


def content(size: int) -> bytes:
    """Make bytes that are not alike anywhere."""
    block = bytes(range(251)) * 40
    return (block * (size // len(block) + 1))[:size]


async def pieces(data: bytes, step: int = 100_003):
    view = memoryview(data)
    for start in range(0, len(data), step):
        yield view[start : start + step] if start % 2 else bytes(view[start : start + step])
        await asyncio.sleep(0)


async def broken(data: bytes):
    async for piece in pieces(data):
        yield piece
    raise ValueError("the rows could not be read")


async def endless(started: asyncio.Event):
    for _ in range(PART // (1 << 20) * 2 + 1):
        yield bytes(1 << 20)
    started.set()
    await asyncio.Event().wait()


def left(place, name) -> list[str]:
    """Return what was begun under a name and is no file."""
    begun = ((one, posixpath.basename(one)) for one in place.unfinished())
    return [one for one, last in begun if name in one or is_unseen(last, posixpath.basename(name))]


def new_name() -> str:
    return f"people-{token_hex(6)}.csv"


NAMES = [
    "a b.csv",
    "100%.csv",
    "a+b.csv",
    "a%20b.csv",
    "Müller-東京-😀.csv",
    "a'(b)!*~.csv",
    "sub folder/x=1&y.csv",
    "#?;:@,$.csv",
]


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, LARGE])
async def test_a_file_is_there_as_it_was_written(place, size):
    name, data = new_name(), content(size)
    async with place.open() as storage:
        stored = await storage.write(name, pieces(data))
        seen = await storage.look(name)

    assert place.read(name) == data
    assert (stored.path, stored.size) == (name, size)
    assert seen == stored
    assert left(place, name) == []


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_is_taken_as_it_is(place, name):
    data = content(100)
    async with place.open() as storage:
        await storage.write(name, pieces(data), replaces=True)

        assert (await storage.look(name)).size == 100
        assert f"drop/people/{name}" in place.files()
        assert place.read(name) == data

        await storage.remove(name)
        assert await storage.look(name) is None


async def test_what_is_there_stays_unless_it_is_to_be_replaced(place):
    name, old, new = new_name(), content(7), content(10)
    async with place.open() as storage:
        await storage.write(name, pieces(old))
        with pytest.raises(NotStored) as refused:
            await storage.write(name, pieces(new))
        assert refused.value.cause == "exists"
        assert place.read(name) == old

        await storage.write(name, pieces(new), replaces=True)
        assert place.read(name) == new
    assert left(place, name) == []


@pytest.mark.parametrize("size", [10, LARGE])
async def test_of_two_that_write_at_once_one_is_told_that_there_is_a_file(atomic, size):
    name, datas = new_name(), [content(size), content(size)[::-1]]
    async with atomic.open() as one, atomic.open() as other:
        results = await asyncio.gather(
            *(storage.write(name, pieces(data)) for storage, data in zip((one, other), datas, strict=True)),
            return_exceptions=True,
        )
    refused = [result for result in results if isinstance(result, BaseException)]
    assert [error.cause for error in refused] == ["exists"], results
    assert atomic.read(name) == datas[1 if isinstance(results[0], NotStored) else 0]
    assert left(atomic, name) == []


async def test_one_that_came_while_a_large_file_was_on_its_way_stays(place):
    name = new_name()

    async def overtaken():
        async for piece in pieces(content(LARGE)):
            yield piece
        place.seed(name, b"the other's")

    async with place.open() as storage:
        with pytest.raises(NotStored) as refused:
            await storage.write(name, overtaken())
    assert refused.value.cause == "exists"
    assert place.read(name) == b"the other's"
    assert left(place, name) == []


async def test_the_storage_itself_refuses_a_large_file_where_one_came_at_the_very_end(far):
    """Nobody asks whether there is one: it is put there while the last step is under way."""
    name = new_name()

    def overtake(method, target):
        if far.is_last(method, target):
            far.seed(name, b"the other's")

    async with between(far.origin, overtake) as stands, far.open(stands.origin) as storage:
        with pytest.raises(NotStored) as refused:
            await storage.write(name, pieces(content(LARGE)))
    assert refused.value.cause == "exists"
    assert far.read(name) == b"the other's"
    assert left(far, name) == []


@pytest.mark.parametrize(("size", "replaces"), [(10, False), (LARGE, True)])
async def test_nobody_sees_what_is_staged_until_it_is_published(place, size, replaces):
    name, given_up, data = new_name(), new_name(), content(size)
    async with place.open() as storage:
        if replaces:
            await storage.write(name, pieces(b"before"))
        staged = await storage.stage(name, pieces(data), replaces=replaces)
        other = await storage.stage(given_up, pieces(data[::-1]))

        seen = [one for one in place.files() if one.endswith((name, given_up))]
        assert seen == ([f"drop/people/{name}"] if replaces else [])
        assert await storage.look(given_up) is None
        if replaces:
            assert place.read(name) == b"before"

        await other.discard()
        stored = await staged.publish()
        await staged.discard()
        assert await storage.look(name) == stored
        assert await storage.look(given_up) is None
    assert ((stored.path, stored.size), (staged.path, staged.size)) == ((name, size),) * 2
    assert place.read(name) == data
    assert left(place, name) + left(place, given_up) == []


@pytest.mark.campaign
async def test_of_two_that_are_staged_at_once_the_second_is_told_that_there_is_a_file(atomic):
    name, data = new_name(), content(LARGE)
    async with atomic.open() as one, atomic.open() as other:
        first, second = [await storage.stage(name, pieces(data)) for storage in (one, other)]
        await second.publish()
        with pytest.raises(NotStored) as refused:
            await first.publish()
    assert refused.value.cause == "exists"
    assert left(atomic, name) == []


async def test_what_a_killed_try_left_is_cleared_and_nothing_else(place):
    name = new_name()
    near = f"{name}.near"
    async with place.open() as killed, place.open() as storage:
        lost = await killed.stage(name, pieces(content(LARGE)), replaces=True)
        kept = await storage.stage(near, pieces(content(LARGE)[::-1]))
        await storage.write(f"{name}.there", pieces(b"there"))
        for path in (name, f"{name}.there", f"sub/{name}"):
            await storage.clear(path)

        assert len(left(place, near)) == (place.name in CLEARED)
        assert set(left(place, name)) <= set(left(place, near))
        assert (await storage.look(f"{name}.there")).size == 5
        await kept.publish()
        await lost.discard()
    assert place.read(near) == content(LARGE)[::-1]
    assert left(place, name) == []


async def test_small_files_that_wait_take_little_memory(reached, monkeypatch):
    """What does not fit any more is uploaded, as a single part; what was published makes room."""
    monkeypatch.setattr(objects, "_KEPT", 1500)
    names = [new_name() for _ in range(4)]
    async with reached.open() as storage:
        staged = [await storage.stage(name, pieces(content(700))) for name in names]
        assert storage._keeping.size == 1400
        assert not any(one.endswith(tuple(names)) for one in reached.files())
        if reached.name in ("seaweedfs", "moto"):
            assert [name for name in names if left(reached, name)] == names[2:]
        await staged[3].discard()
        for one in staged[:3]:
            await one.publish()
        assert storage._keeping.size == 0
    assert [reached.read(name) for name in names[:3]] == [content(700)] * 3


async def test_what_the_storage_has_forgotten_has_to_be_sent_again(forgetful):
    name = new_name()
    async with forgetful.open() as storage:
        staged = await storage.stage(name, pieces(content(LARGE)), replaces=True)
        await storage.clear(name)
        if forgetful.name in ("azurite", "adls"):  # There a file of the name ends what was not published of it.
            await storage.write(name, pieces(content(LARGE)), replaces=True)
        with pytest.raises(NotStored, match=f"'{name}'.* send it once more") as refused:
            await staged.publish()
        assert (refused.value.cause, refused.value.may_pass) == ("gone", True)
        with pytest.raises(NotStored):
            await staged.publish()
    assert left(forgetful, name) == []


@pytest.mark.parametrize("size", [0, 1000, LARGE])
async def test_nothing_is_left_of_pieces_that_fail(place, size):
    name = new_name()
    async with place.open() as storage:
        with pytest.raises(ValueError, match="rows"):
            await storage.write(name, broken(content(size)))
        assert await storage.look(name) is None
    assert left(place, name) == []


async def test_nothing_is_left_of_what_is_cancelled(place):
    name, started = new_name(), asyncio.Event()
    async with place.open() as storage:
        writing = asyncio.create_task(storage.write(name, endless(started)))
        await started.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await storage.look(name) is None
    assert left(place, name) == []


async def test_nothing_is_left_of_a_last_step_that_is_cancelled(far):
    name = new_name()

    def cancel(method, target):
        if far.is_last(method, target):
            publishing.cancel()

    async with between(far.origin, cancel) as stands, far.open(stands.origin) as storage:
        staged = await storage.stage(name, pieces(content(LARGE)))
        publishing = asyncio.create_task(staged.publish())
        with pytest.raises(asyncio.CancelledError):
            await publishing
        assert await storage.look(name) is None
    assert left(far, name) == []


async def test_removing_what_is_not_there_is_fine(place):
    async with place.open() as storage:
        await storage.remove(new_name())


async def test_a_check_leaves_nothing_behind(place):
    before = place.files()
    async with place.open() as storage:
        await storage.check()
    assert place.files() == before


async def test_a_missing_place_is_told(place):
    with pytest.raises(NotStored) as refused:
        async with place.open(place=place.wrong_place) as storage:
            await storage.check()
    assert refused.value.cause == "no-place"


@pytest.mark.parametrize("act", ["check", "look", "write"])
async def test_wrong_credentials_are_told_and_not_shown(asking, act):
    with pytest.raises(NotStored) as refused:
        async with asking.open(auth=asking.wrong_keys) as storage:
            await {
                "check": storage.check,
                "look": lambda: storage.look(new_name()),
                "write": lambda: storage.write(new_name(), pieces(content(9))),
            }[act]()
    assert refused.value.cause == "denied"
    assert not any(secret in refused.value.message for secret in asking.wrong_keys.values())


@pytest.mark.parametrize("act", ["check", "write"])
async def test_a_server_that_says_yes_to_everything_is_no_storage(reached, act):
    """Such as a site of the web that shows its page whatever it is asked."""

    def show(method, target):
        return b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + (b"" if method == "HEAD" else b"welcome")

    async with between("", show) as stands, reached.open(stands.origin) as storage:
        with pytest.raises(NotStored, match="no storage of this kind") as refused:
            await (storage.check() if act == "check" else storage.write(new_name(), pieces(content(9)), replaces=True))
    assert refused.value.cause == "refused"


# -- on the way ---------------------------------------------------------------------------------------------------


async def test_parts_that_the_storage_was_too_busy_for_are_sent_again(far):
    name, data = new_name(), content(LARGE)
    async with between(far.origin, first(3, BUSY, far.is_part)) as stands, far.open(stands.origin) as storage:
        await storage.write(name, pieces(data))
    assert far.read(name) == data
    assert left(far, name) == []


@pytest.mark.parametrize("how", [DROPPED, UNHEARD])
@pytest.mark.parametrize("step", ["begin", "part", "last"])
async def test_a_step_of_which_nothing_was_heard_is_done_once(far, step, how):
    name, data = new_name(), content(LARGE)
    rule = first(1, how, getattr(far, f"is_{step}"))
    async with between(far.origin, rule) as stands, far.open(stands.origin) as storage:
        stored = await storage.write(name, pieces(data))
        assert await storage.look(name) == stored
    assert far.read(name) == data
    if (step, how) != ("begin", DROPPED):  # Of what has no name for us, the storage forgets in its own time.
        assert left(far, name) == []


@pytest.mark.parametrize("how", [DROPPED, UNHEARD])
async def test_a_small_file_of_which_nothing_was_heard_is_stored_once(reached, how):
    name, data = new_name(), content(100)
    rule = first(1, how, lambda method, target: method in ("PUT", "POST"))
    async with between(reached.origin, rule) as stands, reached.open(stands.origin) as storage:
        stored = await storage.write(name, pieces(data))
        assert await storage.look(name) == stored
    assert reached.read(name) == data


async def test_a_last_step_of_which_nothing_is_ever_heard_is_looked_for(far):
    name, data = new_name(), content(LARGE)
    rule = first(99, DROPPED, far.is_last)
    async with between(far.origin, rule) as stands, far.open(stands.origin) as storage:
        stored = await storage.write(name, pieces(data))
    assert (stored.size, far.read(name)) == (LARGE, data)
    assert left(far, name) == []


async def test_a_last_step_that_never_arrives_is_not_stored(far):
    name = new_name()
    rule = first(99, UNHEARD, far.is_last)
    async with between(far.origin, rule) as stands, far.open(stands.origin) as storage:
        with pytest.raises(NotStored) as refused:
            await storage.write(name, pieces(content(LARGE)))
        assert await storage.look(name) is None
    assert refused.value.cause == "unreached"
    assert left(far, name) == []


@pytest.mark.parametrize("fault", ["cut", "reset"])
async def test_a_connection_that_ends_in_the_middle_is_made_up_for(far, fault):
    name, data = new_name(), content(LARGE)
    async with FaultProxy(far.address) as proxy, far.open(far.by(proxy)) as storage:
        getattr(proxy.to, fault)(after=PART // 2, connections=2)
        await storage.write(name, pieces(data))
    assert far.read(name) == data
    assert left(far, name) == []


@pytest.mark.campaign
async def test_a_storage_that_is_gone_for_good_is_told(reached):
    async with FaultProxy(reached.address) as proxy, reached.open(reached.by(proxy)) as storage:
        proxy.both.reset(after=0)
        with pytest.raises(NotStored) as refused:
            await storage.write(new_name(), pieces(content(9)))
    assert refused.value.cause == "unreached"
    assert refused.value.may_pass
