"""TLS as a partner has it, with authorities and certificates made on the spot, over both transports."""

import asyncio
import datetime
import ssl

import pytest
import trustme

from headrace.connect.tls import Tls
from headrace.connect.transport import NotSent, Unanswered
from headrace.errors import OperationError
from headrace.model.http import Request

from .conftest import new_transport, raw_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "partner.test"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    """The authority that signs, behind another one: a file of authorities may hold several."""
    file = tmp_path_factory.mktemp("tls") / "authorities.pem"
    file.write_bytes(trustme.CA().cert_pem.bytes() + b"\n" + authority.cert_pem.bytes())
    return file


@pytest.fixture
def trusting(ca_file):
    return Tls(ca_file)


def far_end_with(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def far_end(authority):
    return far_end_with(authority.issue_cert(NAME, "127.0.0.1"))


async def answer_always(line):
    while await line.read_request():
        await line.say(OK)


def transport_to(server, kind, *, tls=None, name=NAME, **options):
    async def resolve(host, port):
        return ["127.0.0.1"]

    return new_transport(
        kind, allow=f"https://{name}:{server.port} 127.0.0.0/8", resolver=resolve, tls=tls or Tls(), **options
    )


async def call(transport, server, *, host=NAME, deadline=5.0, pool="a"):
    request = Request("POST", f"https://{host}:{server.port}/?key=hunter2", (), b"x")
    return await transport.send(request, deadline=deadline, pool=pool)


async def test_a_trusted_certificate_carries_requests_on_one_connection(kind, far_end, trusting):
    seen = []
    far_end.sni_callback = lambda connection, name, context: seen.append(name)
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, kind, tls=trusting) as transport:
        assert [(await call(transport, server)).body for _ in range(5)] == [b"ok"] * 5
        assert server.connections == 1
        assert f"\r\nhost: {NAME}:{server.port}\r\n".encode() in server.requests[0].lower()
    assert seen == [NAME]


async def test_a_certificate_may_be_for_an_address(kind, far_end, trusting):
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, kind, tls=trusting) as transport:
        assert (await call(transport, server, host="127.0.0.1")).status == 200


def expired(authority):
    return authority.issue_cert(NAME, not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))


REFUSED = {
    "another authority": lambda authority: trustme.CA().issue_cert(NAME),
    "another name": lambda authority: authority.issue_cert("other.test"),
    "another address": lambda authority: authority.issue_cert("127.0.0.1"),
    "expired": expired,
}


@pytest.mark.parametrize("issue", REFUSED.values(), ids=REFUSED)
async def test_a_certificate_that_is_not_right_is_refused_and_nothing_was_sent(kind, authority, trusting, issue):
    far_end = far_end_with(issue(authority))
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, kind, tls=trusting) as transport:
        with pytest.raises(NotSent, match="certificate was refused") as error:
            await call(transport, server)
        assert server.requests == []
        assert "hunter2" not in str(error.value)


async def test_an_authority_of_ones_own_is_not_trusted_unless_the_operator_says_so(kind, far_end):
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, kind) as transport:
        with pytest.raises(NotSent, match="certificate was refused"):
            await call(transport, server)
        assert server.requests == []


async def test_a_version_of_tls_that_is_broken_is_refused(kind, far_end, trusting):
    far_end.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        far_end.minimum_version = far_end.maximum_version = ssl.TLSVersion.TLSv1_1
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, kind, tls=trusting) as transport:
        with pytest.raises(NotSent):
            await call(transport, server)


async def test_a_server_without_tls_is_refused(kind):
    async def script(line):
        await line.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await line.ended()

    async with raw_server(script) as server, transport_to(server, kind) as transport:
        with pytest.raises(NotSent):
            await call(transport, server)


async def test_a_server_that_hangs_up_during_the_handshake_was_sent_nothing(kind):
    async def script(line):
        line.reset()

    async with raw_server(script) as server, transport_to(server, kind) as transport:
        with pytest.raises(NotSent):
            await call(transport, server)


@pytest.mark.parametrize(("handshake", "deadline"), [(0.1, 5.0), (5.0, 0.1)], ids=["its own deadline", "the total one"])
async def test_a_handshake_that_hangs_has_a_deadline(handshake, deadline):
    async def script(line):
        await asyncio.Event().wait()

    async with raw_server(script) as server, transport_to(server, "headrace", handshake_timeout=handshake) as transport:
        with pytest.raises(NotSent, match="not secured in time"):
            await call(transport, server, deadline=deadline)


async def test_a_handshake_that_hangs_ends_with_the_deadline_of_the_request(kind):
    async def script(line):
        await asyncio.Event().wait()

    async with raw_server(script) as server, transport_to(server, kind) as transport:
        with pytest.raises((NotSent, Unanswered)):
            await call(transport, server, deadline=0.2)


async def test_after_a_failed_handshake_the_place_is_free(far_end):
    async with (
        raw_server(answer_always, tls=far_end) as server,
        transport_to(server, "headrace", connections=1) as transport,
    ):
        for _ in range(3):
            with pytest.raises(NotSent):
                await call(transport, server)
        assert transport.pools == 0


