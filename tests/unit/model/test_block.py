"""Blocks of configuration: what they refuse, what they forgive, and that every field is explained."""

import importlib
import pkgutil

import pytest
from pydantic import Field

from headrace import model
from headrace.model.aggregation import AggregationKey, BestEffortAggregation
from headrace.model.block import Block, pointer
from headrace.model.customer_data import CustomerDataField
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.flow import BaseConnection, FieldMapping, Flow
from headrace.model.identities import IdentityNamespace
from headrace.model.problem import ConfigurationError
from headrace.model.reading import read
from headrace.model.schema import SchemaConfig
from headrace.model.text import TemplatedText


def a_server(**changes):
    text = {"templatingStrategy": "NONE", "value": "https://partner.example/"}
    return {
        "name": "Partner",
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": text},
        "httpTemplate": {"httpMethod": "POST", "requestBody": text, "contentType": "application/json"},
        **changes,
    }


def a_destination(**changes):
    return {
        "name": "Partner",
        "description": "A partner.",
        "status": "TEST",
        "uiAttributes": {"category": "crm", "connectionType": "Server-to-server", "frequency": "Streaming"},
        "identityNamespaces": {"email": {"acceptsAttributes": True}},
        "schemaConfig": {"segmentRequired": True, "identityRequired": True},
        "aggregation": {"aggregationType": "BEST_EFFORT", "bestEffortAggregation": {"maxUsersPerRequest": 10}},
        "destinationDelivery": [{"authenticationRule": "NONE", "destinationServerId": "1"}],
        **changes,
    }


def problems_of(block, document, *, strict=True):
    with pytest.raises(ConfigurationError) as caught:
        read(block, document, strict=strict)
    return [(problem.code, problem.pointer, problem.message) for problem in caught.value.problems if problem.is_error]


def every_block():
    for module in pkgutil.iter_modules(model.__path__):
        importlib.import_module(f"headrace.model.{module.name}")
    found, waiting = [], [Block]
    while waiting:
        waiting += (below := waiting.pop().__subclasses__())
        found += [block for block in below if block.__module__.startswith("headrace.")]
    return sorted(found, key=lambda block: block.__qualname__)


@pytest.mark.parametrize("block", every_block(), ids=lambda block: block.__name__)
def test_every_block_and_every_field_of_it_is_explained(block):
    unexplained = [name for name, field in block.model_fields.items() if not (field.description or "").strip()]

    assert (block.__doc__ or "").strip()
    assert unexplained == []


@pytest.mark.parametrize("block", every_block(), ids=lambda block: block.__name__)
def test_wire_names_are_camel_case(block):
    for name, field in block.model_fields.items():
        assert "_" not in (field.alias or name), f"{block.__name__}.{name}"


@pytest.mark.parametrize("block", every_block(), ids=lambda block: block.__name__)
def test_a_block_never_changes(block):
    assert block.model_config["frozen"]


