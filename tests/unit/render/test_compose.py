"""Composing: from a group to requests, with what cannot be rendered found and left out."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import RenderError, TemplateError
from headrace.model.message import Bucket
from unit.render.making import (
    ALL,
    by_audience,
    by_identity,
    destination,
    entry,
    group,
    member,
    person,
    policy,
    text,
)

#: A template that cannot be rendered for a person whose city is the word `bad`.
FRAGILE = (
    "[{% for p in input.profiles %}{% if p.attributes.city.value == 'bad' %}{{ 1 / 0 }}{% endif %}"
    "{{ p.attributes.city.value | toJson }}{% if not loop.last %},{% endif %}{% endfor %}]"
)


def people(*cities):
    return [entry(person(member("a"), city=city), number=number) for number, city in enumerate(cities, 1)]


def one(composed):
    assert composed.refused == ()
    (message,) = composed.messages
    return message


def rendered(body, *entries, bucket=None, **more):
    return one(destination(body, **more).compose(group(*(entries or [entry()]), bucket=bucket))).request


# -- the request --------------------------------------------------------------------------------------------------


def test_a_message_carries_its_entries_and_what_the_partner_then_knows():
    first, second = people("Lisbon", "Porto")

    message = one(destination(ALL).compose(group(first, second)))

    assert message.entries == (first, second)
    assert [orjson.loads(shown)["audiences"].keys() for shown in message.shown] == [{"1"}, {"1"}]
    assert [p["attributes"]["city"]["value"] for p in orjson.loads(message.request.body)] == ["Lisbon", "Porto"]


def test_the_body_is_utf_8():
    assert (
        rendered("{{ input.profiles[0].attributes.city.value | toJson }}", *people("Évora")).body == '"Évora"'.encode()
    )


def test_a_text_without_a_strategy_is_used_as_it_stands():
    request = rendered(ALL, headers=[{"header": "X-A", "value": text("{{ x }}", strategy="NONE")}])

    assert request.header("x-a") == "{{ x }}"


@pytest.mark.parametrize(
    ("url", "query", "expected"),
    [
        ("https://p.example/a", None, "https://p.example/a"),
        ("  https://p.example/a\n", None, "https://p.example/a"),
        ("https://p.example/a", "b=1", "https://p.example/a?b=1"),
        ("https://p.example/a?b=1", "c=2", "https://p.example/a?b=1&c=2"),
        ("https://p.example/a", " \n ", "https://p.example/a"),
        ("https://p.example/a", "n={{ input.profiles | length }}", "https://p.example/a?n=1"),
        ("https://{{ customerData.region }}.p.example/", None, "https://eu.p.example/"),
        ("https://{{ destination.config.region }}.p.example/", None, "https://eu.p.example/"),
    ],
)
def test_the_query_is_joined_to_the_url(url, query, expected):
    more = {"queryParameters": text(query)} if query is not None else {}

    assert rendered(ALL, url=url, **more).url == expected


def test_the_url_may_name_what_the_entries_share():
    composed = destination(
        ALL,
        url="https://p.example/{{ input.aggregationKey.segmentNamespace }}/{{ input.aggregationKey.segmentId }}"
        "/{{ input.aggregationKey.segmentAlias }}/{{ input.aggregationKey.segmentStatus }}",
        aggregation=by_audience(status=True),
    ).compose(group(entry(audience=1), bucket=Bucket(1, "realized")))

    assert one(composed).request.url == "https://p.example/ups/a/list-a/realized"


def test_headers_are_rendered_and_stripped():
    header = {
        "header": "Authorization",
        "value": text(" Basic {{ (authData.username + ':' + authData.password) | base64encode }}\n"),
    }

    assert rendered(ALL, headers=[header]).header("authorization") == "Basic YW5hOnB3"


def test_a_header_with_a_line_break_is_refused():
    header = {"header": "X-City", "value": text("{{ input.profiles[0].attributes.city.value }}")}

    composed = destination(ALL, headers=[header]).compose(group(*people("a\r\nX-Evil: 1")))

    ((_, error),) = composed.refused
    assert isinstance(error, RenderError)
    assert "'X-City'" in error.message
    assert "Evil" not in error.message


def test_the_content_type_is_sent_once():
    own = {"header": "content-type", "value": text("text/plain", strategy="NONE")}

    assert rendered(ALL).headers == (("Content-Type", "application/json"),)
    assert rendered(ALL, headers=[own]).headers == (("content-type", "text/plain"),)


def test_the_message_id_is_sent_where_the_destination_names_a_header_for_it():
    message = one(destination(ALL, **{"x-headrace": {"messageIdHeader": "Idempotency-Key"}}).compose(group(entry())))

    assert message.request.header("idempotency-key") == message.id
    assert rendered(ALL).header("idempotency-key") is None


def test_templates_see_the_message():
    composed = destination("[{{ message.id | toJson }}, {{ message.attempt }}]").compose(group(entry(), attempt=3))

    assert orjson.loads(one(composed).request.body) == [one(composed).id, 3]


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("GET", " \n", b""),
        ("HEAD", "", b""),
        ("GET", "{}", b"{}"),
        ("GET", None, b""),
    ],
)
def test_no_blank_body_is_sent_where_none_is_expected(method, body, expected):
    assert rendered(body, httpMethod=method).body == expected


def test_a_repeat_is_the_same_request():
    entries = people("a", "b", "c")

    assert destination(ALL).compose(group(*entries)) == destination(ALL).compose(group(*entries, attempt=4))


def test_another_version_of_the_configuration_is_another_message():
    first, second = (one(destination(version=version).compose(group(entry()))) for version in ("1", "2"))

    assert first.id != second.id


# -- what templates see -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "expected"), [(1, '{"city":{"value":"x"}}'), (2, "null")], ids=["one person", "several"]
)
def test_the_one_profile_is_there_when_there_is_one(count, expected):
    body = "{{ input.profiles[0].nothing }}{{ input.profile.attributes | toJson }}"

    assert rendered(body, *people(*["x"] * count)).body.decode() == expected


@pytest.mark.parametrize(
    ("aggregation", "bucket", "expected"),
    [
        (policy(), Bucket(), {}),
        (by_audience(), Bucket(3), {"segmentId": "c", "segmentNamespace": "uploads", "segmentAlias": "list-c"}),
        (
            by_audience(status=True),
            Bucket(1, "exited"),
            {"segmentId": "a", "segmentNamespace": "ups", "segmentAlias": "list-a", "segmentStatus": "exited"},
        ),
        (by_identity(["phone", "email"]), Bucket(0, None, 1), {"identityNamespaces": ["phone", "email"]}),
        (by_identity(), Bucket(0, None, 2), {"identityNamespaces": ["phone"]}),
    ],
    ids=["nothing", "audience", "audience and status", "identity group", "one namespace"],
)
def test_the_aggregation_key_is_what_the_entries_share(aggregation, bucket, expected):
    body = rendered("{{ input.aggregationKey | toJson }}", bucket=bucket, aggregation=aggregation).body

    assert orjson.loads(body) == {"destinationInstanceId": "flow-1", **expected}


def test_an_entry_of_an_audience_shows_that_audience_alone():
    body = rendered(ALL, entry(person(member("a", "b")), audience=2), bucket=Bucket(2), aggregation=by_audience()).body

    assert list(orjson.loads(body)[0]["segmentMembership"]["ups"]) == ["b"]


@pytest.mark.parametrize(
    ("aggregation", "part", "expected"),
    [
        (by_identity(), "1", {"email": [{"id": "1"}, {"id": "2"}]}),
        (by_identity(["phone"], ["email"]), "1", {"phone": [{"id": "3"}]}),
        (policy(split=True), "|email|2", {"email": [{"id": "2"}]}),
        (by_identity(["phone"], ["email"], split=True), "2|email|1", {"email": [{"id": "1"}]}),
    ],
    ids=["one namespace", "group", "split", "group, split"],
)
def test_an_entry_of_a_part_shows_the_identities_of_that_part_alone(aggregation, part, expected):
    someone = person(member("a"), email=["1", "2"], phone=["3"])

    body = rendered(ALL, entry(someone, part=part), aggregation=aggregation).body

    assert orjson.loads(body)[0]["identityMap"] == expected


def test_facts_of_audiences_are_found_by_id():
    body = (
        "{{ [destination.namespaceSegmentAliases.uploads.c, destination.segmentAliases.a, destination.segmentNames.b,"
        " destination.namespaceSegmentNames['ups']['B'], destination.segmentTimestamps.a.mappingCreatedAt,"
        " destination.name, destination.segmentAliases.c] | toJson }}"
    )

    assert orjson.loads(rendered(body).body) == ["list-c", "list-a", "B", "B", 3, "flow", None]


@pytest.mark.parametrize(("escaping", "expected"), [("html", "a&quot;b"), ("json", 'a\\"b'), ("none", 'a"b')])
def test_a_template_escapes_as_it_says(escaping, expected):
    template = text("{{ input.profiles[0].attributes.city.value }}", escaping=escaping)

    request = rendered(None, *people('a"b'), requestBody=template, contentType="text/plain")

    assert request.body.decode() == expected


def test_json_escaping_makes_any_text_fit_into_a_json_string():
    nasty = 'quote " slash \\ line\nbreak\ttab \u2028 </script> \x00 é 山'
    template = text('"{{ input.profiles[0].attributes.city.value }}"', escaping="json")

    assert orjson.loads(rendered(None, *people(nasty), requestBody=template).body) == nasty


# -- how many go together -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "more", "expected"),
    [
        pytest.param(ALL, {}, 100, id="all people"),
        pytest.param("{{ input.profile | toJson }}", {}, 1, id="one person"),
        pytest.param("{{ input['profile'].attributes | toJson }}", {}, 1, id="one person, in brackets"),
        pytest.param("{{ input.profile }}{{ input.profiles }}", {}, 100, id="both in one text"),
        pytest.param("{}", {}, 100, id="nobody"),
        pytest.param(
            None,
            {"url": "https://p.example/{{ input.profile.identityMap.email[0].id }}"},
            1,
            id="one person in the URL",
        ),
        pytest.param(
            ALL, {"headers": [{"header": "X", "value": text("{{ input.profile.attributes }}")}]}, 1, id="in a header"
        ),
        pytest.param(ALL, {"queryParameters": text("i={{ input.profile.attributes }}")}, 1, id="in the query"),
    ],
)
def test_a_template_that_speaks_of_one_person_gets_one(body, more, expected):
    assert destination(body, **more).most_entries == expected


def test_a_group_that_was_claimed_under_another_limit_is_cut_to_the_one_in_force():
    entries = people(*"abcdefg")

    composed = destination(ALL, aggregation=policy(3)).compose(group(*entries))

    assert [len(message.entries) for message in composed.messages] == [3, 3, 1]
    assert [item for message in composed.messages for item in message.entries] == entries


def test_a_group_that_was_claimed_for_another_template_is_sent_one_by_one():
    composed = destination("{{ input.profile.attributes.city.value | toJson }}").compose(group(*people("a", "b")))

    assert [message.request.body for message in composed.messages] == [b'"a"', b'"b"']


# -- what cannot be rendered --------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 49, 50, 99])
def test_one_bad_entry_of_a_hundred_is_left_out_and_the_others_travel_together(place):
    cities = ["good"] * 100
    cities[place] = "bad"
    entries = people(*cities)

    composed = destination(FRAGILE).compose(group(*entries))

    (message,) = composed.messages
    ((bad, error),) = composed.refused
    assert bad is entries[place]
    assert isinstance(error, TemplateError)
    assert message.entries == (*entries[:place], *entries[place + 1 :])
    assert orjson.loads(message.request.body) == ["good"] * 99


@given(st.lists(st.sampled_from(["good", "bad"]), min_size=1, max_size=40))
def test_the_good_travel_together_and_the_bad_are_refused_whatever_their_places(cities):
    entries = people(*cities)

    composed = destination(FRAGILE).compose(group(*entries))

    good = [item for item, city in zip(entries, cities, strict=True) if city == "good"]
    assert [message.entries for message in composed.messages] == ([tuple(good)] if good else [])
    assert [item for item, _ in composed.refused] == [item for item in entries if item not in good]


def test_the_good_have_the_id_they_would_have_had_alone():
    entries = people("x", "bad", "y")

    composed = destination(FRAGILE).compose(group(*entries))

    assert composed.messages == destination(FRAGILE).compose(group(entries[0], entries[2])).messages


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_a_group_too_large_for_one_message_leaves_in_several(most):
    body = f"{{% if (input.profiles | length) > {most} %}}{{{{ 1 / 0 }}}}{{% endif %}}{ALL}"
    entries = people(*"abcdefghij")

    composed = destination(body).compose(group(*entries))

    assert composed.refused == ()
    assert [item for message in composed.messages for item in message.entries] == entries
    assert all(len(message.entries) <= most for message in composed.messages)
    assert all(len(one.entries) + len(two.entries) > most / 2 for one, two in pairwise(composed.messages))


def test_a_body_that_is_not_json_is_refused_with_the_place():
    composed = destination('{"a": {{ input.profiles[0].attributes.city.value }}}').compose(group(*people("Lisbon")))

    ((_, error),) = composed.refused
    assert "the rendered body is not JSON" in error.message
    assert "line 1, column 7" in error.message
    assert "Lisbon" not in error.message


@pytest.mark.parametrize(
    ("content_type", "is_refused"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/x-ndjson", False),
        ("application/x-www-form-urlencoded", False),
        ("text/plain", False),
    ],
)
def test_only_what_says_it_is_json_must_be_json(content_type, is_refused):
    composed = destination("a=1", contentType=content_type).compose(group(entry()))

    assert bool(composed.refused) is is_refused


def test_a_template_that_suits_nobody_refuses_everybody():
    composed = destination("{{ 1 / 0 }}").compose(group(*people(*"abcde")))

    assert composed.messages == ()
    assert len(composed.refused) == 5
