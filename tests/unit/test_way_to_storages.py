"""What the settings say of the way to partners' storages."""

from pathlib import Path

import pysequoia
import pytest

from headrace.app import buckets_of, signer_of, storage_way
from headrace.connect.storage import House
from headrace.errors import OperationError
from headrace.settings import Settings


def way(**settings):
    made = Settings(**settings)
    return storage_way(made, buckets_of(made))


def test_nobody_assumes_roles_and_nothing_is_written_here_unless_it_is_said():
    assert (way().house, way().directories) == (None, ())


def test_the_house_has_keys_and_directories():
    found = way(aws_access_key_id="AKIA", aws_secret_access_key="secret", export_directories="/a, /b")

    assert found.house == House("AKIA", "secret")
    assert found.directories == (Path("/a"), Path("/b"))


@pytest.mark.parametrize("half", ["aws_access_key_id", "aws_secret_access_key"])
def test_half_of_a_key_is_refused_when_the_process_starts(half):
    with pytest.raises(OperationError, match="go together"):
        way(**{half: "something"})


def test_files_are_signed_with_the_key_of_a_file(tmp_path):
    key = pysequoia.Tsk.generate("Headrace <files@house.example>")
    (tmp_path / "key").write_text(str(key))

    signer = signer_of(Settings(pgp_signing_key=tmp_path / "key"))

    assert signer.fingerprint == key.extract_certificate().fingerprint.upper()
    assert signer_of(Settings()) is None


@pytest.mark.parametrize("content", [None, b"no key", b"\xff\xfe"], ids=["no file", "no key", "no text"])
def test_what_is_no_key_is_refused_when_the_process_starts(tmp_path, content):
    if content is not None:
        (tmp_path / "key").write_bytes(content)

    with pytest.raises(OperationError, match="HEADRACE_PGP_SIGNING_KEY"):
        signer_of(Settings(pgp_signing_key=tmp_path / "key"))
