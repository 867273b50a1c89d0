"""Ways of accounts to their storages: what the author wrote and the operator entered come to one place and look."""

import pytest

from authored import template, text
from headrace.connect.auth import SignInNeeded
from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.pgp import NotEncrypted
from headrace.connect.storage import House, NotStored, Way
from headrace.errors import AccountError, EgressError
from headrace.events import PartnerUnreached
from headrace.model.problem import ConfigurationError
from headrace.services import authoring, standing
from headrace.services.standing import Holder
from unit.services.filing import filing

S3, SFTP, AZURE = "FILE_BASED_S3", "FILE_BASED_SFTP", "FILE_BASED_AZURE_BLOB"
BLOCK = "/fileBasedS3Destination"
KEYS = {"accessId": "AKIAIOSFODNN7EXAMPLE", "secretKey": "canary-secret-of-the-bucket-Jd83"}
PIN = "SHA256:" + "A" * 43
FIELDS = [{"name": name, "type": "string"} for name in ("folder", "quote", "region")]


@pytest.fixture
async def bucket(house):
    """A bucket whose folder and quotation mark the operator chooses."""
    server = {
        f"{BLOCK}/path": template("in/{{ customerData.folder }}/%SEGMENT_NAME%/%SEGMENT_ID%"),
        "/fileConfigurations": {"csvOptions": {"quote": template("{{ customerData.quote }}")}},
    }
    found = await filing(house, S3, server, {"/customerDataFields": FIELDS})
    await found.sign_in("S3", **KEYS)
    return found


# -- the place and the look ---------------------------------------------------------------------------------------


async def test_a_place_is_what_the_author_wrote_with_what_the_operator_entered(bucket):
    await bucket.fill_in(folder="R&D", quote='"')

    access = bucket.access()

    assert access._place.block == {"bucket": "harbor", "path": "in/R&D", "x-headrace": {}}
    assert access.folder == "%SEGMENT_NAME%/%SEGMENT_ID%"
    assert access.customer_data == {"folder": "R&D", "quote": '"'}
    assert (access.look.csv.quote, access.look.has_manifest, access.seal) == ('"', False, None)


async def test_the_author_may_have_values_escaped(house):
    said = {**template("{{ customerData.folder }}"), "x-headrace": {"escaping": "html"}}
    found = await filing(house, S3, {f"{BLOCK}/path": said}, {"/customerDataFields": FIELDS})
    await found.sign_in("S3", **KEYS)
    await found.fill_in(folder="R&D")

    assert found.access()._place.block["path"] == "R&amp;D"


async def test_macros_that_the_operator_enters_count_as_the_authors(house):
    path = template("{{ customerData.folder }}")
    found = await filing(house, S3, {f"{BLOCK}/path": path}, {"/customerDataFields": FIELDS})
    await found.sign_in("S3", **KEYS)
    await found.fill_in(folder="drop/%SEGMENT_ID%")

    assert (found.access()._place.block["path"], found.access().folder) == ("drop", "%SEGMENT_ID%")


async def test_templates_see_the_destination_and_what_was_entered(house):
    path = template("{{ destination.sandboxName }}/{{ destination.name }}/{{ destination.config.folder }}")
    found = await filing(house, S3, {f"{BLOCK}/path": path}, {"/customerDataFields": FIELDS})
    await found.sign_in("S3", **KEYS)
    await found.fill_in(folder="in")

    assert found.access()._place.block["path"] == f"{house.caller.tenant.sandbox}/Harbor/in"


@pytest.mark.parametrize(
    ("folder", "code"),
    [("../../etc", "leaves-the-folder"), ("a\\b", "invalid"), ("%SEGMENT_ID%x", "macro-inside")],
)
async def test_nothing_that_is_entered_leads_elsewhere(bucket, folder, code):
    await bucket.fill_in(folder=folder)

    with pytest.raises(ConfigurationError) as raised:
        bucket.access()

    assert (code, f"{BLOCK}/path") in {(problem.code, problem.pointer) for problem in raised.value.problems}


