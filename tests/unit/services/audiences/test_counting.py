"""How many members an audience has is known exactly, whatever comes in."""

import random

from headrace.model.profile import decode
from headrace.store import audiences
from unit.services.house import person


def sizes(house):
    return {
        (item.namespace, item.id): item.size
        for item in house.store.read_now(lambda tx: audiences.all_of(tx, 1)).values()
    }


def counted(house):
    """The members as the people's documents have them."""
    found = {}
    for (document,) in house.rows("SELECT document FROM profiles"):
        for namespace, held in decode(bytes(document))["segmentMembership"].items():
            for id_, membership in held.items():
                found[namespace, id_] = found.get((namespace, id_), 0) + (membership["status"] == "realized")
    return found


async def test_an_audience_that_only_people_carry_is_known_and_counted(house):
    await house.ingest(person(1, "a", "b"), person(2, "a"), person(3, c=False))

    assert sizes(house) == {("ups", "a"): 2, ("ups", "b"): 1}


async def test_who_leaves_comes_again_or_is_late_is_counted_once(house):
    await house.ingest(person(1, "a", minute=5), person(1, "a", minute=6), person(2, "a", minute=5))
    await house.ingest(person(1, a=False, minute=7), person(2, a=False, minute=1))
    assert sizes(house) == {("ups", "a"): 1}

    await house.ingest({**person(2), "segmentMembership": {}}, replace=True)
    assert sizes(house) == {("ups", "a"): 0}


async def test_sizes_are_those_of_the_documents_after_anything(house):
    generator = random.Random(7)
    await house.activate("a")
    for _ in range(40):
        people = [
            person(
                generator.randrange(12),
                minute=generator.randrange(200),
                **{name: generator.random() < 0.6 for name in "abc" if generator.random() < 0.7},
            )
            for _ in range(generator.randrange(1, 6))
        ]
        await house.ingest(*people, replace=generator.random() < 0.2)

        known = {audience: size for audience, size in sizes(house).items() if size}
        assert known == {audience: size for audience, size in counted(house).items() if size}


async def test_who_is_erased_is_counted_out_of_every_audience(house):
    await house.ingest(person(1, "a", "b", email=["x@example.com"]), person(2, "a"), person(3, "a", b=False))
    await house.erase("crmId:1")
    assert sizes(house) == counted(house) | {("ups", "b"): 0} == {("ups", "a"): 2, ("ups", "b"): 0}

    await house.ingest(person(4, "a", email=["y@example.com"]), person(5, "a", "b", email=["y@example.com"]))
    await house.erase(namespace="Email", id="y@example.com")

    assert sizes(house) == {("ups", "a"): 2, ("ups", "b"): 0}
    assert counted(house)["ups", "a"] == 2
