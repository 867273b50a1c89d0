"""Look-ups: one request at a time, kept for a while; and lists as the flow service gives them."""

import asyncio
from collections import deque
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.call import Call, CallFailed, written
from headrace.connect.secrets import Redactor
from headrace.errors import RequestError
from headrace.model.http import Response
from headrace.model.text import TemplatedText
from headrace.services import looked_up
from headrace.services.listing import Query
from headrace.services.looked_up import Misread
from headrace.services.looking_up import KEPT_FOR, LookUps, Question
from unit.services.house import Clock

LIST = b'{"list": [{"name": "A", "value": "a"}]}'


class Way:
    """An account's way to a partner that answers when it is told to."""

    customer_data: ClassVar = {}

    def __init__(self, *answers):
        self.answers = deque(answers)
        self.asked = 0
        self.go = asyncio.Event()

    async def send(self, request):
        del request
        self.asked += 1
        await self.go.wait()
        return self.answers.popleft()

    async def auth_data(self):
        return {}

    def redact(self, text):
        return text


class Unlimited:
    """Lets everybody look up as often as they like."""

    async def admit(self, caller):
        pass


def question(way):
    url = written(TemplatedText.literal("https://partner.example/lists"), "url")
    template = TemplatedText(templatingStrategy="PEBBLE_V1", value="{{ response.body | toJson | raw }}")
    return Question(
        None, ("about",), "NONE", way, Redactor(()), Call("GET", url), (("list", written(template, "list")),)
    )


async def test_of_those_who_ask_at_once_one_asks_the_partner_and_later_ones_get_the_same():
    clock, way = Clock(), Way(Response(200, body=LIST), Response(200, body=b'{"list": []}'))
    lookups, asked = LookUps(None, clock, Unlimited()), question(way)

    both = [asyncio.create_task(lookups.choices(asked, "$.list")) for _ in range(5)]
    await asyncio.sleep(0.01)
    both[0].cancel()
    way.go.set()
    found = await asyncio.gather(*both[1:])

    assert found == [[{"name": "A", "value": "a"}]] * 4
    assert way.asked == 1
    assert await lookups.choices(asked, "$.list") == found[0]
    clock.at += int(KEPT_FOR * 1000) + 1
    assert await lookups.choices(asked, "$.list") == []
    assert way.asked == 2


async def test_a_failure_is_not_kept():
    way = Way(Response(503), Response(200, body=LIST))
    way.go.set()
    lookups, asked = LookUps(None, Clock(), Unlimited()), question(way)

    with pytest.raises(CallFailed, match="503"):
        await lookups.choices(asked, "$.list")
    assert await lookups.choices(asked, "$.list") == [{"name": "A", "value": "a"}]


@pytest.mark.parametrize("schema", [[], {"type": "object"}, {"type": "array", "properties": {}}, None, "x"], ids=str)
def test_what_is_no_schema_is_refused(schema):
    with pytest.raises(Misread, match="no JSON object"):
        looked_up.schema_of({"schema": schema})


def test_groups_of_a_schema_end_somewhere():
    schema = {"type": "string"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"a": schema}}

    with pytest.raises(Misread, match="levels deep"):
        looked_up.schema_of({"schema": schema})


def test_too_many_choices_are_refused():
    many = [{"name": "a", "value": place} for place in range(looked_up.MOST + 1)]

    with pytest.raises(CallFailed, match="at most"):
        looked_up.choices_of({"list": {"list": many}}, "$.list")


# -- lists ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 25), st.integers(1, 10), st.sampled_from(["", "name", "-name,id", "-createdAt"]))
def test_pages_hold_everything_once_in_the_order_of_the_whole(count, limit, order_by):
    objects = [{"id": f"i{place}", "name": f"n{place % 3}", "createdAt": place} for place in range(count)]
    whole = [item["id"] for item in Query(order_by=order_by).page(objects).items]

    found, token = [], ""
    while True:
        page = Query(limit=limit, order_by=order_by, token=token).page(objects)
        found += [item["id"] for item in page.items]
        assert page.count == count
        if page.next is None:
            break
        token = page.next

    assert found == whole
    assert sorted(found) == sorted(item["id"] for item in objects)
    assert "=" not in token


def test_filters_reach_into_lists():
    objects = [{"id": "1", "ids": [{"a": {"b": "x"}}, {"a": {"b": "y"}}], "is": True}, {"id": "2", "ids": []}]

    def found(*properties):
        return [item["id"] for item in Query(properties).page(objects).items]

    assert found("ids[].a.b==y") == ["1"]
    assert found("ids[].a.b!=y") == ["2"]
    assert found("is==true", "id==1") == ["1"]
    assert found("absent==x") == []
    with pytest.raises(RequestError, match="cannot be read"):
        found("id=1")
