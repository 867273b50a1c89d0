"""Members come in files, or other systems say who comes and goes."""

import io
import shutil

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.clock import iso
from headrace.datasets import members
from headrace.errors import Conflict, RequestError
from headrace.model.expiry import DAY
from headrace.model.problem import ConfigurationError
from headrace.model.profile import decode
from headrace.services.audiences.expiring import Expiring
from headrace.services.ingestion import IdempotencyKeyReused
from unit.services.house import START

UPLOAD = {
    "name": "Newsletter",
    "kind": "upload",
    "audienceId": "n",
    "identity": {"column": "mail", "namespace": "Email"},
}
EXTERNAL = {"name": "Theirs", "kind": "external", "audienceId": "t", "namespace": "aam"}
SPACE = "CustomerAudienceUpload"


def membership(station, key, namespace=SPACE, id_="n"):
    ((document,),) = station.house.rows("SELECT document FROM profiles WHERE key = :key", key=key)
    return decode(bytes(document))["segmentMembership"][namespace][id_]


async def test_a_file_says_who_is_a_member_and_what_else_is_known(station):
    await station.declaring.create(station.caller, UPLOAD)

    found = await station.upload(b"mail,tier\na@x.example,gold\n,silver\nb@x.example,\n" + b"y" * 600 + b",tin\n", "n")

    assert (found.state, found.members_after, found.entered, found.rejected) == ("applied", 2, 2, 2)
    assert [(item["line"], item["code"]) for item in found.rejects] == [(3, "no-key"), (5, "key-too-long")]
    assert station.members(SPACE, "n") == ["Email:a@x.example", "Email:b@x.example"]
    assert membership(station, "Email:a@x.example") == {
        "status": "realized",
        "lastQualificationTime": iso(START),
        "validUntil": iso(START + 30 * DAY),
    }
    (directory,) = station.lists.glob("*/*/1")
    rows = [row for part in members.read(directory, members.LIST, 0, 10) for row in part]
    assert sorted((row["key"], row["tier"]) for row in rows) == [
        ("Email:a@x.example", "gold"),
        ("Email:b@x.example", None),
    ]
    assert not [*directory.parent.glob("upload-*")]


async def test_a_file_replaces_the_one_before_or_is_added_to_it(station):
    await station.declaring.create(station.caller, UPLOAD)
    await station.upload(b"mail\na@x\nb@x\n", "n")
    station.house.pass_time(60)
    added = await station.upload(b"mail,tier\nc@x,gold\nb@x,tin\n", "n", part="more")
    assert (added.members_before, added.members_after, added.left) == (2, 3, 0)
    assert len(station.members(SPACE, "n")) == 3

    table = pa.table({"mail": ["c@x", "d@x"], "visits": [7, 8]})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    station.house.pass_time(60)
    replaced = await station.upload(buffer.getvalue(), "n", "parquet")
    assert (replaced.state, replaced.left) == ("applied", 2)
    assert station.members(SPACE, "n") == ["Email:c@x", "Email:d@x"]


async def test_an_upload_whose_list_was_lost_begins_anew(station):
    await station.declaring.create(station.caller, UPLOAD)
    await station.upload(b"mail\na@x\nb@x\n", "n")
    shutil.rmtree(station.lists)
    station.house.pass_time(60)

    lost = await station.upload(b"mail\nb@x\nc@x\n", "n")
    assert (lost.state, "?mode=anew" in lost.reason) == ("failed", True)
    found = await station.upload(b"mail\nb@x\nc@x\n", "n", part="anew")

    assert (found.state, found.members_before, found.members_after, found.left) == ("applied", 2, 2, 1)
    assert station.members(SPACE, "n") == ["Email:b@x", "Email:c@x"]


