"""What is hashed of an identity: the form that partners hash, once, and never nothing."""

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.mapping import IdentityRow, LeftOut, Mapping
from headrace.mapping.hashing import HASHED_NAMESPACES, is_of_phones, sha256_of_lower, sha256_of_phone, transform
from headrace.mapping.left_out import REASONS, Withheld
from headrace.mapping.phones import PhoneError, e164, is_region

HASH = "sha256(lower($))"
NUMBER = hashlib.sha256(b"+12025550123").hexdigest()


def mapped(*rows, **profile):
    left_out = []
    return Mapping((), rows).identities(profile, left_out), left_out


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+1 (202) 555-0123", None, "+12025550123"),
        ("  +12025550123 ", None, "+12025550123"),
        ("+12025550123", "DE", "+12025550123"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("202.555.0123", "US", "+12025550123"),
        ("030 1234567", "DE", "+49301234567"),
        ("0049 30 1234567", "DE", "+49301234567"),
        ("+44 (0)20 7946 0018", None, "+442079460018"),
    ],
)
def test_a_telephone_number_has_one_form(written, region, number):
    assert e164(written, region) == number


@pytest.mark.parametrize(
    ("written", "region", "reason"),
    [
        ("(202) 555-0123", None, "phone-without-region"),
        ("12025550123", None, "phone-without-region"),
        ("+1 202", None, "invalid-phone"),
        ("+999 123456789", None, "invalid-phone"),
        ("call me", "US", "invalid-phone"),
        ("1", "US", "invalid-phone"),
        ("+" + "1" * 300, None, "invalid-phone"),
    ],
)
def test_what_is_no_telephone_number_has_a_reason(written, region, reason):
    with pytest.raises(PhoneError) as caught:
        e164(written, region)

    assert caught.value.reason == reason


@settings(deadline=None)
@given(st.text(max_size=30) | st.text("+0123456789 ()-", max_size=20), st.sampled_from([None, "US", "DE"]))
def test_any_text_is_a_number_in_its_one_form_or_none(text, region):
    try:
        number = e164(text, region)
    except PhoneError as error:
        reason = error.reason
    else:
        assert re.fullmatch(r"\+[0-9]{4,17}", number)
        assert e164(number) == number
        return

    assert reason in REASONS


def test_a_region_is_one_that_has_telephones():
    assert is_region("DE")
    assert not is_region("XX")


@pytest.mark.parametrize("how", [sha256_of_lower, sha256_of_phone(None), sha256_of_phone("US")])
@settings(deadline=None)
@given(st.text(max_size=20) | st.text("+0123456789 -", max_size=16) | st.from_regex(r"[0-9a-fA-F]{64}", fullmatch=True))
def test_nothing_is_hashed_twice_and_nothing_empty_at_all(how, text):
    once = how(text)

    if isinstance(once, Withheld):
        assert once.reason in REASONS
    else:
        assert re.fullmatch("[0-9a-fA-F]{64}", once)
        assert how(once) == once
        assert once != hashlib.sha256(b"").hexdigest() or text.strip() == once


def test_white_space_names_nobody():
    assert sha256_of_lower(" \t") == sha256_of_phone(None)(" ") == Withheld("empty-identity")


@pytest.mark.parametrize("namespace", sorted(HASHED_NAMESPACES))
def test_what_comes_from_a_hashed_namespace_is_not_touched(namespace):
    row = IdentityRow(namespace, "phone", transformation=HASH)

    assert transform(HASH, source=namespace, target="phone") is None
    assert mapped(row, identityMap={namespace: [{"id": "A b"}]}) == ({"phone": [{"id": "A b"}]}, [])


@pytest.mark.parametrize(
    ("source", "target", "is_one"),
    [
        ("Phone", "id", True),
        ("Phone_E.164", "id", True),
        ("", "phone", True),
        ("", "phone_sha256", True),
        ("", "hashedPhone", True),
        ("", "MOBILE", True),
        ("", "PhoneNumber", True),
        ("Email", "email_sha256", False),
        ("", "telegram", False),
        ("", "saxophone_fans", False),
        ("", "", False),
    ],
)
def test_names_tell_where_telephone_numbers_go(source, target, is_one):
    assert is_of_phones(source, target) is is_one


def test_telephone_numbers_are_hashed_in_their_one_form_and_the_others_are_left_out():
    profile = {
        "identityMap": {"Phone": [{"id": "+1 (202) 555-0123"}, {"id": "202 555 0123"}, {"id": "+1"}]},
    }

    found, left_out = mapped(IdentityRow("Phone", "phone_sha256", transformation=HASH), **profile)

    assert found == {"phone_sha256": [{"id": NUMBER}]}
    assert left_out == [
        LeftOut("phone_sha256", "phone-without-region"),
        LeftOut("phone_sha256", "invalid-phone"),
    ]


def test_a_region_says_the_country_of_a_number():
    row = IdentityRow("homePhone.number", "phone", is_attribute=True, transformation=HASH, region="US")

    assert mapped(row, homePhone={"number": "(202) 555-0123"}) == ({"phone": [{"id": NUMBER}]}, [])


def test_a_namespace_in_which_all_is_left_out_is_absent():
    row = IdentityRow("Phone", "phone", transformation=HASH)

    assert mapped(row, identityMap={"Phone": [{"id": "12"}]})[0] == {}


def test_without_a_transformation_a_telephone_number_stays_as_it_is():
    row = IdentityRow("Phone", "phone")

    assert mapped(row, identityMap={"Phone": [{"id": "202 555"}]}) == ({"phone": [{"id": "202 555"}]}, [])


def test_a_calculated_field_may_be_an_identity():
    row = IdentityRow("concat(country, '-', id)", "customer", is_calculated=True)

    assert mapped(row, country="de", id=7) == ({"customer": [{"id": "de-7"}]}, [])


def test_an_attribute_that_names_nobody_is_left_out_with_the_reason():
    row = IdentityRow("names", "customer", is_attribute=True)

    assert mapped(row, names=["a"]) == ({}, [LeftOut("customer", "no-identity")])
    assert mapped(row) == ({}, [])
