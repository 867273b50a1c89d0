"""What the pages list is all there is."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import headrace
from headrace.errors import HeadraceError
from headrace.events import Event, name_of
from headrace.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


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
