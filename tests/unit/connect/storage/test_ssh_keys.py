"""Private keys, as operators paste them into a form."""

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from headrace.connect.storage.ssh import read_key
from headrace.model.problem import ConfigurationError


def made(folder: Path, *options: str, passphrase: str = "") -> str:
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", *options, "-N", passphrase, "-f", path], check=True)
    return path.read_text()


KINDS = {
    "ed25519": ("-t", "ed25519"),
    "ecdsa": ("-t", "ecdsa"),
    "rsa": ("-t", "rsa", "-b", "2048"),
    "rsa as PEM": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    "rsa as PKCS8": ("-t", "rsa", "-b", "2048", "-m", "PKCS8"),
}
FORMS = {
    "as it is": lambda text: text,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 in lines": lambda text: "\n".join(
        b64encode(text.encode()).decode()[at : at + 76] for at in range(0, 4000, 76)
    ),
    "all on one line": lambda text: text.replace("\n", " "),
    "lines of Windows": lambda text: text.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_read_in_every_form(tmp_path, kind, form):
    text = made(tmp_path, *KINDS[kind])
    public = (tmp_path / "key.pub").read_text().split()[1]
    assert read_key(FORMS[form](text)).export_public_key().decode().split()[1] == public


def test_base64_of_the_key_without_its_armor(tmp_path):
    text = made(tmp_path, *KINDS["rsa as PEM"])
    read_key("".join(line for line in text.splitlines() if "-----" not in line))


@pytest.mark.parametrize("kind", KINDS)
def test_a_passphrase_is_refused_with_the_way_out(tmp_path, kind):
    text = made(tmp_path, *KINDS[kind], passphrase="canary phrase")
    for form in (text, b64encode(text.encode()).decode()):
        with pytest.raises(ConfigurationError) as caught:
            read_key(form)
        assert "ssh-keygen -p" in str(caught.value)
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "canary", "Y2FuYXJ5", "-----BEGIN OPENSSH PRIVATE KEY-----", "ÿÿ", "ssh-ed25519 AAAA"]
)
def test_what_is_no_key_is_refused_and_not_repeated(text):
    with pytest.raises(ConfigurationError) as caught:
        read_key(text)
    assert "ssh-keygen -t ed25519" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_short_key_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="less than 2048 bits"):
        read_key(made(tmp_path, "-t", "rsa", "-b", "1024", "-m", "PEM"))
