"""What stands at plain paths is what walking through the whole document finds."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.batch.plain import Plain, lead_through
from headrace.mapping.paths import getter

STEPS = st.sampled_from(["a", "b", "c", "f0", "x-y", "é"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(STEPS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.lists(STEPS, min_size=1, max_size=3).map(tuple), max_size=5, unique=True)


@given(st.dictionaries(STEPS, VALUES, max_size=4), PATHS)
def test_what_is_found_is_what_a_walk_finds(document, paths):
    wanted = [path for path in paths if path not in lead_through(paths)]
    stored = orjson.dumps(document)

    found = Plain(wanted).of(stored)

    whole = orjson.loads(stored)
    assert [orjson.dumps(value) for value in found] == [orjson.dumps(getter(".".join(path))(whole)) for path in wanted]


def test_a_step_may_be_any_text():
    assert Plain([("a.b", 'c"d')]).of(b'{"a.b":{"c\\"d":1}}') == (1,)


def test_what_is_no_json_is_an_error():
    with pytest.raises(orjson.JSONDecodeError):
        Plain([("a",)]).of(b'{"a":')
