"""``headrace consent``, and what ``headrace profiles`` does about erasures."""

import json

import pytest

from support import eventually, in_process


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("governed")
    with in_process(folder) as headrace:
        (folder / "data" / "credentials.json").write_text(json.dumps(headrace.credentials))
        yield headrace


def test_a_policy_is_set_listed_replaced_and_deleted(headrace, typed):
    path = headrace.folder / "policy.json"
    document = {"name": "e-mail", "conditions": [{"path": "consents.email.val", "values": ["y"]}]}
    path.write_text(json.dumps(document))

    assert typed("consent", "set", str(path))[:2] == (0, "made e-mail\n")
    path.write_text(json.dumps({**document, "marketingActions": ["newsletter"]}))
    assert typed("consent", "set", str(path))[:2] == (0, "replaced e-mail\n")
    assert "e-mail" in typed("consent", "list")[1]
    (listed,) = json.loads(typed("consent", "list", "--json")[1])
    assert listed["marketingActions"] == ["newsletter"]
    assert typed("consent", "delete", "e-mail")[0] == 0
    code, _, err = typed("consent", "delete", "e-mail")
    assert (code, "no consent policy 'e-mail'" in err) == (2, True)


def test_a_file_that_is_no_policy_is_refused(headrace, typed):
    path = headrace.folder / "list.json"
    path.write_text("[]")

    assert typed("consent", "set", str(path))[0] == 2
    assert typed("consent", "set", str(path) + "x")[0] == 2


def test_a_person_is_erased_and_the_erasure_is_shown_and_lifted(headrace, typed):
    headrace.api.ingest(b'{"profileId": "canary"}')

    code, out, _ = typed("profiles", "erase", ":canary")
    id_ = out.strip()
    assert code == 0
    eventually("it is done", lambda: json.loads(typed("profiles", "erasures", id_, "--json")[1])["state"] == "done")

    assert "state" in typed("profiles", "erasures", id_)[1]
    assert id_[:8] in typed("profiles", "erasures")[1]
    assert json.loads(typed("profiles", "erasures", "--json")[1])[0]["people"] == 1
    assert typed("profiles", "lift", id_)[0] == 0
    assert typed("profiles", "lift", id_)[0] == 2


def test_whoever_has_an_identity_is_erased_by_its_namespace(headrace, typed):
    assert typed("profiles", "erase", "--namespace", "Email", "nobody@example.com")[0] == 0
    code, _, err = typed("profiles", "erase", "nobody")
    assert (code, "profile" in err) == (2, True)
