import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import template

MEMBERSHIPS = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.fixed_dictionaries({"status": st.sampled_from(["realized", "existing", "exited", "Realized", None])}),
    max_size=5,
)


def value(expression: str, **context: object) -> str:
    return template.compile("{{ " + expression + " }}", escaping="none").render(context)


def keys(call: str, memberships: object) -> str:
    text = "{% for s in " + call + " %}{{ s.key }};{% endfor %}"
    return template.compile(text, escaping="none").render({"m": memberships})


@given(MEMBERSHIPS)
def test_one_level_is_filtered_in_its_order(memberships: dict[str, dict[str, str]]) -> None:
    added = [key for key, entry in memberships.items() if entry["status"] in ("realized", "existing")]
    removed = [key for key, entry in memberships.items() if entry["status"] == "exited"]
    assert keys("addedSegments(m)", memberships) == keys("m | added", memberships) == "".join(f"{k};" for k in added)
    assert (
        keys("removedSegments(m)", memberships) == keys("m | removed", memberships) == "".join(f"{k};" for k in removed)
    )


@given(st.dictionaries(st.text(max_size=3), MEMBERSHIPS, max_size=3))
def test_two_levels_are_the_levels_one_after_the_other(namespaces: dict[str, dict[str, dict[str, str]]]) -> None:
    assert keys("addedSegments(m)", namespaces) == "".join(keys("m | added", one) for one in namespaces.values())
    assert value("hasSegments(m)", m=namespaces) == str(any(namespaces.values())).lower()


@pytest.mark.parametrize(
    "call", ["addedSegments(nothing)", "removedSegments(nothing)", "nothing | added", "nothing | removed"]
)
def test_nothing_has_no_members(call: str) -> None:
    assert value(f"({call}) is empty") == "true"
    assert template.compile("{% for s in " + call + " %}x{% else %}none{% endfor %}").render({}) == "none"


def test_nothing_has_no_segments() -> None:
    assert value("hasSegments(nothing)") == "false"


@pytest.mark.parametrize("call", ["addedSegments(5)", "'x' | removed", "hasSegments([1])"])
def test_only_maps_hold_memberships(call: str) -> None:
    with pytest.raises(template.TemplateError, match="map of audience memberships"):
        value(call)


def test_the_same_audience_in_two_namespaces_gives_two_entries() -> None:
    member = {"a": {"status": "realized"}}
    assert keys("addedSegments(m)", {"ups": member, "other": member, "odd": 5}) == "a;a;"


def test_members_print_as_the_data_they_are() -> None:
    assert value("addedSegments(m)", m={"a": {"status": "realized"}}) == '{"a":{"status":"realized"}}'
