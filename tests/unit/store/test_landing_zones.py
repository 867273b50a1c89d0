"""Landing zones: one for a sandbox, found by its container, with keys that are replaced whole."""

from dataclasses import replace

import pytest

from headrace.errors import Conflict
from headrace.store import landing_zones
from headrace.store.landing_zones import Zone


@pytest.fixture
def zone(tenant):
    return Zone(tenant, f"dlz-of-{tenant}", {"key1": "sealed"}, 7)


def test_the_first_zone_of_a_sandbox_stays(store, zone):
    other = replace(zone, container=f"{zone.container}-too")
    assert store.write_now(lambda tx: landing_zones.add(tx, zone)) == zone
    assert store.write_now(lambda tx: landing_zones.add(tx, other)) == zone

    def look(tx):
        return landing_zones.of(tx, zone.tenant), landing_zones.named(tx, zone.container)

    assert store.read_now(look) == (zone, zone)
    assert store.read_now(lambda tx: landing_zones.named(tx, other.container)) is None
    assert zone.container in store.read_now(landing_zones.containers)


def test_keys_are_replaced_in_their_own_zone(store, zone):
    neighbour = Zone(zone.tenant + 1_000_000, f"{zone.container}-next", {"key1": "theirs"}, 7)
    for one in (zone, neighbour):
        store.write_now(lambda tx, one=one: landing_zones.add(tx, one))
    store.write_now(lambda tx: landing_zones.put_keys(tx, zone.tenant, {"key1": "another"}))

    found = store.read_now(lambda tx: [landing_zones.of(tx, one.tenant) for one in (zone, neighbour)])
    assert found == [replace(zone, keys={"key1": "another"}), neighbour]


def test_keys_whose_own_key_is_gone_are_not_kept(store, zone):
    gone = {"key1": "v1.k-gone.AAAA"}
    with pytest.raises(Conflict, match="rotated just now"):
        store.write_now(lambda tx: landing_zones.add(tx, replace(zone, keys=gone)))
    store.write_now(lambda tx: landing_zones.add(tx, zone))
    with pytest.raises(Conflict, match="rotated just now"):
        store.write_now(lambda tx: landing_zones.put_keys(tx, zone.tenant, gone))
    assert store.read_now(lambda tx: landing_zones.of(tx, zone.tenant)) == zone
