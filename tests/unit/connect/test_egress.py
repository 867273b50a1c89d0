"""What the operator allows, and what is asked of every answer of the DNS."""

import asyncio
import socket

import pytest

from headrace.connect.egress import AllowList, Egress, parse_url, resolve_with_system
from headrace.connect.ports import FORBIDDEN_PORTS
from headrace.connect.transport import NotSent
from headrace.errors import EgressError, OperationError


def resolver(*answers):
    """Answer these addresses to every question, and count the questions."""

    async def resolve(host, port):
        resolve.asked.append((host, port))
        return list(answers)

    resolve.asked = []
    return resolve


def egress(allow="", *answers, **options):
    return Egress(AllowList.parse(allow), resolver=resolver(*answers), **options)


ADMITTED = {
    "https to a name": ("", "https://partner.example/"),
    "https to a public address": ("", "https://8.8.8.8/"),
    "http to a listed name": ("http://partner.example", "http://partner.example/x"),
    "http to a listed name and port": ("http://partner.example:8080", "http://partner.example:8080/x"),
    "the port of the scheme is the same origin": ("http://partner.example:80", "http://partner.example/x"),
    "case does not matter": ("HTTP://Partner.Example", "http://PARTNER.example/x"),
    "a slash at the end of an entry": ("http://127.0.0.1:9000/", "http://127.0.0.1:9000/x"),
    "http to a listed loopback address": ("http://127.0.0.1:9000", "http://127.0.0.1:9000/x"),
    "http to an address in a listed network": ("10.0.0.0/8", "http://10.1.2.3:8080/x"),
    "https to an address in a listed network": ("10.0.0.0/8", "https://10.1.2.3/x"),
    "a listed single address": ("127.0.0.1", "http://127.0.0.1:1234/x"),
    "a mapped address in a listed network": ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/x"),
    "a listed IPv6 network": ("fd00::/8", "http://[fd00::1]:8080/x"),
    "a listed IPv6 origin": ("http://[::1]:9000", "http://[0:0::1]:9000/x"),
    "one of several": ("https://a.example, 10.0.0.0/8 http://b.example\nhttp://c.example", "http://c.example/"),
    "metadata by its address": ("169.254.169.254/32", "http://169.254.169.254/latest"),
    "another protocol's port that an origin names": ("https://db.example:5432", "https://db.example:5432/x"),
    "another protocol's port in a listed network": ("10.0.0.0/8", "http://10.1.2.3:6379/x"),
    "a port of nobody": ("", "https://partner.example:8443/x"),
    "metadata as an origin of its own": ("http://169.254.169.254", "http://169.254.169.254/latest"),
}

REFUSED = {
    "http to a name": ("", "http://partner.example/"),
    "http to a public address": ("", "http://8.8.8.8/"),
    "http where https is listed": ("https://partner.example", "http://partner.example/"),
    "http on another port": ("http://partner.example:8080", "http://partner.example/"),
    "http on another host": ("http://partner.example", "http://evil.partner.example/"),
    "http to a name though a network is listed": ("10.0.0.0/8", "http://partner.example/"),
    "loopback": ("", "https://127.0.0.1/"),
    "loopback in IPv6": ("", "https://[::1]/"),
    "mapped loopback": ("", "https://[::ffff:127.0.0.1]/"),
    "private": ("", "https://10.0.0.1/"),
    "metadata": ("", "https://169.254.169.254/"),
    "another loopback address": ("http://127.0.0.1:9000", "http://127.0.0.2:9000/"),
    "another port of a listed address": ("http://127.0.0.1:9000", "http://127.0.0.1:9001/"),
    "another scheme of a listed address": ("http://127.0.0.1:9000", "https://127.0.0.1:9000/"),
    "beside a listed network": ("10.1.0.0/16", "https://10.2.0.1/"),
    "another protocol's port": ("", "https://partner.example:5432/"),
    "another protocol's port of a listed host": ("https://partner.example", "https://partner.example:6379/"),
    "another protocol's port of a name though a network is listed": ("10.0.0.0/8", "https://partner.example:22/"),
    "another protocol's port of a public address": ("", "https://8.8.8.8:25/"),
    "NAT64 of a listed network": ("169.254.0.0/16", "https://[64:ff9b::169.254.169.254]/"),
}


