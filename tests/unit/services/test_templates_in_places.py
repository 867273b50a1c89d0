"""Templates where they stand: compiled with every problem, and held against what may be read there."""

import time

import pytest

from authored import changed, template, text
from documents import a_destination, a_server, an_audience_template, every_server
from headrace.model.codes import CODES
from headrace.services.checks import AUDIENCE_TEMPLATE, DESTINATION, EXAMINE, SERVER, prepare, texts
from headrace.services.checks.texts import MOST_ADVISED, templates_in
from headrace.template.advice import CODES as ADVICE

COVERED = (
    "comma-forgotten",
    "comma-missing",
    "comma-trailing",
    "comma-without-item",
    "json-bare-value",
    "json-escaping",
    "json-invalid",
    "json-quotes",
    "never-taken",
    "out-of-scope",
    "render-fails",
    "template-syntax",
    "unknown-member",
    "unknown-root",
)


class Nobody:
    """No other objects."""

    def get(self, noun, id_):
        return None

    def all_of(self, noun):
        return []


def problems(noun, document):
    return EXAMINE[noun](document, Nobody(), None, True).problems


def found(noun, document):
    return [(problem.code, problem.pointer, problem.severity) for problem in problems(noun, document)]


BODY, URL = "/httpTemplate/requestBody", "/urlBasedDestination/url"
S3, CSV = "/fileBasedS3Destination/path", "/fileConfigurations/csvOptions/sep"
QUERY, ANSWER = "/httpTemplate/queryParameters", "/responseFields/0"
HEADER = "/httpTemplate/headers/0"
LOOKUP = {
    f"{ANSWER}": {"name": "list", **template("{{ response.body }}")},
    "/httpTemplate": {"httpMethod": "GET"},
}


def lookup(changes):
    document = a_server("URL_BASED", {"/httpTemplate": {"httpMethod": "GET"}})
    document["responseFields"] = [{"name": "list", **template("{{ response.body }}")}]
    return changed(document, changes)


#: The place; a document with a template there; the roots that it may read, and some that it may not.
MESSAGE = ("input", "destination", "customerData", "authData", "message")
PLACES = [
    ("a URL", lambda value: a_server("URL_BASED", {URL: value}), f"{URL}/value", MESSAGE, ("response", "segment")),
    ("a query", lambda value: a_server("URL_BASED", {QUERY: value}), f"{QUERY}/value", MESSAGE, ("headers",)),
    ("a header",
     lambda value: a_server("URL_BASED", {"/httpTemplate/headers": [{"header": "a", "value": value}]}),
     f"{HEADER}/value/value", MESSAGE, ("userContext",)),
    ("the URL of a lookup", lambda value: lookup({URL: value}), f"{URL}/value", ("customerData", "authData"),
     ("input", "response", "message")),
    ("what is read of a lookup", lambda value: lookup({ANSWER: {"name": "list", **value}}), f"{ANSWER}/value",
     ("response", "customerData"), ("input", "body", "headers")),
    ("a folder", lambda value: a_server("FILE_BASED_S3", {S3: value}), f"{S3}/value", ("customerData", "destination"),
     ("input", "authData")),
    ("an option of CSV", lambda value: a_server("FILE_BASED_S3", {CSV: value}), f"{CSV}/value", ("customerData",),
     ("input", "destination")),
    ("the format's older place",
     lambda value: a_server("FILE_BASED_DLZ", {"/fileBasedDlzDestination/fileConfigurations/fileType": value}),
     "/fileBasedDlzDestination/fileConfigurations/fileType/value", ("customerData",), ("input", "destination")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "where", "known", "unknown"), [pytest.param(*case[1:], id=case[0]) for case in PLACES]
)
def test_a_template_reads_the_roots_of_its_place(place, where, known, unknown):
    for root in known:
        codes = [code for code, _, _ in found(SERVER, place(template(f"{{{{ {root}.x }}}}")))]
        assert "unknown-root" not in codes, root
    for root in unknown:
        document = place(template(f"{{{{ {root}.x }}}}"))
        assert ("unknown-root", where, "warning") in found(SERVER, document), root


REQUEST = ("segment", "customerData", "authData", "oauth2ServiceAccessToken", "destination", "validations")
RESPONSE = (*REQUEST, "body", "response", "headers", "error", "root", "message", "segmentEnrichmentAttributes")
CREATE = "/metadataTemplate/create"
EVENT_PLACES = [
    ("the URL", f"{CREATE}/url", REQUEST, ("body", "input")),
    ("a header", f"{CREATE}/headers/0/value", REQUEST, ("response",)),
    ("a text of the body", f"{CREATE}/requestBody/json/columns/0", REQUEST, ("error",)),
    ("what is kept of the answer", f"{CREATE}/responseFields/0/value", RESPONSE, ("input", "userContext")),
    ("what is told of an error", f"{CREATE}/responseErrorFields/0/value", RESPONSE, ("input",)),
]


