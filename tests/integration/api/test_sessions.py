"""Signing in for pages: a cookie that no script reads, and what a page must send along to change something."""

import itertools
import re

import pytest

from support import Api, in_process

from .conftest import SERVERS

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


@pytest.fixture
def user(api):
    """A user who may author everywhere."""
    document = {"email": f"ana-{next(_numbers)}@example.com", "name": "Ana", "password": PASSWORD}
    answer = api.post("/access/users", {**document, "roles": [{"role": "author"}]})
    assert answer.status == 201, answer.text
    return answer.json


@pytest.fixture
def page(headrace):
    """A browser that shows a page of ours."""
    opened = Api(headrace.api.url)
    yield opened
    opened.close()


def sign_in(page, email, password=PASSWORD, headers=None):
    answer = page.post("/access/sessions", {"email": email, "password": password}, headers)
    if answer.status == 200:
        cookie = re.match(r"headrace_session=([^;]+); ", answer.headers["set-cookie"])[1]
        page.headers = {
            "Cookie": f"headrace_session={cookie}",
            "X-CSRF-Token": answer.json["csrfToken"],
            "x-sandbox-name": "prod",
        }
    return answer


def test_signing_in_sets_a_cookie_that_only_the_browser_uses_for_us(page, user):
    answer = sign_in(page, user["email"])

    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert re.fullmatch(r"headrace_session=[\w-]{43}", name)
    assert {attribute.lower() for attribute in attributes} == {
        "httponly",
        "max-age=604800",
        "path=/",
        "samesite=strict",
    }, "this server is on loopback over http, so the cookie is not `Secure`"
    assert answer.headers["cache-control"] == "no-store"
    assert name.split("=")[1] not in answer.text


def test_signing_in_tells_who_where_and_what(page, user):
    answer = sign_in(page, user["email"])

    assert answer.json["user"] == user | {"roles": [{"role": "author", "sandbox": None}]}
    assert answer.json["organization"] == {"name": "demo@headrace", "isHost": True}
    (prod,) = answer.json["sandboxes"]
    assert (prod["name"], prod["roles"]) == ("prod", ["author"])
    assert "authoring:write" in prod["permissions"]
    assert page.get("/access/sessions/current").json == answer.json


@pytest.mark.parametrize("where", [{"host": "0.0.0.0"}, {}], ids=["an address that others reach", "behind TLS"])
def test_the_cookie_goes_by_tls_alone_where_somebody_could_listen(tmp_path, where):
    with in_process(tmp_path, **where) as headrace:
        document = {"email": "ana@example.com", "name": "Ana", "password": PASSWORD}
        headrace.api.post("/access/users", document)
        page = Api(headrace.api.url)
        headrace.opened.append(page)
        answer = sign_in(page, "ana@example.com", headers={"X-Forwarded-Proto": None if where else "https"})

    assert "; Secure" in answer.headers["set-cookie"]


def test_a_session_reads_and_changes_as_a_token_does(page, user, server_document):
    sign_in(page, user["email"])

    made = page.post(SERVERS, server_document)

    assert made.status == 200
    assert made.json in page.get(SERVERS).json["items"]
    assert page.get("/access/me").json["actor"] == f"user:{user['id']}"


def test_whoever_the_roles_do_not_let_is_refused(page, user):
    sign_in(page, user["email"])

    answer = page.get("/access/users")

    assert (answer.status, answer.json["detail"]) == (403, "this user does not have the permission 'access:read'")


CROSS_SITE = {
    "no token": {"X-CSRF-Token": None},
    "a wrong token": {"X-CSRF-Token": "0" * 64},
    "another origin": {"Origin": "https://evil.example"},
    "no origin at all": {"Origin": "null"},
    "an origin that is none": {"Origin": "http://["},
    "the same host on another port": {"Origin": "http://127.0.0.1:1"},
}


@pytest.mark.parametrize("headers", CROSS_SITE.values(), ids=CROSS_SITE)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_somebody_else_changes_nothing(page, user, method, headers):
    sign_in(page, user["email"])
    path = {"POST": SERVERS, "DELETE": "/access/sessions/current", "PUT": "/access/me/password"}.get(
        method, "/data/foundation/flowservice/flows/x"
    )

    answer = page.send(method, path, {} if method != "DELETE" else None, headers)

    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert page.get("/access/sessions/current").status == 200


