"""The pool of processes that render, with real processes."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from headrace.mapping import AttributeRow, IdentityRow
from headrace.model.message import Bucket, Entry, Group
from headrace.model.profile import encode
from headrace.render.destination import CompiledDestination
from headrace.render.frames import ComposedFrame, MessageFrame, RefusedFrame
from headrace.render.pool import Confines, RenderPool, _is_whole, _Job
from headrace.render.recipe import MappedAudience, Recipe, TextRecipe

BODY = '[{% for p in input.profiles %}"{{ p.attributes.name.value }}"{% if not loop.last %},{% endif %}{% endfor %}]'
MIB = 1 << 20


def recipe(body=BODY, **more):
    parts = {
        "dataflow": "flow", "version": "1", "method": "POST", "url": TextRecipe("https://partner.example/", "url"),
        "body": TextRecipe(body, "requestBody", "json"), "content_type": "application/json", "max_users": 100,
        "attributes": (AttributeRow("name", "name", is_structured=True),),
        "identities": (IdentityRow("Email", "email"),), "namespaces": ("email",),
        "audiences": (MappedAudience(1, "ups", "a", "A", None, 0, 0, 0, 0),),
    }  # fmt: skip
    return Recipe(**{**parts, **more})


def entry(number, name=None, **more):
    membership = {"ups": {"a": {"status": "realized", "lastQualificationTime": "2026-03-01T10:00:00Z"}}}
    person = {"name": name or f"P{number}", "identityMap": {"Email": [{"id": "x"}]}, "segmentMembership": membership}
    return Entry(number, 0, "", number, encode({**person, **more}), (1,), None)


def group(*entries, number=1):
    return Group(1, 1, number, 1, 1, Bucket(), tuple(entries))


@pytest.fixture
async def pool():
    async with running(RenderPool(1)) as started:
        yield started


class running:  # noqa: N801 - reads as what it is
    def __init__(self, pool):
        self.pool = pool

    async def __aenter__(self):
        await self.pool.start()
        return self.pool

    async def __aexit__(self, *_):
        await self.pool.stop()


async def test_a_child_composes_what_the_parent_would(pool):
    people = group(entry(1), entry(2, name='O"Hara'), entry(3))

    composed = await pool.compose(recipe(), people)

    assert composed == CompiledDestination(recipe()).compose(people)
    assert orjson.loads(composed.messages[0].request.body) == ["P1", 'O"Hara', "P3"]


@pytest.mark.parametrize(
    "body",
    [
        '{% for p in input.profiles %}"{{ p.attributes.name.value }}"{% endfor %}',
        "\"{% for s in ['ü', 'ö'] | sort %}{{ s }}{% endfor %}\"",
        "\"{{ 0 | date('HH:mm z', timeZone='Europe/Lisbon') }}\"",
        "\"{{ 0 | date('HH:mm zzzz', timeZone='America/Argentina/Ushuaia') }}\"",
    ],
    ids=["letters beyond ASCII", "letters that are sorted", "a time zone", "another time zone"],
)
async def test_a_child_needs_no_file_for_what_templates_can_do(pool, body):
    people = group(entry(1, name="서울 🜚 Évora"))

    composed = await pool.compose(recipe(body), people)

    assert composed.refused == ()
    assert composed == CompiledDestination(recipe(body)).compose(people)


@pytest.mark.parametrize("charset", ["UTF-8", "UTF-16", "ISO-8859-1", "US-ASCII"])
async def test_a_child_needs_no_file_for_what_operators_compute(pool, charset):
    people = group(entry(1, name="서울 Évora"))
    computed = recipe(attributes=(AttributeRow(f'sha256(name, "{charset}")', "name", is_calculated=True),))

    composed = await pool.compose(computed, people)

    assert composed.refused == ()
    assert composed == CompiledDestination(computed).compose(people)


async def test_an_entry_that_cannot_be_rendered_is_refused_with_its_place(pool):
    body = '{% for p in input.profiles %}{{ p.attributes.name.value == "bad" ? 1 / 0 : "" }}{% endfor %}[]'
    picky = recipe(body)

    composed = await pool.compose(picky, group(entry(1), entry(2, name="bad"), entry(3)))

    ((refused, error),) = composed.refused
    assert refused.profile == 2
    assert error.code == "template"
    assert "requestBody:1:" in str(error)
    assert [[item.profile for item in message.entries] for message in composed.messages] == [[1, 3]]


async def test_many_groups_share_a_call_and_each_gets_its_own_answer(pool):
    groups = [group(entry(number), number=number) for number in range(200)]

    composed = await asyncio.gather(*(pool.compose(recipe(), item) for item in groups))

    assert [orjson.loads(item.messages[0].request.body) for item in composed] == [[f"P{n}"] for n in range(200)]


async def test_every_child_works():
    async with running(RenderPool(2)) as pool:
        await asyncio.gather(*(pool.compose(recipe(), group(entry(number))) for number in range(300)))

        assert len(set(pool.pids)) == 2


async def test_an_entry_that_takes_all_memory_is_refused_and_nothing_else():
    confines = Confines(memory=192 * MIB)
    async with running(RenderPool(1, confines)) as pool:
        bomb = entry(3, name="x" * (120 * MIB))
        people = group(entry(1), entry(2), bomb, entry(4))

        composed, bystander = await asyncio.gather(
            pool.compose(recipe(), people), pool.compose(recipe(), group(entry(9), number=2))
        )

    assert [(item.profile, error.code) for item, error in composed.refused] == [(3, "render-crashed")]
    assert sorted(item.profile for message in composed.messages for item in message.entries) == [1, 2, 4]
    assert [item.profile for item in bystander.messages[0].entries] == [9]


async def test_an_entry_that_takes_too_much_processor_time_is_refused_with_the_reason():
    slow = recipe(
        body="{% for p in input.profiles %}{% for i in p.attributes.name.value %}{% for j in p.attributes.name.value %}"
        "{% set sum = (i + j) * 2 %}{% endfor %}{% endfor %}{% endfor %}[]"
    )
    async with running(RenderPool(1, Confines(cpu_seconds=0.05))) as pool:
        bomb = entry(2, name=list(range(990)))
        composed = await pool.compose(slow, group(entry(1, name=[1]), bomb))

    ((refused, error),) = composed.refused
    assert (refused.profile, error.code) == (2, "render-crashed")
    assert "CPU time" in str(error)


async def test_a_child_that_hangs_is_replaced_at_the_deadline():
    async with running(RenderPool(1, Confines(deadline=1.0))) as pool:
        await pool.compose(recipe(), group(entry(1)))
        (hanging,) = pool.pids
        os.kill(hanging, signal.SIGSTOP)

        composed = await pool.compose(recipe(), group(entry(2)))

        assert [item.profile for item in composed.messages[0].entries] == [2]
        assert pool.pids != [hanging]


async def test_a_child_that_was_killed_is_replaced_and_nothing_is_lost(pool):
    await pool.compose(recipe(), group(entry(1)))
    os.kill(pool.pids[0], signal.SIGKILL)

    composed = await pool.compose(recipe(), group(entry(2)))

    assert [item.profile for item in composed.messages[0].entries] == [2]


async def test_a_child_is_replaced_when_it_has_done_its_share():
    async with running(RenderPool(1, Confines(calls=2))) as pool:
        used = set()
        for number in range(6):
            await pool.compose(recipe(), group(entry(number)))
            used |= set(pool.pids)

    assert len(used) == 3


async def test_whoever_brings_more_than_may_wait_waits():
    async with running(RenderPool(1, Confines(waiting=4, groups=1))) as pool:
        composing = [asyncio.create_task(pool.compose(recipe(), group(entry(number)))) for number in range(50)]
        await asyncio.sleep(0)

        assert len(pool._waiting) <= 4
        assert len(await asyncio.gather(*composing)) == 50


async def test_a_child_has_no_environment_and_tight_limits(pool):
    await pool.compose(recipe(), group(entry(1)))
    process = Path(f"/proc/{pool.pids[0]}")

    assert process.joinpath("environ").read_bytes().strip(b"\0") == b""
    limits = {line[:26].strip(): line[26:47].strip() for line in process.joinpath("limits").read_text().splitlines()}
    assert limits["Max file size"] == "0"
    assert limits["Max open files"] == "3"
    assert int(limits["Max address space"]) == Confines().memory
    assert sorted(path.name for path in process.joinpath("fd").iterdir()) == ["0", "1", "2"]


def test_a_child_reads_no_configuration_and_no_store():
    modules = "import headrace.render.child, sys; print(*(m for m in sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", modules], capture_output=True, text=True, check=True).stdout.split()

    assert not {"pydantic", "sqlalchemy", "fastapi", "httptools", "headrace.store", "ssl"} & set(loaded)


def test_children_end_with_the_process_that_started_them(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, os\n"
        "from test_pool import entry, group, recipe\n"
        "from headrace.render.pool import RenderPool\n"
        "async def main():\n"
        "    pool = RenderPool(1)\n"
        "    await pool.start()\n"
        "    await pool.compose(recipe(), group(entry(1)))\n"
        "    print(pool.pids[0], flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    for _ in range(200):
        if not is_running(child):
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("the child goes on without its parent")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("messages", "refused", "whole"),
    [
        ([[0, 1]], [], True),
        ([[0]], [1], True),
        ([[0]], [], False),
        ([[0, 1], [1]], [], False),
        ([[0, 1]], [1], False),
        ([[0, 7]], [], False),
        ([], [0, 1], True),
    ],
    ids=["all-sent", "one-refused", "one-missing", "one-twice", "sent-and-refused", "unknown", "all-refused"],
)
async def test_an_answer_counts_only_if_every_entry_is_in_it_once(messages, refused, whole):
    job = _Job(recipe(), group(entry(1), entry(2)), asyncio.get_running_loop().create_future(), alone=False)
    frames = [MessageFrame("m", "POST", "u", (), b"", places, [None] * len(places)) for places in messages]

    assert _is_whole(job, ComposedFrame(frames, [RefusedFrame(place, "c", "r") for place in refused])) is whole


HASHING = IdentityRow("Phone", "phone", transformation="sha256(lower($))")
COMPUTED = AttributeRow("ucase(name)", "name", is_calculated=True)


async def test_a_child_that_may_open_no_file_reads_telephone_numbers_and_computes(pool):
    phones = {"identityMap": {"Phone": [{"id": "+1 202 555 0123"}, {"id": "+49 30 1234567"}, {"id": "12"}]}}
    plain, wanted = recipe(), recipe(identities=(HASHING,), namespaces=("phone",), attributes=(COMPUTED,))
    people = group(entry(1, **phones))
    await pool.compose(plain, people)
    (before,) = pool.pids

    composed = await pool.compose(wanted, people)
    (after,) = pool.pids

    assert composed == CompiledDestination(wanted).compose(people)
    assert orjson.loads(composed.messages[0].request.body) == ["P1"]
    assert [(item.target, item.reason, count) for item, count in composed.left_out] == [
        ("phone", "phone-without-region", 1)
    ]
    assert after != before
    await pool.compose(plain, people)
    assert pool.pids == [after]


# -- groups of ten thousand --------------------------------------------------------------------------------------------


def ten_thousand(**more):
    return group(*(entry(number, **more) for number in range(10_000)))


async def test_a_group_of_ten_thousand_is_one_message(pool):
    composed = await pool.compose(recipe(max_users=10_000), ten_thousand())

    (message,) = composed.messages
    assert composed.refused == ()
    assert orjson.loads(message.request.body) == [f"P{number}" for number in range(10_000)]


async def test_a_body_that_would_be_longer_than_it_may_becomes_several(pool):
    body = BODY.replace("{{ p.attributes.name.value }}", "{{ p.attributes.name.value }}" + "." * 500)

    composed = await pool.compose(recipe(body, max_users=10_000), ten_thousand())

    assert composed.refused == ()
    assert [len(message.entries) for message in composed.messages] == [5000, 5000]
    assert all(len(message.request.body) <= 4 * MIB for message in composed.messages)


async def test_of_ten_thousand_only_those_are_refused_that_cannot_be_rendered(pool):
    body = BODY.replace("{{ p", "{% if p.attributes.name.value == 'P77' %}{{ 1 / 0 }}{% endif %}{{ p")

    composed = await pool.compose(recipe(body, max_users=10_000), ten_thousand())

    assert [item.profile for item, _ in composed.refused] == [77]
    assert sum(len(message.entries) for message in composed.messages) == 9_999


async def test_more_people_than_a_call_carries_are_taken_in_halves():
    big = "x" * (1 << 20)
    async with running(RenderPool(1, Confines(memory=3 << 30))) as pool:
        people = group(*(entry(number, more=big) for number in range(150)))

        composed = await pool.compose(recipe(max_users=150), people)

    assert composed.refused == ()
    assert [len(message.entries) for message in composed.messages] == [75, 75]
