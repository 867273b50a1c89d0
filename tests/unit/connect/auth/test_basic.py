"""Signing in with a user name and a password."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.auth import Basic, schemes
from headrace.connect.secrets import Secret
from headrace.errors import AccountError
from headrace.model.http import Request

REQUEST = Request("POST", "https://partner.example/", (("Content-Type", "application/json"),), b"{}")
TYPED = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)


def signature(params, request=REQUEST):
    return next(schemes.get("BASIC")(params).auth_flow(request)).header("Authorization")


@pytest.mark.parametrize("wrap", [str, Secret])
def test_the_user_is_shown_as_rfc_7617_has_it(wrap):
    assert signature({"username": "Aladdin", "password": wrap("open sesame")}) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert signature({"username": "test", "password": wrap("123£")}) == "Basic dGVzdDoxMjPCow=="


@given(TYPED.filter(lambda user: ":" not in user), TYPED)
def test_what_was_typed_arrives(user, password):
    shown = base64.b64decode(signature({"username": user, "password": password}).removeprefix("Basic "))

    assert shown.decode() == f"{user}:{password}"


def test_a_request_that_brings_its_own_authorization_keeps_it():
    request = Request("GET", "https://partner.example/", (("authorization", "Key 7"),))

    assert next(Basic({"username": "a", "password": "b"}).auth_flow(request)) is request


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"password": "b"}, "user name; give it as 'username'"),
        ({"username": "", "password": "b"}, "user name; give it as 'username'"),
        ({"username": "a"}, "password; give it as 'password'"),
        ({"username": "a", "password": Secret("")}, "password; give it as 'password'"),
        ({"username": "a:b", "password": "correct horse"}, "holds a colon"),
        ({"username": "a\r\nX", "password": "correct horse"}, "nobody can type"),
        ({"username": "a", "password": "correct\x00horse"}, "nobody can type"),
        ({"username": "a", "password": "\ud800correct"}, "nobody can type"),
    ],
)
def test_what_cannot_be_shown_is_the_operators_to_mend(params, named):
    with pytest.raises(AccountError, match=named) as refusal:
        Basic(params)
    assert "correct" not in str(refusal.value)


def test_nothing_is_renewed():
    flow = Basic({"username": "a", "password": "b"}).auth_flow(REQUEST)
    next(flow)

    with pytest.raises(StopIteration):
        flow.send(None)


def test_the_password_is_not_shown_by_its_scheme():
    scheme = Basic({"username": "ada", "password": "open sesame"})

    assert "sesame" not in repr(vars(scheme))
    assert base64.b64encode(b"ada:open sesame").decode() not in repr(vars(scheme))