@pytest.mark.parametrize(("allow", "url"), ADMITTED.values(), ids=ADMITTED)
def test_what_is_allowed_is_admitted(allow, url):
    assert egress(allow).admit(url) == parse_url(url)


@pytest.mark.parametrize(("allow", "url"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_allowed_is_refused_with_the_way_out(allow, url):
    with pytest.raises(EgressError, match="HEADRACE_EGRESS_ALLOW="):
        egress(allow).admit(url)


@pytest.mark.parametrize("port", sorted(FORBIDDEN_PORTS))
def test_ports_of_other_protocols_are_not_called(port):
    with pytest.raises(EgressError, match=f"Port {port} belongs to another protocol.*HEADRACE_EGRESS_ALLOW="):
        egress("").admit(f"https://example.com:{port}/")


@pytest.mark.parametrize(
    "service", [22, 25, 110, 143, 445, 465, 587, 993, 995, 3306, 3389, 5432, 6379, 9092, 11211, 27017]
)
def test_well_known_services_are_among_them(service):
    assert service in FORBIDDEN_PORTS


@pytest.mark.parametrize("port", [80, 443, 8000, 8080, 8443, 9000, 9200])
def test_ports_on_which_http_is_spoken_are_not(port):
    assert port not in FORBIDDEN_PORTS


def test_a_scheme_may_use_its_own_port():
    assert egress("").admit("sftp://files.example", schemes=("sftp",)).port == 22
    with pytest.raises(EgressError, match="Port 25"):
        egress("").admit("sftp://files.example:25", schemes=("sftp",))


BAD_ENTRIES = {
    "localhost": "neither an origin such as http://127.0.0.1:9000 nor a network such as 10.0.0.0/8",
    "127.0.0.1:9000": "neither an origin",
    "*": "neither an origin",
    "10.0.0.0/33": "neither an origin",
    "10.1.2.3/8": "has bits beyond its prefix; write 10.0.0.0/8",
    "fd00::1/8": "has bits beyond its prefix; write fd00::/8",
    "http://127.0.0.1:9000/path": "has a path; allow the whole origin with http://127.0.0.1:9000",
    "http://127.0.0.1?x": "has a path",
    "ftp://files.example": "is not an origin",
    "http://*.example.com": "is not an origin",
    "http://user@example.com": "is not an origin",
    "http://127.1": "is not an origin",
    "http://": "is not an origin",
}


@pytest.mark.parametrize(("entry", "reason"), BAD_ENTRIES.items())
def test_a_bad_entry_is_named_with_the_right_form(entry, reason):
    with pytest.raises(OperationError) as refusal:
        AllowList.parse(f"https://fine.example, {entry}")

    assert reason in str(refusal.value)
    assert f"'{entry}'" in str(refusal.value)


def test_nothing_is_listed_by_an_empty_setting():
    assert AllowList.parse(" , ") == AllowList()


async def test_every_answer_of_the_dns_is_checked():
    public = egress("", "8.8.8.8", "2606:4700::1111")
    mixed = egress("", "8.8.8.8", "10.0.0.1")

    assert [str(a) for a in await public.addresses(public.admit("https://x.example/"))] == [
        "8.8.8.8",
        "2606:4700::1111",
    ]
    with pytest.raises(EgressError):
        await mixed.addresses(mixed.admit("https://x.example/"))


@pytest.mark.parametrize(
    "answer",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1%eth0", "64:ff9b::a00:1", "0.0.0.0",
     "fd00:ec2::254", "not an address"],
)  # fmt: skip
async def test_a_name_that_leads_inside_is_refused_without_naming_the_address(answer):
    way_out = egress("", answer)

    with pytest.raises(EgressError) as refusal:
        await way_out.dial(way_out.admit("https://inside.example/"))

    assert str(refusal.value) == (
        "'https://inside.example' is not on the public internet; whoever runs Headrace can allow it "
        "with HEADRACE_EGRESS_ALLOW=https://inside.example"
    )


async def test_a_listed_name_may_lead_to_a_private_address_only():
    url = "https://partner.internal/"
    private = egress("https://partner.internal", "10.0.0.1", "::1", "fd00::1")
    metadata = egress("https://partner.internal", "10.0.0.1", "169.254.169.254")

    assert len(await private.addresses(private.admit(url))) == 3
    with pytest.raises(EgressError):
        await metadata.addresses(metadata.admit(url))


async def test_a_listed_network_opens_names_that_resolve_there_over_https():
    way_out = egress("10.0.0.0/8", "10.9.9.9")

    assert len(await way_out.addresses(way_out.admit("https://partner.internal/"))) == 1


async def test_a_literal_address_asks_nobody():
    way_out = Egress(AllowList(), resolver=(asked := resolver("10.0.0.1")))

    await way_out.addresses(way_out.admit("https://8.8.8.8/"))

    assert asked.asked == []


async def test_a_name_is_looked_up_once_for_a_connection():
    asked = resolver("127.0.0.1")

    with socket.create_server(("127.0.0.1", 0)) as server:
        target = parse_url(f"http://partner.internal:{server.getsockname()[1]}/")
        way_out = Egress(AllowList.parse(target.origin), resolver=asked)
        (await way_out.dial(target)).close()

    assert asked.asked == [("partner.internal", target.port)]


async def test_the_next_address_is_tried_when_one_refuses():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        way_out = egress(f"http://partner.internal:{port}", "127.0.0.2", "127.0.0.3", "127.0.0.1")

        with await way_out.dial(way_out.admit(f"http://partner.internal:{port}/")) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
            assert not sock.getblocking()


async def test_a_refused_connection_was_certainly_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    way_out = egress("127.0.0.0/8")

    with pytest.raises(NotSent, match="refused the connection"):
        await way_out.dial(way_out.admit(f"http://127.0.0.1:{port}/"))


async def test_a_black_hole_ends_at_the_connect_deadline_and_the_next_address_gets_its_share():
    with socket.socket() as full, socket.create_server(("127.0.0.1", 0)) as good:
        port = good.getsockname()[1]
        full.bind(("127.0.0.2", port))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        try:
            two = egress(f"http://p.internal:{port}", "127.0.0.2", "127.0.0.1", connect_timeout=0.2)
            one = egress(f"http://p.internal:{port}", "127.0.0.2", connect_timeout=0.1)

            with await two.dial(parse_url(f"http://p.internal:{port}/")) as sock:
                assert sock.getpeername()[0] == "127.0.0.1"
            with pytest.raises(NotSent, match="did not accept a connection in time"):
                await one.dial(parse_url(f"http://p.internal:{port}/"))
        finally:
            for filler in fillers:
                filler.close()


async def test_slow_dns_has_a_deadline_of_its_own():
    async def never(host, port):
        await asyncio.Event().wait()
        return []

    way_out = Egress(AllowList(), resolver=never, resolve_timeout=0.05)

    with pytest.raises(NotSent, match=r"'slow\.example' was not resolved within 0\.05 seconds"):
        await way_out.dial(parse_url("https://slow.example/"))
    with pytest.raises(NotSent, match=r"within 0\.01 seconds"):
        await way_out.dial(parse_url("https://slow.example/"), within=0.01)


async def test_who_asks_the_same_at_once_shares_one_look_up_even_a_stuck_one():
    asked, answer = [], asyncio.Event()

    async def slow(host, port):
        asked.append(host)
        await answer.wait()
        return ["8.8.8.8"]

    way_out = Egress(AllowList(), resolver=slow, resolve_timeout=0.05)
    target = parse_url("https://slow.example/")
    for _ in range(2):
        with pytest.raises(NotSent, match="was not resolved within"):
            await way_out.addresses(target)
    joined = [asyncio.create_task(way_out.addresses(target)) for _ in range(3)]
    await asyncio.sleep(0)
    answer.set()

    assert [len(await task) for task in joined] == [1, 1, 1]
    assert asked == ["slow.example"]
    await way_out.addresses(target)
    assert asked == ["slow.example"] * 2


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_an_unknown_name_was_certainly_not_sent(failure):
    async def unknown(host, port):
        raise failure

    with pytest.raises(NotSent, match=r"'nowhere\.example' was not resolved"):
        await Egress(AllowList(), resolver=unknown).dial(parse_url("https://nowhere.example/"))


async def test_a_name_without_addresses_was_certainly_not_sent():
    with pytest.raises(NotSent, match="has no address"):
        await egress("").dial(parse_url("https://empty.example/"))


async def test_the_system_resolves_localhost():
    answers = await resolve_with_system("localhost", 80)

    assert set(answers) <= {"127.0.0.1", "::1"}
    assert answers
