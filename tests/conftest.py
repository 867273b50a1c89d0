"""What holds for all tests."""

from contextlib import nullcontext

import pytest
from hypothesis import settings

from postgres import server

# A busy machine is no finding: what has to be quick is measured in benchmarks/.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL server, started by the first test that asks."""
    with server() as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def lend_database(request):
    """Lends ``HEADRACE_DATABASE_URL`` for a store, on the one database and then on the other."""
    if request.param == "sqlite":
        return lambda: nullcontext("")
    return request.getfixturevalue("postgres").lent
