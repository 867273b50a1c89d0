"""TLS as a partner has it, with certificates made on the spot."""

import asyncio
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headrace.connect.egress import AllowList, Egress
from headrace.connect.http import HttpTransport
from headrace.connect.transport import NotSent, Unanswered
from headrace.model.http import Request

from .conftest import raw_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DAY = datetime.timedelta(days=1)


def make_certificate(folder, *, name="partner.test", starts=-DAY, ends=DAY):
    """Write a self-signed certificate for the name and 127.0.0.1, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + min(starts, ends - DAY))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}-{ends.days}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def far_end(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate):
    return ssl.create_default_context(cafile=certificate)


async def answer_always(line):
    while await line.read_request():
        await line.say(OK)


def transport_to(server, *, tls=None, name="partner.test", **options):
    async def resolve(host, port):
        return ["127.0.0.1"]

    allow = AllowList.parse(f"https://{name}:{server.port} 127.0.0.0/8")
    return HttpTransport(Egress(allow, resolver=resolve), tls=tls, **options)


async def call(transport, server, *, host="partner.test", deadline=5.0):
    request = Request("POST", f"https://{host}:{server.port}/?key=hunter2", (), b"x")
    return await transport.send(request, deadline=deadline, pool="a")


async def test_a_trusted_certificate_carries_requests_on_one_connection(far_end, trusting):
    seen = []
    far_end.sni_callback = lambda connection, name, context: seen.append(name)
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, tls=trusting) as transport:
        assert [(await call(transport, server)).body for _ in range(5)] == [b"ok"] * 5
        assert server.connections == 1
        assert f"\r\nHost: partner.test:{server.port}\r\n".encode() in server.requests[0]
    assert seen == ["partner.test"]


async def test_a_certificate_may_be_for_an_address(far_end, trusting):
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, tls=trusting) as transport:
        assert (await call(transport, server, host="127.0.0.1")).status == 200


async def test_a_self_signed_certificate_is_refused(far_end):
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server) as transport:
        with pytest.raises(NotSent, match="certificate was refused: self-signed certificate") as error:
            await call(transport, server)
        assert server.requests == []
        assert "hunter2" not in str(error.value)


async def test_a_certificate_for_another_name_is_refused(far_end, trusting):
    async with (
        raw_server(answer_always, tls=far_end) as server,
        transport_to(server, tls=trusting, name="other.test") as transport,
    ):
        with pytest.raises(NotSent, match="certificate was refused: Hostname mismatch"):
            await call(transport, server, host="other.test")


async def test_an_expired_certificate_is_refused(tmp_path):
    file = make_certificate(tmp_path, ends=-DAY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    trusting = ssl.create_default_context(cafile=file)
    async with raw_server(answer_always, tls=context) as server, transport_to(server, tls=trusting) as transport:
        with pytest.raises(NotSent, match="certificate was refused: certificate has expired"):
            await call(transport, server)


async def test_a_server_without_tls_is_refused():
    async def script(line):
        await line.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await line.ended()

    async with raw_server(script) as server, transport_to(server) as transport:
        with pytest.raises(NotSent, match="TLS failed"):
            await call(transport, server)


async def test_a_server_that_hangs_up_during_the_handshake_was_sent_nothing():
    async def script(line):
        line.reset()

    async with raw_server(script) as server, transport_to(server) as transport:
        with pytest.raises(NotSent, match="before it was secured"):
            await call(transport, server)


@pytest.mark.parametrize(("handshake", "deadline"), [(0.1, 5.0), (5.0, 0.1)], ids=["its own deadline", "the total one"])
async def test_a_handshake_that_hangs_has_a_deadline(handshake, deadline):
    async def script(line):
        await asyncio.Event().wait()

    async with raw_server(script) as server, transport_to(server, handshake_timeout=handshake) as transport:
        with pytest.raises(NotSent, match="not secured in time"):
            await call(transport, server, deadline=deadline)


async def test_after_a_failed_handshake_the_place_is_free(far_end):
    async with raw_server(answer_always, tls=far_end) as server, transport_to(server, connections=1) as transport:
        for _ in range(3):
            with pytest.raises(NotSent):
                await call(transport, server)
        assert transport.pools == 0


async def test_an_answer_cut_short_under_tls_leaves_the_outcome_unknown(far_end, trusting):
    async def script(line):
        await line.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")

    async with raw_server(script, tls=far_end) as server, transport_to(server, tls=trusting) as transport:
        with pytest.raises(Unanswered):
            await call(transport, server)


async def test_the_deadline_holds_under_tls(far_end, trusting):
    async def script(line):
        await line.read_request()
        await asyncio.Event().wait()

    async with raw_server(script, tls=far_end) as server, transport_to(server, tls=trusting) as transport:
        with pytest.raises(Unanswered, match="took too long"):
            await call(transport, server, deadline=0.2)
