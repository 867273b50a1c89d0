"""
What no server that can be had speaks: Google's XML interface, as its documentation has it.

Who answers here is ours. It holds the signature to that of another's making, keeps what came of a file, says how far it
came, and looks at the condition again with the last piece.
"""

import asyncio
import re
from contextlib import asynccontextmanager
from urllib.parse import unquote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import NotStored, Way, storages
from headrace.errors import AccountError
from integration.storage.between import BUSY, DROPPED, UNHEARD, Between, first
from integration.storage.test_contract import LARGE, broken, content, new_name, pieces

KEY, SECRET = "GOOG1EXAMPLE", "secret of the key"


class GoogleSignature(S3SigV4Auth):
    """Amazon's own signature, with Google's words in the place of Amazon's."""

    def _header_is_ours(self, name):
        return name.lower() not in ("authorization", "content-length", "user-agent", "accept-encoding", "connection")

    def of(self, request, stamp, digest):
        scope = f"{stamp[:8]}/auto/storage/goog4_request"
        names = sorted(name.lower() for name in request.headers if self._header_is_ours(name))
        lines = "".join(f"{name}:{request.headers[name]}\n" for name in names)
        path, _, query = request.url.partition("?")
        canonical = f"{request.method}\n{path}\n{query}\n{lines}\n{';'.join(names)}\n{digest}"
        from hashlib import sha256

        text = f"GOOG4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        key = f"GOOG4{SECRET}".encode()
        for part in scope.split("/"):
            key = self._sign(key, part)
        return self._sign(key, text, hex=True)


class Google(Between):
    """Answers by itself; ``rule`` still says what is lost on the way."""

    def __init__(self):
        super().__init__("")
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.sessions: dict[str, list] = {}

    async def pass_on(self, head: bytes, body: bytes) -> bytes:
        first_line, *lines = head.decode().split("\r\n")
        method, target, _ = first_line.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        status, said = self.answer(method, target, headers, body)
        lines = [f"{name}: {value}" for name, value in {"Content-Length": "0", **said}.items()]
        return "\r\n".join([f"HTTP/1.1 {status} Said", *lines, "Connection: close", "", ""]).encode()

    def answer(self, method, target, headers, body):
        path, _, query = target.partition("?")
        key = unquote(path).removeprefix("/people/")
        if "upload_id=" in query:
            return self.go_on(method, query, headers, body)
        if not self.is_signed(method, target, headers):
            return 403, {}
        there = self.objects.get(key)
        if method in ("PUT", "POST") and headers.get("x-goog-if-generation-match") == "0" and there:
            return 412, {}
        mark = headers.get("x-goog-meta-headrace-write", "")
        if method == "POST":
            name = f"upload_id={len(self.sessions)}"
            self.sessions[name] = [key, b"", mark, headers.get("x-goog-if-generation-match")]
            return 201, {"Location": f"http://elsewhere.example{path}?{name}"}
        if method == "PUT":
            self.objects[key] = (body, mark)
            return 200, {"x-goog-generation": "1"}
        if method == "GET":
            return 200, {}
        if there is None:
            return 404, {}
        if method == "DELETE":
            del self.objects[key]
        return 200, {"x-goog-generation": "1", "x-goog-meta-headrace-write": there[1], "Content-Length": len(there[0])}

    def go_on(self, method, query, headers, body):
        if query not in self.sessions:
            return 404, {}
        key, came, mark, condition = session = self.sessions[query]
        if method == "DELETE":
            del self.sessions[query]
            return 499, {}
        start, end, total = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", headers["content-range"]).groups()
        if start is not None:
            assert (int(start), int(end)) == (len(came), len(came) + len(body) - 1)
            assert total != "*" or len(body) % (256 << 10) == 0
            session[1] = came = came + body
        if total == "*" or len(came) < int(total):
            return 308, {"Range": f"bytes=0-{len(came) - 1}"} if came else {}
        if key not in self.objects and query in self.sessions:
            self.objects[key] = (came, mark)
        elif self.objects[key][1] != mark:
            if condition == "0":
                return 412, {}
            self.objects[key] = (came, mark)
        return 200, {"x-goog-generation": "1"}

    def is_signed(self, method, target, headers):
        shown = re.fullmatch(r"GOOG4-HMAC-SHA256 Credential=(\S+?)/.*, Signature=(\w+)", headers["authorization"])
        asked = AWSRequest(method, target, headers=headers)
        digest, stamp = headers["x-goog-content-sha256"], headers["x-goog-date"]
        own = GoogleSignature(Credentials(KEY, SECRET), "storage", "auto").of(asked, stamp, digest)
        return (shown[1], shown[2]) == (KEY, own)


