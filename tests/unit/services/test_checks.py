"""Objects that belong together: what is refused, one case for each rule, and what is right beside it."""

import json
import time
from dataclasses import dataclass, field
from itertools import chain, combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authored import ABSENT, changed, template, text
from documents import (
    ADDRESSES,
    CREDENTIALS,
    EVERY_FIELD,
    LOGINS,
    MATCHERS,
    OAUTH2,
    OF_DATASETS,
    a_destination,
    a_server,
    an_audience_template,
    every_server,
    signing_in,
)
from headrace.services import checks
from headrace.services.checks import AUDIENCE_TEMPLATE, DESTINATION, EXAMINE, SERVER
from headrace.services.checks import CREDENTIALS as SHARED
from schedules import A_BATCH, EVERY_BATCH

COVERED = (
    "constant-body",
    "dataset-format",
    "datasets-only",
    "file-based-only",
    "full-exports-only",
    "missing-matchers",
    "no-aggregation",
    "no-batch-config",
    "no-credentials",
    "no-namespaces",
    "not-a-delivery-server",
    "not-a-lookup-server",
    "streaming-only",
    "type-in-use",
    "unknown-audience-template",
    "unknown-customer-data",
    "unknown-server",
    "wrong-credentials",
    "wrong-frequency",
    "wrong-rule",
    "wrong-sign-in",
)
EXAMPLES = Path(__file__).parents[3] / "examples" / "destinations"


@dataclass
class Folder:
    """The other objects, each under its noun and id."""

    objects: dict[str, dict[str, dict]] = field(default_factory=dict)

    def get(self, noun, id_):
        return self.objects.get(noun, {}).get(id_)

    def all_of(self, noun):
        return list(self.objects.get(noun, {}).items())


def found(noun, document, others=None, id_=None, *, strict=True):
    examined = EXAMINE[noun](document, others or Folder(), id_, strict)
    return [(problem.code, problem.pointer, problem.severity) for problem in examined.problems]


def messages(noun, document, others=None, id_=None):
    return [problem.message for problem in EXAMINE[noun](document, others or Folder(), id_, True).problems]


def beside(server, **others):
    """The others of a destination that delivers to a server."""
    return Folder({SERVER: {"server": server, **others.get("servers", {})}, **others.get("nouns", {})})


# -- every type of server with every way of signing in ------------------------------------------------------------

TYPES = tuple(ADDRESSES)
RULES = ("CUSTOMER_AUTHENTICATION", "PLATFORM_AUTHENTICATION", "NONE")
ALL_LOGINS = tuple(sorted({login for logins in LOGINS.values() for login in logins}))


def some_of(logins):
    return chain.from_iterable(combinations(logins, count) for count in range(1, len(logins) + 1))


VALID = {
    *((kind, "CUSTOMER_AUTHENTICATION", logins) for kind in TYPES for logins in some_of(LOGINS[kind])),
    *((kind, "PLATFORM_AUTHENTICATION", ()) for kind in CREDENTIALS),
    ("URL_BASED", "NONE", ()),
    ("FILE_BASED_DLZ", "NONE", ()),
}
SOURCES = {"people": {}, "accounts": {"/sources": ["ACCOUNTS"]}}
FILE_SOURCES = {**SOURCES, "prospects": {"/sources": ["UNIFIED_PROFILE_PROSPECTS"]}, "datasets": OF_DATASETS}
VALID_WITH_SOURCES = [
    pytest.param(kind, rule, logins, changes, id=f"{kind}, {rule}, {'+'.join(logins) or 'no login'}, {source}")
    for kind, rule, logins in sorted(VALID)
    for source, changes in (SOURCES if kind == "URL_BASED" else FILE_SOURCES).items()
]


def in_json(kind):
    return a_server(kind, {} if kind == "URL_BASED" else {"/fileConfigurations/fileType": text("parquet")})


@pytest.mark.parametrize(("kind", "rule", "logins", "changes"), VALID_WITH_SOURCES)
def test_what_goes_together_is_taken_without_a_word(kind, rule, logins, changes):
    document = a_destination(kind, {**changes, **signing_in(rule, *logins)})
    others = beside(in_json(kind), nouns={SHARED: {"credentials": CREDENTIALS.get(kind, {})}})

    assert found(DESTINATION, document, others) == []


