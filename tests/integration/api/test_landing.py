"""The landing zone as partners read it: through Azure's own protocol, with the way in that was handed out."""

import asyncio
import base64
import os
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from xml.etree import ElementTree

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import AzureStore

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way, storages
from headrace.services.landing import sas
from headrace.services.landing.tidying import tidy
from headrace.services.landing.zones import ACCOUNT, KEY
from headrace.services.sealing import Safe
from headrace.store import access, landing_zones
from integration.storage.test_contract import NAMES

ZONE = "/data/foundation/connectors/landingzone"
CREDENTIALS = f"{ZONE}/credentials?type=dlz_destination"
REFRESH = f"{CREDENTIALS}&action=refresh"
CONTENT = random.Random(1).randbytes(700_001)


def given(api):
    answer = api.get(CREDENTIALS)
    assert answer.status == 200, answer.text
    return answer.json


def azure(way):
    """A client of Azure's storage that knows nothing of us."""
    endpoint = way["SASUri"].partition("?")[0].removesuffix("/" + way["containerName"])
    return AzureStore(
        container_name=way["containerName"],
        account_name=way["storageAccountName"],
        endpoint=endpoint,
        sas_key=way["SASToken"],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def directory(headrace, way):
    return headrace.app.landing.directory / way["containerName"]


def put(headrace, way, name, content=CONTENT, path="/"):
    """Write a file as an export does."""

    async def pieces():
        for at in range(0, len(content), 100_000):
            yield content[at : at + 100_000]

    async def work():
        async def landing():
            return directory(headrace, way)

        way_out = Way(Egress(AllowList()), Guard(), landing=landing)
        async with storages.get("FILE_BASED_DLZ").open({"path": path}, "NONE", {}, way_out) as storage:
            return await storage.write(name, pieces(), replaces=True)

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work()).result()