@asynccontextmanager
async def google(rule=lambda method, target: None):
    stands, tasks = Google(), set()
    stands.rule = rule

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        await stands.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    stands.port = server.sockets[0].getsockname()[1]
    try:
        yield stands
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def opened(stands, **auth):
    place = {"bucket": "people", "path": "in", "x-headrace": {"endpoint": stands.origin}}
    way = Way(Egress(AllowList.parse("127.0.0.0/8")), Guard())
    auth = auth or {"accessKeyId": KEY, "secretAccessKey": SECRET}
    return storages.get("FILE_BASED_GOOGLE_CLOUD").open(place, "GOOGLE_CLOUD_STORAGE", auth, way)


def is_piece(method, target):
    return method == "PUT" and "upload_id" in target


def is_begin(method, target):
    return method == "POST"


@pytest.mark.parametrize("size", [0, 100, LARGE])
@pytest.mark.parametrize("name", ["a.csv", "a b+c%20.csv", "Müller.csv"])
async def test_a_file_is_there_as_it_was_written(size, name):
    async with google() as stands, opened(stands) as storage:
        stored = await storage.write(name, pieces(content(size)))
        assert await storage.look(name) == stored
        with pytest.raises(NotStored) as refused:
            await storage.write(name, pieces(b"another"))
        assert stands.objects[f"in/{name}"][0] == content(size)
        await storage.check()
        await storage.remove(name)
        assert await storage.look(name) is None
    assert refused.value.cause == "exists"


@pytest.mark.parametrize("how", [DROPPED, UNHEARD, BUSY])
@pytest.mark.parametrize("count", [1, 2])
async def test_a_piece_of_which_nothing_was_heard_is_there_once(how, count):
    name = new_name()
    async with google(first(count, how, is_piece)) as stands, opened(stands) as storage:
        stored = await storage.write(name, pieces(content(LARGE)))
        assert await storage.look(name) == stored
    assert stands.objects[f"in/{name}"][0] == content(LARGE)


async def test_one_that_came_with_the_last_piece_stays():
    name = new_name()
    seen = []

    async with google() as stands, opened(stands) as storage:

        def overtake(method, target):
            seen.append(target)
            if sum("upload_id" in one for one in seen) == 3:
                stands.objects[f"in/{name}"] = (b"the other's", "other")

        stands.rule = overtake
        with pytest.raises(NotStored) as refused:
            await storage.write(name, pieces(content(LARGE)))
    assert refused.value.cause == "exists"
    assert stands.objects[f"in/{name}"][0] == b"the other's"
    assert stands.sessions == {}


async def test_an_upload_that_google_has_forgotten_has_to_be_sent_again():
    name = new_name()
    async with google() as stands, opened(stands) as storage:
        staged, other = [await storage.stage(one, pieces(content(LARGE))) for one in (name, new_name())]
        assert (stands.objects, len(stands.sessions)) == ({}, 2)
        del stands.sessions["upload_id=0"]
        with pytest.raises(NotStored, match=f"'{name}'") as refused:
            await staged.publish()
        await other.discard()
    assert refused.value.cause == "gone"
    assert (stands.objects, stands.sessions) == ({}, {})


async def test_nothing_is_left_of_pieces_that_fail():
    async with google() as stands, opened(stands) as storage:
        with pytest.raises(ValueError, match="rows"):
            await storage.write(new_name(), broken(content(LARGE)))
    assert (stands.objects, stands.sessions) == ({}, {})


async def test_wrong_keys_are_told():
    async with google() as stands, opened(stands, accessKeyId=KEY, secretAccessKey="wrong") as storage:
        with pytest.raises(NotStored) as refused:
            await storage.check()
    assert refused.value.cause == "denied"


@pytest.mark.parametrize("key", ["{", "{}", '{"client_email": "a", "private_key": "b"}', "[]"])
async def test_what_is_no_key_of_a_service_account_is_the_operators_to_mend(key):
    async with google() as stands:
        with pytest.raises(AccountError, match="service account"):
            async with opened(stands, serviceAccountKey=key):
                pass
