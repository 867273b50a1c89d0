"""A real store for all tests of a module; each test has a sandbox number of its own."""

import itertools

import pytest

from headrace.store.database import Store
from headrace.store.migrate import migrate
from unit.store.yard import Yard

_tenants = itertools.count(1000)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    opened = Store.open(tmp_path_factory.mktemp("store"))
    migrate(opened.engine, opened.path)
    yield opened
    opened.close()


@pytest.fixture
def tenant():
    return next(_tenants)


@pytest.fixture
def yard(store, tenant):
    return Yard(store.write_now, tenant)
