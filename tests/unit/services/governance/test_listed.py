"""Lists as the policy service answers them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import RequestError
from headrace.services.governance.listed import Asked

ITEMS = [{"name": f"L{number}", "kind": "ab"[number % 2]} for number in range(7)]


def pages(items, **changes):
    """All pages of a list, by the way that the link of each names."""
    start, seen = "", []
    while True:
        page = Asked(**{"limit": 2, "order_by": "", "properties": (), **changes, "start": start}).page(
            "/x", "name", items
        )
        seen.append([item["name"] for item in page["children"]])
        assert page["_page"]["count"] == len(page["children"])
        start = page["_links"]["page"].get("href", "")
        assert bool(start) == bool(page["_page"]["next"])
        if not start:
            return seen


@given(st.permutations(ITEMS), st.integers(1, 8), st.sampled_from(["", "name", "-name", "kind,-name"]))
def test_the_pages_together_are_the_list_each_item_once(items, limit, order):
    seen = [name for page in pages(items, limit=limit, order_by=order) for name in page]

    assert sorted(seen) == [item["name"] for item in ITEMS]
    if order in ("", "name"):
        assert seen == sorted(seen)
    if order == "-name":
        assert seen == sorted(seen, reverse=True)


def test_filters_are_values_or_names_that_are_there():
    items = [{"name": "a", "status": "DRAFT"}, {"name": "b"}]

    assert pages(items, properties=("name==b",)) == [["b"]]
    assert pages(items, properties=("status",)) == [["a"]]


def test_where_to_go_on_may_be_gone_only_where_names_are_in_order():
    after = {"limit": 9, "properties": (), "start": "L2x"}

    assert Asked(order_by="", **after).page("/x", "name", list(ITEMS))["children"][0]["name"] == "L3"
    with pytest.raises(RequestError, match="leads nowhere"):
        Asked(order_by="-name", **after).page("/x", "name", list(ITEMS))
