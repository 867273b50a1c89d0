"""What was exported last: kept by dataflow and audience, replaced whole, forgotten whole."""

import pytest

from headrace.store import exports
from headrace.store.exports import Published


@pytest.fixture
def publish(store, tenant):
    def one(published, *blocks, dataflow=1, audience=1):
        store.write_now(lambda tx: exports.publish(tx, tenant, dataflow, audience, published, blocks))

    return one


@pytest.fixture
def known(store, tenant):
    def look(dataflow=1, audience=1):
        return store.read_now(
            lambda tx: (
                exports.get(tx, tenant, dataflow, audience),
                list(exports.members(tx, tenant, dataflow, audience)),
            )
        )

    return look


FIRST = Published(cut=7, slot=1000, run="r1", published_at=1001)
SECOND = Published(cut=9, slot=None, run="r2", published_at=2001)


def test_what_was_published_last_is_known(publish, known):
    assert known() == (None, [])

    publish(FIRST, (0, b"a"), (3, b"\0b"))
    assert known() == (FIRST, [(0, b"a"), (3, b"\0b")])

    publish(SECOND, (1, b"c"))
    assert known() == (SECOND, [(1, b"c")])


def test_each_audience_of_each_dataflow_has_its_own(publish, known):
    publish(FIRST, (0, b"a"))
    publish(SECOND, audience=2)

    assert (known()[0], known(audience=2)[0], known(dataflow=2)) == (FIRST, SECOND, (None, []))


def test_what_fails_leaves_what_was(store, tenant, publish, known):
    publish(FIRST, (0, b"a"))

    def fails(tx):
        exports.publish(tx, tenant, 1, 1, SECOND, [(1, b"c")])
        raise LookupError

    with pytest.raises(LookupError):
        store.write_now(fails)

    assert known() == (FIRST, [(0, b"a")])


def test_an_audience_is_forgotten_and_the_others_are_not(store, tenant, publish, known):
    publish(FIRST, (0, b"a"))
    publish(FIRST, (0, b"b"), audience=2)

    store.write_now(lambda tx: exports.forget(tx, tenant, 1, 1))

    assert known() == (None, [])
    assert known(audience=2) == (FIRST, [(0, b"b")])


def test_a_dataflow_is_forgotten_with_all_of_its_audiences(store, tenant, publish, known):
    publish(FIRST, (0, b"a"))
    publish(FIRST, (0, b"b"), audience=2)
    publish(FIRST, (0, b"c"), dataflow=2)

    store.write_now(lambda tx: exports.forget_all(tx, tenant, 1))

    assert (known(), known(audience=2), known(dataflow=2)) == ((None, []), (None, []), (FIRST, [(0, b"c")]))


def test_what_may_have_been_seen_is_known_until_an_export_is_published(store, tenant, publish):
    def look():
        return store.read_now(lambda tx: exports.unpublished(tx, tenant, 1, 1))

    publish(FIRST, (0, b"a"))
    store.write_now(lambda tx: exports.show(tx, tenant, 1, 1, [(0, b"a", b"b"), (2, b"", b"c")]))
    assert look() == [(0, b"a", b"b"), (2, b"", b"c")]

    store.write_now(lambda tx: exports.show(tx, tenant, 1, 1, [(0, b"", b"b")]))
    assert look() == [(0, b"", b"b")]

    publish(SECOND, (0, b"b"))
    assert look() == []
