"""Values as cells of typed columns: what fits, and what does not."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.batch.cells import CELLS, UNFIT, cell_of

NOON = datetime(2031, 3, 2, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("type_", "value", "cell"),
    [
        ("string", "Ana", "Ana"),
        ("string", "", ""),
        ("string", 1, "1"),
        ("string", 1.0, "1.0"),
        ("string", 1e16, "1e+16"),
        ("string", True, "true"),
        ("integer", 7, 7),
        ("integer", -7.0, -7),
        ("integer", "12", 12),
        ("integer", 2**63 - 1, 2**63 - 1),
        ("integer", "", None),
        ("integer", 2**63, UNFIT),
        ("integer", "9223372036854775808", UNFIT),
        ("integer", 1.5, UNFIT),
        ("integer", 1e300, UNFIT),
        ("integer", True, UNFIT),
        ("integer", "a dozen", UNFIT),
        ("integer", "١٢", UNFIT),
        ("number", 7, 7.0),
        ("number", "1.5e3", 1500.0),
        ("number", "1e999", UNFIT),
        ("number", "NaN", UNFIT),
        ("number", False, UNFIT),
        ("boolean", True, True),
        ("boolean", "false", False),
        ("boolean", 1, UNFIT),
        ("boolean", "yes", UNFIT),
        ("date", "2031-03-02", date(2031, 3, 2)),
        ("date", "2031-03-02T23:30:00-02:00", date(2031, 3, 3)),
        ("date", "2031-02-30", UNFIT),
        ("date", 20310302, UNFIT),
        ("date-time", "2031-03-02T12:00:00Z", NOON),
        ("date-time", "2031-03-02T14:00:00+02:00", NOON),
        ("date-time", "2031-03-02T12:00:00", NOON),
        ("date-time", "2031-03-02", datetime(2031, 3, 2, tzinfo=UTC)),
        ("date-time", "0001-01-01T00:00:00+14:00", UNFIT),
        ("date-time", "soon", UNFIT),
        ("object", {"a": [1]}, '{"a":[1]}'),
        ("object", "a", '"a"'),
        ("object", None, None),
        ("string", 2**64, UNFIT),
    ],
)
def test_a_value_is_a_cell_or_does_not_fit(type_, value, cell):
    made = cell_of(type_)(value)

    assert made == cell
    assert type(made) is type(cell)


@pytest.mark.parametrize("type_", CELLS)
@given(value=JSON)
def test_nothing_that_people_may_hold_fails_a_file(type_, value):
    cell_of(type_)(value)