PAIRINGS = [
    (kind, rule, logins)
    for kind in TYPES
    for rule in RULES
    for logins in [(), *((login,) for login in ALL_LOGINS)]
    if (kind, rule, logins) not in VALID
]


@pytest.mark.parametrize(("kind", "rule", "logins"), PAIRINGS)
def test_every_other_pairing_of_server_rule_and_login_is_refused(kind, rule, logins):
    others = beside(a_server(kind), nouns={SHARED: {"credentials": CREDENTIALS.get(kind, {})}})

    problems = found(DESTINATION, a_destination(kind, signing_in(rule, *logins)), others)

    expected = {"wrong-sign-in", "wrong-rule", "sign-in-unused", "no-sign-in"}
    assert problems
    assert {code for code, _, _ in problems} <= expected
    assert {severity for _, _, severity in problems} == {"error"}


def test_all_pairings_are_either_taken_or_refused():
    single = {(kind, rule, logins) for kind, rule, logins in VALID if len(logins) < 2}

    assert len(PAIRINGS) + len(single) == len(TYPES) * len(RULES) * (len(ALL_LOGINS) + 1)


# -- destinations and their servers -------------------------------------------------------------------------------

DELIVERY, SERVER_ID = "/destinationDelivery/0", "/destinationDelivery/0/destinationServerId"
MATCHING = f"{DELIVERY}/deliveryMatchers"
PROSPECTS = {"/sources": ["UNIFIED_PROFILE_PROSPECTS"]}
FILE, BODY = "FILE_BASED_S3", "/httpTemplate/requestBody"
MODES, FREQUENCIES = "/batchConfig/allowedExportModes", "/batchConfig/allowedScheduleFrequency"
CONFIGURABLE = {
    "aggregationType": "CONFIGURABLE_AGGREGATION",
    "configurableAggregation": {
        "maxBatchAgeInSecs": 600,
        "maxNumEventsInBatch": 2000,
        "aggregationKey": {"includeSegmentId": True},
    },
}

