"""``headrace quota``."""

import json

import pytest

from support import in_process


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quotas")
    with in_process(folder) as headrace:
        (folder / "data" / "credentials.json").write_text(json.dumps(headrace.credentials))
        yield headrace


def test_a_quota_is_set_and_what_is_left_out_is_as_the_settings_say(headrace, typed):
    before = json.loads(typed("quota", "show", "--json")[1])
    (sandbox,) = json.loads(typed("quota", "list", "--json")[1])

    assert typed("quota", "set", sandbox["id"], "--people", "7", "--bytes", "0")[0] == 0

    after = json.loads(typed("quota", "show", "--json")[1])
    assert after["people"] == {"used": 0, "most": 7}
    assert after["bytes"]["most"] is None
    assert after["waiting"] == before["waiting"]
    assert "0 of 7" in typed("quota", "list")[1]
    assert typed("quota", "show")[1].split()[:3] == ["quota", "used", "most"]


def test_a_sandbox_that_is_not_there_is_said(headrace, typed):
    del headrace

    code, _, err = typed("quota", "set", "nobody", "--people", "7")

    assert (code != 0, "nobody" in err) == (True, True)
