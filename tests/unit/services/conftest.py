"""A house for each test; a gate for those about who may do what."""

import pytest

from unit.services.gate import Gate
from unit.services.house import House


@pytest.fixture
def house(tmp_path, lend_database):
    with lend_database() as database_url:
        built = House(tmp_path, database_url=database_url)
        yield built
        built.close()


@pytest.fixture
def gate(tmp_path, lend_database):
    with lend_database() as database_url:
        built = Gate(tmp_path, database_url=database_url)
        yield built
        built.close()
