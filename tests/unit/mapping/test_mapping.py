"""The mapping: what of a person the partner may see, and under what name."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import AccountError
from headrace.mapping import AttributeRow, IdentityRow, LeftOut, Mapping
from headrace.mapping.hashing import sha256_of_lower, transform
from headrace.mapping.paths import getter, parse
from headrace.testkit.profiles import EVERYTHING

HASH = "sha256(lower($))"


def attributes(*rows, predefined=False):
    return Mapping(tuple(AttributeRow(*row) for row in rows), (), predefined=predefined)


def identities(*rows, namespaces=()):
    return Mapping((), rows, namespaces=namespaces)


# -- paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("person.name.firstName", 'Zoë "Zo"'),
        ("preferences.interests[1]", "jazz & blues"),
        ("preferences.interests[9]", None),
        ("preferences.interests[0].name", None),
        ("loyalty.points", 0),
        ("loyalty.expires", None),
        ("preferences.newsletter", False),
        ("emptyObject", {}),
        ("nobody", None),
        ("nobody.at.all", None),
        ("profileId.length", None),
        ("person[0]", None),
        ("identityMap.Email[1].id", "zoe@work.example.org"),
    ],
)
def test_a_path_leads_to_a_value_or_to_nothing(path, expected):
    assert getter(path)(EVERYTHING) == expected


@pytest.mark.parametrize("wrong", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "[0]", "a]b", "a[0]b"], ids=repr)
def test_what_is_no_path_is_refused(wrong):
    with pytest.raises(AccountError, match="is not a path"):
        getter(wrong)


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_path_never_fails_on_what_is_sent(value):
    assert getter("a")(value) is (value.get("a") if isinstance(value, dict) else None)
    getter("a.b[0].c")({"a": value})
    getter("a[1]")({"a": value})


def test_steps_are_names_and_positions():
    assert parse("a[0][1].b c") == ("a", 0, 1, "b c")


# -- hashing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["ann@example.com", "ANN@Example.COM", "  ann@example.com\t\n"])
def test_an_identity_is_hashed_whatever_its_case_and_the_blanks_around_it(written):
    assert sha256_of_lower(written) == hashlib.sha256(b"ann@example.com").hexdigest()


def test_letters_of_all_scripts_are_lowered_before_hashing():
    assert sha256_of_lower("ZOË@Example.com") == hashlib.sha256("zoë@example.com".encode()).hexdigest()


def test_without_a_transformation_an_identity_stays_as_it_is():
    assert transform(None) is None
    assert identities(IdentityRow("Email", "m")).identities({"identityMap": {"Email": [{"id": " A "}]}}) == {
        "m": [{"id": " A "}]
    }


# -- attributes ---------------------------------------------------------------------------------------------------

ROWS = (("loyalty.tier", "tier"), ("nobody", "gone"), ("loyalty.points", "points"), ("preferences.newsletter", "news"))


def test_free_form_attributes_stand_under_value_and_absent_ones_are_empty():
    assert attributes(*ROWS).attributes(EVERYTHING) == {
        "tier": {"value": "gold"},
        "gone": {},
        "points": {"value": 0},
        "news": {"value": False},
    }


def test_predefined_attributes_stand_bare_and_absent_ones_are_left_out():
    mapped = attributes(*ROWS, predefined=True).attributes(EVERYTHING)

    assert mapped == {"tier": "gold", "points": 0, "news": False}


@pytest.mark.parametrize("predefined", [True, False])
def test_attributes_come_in_the_order_of_the_mapping(predefined):
    rows = [(f"texts.{name}", name) for name in ("number", "markup", "empty")]

    assert list(attributes(*rows, predefined=predefined).attributes(EVERYTHING)) == ["number", "markup", "empty"]


def test_a_null_is_an_absent_attribute():
    assert attributes(("loyalty.expires", "expires")).attributes(EVERYTHING) == {"expires": {}}


# -- identities ---------------------------------------------------------------------------------------------------


def test_all_identities_of_a_mapped_namespace_go_and_no_others():
    assert identities(IdentityRow("Email", "mail")).identities(EVERYTHING) == {
        "mail": [{"id": "Zoe.OHara+news@Example.com"}, {"id": "zoe@work.example.org"}]
    }


def test_a_namespace_without_identities_is_absent():
    assert identities(IdentityRow("Mastodon", "m")).identities(EVERYTHING) == {}
    assert identities(IdentityRow("Email", "m")).identities({"identityMap": {"Email": []}}) == {}
    assert identities(IdentityRow("Email", "m")).identities({"identityMap": None}) == {}


def test_namespaces_come_in_the_order_of_the_destination():
    rows = (IdentityRow("Phone", "phone"), IdentityRow("Email", "mail"), IdentityRow("crmId", "id"))

    mapped = identities(*rows, namespaces=("id", "mail", "phone")).identities(EVERYTHING)

    assert list(mapped) == ["id", "mail", "phone"]


def test_one_value_from_two_sources_stands_once():
    rows = (IdentityRow("Phone", "phone"), IdentityRow("mobilePhone.number", "phone", is_attribute=True))

    assert identities(*rows).identities(EVERYTHING) == {"phone": [{"id": "+12025550123"}]}


def test_two_values_that_hash_alike_stand_once():
    profile = {"identityMap": {"Email": [{"id": "a@x.io"}, {"id": "A@X.io"}]}}

    mapped = identities(IdentityRow("Email", "mail", transformation=HASH)).identities(profile)

    assert mapped == {"mail": [{"id": sha256_of_lower("a@x.io")}]}


def test_two_sources_of_one_namespace_are_added_up():
    rows = (
        IdentityRow("Email", "mail"),
        IdentityRow("workEmail.address", "mail", is_attribute=True, transformation=HASH),
    )
    profile = {"identityMap": {"Email": [{"id": "a"}]}, "workEmail": {"address": "B"}}

    assert identities(*rows).identities(profile) == {"mail": [{"id": "a"}, {"id": sha256_of_lower("b")}]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", [{"id": "x"}]),
        (7, [{"id": "7"}]),
        (0, [{"id": "0"}]),
        ("", None),
        ("a\0", None),
        ("x" * 513, None),
        (None, None),
        (True, None),
        ({"a": 1}, None),
        (["x"], None),
    ],
    ids=repr,
)
def test_an_attribute_is_an_identity_where_it_is_a_text_or_a_number(value, expected):
    mapped = identities(IdentityRow("id", "id", is_attribute=True)).identities({"id": value})

    assert mapped.get("id") == expected


def test_only_the_id_of_an_identity_goes():
    mapped = identities(IdentityRow("crmId", "id")).identities(EVERYTHING)

    assert mapped == {"id": [{"id": "C-everything"}]}


# -- what is news -------------------------------------------------------------------------------------------------

WATCHING = Mapping((AttributeRow("city", "city"),), (IdentityRow("Email", "mail"),))
BEFORE = {"city": "Lisbon", "tier": "gold", "identityMap": {"Email": [{"id": "a"}], "Phone": [{"id": "1"}]}}


@pytest.mark.parametrize(
    ("after", "is_news"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"city": "Porto"}, True, id="a mapped attribute"),
        pytest.param({"city": None}, True, id="a mapped attribute that goes"),
        pytest.param({"tier": "silver"}, False, id="an attribute that is not mapped"),
        pytest.param({"identityMap": {"Email": [{"id": "b"}], "Phone": [{"id": "1"}]}}, True, id="a mapped identity"),
        pytest.param(
            {"identityMap": {"Email": [{"id": "a"}, {"id": "b"}], "Phone": []}}, True, id="one more of a namespace"
        ),
        pytest.param({"identityMap": {"Phone": [{"id": "1"}]}}, True, id="a mapped identity that goes"),
        pytest.param(
            {"identityMap": {"Email": [{"id": "a"}], "Phone": [{"id": "2"}]}},
            False,
            id="an identity that is not mapped",
        ),
        pytest.param(
            {"identityMap": {"Email": [{"id": "a", "primary": True}]}}, False, id="what is said about an identity"
        ),
    ],
)
def test_news_is_what_is_mapped(after, is_news):
    assert WATCHING.differs(BEFORE, {**BEFORE, **after}) is is_news


# -- calculated fields ----------------------------------------------------------------------------------------------

TITLE = AttributeRow("concat(ucase(name), '!')", "title", is_calculated=True)


@pytest.mark.parametrize(("predefined", "expected"), [(True, {"title": "ANN!"}), (False, {"title": {"value": "ANN!"}})])
def test_a_calculated_field_is_an_attribute_like_others(predefined, expected):
    assert Mapping((TITLE,), (), predefined=predefined).attributes({"name": "ann"}) == expected


def test_a_calculated_field_that_fails_is_absent_and_counted():
    row, left_out = AttributeRow("1 / points", "share", is_calculated=True), []

    assert Mapping((row,), (), predefined=True).attributes({"points": 0}, left_out) == {}
    assert left_out == [LeftOut("share", "calculation-failed")]
    assert Mapping((row,), (), predefined=True).attributes({}, left_out := []) == {}
    assert left_out == []


@pytest.mark.parametrize("value", [["a"], {"b": 1}, []], ids=repr)
def test_lists_and_objects_go_where_the_partner_takes_them_and_are_left_out_elsewhere(value):
    left_out = []
    rows = (AttributeRow("a", "whole", is_structured=True), AttributeRow("a", "plain"))

    assert Mapping(rows, (), predefined=True).attributes({"a": value}, left_out) == {"whole": value}
    assert left_out == [LeftOut("plain", "list-or-object")]


CALCULATING = Mapping((AttributeRow("iif(points > 9, 'gold', 'none')", "tier", is_calculated=True),), ())


@pytest.mark.parametrize(
    ("after", "is_news"),
    [({"points": 5}, False), ({"points": 6}, False), ({"points": 10}, True), ({"points": "x"}, True)],
)
def test_a_calculated_field_is_news_where_its_value_is_another(after, is_news):
    assert CALCULATING.differs({"points": 5}, after) is is_news