class Plain:
    """HTTP as it is, below a container's address."""

    def __init__(self, way):
        parts = urlsplit(way["SASUri"])
        self.path, self.query = parts.path, parts.query
        self._address = parts.netloc

    def send(self, name="", query=None, method="GET", more="", raw=None, **headers):
        connection = HTTPConnection(self._address, timeout=30)
        path = raw if raw is not None else self.path + (f"/{quote(name)}" if name else "")
        wanted = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.putrequest(
            method, f"{path}?{self.query if query is None else query}{more}", skip_accept_encoding=True
        )
        for key, value in wanted.items():
            connection.putheader(key, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def listed(self, **asked):
        answer = self.send(more="&" + urlencode({"restype": "container", "comp": "list", **asked}))
        assert answer.status == 200, answer.content
        return ElementTree.fromstring(answer.content)


def code_of(answer):
    """The code of an error, which its body tells as its header does."""
    code = answer.headers["x-ms-error-code"]
    assert ElementTree.fromstring(answer.content).findtext("Code") == code
    assert answer.headers["x-ms-request-id"]
    return code


def names(tree):
    return [blob.findtext("Name") for blob in tree.iter("Blob")]


def folders(tree):
    return [folder.findtext("Name") for folder in tree.iter("BlobPrefix")]


@pytest.fixture
def way(headrace):
    """A way into a sandbox's landing zone that nobody else has."""
    api = headrace.as_client(sandbox=f"landing-{len(headrace.opened)}")
    return {**given(api), "api": api}


@pytest.fixture
def plain(way):
    return Plain(way)


# -- the way in -------------------------------------------------------------------------------------------------------


def test_a_way_in_has_the_form_of_the_original(way, headrace):
    assert set(way) - {"api"} == {"containerName", "SASToken", "storageAccountName", "SASUri", "expiryDate"}
    assert way["SASUri"] == f"{headrace.api.url}/landing/{ACCOUNT}/{way['containerName']}?{way['SASToken']}"
    fields = dict(parse_qsl(way["SASToken"]))
    assert (fields["sr"], fields["sp"], fields["sv"]) == ("c", "rl", "2020-12-06")
    assert fields["se"].startswith(way["expiryDate"])
    assert way["api"].get(f"{ZONE}?type=dlz_destination").json == {
        "containerName": way["containerName"],
        "containerTTL": "7",
    }


def test_every_sandbox_has_one_container_and_the_audit_says_who_was_handed_a_way_in(way):
    assert given(way["api"])["containerName"] == way["containerName"]
    entries = way["api"].get("/audit?limit=50").json["items"]
    ours = [(entry["action"], entry["noun"]) for entry in entries if entry["id"] == way["containerName"]]
    assert ours == [("hand-out", "landing-zone"), ("hand-out", "landing-zone"), ("create", "landing-zone")]
    assert "sig=" not in str(entries)


@pytest.mark.parametrize(
    ("type_", "says"), [("user_drop_zone", "user_drop_zone, is not there"), ("another", "write type=dlz_destination")]
)
def test_other_zones_are_refused_with_the_way_out(api, type_, says):
    for answer in (
        api.get(f"{ZONE}?type={type_}"),
        api.get(f"{ZONE}/credentials?type={type_}"),
        api.post(f"{ZONE}/credentials?type={type_}&action=refresh", {}),
    ):
        assert answer.status == 400
        assert says in answer.json["detail"]


def test_a_refresh_needs_its_action(api):
    assert api.post(CREDENTIALS, {}).status == 400
    assert api.post(f"{CREDENTIALS}&action=delete", {}).status == 400


# -- with a real client -----------------------------------------------------------------------------------------------


def test_a_client_of_azure_reads_what_was_written(headrace, way):
    put(headrace, way, "people.csv", path="/exports/today/")
    put(headrace, way, "empty.csv", b"")
    store = azure(way)

    assert [item["path"] for page in obstore.list(store) for item in page] == ["empty.csv", "exports/today/people.csv"]
    found = obstore.list_with_delimiter(store)
    assert (found["common_prefixes"], [item["path"] for item in found["objects"]]) == (["exports"], ["empty.csv"])

    head = obstore.head(store, "exports/today/people.csv")
    assert head["size"] == len(CONTENT)
    assert abs(head["last_modified"].timestamp() - time.time()) < 60
    whole = obstore.get(store, "exports/today/people.csv")
    assert (whole.meta["e_tag"], bytes(whole.bytes())) == (head["e_tag"], CONTENT)
    assert bytes(obstore.get(store, "empty.csv").bytes()) == b""
    assert bytes(obstore.get_range(store, "exports/today/people.csv", start=17, end=300_018)) == CONTENT[17:300_018]
    assert bytes(obstore.get_range(store, "exports/today/people.csv", start=700_000, end=800_000)) == CONTENT[-1:]
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "exports/today/other.csv")


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_read_as_it_was_written(headrace, way, plain, name):
    put(headrace, way, name, b"theirs")
    assert names(plain.listed()) == [name]
    assert plain.send(name).content == b"theirs"

    store = azure(way)
    (item,) = [item for page in obstore.list(store) for item in page]
    assert bytes(obstore.get(store, item["path"]).bytes()) == b"theirs"


def test_a_client_of_azure_writes_and_removes_nothing(headrace, way):
    put(headrace, way, "people.csv")
    store = azure(way)
    for act in (lambda: obstore.put(store, "new", b"x"), lambda: obstore.delete(store, "people.csv")):
        with pytest.raises(BaseError):
            act()
    assert [one.name for one in directory(headrace, way).iterdir()] == ["people.csv"]


def test_a_refresh_ends_what_was_handed_out_before(headrace, way):
    put(headrace, way, "people.csv")
    before = azure(way)
    assert obstore.head(before, "people.csv")
    fresh = way["api"].post(REFRESH, {}).json

    assert fresh["containerName"] == way["containerName"]
    with pytest.raises(BaseError, match=r"403|[Pp]ermission|[Ff]orbidden"):
        obstore.head(before, "people.csv")
    assert obstore.head(azure(fresh), "people.csv")
    assert obstore.head(azure(given(way["api"])), "people.csv")
    assert code_of(Plain(way).send("people.csv")) == "AuthenticationFailed"


