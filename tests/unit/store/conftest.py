"""A real store for all tests of a module; each test has a sandbox number of its own."""

import itertools

import pytest

from headrace.store.database import Store
from headrace.store.migrate import migrate
from unit.store.yard import Yard

_tenants = itertools.count(1000)


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory):
    opened = Store.open(tmp_path_factory.mktemp("store"))
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_store(tmp_path_factory, postgres):
    with postgres.lent() as database_url:
        opened = Store.open(tmp_path_factory.mktemp("store"), database_url)
        yield opened
        opened.close()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def store(request):
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def tenant():
    return next(_tenants)


@pytest.fixture
def yard(store, tenant):
    return Yard(store.write_now, tenant)
