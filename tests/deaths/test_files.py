"""A process that dies between two parts: those that are files are whole, and of the others nothing is seen."""

from pathlib import Path

import pytest

from exports import look
from headrace.batch.export import Manner, export
from headrace.batch.parts import Rows
from headrace.connect.storage.local import LocalStorage
from headrace.datasets.engine import Engine

LIFE = "deaths.test_files:life"
PARTS = ["part-1", "part-2", "part-3"]


async def life(home: str) -> None:
    """Clear what an earlier life left, and export three parts."""
    storage = LocalStorage(Path(home) / "partner", "")
    for name in PARTS:
        await storage.clear(name)
    manner = Manner("part-{}".format, max_rows=1000, replaces=True)
    with Engine(Path(home) / "scratch", keeps_order=True) as engine:
        rows = Rows(engine, "SELECT i FROM range(3000) AS t(i)")
        async with export(rows, look("json"), storage, manner) as files:
            await files.publish()


@pytest.mark.parametrize(
    ("point", "seen", "unseen"),
    [
        ("after_part_staged:1", 0, 1),
        ("after_part_staged:3", 0, 3),
        ("after_part_published:1", 1, 2),
        ("after_part_published:3", 3, 0),
    ],
)
def test_parts_are_seen_in_order_and_whole_and_the_next_life_clears_the_rest(lived, tmp_path, point, seen, unseen):
    folder = tmp_path / "partner"
    folder.mkdir()

    assert lived(LIFE, str(tmp_path), crash_at=point) == -9
    assert found(folder) == (PARTS[:seen], unseen)
    assert all((folder / name).read_bytes().count(b"\n") == 1000 for name in PARTS[:seen])

    assert lived(LIFE, str(tmp_path)) == 0
    assert found(folder) == (PARTS, 0)


def found(folder: Path) -> tuple[list[str], int]:
    names = sorted(entry.name for entry in folder.iterdir())
    return [name for name in names if name.startswith("part")], sum(name.startswith(".headrace-") for name in names)
