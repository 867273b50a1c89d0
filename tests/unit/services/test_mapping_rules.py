"""What a destination takes of calculated fields, telephone numbers, and the rows that its author filled in."""

import pytest

from authored import changed, messages
from headrace.mapping import IdentityRow
from headrace.model.destination import Destination
from headrace.model.flow import Flow
from headrace.model.problem import ConfigurationError
from headrace.model.reading import read
from headrace.services.checks import DESTINATION, EXAMINE
from headrace.services.live import mapping_of
from headrace.services.rules import SOFT_LIMITS, problems_of, warnings_of

SELECTORS = "/transformations/0/params/segmentSelectors/selectors"
MAPPING = "/transformations/0/params/profileSelectors/selectors"
HASH = "sha256(lower($))"
COVERED = (
    "fixed-mapping",
    "invalid-expression",
    "larger-than-advised",
    "list-or-object",
    "no-single-audience",
    "renamed-target",
    "required-mapping",
    "required-only",
    "unknown-region",
)


class Nothing:
    """A sandbox with nothing in it."""

    def get(self, noun, id_):
        return None

    def all_of(self, noun):
        return []


def audience(id_="a"):
    return {"type": "PLATFORM_SEGMENT", "value": {"id": id_, "namespace": "ups", "name": id_}}


def row(source, target, **says):
    return {
        "type": "JSON_PATH",
        "value": {"path": source, "mapping": {"source": source, "destination": target, **says}},
    }


def computed(source, target="given", kind="text/x.aep-xl", **says):
    return row(source, target, sourceType=kind, **says)


IDENTITY = row("loyaltyId", "identityMap.harbor_id")


def a_flow(*rows, audiences=None):
    params = {
        "segmentSelectors": {"selectors": [audience()] if audiences is None else audiences},
        "profileSelectors": {"selectors": list(rows)},
    }
    flow = {
        "name": "flow",
        "sourceConnectionIds": ["s"],
        "targetConnectionIds": ["t"],
        "transformations": [{"name": "GeneralTransform", "params": params}],
    }
    return read(Flow, flow)[0]


def a_destination(**changes):
    return read(Destination, changed(messages(), {f"/{where}": value for where, value in changes.items()}))[0]


def found(flow, **changes):
    return {problem.pointer: problem.code for problem in problems_of(flow, a_destination(**changes))}


def schema(**changes):
    return messages()["schemaConfig"] | changes


def by_audience():
    policy = {"maxUsersPerRequest": 5, "aggregationKey": {"includeSegmentId": True}}
    return {"aggregation/bestEffortAggregation": policy}


# -- calculated fields ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/x.aep-xl", "EXPRESSION"])
def test_a_calculated_field_is_mapped_like_an_attribute(kind):
    flow = a_flow(IDENTITY, computed("ucase(person.name)", kind=kind))

    assert found(flow) == {}
    mapped = mapping_of(flow, a_destination()).attributes({"person": {"name": "ann"}})
    assert mapped == {"given": "ANN"}


def test_a_path_is_called_an_attribute_too():
    assert found(a_flow(IDENTITY, row("a.b", "given", sourceType="ATTRIBUTE"))) == {}


@pytest.mark.parametrize(
    ("source", "code", "where"),
    [
        ("ucas(a)", "invalid-expression", "/mapping/source"),
        ("transformArray(a, x -> x)", "list-or-object", "/mapping/source"),
        ("to_object('a', b)", "list-or-object", "/mapping/source"),
        ("iif(segmentMembership.ups.aep_seg_id.status == 'exited', '1', '0')", "no-single-audience", ""),
    ],
)
def test_a_calculated_field_that_cannot_be_carried_is_refused(source, code, where):
    assert found(a_flow(IDENTITY, computed(source))) == {f"{MAPPING}/1/value{where}": code}


def test_a_calculated_field_says_where_it_is_wrong():
    (problem,) = problems_of(a_flow(IDENTITY, computed("concat(a,\n  ucas(b))")), a_destination())

    assert problem.message == "line 2, column 3: there is no function `ucas`; the nearest is `ucase`"


def test_an_object_is_taken_where_the_author_declares_one():
    fields = {"schemaConfig/profileFields/0/type": "object"}

    assert found(a_flow(IDENTITY, computed("to_object('a', b)")), **fields) == {}
    mapping = mapping_of(a_flow(IDENTITY, row("all", "given")), a_destination(**fields))
    assert mapping.attributes({"all": [1]}) == {"given": [1]}


def test_a_calculated_field_is_an_identity_where_attributes_are():
    assert found(a_flow(computed("concat(a, b)", "identityMap.harbor_id"))) == {}
    only = {"identityNamespaces/harbor_id": {"acceptsCustomNamespaces": True}}
    assert found(a_flow(computed("concat(a, b)", "identityMap.harbor_id")), **only) == {
        f"{MAPPING}/0/value/path": "not-mappable"
    }