@pytest.mark.parametrize(("where", "known", "unknown"), [pytest.param(*case[1:], id=case[0]) for case in EVENT_PLACES])
@pytest.mark.parametrize("braces", ["{{%s.x}}", "{{{%s.x}}}"])
def test_a_macro_reads_the_roots_of_its_place(where, known, unknown, braces):
    for root in known:
        assert found(AUDIENCE_TEMPLATE, an_audience_template({where: braces % root})) == [], root
    for root in unknown:
        document = an_audience_template({where: braces % root})
        assert found(AUDIENCE_TEMPLATE, document) == [("unknown-root", where, "warning")], root


def test_a_token_request_reads_what_signing_in_gives():
    request = {
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": template("https://{{ authData.x }}.example/{{ userContext.sandboxName }}")},
        "httpTemplate": {"httpMethod": "POST", "requestBody": template("{{ response.body }}{{ input.profiles }}")},
        "responseFields": [{"name": "accessToken", **template("{{ response.body.token }}{{ input.profile }}")}],
    }
    login = {"authType": "OAUTH2", "grant": "OAUTH2_PASSWORD", "accessTokenRequest": request}
    document = a_destination("URL_BASED", {"/customerAuthenticationConfigurations": [login]})
    at = "/customerAuthenticationConfigurations/0/accessTokenRequest"

    roots = [where for code, where, _ in found(DESTINATION, document) if code == "unknown-root"]

    assert roots == [f"{at}/httpTemplate/requestBody/value"] * 2 + [f"{at}/responseFields/0/value"]


def test_the_message_about_a_root_has_the_place_and_names_those_there_are():
    (problem,) = problems(SERVER, a_server("FILE_BASED_S3", {S3: template("in/\n{{ segment.name }}")}))

    assert problem.message == (
        "fileBasedS3Destination/path:2:4: `segment` is not a variable; these are: customerData, destination"
    )


def test_a_wrong_case_is_mended_by_its_neighbour():
    (problem,) = problems(SERVER, a_server("FILE_BASED_S3", {S3: template("{{ customerdata.x }}")}))

    assert "did you mean `customerData`?" in problem.message


def test_a_variable_of_the_template_is_no_root():
    source = "{% set folder = 'in' %}{% for c in customerData %}{{ folder }}{{ c.key }}{% endfor %}"

    assert found(SERVER, a_server("FILE_BASED_S3", {S3: template(source)})) == []


def test_every_mistake_of_every_template_is_told_with_its_place():
    changes = {S3: template("{{ a | uper }}\n{% fi %}"), CSV: template("{{ }}")}

    told = problems(SERVER, a_server("FILE_BASED_S3", changes))

    assert [(problem.code, problem.pointer) for problem in told] == [
        ("template-syntax", f"{S3}/value"),
        ("template-syntax", f"{S3}/value"),
        ("template-syntax", f"{CSV}/value"),
    ]
    assert [problem.message.split(": ")[0] for problem in told] == [
        "fileBasedS3Destination/path:1:8",
        "fileBasedS3Destination/path:2:4",
        "fileConfigurations/csvOptions/sep:1:4",
    ]


def test_every_text_of_an_audience_template_that_holds_macros_is_compiled():
    where = f"{CREATE}/requestBody/json"
    document = an_audience_template({where: {"deep": [{"er": "{{ segment.name | uper }}"}], "n": 5}})

    assert found(AUDIENCE_TEMPLATE, document) == [("template-syntax", f"{where}/deep/0/er", "error")]


@pytest.mark.parametrize("where", ["/metadataTemplate/name", "/validations/0/regex", f"{CREATE}/responseFields/0/name"])
def test_texts_that_hold_no_macros_are_left_alone(where):
    assert "template-syntax" not in [
        code for code, _, _ in found(AUDIENCE_TEMPLATE, an_audience_template({where: "{{"}))
    ]


def test_a_header_is_read_by_its_own_name():
    where = f"{CREATE}/responseFields/0/value"

    assert found(AUDIENCE_TEMPLATE, an_audience_template({where: "{{headers.X-Request-Id}}"})) == []


# -- advice -------------------------------------------------------------------------------------------------------

