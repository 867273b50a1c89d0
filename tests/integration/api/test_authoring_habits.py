"""What clients rely on beside the documents themselves: entity tags, pages, spellings of paths, additions of ours."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.api.bodies import DEEPEST
from support import Api, in_process

from .conftest import DESTINATIONS, SERVERS, TEMPLATES, codes, destination_on, paths

COVERED = ("duplicate-name", "server-set")


# -- entity tags -----------------------------------------------------------------------------------------------------


def test_every_answer_with_an_object_carries_its_version(api, server_document):
    created = api.post(SERVERS, server_document)
    where = f"{SERVERS}/{created.json['instanceId']}"

    read, replaced = api.get(where), api.put(where, {**server_document, "name": "another"})

    assert created.headers["etag"] == read.headers["etag"] != replaced.headers["etag"]
    assert created.headers["etag"].startswith('"')
    assert api.get(where).headers["etag"] == replaced.headers["etag"]


@pytest.mark.parametrize("wrong", ['"another"', 'W/"1"', "nothing", '"a", "b"', ""])
def test_a_change_of_a_version_that_is_gone_is_refused(api, server_document, wrong):
    created = api.post(SERVERS, server_document)
    where = f"{SERVERS}/{created.json['instanceId']}"

    replaced = api.send("PUT", where, {**server_document, "name": "another"}, {"If-Match": wrong})
    deleted = api.send("DELETE", where, None, {"If-Match": wrong})

    for answer in (replaced, deleted):
        assert (answer.status, answer.json["code"]) == (412, "stale-version")
        assert answer.headers["content-type"] == "application/problem+json"
    assert api.get(where).json == created.json


@pytest.mark.parametrize("right", ["{etag}", "*", ' "other", {etag} '])
def test_a_change_of_the_version_that_is_there_is_made(api, server_document, right):
    created = api.post(SERVERS, server_document)
    where, header = f"{SERVERS}/{created.json['instanceId']}", right.replace("{etag}", created.headers["etag"])

    assert api.send("PUT", where, {**server_document, "name": "new"}, {"If-Match": header}).status == 200
    assert api.send("DELETE", where, None, {"If-Match": "*"}).status == 200


def test_of_many_who_replace_one_version_exactly_one_does(headrace, api, server_document):
    created = api.post(SERVERS, server_document)
    where, etag = f"{SERVERS}/{created.json['instanceId']}", created.headers["etag"]

    def replace(number):
        mine = Api(api.url, api.headers)
        try:
            return mine.send("PUT", where, {**server_document, "name": f"by {number}"}, {"If-Match": etag})
        finally:
            mine.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(replace, range(8)))

    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
    winner = next(answer for answer in answers if answer.status == 200)
    assert api.get(where).json == winner.json


# -- pages -----------------------------------------------------------------------------------------------------------


def test_pages_together_are_the_list(headrace, server_document):
    api = headrace.as_client(sandbox="pages")
    for number in range(7):
        api.post(SERVERS, {**server_document, "name": f"number {number}"})
    everything = api.get(SERVERS).json
    seen, start = [], ""

    while start is not None:
        page = api.get(f"{SERVERS}?limit=3" + (f"&start={start}" if start else "")).json
        assert page["_page"]["count"] == len(page["items"]) <= 3
        seen, start = seen + page["items"], page["_page"]["next"]

    assert everything == {"items": seen}
    assert len(seen) == 7


def test_a_page_begins_after_what_was_deleted_meanwhile(headrace, server_document):
    api = headrace.as_client(sandbox="pages-deleted")
    ids = [api.post(SERVERS, server_document).json["instanceId"] for _ in range(4)]
    start = api.get(f"{SERVERS}?limit=2").json["_page"]["next"]
    api.delete(f"{SERVERS}/{start}")

    page = api.get(f"{SERVERS}?start={start}").json

    listed = [item["instanceId"] for item in api.get(SERVERS).json["items"]]
    assert [item["instanceId"] for item in page["items"]] == listed[2:]
    assert {*listed} == {*ids} - {start}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1"])
def test_a_limit_that_is_none_is_refused(api, query):
    assert paths(api.get(f"{SERVERS}?{query}")) == ["/query/limit"]


def test_a_page_from_nowhere_is_empty(api):
    assert api.get(f"{SERVERS}?start=absent").json == {"items": [], "_page": {"next": None, "count": 0}}


# -- spellings of clients --------------------------------------------------------------------------------------------


def test_a_slash_at_the_end_makes_no_difference(api, template_document):
    created = api.post(f"{TEMPLATES}/", template_document)

    assert created.status == 200
    assert api.get(f"{TEMPLATES}/{created.json['instanceId']}/").json == created.json
    assert api.get(f"{TEMPLATES}/").json == api.get(TEMPLATES).json
    assert api.delete(f"{TEMPLATES}/{created.json['instanceId']}//").status == 200


def test_an_audience_template_is_also_replaced_by_post(api, template_document):
    created = api.post(TEMPLATES, template_document).json
    template_document["metadataTemplate"]["name"] = "after"

    answer = api.post(f"{TEMPLATES}/{created['instanceId']}", template_document)

    assert (answer.status, answer.json["metadataTemplate"]["name"]) == (200, "after")
    assert answer.json["instanceId"] == created["instanceId"]
    assert api.post(f"{TEMPLATES}/absent", template_document).status == 404


def test_a_destination_is_also_replaced_by_the_id_in_its_body(api, destination_document):
    created = api.post(DESTINATIONS, destination_document).json

    answer = api.put(DESTINATIONS, {**created, "description": "after"})

    assert (answer.status, answer.json["description"]) == (200, "after")
    assert answer.json["instanceId"] == created["instanceId"]
    assert codes(api.put(DESTINATIONS, destination_document)) == {"/instanceId": "missing-field"}
    assert api.put(DESTINATIONS, {**destination_document, "instanceId": "absent"}).status == 404
    assert paths(api.put(DESTINATIONS, [])) == ["/instanceId"]


def test_a_destination_that_is_read_is_wrapped_where_that_is_wanted(tmp_path, server_document):
    with in_process(tmp_path, wrap_read_destination=True) as headrace:
        api = headrace.api
        server = api.post(SERVERS, server_document).json["instanceId"]
        created = api.post(DESTINATIONS, destination_on(server))

        read = api.get(f"{DESTINATIONS}/{created.json['instanceId']}")

        assert read.json == {"items": [created.json]}
        assert read.headers["etag"] == created.headers["etag"]
        assert "items" not in api.get(f"{SERVERS}/{server}").json


# -- bodies ----------------------------------------------------------------------------------------------------------


def test_a_name_that_is_there_twice_is_refused(api, server_document):
    body = json.dumps(server_document).replace('"httpMethod":', '"httpMethod": "PUT", "httpMethod":')

    answer = api.post(SERVERS, body.encode(), {"Content-Type": "application/json"})

    assert codes(answer) == {"": "duplicate-name"}
    assert "`httpMethod`" in answer.text


def test_a_body_may_be_as_deep_as_is_read_and_no_deeper(api, template_document):
    def nested(depth):
        return {"list": nested(depth - 1)} if depth else "end"

    template_document["metadataTemplate"]["create"]["requestBody"]["json"] = nested(DEEPEST - 5)
    assert api.post(TEMPLATES, template_document).status == 200

    template_document["metadataTemplate"]["create"]["requestBody"]["json"] = nested(DEEPEST)
    answer = api.post(TEMPLATES, template_document)
    assert (answer.status, answer.json["code"]) == (400, "bad-request")


def test_a_body_over_a_mebibyte_is_413_whatever_the_installation_reads(tmp_path, server_document):
    with in_process(tmp_path) as headrace:
        answer = headrace.api.post(SERVERS, {**server_document, "name": "x" * (1 << 20)})

        assert (answer.status, answer.json["code"]) == (413, "too-large")
        assert headrace.api.post("/ingest/profiles", [{"profileId": "x", "a": "x" * (1 << 20)}]).status != 413


@pytest.mark.parametrize("path", [f"{SERVERS}/a%00b", f"{SERVERS}/%00", f"{DESTINATIONS}/%00/versions"])
def test_a_nul_in_a_path_is_404(api, path):
    assert api.get(path).status == 404


def test_a_nul_in_a_query_is_refused(api):
    assert api.get(f"{SERVERS}?start=%00").status == 400


# -- what the server sets --------------------------------------------------------------------------------------------


def test_fields_that_only_the_server_sets_are_warnings_in_a_new_object_and_nothing_in_an_old_one(api, server_document):
    sent = {**server_document, "instanceId": "mine", "createdDate": "1970-01-01T00:00:00Z"}

    created = api.post(SERVERS, sent)

    warnings = {warning["path"]: warning["code"] for warning in created.json["x-headrace"]["warnings"]}
    assert warnings == {"/instanceId": "server-set", "/createdDate": "server-set"}
    assert created.json["instanceId"] != "mine"
    where = f"{SERVERS}/{created.json['instanceId']}"
    assert "x-headrace" not in api.put(where, {**sent, "instanceId": created.json["instanceId"]}).json


def test_what_an_author_has_under_our_name_comes_back_beside_our_warnings(api, server_document):
    sent = {**server_document, "x-headrace": {"note": {"by": "author"}}, "colour": "blue"}

    created = api.post(f"{SERVERS}?strict=false", sent).json
    read = api.get(f"{SERVERS}/{created['instanceId']}").json

    assert created["x-headrace"]["note"] == {"by": "author"}
    assert "/colour" in {warning["path"] for warning in created["x-headrace"]["warnings"]}
    assert read["x-headrace"] == {"note": {"by": "author"}}
    replaced = api.put(f"{SERVERS}/{created['instanceId']}?strict=false", created).json
    assert replaced["x-headrace"]["note"] == {"by": "author"}
    assert api.get(f"{SERVERS}/{created['instanceId']}").json["x-headrace"] == {"note": {"by": "author"}}


def test_a_list_of_denied_origins_is_written_out_where_there_is_none(api, destination_document):
    schema = {name: value for name, value in destination_document["schemaConfig"].items() if "List" not in name}

    open_, limited = (
        api.post(DESTINATIONS, {**destination_document, "schemaConfig": {**schema, **lists}}).json["schemaConfig"]
        for lists in ({}, {"segmentNamespaceAllowList": ["ups"]})
    )

    assert open_ == {**schema, "segmentNamespaceDenyList": []}
    assert limited == {**schema, "segmentNamespaceAllowList": ["ups"]}


# -- a law -----------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
FIELDS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXT, "type": st.just("string")},
        optional={"title": TEXT, "description": TEXT, "isRequired": st.booleans(), "enum": st.lists(TEXT, max_size=3)},
    ),
    max_size=4,
    unique_by=lambda field: field["name"],
)
VALID = st.fixed_dictionaries(
    {
        "name": TEXT,
        "customerDataFields": FIELDS,
        "identityNamespaces": st.dictionaries(
            TEXT,
            st.fixed_dictionaries(
                {"acceptsAttributes": st.just(True)},
                optional={"acceptedGlobalNamespaces": st.dictionaries(TEXT, st.just({}), max_size=2)},
            ),
            min_size=1,
            max_size=3,
        ),
    },
    optional={
        "description": TEXT,
        "maxProfileAttributes": st.integers(1, 10_000),
        "uiAttributes": st.fixed_dictionaries(
            {},
            optional={"documentationLink": st.just("https://acme.example/help"), "icon": st.dictionaries(TEXT, TEXT)},
        ),
    },
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=VALID)
def test_the_value_that_is_read_back_is_the_value_that_was_sent(api, destination_document, changes):
    sent = {**destination_document, **changes}

    created = api.post(DESTINATIONS, sent)

    assert created.status == 200, created.text
    read = api.get(f"{DESTINATIONS}/{created.json['instanceId']}").json
    assert {name: read[name] for name in sent} == sent
    again = api.put(f"{DESTINATIONS}/{created.json['instanceId']}", read).json
    added = {"lastModifiedDate", "x-headrace"}
    assert {name: again[name] for name in again.keys() - added} == {name: read[name] for name in read.keys() - added}