async def test_an_answer_cut_short_under_tls_leaves_the_outcome_unknown(kind, far_end, trusting):
    async def script(line):
        await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")

    async with raw_server(script, tls=far_end) as server, transport_to(server, kind, tls=trusting) as transport:
        with pytest.raises(Unanswered):
            await call(transport, server)


async def test_the_deadline_holds_under_tls(kind, far_end, trusting):
    async def script(line):
        await line.read_request()
        await asyncio.Event().wait()

    async with raw_server(script, tls=far_end) as server, transport_to(server, kind, tls=trusting) as transport:
        with pytest.raises(Unanswered, match="took too long"):
            await call(transport, server, deadline=2.0)


async def test_accounts_share_neither_a_connection_nor_a_session(kind, far_end, trusting):
    resumed = []

    async def script(line):
        resumed.append(line.writer.get_extra_info("ssl_object").session_reused)
        await answer_always(line)

    async with raw_server(script, tls=far_end) as server, transport_to(server, kind, tls=trusting) as transport:
        for pool in ("one", "two", "three", "one", "two"):
            await call(transport, server, pool=pool)

    assert resumed == [False, False, False]


async def test_the_second_transport_offers_http_2(far_end, trusting):
    agreed = []
    far_end.set_alpn_protocols(["h2", "http/1.1"])

    async def script(line):
        agreed.append(line.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        agreed.append(await line.reader.readexactly(24))

    async with (
        raw_server(script, tls=far_end) as server,
        transport_to(server, "pyreqwest", tls=trusting) as transport,
    ):
        with pytest.raises(Unanswered):
            await call(transport, server)

    assert agreed == ["h2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]


@pytest.fixture
def client_certificate(authority, tmp_path):
    file = tmp_path / "client.pem"
    file.write_bytes(authority.issue_cert("client@headrace.test").private_key_and_cert_chain_pem.bytes())
    return file


def asking_for_a_certificate(authority, *, required):
    context = far_end_with(authority.issue_cert(NAME))
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


async def test_a_client_certificate_is_shown_to_its_origin_and_to_no_other(
    kind, authority, ca_file, client_certificate
):
    shown = []

    async def script(line):
        shown.append((line.server.port, line.writer.get_extra_info("ssl_object").getpeercert() is not None))
        await answer_always(line)

    context = asking_for_a_certificate(authority, required=False)
    async with raw_server(script, tls=context) as one, raw_server(script, tls=context) as other:
        tls = Tls.parse(ca_file, f"https://{NAME}:{one.port}={client_certificate}")
        async with transport_to(one, kind, tls=tls) as transport:
            assert (await call(transport, one)).status == 200
        async with transport_to(other, kind, tls=tls) as transport:
            assert (await call(transport, other)).status == 200

    assert [(port, bool(certificate)) for port, certificate in shown] == [(one.port, True), (other.port, False)]


async def test_a_partner_that_insists_on_a_certificate_is_reached_with_it_alone(
    kind, authority, ca_file, client_certificate
):
    context = asking_for_a_certificate(authority, required=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # In 1.3 a server refuses when the client is through already.
    async with raw_server(answer_always, tls=context) as server:
        with_it = Tls.parse(ca_file, f"https://{NAME}:{server.port}={client_certificate}")
        async with transport_to(server, kind, tls=with_it) as transport:
            assert (await call(transport, server)).status == 200
        async with transport_to(server, kind, tls=Tls(ca_file)) as transport:
            with pytest.raises((NotSent, Unanswered)):
                await call(transport, server)


BAD = {
    "no file": ("https://a.example=/no/such.pem", "'/no/such.pem' is not a PEM file"),
    "no pair": ("https://a.example", "is not an origin and a file: write https://a.example=FILE"),
    "http": ("http://a.example=/x.pem", "is not a pair such as https://api.partner.example=/etc/partner.pem"),
    "a path": ("https://a.example/x=/x.pem", "is not an origin and a file"),
    "no origin": ("/x.pem", "is not a pair"),
}


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_a_bad_client_certificate_is_told_at_the_start(text, says):
    with pytest.raises(OperationError, match="HEADRACE_TLS_CLIENT_CERTIFICATES: ") as error:
        Tls.parse(None, text)

    assert says in str(error.value)


def test_a_key_with_a_passphrase_is_told_at_the_start_and_not_asked_for(client_certificate, tmp_path):
    pem = client_certificate.read_bytes()
    file = tmp_path / "sealed.pem"
    file.write_bytes(pem.replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"))

    with pytest.raises(OperationError, match="needs no passphrase"):
        Tls.parse(None, f"https://a.example={file}")


@pytest.mark.parametrize(
    "content", [None, b"", b"hello", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"]
)
def test_a_bad_file_of_authorities_is_told_at_the_start(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(OperationError, match=f"HEADRACE_TLS_CA_FILE: '{file}' is not a file of certificates as PEM"):
        Tls.parse(file, "")


def test_without_settings_the_authorities_of_the_system_are_trusted():
    assert Tls.parse(None, " , ").context("https://a.example").verify_mode == ssl.CERT_REQUIRED
