"""A house for each test; a gate for those about who may do what."""

import pytest

from unit.services.gate import Gate
from unit.services.house import House


@pytest.fixture
def house(tmp_path):
    built = House(tmp_path)
    yield built
    built.close()


@pytest.fixture
def gate(tmp_path):
    built = Gate(tmp_path)
    yield built
    built.close()
