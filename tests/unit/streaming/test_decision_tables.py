"""What triggers a message, a test for each row of the tables of docs/triggers.md."""

import msgspec
import orjson
import pytest

from headrace.mapping import AttributeRow, Mapping
from headrace.model.aggregation import BestEffortAggregation
from headrace.render.destination import CompiledDestination
from headrace.render.parts import Parting
from headrace.streaming.triggers import Watched, changed
from unit.render.making import AUDIENCES, MAPPING, NOON, by_audience, entry, group, member, person, policy, recipe

A, B = 1, 2
IN, OUT = person(member("a")), person(member(a="exited"))
ELSEWHERE = {"ups": {"z": {"status": "realized", "lastQualificationTime": NOON}}}
ATTRIBUTES = Mapping((AttributeRow("city", "city"), AttributeRow("ucase(tier)", "tier", is_calculated=True)), ())


def following(mapping: Mapping = MAPPING, aggregation: BestEffortAggregation | None = None, **more):
    aggregation = aggregation or policy()
    return Watched(1, AUDIENCES, mapping, aggregation, Parting.of(aggregation, ("email", "phone")), **more)


BY_AUDIENCE = following()
BY_PROFILE = following(ATTRIBUTES, follows_profiles=True)
BOTH = pytest.mark.parametrize("watched", [BY_AUDIENCE, BY_PROFILE], ids=["audience", "profile"])


@BOTH
def test_entering_a_mapped_audience_triggers(watched):
    assert changed(person(), IN, watched, person(member("a"), email=[])) == (A,)
    assert changed(None, IN, watched) == (A,)


@BOTH
def test_leaving_a_mapped_audience_triggers(watched):
    assert changed(IN, OUT, watched) == (A,)
    assert changed(person(member("a", "b")), person(member("b", a="exited")), watched) == (A,)


@BOTH
def test_an_unmapped_audience_does_not_trigger(watched):
    both = {"ups": {**member("a")["ups"], **ELSEWHERE["ups"]}}

    assert changed(IN, person(both), watched) == ()
    assert changed(None, person(ELSEWHERE), watched) == ()


@BOTH
def test_an_unmapped_attribute_does_not_trigger(watched):
    after = person(member("a"), shoe=43)

    assert changed(IN, after, watched) == ()


@BOTH
def test_nothing_of_who_is_in_no_mapped_audience_triggers(watched):
    assert changed(person(ELSEWHERE, city="Rome"), person(ELSEWHERE, city="Porto"), watched) == ()
    assert changed(OUT, person(member(a="exited"), email=["new"]), watched) == ()


# -- following audiences --------------------------------------------------------------------------------------------


def test_a_mapped_attribute_triggers_when_it_changes():
    before, after = person(member("a"), city="Rome"), person(member("a"), city="Porto")

    assert changed(before, after, BY_AUDIENCE) == (0,)
    assert changed(before, before, BY_AUDIENCE, before) == ()
    assert changed(before, person(member("a")), BY_AUDIENCE) == (0,)


def test_an_identity_of_a_mapped_namespace_triggers_when_it_comes_or_goes():
    assert changed(IN, person(member("a"), email=["ana@example.com", "b"]), BY_AUDIENCE) == (0,)
    assert changed(IN, person(member("a"), email=[]), BY_AUDIENCE) == (0,)


def test_an_identity_of_an_unmapped_namespace_does_not_trigger():
    after = {**IN, "identityMap": {**IN["identityMap"], "ECID": [{"id": "1"}]}}

    assert changed(IN, after, BY_AUDIENCE) == ()


def test_messages_hold_mapped_audiences_identities_and_attributes_alone():
    both = {"ups": {**member("a", "b")["ups"], **ELSEWHERE["ups"]}}
    somebody = person(both, city="Porto", shoe=43)
    somebody["identityMap"]["ECID"] = [{"id": "1"}]

    (told,) = _told(CompiledDestination(recipe()), entry(somebody, changed=[A]))

    assert told["segmentMembership"].keys() == {"ups"}
    assert told["segmentMembership"]["ups"].keys() == {"a", "b"}
    assert told["identityMap"] == {"email": [{"id": "ana@example.com"}]}
    assert told["attributes"] == {"city": {"value": "Porto"}}


# -- following profiles ---------------------------------------------------------------------------------------------


def test_a_mapped_attribute_triggers_when_it_is_written_even_with_the_same_value():
    before = person(member("a"), city="Rome", tier="gold")

    assert changed(before, before, BY_PROFILE, {"city": "Rome"}) == (0,)
    assert changed(before, before, BY_PROFILE, {"tier": "gold"}) == (0,)
    assert changed(before, before, BY_PROFILE, {"shoe": 43}) == ()
    assert changed(before, person(member("a"), tier="gold"), BY_PROFILE, {"city": None}) == (0,)


def test_any_identity_triggers_when_it_changes():
    after = {**IN, "identityMap": {**IN["identityMap"], "ECID": [{"id": "1"}]}}

    assert changed(IN, after, BY_PROFILE, {}) == (0,)
    assert changed(after, IN, BY_PROFILE, {}) == (0,)


def test_messages_hold_all_identities_and_the_audiences_that_changed():
    somebody = person(member("a", "b"), phone=["1"], city="Porto")
    somebody["identityMap"]["ECID"] = [{"id": "1", "primary": True}]
    known = b'{"audiences": {"2": ""}, "identities": {}}'

    (told,) = _told(_whole(), entry(somebody, changed=[A], shown=known))

    assert told["segmentMembership"]["ups"].keys() == {"a"}
    assert told["identityMap"] == {
        "Email": [{"id": "ana@example.com"}],
        "Phone": [{"id": "1"}],
        "ECID": [{"id": "1"}],
    }
    assert told["attributes"]["city"] == {"value": "Porto"}


def test_what_the_partner_knows_is_all_audiences_though_it_was_told_of_one():
    somebody = person(member("a", "b"))

    (message,) = _whole().compose(group(entry(somebody, changed=[A]))).messages

    assert b'"1"' in message.shown[0]
    assert b'"2"' in message.shown[0]


def test_an_entry_of_one_audience_has_it_also_when_an_attribute_is_its_news():
    aggregation = by_audience()
    compiled = _whole(aggregation=aggregation)

    (told,) = _told(compiled, entry(person(member("a", "b")), audience=B, changed=[0]))

    assert told["segmentMembership"]["ups"].keys() == {"b"}


def _whole(**more):
    return CompiledDestination(_is_whole(recipe(mapping=ATTRIBUTES, **more)))


def _is_whole(made):
    return msgspec.structs.replace(made, is_whole=True)


def _told(compiled, *entries):
    (message,) = compiled.compose(group(*entries)).messages
    return orjson.loads(message.request.body)
