"""What a request of a template says, and what its answer means."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from headrace.connect.call import CallFailed
from headrace.connect.transport import Garbled, NotSent, Unanswered
from headrace.errors import RenderError
from headrace.model.audience_template import AudienceEvent
from headrace.model.http import Response
from headrace.model.reading import read
from headrace.services.at_partner import contexts
from headrace.services.at_partner.events import Doubtful, Event, is_in_doubt
from headrace.store.audiences import StoredAudience

OK = Response(200)
AUDIENCE = StoredAudience(1, "ups", "a/1", 'Men & "women"', 0, 0)
CONTEXT = {
    "customerData": {"account": "7/eu"},
    "authData": {"token": "s3cret"},
    "oauth2ServiceAccessToken": "s3cret",
    "segmentEnrichmentAttributes": [],
    "segment": contexts.of_audience(AUDIENCE, {"name": AUDIENCE.name, "description": "who shops"}, "p 1"),
    "validations": {"account": "7/eu"},
    "destination": {"name": "Lists", "id": "d", "sandboxName": "prod", "imsOrgId": "us@headrace"},
}


@dataclass
class Access:
    """A way to a partner who always gives the same answer."""

    answer: Response = OK
    sent: list[Any] = field(default_factory=list)

    async def send(self, request):
        self.sent.append(request)
        return self.answer

    def redact(self, text):
        return text.replace("s3cret", "***")


def event(url="https://a.example/", kind="create", **more):
    document = {"url": url, "httpMethod": "POST", **more}
    return Event.of("Lists", kind, read(AudienceEvent, document)[0])


def fields(**values):
    return [{"name": name, "value": value} for name, value in values.items()]


async def sent(**more):
    access = Access()
    await event(**more).carry_out(access, CONTEXT)
    return access.sent[0]


async def kept(answer, **values):
    return await event(responseFields=fields(**values)).carry_out(Access(answer), CONTEXT)


async def failure(answer, kind="create", **values):
    with pytest.raises(CallFailed) as failed:
        await event(kind=kind, responseErrorFields=fields(**values)).carry_out(Access(answer), CONTEXT)
    return failed.value


def json(status, body, *headers):
    return Response(status, headers, orjson.dumps(body))


async def test_what_is_told_of_an_audience_is_one_step_of_the_path_and_customer_data_stays_as_it_is():
    url = "https://a.example/{{ customerData.account }}/{{ segment.id }}/{{ segment.alias }}?n={{ segment.name }}"
    request = await sent(url=url)
    assert request.url == "https://a.example/7/eu/a%2F1/p%201?n=Men%20%26%20%22women%22"


@pytest.mark.parametrize("alias", [".", ".."])
async def test_no_audience_leads_up_the_path(alias):
    context = {**CONTEXT, "segment": {**CONTEXT["segment"], "alias": alias}}
    with pytest.raises(RenderError, match=r"segment\.alias"):
        await event("https://a.example/lists/{{ segment.alias }}").carry_out(Access(), context)


async def test_texts_in_the_body_are_json_whatever_is_in_them():
    body = {
        "title": "{{ segment.name }}",
        "tags": ["{{ destination.imsOrgId }}", 7],
        "on": True,
        "of": "{{{ segment.description }}}",
    }
    request = await sent(requestBody={"json": body})
    assert orjson.loads(request.body) == {
        "title": 'Men & "women"',
        "tags": ["us@headrace", 7],
        "on": True,
        "of": "who shops",
    }
    assert request.header("Content-Type") == "application/json"


async def test_headers_are_written_as_declared():
    headers = [
        {"header": "Authorization", "value": "Bearer {{oauth2ServiceAccessToken}}"},
        {"header": "Content-Type", "value": "application/vnd.api+json"},
    ]
    request = await sent(headers=headers, requestBody={"json": {}})
    assert request.headers == (("Authorization", "Bearer s3cret"), ("Content-Type", "application/vnd.api+json"))


async def test_enrichment_attributes_can_be_looped_over():
    body = {"all": "{% for one in segmentEnrichmentAttributes %}{{ one.source }}{% endfor %}"}
    assert orjson.loads((await sent(requestBody={"json": body})).body) == {"all": ""}


PLACES = {
    "the body": ("{{ body.list.id }}", "l-1"),
    "a list in it": ("{{ body.lists[0].id }}", "l-2"),
    "the answer": ("{{ response.list.id }}", "l-1"),
    "its members": ("{{ list.id }}", "l-1"),
    "a header, whatever its case": ("{{ headers.X-Request-Id }}", "r-9"),
    "the whole": ("{{ root }}", '{"list":{"id":"l-1"},"lists":[{"id":"l-2"}],"segment":"theirs"}'),
    "what is not there": ("{{ body.nothing.id }}", ""),
    "what was sent": ("{{ segment.id }}", "a/1"),
}


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
async def test_an_answer_is_read_where_the_author_says(text, expected):
    body = {"list": {"id": "l-1"}, "lists": [{"id": "l-2"}], "segment": "theirs"}
    answer = json(201, body, ("x-request-id", "r-9"))
    assert await kept(answer, externalAudienceId=text) == {"externalAudienceId": expected}


async def test_an_answer_without_a_body_has_nothing_to_read():
    assert await kept(Response(204), externalAudienceId="{{ body.id }}") == {"externalAudienceId": ""}


async def test_a_refusal_is_told_in_the_partners_words_after_the_templates_name():
    error = await failure(json(400, {"error": {"message": "no s3cret"}}), message="{{ error.message }}")
    assert (error.message, is_in_doubt(error)) == ("Lists: no ***", False)


async def test_a_refusal_without_words_tells_its_status_and_the_start_of_its_body():
    assert (await failure(Response(403, (), b"go away"))).message == (
        "Lists: the partner answered with status 403: go away"
    )
    assert (await failure(Response(403))).message == "Lists: the partner answered with status 403"
    assert len((await failure(Response(400, (), b"x" * 2000))).message) == 500


async def test_a_message_that_cannot_be_read_hides_nothing():
    error = await failure(Response(400, (), b"no"), message="{{ body.a / 0 }}")
    assert error.message.startswith("Lists: the partner answered with status 400: no")


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_after_a_fault_of_the_partner_nobody_knows_what_was_done(status):
    assert isinstance(await failure(Response(status)), Doubtful)


@pytest.mark.parametrize("status", [302, 400, 404, 409, 429, 501, 503])
async def test_a_refusal_did_nothing(status):
    assert not is_in_doubt(await failure(Response(status)))


@pytest.mark.parametrize(("error", "expected"), [(NotSent(), False), (Unanswered(), True), (Garbled(), True)])
def test_of_a_request_that_got_no_answer_the_transport_says_what_is_known(error, expected):
    assert is_in_doubt(error) is expected


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there_is_deleted(status):
    assert await event(kind="delete").carry_out(Access(Response(status)), CONTEXT) == {}
    assert (await failure(Response(status), kind="update")).message


def test_a_token_has_every_name_that_templates_know_it_by():
    context = contexts.signed_in({}, {"token": "t"})
    assert context == {"authData": {"token": "t", "accessToken": "t"}, "oauth2ServiceAccessToken": "t"}
    assert contexts.signed_in({}, {})["oauth2ServiceAccessToken"] == ""
