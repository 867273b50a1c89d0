"""
Who may do what: every operation × every role × {own sandbox, another one, another organization}.

The operations, and the permission that each needs, are read from the application's routes; what is expected follows
from them. What to do about a route that is new here is said in ``matrix.py``.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from headrace.api.needs import needs_of
from headrace.model.roles import PERMISSIONS, ROLES
from support import Api

from .matrix import (
    BODIES,
    ENDING,
    EVERYBODYS,
    FURTHER,
    HARMLESS,
    HEADERS,
    HOST_SEES,
    MAKERS,
    MAKING,
    QUERIES,
    World,
    made,
)

OWN, SANDBOX, ORGANIZATION = "own sandbox", "other sandbox", "other organization"
PLACES = {
    OWN: ("demo@headrace", "prod"),
    SANDBOX: ("demo@headrace", "dev"),
    ORGANIZATION: ("other@headrace", "prod"),
}
#: Clients and users of every role, and a client that may do nothing.
HOLDERS = [("client", ""), *((kind, role) for kind in ("client", "user") for role in ROLES)]
PASSWORD = "correct horse battery"
ABSENT = "absent-0"


def _cases():
    """
    Yield every holder at every place.

    A campaign are users, who are let in by another way to the same rights, and all but admins where nobody is at home:
    what is refused to those who may do everything is refused to the others.
    """
    for (kind, role), place in itertools.product(HOLDERS, PLACES):
        is_campaign = kind == "user" or (place != OWN and role != "admin")
        marks = [pytest.mark.campaign] if is_campaign else []
        yield pytest.param((kind, role), place, id=f"{kind} {role or 'without any role'}-{place}", marks=marks)


@dataclass
class Matrix:
    """The operations of the application, the objects they are tried on, and who tries."""

    world: World
    admins: dict[str, Api]
    signed_in: dict[tuple[str, str, str], Api] = field(default_factory=dict)

    @property
    def operations(self) -> dict[tuple[str, str], Any]:
        """What needs a permission, by method and path."""
        needs = needs_of(self.world.headrace.app.app)
        return {operation: need for operation, need in needs.items() if need is not None and need.permission}

    def holder(self, kind: str, role: str, place: str) -> Api:
        """Sign in as somebody with a role in all sandboxes of an organization, at a place."""
        organization, sandbox = PLACES[place]
        key = (kind, role, organization)
        if key not in self.signed_in:
            sign_in = {"client": self._client, "user": self._user}[kind]
            self.signed_in[key] = sign_in(role, organization)
            self.world.headrace.opened.append(self.signed_in[key])
        self.signed_in[key].headers["x-sandbox-name"] = sandbox
        return self.signed_in[key]

    def _client(self, role: str, organization: str) -> Api:
        rights = {"role": role} if role else {"permissions": []}
        client = made(self.admins[organization].post("/access/clients", {"name": role or "nobody", **rights}))
        return Api.signed_in(self.world.api.url, client["clientId"], client["clientSecret"], organization)

    def _user(self, role: str, organization: str) -> Api:
        email = f"{role}@{organization.split('@')[0]}.example"
        user = {"email": email, "name": role, "password": PASSWORD, "roles": [{"role": role}]}
        made(self.admins[organization].post("/access/users", user))
        api = Api(self.world.api.url)
        answer = api.post("/access/sessions", {"email": email, "password": PASSWORD})
        cookie = answer.headers["set-cookie"].split(";")[0]
        api.headers = {"Cookie": cookie, "X-CSRF-Token": answer.json["csrfToken"]}
        return api


@pytest.fixture(scope="module")
def matrix(headrace, operator):
    api = headrace.api
    made(api.post("/access/sandboxes", {"name": "dev"}))
    other = made(api.post("/access/organizations", {"name": "other@headrace"}))["client"]
    admin = Api.signed_in(api.url, other["clientId"], other["clientSecret"], "other@headrace")
    headrace.opened.append(admin)
    return Matrix(World(headrace, operator), {"demo@headrace": api, "other@headrace": admin})


def ask(api: Api, method: str, path: str, id_: str) -> Any:
    """Send an operation, with an id where its path has a parameter."""
    where = path
    for number, parameter in enumerate(re.findall(r"{\w+}", path)):
        assert number == 0 or parameter in FURTHER, f"{path}: give {parameter} a value in FURTHER of matrix.py"
        where = where.replace(parameter, FURTHER[parameter] if number else id_)
    body = None
    if method in ("POST", "PUT", "PATCH"):
        body = BODIES.get((method, path), lambda _: {})(id_)
    return api.send(method, where + QUERIES.get(path, ""), body, HEADERS.get((method, path)))


def judge(matrix: Matrix, holder: tuple[str, str], place: str, method: str, path: str, needs: Any) -> Iterator[str]:
    """Try one cell of the matrix and say what is not as it should be."""
    kind, role = holder
    api = matrix.holder(kind, role, place)
    held = ROLES[role].permissions if role else frozenset()
    is_seen_here = not needs.in_sandbox or path.partition("{")[0] in HOST_SEES
    is_foreign = place == ORGANIZATION or (place == SANDBOX and not is_seen_here)
    is_foreign = is_foreign and path.partition("{")[0] not in EVERYBODYS
    if needs.permission not in held:
        answer = ask(api, method, path, matrix.world.object_for(path) if "{" in path else "")
        if answer.status != 403 or needs.permission not in answer.json["detail"]:
            yield f"without the permission: {answer.status} {answer.text}"
    elif needs.is_host and place == ORGANIZATION:
        answer = ask(api, method, path, ABSENT)
        if answer.status != 403:
            yield f"although not the host: {answer.status} {answer.text}"
    elif is_foreign and (method, path) in MAKING:
        return
    elif "{" in path:
        yield from (judge_foreign if is_foreign else judge_own)(matrix, api, method, path)
    else:
        yield from judge_collection(matrix, api, method, path, is_foreign=is_foreign)


def judge_own(matrix: Matrix, api: Api, method: str, path: str) -> Iterator[str]:
    answer = ask(api, method, path, matrix.world.object_for(path, fresh=method == "DELETE" or path.endswith(ENDING)))
    if answer.status in (401, 403, 404) or answer.status >= 500:
        yield f"with the permission: {answer.status} {answer.text}"


def judge_foreign(matrix: Matrix, api: Api, method: str, path: str) -> Iterator[str]:
    """An object of somebody else answers as one that is not there, and stays as it is."""
    id_ = matrix.world.object_for(path)
    itself = path[: path.index("}") + 1]
    before = ask(matrix.world.api, "GET", itself, id_).text
    foreign, absent = ask(api, method, path, id_), ask(api, method, path, ABSENT)
    if foreign.status != 404:
        yield f"an object of others: {foreign.status} {foreign.text}; give it a valid body in BODIES of matrix.py"
    if foreign.text.replace(id_, ABSENT) != absent.text or foreign.status != absent.status:
        yield f"others' and absent ones can be told apart: {foreign.text} {absent.text}"
    if ask(matrix.world.api, "GET", itself, id_).text != before:
        yield "it was changed"


def judge_collection(matrix: Matrix, api: Api, method: str, path: str, *, is_foreign: bool) -> Iterator[str]:
    made_here = matrix.world.object_for(f"{path}/{{}}") if f"{path}/" in MAKERS else None
    answer = ask(api, method, path, "")
    if answer.status in (401, 403, 404) or answer.status >= 500:
        yield f"with the permission: {answer.status} {answer.text}"
    if (
        method == "GET"
        and is_foreign
        and any(is_in(id_, answer.text) for begins, id_ in matrix.world.made.items() if begins not in EVERYBODYS)
    ):
        yield "it shows what is not theirs"
    if method == "GET" and not is_foreign and made_here is not None and made_here not in answer.text:
        yield "it does not show what is theirs"


def is_in(id_: str, text: str) -> bool:
    """Say whether a text has an id in it: as a part of another number it says nothing."""
    return re.search(rf"(?<!\w){re.escape(id_)}(?!\w)", text) is not None


@pytest.mark.parametrize(("holder", "place"), list(_cases()))
def test_everybody_may_do_what_their_role_says_where_it_says_so(matrix, holder, place):
    wrong = [
        f"{method} {path}: {complaint}"
        for (method, path), needs in matrix.operations.items()
        for complaint in judge(matrix, holder, place, method, path, needs)
    ]

    assert not wrong, "\n".join(wrong)


def test_an_admin_of_one_sandbox_has_that_and_nothing_else(headrace, matrix):
    client = made(headrace.api.post("/access/clients", {"name": "prod's", "role": "admin", "sandboxes": ["prod"]}))
    api = Api.signed_in(headrace.api.url, client["clientId"], client["clientSecret"], "demo@headrace")
    headrace.opened.append(api)

    for (method, path), needs in matrix.operations.items():
        id_ = matrix.world.object_for(path, fresh=method == "DELETE" or path.endswith(ENDING)) if "{" in path else ""
        api.headers["x-sandbox-name"] = "dev"
        elsewhere = ask(api, method, path, id_)
        api.headers["x-sandbox-name"] = "prod"
        here = ask(api, method, path, id_)
        if needs.in_sandbox:
            assert (elsewhere.status, here.status not in (401, 403, 404)) == (404, True), (method, path)
            assert "there is no sandbox 'dev' in this organization" in elsewhere.text, (method, path)
        else:
            assert (elsewhere.status, here.status) == (403, 403), (method, path)


def test_the_matrix_is_large(matrix):
    cells = len(matrix.operations) * len(HOLDERS) * len(PLACES)

    assert cells >= 2_500, cells


def test_every_permission_is_needed_somewhere(matrix):
    needed = {needs.permission for needs in matrix.operations.values()}

    assert needed == set(PERMISSIONS)


def test_whatever_changes_something_needs_more_than_to_read(matrix):
    for (method, path), needs in matrix.operations.items():
        if method != "GET" and (method, path) not in HARMLESS:
            assert not needs.permission.endswith(":read"), (method, path)


def test_every_route_says_what_it_needs_or_why_it_needs_nothing(headrace):
    needs = needs_of(headrace.app.app)

    silent = [operation for operation, need in needs.items() if need is None]
    assert not silent, f"{silent}: use allowed(…), or open_to_everybody(…) with the reason"
    for operation, need in needs.items():
        assert (need.permission is None) != (need.reason is None), operation
        assert need.reason is None or need.reason.endswith("."), operation


def test_what_everybody_may_ask_is_known(headrace):
    """A route that is open is a decision: it is added here too."""
    needs = needs_of(headrace.app.app)

    assert {operation for operation, need in needs.items() if not need.is_signed_in} == {
        ("POST", "/ims/token/v3"),
        ("POST", "/access/sessions"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/data/core/activation/oauth/api/v1/callback"),
    }
    assert {operation for operation, need in needs.items() if need.is_signed_in and need.permission is None} == {
        ("GET", "/access/me"),
        ("PUT", "/access/me/password"),
        ("GET", "/access/sessions/current"),
        ("DELETE", "/access/sessions/current"),
    }


def test_whoever_is_not_signed_in_is_refused_everywhere_else(headrace):
    stranger = Api(headrace.api.url)
    headrace.opened.append(stranger)

    for (method, path), need in needs_of(headrace.app.app).items():
        if need.is_signed_in:
            answer = ask(stranger, method, path, ABSENT)
            assert (answer.status, answer.json["error_code"]) == (403, "403010"), (method, path)


def test_the_reference_shows_the_permission_of_every_operation(headrace):
    document = headrace.api.get("/openapi.json").json
    needs = needs_of(headrace.app.app)

    shown = {
        (method.upper(), path): operation.get("x-headrace-permission")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert shown == {operation: need.permission for operation, need in needs.items()}
    schemes = set(document["components"]["securitySchemes"])
    for (method, path), need in needs.items():
        security = document["paths"][path][method.lower()].get("security", [])
        assert {name for way in security for name in way} == (schemes if need.is_signed_in else set()), path