# -- unknown keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "document", "expected_pointer", "nearest"),
    [
        pytest.param(DestinationServer, a_server(nam="x"), "/nam", "name", id="at the top"),
        pytest.param(
            DestinationServer,
            a_server(httpTemplate={"httpMethod": "POST", "contenttype": "a/b"}),
            "/httpTemplate/contenttype",
            "contentType",
            id="in a block",
        ),
        pytest.param(
            DestinationServer,
            a_server(
                httpTemplate={
                    "httpMethod": "POST",
                    "headers": [
                        {"header": "a", "value": {"templatingStrategy": "NONE", "value": "b", "x-headrac": {}}}
                    ],
                }
            ),
            "/httpTemplate/headers/0/value/x-headrac",
            "x-headrace",
            id="in an item of a list",
        ),
        pytest.param(
            Destination,
            a_destination(identityNamespaces={"e/mail": {"acceptsAttributes": True, "acceptCustomNamespaces": True}}),
            "/identityNamespaces/e~1mail/acceptCustomNamespaces",
            "acceptsCustomNamespaces",
            id="in an item of a map",
        ),
        pytest.param(
            Destination,
            a_destination(
                identityNamespaces={
                    "email": {"acceptedGlobalNamespaces": {"Email": {"requiredTransform": "sha256(lower($))"}}}
                }
            ),
            "/identityNamespaces/email/acceptedGlobalNamespaces/Email/requiredTransform",
            "requiredTransformation",
            id="in a map inside a map",
        ),
        pytest.param(
            SchemaConfig,
            {"segmentRequired": True, "segmentNamespaceAllowLst": []},
            "/segmentNamespaceAllowLst",
            "segmentNamespaceAllowList",
            id="a field with two names",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_name(block, document, expected_pointer, nearest):
    ((code, where, message),) = problems_of(block, document)

    assert (code, where) == ("unknown-field", expected_pointer)
    assert f"did you mean `{nearest}`?" in message


def test_an_unknown_key_that_is_like_no_other_is_refused_with_the_names_there_are():
    ((_, _, message),) = problems_of(TemplatedText, {"templatingStrategy": "NONE", "value": "", "zzz": 1})

    assert message == "`zzz` is not a field here; these are: templatingStrategy, value, x-headrace"


@pytest.mark.parametrize("name", ["name_", "destination_server_type"])
def test_our_own_names_are_not_wire_names(name):
    assert ("unknown-field", f"/{name}") in [item[:2] for item in problems_of(DestinationServer, a_server(**{name: 1}))]


def test_a_pointer_escapes_as_json_pointers_do():
    assert pointer(("a/b", 0, "c~d")) == "/a~1b/0/c~0d"


# -- everything at once -------------------------------------------------------------------------------------------


def test_everything_is_found_at_once():
    document = a_destination(
        status="LIVE",
        color="red",
        aggregation={"aggregationType": "BEST_EFFORT", "bestEffortAggregation": {"maxUsersPerRequest": 0}},
        destinationDelivery=[],
    )
    del document["name"]

    assert {(code, where) for code, where, _ in problems_of(Destination, document)} == {
        ("missing-field", "/name"),
        ("not-allowed", "/status"),
        ("unknown-field", "/color"),
        ("invalid", "/aggregation/bestEffortAggregation/maxUsersPerRequest"),
        ("invalid", "/destinationDelivery"),
    }


def test_the_error_of_many_problems_names_them_all():
    with pytest.raises(ConfigurationError, match=r"/name: .*; /destinationServerType: "):
        read(DestinationServer, {})


@pytest.mark.parametrize(
    "document", [None, [], "text", 7, [a_server()]], ids=["null", "list", "text", "number", "list of one"]
)
def test_what_is_no_object_is_refused_as_a_whole(document):
    assert [item[:2] for item in problems_of(DestinationServer, document)] == [("invalid", "")]


def test_a_value_that_is_none_of_the_alternatives_is_one_problem_at_its_own_place():
    ((code, where, message),) = problems_of(CustomerDataField, {"name": "a", "type": "string", "default": [1]})

    assert (code, where) == ("invalid", "/default")
    assert message.startswith("`default` must be a text, in quotes, or must be a whole number, or must be `true`")


def test_a_value_outside_the_list_is_refused_with_the_list():
    ((code, where, message),) = problems_of(DestinationServer, a_server(destinationServerType="FTP"))

    assert (code, where) == ("not-allowed", "/destinationServerType")
    assert message == "'FTP' is not allowed here; use 'URL_BASED'"


# -- lenient reading ----------------------------------------------------------------------------------------------


def test_a_lenient_reader_warns_of_unknown_keys_and_reads_the_rest():
    document = a_server(color="red", httpTemplate={**a_server()["httpTemplate"], "retries": 3})

    server, warnings = read(DestinationServer, document, strict=False)

    assert server == read(DestinationServer, a_server())[0]
    assert {(problem.pointer, problem.severity) for problem in warnings} == {
        ("/color", "warning"),
        ("/httpTemplate/retries", "warning"),
    }


def test_a_lenient_reader_reads_past_unknown_keys_in_lists_and_maps():
    namespaces = {"a~b/c": {"acceptsAttributes": True, "color": 1}, "d": {"acceptsAttributes": True}}
    delivery = [{"authenticationRule": "NONE", "destinationServerId": "1", "color": 1}]

    destination, warnings = read(
        Destination, a_destination(identityNamespaces=namespaces, destinationDelivery=delivery), strict=False
    )

    assert list(destination.identity_namespaces) == ["a~b/c", "d"]
    assert len(warnings) == 2


def test_a_lenient_reader_refuses_what_is_wrong_and_is_silent_about_what_is_only_unknown():
    assert [item[:2] for item in problems_of(DestinationServer, {"color": 1}, strict=False)] == [
        ("missing-field", "/name"),
        ("missing-field", "/destinationServerType"),
    ]


def test_a_lenient_reader_still_applies_the_rules_between_fields():
    document = a_server(color="red")
    del document["urlBasedDestination"]

    ((code, where, message),) = problems_of(DestinationServer, document, strict=False)

    assert (code, where) == ("missing-field", "/urlBasedDestination")
    assert "`urlBasedDestination`" in message


def test_what_is_right_is_read_without_warnings_either_way():
    assert read(DestinationServer, a_server()) == read(DestinationServer, a_server(), strict=False)
    assert read(DestinationServer, a_server())[1] == []


# -- forgiven -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "document", "key"),
    [
        *[
            pytest.param(DestinationServer, a_server(), key, id=f"server {key}")
            for key in ("instanceId", "createdDate", "lastModifiedDate", "qos")
        ],
        *[
            pytest.param(Destination, a_destination(), key, id=f"destination {key}")
            for key in ("instanceId", "imsOrg", "sandboxName", "sandboxId", "destConfigId")
        ],
        *[
            pytest.param(BaseConnection, {"name": "a", "connectionSpec": {"id": "1"}}, key, id=f"account {key}")
            for key in ("id", "etag", "state", "createdAt", "imsOrgId")
        ],
    ],
)
def test_what_the_server_sets_by_itself_is_accepted_and_ignored(block, document, key):
    assert read(block, {**document, key: {"anything": 1}}) == read(block, document)


def test_what_is_ignored_in_one_block_is_unknown_in_another():
    assert [item[:2] for item in problems_of(TemplatedText, {"templatingStrategy": "NONE", "value": "", "qos": 1})] == [
        ("unknown-field", "/qos")
    ]


@pytest.mark.parametrize(
    ("older", "name"),
    [
        ("segmentNamespaceAllowed", "segment_namespace_allow_list"),
        ("segmentNamespaceDenied", "segment_namespace_deny_list"),
    ],
)
def test_the_older_name_of_a_list_is_read(older, name):
    schema, _ = read(SchemaConfig, {"segmentRequired": True, older: ["ups"]})

    assert getattr(schema, name) == ("ups",)


def test_lists_that_exclude_each_other_are_refused_together():
    document = {"segmentRequired": True, "segmentNamespaceAllowList": ["a"], "segmentNamespaceDenied": ["b"]}

    assert "exclude each other" in problems_of(SchemaConfig, document)[0][2]


def test_an_empty_list_excludes_nothing():
    document = {"segmentRequired": True, "segmentNamespaceAllowList": ["a"], "segmentNamespaceDenyList": []}

    assert read(SchemaConfig, document)[0].segment_namespace_allow_list == ("a",)


@pytest.mark.parametrize(
    ("written", "expected"), [(10, 10), ("10", 10), ("007", 7), (10.0, 10)], ids=["number", "digits", "zeros", "float"]
)
def test_a_count_may_be_written_as_digits(written, expected):
    assert read(BestEffortAggregation, {"maxUsersPerRequest": written})[0].max_users_per_request == expected


@pytest.mark.parametrize("written", ["", "ten", "-1", "1.5", "²", "１", "0", 0, -1, 1.5, None, [1]], ids=repr)
def test_a_count_is_at_least_one(written):
    assert [item[:2] for item in problems_of(BestEffortAggregation, {"maxUsersPerRequest": written})] == [
        ("invalid", "/maxUsersPerRequest")
    ]


# -- rules between fields -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param({"includeSegmentStatus": True}, "needs `includeSegmentId`", id="status without audience"),
        pytest.param({"includeIdentity": True}, "needs `groups`", id="identity without groups"),
        pytest.param({"includeIdentity": True, "groups": []}, "needs `groups`", id="identity with empty groups"),
        pytest.param(
            {"includeIdentity": True, "groups": [{"namespaces": ["a", "b"]}, {"namespaces": ["b"]}]},
            "stands in two `groups`",
            id="a namespace in two groups",
        ),
    ],
)
def test_an_aggregation_key_agrees_with_itself(document, says):
    assert says in problems_of(AggregationKey, document)[0][2]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"includeSegmentId": True, "includeSegmentStatus": True},
        {"includeIdentity": True, "oneIdentityPerGroup": True},
        {"includeIdentity": True, "oneIdentityPerGroup": True, "groups": []},
        {"groups": None},
    ],
    ids=["nothing", "audience and status", "one each", "one each, no groups", "null"],
)
def test_an_aggregation_key_that_agrees_with_itself_is_read(document):
    assert read(AggregationKey, document)[1] == []


