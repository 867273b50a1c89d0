"""The page of a destination: every section, in order, each from what the configuration says."""

import copy
import json
import re
from pathlib import Path

import pytest

from headrace.cli import examples
from headrace.services.documentation.page import page

GOLDEN = Path(__file__).parent / "golden"
#: Sections 1 to 16 with their anchors; 0 is the front matter.
ANCHORS = [
    "overview", "use-cases", "prerequisites", "supported-identities", "supported-audiences", "export-type-frequency",
    "connect", "authenticate", "destination-details", "alerts", "activate", "map", "exported-data",
    "data-usage-governance", "additional-resources",
]  # fmt: skip


def read(name):
    path = GOLDEN / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else examples.destination(name)


def made(example="lighthouse", /, **changes):
    """The page of an example; ``changes`` are members of its destination."""
    example = read(example)
    destination = {**example["destination"], **changes}
    return page(destination, example["destinationServer"], example.get("audienceTemplate"))


def section(text, anchor):
    """The text of one section, without its heading."""
    return re.search(rf"^#+ [^\n]*{{#{anchor}}}\n(.*?)(?=^#+ [^\n]*{{#|\Z)", text, re.DOTALL | re.MULTILINE)[1].strip()


@pytest.mark.parametrize("name", ["lighthouse", "moviestar", "harbour-drop"])
def test_a_page_is_as_it_was_reviewed(name):
    assert made(name).text == (GOLDEN / f"{name}.md.txt").read_text()


@pytest.mark.parametrize("name", ["lighthouse", "moviestar", "harbour-drop"])
def test_every_section_is_there_in_order_and_none_is_empty(name):
    text = made(name).text

    anchors = re.findall(r"^#+ .*{#([a-z0-9-]+)}$", text, re.MULTILINE)
    assert [anchor for anchor in anchors if not anchor.startswith("use-case-")] == [name, *ANCHORS]
    assert text.startswith("---\ntitle: ")
    assert all(section(text, anchor) for anchor in ANCHORS)


def test_the_page_of_a_streaming_destination_tells_what_it_is():
    """T24: predefined attributes, deny list empty, a bearer token."""
    text = made().text

    assert re.findall(r"\| (✓|X) \|", section(text, "supported-audiences")) == ["✓", "✓", "✓"]
    assert "| Export type | **Profile-based** |" in text
    assert "| Export frequency | **Streaming** |" in text
    assert "* **Bearer token**: " in section(text, "authenticate")


def test_the_sample_is_what_the_template_makes_of_two_people():
    shown = section(made().text, "exported-data")

    assert "PATCH https://lists.lighthouse.example/v2/lists/recent-buyers/members" in shown
    assert json.loads(re.search(r"```json\n(.*?)```", shown, re.DOTALL)[1]) == {
        "list": "recent-buyers",
        "members": [
            {"customer": "customer-of-bo", "email": None, "member": True, "since": "2026-01-15T09:30:00.000+0000"},
            {"customer": "customer-of-ana", "email": "ana@example.com", "member": True,
             "since": "2026-01-15T09:30:00.000+0000"},
        ],
    }  # fmt: skip


AUDIENCES = {
    "no list": ({}, "✓✓✓"),
    "nothing is denied": ({"segmentNamespaceDenyList": []}, "✓✓✓"),
    "uploads are denied": ({"segmentNamespaceDenyList": ["CustomerAudienceUpload"]}, "✓X✓"),
    "only the platform's": ({"segmentNamespaceAllowList": ["ups"]}, "✓XX"),
    "only others": ({"segmentNamespaceAllowed": ["AudienceManager"]}, "XX✓X"),
}


@pytest.mark.parametrize(("lists", "marks"), AUDIENCES.values(), ids=AUDIENCES)
def test_supported_audiences_follow_the_lists(lists, marks):
    text = made(schemaConfig={"segmentRequired": True, **lists}).text

    assert "".join(re.findall(r"\| (✓|X) \|", section(text, "supported-audiences"))) == marks


OAUTH = {"authType": "OAUTH2", "authenticationDataFields": [
    {"name": "tenant", "title": "Tenant", "source": "CUSTOMER"},
    {"name": "refresh", "source": "CUSTOMER", "authenticationResponsePath": "x"},
    {"name": "clientId", "source": "PARTNER", "value": "us"},
]}  # fmt: skip
SIGN_INS = {
    "basic": ([{"authType": "BASIC"}], ["Username", "Password"]),
    "an authorization code": ([{**OAUTH, "grant": "OAUTH2_AUTHORIZATION_CODE"}], ["Connect to destination"]),
    "a password": ([{**OAUTH, "grant": "OAUTH2_PASSWORD"}], ["Username", "Password"]),
    "client credentials": ([{**OAUTH, "grant": "OAUTH2_CLIENT_CREDENTIALS"}], ["Tenant"]),
    "a connection string": ([{"authType": "AZURE_CONNECTION_STRING"}], ["Connection string"]),
    "keys of a bucket": ([{"authType": "S3"}], ["Access key ID", "Secret access key", "Role"]),
}


@pytest.mark.parametrize(("entries", "labels"), SIGN_INS.values(), ids=SIGN_INS)
def test_credentials_are_told_one_by_one(entries, labels):
    text = made(customerAuthenticationConfigurations=entries).text

    assert re.findall(r"\*\*(.+?)\*\*", section(text, "authenticate")) == labels


def test_without_credentials_it_is_said_that_there_is_nothing_to_enter():
    delivery = [{"authenticationRule": "NONE", "destinationServerId": "x"}]
    text = made(customerAuthenticationConfigurations=[], destinationDelivery=delivery).text

    assert section(text, "authenticate").startswith("Nothing has to be entered")


METADATA = {
    "typed": ({"mapUserInput": True}, "enter its ID in Lighthouse as **Mapping ID**"),
    "its name": ({"mapExperiencePlatformSegmentName": True}, "known by its name"),
    "its id": ({"mapExperiencePlatformSegmentId": True}, "known by its ID"),
    "a template": ({"audienceTemplateId": "x"}, "Audiences are created in Lighthouse by themselves"),
}


@pytest.mark.parametrize(("metadata", "says"), METADATA.values(), ids=METADATA)
def test_it_is_said_how_an_audience_is_known_at_the_partner(metadata, says):
    assert says in section(made(audienceMetadataConfig=metadata).text, "activate")


def test_texts_of_authors_break_no_table_and_no_front_matter():
    namespaces = {"a | b\nc": {"acceptsCustomNamespaces": True}}
    text = made(name='Light "house": 2', identityNamespaces=namespaces, description="One: two\nthree\n\nFour").text

    assert text.startswith('---\ntitle: "Light \\"house\\": 2 connection"\ndescription: "One: two three"\n---\n')
    rows = section(text, "supported-identities").splitlines()[2:]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}


def test_a_template_that_cannot_be_rendered_is_a_warning_and_no_end():
    example = copy.deepcopy(read("lighthouse"))
    example["destinationServer"]["httpTemplate"]["requestBody"]["value"] = "{{ input.profiles[0].identityMap"

    made = page(example["destination"], example["destinationServer"])

    assert "No sample can be shown: " in made.text
    assert made.warnings[0].startswith("no sample message can be shown: requestBody:1:")


@pytest.mark.parametrize("destination", [{}, {"schemaConfig": None, "customerDataFields": "x", "aggregation": []}])
def test_there_is_a_page_before_anything_is_right(destination):
    assert all(section(page(destination, None).text, anchor) for anchor in ANCHORS)


def test_a_page_has_its_place_in_a_catalog():
    assert made().path == "catalog/emailMarketing/lighthouse.md"
