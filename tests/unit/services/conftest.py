"""A house for each test."""

import pytest

from unit.services.house import House


@pytest.fixture
def house(tmp_path):
    built = House(tmp_path)
    yield built
    built.close()