def test_a_group_of_namespaces_is_not_empty():
    document = {"includeIdentity": True, "groups": [{"namespaces": []}]}

    assert problems_of(AggregationKey, document)[0][:2] == ("invalid", "/groups/0/namespaces")


def test_a_namespace_must_take_something():
    assert "nothing can be mapped" in problems_of(IdentityNamespace, {})[0][2]


@pytest.mark.parametrize(
    ("rule", "configurations", "is_right"),
    [
        ("CUSTOMER_AUTHENTICATION", [{"authType": "BEARER"}], True),
        ("CUSTOMER_AUTHENTICATION", [], False),
        ("NONE", [], True),
        ("NONE", [{"authType": "BEARER"}], False),
        ("PLATFORM_AUTHENTICATION", [{"authType": "BEARER"}], False),
    ],
)
def test_operators_are_asked_for_credentials_exactly_where_theirs_are_used(rule, configurations, is_right):
    document = a_destination(
        customerAuthenticationConfigurations=configurations,
        destinationDelivery=[{"authenticationRule": rule, "destinationServerId": "1"}],
    )
    if is_right:
        assert read(Destination, document)[0].delivery.authentication_rule == rule
    else:
        assert "customerAuthenticationConfigurations" in problems_of(Destination, document)[0][2]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (None, False),
        ({"segmentRequired": True, "profileRequired": True}, False),
        ({"segmentRequired": True, "profileFields": []}, False),
        ({"segmentRequired": True, "profileFields": [{"name": "city", "type": "string"}]}, True),
    ],
    ids=["no schema", "free-form", "empty list", "predefined"],
)
def test_attributes_are_predefined_where_the_author_lists_them(schema, expected):
    assert read(Destination, a_destination(schemaConfig=schema))[0].has_predefined_attributes is expected


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ({}, False),
        ({"segmentMappingConfig": {"mapUserInput": True}}, True),
        ({"audienceMetadataConfig": {"mapUserInput": True}}, True),
        ({"audienceMetadataConfig": {}, "segmentMappingConfig": {"mapUserInput": True}}, True),
    ],
    ids=["neither", "older home", "newer home", "both together"],
)
def test_the_audience_metadata_has_two_homes(blocks, expected):
    assert read(Destination, a_destination(**blocks))[0].audience_metadata.map_user_input is expected


