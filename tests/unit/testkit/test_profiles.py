"""The people who do not exist are the same every time, and plain enough to send to anyone."""

import copy
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
import typer
from typer.testing import CliRunner

from headrace.cli import profiles as command
from headrace.model.profile import key_of, parse
from headrace.testkit.people.audiences import OF_PEOPLE
from headrace.testkit.people.days import Scenario
from headrace.testkit.people.making import Wanted
from headrace.testkit.people.writing import texts
from headrace.testkit.profiles import AUDIENCES, EVERYTHING, SMALLEST, generate, leave, ndjson


def all_memberships(profile):
    return [
        (namespace, audience, membership)
        for namespace, audiences in profile["segmentMembership"].items()
        for audience, membership in audiences.items()
    ]


def is_in(membership):
    return membership["status"] == "realized"


@pytest.fixture(scope="module")
def people():
    return list(generate(2_000))


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
    optional = ("Phone_E.164", "Email_LC_SHA256", "ECID", "GAID", "IDFA")

    assert all(0 < sum(name in has for has in namespaces) < len(people) for name in optional)
    assert len(set().union(*namespaces)) == 7
    assert {len(profile["identityMap"]["Email"]) for profile in people} == {1, 2, 3}
    assert {len(profile["identityMap"].get("ECID", ())) for profile in people} == {0, 1, 2}
    for block in (
        "workEmail",
        "mobilePhone",
        "homeAddress",
        "addresses",
        "loyalty",
        "commerce",
        "employer",
        "lastVisit",
    ):
        assert 0 < sum(block in profile for profile in people) < len(people)


def test_every_audience_has_the_share_of_people_that_it_says():
    inside = Counter()
    for profile in generate(20_000, seed=3):
        inside.update((namespace, id_) for namespace, id_, state in all_memberships(profile) if is_in(state))

    for audience, members in OF_PEOPLE.items():
        expected = 20_000 * members.share
        assert abs(inside[audience.namespace, audience.id] - expected) < 5 * (expected + 1) ** 0.5, audience.name
    shares = sorted(members.share for members in OF_PEOPLE.values())
    assert (shares[0], shares[-1]) == (0.0001, 0.8)
    assert {audience.namespace for audience in AUDIENCES} == {"ups", "CustomerAudienceUpload"}


def test_some_audiences_are_inside_others_and_some_apart(people):
    by_name = {
        audience.name: {
            key_of(profile)
            for profile in people
            for _, id_, state in all_memberships(profile)
            if id_ == audience.id and is_in(state)
        }
        for audience in AUDIENCES
    }

    assert by_name["Gold members"] < by_name["Loyal customers"]
    assert by_name["Guests of honour"] <= by_name["Gold members"]
    assert by_name["Test group A"].isdisjoint(by_name["Test group B"])
    assert by_name["Loyal customers"].isdisjoint(by_name["Likely to leave"])
    agreed = {key_of(p) for p in people if p["consents"]["marketing"]["email"]["val"] == "y"}
    assert by_name["Agreed to e-mail"] == agreed


def test_a_membership_is_realized_and_now_and_then_exited(people):
    states = [membership for profile in people for _, _, membership in all_memberships(profile)]
    exited = sum(membership["status"] == "exited" for membership in states) / len(states)

    assert {membership["status"] for membership in states} == {"realized", "exited"}
    assert 0.02 < exited < 0.1
    assert all(re.fullmatch(r"2026-\d\d-\d\dT\d\d:\d\d:\d\dZ", state["lastQualificationTime"]) for state in states)


def test_names_are_of_many_alphabets_and_hold_what_breaks_careless_code(people):
    text = b"".join(ndjson(people)).decode()

    assert all(letter in text for letter in "ßÉłЛΠ山ת김ش🦊\u0301\u200d&'<")
    assert '\\"' in text
    assert "O'Hara & Söhne" in text


def test_nobody_can_be_reached(people):
    others = [Wanted(500, kind="accounts"), Wanted(500, kind="prospects"), *Scenario(500, 9).sent_on(9)]
    made = "".join(line for wanted in others for lines in texts(wanted) for line in lines)
    text = b"".join(ndjson([*people, EVERYTHING])).decode() + made
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
    assert all(host.endswith(".example.com") for host in re.findall(r"https?://([^/\"]+)", text))
    free = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
    addresses = {ip_address(found) for found in re.findall(r'"ip":"([^"]+)"', text)}
    assert {address.version for address in addresses} == {4, 6}
    assert all(any(address in net for net in free) for address in addresses)


def test_a_profile_has_the_size_that_we_measure_with(people):
    sizes = [len(line) for line in ndjson(people)]

    assert 1_100 < sum(sizes) / len(sizes) < 1_350


def test_making_people_is_never_what_a_benchmark_waits_for():
    fastest = min(_seconds_for(2_000) for _ in range(3))

    assert 2_000 / fastest > 2_000, "46,000 a second of a processor, where planning is shared by many"


def _seconds_for(count):
    begin = time.process_time()
    for _ in generate(count):
        pass
    return time.process_time() - begin


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
                is_audience = prefix[:1] == ("segmentMembership",) and len(prefix) == 2
                yield from paths(inner, (*prefix, "any audience" if is_audience else key))
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
