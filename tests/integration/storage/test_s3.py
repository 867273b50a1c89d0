"""What is particular to S3: roles that are assumed, regions that are found, what is not Amazon's to say."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import House, NotStored, Way, storages
from headrace.connect.storage import sts as sts_module
from headrace.connect.storage.sigv4 import Keys, Scope, escaped, sign
from headrace.connect.storage.storage import Stored
from headrace.errors import AccountError, AuthoringError, EgressError
from headrace.model.http import Request
from integration.storage.between import between
from integration.storage.test_contract import content, new_name, pieces

ROLE = "arn:aws:iam::123456789012:role/partners/drop"


@pytest.fixture(scope="session")
def moto(get_place):
    return get_place("moto")


def way(*, house=None, allow="127.0.0.0/8"):
    return Way(Egress(AllowList.parse(allow)), Guard(), house=house)


def opened(place, origin, way, **auth):
    where, auth_type, _ = place.given(origin)
    return storages.get("FILE_BASED_S3").open(where, auth_type, auth, way)


def house(origin, **more):
    return House("AKIAHOUSE", "the house's own secret", sts_url=f"{origin}/", **more)


async def test_a_role_is_assumed_once_and_its_session_signs(moto):
    async with (
        between(moto.origin) as stands,
        opened(moto, stands.origin, way(house=house(stands.origin, external_id="acme")), roleArn=ROLE) as one,
    ):
        name = new_name()
        await one.write(name, pieces(content(1000)))
        assert (await one.look(name)).size == 1000

    assert moto.read(name) == content(1000)
    assert [target for method, target in stands.asked if method == "POST"] == ["/"]
    assert b"ExternalId=acme" in stands.bodies[0]
    assert all("x-amz-security-token" in head.lower() for head in stands.heads[1:])
    assert not any("AKIAHOUSE" in head for head in stands.heads[1:])


async def test_a_session_is_renewed_before_it_ends(moto, monkeypatch):
    monkeypatch.setattr(sts_module, "_BEFORE_ITS_END", timedelta(hours=2))
    async with between(moto.origin) as stands:
        async with opened(moto, stands.origin, way(house=house(stands.origin)), roleArn=ROLE) as storage:
            await storage.look(new_name())
        assert [method for method, _ in stands.asked].count("POST") >= 2


async def test_a_role_without_keys_of_the_house_is_the_operators_to_mend(moto):
    with pytest.raises(AccountError, match="HEADRACE_AWS_ACCESS_KEY_ID"):
        async with opened(moto, moto.origin, way(), roleArn=ROLE):
            pass


@pytest.mark.parametrize("role", ["drop", "arn:aws:iam::1:role/x", ROLE + " x", ROLE + "&Action=DeleteRole"])
async def test_what_is_no_role_is_not_asked_for(moto, role):
    with pytest.raises(AccountError, match="arn:aws:iam"):
        async with opened(moto, moto.origin, way(house=house(moto.origin)), roleArn=role):
            pass


async def test_the_keys_have_their_names_of_both_forms(moto):
    async with opened(moto, moto.origin, way(), s3AccessKey="AKIAEXAMPLE", s3SecretKey="secret" * 6) as storage:
        name = new_name()
        assert await storage.write(name, pieces(b"x")) == Stored(name, 1, (await storage.look(name)).tag)


async def test_credentials_of_the_process_are_not_taken(moto, monkeypatch):
    for variable in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "HTTP_PROXY",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    with pytest.raises(AccountError, match="s3AccessKey"):
        async with opened(moto, moto.origin, way()):
            pass
    async with moto.open() as storage:
        assert await storage.look(new_name()) is None


@pytest.mark.parametrize("bucket", ["", "a", "../x", "people/../lake", "people?acl", "a..b", "x" * 64])
async def test_what_is_no_bucket_is_refused(moto, bucket):
    with pytest.raises(AuthoringError, match="bucket"):
        async with moto.open(place={"bucket": bucket}):
            pass


@pytest.mark.parametrize("path", ["../other", "a/../../b", "./x", "a\nb"])
async def test_a_folder_does_not_lead_elsewhere(moto, path):
    with pytest.raises(AuthoringError, match="path"):
        async with moto.open(place={"path": path}):
            pass


async def test_an_endpoint_is_held_to_what_the_operator_allows(moto):
    where, auth_type, auth = moto.given(moto.origin)
    with pytest.raises(EgressError):
        async with storages.get("FILE_BASED_S3").open(where, auth_type, auth, way(allow="")):
            pass


async def test_a_private_address_behind_a_name_is_not_told(moto):
    where, auth_type, auth = moto.given("https://storage.example.com")

    async def resolve(host, port):
        return ["10.0.0.7"]

    inside = Way(Egress(AllowList(), resolver=resolve), Guard())
    async with storages.get("FILE_BASED_S3").open(where, auth_type, auth, inside) as storage:
        with pytest.raises(NotStored) as refused:
            await storage.look("x")
    assert refused.value.message == "'https://storage.example.com' was not reached; see that it is there."


async def test_uploads_that_others_have_begun_of_a_file_are_left_to_them(moto):
    """Amazon tells who began an upload; a new one shows who we are to it, once."""
    begun = {"ours": ("drop/people/a", "us"), "theirs": ("drop/people/a", "them"), "near": ("drop/people/a.b", "us")}
    begun["late"] = ("drop/people/b", "us")

    def amazon(method, target):
        asked = urlsplit(target)
        query = dict(parse_qsl(asked.query, keep_blank_values=True))
        if method == "POST":
            begun["new"] = (asked.path.removeprefix("/people/"), "us")
            return said("<UploadId>new</UploadId>")
        if method == "DELETE":
            assert begun.pop(query["uploadId"])[0] == asked.path.removeprefix("/people/")
            return said("")
        uploads = "".join(
            f"<Upload><Key>{key}</Key><UploadId>{name}</UploadId><Initiator><ID>{who}</ID></Initiator></Upload>"
            for name, (key, who) in begun.items()
            if key.startswith(query["prefix"])
        )
        return said(f"<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>")

    async with between("", amazon) as stands, moto.open(stands.origin) as storage:
        await storage.clear("a")
        assert set(begun) == {"theirs", "near", "late"}
        await storage.clear("b")
        assert set(begun) == {"theirs", "near"}
        assert [method for method, _ in stands.asked].count("POST") == 1
        stands.rule = lambda method, target: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        await storage.clear("a")  # Not every account may ask, or has to be able to.


def said(body: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("key", ["a b", "100%", "a+b", "Müller", "x=1&y", "a/b'()!*~"])
def test_a_signature_is_amazons_own(method, key):
    url = f"https://s3.eu-west-1.amazonaws.com/people/{escaped(key)}?uploadId=a%2Bb&partNumber=2"
    body = b"" if method == "GET" else b"hello"
    now = datetime.now(UTC)

    ours = sign(
        Request(method, url, (("if-none-match", "*"),), body),
        Keys("AKIA", "secret", "t"),
        Scope("eu-west-1", "s3"),
        now,
    )

    headers = {name: value for name, value in ours.headers if name != "authorization"}
    theirs = AWSRequest(method, url, headers=dict(headers), data=body)
    theirs.context["timestamp"] = dict(ours.headers)["x-amz-date"]
    auth = S3SigV4Auth(Credentials("AKIA", "secret", "t"), "s3", "eu-west-1")
    text = auth.string_to_sign(theirs, auth.canonical_request(theirs))
    assert auth.signature(text, theirs) == re.search(r"Signature=(\w+)", dict(ours.headers)["authorization"])[1]