# -- who is let in ----------------------------------------------------------------------------------------------------


def key_of(headrace, way):
    def work(tx):
        zone = landing_zones.named(tx, way["containerName"])
        return zone, access.tenant_of(tx, zone.tenant)

    zone, tenant = headrace.app.store.read_now(work)
    return base64.b64decode(Safe(headrace.app.keyring, tenant).open(landing_zones.RECORD, zone.keys)[KEY].reveal())


def signed(headrace, way, **changes):
    now = int(time.time()) * 1000
    asked = {"permissions": "rl", "starts_at": now - 60_000, "ends_at": now + 60_000, "protocols": ""} | changes
    return sas.signed(key_of(headrace, way), f"/blob/{ACCOUNT}/{way['containerName']}", **asked)


def test_another_sandboxes_way_in_opens_nothing(headrace, way, plain):
    other = given(headrace.as_client(sandbox=f"other-{len(headrace.opened)}"))
    put(headrace, way, "people.csv")

    assert plain.send("people.csv").status == 200
    assert code_of(plain.send("people.csv", query=other["SASToken"])) == "AuthenticationFailed"
    assert code_of(plain.send("people.csv", query="")) == "AuthenticationFailed"
    missing = plain.send(raw=f"/landing/{ACCOUNT}/dlz-0000/people.csv")
    assert (missing.status, code_of(missing)) == (403, "AuthenticationFailed")
    assert code_of(plain.send(raw=f"/landing/another/{way['containerName']}/people.csv")) == "InvalidUri"


def test_a_way_in_counts_in_its_time_alone(headrace, way, plain):
    put(headrace, way, "people.csv")
    now = int(time.time()) * 1000
    for query in (signed(headrace, way, ends_at=now - 1000), signed(headrace, way, starts_at=now + 60_000)):
        refused = plain.send("people.csv", query=query)
        assert (refused.status, code_of(refused)) == (403, "AuthenticationFailed")
        assert b"specified time frame" in refused.content
    assert plain.send("people.csv", query=signed(headrace, way)).status == 200


def test_a_way_in_does_what_it_was_signed_for(headrace, way, plain):
    put(headrace, way, "people.csv")
    listing = "&restype=container&comp=list"
    for permissions, reads, lists in (("r", 200, 403), ("l", 403, 200)):
        query = signed(headrace, way, permissions=permissions)
        read, listed = plain.send("people.csv", query=query), plain.send(query=query, more=listing)
        assert (read.status, listed.status) == (reads, lists)
        refused = next(answer for answer in (read, listed) if answer.status == 403)
        assert code_of(refused) == "AuthorizationPermissionMismatch"


def test_no_field_of_a_signature_can_be_changed(headrace, way, plain):
    """Each character of each field, another value, an added field, one field twice."""
    put(headrace, way, "people.csv")
    fields = dict(parse_qsl(plain.query))
    changed = [{**fields, name: value[:-2] + ("AA" if value[-2:] != "AA" else "BB")} for name, value in fields.items()]
    changed += [{key: value for key, value in fields.items() if key != name} for name in fields]
    changed += [{**fields, name: "x"} for name in ("si", "sip", "spr", "ses", "rscd", "rsct")]
    changed += [{**fields, "sig": fields["sig"].rstrip("=")}, {**fields, "sig": fields["sig"].lower()}]
    for query in (*map(urlencode, changed), f"{plain.query}&se=2099-01-01T00%3A00%3A00Z", f"sp=rl&{plain.query}"):
        assert code_of(plain.send("people.csv", query=query)) == "AuthenticationFailed", query


