"""
Google's XML interface, as its documentation has it: no server that can be had speaks it.

Who answers here is ours. It holds the signature to that of another's making, keeps what came of a file, says how far it
came, and looks at the condition again with the last piece.
"""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from urllib.parse import unquote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from integration.storage.between import Between

KEY, SECRET = "GOOG1EXAMPLE", "secret of the key"


class GoogleSignature(S3SigV4Auth):
    """Amazon's own signature, with Google's words in the place of Amazon's."""

    def _header_is_ours(self, name):
        return name.lower() not in ("authorization", "content-length", "user-agent", "accept-encoding", "connection")

    def of(self, request, stamp, digest, secret):
        scope = f"{stamp[:8]}/auto/storage/goog4_request"
        names = sorted(name.lower() for name in request.headers if self._header_is_ours(name))
        lines = "".join(f"{name}:{request.headers[name]}\n" for name in names)
        path, _, query = request.url.partition("?")
        canonical = f"{request.method}\n{path}\n{query}\n{lines}\n{';'.join(names)}\n{digest}"
        text = f"GOOG4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        key = f"GOOG4{secret}".encode()
        for part in scope.split("/"):
            key = self._sign(key, part)
        return self._sign(key, text, hex=True)


class Google(Between):
    """
    Answers by itself, of one bucket, ``people``; ``rule`` still says what is lost on the way, and who knows ``secret``
    is let in.
    """

    def __init__(self):
        super().__init__("")
        self.secret = SECRET
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.sessions: dict[str, list] = {}

    async def pass_on(self, head: bytes, body: bytes) -> bytes:
        first_line, *lines = head.decode().split("\r\n")
        method, target, _ = first_line.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        status, said = self.answer(method, target, headers, body)
        error = said.pop("error", "") if method != "HEAD" else ""
        lines = [f"{name}: {value}" for name, value in {"Content-Length": str(len(error)), **said}.items()]
        return "\r\n".join([f"HTTP/1.1 {status} Said", *lines, "Connection: close", "", error]).encode()

    def answer(self, method, target, headers, body):
        path, _, query = target.partition("?")
        key = unquote(path).removeprefix("/people/")
        if "upload_id=" in query:
            return self.go_on(method, query, headers, body)
        if not self.is_signed(method, target, headers):
            return 403, {"error": "<Error><Code>SignatureDoesNotMatch</Code></Error>"}
        if not path.startswith("/people/") and path != "/people":
            return 404, {"error": "<Error><Code>NoSuchBucket</Code></Error>"}
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
        own = GoogleSignature(Credentials(KEY, SECRET), "storage", "auto").of(asked, stamp, digest, self.secret)
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


@contextmanager
def google_in_a_thread() -> Iterator[Google]:
    """Run the server for tests that are no coroutines."""
    loop, is_ready, ends = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[Google] = []

    async def run():
        async with google() as stands:
            found.append(stands)
            is_ready.set()
            await ends.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    is_ready.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join()
        loop.close()
