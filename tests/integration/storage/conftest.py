"""Storages on this machine, each written by others, started when the first test asks for it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from integration.storage import places
from integration.storage.sftp_server import fixture_asyncssh_server, fixture_openssh, fixture_servers, fixture_sshd

__all__ = ["fixture_asyncssh_server", "fixture_openssh", "fixture_servers", "fixture_sshd"]

#: Every storage that keeps the contract; one more is one line more.
KINDS = {
    "seaweedfs": places.seaweed,
    "moto": places.moto,
    "azurite": places.azurite,
    "adls": places.adls,
    "fake-gcs": places.fake_gcs,
    "local": places.local,
}
#: Those that are reached over a network, so that the way can be spoilt.
REACHED = [name for name in KINDS if name != "local"]
#: Those whose server knows what it has of a large file. Fake-gcs takes the question how far it came for the last piece,
#: and looks whether there is a file of the name at the first piece alone.
FAR = [name for name in REACHED if name != "fake-gcs"]
#: Those whose server asks who is there.
ASKING = [name for name in KINDS if name not in ("moto", "local")]
#: Those whose server looks and stores in one step, whoever else writes. Moto looks, and then stores.
ATOMIC = [name for name in KINDS if name not in ("moto", "fake-gcs")]
#: Those that say so where what was staged is no more. Moto answers as one that is out of order, and nobody can have
#: fake-gcs forget an upload.
FORGETFUL = [name for name in KINDS if name not in ("moto", "fake-gcs")]

#: A second server of a kind: what is promised is proved at the first, and at this one in a campaign.
SECOND = ("moto",)

Get = Callable[[str], places.Place]


def _each(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.campaign] if name in SECOND else []) for name in names]


@pytest.fixture(scope="session")
def get_place() -> Iterator[Get]:
    with ExitStack() as stack:
        running: dict[str, places.Place] = {}

        def get(name: str) -> places.Place:
            if name not in running:
                running[name] = stack.enter_context(KINDS[name]())
            return running[name]

        yield get


@pytest.fixture(scope="session", params=_each(KINDS))
def place(request, get_place: Get) -> places.Place:
    return get_place(request.param)


@pytest.fixture(scope="session", params=_each(REACHED))
def reached(request, get_place: Get) -> places.Place:
    return get_place(request.param)


@pytest.fixture(scope="session", params=_each(FAR))
def far(request, get_place: Get) -> places.Place:
    return get_place(request.param)


@pytest.fixture(scope="session", params=_each(ASKING))
def asking(request, get_place: Get) -> places.Place:
    return get_place(request.param)


@pytest.fixture(scope="session", params=_each(ATOMIC))
def atomic(request, get_place: Get) -> places.Place:
    return get_place(request.param)


@pytest.fixture(scope="session", params=FORGETFUL)
def forgetful(request, get_place: Get) -> places.Place:
    return get_place(request.param)