async def test_a_look_that_no_file_can_have_is_refused(bucket):
    await bucket.fill_in(folder="in", quote="no character")

    with pytest.raises(ConfigurationError, match="quote"):
        bucket.access()


@pytest.mark.parametrize(("said", "is_on"), [(True, True), ("true", True), (False, False), ("false", False)])
async def test_an_operator_may_ask_for_a_manifest_where_the_author_asks_nothing(bucket, said, is_on):
    await bucket.fill_in(folder="in", includeFileManifest=said)

    assert bucket.access().look.has_manifest is is_on


async def test_an_operator_does_not_take_a_manifest_away(house):
    found = await filing(house, S3, {"/fileConfigurations": {"includeFileManifest": text("true")}})
    await found.sign_in("S3", **KEYS)
    await found.fill_in(includeFileManifest=False)

    assert found.access().look.has_manifest


# -- the credentials ----------------------------------------------------------------------------------------------


async def test_what_an_account_has_sealed_is_opened_for_its_storage(bucket):
    await bucket.fill_in(folder="in")

    sign_in = bucket.access()._sign_in

    assert (sign_in.auth_type, sign_in.auth) == ("S3", KEYS)


async def test_an_account_without_credentials_opens_nothing(bucket):
    await bucket.fill_in(folder="in")
    await bucket.sign_in()

    with pytest.raises(AccountError, match="has no credentials; give it some"):
        bucket.access()


async def test_credentials_of_another_kind_open_nothing(bucket):
    await bucket.fill_in(folder="in")
    await bucket.sign_in("AZURE_CONNECTION_STRING", connectionString="AccountName=a;AccountKey=aaaa")

    with pytest.raises(AccountError, match="create an account with `S3`"):
        bucket.access()


async def test_a_revoked_account_opens_nothing(bucket, house):
    await bucket.fill_in(folder="in")
    holder = Holder(house.caller.tenant, bucket.account.id)
    await house.store.write(lambda tx: standing.revoke(tx, holder, "somebody", house.clock.now()))

    with pytest.raises(SignInNeeded, match="were revoked"):
        bucket.access()


async def test_an_account_rests_once_unless_it_was_given_other_credentials(bucket, house):
    await bucket.fill_in(folder="in")
    access, now = bucket.access(), house.clock.now()
    holder = Holder(house.caller.tenant, bucket.account.id)
    await house.store.write(lambda tx: standing.begin_anew(tx, holder, now))
    newer = bucket.access()

    rested = [await house.store.write(lambda tx, of=of: of.rest(tx, "denied", now)) for of in (access, newer, newer)]

    assert rested == [None, bucket.account.id, None]
    with pytest.raises(SignInNeeded, match="is refused by the partner: denied"):
        bucket.access()


async def test_shared_credentials_sign_in_for_everybody(house):
    stores = (house.store, house.clock, house.keyring, house.caller)
    shared = await authoring.save(*stores, authoring.CREDENTIALS, {"s3Authentication": {**KEYS}})
    changes = {
        "/customerAuthenticationConfigurations": [],
        "/destinationDelivery/0/authenticationRule": "PLATFORM_AUTHENTICATION",
        "/destinationDelivery/0/authenticationId": shared.declared.id,
    }
    found = await filing(house, S3, {}, changes)
    await found.fill_in()

    access = found.access()

    assert (access._sign_in.auth_type, access._sign_in.auth) == ("S3", KEYS)
    assert access.redact(f"no {KEYS['secretKey']}") == "no [secret]"
    rested = await house.store.write(lambda tx: access.rest(tx, "denied", house.clock.now()))
    assert rested is None, "what one operator enters stops no other"


async def test_a_role_is_assumed_for_the_sandbox_that_it_is_for(house):
    way = Way(Egress(AllowList()), Guard(), house=House("AKIA", "secret"))
    found = await filing(house, S3, way=way)
    await found.sign_in("S3", roleArn="arn:aws:iam::123456789012:role/drop")
    await found.fill_in()

    assert found.access()._way.house == House("AKIA", "secret", external_id=house.caller.tenant.sandbox_id)


