"""One spelling of every address: what two readers could take differently is refused."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.url import Target, parse_host, parse_url
from headrace.errors import EgressError

READ = {
    "https://example.com": ("https", "example.com", 443, "/"),
    "https://example.com/": ("https", "example.com", 443, "/"),
    "HTTPS://EXAMPLE.com/Path": ("https", "example.com", 443, "/Path"),
    "https://example.com?x=1": ("https", "example.com", 443, "/?x=1"),
    "https://example.com/a?b=c&d=/../": ("https", "example.com", 443, "/a?b=c&d=/../"),
    "https://example.com/@user:pw": ("https", "example.com", 443, "/@user:pw"),
    "https://example.com/?next=http://127.0.0.1/": ("https", "example.com", 443, "/?next=http://127.0.0.1/"),
    "https://example.com//evil.example/x": ("https", "example.com", 443, "//evil.example/x"),
    "https://example.com/%2e%2e/": ("https", "example.com", 443, "/%2e%2e/"),
    "https://example.com/a;b=c,d": ("https", "example.com", 443, "/a;b=c,d"),
    "https://example.com/{x}|y": ("https", "example.com", 443, "/{x}|y"),
    "https://example.com:443/": ("https", "example.com", 443, "/"),
    "https://example.com:8443/": ("https", "example.com", 8443, "/"),
    "https://example.com:65535/": ("https", "example.com", 65535, "/"),
    "https://example.com:80/": ("https", "example.com", 80, "/"),
    "http://example.com/": ("http", "example.com", 80, "/"),
    "http://localhost:9000/x": ("http", "localhost", 9000, "/x"),
    "https://a": ("https", "a", 443, "/"),
    "https://my_service.internal/": ("https", "my_service.internal", 443, "/"),
    "https://xn--bcher-kva.example/": ("https", "xn--bcher-kva.example", 443, "/"),
    "https://1and1.com/": ("https", "1and1.com", 443, "/"),
    "https://4.example/": ("https", "4.example", 443, "/"),
    "https://0x7f.example/": ("https", "0x7f.example", 443, "/"),
    "https://8.8.8.8/": ("https", "8.8.8.8", 443, "/"),
    "https://8.8.8.8:8443/": ("https", "8.8.8.8", 8443, "/"),
    "https://127.0.0.1/": ("https", "127.0.0.1", 443, "/"),
    "https://[2606:4700::1111]/": ("https", "2606:4700::1111", 443, "/"),
    "https://[2606:4700:0:0:0:0:0:1111]:444/": ("https", "2606:4700::1111", 444, "/"),
    "https://[2606:4700::ABCD]/": ("https", "2606:4700::abcd", 443, "/"),
    "https://[::1]/": ("https", "::1", 443, "/"),
    "https://[::ffff:127.0.0.1]/": ("https", "::ffff:7f00:1", 443, "/"),
    "https://[::ffff:7f00:1]/": ("https", "::ffff:7f00:1", 443, "/"),
    "https://" + "a" * 63 + ".example/": ("https", "a" * 63 + ".example", 443, "/"),
}

REFUSED = {
    "not a URL": [
        "", "/", "//", "//example.com/", "example.com", "example.com:443", "https:", "https:/", "https:example.com",
        "https:/example.com", "://example.com", "1https://example.com/", "-https://example.com/",
    ],
    "is not a way out": [
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com:70/_x", "unix:///var/run/docker.sock",
        "dict://example.com:2628/d", "ldap://example.com/", "jar://example.com!/", "ws://example.com/",
        "javascript://example.com/%0aalert(1)", "data://text/plain,x", "sftp://example.com/", "httpss://example.com/",
        "http+unix://%2Fvar%2Frun/", "phar://x/y", "netdoc://example.com/",
    ],
    "no host": [
        "https://", "https:///", "https:///example.com/", "https://:443/", "https://?x", "https:///?@example.com",
        "https://::1]/", "https://::1/",
    ],
    "names a user": [
        "https://user@example.com/", "https://user:pw@example.com/", "https://@example.com/", "https://:@example.com/",
        "https://example.com@127.0.0.1/", "https://127.0.0.1@example.com/", "https://a@b@c.example/",
        "https://example.com:80@127.0.0.1:80/", "https://foo@[::1]/", "https://user%40x@example.com/",
    ],
    "backslash": [
        "https://example.com\\@127.0.0.1/", "https:\\\\example.com/", "https://example.com\\", "https:/\\example.com/",
        "https://127.0.0.1\\.example.com/", "https://example.com/a\\b", "\\\\example.com\\share",
        "https://exa\\mple.com/",
    ],
    "white space or a control": [
        " https://example.com/", "https://example.com/ ", "https://exam ple.com/", "https://example.com/a b",
        "https://example.com/\r\nHost: evil", "https://example.com\n.evil.example/", "https://\texample.com/",
        "https://example.com\x00.evil.example/", "https://example.com/\x7f", "https://example.com/\x1b[0m",
        "ht\ntps://example.com/", "\x00https://example.com/", "https://example.com/?x=1 HTTP/1.1",
        "https://127.0.0.1\t/", "https://example.com/\x0b", "https:// /",
    ],
    "beyond ASCII": [
        "https://bücher.example/", "https://example。com/", "https://example．com/", "https://127。0。0。1/",
        "https://①②⑦.⓪.⓪.①/", "https://１２７.0.0.1/", "https://ⓛocalhost/", "https://ｅxample.com/",
        "https://exam\u200bple.com/", "https://exam\u00adple.com/", "https://example.com/ü", "https://example\uff0fcom/",
        "https://xn--bcher-kva.example\u3002com/", "https://ß.example/", "https://example.com/\ud800",
        "https://example.com\u2028/", "https://example.com\xa0/", "https://аpple.com/", "https://example.com/\x80",
        "https://\u202eexample.com/",
    ],
    "fragment": ["https://example.com/#x", "https://example.com#", "https://example.com#@evil.example/",
                 "https://example.com/a?b#c"],
    "percent escapes": [
        "https://%65xample.com/", "https://127.0.0.1%2f.example.com/", "https://exam%00ple.com/",
        "https://%31%32%37.0.0.1/", "https://example.com%2eevil.example/", "https://%/", "https://example.com%23/",
        "https://%5B-1%5D/", "https://example%E3%80%82com/",
    ],
    "ends with a dot": ["https://example.com./", "https://localhost./", "https://127.0.0.1./", "https://./",
                        "https://../", "https://0x7f.1./"],
    "not an IPv4 address": [
        "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/",
        "https://127.0.1/", "https://127.0.0.01/", "https://0/", "https://0x/", "https://0x7f.0.0.0x1/",
        "https://017700000001/", "https://127.0.0.256/", "https://127.0.0.1.1/", "https://1.2.3.4.5/",
        "https://example.1/", "https://example.0x7f/", "https://a.b.c.017/", "https://00000177.0.0.1/", "https://0X7F.1/",
        "https://4294967296/", "https://127..0.0.1/", "https://.127.0.0.1/", "https://00/", "https://1.1.1.0xff/",
        "https://169.254.43518/", "https://0xA9FEA9FE/", "https://192.168.257/", "https://999999999999999999/",
    ],
    "not a host name": [
        "https://-example.com/", "https://example-.com/", "https://exa..mple.com/", "https://.example.com/",
        "https://" + "a" * 64 + ".example/", "https://" + "a." * 126 + "aa/", "https://exam$ple.com/",
        "https://exam!ple.com/", "https://a,b/", "https://a;b/", "https://a'b/", 'https://a"b/', "https://a<b>/",
        "https://a|b/", "https://a^b/", "https://a`b/", "https://a{b}/", "https://a&b/", "https://a=b/", "https://a+b/",
        "https://*.example.com/", "https://(example).com/", "https://~/", "https://$host/",
        "https://{{host}}/",
    ],
    "port": [
        "https://example.com:0/", "https://example.com:65536/", "https://example.com:99999/", "https://example.com:/",
        "https://example.com:080/", "https://example.com:+80/", "https://example.com:-1/", "https://example.com:8_0/",
        "https://example.com:80:80/", "https://example.com:x/", "https://example.com:0x50/", "https://example.com:443x/",
        "https://example.com:99999999999/", "https://[::1]:/", "https://[::1]:0/", "https://1.2.3.4:080/",
        "https://example.com:00443/", "https://example.com:4.43/", "https://example.com:443%20/",
    ],
    "cannot be read": [
        "https://[::1/", "https://[::1]x/", "https://x[::1]/", "https://[[::1]]/", "https://[::1].com/",
        "https://[/", "https://]/", "https://a[b]c/", "https://[::1]443/",
    ],
    "not an IPv6 address": [
        "https://[]/", "https://[1.2.3.4]/", "https://[example.com]/", "https://[v1.fe80::a]/", "https://[:::1]/",
        "https://[12345::]/", "https://[1:2:3:4:5:6:7:8:9]/", "https://[::1:]/", "https://[::256.0.0.1]/",
        "https://[::0x7f.0.0.1]/", "https://[::ffff:127.1]/", "https://[::127.0.0.01]/", "https://[::1-]/",
    ],
    "zone": ["https://[fe80::1%eth0]/", "https://[fe80::1%25eth0]/", "https://[::1%1]/", "https://[::1%25]/"],
}  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), READ.items(), ids=repr)
def test_a_plain_url_is_read(text, parts):
    target = parse_url(text)

    assert (target.scheme, target.host, target.port, target.path_and_query) == parts


@pytest.mark.parametrize(
    ("text", "reason"), [(text, reason) for reason, texts in REFUSED.items() for text in texts], ids=repr
)
def test_a_doubtful_url_is_refused_with_the_reason(text, reason):
    with pytest.raises(EgressError, match=reason.replace(".", r"\.")):
        parse_url(text)


def test_each_scheme_has_its_own_port():
    assert parse_url("sftp://files.example", schemes=("sftp",)).port == 22
    assert parse_url("sftp://files.example:22/in", schemes=("sftp",)).path_and_query == "/in"


def test_literal_addresses_are_known_as_such():
    assert parse_url("https://8.8.4.4/").ip == ip_address("8.8.4.4")
    assert parse_url("https://[::1]/").ip == ip_address("::1")
    assert parse_url("https://example.com/").ip is None


@pytest.mark.parametrize(
    ("text", "authority", "origin"),
    [
        ("https://example.com:443/x?y", "example.com", "https://example.com"),
        ("http://example.com:443/", "example.com:443", "http://example.com:443"),
        ("https://[2606:4700::1]/", "[2606:4700::1]", "https://[2606:4700::1]"),
        ("http://[::1]:8080/", "[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_target_writes_its_host_and_origin(text, authority, origin):
    target = parse_url(text)

    assert (target.authority, target.origin) == (authority, origin)


def test_a_url_without_end_is_refused():
    with pytest.raises(EgressError, match="longer than"):
        parse_url("https://example.com/" + "a" * 20_000)


@pytest.mark.parametrize("text", ["https://user:hunter2@example.com/", "https://example.com:x/?token=hunter2",
                                  "https://exa mple.com/?token=hunter2", "nonsense?token=hunter2"])  # fmt: skip
def test_no_error_repeats_the_url(text):
    with pytest.raises(EgressError) as refusal:
        parse_url(text)

    assert "hunter2" not in str(refusal.value)


def test_a_long_host_is_shortened_in_the_error():
    with pytest.raises(EgressError) as refusal:
        parse_host("a" * 5000)

    assert len(str(refusal.value)) < 250


@given(st.text(alphabet=st.sampled_from("htps:/.@[]%#?\\ 0x1279af:-_éa\n"), max_size=40))
def test_what_is_read_reads_the_same_again(text):
    try:
        target = parse_url("https://" + text)
    except EgressError:
        return

    assert parse_url(target.origin + target.path_and_query) == target
    assert isinstance(target, Target)
    assert target.host == target.host.lower()
    assert not set(target.host) & set("@[]%#?\\/ \n")