@pytest.mark.parametrize("source", ["metadata.segment.alias", "segmentMembership.seg_namespace.seg_id.status"])
def test_what_is_of_one_audience_is_mapped_where_messages_are_of_one(source):
    kind = "text/plain" if source.startswith("metadata") else "text/x.schema-path"
    flow = a_flow(IDENTITY, row(source, "given", sourceType=kind))

    assert found(flow) == {f"{MAPPING}/1/value": "no-single-audience"}
    assert found(flow, **by_audience()) == {}


def test_there_is_one_macro():
    with pytest.raises(ConfigurationError) as caught:
        a_flow(row("metadata.segment.name", "given", sourceType="text/plain"))

    assert [problem.code for problem in caught.value.problems] == ["not-a-macro"]


# -- identities -------------------------------------------------------------------------------------------------------

#: Of a namespace: what it accepts, the source, and whether that may be mapped.
ACCEPTED = [
    pytest.param({"acceptsAttributes": True}, "loyalty.id", True, id="an attribute"),
    pytest.param({"acceptsAttributes": True}, "identityMap.crmId", False, id="a custom namespace for an attribute"),
    pytest.param({"acceptsCustomNamespaces": True}, "identityMap.crmId", True, id="a custom namespace"),
    pytest.param({"acceptsCustomNamespaces": True}, "loyalty.id", False, id="an attribute for a custom namespace"),
    pytest.param({"acceptedGlobalNamespaces": {"Email": {}}}, "identityMap.Email", True, id="a standard namespace"),
    pytest.param({"acceptedGlobalNamespaces": {"Email": {}}}, "identityMap.Phone", False, id="another standard one"),
    pytest.param({"acceptedGlobalNamespaces": {"Email": {}}}, "identityMap.crmId", False, id="a custom for a standard"),
    pytest.param(
        {"acceptedGlobalNamespaces": {"Phone_E.164": {}}},
        "identityMap.Phone_E//.164",
        True,
        id="a dot in its name",
    ),
]


@pytest.mark.parametrize(("namespace", "source", "accepted"), ACCEPTED)
def test_a_namespace_takes_what_it_says(namespace, source, accepted):
    problems = found(a_flow(row(source, "identityMap.harbor_id")), **{"identityNamespaces/harbor_id": namespace})

    assert problems == ({} if accepted else {f"{MAPPING}/0/value/path": "not-mappable"})


REQUIRED = {"acceptedGlobalNamespaces": {"Email": {"requiredTransformation": HASH}}}


@pytest.mark.parametrize(
    ("namespace", "ticked", "applied"),
    [
        pytest.param({"acceptedGlobalNamespaces": {"Email": {}}}, False, None, id="none"),
        pytest.param({"acceptedGlobalNamespaces": {"Email": {}}, "transformation": HASH}, False, None, id="offered"),
        pytest.param({"acceptedGlobalNamespaces": {"Email": {}}, "transformation": HASH}, True, HASH, id="ticked"),
        pytest.param(REQUIRED, False, HASH, id="required"),
        pytest.param(REQUIRED, True, HASH, id="required and ticked"),
        pytest.param(REQUIRED | {"transformation": HASH}, True, HASH, id="required, offered and ticked"),
    ],
)
def test_a_transformation_is_applied_where_it_is_required_or_ticked(namespace, ticked, applied):
    says = {"x-headrace": {"transformation": HASH}} if ticked else {}
    flow = a_flow(row("identityMap.Email", "identityMap.harbor_id", **says))
    changes = {"identityNamespaces/harbor_id": namespace}

    assert found(flow, **changes) == {}
    mapping = mapping_of(flow, a_destination(**changes))
    assert mapping.identity_rows == (IdentityRow("Email", "harbor_id", transformation=applied),)


def test_a_region_is_one_that_has_telephones():
    def told(region):
        return found(a_flow(row("phone", "identityMap.harbor_id", **{"x-headrace": {"region": region}})))

    assert told("DE") == {}
    assert told("XX") == {f"{MAPPING}/0/value/mapping/x-headrace/region": "unknown-region"}


# -- rows that the author filled in -----------------------------------------------------------------------------------

FIXED = {"sourceType": "text/x.aep-xl", "source": "ucase(tier)", "destination": "given"}
WANTED = {"destination": "identityMap.harbor_id"}


def test_a_row_that_is_filled_in_is_mapped_by_itself():
    changes = {"schemaConfig": schema(requiredMappings=[FIXED])}

    assert found(a_flow(IDENTITY), **changes) == {}
    mapping = mapping_of(a_flow(IDENTITY), a_destination(**changes))
    assert mapping.attributes({"tier": "gold"}) == {"given": "GOLD"}


def test_a_row_that_is_filled_in_may_be_written_and_not_changed():
    changes = {"schemaConfig": schema(requiredMappings=[FIXED])}

    assert found(a_flow(IDENTITY, computed("ucase(tier)")), **changes) == {}
    other = a_flow(IDENTITY, computed("lcase(tier)"))
    assert found(other, **changes) == {f"{MAPPING}/1/value/mapping/source": "fixed-mapping"}
    assert mapping_of(other, a_destination(**changes)).attributes({"tier": "gold"}) == {"given": "GOLD"}


