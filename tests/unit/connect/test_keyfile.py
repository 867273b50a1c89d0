"""The local key file: made whole, read by its owner only."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from headrace.connect.keyfile import LocalKeyFile
from headrace.errors import OperationError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_for_its_owner_alone(tmp_path):
    path = tmp_path / "a" / "b" / "master.key"

    LocalKeyFile(path)

    assert mode(path) == 0o600
    assert mode(path.parent) == mode(path.parent.parent) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_a_second_start_reads_the_same_key(tmp_path):
    first = LocalKeyFile(tmp_path / "master.key")
    second = LocalKeyFile(tmp_path / "master.key")

    assert first.key_id == second.key_id
    assert second.unwrap(first.wrap(b"k" * 32, b"aad"), b"aad") == b"k" * 32


def test_two_files_have_two_keys(tmp_path):
    assert LocalKeyFile(tmp_path / "a").key_id != LocalKeyFile(tmp_path / "b").key_id


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o644, 0o660, 0o601, 0o620])
def test_a_file_that_others_can_read_is_refused_with_the_command_that_mends_it(tmp_path, bits):
    path = tmp_path / "master.key"
    LocalKeyFile(path)
    path.chmod(bits)

    with pytest.raises(OperationError) as refusal:
        LocalKeyFile(path)

    assert f"chmod 600 {path}" in str(refusal.value)


def test_a_file_that_its_owner_can_only_read_will_do(tmp_path):
    path = tmp_path / "master.key"
    LocalKeyFile(path)
    path.chmod(0o400)

    assert LocalKeyFile(path).key_id


@pytest.mark.parametrize(
    "content",
    ["", "x", "{}", "[]", "null", '{"keys": []}', '{"keys": [{"id": "a"}]}', '{"keys": [{"id": "a", "key": "AAAA"}]}',
     '{"keys": [{"id": "a", "key": "!"}]}', '{"keys": 5}', '{"keys": [5]}', '{"keys": [{"id": "a", "key": 5}]}'],
)  # fmt: skip
def test_another_file_is_not_taken_for_one_and_not_overwritten(tmp_path, content):
    path = tmp_path / "master.key"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(OperationError, match="is not a key file of Headrace"):
        LocalKeyFile(path)

    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OperationError, match="cannot be read or made"):
        LocalKeyFile(tmp_path / "file" / "master.key")


def test_many_processes_starting_at_once_agree_on_one_key(tmp_path):
    with ThreadPoolExecutor(8) as starters:
        made = list(starters.map(lambda _: LocalKeyFile(tmp_path / "keys" / "master.key").key_id, range(16)))

    assert len(set(made)) == 1
    assert [entry.name for entry in (tmp_path / "keys").iterdir()] == ["master.key"]


@pytest.mark.parametrize(
    "change", [lambda w: w[:-1], lambda w: w[:-1] + bytes([w[-1] ^ 1]), lambda w: w[: w.index(0) + 5]]
)
def test_a_damaged_wrapping_is_refused_by_the_keys_name(tmp_path, change):
    provider = LocalKeyFile(tmp_path / "master.key")
    wrapped = provider.wrap(b"k" * 32, b"aad")

    with pytest.raises(OperationError, match=provider.key_id):
        provider.unwrap(change(wrapped), b"aad")


def test_a_wrapping_is_bound_to_its_context(tmp_path):
    provider = LocalKeyFile(tmp_path / "master.key")

    with pytest.raises(OperationError, match="does not unwrap"):
        provider.unwrap(provider.wrap(b"k" * 32, b"mine"), b"yours")


def test_rotation_adds_a_key_and_keeps_the_old(tmp_path):
    path = tmp_path / "master.key"
    provider = LocalKeyFile(path)
    old_id, wrapped = provider.key_id, provider.wrap(b"k" * 32, b"aad")

    new_id = provider.rotate()

    assert provider.key_id == new_id != old_id
    assert provider.unwrap(wrapped, b"aad") == b"k" * 32
    assert [entry["id"] for entry in json.loads(path.read_text())["keys"]] == [old_id, new_id]
    assert mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]
