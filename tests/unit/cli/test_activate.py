"""Activations as files: what they take from the environment, and what they may not hold."""

import pytest

from headrace.cli.activate import read_activation, since, summed
from headrace.errors import HeadraceError

FILE = """
name: Sailors
destination: Harbour
auth:
  specName: BEARER
  params:
    token: {env: HARBOUR_TOKEN}
mapping:
  - identityMap.Email: identityMap.email
"""


def written(folder, text):
    path = folder / "activation.yaml"
    path.write_text(text)
    return path


def test_what_signs_in_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HARBOUR_TOKEN", "a token")

    document = read_activation(written(tmp_path, FILE))

    assert document["auth"]["params"] == {"token": "a token"}
    assert document["mapping"] == [{"identityMap.Email": "identityMap.email"}]


WRONG = {
    "a secret in the file": (FILE.replace("{env: HARBOUR_TOKEN}", "canary"), "write `token: {env: A_VARIABLE}`"),
    "a variable that is not set": (FILE.replace("HARBOUR_TOKEN", "NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE"),
    "no YAML": ("name: [", "activation.yaml:"),
    "a list": ("- a", "is no activation"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_a_file_that_will_not_do_is_refused_and_tells_no_secret(tmp_path, text, says):
    with pytest.raises(HeadraceError) as refused:
        read_activation(written(tmp_path, text))

    assert says in refused.value.message
    assert "canary" not in refused.value.message


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HeadraceError, match=r"absent\.yaml cannot be read"):
        read_activation(tmp_path / "absent.yaml")


def part(people, looked, next_, of=100, **groups):
    return {"people": people, "looked": looked, "of": of, "next": next_, "mostPerMessage": 10, "groups": groups}


def test_counts_of_several_looks_are_added_before_messages_are():
    whole = summed([part(5, 50, 50, a=5), part(7, 50, None, a=5, b=2)])

    assert whole == {"people": 12, "messages": 2, "isEstimate": False}


def test_a_look_at_some_estimates_the_rest():
    assert summed([part(5, 20, 20, a=5)]) == {"people": 25, "messages": 3, "isEstimate": True}


def test_nobody_is_nobody():
    assert summed([part(0, 0, None, of=0)]) == {"people": 0, "messages": 0, "isEstimate": False}


def test_what_was_delivered_before_is_no_news():
    before = {"accepted": 2, "delivered": 2, "pending": 0, "messages": 2}

    assert since(before, before)["messages"] == 0
    assert since(before, {**before, "accepted": 3, "pending": 1}) == {
        "accepted": 1, "delivered": 0, "pending": 1, "messages": 0,
    }  # fmt: skip
    assert since({}, before) == before
