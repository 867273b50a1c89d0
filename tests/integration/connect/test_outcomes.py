"""The law of the transport: what it says about a request is true, whatever the partner and the caller do."""

import asyncio
from collections import Counter
from random import Random

import pytest

from headrace.connect.transport import Garbled, NotSent, Unanswered
from headrace.connect.wire import Limits
from headrace.model.http import Request, Response
from headrace.testkit.partner import Answer, Partner

from .conftest import new_transport

ANSWERS = [
    Answer(200),
    Answer(200, delay=0.003),
    Answer(204),
    Answer(503, body=b"later"),
    Answer(200, close=True),
    Answer(200, (("Connection", "keep-alive"),), close=True),
    Answer(200, body=b"x" * 20_000),
    Answer(reset=True),
    Answer(reset=True, delay=0.002),
    Answer(hang=True),
    Answer(200, (("Content-Length", "50"),), b"short", close=True),
    Answer(200, (("Not a header", "x"),)),
    Answer(102),
]


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_said_of_each_request_is_true(kind, seed):
    random = Random(seed)
    async with (
        Partner(default=lambda _: random.choice(ANSWERS)) as partner,
        new_transport(kind, connections=4, limits=Limits(body=4096, idle=0.01)) as transport,
    ):

        async def send(number):
            await asyncio.sleep(random.random() * 0.15)
            body = str(number).encode() + b" " * random.choice([0, 2000, 200_000])
            request = Request("POST", partner.url, (), body)
            deadline = random.choice([0.005, 0.05, 0.2])
            sending = asyncio.create_task(transport.send(request, deadline=deadline, pool="ab"[number % 2]))
            if random.random() < 0.1:
                asyncio.get_running_loop().call_later(random.random() * 0.02, sending.cancel)
            return (await asyncio.gather(sending, return_exceptions=True))[0]

        said = await asyncio.gather(*(send(number) for number in range(300)))
        arrived = Counter(int(received.body) for received in partner.received)
        answered = {int(received.body): received.answered for received in partner.received}

    assert all(isinstance(what, Response | NotSent | Unanswered | Garbled | asyncio.CancelledError) for what in said)
    assert set(arrived.values()) <= {1}, "a request was sent twice"
    for number, what in enumerate(said):
        if isinstance(what, NotSent):
            assert number not in arrived
        if isinstance(what, Response):
            assert answered[number] == what.status
    assert kind == "pyreqwest" or transport.pools == 0
