"""What a destination does not take of a dataflow, and what Headrace does not carry out yet of a destination."""

import pytest

from authored import ABSENT, changed, files, messages, waiting_messages
from headrace.model.destination import Destination
from headrace.model.flow import Flow
from headrace.model.problem import ConfigurationError
from headrace.model.reading import read
from headrace.services.carried import not_carried_yet
from headrace.services.rules import problems_of

SELECTORS = "/transformations/0/params/segmentSelectors/selectors"
MAPPING = "/transformations/0/params/profileSelectors/selectors"
COVERED = (
    "chosen-twice",
    "invalid-path",
    "mapped-twice",
    "no-identity",
    "no-transformation",
    "not-carried-yet",
    "not-mappable",
    "origin-denied",
    "too-many",
    "unknown-target",
)


AUDIENCE = {"type": "PLATFORM_SEGMENT", "value": {"id": "a", "namespace": "ups", "name": "a"}}


def row(source, target, **says):
    return {
        "type": "JSON_PATH",
        "value": {"path": source, "mapping": {"source": source, "destination": target, **says}},
    }


IDENTITY = row("loyaltyId", "identityMap.harbor_id")


def a_flow(*rows, audiences=(AUDIENCE,)):
    params = {
        "segmentSelectors": {"selectors": list(audiences)},
        "profileSelectors": {"selectors": list(rows)},
    }
    return {
        "name": "flow",
        "sourceConnectionIds": ["s"],
        "targetConnectionIds": ["t"],
        "transformations": [{"name": "GeneralTransform", "params": params}],
    }


def found(flow, **changes):
    destination = read(Destination, changed(messages(), {f"/{where}": value for where, value in changes.items()}))[0]
    return {problem.pointer: problem.code for problem in problems_of(read(Flow, flow)[0], destination)}


def test_a_dataflow_that_fits_has_no_problems():
    assert found(a_flow(IDENTITY, row("person.name", "given"))) == {}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], {MAPPING: "no-identity"}),
        ([IDENTITY, row("a..b", "given")], {f"{MAPPING}/1/value/path": "invalid-path"}),
        ([IDENTITY, row("a", "given"), row("b", "given")], {MAPPING: "mapped-twice"}),
        ([IDENTITY, row("a", "surname")], {f"{MAPPING}/1/value/mapping/destination": "unknown-target"}),
        ([IDENTITY, row("identityMap.Email", "given")], {f"{MAPPING}/1/value": "not-mappable"}),
        ([row("identityMap.ECID", "identityMap.email_hash")], {f"{MAPPING}/0/value/path": "not-mappable"}),
        (
            [row("a", "identityMap.harbor_id", **{"x-headrace": {"transformation": "sha256(lower($))"}})],
            {f"{MAPPING}/0/value": "no-transformation"},
        ),
    ],
    ids=["none", "no path", "twice", "unknown", "identity to attribute", "namespace", "transformation"],
)
def test_a_mapping_is_held_to_the_destination(rows, expected):
    assert found(a_flow(*rows)) == expected


def test_more_rows_than_the_destination_takes_are_too_many():
    assert found(a_flow(IDENTITY, row("a", "given")), maxProfileAttributes=1) == {}
    assert found(a_flow(IDENTITY, row("a", "identityMap.email_hash")), maxIdentityAttributes=1) == {MAPPING: "too-many"}


def test_audiences_of_other_origins_are_denied():
    schema = messages()["schemaConfig"] | {"segmentNamespaceDenyList": ["ups"]}

    assert found(a_flow(IDENTITY), schemaConfig=schema) == {f"{SELECTORS}/0/value/namespace": "origin-denied"}


def test_where_operators_type_the_partners_identifier_every_audience_has_one():
    typed = {"audienceMetadataConfig": {"mapUserInput": True}}
    named = {"type": "PLATFORM_SEGMENT", "value": {**AUDIENCE["value"], "mappingId": "list-a"}}

    assert found(a_flow(IDENTITY), **typed) == {f"{SELECTORS}/0/value/mappingId": "missing-field"}
    assert found(a_flow(IDENTITY, audiences=[named]), **typed) == {}


def test_an_audience_is_chosen_once():
    with pytest.raises(ConfigurationError) as caught:
        read(Flow, a_flow(IDENTITY, audiences=[AUDIENCE, AUDIENCE]))

    assert [problem.code for problem in caught.value.problems] == ["chosen-twice"]


