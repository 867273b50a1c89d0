"""``headrace landing``."""

import json
import urllib.error
import urllib.request

import pytest

from support import in_process


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("landing")
    with in_process(folder) as headrace:
        (folder / "data" / "credentials.json").write_text(json.dumps(headrace.credentials))
        yield headrace


def status(address):
    try:
        with urllib.request.urlopen(f"{address}&restype=container&comp=list") as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_an_address_is_printed_alone_and_what_it_is_beside_it(headrace, typed):
    code, out, err = typed("landing", "credentials")
    (address,) = out.split()

    assert code == 0
    assert status(address) == 200
    assert "is a secret" in err
    assert "sig=" not in err


def test_a_refresh_prints_the_only_one_that_is_good(headrace, typed):
    before = typed("landing", "credentials")[1].strip()
    found = json.loads(typed("landing", "refresh", "--json")[1])

    assert status(found["SASUri"]) == 200
    assert status(before) == 403
