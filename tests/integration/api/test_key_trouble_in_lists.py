"""One object whose secrets cannot be opened hides no other of its list, and says which key it is about."""

import pytest
from sqlalchemy import update

from headrace.connect.secrets import MASK
from headrace.store import documents, tables
from support import FLOWS

from .conftest import CREDENTIALS

PASSWORD = "canary-of-the-form-Hq41"
GONE = "v1.kgone.AAAA"


def seal_with_a_key_that_is_gone(headrace, table, id_, place):
    def work(tx):
        (document,) = tx.core.execute(table.select().with_only_columns(table.c.document).where(table.c.id == id_)).one()
        around = document["auth"]["params"] if place == "token" else document[documents.SEALED]
        around[place] = GONE
        tx.core.execute(update(table).where(table.c.id == id_).values(document=document))

    headrace.app.store.write_now(work)


@pytest.fixture
def destination(operator):
    fields = [
        {"name": "key", "type": "string", "format": "password"},
        {"name": "workspace", "type": "string", "default": "acme-0001"},
    ]
    return operator.destination(customerDataFields=fields)


def makers(headrace, api, operator, destination, credentials_document):
    account = operator.account(destination).json["id"]
    return {
        f"{FLOWS}/connections": (tables.accounts, "token", lambda: operator.account(destination).json["id"]),
        f"{FLOWS}/targetConnections": (
            tables.target_connections,
            "/params/key",
            lambda: operator.target(destination, account, {"key": PASSWORD}).json["id"],
        ),
        CREDENTIALS: (
            tables.credentials,
            "/basicAuthentication/password",
            lambda: api.post(CREDENTIALS, credentials_document).json["instanceId"],
        ),
    }


@pytest.mark.parametrize("path", [f"{FLOWS}/connections", f"{FLOWS}/targetConnections", CREDENTIALS])
def test_the_others_are_listed(headrace, api, operator, destination, credentials_document, path):
    table, place, make = makers(headrace, api, operator, destination, credentials_document)[path]
    broken, other = make(), make()
    seal_with_a_key_that_is_gone(headrace, table, broken, place)

    answer = api.get(path)

    assert answer.status == 200, answer.text
    items = {item.get("id", item.get("instanceId")): item for item in answer.json["items"]}
    error = items[broken]["x-headrace"]["error"]
    assert error.keys() == {"code", "message"}
    assert "kgone" in error["message"]
    assert MASK in str(items[broken])
    assert GONE not in answer.text
    assert "error" not in items[other].get("x-headrace", {})
    assert api.get(f"{path}/{broken}").status == 503
