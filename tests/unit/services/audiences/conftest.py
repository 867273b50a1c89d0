"""A station for each test."""

import pytest

from unit.services.audiences.station import Station


@pytest.fixture
def station(house, tmp_path):
    return Station(house, tmp_path)
