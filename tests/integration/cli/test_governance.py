"""``headrace governance`` as a reviewer types it."""

import json
import sys

import pytest

from headrace.cli.demo import connect
from headrace.cli.main import main
from headrace.testkit.partner import Partner
from support import FLOWS, in_process

POLICIES = "/data/foundation/dulepolicy/policies/custom"


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("governance")
    with Partner.in_thread() as partner, in_process(folder, egress_allow=partner.origin) as headrace:
        (folder / "data" / "credentials.json").write_text(json.dumps(headrace.credentials))
        headrace.dataflow = connect(headrace.client, "moviestar", partner).dataflow
        yield headrace


@pytest.fixture
def governance(headrace, monkeypatch, capsys):
    """Runs the command, and returns its exit code and what it said."""

    def run(*words):
        line = ["headrace", "governance", *words, "--data-dir", str(headrace.folder / "data")]
        monkeypatch.setattr(sys, "argv", line)
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_labels_are_put_listed_and_taken_off(governance):
    assert governance("label", "field", "person.name", "I1", "C4")[0] == 0
    assert json.loads(governance("labels", "--json")[1])[0]["labels"] == ["I1", "C4"]
    assert "person.name" in governance("labels")[1]
    assert governance("label", "field", "person.name")[0] == 0
    assert json.loads(governance("labels", "--json")[1]) == []
    code, _, said = governance("label", "person", "x", "I1")
    assert (code, "field, dataset, namespace" in said) == (2, True)


def test_what_a_dataflow_violates_is_told_with_the_ways_out(headrace, governance):
    api, flow = headrace.api, headrace.dataflow
    assert governance("check", flow)[:2] == (0, "no policy is violated\n")
    api.post(f"{FLOWS}/flows/{flow}/action?op=disable", None)
    etag = api.get(f"{FLOWS}/flows/{flow}").json["items"][0]["etag"]
    refs = ["/dulepolicy/marketingActions/core/emailTargeting/constraints"]
    assert api.patch(
        f"{FLOWS}/flows/{flow}", [{"op": "add", "path": "/policy", "value": {"enforcementRefs": refs}}], etag
    )
    actions = ["/dulepolicy/marketingActions/core/emailTargeting"]
    deny = {"operator": "AND", "operands": [{"label": "C4"}, {"operator": "OR", "operands": [{"label": "I1"}]}]}
    document = {"name": "no mail", "status": "ENABLED", "marketingActionRefs": actions, "deny": deny}
    assert api.post(POLICIES, document).status == 201
    assert governance("label", "field", "person", "I1", "C4")[0] == 0

    code, said, _ = governance("check", flow)

    assert code == 1
    assert "denied: the policy 'no mail' denies 'emailTargeting' for data labelled C4, I1" in said
    assert "C4: field person > field person.name.firstName > mapping person.name.firstName -> first_name" in said
    assert "- disable the policy 'no mail'" in said
    assert governance("check")[:2] == (0, "no policy is violated\n"), "a disabled dataflow violates nothing"
    assert len(json.loads(governance("check", flow, "--json")[1])) == 1


def test_policies_are_listed_in_words(headrace, governance):
    listed = governance("policies")[1]

    assert "corepolicy_0001" in listed
    assert "C4 and (I1)" in listed
