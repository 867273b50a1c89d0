"""
Ways of writing a URL that leads inside, and canaries that must hear nothing.

Run by itself it tries them in a network of its own, in which the metadata of clouds and private machines really answer:
``unshare --net python forms.py``.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from itertools import product

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.proxy import ProxyBuilder

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import MARK, Guard
from headrace.connect.http import HttpTransport
from headrace.connect.reqwest import ReqwestTransport
from headrace.connect.transport import NotSent, Unsendable
from headrace.errors import EgressError
from headrace.model.http import Request

LOOPBACK = ("127.0.0.1", "127.0.0.2", "127.1.2.3")
ELSEWHERE = ("0.0.0.0", "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.100.100.200", "192.0.0.192")
INSIDE_V6 = ("::1", "::", "fd00:ec2::254", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "5f00::1", "100::1", "3fff::1")
PORTS = (80, 443, 8080, 8443, 8000, 9000, 22, 25, 110, 143, 3306, 5432, 6379, 11211, 27017, 2375, 9200)

_FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")
_CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")


def spellings(text: str) -> Iterator[str]:
    """Every way in which some reader or other takes a host for this IPv4 address."""
    whole, (a, b, c, d) = int(IPv4Address(text)), IPv4Address(text).packed
    yield from (text, f"{whole}", f"{whole:#x}", f"{whole:#X}", f"0{whole:o}", f"{whole + 2**32}", f"0x{whole:016x}")
    yield from (f"{a}.{b << 16 | c << 8 | d}", f"{a}.{b}.{c << 8 | d}", f"{a:#x}.{b << 16 | c << 8 | d:#x}")
    yield from (f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:#x}.0{b:o}.{c}.{d}")
    yield from (
        f"{a:03}.{b:03}.{c:03}.{d:03}",
        f"000{a:o}.{b}.{c}.{d}",
        f"{a + 256}.{b}.{c}.{d}",
        f"0{a:o}.{b}.{c << 8 | d}",
    )
    yield from (
        f"{text}.",
        f"{whole}.",
        f"{a}..{b}.{c}.{d}",
        f".{text}",
        f"{text}.0",
        f"{text}%20",
        f"{text}%00",
        f"{text}%2e",
    )
    yield from (text.translate(_FULL_WIDTH), text.translate(_CIRCLED), text.replace(".", "。"), text.replace(".", "｡"))
    yield from ("".join(f"%{ord(each):02x}" for each in text), "".join(f"%25{ord(each):02x}" for each in text))
    yield from (f"[{text}]", f"{a}.{b}.{c}.{d}x", f"{text}\u200b", f"{text}\u00ad", f"\u202e{text}")


def embeddings(text: str) -> Iterator[str]:
    """Every IPv6 address that leads to this IPv4 address through one mechanism or other."""
    whole = int(IPv4Address(text))
    high, low, flipped = whole >> 16, whole & 0xFFFF, whole ^ 0xFFFFFFFF
    yield from (
        f"[::ffff:{text}]",
        f"[::ffff:{high:x}:{low:x}]",
        f"[::FFFF:{high:X}:{low:X}]",
        f"[0:0:0:0:0:ffff:{text}]",
    )
    yield from (f"[0000:0000:0000:0000:0000:ffff:{high:04x}:{low:04x}]", f"[::{text}]", f"[::{high:x}:{low:x}]")
    yield from (f"[::ffff:0:{text}]", f"[64:ff9b::{text}]", f"[64:ff9b::{high:x}:{low:x}]", f"[64:ff9b:1::{text}]")
    yield from (f"[2002:{high:x}:{low:x}::]", f"[2002:{high:x}:{low:x}::1]", f"[2001:0:{high:x}:{low:x}::1]")
    yield from (f"[2001:0:4136:e378:8000:63bf:{flipped >> 16:x}:{flipped & 0xFFFF:x}]", f"[fe80::5efe:{text}]")
    yield from (
        f"[::ffff:{text}%25lo]",
        f"[::ffff:{text}%lo]",
        f"[::ffff:{text}.]",
        f"[::ffff:{text}",
        f"::ffff:{text}",
    )


def hosts() -> Iterator[str]:
    for text in LOOPBACK + ELSEWHERE:
        yield from spellings(text)
        yield from embeddings(text)
    for text in INSIDE_V6:
        address = IPv6Address(text)
        yield from (f"[{text}]", f"[{address.exploded}]", f"[{text.upper()}]", f"[{text}%25lo]", f"[{text}%lo]", text)
    yield from (
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost.localdomain",
        "ⓛocalhost",
        "ｌocalhost",
        "loc%61lhost",
    )
    yield from ("inside.example", "INSIDE.example", "xn--inside-.example", "127.0.0.1.nip.example", "", "*", "-")


def disguises(host: str, port: int) -> Iterator[str]:
    """Whole URLs in which two readers find two hosts, or one that should not be read at all."""
    at = f"{host}:{port}"
    for evil in (
        "https://example.com@{}/", "https://example.com:443@{}/", "https://{}@example.com/", "https://a@b@{}/",
        "https://:@{}/", "https://example.com%40{}/", "https://{}%2f.example.com/", "https://{}\\.example.com/",
        "https://example.com\\@{}/", "https:\\\\{}/", "https:/{}/", "https:{}/", "//{}/", "\\\\{}\\x", "https:///{}/",
        "https:////{}/", "https://\t{}/", "https://{}\t/", "https://{}\r\nHost: example.com/", "\nhttps://{}/",
        "https://{}\x00.example.com/", "https://\x00{}/", " https://{}/", "https://{} /", "https://{}#@example.com/",
        "https://example.com#@{}/", "https://{}?@example.com/", "https://example.com/\\@{}", "https://{};@example.com/",
        "https://{},example.com/", "https://[{}]/", "https://({})/", "https://'{}'/", "HTTPS://{}/", "hTTps://{}/",
        "http://{}/", "HTTP://{}/", "ftp://{}/", "gopher://{}/_x", "file://{}/etc/passwd", "dict://{}/d:x", "ws://{}/",
        "ldap://{}/", "tftp://{}/x", "jar:https://{}!/", "http+unix://{}/", "unix://{}/", "sftp://{}/", "httpss://{}/",
        "data://{}/,x", "javascript://{}/", "blob:https://{}/", "view-source:https://{}/", "feed:https://{}/",
        "https://{}/../", "https://{}/%2e%2e/", "https://{}//example.com/", "https://{}/?url=https://example.com/",
        "https://{}.example.com:80@{}/", "https://{}\u2028/", "https://{}\xa0/", "https://{}\uff0f@example.com/",
    ):  # fmt: skip
        yield evil.replace("{}", at)
    for odd in ("0", "00443", "+443", "-1", "65536", "443x", " 443", "0x1bb", "４４３", "443:443", "", "4e2", "443%20"):
        yield f"https://{host}:{odd}/"


def all_forms() -> list[str]:
    """Every form once; each of them leads inside or is no URL."""
    plain = (f"{scheme}://{host}{at}/x" for host, scheme in product(hosts(), ("https", "http")) for at in ("", ":8080"))
    evil = (url for host in (*LOOPBACK, "169.254.169.254", "[::1]") for url in disguises(host, 8080))
    ports = (f"{scheme}://127.0.0.2:{port}/" for scheme in ("http", "https") for port in PORTS)
    return list(dict.fromkeys((*plain, *evil, *ports)))


FORMS = all_forms()


class Canaries:
    """Real listeners that count who comes."""

    def __init__(self) -> None:
        self.places: list[tuple[str, int]] = []
        self.heard: list[tuple[str, int]] = []

    @asynccontextmanager
    async def listening(self, addresses, ports=PORTS):
        """Listen wherever that is possible on this machine."""
        async with AsyncExitStack() as stack:
            for address, port in product(addresses, ports):
                await self._listen(stack, address, port)
            yield self
            await asyncio.sleep(0.05)  # Whoever has just connected is still to be accepted.

    async def _listen(self, stack: AsyncExitStack, address: str, port: int) -> None:
        async def hear(reader, writer):
            self.heard.append((address, port))
            writer.close()

        try:
            server = await asyncio.start_server(hear, address, port)
        except OSError:
            return  # Another program has it, or it is for the superuser.
        stack.callback(server.close)
        self.places.append((address, port))


async def lead_inside(host, port):
    """Answer every name with addresses inside, as an author's own DNS might."""
    return ["127.0.0.2", "::1", "169.254.169.254"]


