"""What is particular to Google: its XML interface, which no server that can be had speaks but our own."""

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import NotStored, Way, storages
from headrace.errors import AccountError
from integration.storage.between import BUSY, DROPPED, UNHEARD, first
from integration.storage.google_xml import KEY, SECRET, google
from integration.storage.test_contract import LARGE, broken, content, new_name, pieces


def opened(stands, **auth):
    place = {"bucket": "people", "path": "in", "x-headrace": {"endpoint": stands.origin}}
    way = Way(Egress(AllowList.parse("127.0.0.0/8")), Guard())
    auth = auth or {"accessKeyId": KEY, "secretAccessKey": SECRET}
    return storages.get("FILE_BASED_GOOGLE_CLOUD").open(place, "GOOGLE_CLOUD_STORAGE", auth, way)


def is_piece(method, target):
    return method == "PUT" and "upload_id" in target


def is_begin(method, target):
    return method == "POST"


@pytest.mark.parametrize("size", [0, 100, LARGE])
@pytest.mark.parametrize("name", ["a.csv", "a b+c%20.csv", "Müller.csv"])
async def test_a_file_is_there_as_it_was_written(size, name):
    async with google() as stands, opened(stands) as storage:
        stored = await storage.write(name, pieces(content(size)))
        assert await storage.look(name) == stored
        with pytest.raises(NotStored) as refused:
            await storage.write(name, pieces(b"another"))
        assert stands.objects[f"in/{name}"][0] == content(size)
        await storage.check()
        await storage.remove(name)
        assert await storage.look(name) is None
    assert refused.value.cause == "exists"


@pytest.mark.parametrize("how", [DROPPED, UNHEARD, BUSY])
@pytest.mark.parametrize("count", [1, 2])
async def test_a_piece_of_which_nothing_was_heard_is_there_once(how, count):
    name = new_name()
    async with google(first(count, how, is_piece)) as stands, opened(stands) as storage:
        stored = await storage.write(name, pieces(content(LARGE)))
        assert await storage.look(name) == stored
    assert stands.objects[f"in/{name}"][0] == content(LARGE)


async def test_one_that_came_with_the_last_piece_stays():
    name = new_name()
    seen = []

    async with google() as stands, opened(stands) as storage:

        def overtake(method, target):
            seen.append(target)
            if sum("upload_id" in one for one in seen) == 3:
                stands.objects[f"in/{name}"] = (b"the other's", "other")

        stands.rule = overtake
        with pytest.raises(NotStored) as refused:
            await storage.write(name, pieces(content(LARGE)))
    assert refused.value.cause == "exists"
    assert stands.objects[f"in/{name}"][0] == b"the other's"
    assert stands.sessions == {}


async def test_an_upload_that_google_has_forgotten_has_to_be_sent_again():
    name = new_name()
    async with google() as stands, opened(stands) as storage:
        staged, other = [await storage.stage(one, pieces(content(LARGE))) for one in (name, new_name())]
        assert (stands.objects, len(stands.sessions)) == ({}, 2)
        del stands.sessions["upload_id=0"]
        with pytest.raises(NotStored, match=f"'{name}'") as refused:
            await staged.publish()
        await other.discard()
    assert refused.value.cause == "gone"
    assert (stands.objects, stands.sessions) == ({}, {})


async def test_nothing_is_left_of_pieces_that_fail():
    async with google() as stands, opened(stands) as storage:
        with pytest.raises(ValueError, match="rows"):
            await storage.write(new_name(), broken(content(LARGE)))
    assert (stands.objects, stands.sessions) == ({}, {})


async def test_wrong_keys_are_told():
    async with google() as stands, opened(stands, accessKeyId=KEY, secretAccessKey="wrong") as storage:
        with pytest.raises(NotStored) as refused:
            await storage.check()
    assert refused.value.cause == "denied"


@pytest.mark.parametrize("key", ["{", "{}", '{"client_email": "a", "private_key": "b"}', "[]"])
async def test_what_is_no_key_of_a_service_account_is_the_operators_to_mend(key):
    async with google() as stands:
        with pytest.raises(AccountError, match="service account"):
            async with opened(stands, serviceAccountKey=key):
                pass
