"""The page about who may do what is whole and true."""

import re
from pathlib import Path

from headrace.api import access, auditing, sessions
from headrace.api.needs import routes_of
from headrace.model.access import LONGEST_PASSWORD
from headrace.model.roles import PERMISSIONS, ROLES
from headrace.services import backoff, keys, passwords
from headrace.services import sessions as lives

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "access.md").read_text()


def rows(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]


def test_every_permission_is_on_the_page_in_the_words_of_the_code():
    assert rows("Permissions")[1:] == [[f"`{name}`", description] for name, description in PERMISSIONS.items()]


def test_every_role_is_on_the_page_with_what_it_may():
    table = {name.strip("`"): (what, set(re.findall(r"`(.+?)`", held))) for name, what, held in rows("Roles")[1:]}

    assert table == {name: (role.description, set(role.permissions)) for name, role in ROLES.items()}


def test_the_numbers_on_the_page_are_those_of_the_code():
    text = " ".join(PAGE.split())

    assert f"at least {passwords.SHORTEST} characters and at most {LONGEST_PASSWORD} bytes" in text
    assert f"{lives.IDLE // 3_600_000} hours without a request, and after {lives.ABSOLUTE // 86_400_000} days" in text
    assert f"{backoff.FREE_TRIES} failures in a row are free" in text
    assert f"{backoff.FIRST_WAIT // 1000} seconds, and twice as long" in text
    assert f"up to {backoff.LONGEST_WAIT // 60_000} minutes" in text


def test_a_scanner_recognises_secrets_by_what_the_page_says():
    pattern = re.search(r"^hrs-\[.+$", PAGE, re.MULTILINE)[0]

    assert re.fullmatch(pattern, keys.new_client_secret())


def test_every_route_of_access_is_described():
    page = (DOCS / "api.md").read_text()
    described = {
        (method, path)
        for row in re.findall(r"^\| (`(?:GET|POST|PUT|DELETE)[^|]+) \|", page, re.MULTILINE)
        for path in re.findall(r"/(?:access|audit)[\w/{}]*", row)
        for method in re.findall(r"[A-Z]{3,}", row)
    }
    there = {
        (method, route.path)
        for router in (access.router, sessions.router, auditing.router)
        for route in routes_of(router)
        for method in route.methods
    }

    assert described == there - {("POST", "/ims/token/v3")}
