"""The people who do not exist are the same every time, and plain enough to send to anyone."""

import copy
import re
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from headrace.cli import profiles as command
from headrace.model.profile import key_of, parse
from headrace.testkit.profiles import AUDIENCES, EVERYTHING, SMALLEST, generate, leave, ndjson

EXAMPLES = Path(__file__).parents[3] / "examples" / "profiles.ndjson"


def all_memberships(profile):
    return [
        (namespace, audience, membership)
        for namespace, audiences in profile["segmentMembership"].items()
        for audience, membership in audiences.items()
    ]


@pytest.fixture(scope="module")
def people():
    return list(generate(2_000))


def test_the_example_file_is_what_the_generator_makes():
    with EXAMPLES.open("rb") as lines:
        assert list(islice(lines, 100)) == list(ndjson(generate(100)))


def test_the_example_file_holds_ten_thousand_people():
    assert EXAMPLES.read_bytes().count(b"\n") == 10_000


def test_a_person_is_the_same_however_many_are_asked_for():
    assert list(generate(3, start=5)) == list(generate(8))[5:]


def test_two_seeds_make_different_people():
    first, other = next(generate(1, seed=1)), next(generate(1, seed=2))

    assert first != other
    assert key_of(first) == key_of(other), "the number of a person does not depend on the seed"


def test_every_profile_is_taken_by_the_ingest_door(people):
    assert [parse(line) for line in ndjson(people)] == people


def test_every_person_has_a_key_of_their_own(people):
    assert len({key_of(profile) for profile in people}) == len(people)


def test_crm_id_is_the_primary_identity(people):
    assert all(profile["identityMap"]["crmId"][0]["primary"] is True for profile in people)


def test_some_people_have_what_others_lack(people):
    namespaces = [frozenset(profile["identityMap"]) for profile in people]
    optional = ("Phone", "ECID", "GAID", "IDFA")

    assert all(0 < sum(name in has for has in namespaces) < len(people) for name in optional)
    assert 0 < sum(len(profile["identityMap"]["Email"]) == 2 for profile in people) < len(people)
    for block in ("mobilePhone", "homeAddress", "loyalty", "commerce", "employer"):
        assert 0 < sum(block in profile for profile in people) < len(people)


def test_people_are_in_none_to_four_of_the_five_audiences(people):
    assert len(AUDIENCES) == len({audience.id for audience in AUDIENCES}) == 5
    assert {len(all_memberships(profile)) for profile in people} == {0, 1, 2, 3, 4}
    assert {(namespace, audience) for profile in people for namespace, audience, _ in all_memberships(profile)} == {
        (audience.namespace, audience.id) for audience in AUDIENCES
    }


def test_a_membership_is_realized_and_now_and_then_exited(people):
    states = [membership for profile in people for _, _, membership in all_memberships(profile)]
    exited = sum(membership["status"] == "exited" for membership in states) / len(states)

    assert {membership["status"] for membership in states} == {"realized", "exited"}
    assert 0.03 < exited < 0.1
    assert all(re.fullmatch(r"2026-\d\d-\d\dT\d\d:\d\d:\d\dZ", state["lastQualificationTime"]) for state in states)


def test_names_are_of_many_alphabets_and_hold_what_breaks_careless_code(people):
    text = b"".join(ndjson(people)).decode()

    assert all(letter in text for letter in "ßÉłЛΠ山ת&'<")
    assert '\\"' in text
    assert "O'Hara & Söhne" in text


def test_nobody_can_be_reached(people):
    text = b"".join(ndjson([*people, EVERYTHING])).decode()
    numbers = re.findall(r'"(\+\d+)"', text)

    assert numbers
    assert all(
        re.fullmatch(r"\+1\d{3}55501\d\d|\+447700900\d{3}|\+4917139200\d\d|\+3363998\d{4}", number)
        for number in numbers
    )
    assert set(re.findall(r"@([^\"]+)\"", text.lower())) <= {
        "example.com",
        "example.org",
        "mail.example.net",
        "work.example.org",
    }


def test_a_profile_has_the_size_that_we_measure_with(people):
    sizes = [len(line) for line in ndjson(people)]

    assert 700 < sum(sizes) / len(sizes) < 900


def test_making_people_is_never_what_a_benchmark_waits_for():
    fastest = min(_seconds_for(2_000) for _ in range(3))

    assert 2_000 / fastest > 5_000, "45,000 a second on the machine it was written on"


def _seconds_for(count):
    begin = time.perf_counter()
    for _ in generate(count):
        pass
    return time.perf_counter() - begin


def test_who_leaves_an_audience_has_exited_it_and_is_else_the_same():
    profile = next(p for p in generate(1_000) if any(m["status"] == "realized" for *_, m in all_memberships(p)))
    before = copy.deepcopy(profile)
    namespace, audience, _ = next(each for each in all_memberships(profile) if each[2]["status"] == "realized")

    left = leave(profile, audience, datetime(2026, 9, 1, 14, 30, tzinfo=UTC))

    assert profile == before
    assert left["segmentMembership"][namespace].pop(audience) == {
        "status": "exited",
        "lastQualificationTime": "2026-09-01T14:30:00.000Z",
    }
    before["segmentMembership"][namespace].pop(audience)
    assert left == before


@pytest.mark.parametrize(
    ("audience", "after", "message"),
    [
        pytest.param(AUDIENCES[0].id, timedelta(0), "came into audience", id="at the same moment"),
        pytest.param(AUDIENCES[0].id, timedelta(days=-1), "came into audience", id="before coming"),
        pytest.param(AUDIENCES[1].id, timedelta(days=1), "not in audience", id="who has left already"),
        pytest.param("unknown", timedelta(days=1), "not in audience", id="an audience nobody is in"),
    ],
)
def test_nobody_leaves_what_they_are_not_in(audience, after, message):
    came = datetime.fromisoformat(EVERYTHING["segmentMembership"]["ups"][AUDIENCES[0].id]["lastQualificationTime"])

    with pytest.raises(ValueError, match=message):
        leave(EVERYTHING, audience, came + after)


def test_the_standard_profiles_are_legal():
    for profile in (SMALLEST, EVERYTHING):
        assert parse(next(ndjson([profile]))) == profile
        assert key_of(profile)


def test_the_profile_with_everything_has_whatever_a_generated_one_may_have(people):
    def paths(value, prefix=()):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from paths(inner, (*prefix, key))
        else:
            yield prefix

    assert {path for profile in people for path in paths(profile)} <= set(paths(EVERYTHING))


@pytest.fixture
def headrace():
    app = typer.Typer()
    app.add_typer(command.app)
    return lambda *arguments: CliRunner().invoke(app, ["profiles", "generate", *arguments])


def test_the_command_writes_what_the_generator_makes(headrace, tmp_path):
    result = headrace("--count", "5", "--seed", "7", "--start", "2", "--output", str(tmp_path / "people.ndjson"))

    assert result.exit_code == 0
    assert (tmp_path / "people.ndjson").read_bytes() == b"".join(ndjson(generate(5, seed=7, start=2)))


def test_the_command_writes_to_standard_output_by_default(headrace):
    assert headrace("--count", "2").stdout_bytes == b"".join(ndjson(generate(2)))