#: The rule; the type of the server; changes of the destination and of the server; what is found.
DELIVERY_CASES = [
    ("a server is there", "URL_BASED", {SERVER_ID: "other"}, {}, [("unknown-server", SERVER_ID, "error")]),
    ("messages have a request", "URL_BASED", {}, {"/httpTemplate": ABSENT},
     [("not-a-delivery-server", SERVER_ID, "error")]),
    ("messages have a body", "URL_BASED", {}, {BODY: ABSENT}, [("not-a-delivery-server", SERVER_ID, "error")]),
    ("messages have a type", "URL_BASED", {}, {"/httpTemplate/contentType": ABSENT},
     [("not-a-delivery-server", SERVER_ID, "error")]),
    ("messages differ", "URL_BASED", {}, {BODY: text("{}")}, [("constant-body", SERVER_ID, "warning")]),
    ("messages are of somebody", "URL_BASED", {"/identityNamespaces": {}}, {},
     [("no-namespaces", "/identityNamespaces", "error")]),
    ("files may be of nobody", FILE, {"/identityNamespaces": {}}, {}, []),
    ("messages are put together", "URL_BASED", {"/aggregation": ABSENT}, {},
     [("no-aggregation", "/aggregation", "error")]),
    ("messages may wait", "URL_BASED", {"/aggregation": CONFIGURABLE}, {}, []),
    ("messages have no schedule", "URL_BASED", {"/batchConfig": A_BATCH}, {},
     [("file-based-only", "/batchConfig", "error")]),
    ("messages have no schedule under its old name either", "URL_BASED", {"/batchConfiguration": A_BATCH}, {},
     [("old-name", "/batchConfiguration", "warning"), ("file-based-only", "/batchConfiguration", "error")]),
    ("prospects are files", "URL_BASED", PROSPECTS, {}, [("file-based-only", "/sources/0", "error")]),
    ("accounts may be messages", "URL_BASED", {"/sources": ["ACCOUNTS"]}, {}, []),
    ("sources are known", FILE, {"/sources": ["PEOPLE"]}, {}, [("not-allowed", "/sources/0", "error")]),
    ("there is one source", FILE, {"/sources": ["ACCOUNTS", "UNIFIED_PROFILE_PROSPECTS"]}, {},
     [("invalid", "/sources", "error")]),
    ("messages are not matched", "URL_BASED", {MATCHING: MATCHERS}, {}, [("has-no-effect", MATCHING, "warning")]),
    ("the card says Streaming", "URL_BASED", {"/uiAttributes/frequency": "Batch"}, {},
     [("wrong-frequency", "/uiAttributes/frequency", "error")]),
    ("the card says Batch", FILE, {"/uiAttributes/frequency": "Streaming"}, {},
     [("wrong-frequency", "/uiAttributes/frequency", "error")]),
    ("files have a schedule", FILE, {"/batchConfig": ABSENT}, {}, [("no-batch-config", "/batchConfig", "error")]),
    ("files are matched", FILE, {MATCHING: ABSENT}, {}, [("missing-matchers", MATCHING, "error")]),
    ("files are matched by something", FILE, {MATCHING: []}, {}, [("missing-matchers", MATCHING, "error")]),
    ("files are matched by batch", FILE, {f"{MATCHING}/0/value": ["realtime"]}, {},
     [("wrong-matcher", f"{MATCHING}/0/value", "error")]),
    ("files are not aggregated", FILE, {"/aggregation": CONFIGURABLE}, {},
     [("streaming-only", "/aggregation", "error")]),
    ("datasets may go without aggregation", FILE, {**OF_DATASETS, "/aggregation": None},
     {"/fileConfigurations/fileType": text("parquet")}, []),
    ("datasets go at once", FILE, {**OF_DATASETS, "/aggregation": CONFIGURABLE},
     {"/fileConfigurations/fileType": text("parquet")},
     [("streaming-only", "/aggregation/aggregationType", "error")]),
    ("datasets are no CSV", FILE, OF_DATASETS, {}, [("dataset-format", SERVER_ID, "error")]),
    ("datasets in JSON are compressed", FILE, OF_DATASETS, {"/fileConfigurations/fileType": text("JSON")},
     [("dataset-format", SERVER_ID, "error")]),
    ("datasets in compressed JSON", FILE, OF_DATASETS,
     {"/fileConfigurations": {"fileType": text("json"), "compression": text("GZIP")}}, []),
    ("datasets have a schedule", FILE, {**OF_DATASETS, "/batchConfig": A_BATCH},
     {"/fileConfigurations/fileType": text("parquet")},
     [("missing-field", "/batchConfig/datasetBatchConfig", "error")]),
    ("people have no schedule of datasets", FILE, {"/batchConfig/datasetBatchConfig": {}}, {},
     [("datasets-only", "/batchConfig/datasetBatchConfig", "error")]),
    ("datasets are not mapped", FILE, {**OF_DATASETS, "/schemaConfig/profileRequired": True},
     {"/fileConfigurations/fileType": text("parquet")},
     [("datasets-have-no-mapping", "/schemaConfig/profileRequired", "error")]),
    ("people choose audiences", FILE, {"/schemaConfig/segmentRequired": False}, {},
     [("no-audiences", "/schemaConfig/segmentRequired", "error")]),
    ("prospects are exported whole", FILE, {**PROSPECTS, MODES: ["DAILY_FULL_EXPORT", "FIRST_FULL_THEN_INCREMENTAL"]},
     {}, [("full-exports-only", f"{MODES}/1", "warning")]),
    ("prospects may be exported weekly", FILE, {**PROSPECTS, FREQUENCIES: ["WEEKLY", "DAILY"]}, {}, []),
    ("accounts are exported daily", FILE, {"/sources": ["ACCOUNTS"], FREQUENCIES: ["DAILY", "MONTHLY"]}, {},
     [("too-seldom", f"{FREQUENCIES}/1", "warning")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "changes", "of_server", "expected"), [pytest.param(*case[1:], id=case[0]) for case in DELIVERY_CASES]
)
def test_a_destination_fits_its_server(kind, changes, of_server, expected):
    assert found(DESTINATION, a_destination(kind, changes), beside(a_server(kind, of_server))) == expected


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_server_with_everything_is_delivered_to(kind):
    document = a_destination(kind, {"/customerDataFields": EVERY_FIELD})
    if kind != "URL_BASED":
        document["batchConfig"] = EVERY_BATCH

    assert found(DESTINATION, document, beside(every_server(kind))) == []


def test_what_is_filled_in_is_only_warned_about_in_old_documents():
    old = a_server("FILE_BASED_DLZ", {"/fileBasedDlzDestination/useCase": ABSENT})
    document = a_destination("FILE_BASED_DLZ", {MATCHING: ABSENT})

    assert found(SERVER, old, strict=False) == [("missing-use-case", "/fileBasedDlzDestination/useCase", "warning")]
    assert found(DESTINATION, document, beside(old), strict=False) == [("missing-matchers", MATCHING, "warning")]


def test_what_cannot_be_read_in_a_destination_hides_nothing_else():
    document = a_destination(
        "FILE_BASED_S3", {"/uiAttributes": 5, "/customerDataFields": [{"name": 1}], MATCHING: ABSENT}
    )

    assert {code for code, _, _ in found(DESTINATION, document, beside(a_server("FILE_BASED_S3")))} >= {
        "invalid",
        "missing-matchers",
    }


@pytest.mark.parametrize("server", [{}, {"destinationServerType": 1}, {"destinationServerType": "FILE_BASED_S3"}])
def test_a_server_that_cannot_be_read_stops_nobody(server):
    assert found(DESTINATION, a_destination(FILE), beside(server)) == []


# -- shared credentials -------------------------------------------------------------------------------------------

CREDENTIALS_ID = f"{DELIVERY}/authenticationId"


@pytest.mark.parametrize("of", CREDENTIALS)
@pytest.mark.parametrize("kind", CREDENTIALS)
def test_shared_credentials_fit_the_server(kind, of):
    document = a_destination(kind, signing_in("PLATFORM_AUTHENTICATION"))
    others = beside(a_server(kind), nouns={SHARED: {"credentials": CREDENTIALS[of]}})

    expected = [] if kind == of else [("wrong-credentials", CREDENTIALS_ID, "error")]
    assert found(DESTINATION, document, others) == expected


def test_shared_credentials_are_there():
    document = a_destination("URL_BASED", signing_in("PLATFORM_AUTHENTICATION"))

    assert found(DESTINATION, document, beside(a_server())) == [("no-credentials", CREDENTIALS_ID, "error")]


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_credentials_in_use_keep_their_kind(kind):
    others = beside(
        a_server(kind), nouns={DESTINATION: {"d": a_destination(kind, signing_in("PLATFORM_AUTHENTICATION"))}}
    )
    (other,) = [document for name, document in CREDENTIALS.items() if name != kind][:1]

    assert found(SHARED, CREDENTIALS[kind], others, "credentials") == []
    ((code, where, severity),) = found(SHARED, other, others, "credentials")
    assert (code, where, severity) == ("wrong-credentials", f"/{next(iter(other))}", "error")
    assert messages(SHARED, other, others, "credentials")[0].startswith("with destination 'Harbor': ")
    assert found(SHARED, other, others, "unused") == []


REQUESTS = "/audienceMetadataConfig"
OWN_ID = f"{REQUESTS}/x-headrace/authenticationId"


def asking_with(kind, of=None):
    """A destination of a kind of server whose requests about audiences are signed with credentials of a kind."""
    metadata = {"audienceTemplateId": "t", "x-headrace": {"authenticationId": "own"}}
    nouns = {AUDIENCE_TEMPLATE: {"t": an_audience_template()}} | ({SHARED: {"own": of}} if of is not None else {})
    return a_destination(kind, {REQUESTS: metadata, "/customerDataFields": EVERY_FIELD}), beside(
        a_server(kind), nouns=nouns
    )


@pytest.mark.parametrize("of", CREDENTIALS)
@pytest.mark.parametrize("kind", ["URL_BASED", "FILE_BASED_S3"])
def test_requests_are_signed_with_what_signs_requests(kind, of):
    document, others = asking_with(kind, CREDENTIALS[of])

    expected = [] if of == "URL_BASED" else [("wrong-credentials", OWN_ID, "error")]
    assert found(DESTINATION, document, others) == expected


def test_credentials_that_sign_requests_are_there():
    assert found(DESTINATION, *asking_with("FILE_BASED_S3")) == [("no-credentials", OWN_ID, "error")]


def test_credentials_that_sign_requests_keep_signing_some():
    document, others = asking_with("FILE_BASED_S3", CREDENTIALS["URL_BASED"])
    others.objects[DESTINATION] = {"d": document}

    assert found(SHARED, CREDENTIALS["URL_BASED"], others, "own") == []
    ((code, where, _),) = found(SHARED, CREDENTIALS["FILE_BASED_S3"], others, "own")
    assert (code, where) == ("wrong-credentials", "/s3Authentication")


# -- servers that are asked for something -------------------------------------------------------------------------

LOOKUP = {
    "name": "Fields of Harbor",
    "destinationServerType": "URL_BASED",
    "urlBasedDestination": {"url": template("https://api.harbor.example/{{ customerData.region }}/fields")},
    "httpTemplate": {"httpMethod": "GET"},
    "responseFields": [{"name": "schema", **template("{{ response.body | toJson | raw }}")}],
}
REGION = {"name": "region", "type": "string"}
SCHEMA = "/schemaConfig/dynamicSchemaConfig/dynamicEnum"
OPTIONS = "/customerDataFields/1/properties/0/dynamicEnum"
WITH_SCHEMA = {
    "/customerDataFields": [REGION],
    SCHEMA: {
        "destinationServerId": "lookup",
        "authenticationRule": "CUSTOMER_AUTHENTICATION",
        "value": "Fields",
        "responseFormat": "SCHEMA",
    },
}
WITH_OPTIONS = {
    "/customerDataFields": [
        REGION,
        {
            "name": "more",
            "type": "object",
            "properties": [
                {
                    "name": "list",
                    "type": "string",
                    "dynamicEnum": {
                        "destinationServerId": "lookup",
                        "authenticationRule": "CUSTOMER_AUTHENTICATION",
                        "value": "$.list",
                        "responseFormat": "NAME_VALUE",
                    },
                }
            ],
        },
    ]
}
LOOKUP_CASES = [
    ("a lookup server that is right", LOOKUP, None),
    ("a lookup server is there", None, "unknown-server"),
    ("a lookup server answers", a_server("FILE_BASED_S3"), "not-a-lookup-server"),
    ("a lookup server is read", changed(LOOKUP, {"/httpTemplate/httpMethod": "POST"}), "not-a-lookup-server"),
    ("a lookup server has a method", changed(LOOKUP, {"/httpTemplate": ABSENT}), "not-a-lookup-server"),
    ("a lookup server's answer is read", changed(LOOKUP, {"/responseFields": ABSENT}), "not-a-lookup-server"),
    ("a lookup server reads known fields",
     changed(LOOKUP, {"/responseFields/0/value": "{{ customerData.country }}"}), "unknown-customer-data"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "code"), [pytest.param(*case[1:], id=case[0]) for case in LOOKUP_CASES])
@pytest.mark.parametrize(
    ("changes", "where"), [(WITH_SCHEMA, SCHEMA), (WITH_OPTIONS, OPTIONS)], ids=["schema", "options"]
)
def test_a_server_can_be_asked(changes, where, asked, code):
    others = beside(a_server(), servers={} if asked is None else {"lookup": asked})

    expected = [] if code is None else [(code, f"{where}/destinationServerId", "error")]
    assert found(DESTINATION, a_destination("URL_BASED", changes), others) == expected


@pytest.mark.parametrize("changes", [WITH_SCHEMA, WITH_OPTIONS], ids=["schema", "options"])
def test_a_server_that_is_asked_stays_so(changes):
    user = a_destination("URL_BASED", changes)
    others = Folder({SERVER: {"server": a_server(), "lookup": LOOKUP}, DESTINATION: {"d": user}})
    other = changed(LOOKUP, {"/httpTemplate/httpMethod": "POST"})

    assert found(SERVER, LOOKUP, others, "lookup") == []
    assert found(SERVER, other, others, "lookup") == [("not-a-lookup-server", "/httpTemplate/httpMethod", "error")]


# -- audience templates -------------------------------------------------------------------------------------------

TEMPLATE_ID = "/audienceMetadataConfig/audienceTemplateId"
WITH_TEMPLATE = {TEMPLATE_ID: "template", "/customerDataFields": [REGION]}
NOTIFY = {"url": "https://api.harbor.example/arrived", "httpMethod": "POST"}


def test_an_audience_template_is_there():
    document = a_destination("URL_BASED", WITH_TEMPLATE)

    assert found(DESTINATION, document, beside(a_server())) == [("unknown-audience-template", TEMPLATE_ID, "error")]


TEMPLATE_CASES = [
    ("an audience template that is right", "URL_BASED", {}, {}, None),
    ("files are told of", FILE, {}, {"/metadataTemplate/notify": NOTIFY}, None),
    ("only files are told of", "URL_BASED", {}, {"/metadataTemplate/notify": NOTIFY},
     ("file-based-only", "/metadataTemplate/notify")),
    ("what is checked is asked for", FILE, {}, {"/validations/0/field": "country"},
     ("unknown-customer-data", "/validations/0/field")),
    ("a URL reads known fields", FILE, {}, {"/metadataTemplate/create/url": "https://{{ customerData.country }}/"},
     ("unknown-customer-data", "/metadataTemplate/create/url")),
    ("a body reads known fields", FILE, {},
     {"/metadataTemplate/create/requestBody/json/name": "{{{ customerData.country }}}"},
     ("unknown-customer-data", "/metadataTemplate/create/requestBody/json/name")),
    ("an answer reads known fields", FILE, {},
     {"/metadataTemplate/create/responseFields/0/value": "{{ destination.config.country }}"},
     ("unknown-customer-data", "/metadataTemplate/create/responseFields/0/value")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "changes", "of_template", "expected"), [pytest.param(*case[1:], id=case[0]) for case in TEMPLATE_CASES]
)
def test_an_audience_template_fits(kind, changes, of_template, expected):
    document, used = a_destination(kind, {**WITH_TEMPLATE, **changes}), an_audience_template(of_template)
    server = {"server": a_server(kind)}

    told = found(DESTINATION, document, Folder({SERVER: server, AUDIENCE_TEMPLATE: {"template": used}}))
    asked = found(AUDIENCE_TEMPLATE, used, Folder({SERVER: server, DESTINATION: {"d": document}}), "template")

    assert told == ([] if expected is None else [(expected[0], TEMPLATE_ID, "error")])
    assert asked == ([] if expected is None else [(*expected, "error")])


def test_an_audience_template_is_found_in_its_older_home():
    changes = {"/segmentMappingConfig/audienceTemplateId": "template", "/customerDataFields": [REGION]}

    assert found(DESTINATION, a_destination("URL_BASED", changes), beside(a_server())) == [
        ("unknown-audience-template", "/segmentMappingConfig/audienceTemplateId", "error")
    ]


# -- what templates read of what operators enter ------------------------------------------------------------------

GROUP = {"name": "csv", "type": "object", "properties": [{"name": "sep", "type": "string"}]}
DASHED = {"name": "account-name", "type": "string"}
CSV, BUCKET = "/fileConfigurations/csvOptions", "/fileBasedS3Destination/bucket"
READS = "unknown-customer-data"
ASKED = "{{% if {0} contains '{1}' %}}{{{{ {0}.{1} }}}}{{% endif %}}"

READING_CASES = [
    ("a field that is there", BUCKET, "{{ customerData.region }}", None),
    ("a field that is not", BUCKET, "{{ customerData.country }}", "error"),
    ("under the older root", BUCKET, "{{ destination.config.country }}", "error"),
    ("under the older root, there", BUCKET, "{{ destination.config.region }}", None),
    ("in the path", "/fileBasedS3Destination/path", "{{ customerData.country }}", "error"),
    ("in the file type", "/fileConfigurations/fileType", "{{ customerData.country }}", "error"),
    ("in an option", f"{CSV}/sep", "{{ customerData.csv.separator }}", "error"),
    ("in the manifest", "/fileConfigurations/includeFileManifest", "{{ customerData.country }}", "error"),
    ("through its group", f"{CSV}/sep", "{{ customerData.csv.sep }}", None),
    ("past its group", f"{CSV}/sep", "{{ customerData.sep }}", "error"),
    ("the group itself", f"{CSV}/sep", "{{ customerData.csv | toJson }}", None),
    ("the length of a text", BUCKET, "{{ customerData.region.length }}", None),
    ("a name with a dash", BUCKET, "{{ customerData['account-name'] }}", None),
    ("a computed name", BUCKET, "{{ customerData[customerData.region] }}", None),
    ("a text that is used as it stands", BUCKET, None, None),
    ("asked for first", BUCKET, ASKED.format("customerData", "country"), "warning"),
    ("asked for in its group", BUCKET, ASKED.format("customerData.csv", "quote"), "warning"),
    ("asked for, and there", BUCKET, ASKED.format("customerData", "region"), None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "source", "severity"), [pytest.param(*case[1:], id=case[0]) for case in READING_CASES]
)
def test_templates_of_a_server_read_what_operators_are_asked_for(where, source, severity):
    server = a_server(FILE, {where: text("customerData.country") if source is None else template(source)})
    document = a_destination(FILE, {"/customerDataFields": [REGION, GROUP, DASHED]})

    told = found(DESTINATION, document, beside(server))
    asked = found(SERVER, server, beside(server, nouns={DESTINATION: {"d": document}}), "server")

    assert set(told) == (set() if severity is None else {(READS, SERVER_ID, severity)})
    assert set(asked) == ({(READS, where, "error")} if severity == "error" else set())


def test_the_message_about_a_field_says_which_and_where():
    server = a_server(FILE, {f"{CSV}/sep": template("{{ customerData.sep }}")})
    document = a_destination(FILE, {"/customerDataFields": [GROUP]})

    assert messages(DESTINATION, document, beside(server)) == [
        "the template at /fileConfigurations/csvOptions/sep of the server reads `customerData.sep`, "
        "which is in the group `csv`; write `customerData.csv.sep`"
    ]


def test_a_token_request_reads_what_operators_are_asked_for():
    request = {
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": template("https://{{ authData.tenant }}/{{ customerData.country }}")},
        "httpTemplate": {"httpMethod": "POST"},
        "responseFields": [{"name": "accessToken", **template("{{ response.body.token }}")}],
    }
    login = {**OAUTH2, "accessTokenRequest": request}
    where = "/customerAuthenticationConfigurations/0/accessTokenRequest/urlBasedDestination/url"

    document = a_destination("URL_BASED", {"/customerAuthenticationConfigurations": [login]})

    assert found(DESTINATION, document, beside(a_server())) == [
        ("unknown-root", f"{where}/value", "warning"),
        (READS, where, "error"),
    ]


# -- what is in use -----------------------------------------------------------------------------------------------


def test_a_server_in_use_keeps_its_type():
    others = beside(a_server("FILE_BASED_S3"), nouns={DESTINATION: {"d": a_destination("FILE_BASED_S3")}})

    assert found(SERVER, a_server("FILE_BASED_S3"), others, "server") == []
    assert found(SERVER, a_server("FILE_BASED_GOOGLE_CLOUD"), others, "server") == [
        ("type-in-use", "/destinationServerType", "error")
    ]
    assert (
        "'Harbor' uses this server as `FILE_BASED_S3`" in messages(SERVER, a_server("URL_BASED"), others, "server")[0]
    )


def test_a_server_that_nobody_uses_may_change_its_type():
    others = beside(a_server("FILE_BASED_S3"), nouns={DESTINATION: {"d": a_destination(FILE, {SERVER_ID: "other"})}})

    assert found(SERVER, a_server("URL_BASED"), others, "server") == []


def test_every_destination_that_uses_a_server_is_asked():
    users = {str(number): a_destination("URL_BASED", {"/name": f"user {number}"}) for number in range(3)}
    others = beside(a_server(), nouns={DESTINATION: users})

    told = messages(SERVER, a_server("URL_BASED", {BODY: ABSENT}), others, "server")

    assert [message.split(": ")[0] for message in told] == [f"with destination 'user {n}'" for n in range(3)]


def test_what_a_user_is_only_warned_of_is_not_told_to_the_servers_author():
    others = beside(a_server(), nouns={DESTINATION: {"d": a_destination("URL_BASED", {MATCHING: MATCHERS})}})

    assert found(SERVER, a_server(), others, "server") == []


# -- whatever is written ------------------------------------------------------------------------------------------

STREAMING, FILES = every_server("URL_BASED"), every_server("FILE_BASED_DLZ")
DOCUMENTS = {
    DESTINATION: [
        a_destination("URL_BASED", {**WITH_TEMPLATE, **WITH_OPTIONS, SCHEMA: WITH_SCHEMA[SCHEMA]}),
        a_destination("FILE_BASED_DLZ", {**OF_DATASETS, "/customerDataFields": EVERY_FIELD}),
    ],
    SERVER: [STREAMING, FILES, LOOKUP],
    AUDIENCE_TEMPLATE: [an_audience_template({"/metadataTemplate/notify": NOTIFY})],
    SHARED: list(CREDENTIALS.values()),
}


def places_in(value, at=""):
    yield at
    for step, item in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from places_in(item, f"{at}/{step}")


PLACES = [
    (noun, document, place)
    for noun, documents in DOCUMENTS.items()
    for document in documents
    for place in places_in(document)
    if place
]


@given(st.sampled_from(PLACES), st.sampled_from([None, 5, "{{ x", "server", True, [], [5], {}, ABSENT]))
@settings(max_examples=200)
def test_whatever_stands_anywhere_is_judged_and_hinders_no_other(place, value):
    noun, document, where = place
    broken = changed(document, {where: value})
    others = Folder(
        {
            SERVER: {"server": FILES, "lookup": LOOKUP},
            DESTINATION: {str(n): user for n, user in enumerate(DOCUMENTS[DESTINATION])},
            AUDIENCE_TEMPLATE: {"template": an_audience_template()},
            SHARED: {"credentials": CREDENTIALS["URL_BASED"]},
        }
    )
    ids = {SERVER: "server", DESTINATION: "0", AUDIENCE_TEMPLATE: "template", SHARED: "credentials"}
    others.objects[noun][ids[noun]] = broken

    for other, found_there in others.objects.items():
        for id_, kept in list(found_there.items()):
            EXAMINE[other](kept, others, id_, True)


# -- how long it takes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_an_example_is_taken_without_a_word(example):
    objects = json.loads(example.read_text())
    document = changed(objects["destination"], {SERVER_ID: "server"})
    template = objects.get("audienceTemplate")
    if template is not None:
        document["audienceMetadataConfig"]["audienceTemplateId"] = "template"

    assert found(SERVER, objects["destinationServer"]) == []
    assert template is None or found(AUDIENCE_TEMPLATE, template) == []
    others = beside(objects["destinationServer"], nouns={AUDIENCE_TEMPLATE: {"template": template}} if template else {})
    assert found(DESTINATION, document, others) == []


def test_what_a_server_costs_grows_no_faster_than_its_users():
    def cost(count):
        server = every_server("FILE_BASED_S3")
        users = {str(n): a_destination(FILE, {"/customerDataFields": EVERY_FIELD}) for n in range(count)}
        others = beside(server, nouns={DESTINATION: users})
        begun = time.process_time()
        assert found(SERVER, server, others, "server") == []
        return time.process_time() - begun

    assert cost(100) < 20 * max(cost(10), cost(10))


def test_the_nouns_are_those_of_authoring():
    assert set(EXAMINE) == {SERVER, DESTINATION, AUDIENCE_TEMPLATE, SHARED}
    assert checks.Others