#: The operator has opened something, which must open nothing else.
ALLOWED = "http://127.0.0.1:9999 https://partner.internal"


async def try_transport(kind, forms=FORMS, resolver=lead_inside) -> dict[str, str]:
    """Send to every form; what was not refused is told by its URL."""
    got_through = {}
    async with kind(Egress(AllowList.parse(ALLOWED), resolver=resolver, connect_timeout=1.0)) as transport:
        for url in forms:
            try:
                await transport.send(Request("POST", url, (), b"x"), deadline=2.0, pool="a")
                got_through[url] = "answered"
            except (EgressError, Unsendable):
                pass
            except Exception as error:
                got_through[url] = repr(error)
    return got_through


async def try_guard(forms=FORMS, resolver=lead_inside) -> dict[str, str]:
    """Ask the guard for every form, with a pass, in both of its forms."""
    got_through = {}
    async with Guard() as guard:
        shown = guard.issue(Egress(AllowList.parse(ALLOWED), resolver=resolver, connect_timeout=1.0)).authorization
        for url in forms:
            host = url.partition("://")[2].partition("/")[0]
            for line in (f"CONNECT {host}", f"GET {url}"):
                status = await _ask(guard, f"{line} HTTP/1.1\r\nProxy-Authorization: {shown}\r\n\r\n")
                if status not in (b"400", b"403", b"502"):
                    got_through[line] = status.decode("latin-1")
    return got_through