def test_a_row_that_is_asked_for_is_mapped_by_the_operator():
    changes = {"schemaConfig": schema(requiredMappings=[{"destination": "given"}])}

    assert found(a_flow(IDENTITY), **changes) == {MAPPING: "required-mapping"}
    assert found(a_flow(IDENTITY, row("a", "given")), **changes) == {}
    assert found(a_flow(audiences=[]), **changes) == {}


def test_an_attribute_that_the_author_requires_is_mapped():
    changes = {"schemaConfig/profileFields/0/isRequired": True}

    assert found(a_flow(IDENTITY), **changes) == {MAPPING: "required-mapping"}
    assert found(a_flow(IDENTITY, row("a", "given")), **changes) == {}


def test_beyond_the_rows_that_are_asked_for_nothing_may_be_mapped():
    changes = {"schemaConfig": schema(requiredMappings=[WANTED], requiredMappingsOnly=True)}

    assert found(a_flow(IDENTITY), **changes) == {}
    more = a_flow(IDENTITY, row("a", "given"))
    assert found(more, **changes) == {f"{MAPPING}/1/value/mapping/destination": "required-only"}


def test_an_identity_that_is_filled_in_is_enough():
    email = {"sourceType": "text/x.schema-path", "source": "identityMap.Email", "destination": "identityMap.email_hash"}
    changes = {"schemaConfig": schema(requiredMappings=[email])}

    assert found(a_flow(), **changes) == {}
    mapping = mapping_of(a_flow(), a_destination(**changes))
    assert mapping.identity_rows == (IdentityRow("Email", "email_hash", transformation=HASH),)


def test_where_nothing_is_mapped_no_identity_is_asked_for():
    silent = {"profileFields": None, "profileRequired": False, "identityRequired": False}

    assert found(a_flow(), schemaConfig=schema(**silent)) == {}
    assert found(a_flow(), schemaConfig=schema(**silent | {"identityRequired": True})) == {MAPPING: "no-identity"}


def test_targets_have_the_names_of_their_sources_where_the_author_says_so():
    changes = {"schemaConfig": schema(profileFields=None, useCustomerSchemaForAttributeMapping=True)}

    assert found(a_flow(IDENTITY, row("a.b", "a.b")), **changes) == {}
    renamed = a_flow(IDENTITY, row("a.b", "c"))
    assert found(renamed, **changes) == {f"{MAPPING}/1/value/mapping/destination": "renamed-target"}


@pytest.mark.parametrize(
    ("wanted", "code", "field"),
    [
        ({"sourceType": "text/x.aep-xl", "source": "ucas(a)", "destination": "x"}, "invalid-expression", "source"),
        ({"sourceType": "text/x.aep-xl", "source": "[1]", "destination": "x"}, "list-or-object", "source"),
        ({"sourceType": "text/x.schema-path", "source": "a..b", "destination": "x"}, "invalid-path", "source"),
        ({"destination": "identityMap.absent"}, "unknown-target", "destination"),
        (
            {"sourceType": "text/x.schema-path", "source": "identityMap.Email", "destination": "x"},
            "not-mappable",
            "destination",
        ),
    ],
)
def test_an_author_is_told_of_a_row_that_cannot_be_mapped(wanted, code, field):
    document = changed(messages(), {"/schemaConfig/requiredMappings": [wanted]})

    problems = EXAMINE[DESTINATION](document, Nothing(), None, True).problems

    assert (code, f"/schemaConfig/requiredMappings/0/{field}") in [(item.code, item.pointer) for item in problems]


# -- limits -----------------------------------------------------------------------------------------------------------


def warned(flow, **changes):
    return [(problem.code, problem.pointer) for problem in warnings_of(flow, a_destination(**changes))]


def test_a_dataflow_larger_than_is_advised_is_kept_with_a_warning():
    rows = [row(f"a{place}", f"t{place}") for place in range(SOFT_LIMITS["attributes"] + 1)]
    audiences = [audience(f"a{place}") for place in range(SOFT_LIMITS["audiences"] + 1)]

    assert warned(a_flow(IDENTITY, *rows[1:])) == []
    assert warned(a_flow(IDENTITY, *rows)) == [("larger-than-advised", MAPPING)]
    assert warned(a_flow(IDENTITY, audiences=audiences[1:])) == []
    assert warned(a_flow(IDENTITY, audiences=audiences)) == [("larger-than-advised", SELECTORS)]


def test_rows_that_are_filled_in_count_towards_the_limit():
    changes = {"schemaConfig": schema(requiredMappings=[FIXED, {**FIXED, "destination": "other"}])}

    assert found(a_flow(IDENTITY), **changes, maxProfileAttributes=2) == {}
    assert found(a_flow(IDENTITY), **changes, maxProfileAttributes=1) == {MAPPING: "too-many"}
