"""Quotas: a sandbox that has as much as it may is told to come back, and others do not notice."""

import orjson
import pytest

from headrace.errors import NotFound
from headrace.services.caller import Principal
from headrace.services.grants import Grants
from headrace.services.quotas import FRESH, Quotas, QuotaFull
from headrace.store import access
from headrace.store.quotas import Quota
from unit.services.house import person


@pytest.fixture
def events():
    return []


@pytest.fixture
def limited(house, events):
    """The house's ingestion with a quota, and what it is."""

    def limit(**most):
        quotas = Quotas(house.store, house.clock, events.append, Quota(**{**NONE, **most}))
        object.__setattr__(house.ingestion, "quotas", quotas)
        return quotas

    return limit


NONE = dict.fromkeys(("waiting", "people", "requests", "bytes"), 0)
