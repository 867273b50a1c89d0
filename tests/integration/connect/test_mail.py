"""Mail, handed to a real server on loopback: secured, signed in, and through the one way out."""

import ssl

import pytest
import trustme

from headrace.connect.egress import AllowList, Egress
from headrace.connect.mail import Mail, Mailer, MailServer, NotMailed
from headrace.connect.tls import Tls
from headrace.connect.transport import NotSent
from headrace.errors import EgressError, OperationError
from headrace.testkit.mail import MailBox

FROM = "a@b.example"
MAIL = Mail("ops@example.com", "an-id", "Held", "It is held.\n", 1_774_000_000_000)
LOGIN = ("us", "a password of ours")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Whom we trust, in a file, and a server's side of it."""
    made, file = trustme.CA(), tmp_path_factory.mktemp("tls") / "ca.pem"
    made.cert_pem.write_to_path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    return file, context


def mailer(url, tls="none", login=("", ""), ca_file=None, allow=None):
    server = MailServer.parse(url, tls, *login, "headrace@example.com")
    return Mailer(server, Egress(AllowList.parse(url if allow is None else allow)), Tls(ca_file))


async def test_a_message_arrives_as_it_was_written():
    with MailBox.in_thread() as box:
        await mailer(box.url).send(MAIL)

    (arrived,) = box.messages
    assert (arrived["From"], arrived["To"], arrived["Subject"]) == ("headrace@example.com", "ops@example.com", "Held")
    assert arrived["Message-ID"] == "<an-id@headrace.invalid>"
    assert arrived.get_content().splitlines() == ["It is held."]


async def test_the_password_goes_once_the_connection_is_secured(authority):
    ca_file, context = authority
    with MailBox.in_thread(context, LOGIN) as box:
        await mailer(box.url, "starttls", LOGIN, ca_file).send(MAIL)

    assert len(box.messages) == 1


async def test_a_server_that_does_not_secure_the_connection_gets_nothing():
    with MailBox.in_thread(login=LOGIN) as box, pytest.raises(NotMailed):
        await mailer(box.url, "starttls", LOGIN).send(MAIL)

    assert not box.messages


async def test_a_certificate_that_nobody_vouches_for_is_refused(authority):
    _, context = authority
    with MailBox.in_thread(context) as box, pytest.raises(NotMailed):
        await mailer(box.url, "starttls").send(MAIL)

    assert not box.messages


async def test_a_refusal_names_the_code_and_not_the_address():
    with MailBox.in_thread() as box:
        box.answers = [550]
        with pytest.raises(NotMailed, match=r"^The mail server answered 550\.$") as refused:
            await mailer(box.url).send(MAIL)

    assert refused.value.is_final


async def test_a_server_inside_the_network_has_to_be_allowed():
    with MailBox.in_thread() as box, pytest.raises(EgressError):
        await mailer(box.url, allow="").send(MAIL)


async def test_a_server_that_is_not_there_is_not_reached():
    with MailBox.in_thread() as box:
        url = box.url
    with pytest.raises(NotSent):
        await mailer(url).send(MAIL)


@pytest.mark.parametrize(
    ("url", "tls", "password", "sender", "says"),
    [
        pytest.param("mail.example.com", "starttls", "", FROM, "HEADRACE_SMTP_URL", id="no scheme"),
        pytest.param("http://mail.example.com", "starttls", "", FROM, "HEADRACE_SMTP_URL", id="another scheme"),
        pytest.param("smtp://mail.example.com/x", "starttls", "", FROM, "has a path", id="a path"),
        pytest.param("smtp://mail.example.com", "starttls", "", "", "HEADRACE_SMTP_FROM", id="nobody writes"),
        pytest.param("smtp://mail.example.com", "none", "secret", FROM, "HEADRACE_SMTP_TLS", id="in the clear"),
    ],
)
def test_settings_that_are_not_right_are_refused(url, tls, password, sender, says):
    with pytest.raises(OperationError, match=says):
        MailServer.parse(url, tls, "us", password, sender)