def test_what_is_refused_is_counted_by_its_code_alone(headrace, way, plain):
    plain.send("people.csv", query="sig=wrong")
    assert 'headrace_landing_refused_total{code="AuthenticationFailed"}' in headrace.api.get("/metrics").text


def test_whoever_reads_needs_none_of_our_headers_and_is_told_no_origin_and_no_cache(headrace, way, plain):
    put(headrace, way, "people.html", b"<script>alert(1)</script>")
    answer = plain.send("people.html")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Range", "x_ms_range"])
@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=0-0", 206, slice(0, 1), "bytes 0-0/10"),
        ("bytes=3-", 206, slice(3, 10), "bytes 3-9/10"),
        ("bytes=3-6", 206, slice(3, 7), "bytes 3-6/10"),
        ("bytes=9-999999999999", 206, slice(9, 10), "bytes 9-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=6-3", 200, slice(0, 10), None),
        ("bytes=-3", 200, slice(0, 10), None),
        ("bytes=0-1,3-4", 200, slice(0, 10), None),
        ("lines=0-1", 200, slice(0, 10), None),
        ("bytes=" + "9" * 40 + "-", 200, slice(0, 10), None),
    ],
)
def test_ranges(headrace, way, plain, header, asked, status, part, told):
    put(headrace, way, "ten", b"0123456789")
    answer = plain.send("ten", **{header: asked})
    assert (answer.status, answer.headers["Content-Range"]) == (status, told)
    if part is None:
        assert code_of(answer) == "InvalidRange"
    else:
        assert answer.content == b"0123456789"[part]


def test_azures_own_range_counts_before_the_standard_one(headrace, way, plain):
    put(headrace, way, "ten", b"0123456789")
    assert plain.send("ten", Range="bytes=0-1", x_ms_range="bytes=8-9").content == b"89"


def test_conditions(headrace, way, plain):
    put(headrace, way, "ten", b"0123456789")
    seen = plain.send("ten", method="HEAD").headers
    tag, date = seen["ETag"], seen["Last-Modified"]
    old = "Mon, 01 Jan 2001 00:00:00 GMT"

    def status(**conditions):
        return plain.send("ten", **conditions).status

    assert [status(If_Match=value) for value in (tag, "*", f'"x", {tag}', '"x"')] == [200, 200, 200, 412]
    assert [status(If_None_Match=value) for value in (tag, "*", f'"x", {tag}', '"x"')] == [304, 304, 304, 200]
    assert [status(If_Modified_Since=value) for value in (date, old, "never")] == [304, 200, 200]
    assert [status(If_Unmodified_Since=value) for value in (date, old, "never")] == [200, 412, 200]
    assert plain.send("ten", If_None_Match=tag).headers["x-ms-error-code"] == "ConditionNotMet"
    assert plain.send("ten", If_Range='"x"', Range="bytes=0-1").status == 200
    assert plain.send("ten", If_Range=tag, Range="bytes=0-1").status == 206

    put(headrace, way, "ten", b"another...")
    assert status(If_Match=tag) == 412


