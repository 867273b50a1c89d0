"""Profiles come in: many at once, and a malformed one alone is turned away."""

import json

import pytest

from headrace.testkit.profiles import AUDIENCES, EVERYTHING, SMALLEST, generate, ndjson
from support import FLOWS

LINES = "application/x-ndjson"
LOYAL, BASKET = AUDIENCES[0], AUDIENCES[1]


def person(key, *inside, **more):
    memberships = {audience.id: {"status": "realized"} for audience in inside}
    return {"identityMap": {"crmId": [{"id": key}]}, "segmentMembership": {"ups": memberships}, **more}


def lines(*records):
    return b"\n".join(record if isinstance(record, bytes) else json.dumps(record).encode() for record in records)


@pytest.mark.parametrize("kind", [LINES, "application/ndjson", "application/jsonl", "Application/X-NDJSON; charset=x"])
def test_profiles_are_taken_one_a_line(api, kind):
    answer = api.ingest(lines(SMALLEST, EVERYTHING, *generate(5)), kind)

    assert (answer.status, answer.json) == (200, {"accepted": 7, "rejected": []})


def test_profiles_are_taken_from_an_array(api):
    answer = api.post("/ingest/profiles", [SMALLEST, EVERYTHING, *generate(5)])

    assert (answer.status, answer.json) == (200, {"accepted": 7, "rejected": []})


def test_lines_may_end_in_any_way_and_be_empty(api):
    body = b"\n\r\n" + lines(SMALLEST) + b"\r\n   \n" + lines(SMALLEST) + b"\n\n"

    assert api.ingest(body).json == {"accepted": 2, "rejected": []}


def test_thousands_are_taken_at_once(api):
    body = b"".join(ndjson(generate(800, start=100)))

    assert api.ingest(body).json == {"accepted": 800, "rejected": []}


MALFORMED = {
    "no JSON": (b"{not json", "json"),
    "cut off": (b'{"profileId": "1', "json"),
    "not UTF-8": (b'{"profileId": "\xff"}', "json"),
    "a number without end": (b'{"profileId": "1", "x": Infinity}', "json"),
    "half a surrogate": (b'{"profileId": "\\ud800"}', "json"),
    "two on a line": (b'{"profileId": "1"} {"profileId": "2"}', "json"),
    "a list": (b"[]", "not-an-object"),
    "nothing": (b"null", "not-an-object"),
    "nobody": (b"{}", "no-key"),
    "nobody by name": (b'{"identityMap": {"crmId": []}}', "no-key"),
    "an id that is a number": (b'{"profileId": 7}', "profile-id"),
    "an id that is empty": (b'{"profileId": ""}', "profile-id"),
    "an id without end": (lines({"profileId": "x" * 513}), "key-too-long"),
    "an identity without id": (b'{"identityMap": {"crmId": [{}]}}', "identity-map"),
    "identities in no list": (b'{"identityMap": {"crmId": {"id": "1"}}}', "identity-map"),
    "U+0000 in a name": (lines({"profileId": "a\0b"}), "nul"),
    "a membership without status": (b'{"profileId": "1", "segmentMembership": {"ups": {"a": {}}}}',
                                    "segment-membership"),
    "a status that is none": (b'{"profileId": "1", "segmentMembership": {"ups": {"a": {"status": "in"}}}}',
                              "segment-membership"),
    "a time that is none": (lines(person("1") | {"segmentMembership": {"ups": {"a": {
        "status": "exited", "lastQualificationTime": "yesterday"}}}}), "segment-membership"),
    "too deep": (b'{"profileId": "1", "x": ' + b"[" * 500 + b"]" * 500 + b"}", "too-deep"),
}  # fmt: skip


