"""``headrace account`` as an operator types it."""

import copy
import functools
import json

import pytest

from documents import a_destination, a_server
from headrace.cli import examples
from headrace.connect.secrets import MASK
from support import AUTHORING, FLOWS, in_process

TOKEN = "canary-token-typed-at-a-terminal"


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("account")) as headrace:
        path = headrace.folder / "data" / "credentials.json"
        path.write_text(json.dumps(headrace.credentials))
        yield headrace


@pytest.fixture(scope="module")
def destination(headrace):
    example = copy.deepcopy(examples.destination("lighthouse"))
    server = headrace.api.post(f"{AUTHORING}/destination-servers", example["destinationServer"]).json["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server}
    document = {**example["destination"], "destinationDelivery": [delivery]}
    return headrace.api.post(f"{AUTHORING}/destinations", document).json["instanceId"]


@pytest.fixture
def account(typed):
    return functools.partial(typed, "account")


def test_an_account_is_made_of_what_its_destination_asks_for(headrace, account, destination):
    code, out, _ = account("create", "--destination", destination, "--name", "mine", lines=f"{TOKEN}\n")

    assert code == 0
    (item,) = headrace.api.get(f"{FLOWS}/connections/{out.strip()}").json["items"]
    assert (item["name"], item["auth"]["params"]) == ("mine", {"token": MASK})
    assert TOKEN not in out


def test_an_account_is_made_of_a_file(account, destination, tmp_path):
    auth = {"specName": "BEARER", "params": {"token": TOKEN}}
    file = tmp_path / "account.json"
    file.write_text(json.dumps({"name": "from a file", "connectionSpec": {"id": destination}, "auth": auth}))

    assert account("create", str(file), "--json")[0] == 0
    code, out, _ = account("list", "--destination", destination, "--json")

    assert code == 0
    assert json.loads(out)[0]["name"] == "from a file"
    assert TOKEN not in out


def test_accounts_are_listed_in_a_table(account, destination):
    made = account("create", "--destination", destination, "--name", "shown", lines=f"{TOKEN}\n")[1].strip()

    out = account("list")[1]

    assert made[:8] in out
    assert "BEARER" in out
    assert "ready" in out


def test_an_account_is_tried(account, destination):
    made = account("create", "--destination", destination, lines=f"{TOKEN}\n")[1].strip()

    code, out, _ = account("test", made)

    assert (code, out.startswith("it works: ")) == (0, True)
    assert "tried: credentials, sign-in" in out
    assert json.loads(account("test", made, "--json")[1])["ok"]


def test_a_storage_is_tried_at_its_connection(headrace, account):
    document = a_server("FILE_BASED_DLZ")
    server = headrace.api.post(f"{AUTHORING}/destination-servers", document).json["instanceId"]
    authored = a_destination("FILE_BASED_DLZ", {"/destinationDelivery/0/destinationServerId": server})
    drop = headrace.api.post(f"{AUTHORING}/destinations", authored).json["instanceId"]
    document = {"name": "landing zone", "connectionSpec": {"id": drop}}
    made = headrace.api.post(f"{FLOWS}/targetConnections", document).json["id"]

    code, out, _ = account("test", "--connection", made)

    assert (code, out.splitlines()[1]) == (0, "tried: credentials, storage")
    assert account("test")[0] == account("test", "an-account", "--connection", made)[0] == 2


def test_an_account_that_does_not_work_is_exit_code_1(headrace, account, destination):
    spec = {"id": "8a9c3494-9708-43d7-ae3f-cda01e5030e1"}
    made = headrace.api.post(f"{FLOWS}/connections", {"name": "profile store", "connectionSpec": spec}).json["id"]

    code, out, _ = account("test", made)

    assert code == 1
    assert "it does not work (account)" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create",), "give either a file, or --destination"),
        (("create", "absent.json"), "absent.json cannot be read"),
        (("create", "--destination", "absent"), "no destination 'absent'"),
        (("test", "absent"), "no account 'absent'"),
    ],
)
def test_what_cannot_be_done_says_the_way_out(account, words, said):
    code, _, err = account(*words)

    assert code == 2
    assert said in err


def test_a_way_to_sign_in_that_is_none_is_refused_by_name(account, destination):
    code, _, err = account("create", "--destination", destination, "--with", "BASIC")

    assert code == 2
    assert "these are: BEARER" in err
