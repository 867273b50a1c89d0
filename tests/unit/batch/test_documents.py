"""What is found in documents is what walking through each of them finds."""

import duckdb
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.batch.documents import Documents, can_be_found

STEPS = st.sampled_from(
    ["a", "b", "c", "x-y", "é", "a.b", "a/b", "~", "~1", "", "$", "*", '"', "\\", "\n", "-", " a", "1a", "😀"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(STEPS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.lists(STEPS, min_size=1, max_size=3).map(tuple), max_size=5, unique=True)
DOCUMENTS = Documents()


def walk(value, path):
    for step in path:
        value = value.get(step) if type(value) is dict else None
    return value


def found_in(documents, paths):
    texts = DOCUMENTS.find(pa.array([orjson.dumps(one).decode() for one in documents], pa.string()), paths)
    return [[None if text is None else orjson.loads(text) for text in column.to_pylist()] for column in texts]


@given(st.lists(st.dictionaries(STEPS, VALUES, max_size=4), max_size=3), PATHS)
def test_what_is_found_is_what_a_walk_finds(documents, paths):
    found = found_in(documents, paths)

    # Told apart as JSON: in Python, 1 is True and -0.0 is 0.
    walked = [[walk(one, path) for one in documents] for path in paths]
    assert orjson.dumps(found) == orjson.dumps(walked)


@pytest.mark.parametrize("number", ["1e400", "123456789012345678901234567890", "-0.0", "1.0", "5e-324"])
def test_a_number_stays_what_it_is(number):
    (found,) = DOCUMENTS.find(pa.array([f'{{"a":{number}}}']), [("a",)])

    assert found.to_pylist() == [number]


def test_a_step_that_could_be_a_place_in_a_list_cannot_be_found():
    assert [can_be_found(path) for path in [("a", "0"), ("a", "b"), ("007",), ("a\0",)]] == [False, True, False, False]


def test_many_documents_keep_their_order():
    count = 10_000

    assert found_in([{"a": number} for number in range(count)], [("a",), ("b",)]) == [
        list(range(count)),
        [None] * count,
    ]


def test_what_is_no_json_is_an_error():
    with pytest.raises(duckdb.InvalidInputException):
        DOCUMENTS.find(pa.array(['{"a":']), [("a",)])
