"""Members packed: whoever goes in comes out, and nobody else."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.batch.members import BLOCK, Members, both, either, packed, unpacked, without

#: Numbers near each other, at the edges of blocks, and far apart.
PEOPLE = st.one_of(
    st.integers(1, 300),
    st.builds(lambda block, place: block * BLOCK + place, st.integers(0, 4), st.integers(-2, 2)),
    st.integers(0, 1 << 40),
).filter(lambda number: number >= 0)


@given(st.sets(PEOPLE, max_size=40), st.randoms())
def test_whoever_goes_in_comes_out_in_order(people, luck):
    given_ = sorted(people)
    luck.shuffle(given_)

    assert unpacked(packed(pa.array(given_, pa.int64()))).to_pylist() == sorted(people)


def test_nobody_is_no_block():
    assert list(packed(pa.array([], pa.int64()))) == []
    assert unpacked([]).to_pylist() == []


def test_who_stands_in_pieces_is_packed_as_one():
    pieces = pa.chunked_array([pa.array([1, BLOCK]), pa.array([2, BLOCK + 1])])

    assert [block for block, _ in packed(pieces)] == [0, 1]
    assert unpacked(packed(pieces)).to_pylist() == [1, 2, BLOCK, BLOCK + 1]


def test_millions_are_small():
    blocks = list(packed(pa.array(range(0, 1_000_000, 2), pa.int64())))

    assert sum(len(bits) for _, bits in blocks) < 20_000


SOME = st.sets(PEOPLE, max_size=30)


def pack(people):
    return list(packed(pa.array(sorted(people), pa.int64())))


@given(SOME, SOME)
def test_sets_are_joined_as_sets_are(left, right):
    one, other = pack(left), pack(right)

    assert both(one, other) == pack(left & right)
    assert either(one, other) == pack(left | right)
    assert without(one, other) == pack(left - right)


@given(SOME, SOME)
def test_a_set_that_grows_has_who_was_in_it_and_who_was_added(before, added):
    members = Members(pack(before))
    for some in (added, set(), sorted(added)[:2]):
        members.add(pa.array(list(some), pa.int64()))

    assert members.packed() == pack(before | added)
    assert all(person in members for person in before | added)
    assert not any(person + 1 in members for person in before | added if person + 1 not in before | added)


@given(SOME, SOME)
def test_of_many_it_is_said_at_once_who_is_in_a_set(people, asked):
    among = sorted(people | asked)

    assert Members(pack(people)).has(pa.array(among, pa.int64())).to_pylist() == [one in people for one in among]