def test_head_says_what_get_would_send(headrace, way, plain):
    put(headrace, way, "ten", b"0123456789")
    head = plain.send("ten", method="HEAD", x_ms_version="2021-08-06", x_ms_client_request_id="mine")
    whole = plain.send("ten")
    assert (head.status, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges", "x-ms-blob-type"):
        assert head.headers[name] == whole.headers[name]
    assert (head.headers["x-ms-version"], whole.headers["x-ms-version"]) == ("2021-08-06", sas.VERSION)
    assert head.headers["x-ms-client-request-id"] == "mine"
    missing = plain.send("eleven", method="HEAD")
    assert (missing.status, missing.headers["x-ms-error-code"], missing.content) == (404, "BlobNotFound", b"")


@pytest.mark.parametrize(
    ("method", "status", "code"),
    [
        ("PUT", 403, "AuthorizationPermissionMismatch"),
        ("POST", 403, "AuthorizationPermissionMismatch"),
        ("DELETE", 403, "AuthorizationPermissionMismatch"),
        ("OPTIONS", 405, "UnsupportedHttpVerb"),
        ("PROPFIND", 405, "UnsupportedHttpVerb"),
    ],
)
def test_nothing_but_reading_is_done(headrace, way, plain, method, status, code):
    put(headrace, way, "ten", b"0123456789")
    for answer in (plain.send("ten", method=method), plain.send(method=method)):
        assert (answer.status, code_of(answer)) == (status, code)
    assert plain.send("ten").content == b"0123456789"


def test_what_is_under_way_is_there_for_nobody(headrace, way, plain):
    place = directory(headrace, way)
    (place / ".headrace-0123.part").write_bytes(b"half")
    (place / ".hidden").mkdir()
    (place / ".hidden" / "file").write_bytes(b"half")
    (place / "in").mkdir()
    (place / "in" / ".headrace-4567.part").write_bytes(b"half")
    put(headrace, way, "whole", b"whole")

    assert names(plain.listed()) == ["whole"]
    assert folders(plain.listed(delimiter="/")) == []
    for name in (".headrace-0123.part", ".hidden/file", "in/.headrace-4567.part", "in", "in/"):
        assert code_of(plain.send(name)) == "BlobNotFound"


def test_links_and_what_is_no_file_lead_nowhere(headrace, way, plain, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    place = directory(headrace, way)
    (place / "file").symlink_to(tmp_path / "secret")
    (place / "folder").symlink_to(tmp_path)
    os.mkfifo(place / "pipe")

    assert names(plain.listed()) == []
    assert folders(plain.listed(delimiter="/")) == []
    for name in ("file", "folder/secret", "pipe"):
        assert code_of(plain.send(name)) == "BlobNotFound"


def test_no_path_leads_out_of_a_container(headrace, way, plain):
    """Hundreds of paths made of what paths are escaped by: none shows anything but what was put there to be read."""
    secret = b"what nobody may read"
    (headrace.app.landing.directory / "secret").write_bytes(secret)
    other = headrace.app.landing.directory / "dlz-neighbour"
    other.mkdir(exist_ok=True)
    (other / "secret").write_bytes(secret)
    put(headrace, way, "file", b"theirs", path="a")
    draw = random.Random(7)
    pieces = [
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        "%252e%252e",
        "..%2f",
        "..%5c",
        "\\..",
        "%00",
        "a",
        "file",
        "secret",
        "dlz-neighbour",
    ]
    pieces += ["", "/", "%2f", "%c0%ae%c0%ae", "..;", "~", "%0d%0a", "a%00", "%ff", "con", "a" * 300, "%ed%a0%80"]
    for _ in range(400):
        path = draw.choice(["/", "/", "%2f", "//"]).join(draw.choices(pieces, k=draw.randint(1, 7)))
        answer = plain.send(raw=f"{plain.path}/{path}")
        assert secret not in answer.content
        assert answer.status in (400, 403, 404) or answer.content == b"theirs", (path, answer.status)
    assert plain.send(raw=f"{plain.path}/a%2ffile").content == b"theirs"


# -- lists ------------------------------------------------------------------------------------------------------------

FILES = ["a b.csv", "a/1", "a/2/x", "a/2/y", "a0", "b/1", "b/ünïcode &<>\"'.csv", "c", "z/1", "\U0001f600"]


@pytest.fixture
def filled(headrace, way, plain):
    for name in FILES:
        put(headrace, way, name, b"x")
    return plain


HERE = sorted(FILES)


def test_a_list_is_in_the_order_of_whole_names(filled):
    assert names(filled.listed()) == HERE


def paged(plain, **asked):
    """Every page of a list, by its markers."""
    marker, found = None, []
    while marker != "":
        tree = plain.listed(**asked, **({"marker": marker} if marker else {}))
        items = [item.findtext("Name") for item in tree.find("Blobs")]
        assert len(items) <= int(asked["maxresults"])
        found += items
        marker = tree.findtext("NextMarker")
        assert len(found) <= len(FILES)
    return found


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/2", "b/", "nothing", "a/2/x", "a b"])
@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_lists_come_in_pages_that_together_are_the_whole(filled, prefix, most):
    begins = [name for name in HERE if name.startswith(prefix)]
    assert paged(filled, prefix=prefix, maxresults=most) == begins
    grouped = sorted({re.sub(f"(?<=^{re.escape(prefix)})([^/]*/).*", r"\1", name) for name in begins})
    assert paged(filled, prefix=prefix, maxresults=most, delimiter="/") == grouped


def test_a_folder_of_many_files_is_listed_a_batch_at_a_time(headrace, way, plain, monkeypatch):
    monkeypatch.setattr("headrace.connect.storage.served._BATCH", 3)
    place = directory(headrace, way)
    for number in range(20):
        (place / f"{number:02}").write_bytes(b"")
        (place / f"in{number:02}").mkdir()
        (place / f"in{number:02}" / "file").write_bytes(b"")
    expected = [f"{number:02}" for number in range(20)] + [f"in{number:02}/file" for number in range(20)]
    assert names(plain.listed()) == expected
    assert len(folders(plain.listed(delimiter="/"))) == 20


def test_a_list_tells_of_each_file_what_the_file_does(headrace, way, plain):
    put(headrace, way, "people.csv")
    (blob,) = plain.listed().iter("Blob")
    told, head = blob.find("Properties"), plain.send("people.csv", method="HEAD").headers
    for name in ("Last-Modified", "Content-Length", "Content-Type"):
        assert told.findtext(name) == head[name]
    assert f'"{told.findtext("Etag")}"' == head["ETag"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"maxresults": "0"}, 400, "OutOfRangeQueryParameterValue"),
        ({"maxresults": "-1"}, 400, "InvalidQueryParameterValue"),
        ({"maxresults": "many"}, 400, "InvalidQueryParameterValue"),
        ({"marker": "not a marker"}, 400, "InvalidQueryParameterValue"),
        ({"delimiter": "-"}, 400, "InvalidQueryParameterValue"),
        ({"comp": "acl"}, 403, "AuthorizationFailure"),
    ],
)
def test_a_list_that_cannot_be(plain, asked, status, code):
    answer = plain.send(more="&" + urlencode({"restype": "container", "comp": "list", **asked}))
    assert (answer.status, code_of(answer)) == (status, code)