ITEM = "{{ x.key | toJson }}"
OVER = "{% for x in input.profile.identityMap %}"
NESTED = (
    '{% for n in input.profile.segmentMembership %}{% for s in n.value %}{% if s.value.status == "realized" %}'
    "{% if any %},{% endif %}{% set any = true %}{{ s.key | toJson }}{% endif %}{% endfor %}{% endfor %}"
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"id": "{{ input.profile.attributes.name.value }}"}', "json-escaping"),
        ('{"id": {{ input.profil.id | toJson }}}', "unknown-member"),
        ('{"id": {{ profile | toJson }}}', "unknown-root"),
        ('{"id": {{ input.profile.attributes.name.value }}}', "json-bare-value"),
        ('{"id": "{{ input.profile.attributes.name.value | toJson }}"}', "json-quotes"),
        ("[{% for p in input.profiles %}{{ p | toJson }},{% endfor %}]", "comma-trailing"),
        ("[{% for p in input.profiles %}{{ p | toJson }}{% endfor %}]", "comma-missing"),
        (f"[{OVER}{{% if x.key != 'a' %}}{ITEM}{{% endif %}}{{% if not loop.last %}},{{% endif %}}{{% endfor %}}]",
         "comma-without-item"),
        (f"[{NESTED}]", "comma-forgotten"),
        ('{% for p in input.profiles %}{% set n = "1" %}{% endfor %}[{{ n | toJson }}]', "out-of-scope"),
        ("[{{ (1 + input.profile.attributes.age.value) | toJson }}]", "render-fails"),
        ("[1 2]", "json-invalid"),
        ('[{% if customerData.a == customerData.b and customerData.a == "q" %}1,{% endif %}1]', "never-taken"),
    ],
)  # fmt: skip
def test_a_body_is_advised_about(body, code):
    told = found(SERVER, a_server("URL_BASED", {BODY: template(body)}))

    assert (code, f"{BODY}/value", "warning") in told
    assert {severity for _, _, severity in told} == {"warning"}


def test_how_a_body_is_escaped_counts():
    body = template('{"id": "{{ input.profile.attributes.name.value }}"}')

    assert found(SERVER, a_server("URL_BASED", {BODY: {**body, "x-headrace": {"escaping": "json"}}})) == []


def test_the_type_of_a_body_counts():
    changes = {BODY: template("{{ input.profile.attributes.name.value }},"), "/httpTemplate/contentType": "text/csv"}

    assert found(SERVER, a_server("URL_BASED", changes)) == []


def test_what_is_said_of_several_places_is_said_once():
    body = template('["{{ input.profil.a }}", "{{ input.profil.a }}"]')

    told = [problem.message for problem in problems(SERVER, a_server("URL_BASED", {BODY: body}))]

    assert len([message for message in told if "profil" in message]) == 1
    assert any(message.endswith("also at 1:36") for message in told)


def test_every_piece_of_advice_has_a_code():
    assert set(ADVICE) - {"unknown-variable"} <= set(CODES)
    assert {CODES[code].severity for code in set(ADVICE) - {"unknown-variable"}} == {"warning"}


def test_a_long_body_is_compiled_and_its_roots_are_looked_at_and_no_sample_is_tried():
    piece = '{% for p in input.profiles %}{{ p.attributes.name.value }}{{ nothing }}{% endfor %}"\n'
    body = template(piece * (MOST_ADVISED // len(piece) + 1))
    begun = time.perf_counter()

    told = found(SERVER, a_server("URL_BASED", {BODY: body}))

    assert {code for code, _, _ in told} == {"unknown-root"}
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    "document",
    [None, 5, [], {"httpTemplate": 5}, {"httpTemplate": {"requestBody": template("{{ a }}"), "contentType": 5}},
     {"responseFields": template("{{ a }}"), "httpTemplate": []},
     {"urlBasedDestination": {"url": {**template("{{ a }}"), "x-headrace": {"escaping": []}}}}],
)  # fmt: skip
def test_templates_of_what_is_no_document_are_judged_all_the_same(document):
    for noun in EXAMINE:
        EXAMINE[noun](document, Nobody(), None, True)


def test_every_template_has_a_place():
    server = every_server("URL_BASED")

    assert {placed.at for placed in templates_in(SERVER, server)} == {
        f"{URL}/value",
        f"{BODY}/value",
        f"{HEADER}/value/value",
    }


def test_what_is_prepared_is_not_done_again():
    body = template('{"only": "here", "id": "{{ input.profile.attributes.name.value }}"}')
    document = a_server("URL_BASED", {BODY: body})
    prepare(SERVER, document)
    tried = texts._advice.cache_info().misses

    assert found(SERVER, document) == [("json-escaping", f"{BODY}/value", "warning")]
    assert texts._advice.cache_info().misses == tried


def test_a_text_that_is_used_as_it_stands_is_no_template():
    assert found(SERVER, a_server("FILE_BASED_S3", {S3: text("{ %SEGMENT_ID% }")})) == []
