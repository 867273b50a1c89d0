"""What the pages point at is there, what they name exists, and nothing tells of the machine it was written on."""

import doctest
import importlib
import os
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
NOT_OURS = {"site", "build", "dist", "node_modules", "__pycache__"}
TEXTS = {".md", ".py", ".toml", ".yml", ".yaml", ".txt", ".json", ".jinja", ".ini", ".ts", ".tsx", ""}


def our_files():
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name not in NOT_OURS and (name[0] != "." or name == ".ci")]
        yield from (Path(folder, name) for name in names)


FILES = sorted(our_files())
PAGES = [path for path in FILES if path.suffix == ".md"]


def named(paths):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def prose(page):
    """The text of a page without its blocks of code, where a link is not a link."""
    return re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """The anchors that the headings of a page get."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", named(PAGES))
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page))
    for link in links:
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(there), f"{link}: no such heading"


def test_every_page_is_in_the_navigation_and_the_other_way_round():
    def leaves(nav):
        for entry in nav:
            for target in entry.values() if isinstance(entry, dict) else [entry]:
                yield from [target] if isinstance(target, str) else leaves(target)

    listed = list(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    docs = ROOT / "docs"

    assert sorted(listed) == sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md"))


def test_every_decision_is_in_their_table():
    decisions = ROOT / "docs" / "decisions"
    table = (decisions / "README.md").read_text(encoding="utf-8")

    assert set(re.findall(r"\((\d{4}-.+?\.md)\)", table)) == {page.name for page in decisions.glob("[0-9]*.md")}


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TASKS = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, flags=re.MULTILINE))


@pytest.mark.parametrize("page", named(PAGES))
def test_every_task_that_a_page_names_is_in_the_makefile(page):
    text = page.read_text(encoding="utf-8")
    named_tasks = set(re.findall(r"`make ([a-z]+)|^\s*(?:\$ )?make ([a-z]+)\s*(?:#|$|ARGS)", text, flags=re.MULTILINE))

    assert {task for pair in named_tasks for task in pair if task} <= TASKS


def test_contributing_lists_every_task():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `make ([a-z]+)`", text, flags=re.MULTILINE)) == TASKS - {"help"}


def test_every_fragment_of_the_changelog_has_a_known_kind():
    kinds = {"added", "changed", "fixed", "removed", "security"}
    fragments = [path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md"]

    assert all(re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(kinds)})\.md", path.name) for path in fragments)


def test_no_text_names_a_place_on_somebodys_machine():
    elsewhere = re.compile(rf"{re.escape(str(ROOT))}\b|/(?:home|Users)/\w|/root/\w")
    places = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in FILES
        if path.suffix in TEXTS and path != Path(__file__)
        for found in elsewhere.finditer(path.read_text(encoding="utf-8"))
    ]

    assert not places


@pytest.mark.parametrize("lock", named(sorted((ROOT / "requirements").glob("*.txt"))))
def test_a_lock_holds_hashes_and_names_no_index(lock):
    text = lock.read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index" not in text
    assert len(re.findall(r"^\S+==.+\\\n    --hash=sha256:", text, flags=re.MULTILINE)) == len(
        re.findall(r"^\S+==", text, flags=re.MULTILINE)
    )


SOURCE = ROOT / "src"
#: Our modules that show anything: to look for that in every function of all of them takes twenty seconds.
SHOWING = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in FILES
    if path.suffix == ".py" and SOURCE in path.parents and ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", SHOWING)
def test_what_docstrings_show_is_so(module):
    failed, tried = doctest.testmod(importlib.import_module(module))

    assert (failed, tried > 0) == (0, True)