async def _ask(guard: Guard, question: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(guard.url.rpartition(":")[2]))
    writer.write(question.encode("utf-8", "surrogatepass"))
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer[9:12]


async def try_library(forms=FORMS, resolver=lead_inside) -> dict[str, str]:
    """Let a library that reads URLs in its own, kinder way try every form, with nothing but the guard in between."""
    got_through = {}
    async with Guard() as guard:
        shown = guard.issue(Egress(AllowList.parse(ALLOWED), resolver=resolver, connect_timeout=1.0)).authorization
        proxy = ProxyBuilder.all(guard.url).custom_http_auth(shown).no_proxy(None)
        async with ClientBuilder().proxy(proxy).timeout(timedelta(seconds=2)).build() as client:
            for url in forms:
                try:
                    answer = await client.get(url).build().send()
                except (PyreqwestError, ValueError):
                    continue
                if MARK not in dict(answer.headers):
                    got_through[url] = str(answer.status)
    return got_through


TRIES = {
    "headrace": lambda: try_transport(HttpTransport),
    "pyreqwest": lambda: try_transport(ReqwestTransport),
    "guard": try_guard,
    "library behind the guard": try_library,
}

_ADDRESSES = [*LOOPBACK, *ELSEWHERE[1:], "8.8.8.8"]
_ADDRESSES_V6 = [
    "fd00:ec2::254",
    "fc00::1",
    "fec0::1",
    "5f00::1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2606:4700::1",
]


def make_network() -> None:
    """Give the addresses to this network namespace."""
    commands = ["link set lo up"]
    commands += [f"addr add {each}/32 dev lo" for each in _ADDRESSES if not each.startswith("127.")]
    commands += [f"-6 addr add {each}/128 dev lo nodad" for each in _ADDRESSES_V6]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


async def try_in_a_network_of_ones_own() -> dict[str, object]:
    """Try everything where all of the addresses answer, after making sure that they do."""
    canaries = Canaries()
    async with canaries.listening([*_ADDRESSES, *_ADDRESSES_V6, "::1"], (80, 443, 8080)):
        for place in canaries.places:
            (await asyncio.open_connection(*place))[1].close()
        await asyncio.sleep(0.2)
        reachable, canaries.heard[:] = len(set(canaries.heard)), []
        got_through = {name: await attempt() for name, attempt in TRIES.items()}
        await asyncio.sleep(0.1)
        heard, canaries.heard[:] = list(canaries.heard), []
        public = [await _is_dialled(kind) for kind in (HttpTransport, ReqwestTransport)]
    return {
        "places": len(canaries.places), "reachable": reachable, "heard": heard, "got through": got_through,
        "a public address is dialled": public, "heard there": sorted(set(canaries.heard)), "forms": len(FORMS),
    }  # fmt: skip


async def _is_dialled(kind) -> bool:
    async with kind(Egress(AllowList())) as transport:
        try:
            await transport.send(Request("POST", "https://8.8.8.8/", (), b"x"), deadline=5.0, pool="a")
        except NotSent:
            return True  # The canary speaks no TLS.
    return False


if __name__ == "__main__":
    make_network()
    sys.stdout.write(json.dumps(asyncio.run(try_in_a_network_of_ones_own())))
