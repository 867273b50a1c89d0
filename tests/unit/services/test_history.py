"""What makes one JSON value another: applied to the one, it gives the other."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from headrace.model.block import steps
from headrace.services.history import changes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


def applied(value, found):
    """Apply changes in their order; what is taken out of a list goes last, so that no place moves before."""
    value = copy.deepcopy(value)
    for change in [item for item in found if item["op"] != "remove"]:
        value = put(value, steps(change["path"]), change["after"])
    for change in reversed([item for item in found if item["op"] == "remove"]):
        value = take(value, steps(change["path"]))
    return value


def put(value, path, new):
    if not path:
        return new
    step = int(path[0]) if isinstance(value, list) else path[0]
    if len(path) == 1 and isinstance(value, list) and step == len(value):
        value.append(new)
    else:
        value[step] = put(value[step] if len(path) > 1 else None, path[1:], new)
    return value


def take(value, path):
    step = int(path[0]) if isinstance(value, list) else path[0]
    if len(path) == 1:
        del value[step]
    else:
        take(value[step], path[1:])
    return value


@given(VALUES, VALUES)
def test_the_changes_make_one_value_the_other(before, after):
    found = [*changes(before, after)]

    assert repr_of(applied(before, found)) == repr_of(after)


@given(VALUES)
def test_what_is_the_same_has_not_changed(value):
    assert [*changes(value, copy.deepcopy(value))] == []


def test_a_truth_is_no_number():
    assert [*changes({"a": 1}, {"a": True})] == [{"op": "replace", "path": "/a", "before": 1, "after": True}]


def repr_of(value):
    """The value so that 1, 1.0 and true are three."""
    if isinstance(value, dict):
        return {name: repr_of(item) for name, item in value.items()}
    return [repr_of(item) for item in value] if isinstance(value, list) else (type(value).__name__, value)
