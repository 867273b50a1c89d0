"""Projections: what stands at paths of documents, as a walk through the whole of them finds it."""

import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.store.projection import Projection

STEPS = st.sampled_from(["a", "b", "c", "", "größe", "_x", "class", "f0"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STEPS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.lists(STEPS, min_size=1, max_size=4).map(".".join), min_size=1, max_size=6, unique=True)


def walked(person, path):
    for step in path.split("."):
        person = person.get(step) if type(person) is dict else None
    return None if person is None else orjson.dumps(person).decode()


@given(st.lists(st.dictionaries(STEPS, VALUES, max_size=4), max_size=5), PATHS)
def test_a_projection_finds_what_a_walk_finds(people, paths):
    found = Projection(paths).find(pa.array([orjson.dumps(person) for person in people], pa.binary()))

    assert {path: column.to_pylist() for path, column in found.items()} == {
        path: [walked(person, path) for person in people] for path in paths
    }


def test_a_part_of_an_array_is_that_part():
    documents = pa.array([b'{"a":%d}' % number for number in range(6)], pa.binary())

    assert Projection(["a"]).find(documents[2:4])["a"].to_pylist() == ["2", "3"]