def test_our_own_page_changes_things_and_reading_needs_no_token(page, user, server_document):
    sign_in(page, user["email"])

    assert page.post(SERVERS, server_document, {"Origin": page.url}).status == 200
    assert page.get(SERVERS, {"X-CSRF-Token": None}).status == 200


def test_the_token_of_another_session_is_a_wrong_one(page, user, server_document):
    theirs = sign_in(page, user["email"]).json["csrfToken"]
    sign_in(page, user["email"])

    assert page.post(SERVERS, server_document, {"X-CSRF-Token": theirs}).status == 403


def test_a_page_of_somebody_else_signs_nobody_in(page, user):
    answer = sign_in(page, user["email"], headers={"Origin": "https://evil.example"})

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_a_session_that_was_there_before_is_not_the_one_that_is_signed_in(page, user):
    """Whoever plants a cookie in a browser does not know the session that is made in it."""
    page.headers = {"Cookie": "headrace_session=planted"}

    answer = sign_in(page, user["email"])

    assert "planted" not in answer.headers["set-cookie"]
    assert page.get("/access/me", {"Cookie": "headrace_session=planted"}).status == 401


def test_the_organization_may_be_left_out_but_not_be_another(page, user):
    sign_in(page, user["email"])

    assert page.get(SERVERS, {"x-gw-ims-org-id": "demo@headrace"}).status == 200
    answer = page.get(SERVERS, {"x-gw-ims-org-id": "other@headrace"})
    assert (answer.status, answer.json["error_code"]) == (403, "403025")


def test_the_sandbox_is_named_as_ever(page, user):
    sign_in(page, user["email"])

    assert page.get(SERVERS, {"x-sandbox-name": None}).json["error_code"] == "400003"
    assert page.get(SERVERS, {"x-sandbox-name": "moon"}).status == 404


def test_a_token_counts_before_a_cookie(page, user, api):
    sign_in(page, user["email"])

    both = page.get("/access/me", {**api.headers})

    assert both.json["actor"].startswith("client:")
    assert page.get("/access/me", {"Authorization": "Bearer wrong"}).json["error_code"] == "401013"


@pytest.mark.parametrize("secret", ["", "x", "\u00fc", "a" * 4000], ids=["empty", "short", "not ASCII", "long"])
def test_a_cookie_that_is_none_of_ours_is_401(page, secret):
    answer = page.get(SERVERS, {"Cookie": f"headrace_session={secret}", "x-sandbox-name": "prod"})

    assert (answer.status, answer.json["code"]) == (401, "unauthorized")


def test_signing_out_ends_the_session_and_takes_the_cookie(page, user):
    sign_in(page, user["email"])

    answer = page.delete("/access/sessions/current")

    assert answer.status == 204
    assert 'headrace_session=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert page.get("/access/sessions/current").status == 401


def test_a_client_has_no_session(api):
    assert api.get("/access/sessions/current").status == 404
    assert api.delete("/access/sessions/current").status == 404


REFUSED = {
    "a wrong password": {"password": "wrong"},
    "no password": {"password": ""},
    "somebody who is not there": {"email": "nobody@example.com"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_nobody_is_signed_in_with(page, user, changes):
    answer = page.post("/access/sessions", {"email": user["email"], "password": PASSWORD, **changes})

    assert (answer.status, answer.json["detail"]) == (401, "the e-mail address or the password is not right")
    assert "set-cookie" not in answer.headers


def test_too_many_wrong_passwords_are_429_with_the_time_to_wait(page, user):
    for _ in range(5):
        assert sign_in(page, user["email"], "wrong").status == 401

    answer = sign_in(page, user["email"])

    assert (answer.status, answer.json["code"]) == (429, "too-many-tries")
    assert 0 < int(answer.headers["retry-after"]) <= 30
    assert answer.headers["content-type"] == "application/problem+json"


def test_ones_own_password_is_changed_with_the_old_one(page, user):
    sign_in(page, user["email"])
    document = {"oldPassword": PASSWORD, "newPassword": "another long password"}

    assert page.put("/access/me/password", document | {"oldPassword": "wrong"}).status == 401
    assert page.put("/access/me/password", document).status == 204

    assert page.get("/access/sessions/current").status == 200
    assert sign_in(page, user["email"]).status == 401
    assert sign_in(page, user["email"], "another long password").status == 200
