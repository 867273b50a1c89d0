"""A yard for each test."""

import pytest

from unit.datasets.yard import Yard


@pytest.fixture
def yard(tmp_path):
    (tmp_path / "yard").mkdir()
    return Yard(tmp_path / "yard", tmp_path / "copies")