# -- dataflows ----------------------------------------------------------------------------------------------------


def a_flow(selectors=(), fields=()):
    params = {"segmentSelectors": {"selectors": list(selectors)}, "profileSelectors": {"selectors": list(fields)}}
    return {
        "name": "flow",
        "sourceConnectionIds": ["s"],
        "targetConnectionIds": ["t"],
        "transformations": [{"params": params}],
    }


def test_a_dataflow_without_a_transformation_sends_nothing():
    flow, _ = read(Flow, {"name": "flow", "sourceConnectionIds": ["s"], "targetConnectionIds": ["t"]})

    assert (flow.audiences, flow.mapping) == ((), ())


def test_an_audience_is_chosen_once():
    twice = [{"value": {"id": "a"}}, {"value": {"id": "a", "namespace": "ups"}}]

    assert "'a' is chosen twice" in problems_of(Flow, a_flow(twice))[0][2]


def test_the_same_id_of_two_origins_is_two_audiences():
    flow, _ = read(Flow, a_flow([{"value": {"id": "a"}}, {"value": {"id": "a", "namespace": "other"}}]))

    assert [(item.namespace, item.id) for item in flow.audiences] == [("ups", "a"), ("other", "a")]


@pytest.mark.parametrize(
    ("value", "source", "destination"),
    [
        pytest.param({"path": "person.name"}, "person.name", "person_name", id="an attribute by its path alone"),
        pytest.param({"path": "identityMap.Email"}, "identityMap.Email", "identityMap.Email", id="an identity alone"),
        pytest.param(
            {"path": "identityMap.Email", "identity": {"namespace": "mail"}},
            "identityMap.Email",
            "identityMap.mail",
            id="an identity in short",
        ),
        pytest.param(
            {"path": "a", "mapping": {"source": "b", "destination": "c"}}, "b", "c", id="a mapping of its own"
        ),
    ],
)
def test_a_field_says_where_it_goes(value, source, destination):
    flow, _ = read(Flow, a_flow(fields=[{"value": value}]))

    assert [(row.source, row.destination) for row in flow.mapping] == [(source, destination)]


# A row made by name, not from the wire, must be a row as well.
def test_a_row_is_written_back_as_clients_wrote_it():
    row = FieldMapping.model_validate({"source": "a", "destination": "b", "copyModeMapping": True})

    assert row.model_dump(by_alias=True, exclude_unset=True) == {
        "source": "a",
        "destination": "b",
        "copyModeMapping": True,
    }


class Nested(Block):
    """A block for the next test."""

    inner: "Nested | None" = Field(None, description="One more of the same.")
    size: int = Field(1, description="A number.")


def test_a_block_inside_itself_finds_the_nearest_name():
    assert problems_of(Nested, {"inner": {"inner": {"sise": 1}}}) == [
        ("unknown-field", "/inner/inner/sise", "`sise` is not a field here; did you mean `size`?")
    ]