def test_more_is_never_listed_at_once_than_the_service_does(plain):
    assert names(plain.listed(maxresults="9" * 30)) == []


# -- keeping ----------------------------------------------------------------------------------------------------------


def aged(path, days, now):
    os.utime(path, (now - days * 86400, now - days * 86400))


async def test_files_are_removed_when_their_time_is_over_and_nothing_else_is(headrace, way, plain):
    place, now = directory(headrace, way), time.time()
    put(headrace, way, "old", b"x", path="in/it")
    put(headrace, way, "new", b"x", path="in")
    for name in (".headrace-a.part", ".headrace-b.part"):
        (place / name).write_bytes(b"half")
    stranger = headrace.app.landing.directory / "not-ours"
    stranger.mkdir(exist_ok=True)
    (stranger / "old").write_bytes(b"x")
    aged(place / "in/it/old", 7.01, now)
    aged(place / "in/new", 6.99, now)
    aged(place / ".headrace-a.part", 7.01, now)
    aged(place / ".headrace-b.part", 6.99, now)
    aged(stranger / "old", 100, now)

    zones = headrace.app.landing
    with ThreadPoolExecutor(1) as threads:
        removed = threads.submit(asyncio.run, tidy(zones, way["containerName"])).result()

    assert removed == 2
    assert names(plain.listed()) == ["in/new"]
    assert sorted(one.name for one in place.iterdir()) == [".headrace-b.part", "in"]
    assert (stranger / "old").exists()
