"""A secret is shown to nobody by accident, and taken out of what others say."""

import base64
import copy
import dataclasses
import json
import pickle
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.secrets import MASK, Redactor, Secret, Veil, mask, without_ours
from headrace.services import keys

CANARY = 's3cr3t-canary/+ä"x y'


@pytest.mark.parametrize(
    "show",
    [str, repr, lambda s: f"{s}", lambda s: f"{s!r}", lambda s: f"{s:>50}", "{}".format, lambda s: "".join([str(s)]),
     lambda s: str([s]), lambda s: str({"token": s}), lambda s: ascii(s)],
)  # fmt: skip
def test_every_text_form_is_masked(show):
    shown = show(Secret(CANARY))

    assert CANARY not in shown
    assert MASK in shown or ascii(MASK)[1:-1] in shown


@pytest.mark.parametrize(
    "leave", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, orjson.dumps], ids=lambda f: f.__module__ + f.__name__
)
def test_it_does_not_leave_by_accident(leave):
    with pytest.raises(TypeError):
        leave(Secret(CANARY))


def test_a_dataclass_of_secrets_does_not_become_a_dict():
    @dataclasses.dataclass
    class Account:
        token: Secret

    with pytest.raises(TypeError):
        dataclasses.asdict(Account(Secret(CANARY)))
    assert CANARY not in repr(Account(Secret(CANARY)))


def test_it_has_no_dict_to_look_into():
    assert not hasattr(Secret(CANARY), "__dict__")


def test_who_asks_is_told():
    assert Secret(CANARY).reveal() == CANARY


def test_secrets_compare_with_secrets_only():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("\ud800") == Secret("\ud800")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret("x")


def test_a_mask_tells_whether_it_is_the_same_secret():
    masked = mask(CANARY, b"key")

    assert masked.text == MASK
    assert len(masked.fingerprint) == 8
    assert masked == mask(Secret(CANARY), b"key")
    assert masked.fingerprint != mask(CANARY, b"other key").fingerprint
    assert masked.fingerprint != mask(CANARY + "x", b"key").fingerprint


FORMS = {
    "as it is": lambda s: s,
    "percent-encoded": lambda s: quote(s, safe=""),
    "percent-encoded, slashes kept": quote,
    "percent-encoded in lower case": lambda s: quote(s, safe="").replace("%C3%A4", "%c3%a4").replace("%2F", "%2f")
    .replace("%2B", "%2b"),
    "as a form": quote_plus,
    "in JSON": lambda s: orjson.dumps(s).decode(),
    "in ASCII JSON": json.dumps,
    "in JSON with escaped slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 without padding": lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
}  # fmt: skip


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
def test_each_form_is_taken_out(write):
    text = f"before {write(CANARY)} after"

    redacted = Redactor([Secret(CANARY)]).redact(text)

    assert "canary" not in redacted
    assert redacted in ("before [secret] after", 'before "[secret]" after')


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
def test_it_is_found_inside_a_longer_text_in_base64(user, after):
    secret = "correct horse battery staple"
    encoded = base64.b64encode(f"{user}:{secret}{after}".encode()).decode()

    redacted = Redactor([secret]).redact(f"Basic {encoded}")

    assert "[secret]" in redacted
    assert len(redacted) < len("Basic ") + len("[secret]") + 14


def test_a_secret_inside_another_is_no_trace_of_it():
    assert Redactor(["hunter2", "hunter2-and-more"]).redact("x hunter2-and-more y hunter2") == "x [secret] y [secret]"


def test_other_texts_stay_as_they_are():
    assert Redactor(["hunter2"]).redact("nothing to see") == "nothing to see"
    assert Redactor([]).redact("nothing to see") == "nothing to see"
    assert Redactor(["", "a", "abc"]).redact("a cab of abc") == "a cab of abc"


@given(st.text(min_size=4, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_survives(secret, before, after):
    assert secret not in Redactor([secret]).redact(before + secret + after).replace("[secret]", "\x00")


def test_a_veil_takes_out_every_form_of_what_was_noted_and_leaves_the_rest():
    veil = Veil()
    for secret in (CANARY, "another-secret-value", "short"):
        veil.note(secret)

    assert veil.redact(f"a {CANARY} b another-secret-value c short") == "a [secret] b [secret] c short"
    for form in (quote(CANARY, safe=""), json.dumps(CANARY)[1:-1], base64.b64encode(f"ab:{CANARY}".encode()).decode()):
        assert "s3cr3t" not in veil.redact(f"x {form} y")
        assert "[secret]" in veil.redact(f"x {form} y")


def test_a_veil_forgets_the_oldest_of_too_many(monkeypatch):
    monkeypatch.setattr(Veil, "MOST", 2)
    veil = Veil()
    for number in range(3):
        veil.note(f"same-start-{number}")

    assert veil.redact("same-start-0 same-start-1 same-start-2") == "same-start-0 [secret] [secret]"


@pytest.mark.parametrize("ours", [keys.new_token(), keys.new_client_secret()], ids=["token", "client secret"])
def test_what_we_hand_out_ourselves_is_known_by_its_form(ours):
    assert Veil().redact(f"/x/{ours}?a") == without_ours(f"/x/{ours}?a") == "/x/[secret]?a"
