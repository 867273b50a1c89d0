"""What an operator may write for the forward proxy."""

from base64 import b64decode

import pytest

from headrace.connect.proxy import Proxy
from headrace.errors import OperationError

RIGHT = {
    "a name": ("http://proxy.internal:3128", "proxy.internal", 3128, None),
    "an address": ("http://10.0.0.1:3128/", "10.0.0.1", 3128, None),
    "an address of IPv6": ("http://[fd00::1]:3128", "fd00::1", 3128, None),
    "no port": ("HTTP://Proxy.internal", "proxy.internal", 80, None),
    "blanks around": (" http://proxy.internal:3128\n", "proxy.internal", 3128, None),
    "a name and a password": ("http://me:hunter2@proxy.internal:3128", "proxy.internal", 3128, b"me:hunter2"),
    "escapes in them": ("http://m%40e:h%3A%C3%BC@proxy.internal:3128", "proxy.internal", 3128, "m@e:h:ü".encode()),
    "colons in a password": ("http://me:a:b@proxy.internal:3128", "proxy.internal", 3128, b"me:a:b"),
}


@pytest.mark.parametrize(("text", "host", "port", "credentials"), RIGHT.values(), ids=RIGHT)
def test_a_proxy_is_read(text, host, port, credentials):
    proxy = Proxy.parse(text)

    assert proxy is not None
    assert (proxy.host, proxy.port) == (host, port)
    shown = proxy.authorization and b64decode(proxy.authorization.removeprefix("Basic "))
    assert shown == credentials


@pytest.mark.parametrize("text", ["", " "])
def test_without_the_setting_there_is_none(text):
    assert Proxy.parse(text) is None


WRONG = {
    "no scheme": "proxy.internal:hunter2",
    "https": "https://proxy.internal:hunter2",
    "socks": "socks5://me:hunter2@proxy.internal:1080",
    "a path": "http://me:hunter2@proxy.internal:3128/x",
    "a name without a password": "http://hunter2@proxy.internal:3128",
    "a short address": "http://me:hunter2@127.1:3128",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_bad_proxy_is_named_by_its_setting_and_never_repeated(text):
    with pytest.raises(OperationError, match="HEADRACE_EGRESS_PROXY") as error:
        Proxy.parse(text)

    assert "hunter2" not in str(error.value)


def test_what_the_proxy_wants_to_be_shown_is_not_printed():
    assert "Basic" not in repr(Proxy.parse("http://me:hunter2@proxy.internal:3128"))
