"""What of the operator's settings becomes of the way out, and what is told at the start."""

import pytest

from headrace.app import transport_of
from headrace.connect.http import HttpTransport
from headrace.connect.reqwest import ReqwestTransport
from headrace.errors import OperationError
from headrace.settings import Settings


@pytest.mark.parametrize(("name", "kind"), [("headrace", HttpTransport), ("pyreqwest", ReqwestTransport)])
def test_the_operator_chooses_the_transport(name, kind):
    assert isinstance(transport_of(Settings(transport=name)), kind)


BAD = {
    "HEADRACE_EGRESS_ALLOW": {"egress_allow": "localhost"},
    "HEADRACE_EGRESS_PROXY": {"egress_proxy": "proxy.internal:3128"},
    "HEADRACE_TLS_CA_FILE": {"tls_ca_file": "/no/such.pem"},
    "HEADRACE_TLS_CLIENT_CERTIFICATES": {"tls_client_certificates": "https://a.example=/no/such.pem"},
}


@pytest.mark.parametrize(("variable", "setting"), BAD.items(), ids=BAD)
@pytest.mark.parametrize("transport", ["headrace", "pyreqwest"])
def test_a_bad_setting_is_named_at_the_start(variable, setting, transport):
    with pytest.raises(OperationError, match=variable):
        transport_of(Settings(transport=transport, **setting))
