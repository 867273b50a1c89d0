"""What the pages list is all there is."""

import importlib
import pkgutil
import re
import runpy
from pathlib import Path

import pytest

import headrace
from headrace.errors import HeadraceError
from headrace.events import Event, name_of
from headrace.model.block import wire_names
from headrace.model.codes import CODES
from headrace.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
MAKE = runpy.run_path(str(DOCS / "reference" / "make.py"))


def subclasses(kind):
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


@pytest.fixture(scope="module")
def everything():
    for module in pkgutil.walk_packages(headrace.__path__, "headrace."):
        if "migrations" not in module.name and "__main__" not in module.name:
            importlib.import_module(module.name)


def test_every_setting_is_on_the_page_with_its_default():
    page = (DOCS / "operations.md").read_text()

    for name, field in Settings.model_fields.items():
        row = re.search(rf"^\| `HEADRACE_{name.upper()}` \|(.*?)\| \S", page, re.MULTILINE)
        assert row, f"HEADRACE_{name.upper()} is not in the table of operations.md"
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert float(row[1].strip(" `")) == field.default


def test_every_code_of_an_error_is_on_the_page(everything):
    page = (DOCS / "api.md").read_text()

    codes = {kind.code for kind in subclasses(HeadraceError)} | {HeadraceError.code}
    assert not {code for code in codes if f"`{code}`" not in page}


def test_every_event_says_what_happened(everything):
    for event in subclasses(Event):
        assert event.__doc__, name_of(event)
        assert event.__doc__.endswith("."), name_of(event)


@pytest.mark.parametrize("name", MAKE["PAGES"])
def test_a_made_page_is_what_the_code_says(name):
    page = (DOCS / "reference" / name).read_text(encoding="utf-8")

    assert page == MAKE["PAGES"][name](), "run `.venv/bin/python docs/reference/make.py`"


def test_the_page_about_configurations_has_every_block_and_every_field():
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")

    for block in MAKE["all_blocks"]():
        (section,) = re.findall(rf"^##+ {block.__name__}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
        rows = re.findall(r"^\| `(.+?)` \| .+ \| .+ \|$", section, re.MULTILINE)
        assert rows == list(wire_names(block)), block.__name__


def test_the_page_about_problems_has_every_code_once():
    page = (DOCS / "reference" / "problems.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `(.+?)` \|", page, re.MULTILINE) == sorted(CODES)


def test_every_code_says_what_it_means_and_what_to_do():
    for name, code in CODES.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert re.fullmatch(r"[A-Z`].+\.", code.meaning, re.DOTALL), name
        assert re.fullmatch(r"[A-Z`].+\.", code.way_out, re.DOTALL), name