def test_what_is_not_carried_yet_is_one_problem_of_a_dataflow():
    beyond = {"sources": ["ACCOUNTS"]}

    assert found(a_flow(IDENTITY), **beyond) == {"/targetConnectionIds/0": "not-carried-yet"}


# -- what is carried out -----------------------------------------------------------------------------------------------


def refusal(document):
    destination = read(Destination, document, strict=False)[0]
    problems = list(not_carried_yet(destination, "/connectionSpec/id"))
    assert [(problem.code, problem.pointer) for problem in problems] == [
        ("not-carried-yet", "/connectionSpec/id")
    ] * len(problems)
    return "".join(problem.message for problem in problems)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"/destinationDelivery/0/authenticationRule": "NONE", "/customerAuthenticationConfigurations": []},
        {"/customerAuthenticationConfigurations/-": {"authType": "BASIC"}},
        {"/customerDataFields/0": {"name": "a", "type": "string", "namedEnum": [{"name": "A", "value": "a"}]}},
        {"/schemaConfig": ABSENT},
        {"/audienceMetadataConfig": {"mapUserInput": True}},
    ],
    ids=["as usual", "nobody signs in", "another way beside", "named choices", "no schema", "typed identifiers"],
)
def test_what_is_carried_out_is_not_refused(changes):
    assert refusal(changed(messages(), changes)) == ""


SHARED = {
    "/destinationDelivery/0/authenticationRule": "PLATFORM_AUTHENTICATION",
    "/destinationDelivery/0/authenticationId": "c",
    "/customerAuthenticationConfigurations": [],
}
FIELD = "/customerDataFields/0"
LISTS = {
    "destinationServerId": "s",
    "authenticationRule": "NONE",
    "value": "$.list",
    "responseFormat": "NAME_VALUE",
}
SCHEMA = {"dynamicEnum": {**LISTS, "responseFormat": "SCHEMA"}}


ALIAS = {"destination": "given", "source": "metadata.segment.alias", "sourceType": "text/plain"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"/sources": ["ACCOUNTS"]}, "sources"),
        ({"/aggregation": ABSENT}, "aggregation"),
        ({"/schemaConfig/requiredMappings": [ALIAS]}, "requiredMappings"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_not_carried_out_yet_is_named(changes, named):
    assert f"`{named}`" in refusal(changed(messages(), changes))


CARRIED = {
    "encryption": {"/customerEncryptionConfigurations": [{}]},
    "signing in at a storage": {"/customerAuthenticationConfigurations/0": {"authType": "S3"}},
    "shared credentials": SHARED,
    "a group": {FIELD: {"name": "a", "type": "object", "properties": [{"name": "b", "type": "string"}]}},
    "a condition": {
        f"{FIELD}/conditional": {"field": "b", "operator": "EQUALS", "value": "x"},
        "/customerDataFields/-": {"name": "b", "type": "string"},
    },
    "fetched choices": {FIELD: {"name": "a", "type": "string", "dynamicEnum": LISTS}},
    "messages that wait for each other": {"/aggregation": waiting_messages()["aggregation"]},
    "a unique value": {f"{FIELD}/unique": True},
    "a fetched schema": {"/schemaConfig/profileFields": ABSENT, "/schemaConfig/dynamicSchemaConfig": SCHEMA},
}


@pytest.mark.parametrize("changes", CARRIED.values(), ids=CARRIED)
def test_these_are_carried_out(changes):
    assert refusal(changed(messages(), changes)) == ""


def test_what_may_be_mapped_is_what_the_partner_gives_where_it_is_fetched():
    destination, _ = read(Destination, changed(messages(), CARRIED["a fetched schema"]))
    flow, _ = read(Flow, a_flow(IDENTITY, row("a.b", "given")))

    def wrong(attributes):
        return [problem.code for problem in problems_of(flow, destination, attributes)]

    assert wrong(None) == wrong(["given"]) == []
    assert wrong(["other"]) == ["unknown-target"]


def test_all_that_is_not_carried_out_is_named_at_once():
    document = changed(files(), {"/sources": ["ACCOUNTS"], "/schemaConfig/requiredMappings": []})
    message = refusal(document)

    assert "accounts and prospects" in message
    assert "aggregation" not in message, "files need no policy"
    assert "includeSegmentId" not in message, "a row of a file is about one audience"
