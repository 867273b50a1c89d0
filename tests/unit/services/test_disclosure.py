"""Where a destination sends, and what, read from what its author declared."""

import pytest

from headrace.services.checks import AUDIENCE_TEMPLATE, SERVER
from headrace.services.disclosure import Disclosure, disclosure_of, origin_of

ORIGINS = {
    "plain": ("https://api.acme.example/v1/members?x=1", "https://api.acme.example"),
    "with a port": ("https://api.acme.example:8443/", "https://api.acme.example:8443"),
    "no path": ("https://api.acme.example", "https://api.acme.example"),
    "a query at once": ("https://api.acme.example?q=/", "https://api.acme.example"),
    "in capitals": ("HTTPS://API.Acme.example/V1", "https://api.acme.example"),
    "with space around": ("  https://api.acme.example/v1 ", "https://api.acme.example"),
    "a region": ("https://{{ customerData.region }}.acme.example/v1", "https://{{customerData.region}}.acme.example"),
    "a path of data": ("https://api.acme.example/{{ input.aggregationKey.x }}", "https://api.acme.example"),
    "a host that goes on": ("https://acme.example{{customerData.x}}/v1", "https://acme.example{{customerData.x}}"),
    "somebody before the host": ("https://acme.example@evil.example/v1", "https://evil.example"),
    "a backslash": ("https://acme.example\\@evil.example/v1", "https://acme.example"),
    "all of it data": ("{{ customerData.url }}/v1", "{{ customerData.url }}/v1"),
    "a choice": (
        "https://{% if a %}one{% else %}two{% endif %}.example/v1",
        "https://{% if a %}one{% else %}two{% endif %}.example/v1",
    ),
    "a slash in an expression": ('https://{{ "evil/" }}.acme.example/', 'https://{{ "evil/" }}.acme.example/'),
    "a filter": ("https://{{ a | lower }}.acme.example/v1", "https://{{ a | lower }}.acme.example/v1"),
    "set before": ("{% set h = 1 %}https://acme.example/", "{% set h = 1 %}https://acme.example/"),
    "nothing": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize(("address", "origin"), ORIGINS.values(), ids=ORIGINS)
def test_the_origin_of_an_address_is_told_where_it_can_be_read_off_it(address, origin):
    assert origin_of(address) == origin


class Objects:
    def __init__(self, **objects):
        self._objects = objects

    def get(self, noun, id_):
        return self._objects.get(id_) if noun in (SERVER, AUDIENCE_TEMPLATE) else None

    def all_of(self, noun):
        return []


def server(url):
    return {"urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": url}}}


def delivering(id_, **more):
    return {"destinationDelivery": [{"authenticationRule": "NONE", "destinationServerId": id_}], **more}


def test_every_address_that_is_called_is_told():
    way = {
        "authType": "OAUTH2",
        "authorizationUrl": "https://sign-in.example/a",
        "accessTokenUrl": "https://token.example/t",
        "accessTokenRequest": server("https://custom-token.example/t"),
        "authenticationDataFields": [{"name": "refreshTokenUrl", "value": "https://preset.example/t"}],
        "x-headrace": {"revocationUrl": "https://ending.example/r"},
    }
    destination = delivering(
        "delivery",
        customerAuthenticationConfigurations=[way],
        customerDataFields=[{"name": "list", "type": "string", "dynamicEnum": {"destinationServerId": "options"}}],
        schemaConfig={"dynamicSchemaConfig": {"dynamicEnum": {"destinationServerId": "schema"}}},
        audienceMetadataConfig={"audienceTemplateId": "template"},
        uiAttributes={"documentationLink": "https://help.example/", "iconUrl": "https://icon.example/"},
    )
    event = {"url": "https://audiences.example/{{segment.alias}}", "httpMethod": "POST"}
    objects = Objects(
        delivery=server("https://delivery.example/"),
        options=server("https://options.example/"),
        schema=server("https://schema.example/"),
        template={"metadataTemplate": {"name": "t", "create": event}},
    )

    told = disclosure_of(destination, objects)

    names = ("audiences", "custom-token", "delivery", "ending", "options", "preset", "schema", "sign-in", "token")
    assert told.origins == tuple(f"https://{name}.example" for name in names)


STORAGES = {
    "S3": ("fileBasedS3Destination", {"bucket": {"value": "inbox"}, "path": {"value": "in"}}, "s3://inbox"),
    "SFTP": ("fileBasedSFTPDestination", {"hostName": {"value": "sftp.acme.example"}}, "sftp://sftp.acme.example"),
    "Google": ("fileBasedGoogleCloudStorageDestination", {"bucket": {"value": "b"}}, "gs://b"),
    "Blob": (
        "fileBasedAzureBlobDestination",
        {"path": {"value": "https://acme.blob.core.windows.net/x"}},
        "https://acme.blob.core.windows.net",
    ),
    "Data Lake": (
        "fileBasedAdlsGen2Destination",
        {"path": {"value": "abfs://files@acme.dfs.core.windows.net/in/"}},
        "abfs://acme.dfs.core.windows.net",
    ),
}


@pytest.mark.parametrize(("name", "storage", "origin"), STORAGES.values(), ids=STORAGES)
def test_a_storage_is_an_origin_too(name, storage, origin):
    assert disclosure_of(delivering("s"), Objects(s={name: storage})).origins == (origin,)


FIELDS = {
    "nothing but audiences": ({}, ["audience:*"]),
    "identities": ({"identityNamespaces": {"b": {}, "a": {}}}, ["audience:*", "identity:a", "identity:b"]),
    "any attribute": ({"schemaConfig": {"profileRequired": True}}, ["audience:*", "attribute:*"]),
    "a schema that is fetched": ({"schemaConfig": {"dynamicSchemaConfig": {"a": 1}}}, ["audience:*", "attribute:*"]),
    "some attributes": (
        {"schemaConfig": {"profileRequired": True, "profileFields": [{"name": "email"}]}},
        ["audience:*", "attribute:email"],
    ),
    "what its author maps": (
        {"schemaConfig": {"requiredMappings": [{"destination": "x"}, {"source": "person.name", "destination": "n"}]}},
        ["audience:*", "fixed:person.name"],
    ),
    "customer data": ({"customerDataFields": [{"name": "region"}]}, ["audience:*", "customerData:region"]),
}  # fmt: skip


@pytest.mark.parametrize(("document", "fields"), FIELDS.values(), ids=FIELDS)
def test_what_is_sent_is_told_as_far_as_it_is_declared(document, fields):
    assert disclosure_of(document, Objects()).fields == tuple(fields)


BEYOND = {
    "the same": (["https://a"], ["identity:a"], (), ()),
    "an origin": ([], ["identity:a"], ("https://a",), ()),
    "another identity": (["https://a"], ["identity:b"], (), ()),
    "the first identity": (["https://a"], ["audience:*"], (), ("identity:a",)),
}


@pytest.mark.parametrize(("origins", "fields", "new_origins", "new_fields"), BEYOND.values(), ids=BEYOND)
def test_a_consent_is_to_origins_and_to_kinds_of_what_an_operator_maps(origins, fields, new_origins, new_fields):
    told = Disclosure(("https://a",), ("identity:a",))

    assert told.beyond(origins, fields) == Disclosure(new_origins, new_fields)


def test_what_an_author_maps_is_agreed_to_by_name():
    told = Disclosure((), ("fixed:person.name", "fixed:person.age"))

    assert told.beyond([], ["fixed:person.name"]).fields == ("fixed:person.age",)
