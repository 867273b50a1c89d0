"""Signatures as Standard Webhooks has them, held against the published example and against HMAC written out."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.webhooks import WebhookSigner
from headrace.model.http import Request
from headrace.model.signing_secret import key_of

#: The example of the specification's libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
MOMENT = 1_614_265_330
BODY = b'{"test": 2432232314}'
EXPECTED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

SECRETS = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())


def hmac_sha256(key, content):
    """RFC 2104, written out."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + content).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def verify(headers, body, secret):
    """Say whether one of the signatures is by a secret, as a partner does it."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    wanted = base64.b64encode(hmac_sha256(key, content)).decode()
    return any(signature.split(",") == ["v1", wanted] for signature in headers["webhook-signature"].split(" "))


def signed(body, secrets, id_=ID, seconds=MOMENT):
    request = Request("POST", "https://partner.example/", (("Accept", "*/*"),), body)
    return WebhookSigner.of(secrets).sign(request, id_, seconds * 1000 + 999)


def test_the_published_example_comes_out():
    assert dict(signed(BODY, [SECRET]).headers) == {
        "Accept": "*/*",
        "webhook-id": ID,
        "webhook-timestamp": str(MOMENT),
        "webhook-signature": EXPECTED,
    }
    assert verify({"webhook-id": ID, "webhook-timestamp": str(MOMENT), "webhook-signature": EXPECTED}, BODY, SECRET)


@given(
    st.binary(max_size=300), st.lists(SECRETS, min_size=1, max_size=4, unique=True), SECRETS, st.integers(0, 1 << 34)
)
def test_whoever_has_one_of_the_secrets_can_verify_and_nobody_else(body, secrets, other, seconds):
    request = signed(body, secrets, seconds=seconds)
    headers = dict(request.headers)

    assert request.body == body
    assert all(verify(headers, body, secret) for secret in secrets)
    assert verify(headers, body, other) == (other in secrets)
    assert not verify(headers, body + b" ", secrets[0])
    assert not verify({**headers, "webhook-id": "another"}, body, secrets[0])
    assert not verify({**headers, "webhook-timestamp": str(seconds + 1)}, body, secrets[0])


WRONG = {
    "no prefix": ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with `whsec_`"),
    "no Base64": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!!", "is Base64"),
    "not ASCII": ("whsec_" + "ä" * 32, "is Base64"),
    "too short": ("whsec_" + base64.b64encode(b"x" * 23).decode(), "24 to 64 bytes"),
    "too long": ("whsec_" + base64.b64encode(b"x" * 65).decode(), "24 to 64 bytes"),
}


@pytest.mark.parametrize(("secret", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_secret_is_refused_and_not_repeated(secret, said):
    with pytest.raises(ValueError, match=said) as refused:
        key_of(secret)

    assert secret not in str(refused.value)
