"""What travels: buckets as one integer, messages named by their content."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace.model.message import Bucket, Entry, message_id

buckets = st.builds(
    Bucket,
    audience=st.integers(0, 2**46),
    status=st.sampled_from([None, "realized", "exited"]),
    identity_group=st.integers(0, 2**14 - 1),
)
entries = st.builds(
    Entry,
    profile=st.integers(1, 3),
    audience=st.integers(0, 2),
    part=st.text(st.sampled_from("|a 1\n"), max_size=8),
    seq=st.integers(1, 3),
    document=st.just(b""),
    changed=st.just(()),
)
groups = st.lists(entries, min_size=1, max_size=3).map(tuple)


def content(entry):
    return entry.profile, entry.audience, entry.part, entry.seq


@given(buckets)
def test_a_bucket_comes_back_from_its_number(bucket):
    assert Bucket.decode(bucket.encode()) == bucket


@given(buckets)
def test_the_number_of_a_bucket_fits_into_the_store(bucket):
    assert 0 <= bucket.encode() < 2**63


@given(buckets, buckets)
def test_two_buckets_have_two_numbers(one, other):
    assert (one.encode() == other.encode()) == (one == other)


def test_the_bucket_of_everything_is_zero():
    assert Bucket().encode() == 0


@given(groups)
def test_the_same_content_has_the_same_id(group):
    copy = tuple(replace(entry, document=b"other", changed=(7,), shown=b"{}") for entry in group)

    assert message_id("flow", "1", group) == message_id("flow", "1", copy)


@given(groups, groups)
def test_other_content_has_another_id(one, other):
    is_same = [content(entry) for entry in one] == [content(entry) for entry in other]

    assert (message_id("flow", "1", one) == message_id("flow", "1", other)) == is_same


@given(groups, st.binary(max_size=3), st.binary(max_size=3))
def test_what_is_said_without_being_news_makes_another_id(group, one, other):
    ids = [message_id("flow", "1", group, [content] * len(group)) for content in (one, other)]

    assert (ids[0] == ids[1]) == (one == other)


@given(groups)
def test_another_dataflow_or_configuration_has_another_id(group):
    ids = {message_id(flow, version, group) for flow in ("a", "b") for version in ("1", "2")}

    assert len(ids) == 4


@given(groups)
def test_an_id_is_short_and_plain(group):
    name = message_id("flow", "1", group)

    assert len(name) == 32
    assert int(name, 16) >= 0


def test_what_looks_like_two_entries_is_not_taken_for_them():
    one = (Entry(1, 0, "a\n2 0 1 1 b", 1, b"", ()),)
    two = (Entry(1, 0, "a", 1, b"", ()), Entry(2, 0, "b", 1, b"", ()))

    assert message_id("flow", "1", one) != message_id("flow", "1", two)