async def test_who_was_uploaded_leaves_when_the_time_is_over_unless_it_is_prolonged(station):
    house = station.house
    expiring = Expiring(house.store, house.clock, house.ingestion, house.events.append)
    await station.declaring.create(station.caller, {**UPLOAD, "daysValid": 2})
    await station.upload(b"mail\na@x\nb@x\n", "n")
    house.pass_time(24 * 3600)
    await station.upload(b"mail\nb@x\n", "n", part="more", valid_until=iso(START + 9 * DAY))

    house.pass_time(24 * 3600)
    await expiring.sweep()

    assert station.members(SPACE, "n") == ["Email:b@x"]
    assert await station.size("n") == 1


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [(b"name\nx\n", "csv", "there is no column 'mail'"), (b"PAR1 and no more", "parquet", "upload-")],
)
async def test_a_file_that_cannot_be_read_changes_nothing(station, content, kind, said):
    await station.declaring.create(station.caller, UPLOAD)
    await station.upload(b"mail\na@x\n", "n")

    found = await station.upload(content, "n", kind)

    assert found.state == "failed"
    assert said in found.reason
    assert station.members(SPACE, "n") == ["Email:a@x"]


async def test_what_is_no_upload_is_refused(station):
    await station.declaring.create(station.caller, UPLOAD)
    await station.declaring.create(station.caller, EXTERNAL)

    with pytest.raises(RequestError, match="empty"):
        await station.upload(b"", "n")
    with pytest.raises(RequestError, match="validUntil"):
        await station.upload(b"mail\na@x\n", "n", valid_until=iso(START - 1))
    with pytest.raises(Conflict, match="`upload`"):
        await station.upload(b"mail\na@x\n", "t")
    assert not [*station.lists.glob("*/*/upload-*")]


async def test_another_system_says_who_comes_and_goes(station):
    await station.declaring.create(station.caller, EXTERNAL)
    came = [{"profileId": "7"}, {"namespace": "crmId", "id": "8", "validUntil": iso(START + DAY)}, {"id": "9"}, 5]

    receipt = await station.acting.tell(station.caller, "t", {"add": came}, "first")
    again = await station.acting.tell(station.caller, "t", {"add": came}, "first")

    assert (receipt.accepted, [item.line for item in receipt.rejected]) == (2, [3, 4])
    assert again.is_repeated
    assert station.members("aam", "t") == [":7", "crmId:8"]
    assert membership(station, "crmId:8", "aam", "t")["validUntil"] == iso(START + DAY)
    with pytest.raises(IdempotencyKeyReused):
        await station.acting.tell(station.caller, "t", {"remove": came}, "first")
    station.house.pass_time(1)
    await station.acting.tell(station.caller, "t", {"remove": [{"profileId": "7"}]}, None)
    assert station.members("aam", "t") == ["crmId:8"]
    assert await station.size("t") == 1


@pytest.mark.parametrize("body", [{}, [], {"add": "x"}, {"add": []}, {"other": []}, {"add": [{}] * 10_001}])
async def test_a_body_that_names_nobody_is_refused(station, body):
    await station.declaring.create(station.caller, EXTERNAL)
    with pytest.raises(RequestError):
        await station.acting.tell(station.caller, "t", orjson.loads(orjson.dumps(body)), None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "sql", "query": "SELECT 1"},
        {"kind": "sql", "key": "id"},
        {"kind": "sql", "query": "SELECT 1", "key": "id", "identity": {"column": "a", "namespace": "b"}},
        {"kind": "sql", "query": "SELECT 1", "key": "id", "schedule": "soon"},
        {"kind": "sql", "query": "SELECT 1", "key": "id", "namespace": "aam"},
        {"kind": "external"},
        {"kind": "upload", "query": "SELECT 1", "key": "id"},
        {"kind": "profiles", "key": "id"},
        {"largestRemoval": 101},
        {"colour": "red"},
    ],
)
async def test_what_does_not_fit_together_is_refused(station, wrong):
    with pytest.raises(ConfigurationError):
        await station.declaring.create(station.caller, {"name": "x", **wrong})


async def test_what_never_changes_of_an_audience_is_told(station):
    await station.declaring.create(station.caller, EXTERNAL)

    with pytest.raises(Conflict, match="already"):
        await station.declaring.create(station.caller, EXTERNAL)
    with pytest.raises(Conflict, match="`namespace` of an audience never changes"):
        await station.declaring.replace(station.caller, "t", {**EXTERNAL, "namespace": "other"}, None)
    changed = await station.declaring.replace(station.caller, "t", {**EXTERNAL, "name": "Ours"}, None)
    assert changed.stored.name == "Ours"
