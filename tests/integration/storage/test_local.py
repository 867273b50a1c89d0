"""What is particular to folders of this machine, and to whom is trusted on the way to a storage."""

from pathlib import Path

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import NotStored, Way, storages
from headrace.errors import AccountError
from integration.storage.test_contract import content, new_name, pieces


def opened(directory, *allowed, path="in"):
    way = Way(Egress(AllowList()), Guard(), directories=allowed)
    return storages.get("LOCAL").open({"directory": str(directory), "path": path}, "NONE", {}, way)


async def test_a_directory_that_is_not_allowed_is_refused(tmp_path):
    for other in (tmp_path, tmp_path / "allowed" / ".." / "other", Path("/")):
        with pytest.raises(AccountError, match="directories"):
            async with opened(other, tmp_path / "allowed"):
                pass


@pytest.mark.parametrize("act", ["write", "look", "remove"])
async def test_a_link_leads_nowhere(tmp_path, act):
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    allowed.mkdir()
    other.mkdir()
    (other / "file").write_bytes(b"kept")
    (allowed / "in").symlink_to(other)
    async with opened(allowed, allowed) as storage:
        with pytest.raises(NotStored):
            await {
                "write": lambda: storage.write("file", pieces(b"new"), replaces=True),
                "look": lambda: storage.look("file"),
                "remove": lambda: storage.remove("file"),
            }[act]()
    assert (other / "file").read_bytes() == b"kept"


async def test_a_server_that_cannot_prove_who_it_is_gets_nothing(get_place):
    place = get_place("adls")
    where, auth_type, auth = place.given(place.origin)
    way = Way(Egress(AllowList.parse("127.0.0.0/8")), Guard(), authority=place.options["authority"])
    async with storages.get(place.kind).open(where, auth_type, auth, way) as storage:
        with pytest.raises(NotStored) as refused:
            await storage.write(new_name(), pieces(content(9)))
    assert refused.value.cause == "distrusted"
    assert not refused.value.may_pass