@pytest.mark.parametrize(("record", "code"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_profile_is_turned_away_alone(api, record, code):
    answer = api.ingest(lines(SMALLEST, b"", record, SMALLEST))

    assert answer.status == 200
    assert answer.json["accepted"] == 2
    (rejected,) = answer.json["rejected"]
    assert set(rejected) == {"line", "code", "reason"}
    assert (rejected["line"], rejected["code"]) == (3, code)
    assert rejected["reason"]


def test_in_an_array_the_place_counts_as_the_line(api):
    answer = api.post("/ingest/profiles", [SMALLEST, 7, SMALLEST, {}])

    assert answer.json["accepted"] == 2
    assert [(item["line"], item["code"]) for item in answer.json["rejected"]] == [(2, "not-an-object"), (4, "no-key")]


def test_a_profile_larger_than_a_person_can_be_is_turned_away(api):
    """The module's server reads bodies of a mebibyte, which is also the most that one person may have."""
    record = lines({"profileId": "1", "x": "y" * ((1 << 20) - 30)})

    assert len(record) < 1 << 20
    assert api.ingest(record).json["accepted"] == 1


UNREADABLE = {
    "nothing that is JSON": (LINES, b"hello\nworld"),
    "no objects": (LINES, b"1\n2"),
    "an object for an array": ("application/json", b'{"profileId": "1"}'),
    "half an array": ("application/json", b'[{"profileId": "1"},'),
    "an empty body for an array": ("application/json", b""),
    "an array of nothing good": ("application/json", b"[1, 2]"),
}


@pytest.mark.parametrize(("kind", "body"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_body_of_which_nothing_can_be_read_is_400(api, kind, body):
    answer = api.ingest(body, kind)

    assert answer.status == 400
    assert answer.json["code"] == "unreadable"


def test_an_array_that_is_too_deep_is_400(api):
    assert api.ingest(b"[" * 100_000, "application/json").status == 400


def test_profiles_that_could_be_read_and_are_all_wrong_are_told_one_by_one(api):
    answer = api.ingest(b"{}\n{}")

    assert answer.status == 200
    assert [item["line"] for item in answer.json["rejected"]] == [1, 2]


@pytest.mark.parametrize(("kind", "body"), [(LINES, b""), (LINES, b"\n \n"), ("application/json", b"[]")])
def test_nothing_is_nothing_taken(api, kind, body):
    assert api.ingest(body, kind).json == {"accepted": 0, "rejected": []}


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/json-lines"])
def test_another_kind_of_body_is_refused_with_the_kinds_there_are(api, kind):
    answer = api.ingest(lines(SMALLEST), kind)

    assert answer.status == 400
    assert answer.json["detail"] == "send application/json or application/x-ndjson"


def test_a_mode_that_is_none_is_refused(api):
    assert api.ingest(lines(SMALLEST), query="?mode=append").status == 400


def test_reasons_hold_nothing_of_the_person(api):
    canary = "canary-7781@example.com"
    body = lines(
        {"profileId": canary * 40},
        {"identityMap": {"Email": [{"id": canary, "x": 1}, {"id": 5}]}},
        {"profileId": "1", "person": canary, "segmentMembership": {"ups": {"a": {"status": canary}}}},
        f'{{"profileId": "{canary}", oops'.encode(),
    )

    answer = api.ingest(body)

    assert len(answer.json["rejected"]) == 4
    assert canary not in answer.text


# -- what becomes of it ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flow(operator):
    return operator.flow()


def members_told(partner, customer):
    """What the partner was told of one person, in order: list, and whether they are in it."""
    return [
        (request.json()["list"], member["member"])
        for request in partner.received
        if request.answered == 200
        for member in request.json()["members"]
        if member["customer"] == customer
    ]


def test_who_enters_and_leaves_is_told_once_each(headrace, api, flow, partner):
    later = {"status": "exited", "lastQualificationTime": "2099-01-01T00:00:00Z"}
    for record in (
        person("ana", LOYAL),
        person("ana", LOYAL),
        person("ana", LOYAL, colour="red"),
        person("ana") | {"segmentMembership": {"ups": {LOYAL.id: later}}},
        person("ana") | {"segmentMembership": {"ups": {LOYAL.id: later}}},
    ):
        assert api.ingest(lines(record)).json["accepted"] == 1
        headrace.wait_until_settled(flow)

    assert members_told(partner, "ana") == [("loyal-customers", True), ("loyal-customers", False)]


def test_an_audience_that_is_not_mentioned_stays(headrace, api, flow, partner):
    api.ingest(lines(person("bo", LOYAL, BASKET)))
    headrace.wait_until_settled(flow)
    api.ingest(lines(person("bo", LOYAL)))
    headrace.wait_until_settled(flow)

    assert all(is_member for _, is_member in members_told(partner, "bo"))


def test_an_audience_that_is_not_mentioned_was_left_where_profiles_are_replaced(headrace, api, flow, partner):
    api.ingest(lines(person("cy", LOYAL, BASKET)))
    headrace.wait_until_settled(flow)
    api.ingest(lines(person("cy", LOYAL)), query="?mode=replace")
    headrace.wait_until_settled(flow)

    told = members_told(partner, "cy")
    assert sorted(told[:2]) == [("left-a-basket-behind", True), ("loyal-customers", True)]
    assert told[2:] == [("left-a-basket-behind", False)]


def test_a_state_that_comes_too_late_is_not_told(headrace, api, flow, partner):
    def at(status, time):
        return person("di") | {"segmentMembership": {"ups": {LOYAL.id: {
            "status": status, "lastQualificationTime": time}}}}  # fmt: skip

    before = headrace.wait_until_settled(flow)
    api.ingest(lines(at("realized", "2026-03-03T00:00:00Z")))
    headrace.wait_until_settled(flow)
    api.ingest(lines(at("exited", "2026-03-02T00:00:00Z")))
    after = headrace.wait_until_settled(flow)

    assert members_told(partner, "di") == [("loyal-customers", True)]
    assert after["superseded"] == before["superseded"] + 1


def test_the_same_person_twice_in_a_body_is_told_in_the_order_of_the_lines(headrace, api, flow, partner):
    gone = {"status": "exited", "lastQualificationTime": "2099-01-01T00:00:00Z"}
    api.ingest(lines(person("ed", LOYAL), person("ed") | {"segmentMembership": {"ups": {LOYAL.id: gone}}}))
    ledger = headrace.wait_until_settled(flow)

    assert True not in [is_member for _, is_member in members_told(partner, "ed")][1:]
    assert ledger["accepted"] == sum(ledger[part] for part in ("delivered", "superseded", "withheld", "parked"))


FAILS = '{"share":\n  {{ 100 / (input.profile.attributes.points.value | default(1)) }}}'
IS_NO_JSON = '{"points": {{ input.profile.attributes.points.value | default(1) }}}'
UNRENDERABLE = {
    "a template that fails": (FAILS, 0, "template", "requestBody:2:10: division by zero"),
    "a body that is not JSON": (
        IS_NO_JSON,
        "many",
        "render",
        "the rendered body is not JSON, as its content type says",
    ),
}


@pytest.mark.parametrize(("body", "points", "code", "reason"), UNRENDERABLE.values(), ids=UNRENDERABLE)
def test_who_cannot_be_rendered_is_parked_alone_with_place_and_reason(
    headrace, api, operator, partner, body, points, code, reason
):
    document = operator.flow_document(operator.destination("moviestar", body), "moviestar")
    flow = api.post(f"{FLOWS}/flows", document).json["id"]
    headrace.wait_until_backfilled(flow)
    before = {item["profile"] for item in api.get(f"/dataflows/{flow}/parked?limit=1000").json["items"]}
    people = [person(f"{code}-{number}", LOYAL, loyalty={"points": 4}) for number in range(5)]
    people[2]["loyalty"]["points"] = points

    api.ingest(lines(*people))
    headrace.wait_until_settled(flow)

    items = api.get(f"/dataflows/{flow}/parked?limit=1000").json["items"]
    (item,) = [item for item in items if item["profile"] not in before]
    assert (item["profile"], item["code"]) == (f"crmId:{code}-2", code)
    assert reason in item["reason"]
