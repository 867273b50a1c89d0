"""
What partners answer: scripts that a seed draws from a grammar, beside those that somebody wrote down.

A script is what a partner says first; afterwards it takes everything. ``takes`` says what it has done with the message:
``all`` taken, ``none`` refused, ``maybe`` nobody can know by the answer, ``some`` by what its body says.
"""

from dataclasses import dataclass, field
from random import Random

import orjson

from headrace.testkit.partner import Answer

GARBAGE = (
    b"",
    b"{",
    b"null",
    b"[]",
    b'{"results": 7}',
    b'{"results": [null, {}]}',
    b"\xff\xfe\0",
    b"<html>",
    b"[" * 999,
)
WAITS = (
    *("0", "1", "0.5", "-5", "1000000000000", "soon", "", "1e400", "Wed, 21 Oct 2015 07:28:00 GMT", "99:99"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "1, 2", "٣", "0x10"),
)
REFUSED = (400, 404, 405, 409, 413, 415, 422, 451)
PASSING = (408, 420, 429, 500, 502, 503, 504, 507, 529, 599)
REDIRECTS = (300, 301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Said(Answer):
    """An answer whose bytes may be any, and what the partner has done with the message."""

    raw: bytes = b""
    takes: str = "all"
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """What a partner says in turn, whom it refuses for ever, and how its author reads its answers."""

    name: str
    answers: tuple[Said, ...]
    poison: frozenset[str] = frozenset()
    reading: dict = field(default_factory=dict)


def status(code, **more):
    return Said(code, takes="all" if 200 <= code < 300 else "none", **more)


def late(code, wait):
    return status(code, headers=(("Retry-After", wait.encode().decode("latin-1", "replace")),))


def raw(data, takes="maybe", *, close=True):
    return Said(0, raw=data, takes=takes, close=close)


HEAD = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "no HTTP": raw(b"SSH-2.0-x\r\n"),
    "a bad status line": raw(b"HTTP/1.1 twohundred\r\n\r\n"),
    "a bad size of a chunk": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a chunk that ends early": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhi"),
    "two lengths": raw(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi"),
    "a body that ends early": raw(HEAD + b"Content-Length: 99\r\n\r\nhi"),
    "a head that ends early": raw(HEAD + b"Content-Le"),
    "nothing at all": raw(b""),
    "interim answers without end": raw(b"HTTP/1.1 102 Wait\r\n\r\n" * 500),
    "a switch of protocols": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
    "a large header": raw(HEAD + b"X: " + b"a" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    "many headers": raw(HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(5_000)) + b"\r\n"),
    "a body that never ends": raw(HEAD + b"Content-Length: 99\r\n\r\nhi", close=False),
    "a head that never ends": raw(HEAD, close=False),
}
WHOLE = {
    "in chunks": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "all", close=False),
    "after interim answers": raw(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n", "all"
    ),
    "until it closes": raw(HEAD + b"\r\nhi", "all"),
    "rubbish behind it": raw(HEAD + b"Content-Length: 2\r\n\r\nhiHTTP/1.1 500 No\r\n\r\n", "all"),
    "a long body": Said(200, body=b"x" * 300_000),
}
BY_INDEX = {"answers": {"results": {"path": "r", "index": "i", "success": {"path": "ok", "values": ["true"]}}}}
BY_ID = {
    "answers": {
        "statuses": [409],
        "results": {
            "path": "r",
            "by": "id",
            "id": "id",
            "entryId": "identityMap.id[0].id",
            "success": {"path": "ok", "values": ["true"]},
            "retry": {"path": "again", "values": ["true"]},
        },
    }
}
BY_COUNT = {"answers": {"counts": {"failed": "failed"}}}


def corpus():
    """Yield the scripts that somebody wrote down."""
    for name, answer in {**BROKEN, **WHOLE}.items():
        yield Script(name, (answer, answer))
    for wait in WAITS:
        yield Script(f"429, Retry-After: {wait[:20]}", (late(429, wait), late(503, wait)))
    for code in REDIRECTS:
        yield Script(f"a redirect, {code}", (status(code, headers=(("Location", "http://127.0.0.1:1/"),)),))
    for body in GARBAGE:
        for kind, reading in (("index", BY_INDEX), ("id", BY_ID), ("count", BY_COUNT)):
            yield Script(
                f"200 with {body[:12]!r} read by {kind}", (Said(200, body=body, takes="maybe"),), reading=reading
            )
    yield Script("gone, then back", (status(410), status(200)))
    yield Script("401 and 403", (status(401), status(403)))
    yield Script("poison", (status(503),), poison=frozenset({"2", "5"}))
    yield Script("some by index", (Said(207, partial="index", takes="some"),) * 2, reading=BY_INDEX)
    yield Script("some by id", (Said(409, partial="id", takes="some"),) * 2, reading=BY_ID)
    yield Script("hangs", (Said(hang=True, takes="maybe"), Said(reset=True, takes="maybe")))


def drawn(seed):
    """Draw a script."""
    random = Random(f"script {seed}")
    kinds = (
        lambda: status(random.choice(PASSING)),
        lambda: late(random.choice(PASSING), random.choice(WAITS)),
        lambda: Said(reset=True, takes="maybe"),
        lambda: random.choice([*BROKEN.values()]) if random.random() < 0.7 else Said(hang=True, takes="maybe"),
        lambda: random.choice([*WHOLE.values()]),
        lambda: status(random.choice((200, 201, 202, 204, 206, 226)), close=random.random() < 0.5),
        lambda: status(random.choice((*REFUSED, *REDIRECTS, 401, 403, 410))),
        lambda: Said(random.choice((200, 207)), body=random.choice(GARBAGE), takes="maybe"),
    )
    answers = tuple(random.choice(kinds)() for _ in range(random.randint(1, 5)))
    poison = frozenset(str(who) for who in range(1, 7) if random.random() < 0.1)
    return Script(f"drawn {seed}", answers, poison, random.choice(({}, {}, BY_INDEX, BY_ID, BY_COUNT)))


def partial(answer, people):
    """Write what became of each of some people: every other was taken."""
    told = [{"i": place, "id": who, "ok": place % 2 == 0, "again": True} for place, who in enumerate(people)]
    return orjson.dumps({"r": told})
