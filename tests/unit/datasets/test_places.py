"""No location leads out of the directories that the operator listed, and sandboxes have their own."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.datasets.places import Misplaced, Places
from headrace.errors import OperationError

CSV = (".csv",)


@pytest.fixture
def ground(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "days").mkdir(parents=True)
    outside.mkdir()
    for path in ("days/b.csv", "days/a.csv", "days/note.md", "days/.hidden.csv", "days/_tmp.csv", "one.csv"):
        (inside / path).write_text("id\n")
    (outside / "secret.csv").write_text("id\n")
    return inside


@pytest.fixture
def places(ground):
    return Places.parse(str(ground))


def names(found):
    return [path.name for path in found]


def test_a_location_is_a_file_or_a_directory_or_a_pattern(ground, places):
    assert names(places.find(str(ground / "one.csv"), CSV)) == ["one.csv"]
    assert names(places.find(str(ground / "days"), CSV)) == ["a.csv", "b.csv"]
    assert names(places.find(str(ground / "days" / "[ab]*"), CSV)) == ["a.csv", "b.csv"]
    assert names(places.find(str(ground), CSV)) == ["a.csv", "b.csv", "one.csv"]


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "{inside}/../outside/secret.csv",
        "{inside}/days/../../outside/secret.csv",
        "{outside}/secret.csv",
        "{outside}/*.csv",
        "{inside}/link.csv",
        "{inside}/way/secret.csv",
        "{inside}/way/*.csv",
        "{inside}/way",
        "{inside}/li*.csv",
        "{inside}*/secret.csv",
        "{inside}-not/a.csv",
        "{inside}/absent.csv",
        "{inside}/absent-*.csv",
        "{inside}/\0.csv",
        "{inside}/pipe",
        "inside/one.csv",
        "file://{inside}/one.csv",
        "s3://bucket/one.csv",
        "",
    ],
)
def test_nothing_else_is_found(ground, places, location):
    outside = ground.parent / "outside"
    (ground / "link.csv").symlink_to(outside / "secret.csv")
    (ground / "way").symlink_to(outside)
    os.mkfifo(ground / "pipe")

    with pytest.raises(Misplaced):
        places.find(location.format(inside=ground, outside=outside), CSV)


def test_a_link_that_stays_inside_is_followed(ground, places):
    (ground / "newest.csv").symlink_to(ground / "days" / "b.csv")

    assert places.find(str(ground / "newest.csv"), CSV) == [ground / "days" / "b.csv"]


@given(st.lists(st.sampled_from(["..", ".", "days", "a.csv", "*", "way", "", "//"]), max_size=6).map("/".join))
def test_whatever_is_found_is_inside(tmp_path_factory, tail):
    root = tmp_path_factory.getbasetemp() / "law"
    (root / "inside" / "days").mkdir(parents=True, exist_ok=True)
    (root / "inside" / "days" / "a.csv").write_text("")
    (root / "a.csv").write_text("")
    if not (root / "inside" / "way").is_symlink():
        (root / "inside" / "way").symlink_to(root)

    try:
        found = Places.parse(str(root / "inside")).find(f"{root}/inside/{tail}", CSV)
    except Misplaced:
        return
    assert all(Path(os.path.realpath(path)).is_relative_to(root / "inside") for path in found)


def test_a_sandbox_reads_in_its_own_directories_and_in_those_of_all(tmp_path):
    for name in ("all", "acme", "prod"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text("")
    places = Places.parse(f"{tmp_path}/all, acme@org={tmp_path}/acme, acme@org/prod={tmp_path}/prod")

    def reads(organization, sandbox):
        own = places.of(organization, sandbox)
        return [name for name in ("all", "acme", "prod") if _is_found(own, tmp_path / name / "a.csv")]

    assert reads("acme@org", "prod") == ["all", "acme", "prod"]
    assert reads("acme@org", "test") == ["all", "acme"]
    assert reads("other@org", "prod") == ["all"]


def test_without_the_setting_nothing_is_read(ground):
    with pytest.raises(Misplaced, match="HEADRACE_DATASET_DIRECTORIES"):
        Places.parse("").find(str(ground / "one.csv"), CSV)


@pytest.mark.parametrize("text", ["relative", "/absent/directory", "a=b"])
def test_a_setting_that_is_not_right_is_refused(text):
    with pytest.raises(OperationError, match="is no directory"):
        Places.parse(text)


def _is_found(places, path):
    try:
        return bool(places.find(str(path), CSV))
    except Misplaced:
        return False
