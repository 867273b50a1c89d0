"""What is sealed opens in its own place, with its own key, and nowhere else."""

from dataclasses import replace

import pytest

from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring, Place, SealError
from headrace.connect.secrets import Secret
from headrace.errors import OperationError

PLACE = Place("acme@org", "prod", "account-1", "token")


class Rows:
    """The data keys of all organizations, in memory."""

    def __init__(self):
        self.rows = []
        self.loads = 0

    def load(self, organization):
        self.loads += 1
        return [(key_id, wrapped) for owner, key_id, wrapped in self.rows if owner == organization]

    def save(self, organization, key_id, wrapped):
        self.rows.append((organization, key_id, wrapped))


@pytest.fixture
def provider(tmp_path):
    return LocalKeyFile(tmp_path / "master.key")


@pytest.fixture
def rows():
    return Rows()


@pytest.fixture
def keyring(provider, rows):
    return Keyring(provider, rows)


@pytest.mark.parametrize("value", ["hunter2", "", "ü€🎉", "x" * 100_000])
def test_what_is_sealed_opens(keyring, value):
    assert keyring.open(keyring.seal(value, PLACE), PLACE).reveal() == value
    assert keyring.open(keyring.seal(Secret(value), PLACE), PLACE) == Secret(value)


def test_the_sealed_form_is_a_text_with_version_and_key(keyring, rows):
    version, key_id, content = keyring.seal("hunter2", PLACE).split(".")

    assert version == "v1"
    assert key_id == rows.rows[0][1]
    assert set(content) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_the_same_value_is_never_sealed_alike(keyring):
    assert keyring.seal("hunter2", PLACE) != keyring.seal("hunter2", PLACE)


@pytest.mark.parametrize("part", ["organization", "sandbox", "record", "field"])
def test_a_value_moved_to_another_place_does_not_open(keyring, part):
    elsewhere = replace(PLACE, **{part: "other"})
    keyring.seal("warm up", replace(PLACE, organization="other"))

    with pytest.raises(SealError):
        keyring.open(keyring.seal("hunter2", PLACE), elsewhere)


def test_places_that_read_alike_are_different(keyring):
    sealed = keyring.seal("hunter2", Place("acme@org", "a", "bc", "d"))

    with pytest.raises(SealError):
        keyring.open(sealed, Place("acme@org", "ab", "c", "d"))


def test_swapping_two_rows_opens_neither(keyring):
    here, there = PLACE, replace(PLACE, record="account-2")
    rows = {here: keyring.seal("mine", here), there: keyring.seal("yours", there)}
    rows[here], rows[there] = rows[there], rows[here]

    for place, sealed in rows.items():
        with pytest.raises(SealError, match="belongs to another place"):
            keyring.open(sealed, place)


def test_an_organization_cannot_open_what_another_sealed_even_with_its_key_row(keyring, rows):
    sealed = keyring.seal("hunter2", PLACE)
    _, key_id, wrapped = rows.rows[0]
    rows.save("thief@org", key_id, wrapped)

    with pytest.raises(OperationError, match="does not unwrap"):
        keyring.open(sealed, replace(PLACE, organization="thief@org"))


@pytest.mark.parametrize("position", [0, 5, 12, -1])
def test_a_damaged_value_does_not_open_and_the_error_names_the_key_only(keyring, rows, position):
    version, key_id, content = keyring.seal("hunter2", PLACE).split(".")
    letters = list(content)
    letters[position] = "A" if letters[position] != "A" else "B"

    with pytest.raises(SealError) as error:
        keyring.open(f"{version}.{key_id}.{''.join(letters)}", PLACE)

    assert key_id in str(error.value)
    assert "hunter2" not in str(error.value)
    assert content[:8] not in str(error.value)


@pytest.mark.parametrize("sealed", ["", "v1", "v1.", "v2.k1.AAAA", "hunter2", "v1..AAAA", "v1.k1"])
def test_what_was_never_sealed_is_said_to_be_of_no_known_form_or_key(keyring, sealed):
    with pytest.raises(SealError, match="stored secret"):
        keyring.open(sealed, PLACE)


@pytest.mark.parametrize("content", ["", "AAAA", "A", "!!!!", "AAAA AAAA", "ä" * 40])
def test_a_value_cut_short_does_not_open(keyring, rows, content):
    keyring.seal("x", PLACE)

    with pytest.raises(SealError):
        keyring.open(f"v1.{rows.rows[0][1]}.{content}", PLACE)


def test_after_rotation_the_newest_key_seals_and_all_open(keyring, rows):
    old = keyring.seal("old", PLACE)
    new_id = keyring.rotate(PLACE.organization)
    new = keyring.seal("new", PLACE)

    assert [key_id for _, key_id, _ in rows.rows if key_id[0] == "k"] == [old.split(".")[1], new_id]
    assert new.split(".")[1] == new_id
    assert keyring.open(old, PLACE).reveal() == "old"
    assert keyring.open(new, PLACE).reveal() == "new"


def test_resealing_moves_a_value_to_the_newest_key(keyring):
    old = keyring.seal("old", PLACE)
    assert keyring.reseal(old, PLACE) is old

    new_id = keyring.rotate(PLACE.organization)
    moved = keyring.reseal(old, PLACE)

    assert moved.split(".")[1] == new_id
    assert keyring.open(moved, PLACE).reveal() == "old"


def test_what_another_process_sealed_with_a_newer_key_opens(provider, rows):
    here, there = Keyring(provider, rows), Keyring(provider, rows)
    here.seal("warm up", PLACE)
    there.rotate(PLACE.organization)

    assert here.open(there.seal("new", PLACE), PLACE).reveal() == "new"


def test_keys_are_loaded_once(keyring, rows):
    sealed = keyring.seal("x", PLACE)
    before = rows.loads
    for _ in range(5):
        keyring.open(sealed, PLACE)
        keyring.seal("y", PLACE)

    assert rows.loads == before


def test_a_missing_data_key_is_named(keyring, rows):
    sealed = keyring.seal("x", PLACE)
    rows.rows.clear()

    with pytest.raises(SealError, match=sealed.split(".")[1]):
        Keyring(keyring._provider, rows).open(sealed, PLACE)


def test_the_database_alone_opens_nothing(tmp_path, keyring, rows):
    sealed = keyring.seal("hunter2", PLACE)
    thief = Keyring(LocalKeyFile(tmp_path / "other.key"), rows)

    with pytest.raises(OperationError, match=r"is not in .*other\.key; restore the file"):
        thief.open(sealed, PLACE)


def test_after_the_master_key_is_rotated_old_data_keys_open(provider, rows, tmp_path):
    sealed = Keyring(provider, rows).seal("hunter2", PLACE)
    provider.rotate()

    assert Keyring(provider, rows).open(sealed, PLACE).reveal() == "hunter2"
    assert Keyring(LocalKeyFile(tmp_path / "master.key"), rows).open(sealed, PLACE).reveal() == "hunter2"


def test_fingerprints_are_an_organizations_own_and_outlast_rotation(keyring):
    before = keyring.mask("hunter2", "acme@org")
    keyring.rotate("acme@org")

    assert keyring.mask(Secret("hunter2"), "acme@org") == before
    assert keyring.mask("hunter2", "other@org").fingerprint != before.fingerprint
    assert keyring.mask("hunter3", "acme@org").fingerprint != before.fingerprint
