"""Files as others see them: in order, a page at a time, and never what is not theirs to see."""

import os
import random

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way, storages
from headrace.connect.storage.served import DEEPEST, Wanted, forget_older, is_there, open_file, page
from headrace.errors import AuthoringError, OperationError


def listed(directory, most=10_000, **wanted):
    found, is_more = page(directory, Wanted(**wanted), most)
    return [seen.name for seen in found], is_more


def put(directory, name):
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    return path


@pytest.mark.parametrize("seed", range(20))
def test_pages_are_what_sorting_all_names_gives(tmp_path, monkeypatch, seed):
    """Against a list of names that is filtered and grouped in the plainest way."""
    monkeypatch.setattr("headrace.connect.storage.served._BATCH", 2)
    draw = random.Random(seed)
    names = set()
    for _ in range(draw.randint(1, 25)):
        name = "/".join("".join(draw.choices("ab-./~", k=draw.randint(1, 2))) for _ in range(draw.randint(1, 3)))
        parts = [part for part in name.split("/") if part and not part.startswith(".")]
        is_below_a_file = any((tmp_path / "/".join(parts[:end])).is_file() for end in range(1, len(parts)))
        if parts and not is_below_a_file and not (tmp_path / "/".join(parts)).is_dir():
            put(tmp_path, "/".join(parts))
            names.add("/".join(parts))
    for prefix in ("", "a", "a/", "b-", "a/b"):
        for by_folder in (False, True):
            expected = sorted(
                {grouped(name, prefix) if by_folder else name for name in names if name.startswith(prefix)}
            )
            found, after, is_more = [], "", True
            while is_more:
                part, is_more = listed(tmp_path, 2, prefix=prefix, after=after, by_folder=by_folder)
                found += part
                after = part[-1] if part else ""
            assert found == expected, (prefix, by_folder)


def grouped(name, prefix):
    first, slash, _ = name[len(prefix) :].partition("/")
    return f"{prefix}{first}{slash}"


def test_an_empty_folder_is_none(tmp_path):
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    put(tmp_path, "hidden/.part")
    assert listed(tmp_path, by_folder=True) == ([], False)


def test_how_deep_a_file_may_lie(tmp_path):
    lies, too_deep = "f/" * (DEEPEST - 1) + "file", "d/" * DEEPEST + "file"
    put(tmp_path, lies)
    put(tmp_path, too_deep)
    assert listed(tmp_path) == ([lies], False)
    opened = open_file(tmp_path, lies)
    os.close(opened.handle)
    assert open_file(tmp_path, too_deep) is None


@pytest.mark.parametrize("name", ["", "/", "a/", "/a", "a//b", ".", "..", "../x", "a/../b", "a\0", "\ud800", "a" * 300])
def test_what_is_no_name_is_no_file(tmp_path, name):
    put(tmp_path, "a/b")
    put(tmp_path.parent, "x")
    assert open_file(tmp_path, name) is None


def test_names_that_are_no_text_are_nobodys(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9")).write_bytes(b"x")
    assert listed(tmp_path) == ([], False)


def test_a_directory_that_is_a_link_or_not_there_is_none(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert [is_there(tmp_path / name) for name in ("link", "missing", "")] == [False, False, True]
    with pytest.raises(OSError, match="link"):
        page(tmp_path / "link", Wanted(), 1)


def test_folders_go_when_they_are_empty_and_as_old(tmp_path):
    old, kept = put(tmp_path, "old/file"), put(tmp_path, "kept/file")
    (tmp_path / "empty").mkdir()
    (tmp_path / "fresh").mkdir()
    os.utime(old, (0, 0))
    os.utime(tmp_path / "empty", (0, 0))
    (tmp_path / "link").symlink_to(kept)
    assert forget_older(tmp_path, 10**9, 10**9) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["fresh", "kept", "link", "old"]


@pytest.mark.parametrize("path", ["a/" * 40, ".a", "a/.b/c"])
async def test_a_folder_that_nobody_would_be_shown_is_refused(tmp_path, path):
    async def landing():
        return tmp_path

    way = Way(Egress(AllowList()), Guard(), landing=landing)
    with pytest.raises(AuthoringError, match="landing zone's path"):
        async with storages.get("FILE_BASED_DLZ").open({"path": path}, "NONE", {}, way):
            pass


async def test_without_a_landing_zone_nothing_is_opened():
    with pytest.raises(OperationError, match="no landing zone"):
        async with storages.get("FILE_BASED_DLZ").open({"path": "a"}, "NONE", {}, Way(Egress(AllowList()), Guard())):
            pass
