"""A house for each test."""

import pytest

from unit.services.house import House


@pytest.fixture
def house(tmp_path, lend_database):
    with lend_database() as database_url:
        built = House(tmp_path, database_url=database_url)
        yield built
        built.close()