# -- keys of hosts ------------------------------------------------------------------------------------------------


async def test_a_host_key_counts_for_the_host_that_the_account_leads_to(house):
    changes = {"/fileBasedSFTPDestination/hostName": template("{{ customerData.region }}.harbor.example")}
    found = await filing(house, SFTP, changes, {"/customerDataFields": FIELDS})
    await found.sign_in("SFTP_WITH_PASSWORD", domain="drop.example", username="u", password="pass")
    await found.fill_in(region="eu")

    assert found.access()._way.trusted_keys == {}
    found.pin(PIN)
    assert found.access()._way.trusted_keys == {"eu.harbor.example:22": PIN}


# -- encryption ---------------------------------------------------------------------------------------------------


async def test_a_server_that_takes_encrypted_files_only_gets_no_others(house):
    found = await filing(house, SFTP, {"/fileBasedSFTPDestination/encryptionMode": "PGP"})
    await found.sign_in("SFTP_WITH_PASSWORD", domain="drop.example", username="u", password="pass")
    await found.fill_in()

    with pytest.raises(NotEncrypted, match="give the account the partner's `publicKey`"):
        found.access()


# -- what is told -------------------------------------------------------------------------------------------------


async def test_errors_tell_no_secret(house):
    changes = {"/fileBasedSFTPDestination/rootDirectory": template("/{{ customerData.folder }}")}
    found = await filing(house, SFTP, changes, {"/customerDataFields": FIELDS})
    await found.sign_in("SFTP_WITH_PASSWORD", domain="drop.example", username="u", password=KEYS["secretKey"])
    await found.fill_in(("/params/folder",), folder="canary-folder-of-the-form-Lw40")
    access = found.access()

    assert "canary" not in f"{access!r}{access._sign_in!r}"
    with pytest.raises(AccountError) as raised:
        async with access.open():
            raise AccountError(f"{KEYS['secretKey']} in canary-folder-of-the-form-Lw40 is wrong")
    assert str(raised.value) == raised.value.message == "[secret] in [secret] is wrong"


async def test_what_is_wrong_with_a_place_tells_no_secret_of_the_form(bucket):
    await bucket.fill_in(("/params/folder",), folder="../canary-folder-of-the-form-Lw40")

    with pytest.raises(ConfigurationError) as raised:
        bucket.access()

    assert "canary" not in f"{raised.value} {raised.value.problems}"


async def test_parts_of_credentials_are_secret_by_themselves(house):
    found = await filing(house, AZURE)
    await found.sign_in("AZURE_CONNECTION_STRING", connectionString="AccountName=harbor;AccountKey=Y2FuYXJ5LWtleQ==")
    await found.fill_in()

    assert found.access().redact("harbor with Y2FuYXJ5LWtleQ==") == "harbor with [secret]"


async def test_a_storage_that_is_blocked_is_told_of_to_whoever_runs_headrace(house):
    found = await filing(house, S3, {f"{BLOCK}/x-headrace": {"endpoint": text("https://10.1.2.3")}})
    await found.sign_in("S3", **KEYS)
    await found.fill_in()

    with pytest.raises(NotStored) as raised:
        async with found.access().open():
            pass

    assert (raised.value.cause, "public" in raised.value.message) == ("unreached", False)
    (event,) = [event for event in house.events if isinstance(event, PartnerUnreached)]
    assert (event.noun, event.id, event.target) == ("account", found.account.id, "https://10.1.2.3:443")
    assert "is not on the public internet" in event.reason
    assert house.rows("SELECT count(*) FROM audit WHERE action = 'blocked'") == [(1,)]


async def test_a_storage_is_reached_by_the_operators_way_out_alone(house):
    way = Way(Egress(AllowList()), Guard())
    found = await filing(house, S3, {f"{BLOCK}/x-headrace": {"endpoint": text("http://storage.example")}}, way=way)
    await found.sign_in("S3", **KEYS)
    await found.fill_in()

    with pytest.raises(EgressError):
        async with found.access().open():
            pass
