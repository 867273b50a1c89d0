"""The rows of exports: held against the law over random sandboxes, and a few told one by one; then from real stores."""

import itertools
from random import Random
from types import SimpleNamespace

import msgspec
import orjson
import pyarrow as pa
import pytest

from headrace.batch.asked import Asked
from headrace.batch.candidates import Candidates
from headrace.batch.members import packed, unpacked
from headrace.batch.parts import Rows
from headrace.batch.select import Manner
from headrace.batch.selecting import Selected, select
from headrace.batch.selection import AudienceWanted, Column, DedupeKey, Known, Wanted
from headrace.datasets.engine import Engine
from headrace.mapping import AttributeRow, IdentityRow
from headrace.mapping.consent import Consents, NamedPolicy
from headrace.model.consent import ConsentPolicy
from unit.batch.law import Stored, expected

OPTED = ConsentPolicy.model_validate({"name": "opted", "conditions": [{"path": "consent", "values": ["y"]}]})
NAMES, TIERS = ["Ana", "Bo", "", "Zoé", "ana"], ["gold", "silver", 1, 1.0, 2.5, True, "7", ["a"], {"b": 1}, None]
STATUS = "segmentMembership.seg_namespace.seg_id.status"
COLUMNS = (
    Column("name", AttributeRow("person.name", "name")),
    Column("status", AttributeRow(STATUS, "status")),
    Column("tier", AttributeRow("tier", "tier")),
    Column("points", AttributeRow("tier", "points"), "integer"),
    Column("score", AttributeRow("score", "score"), "number"),
    Column("loud", AttributeRow("ucase(person.name)", "loud", is_calculated=True)),
    Column("since", AttributeRow("segmentMembership.ups.seg_id.lastQualificationTime", "since")),
    Column("alias", AttributeRow("metadata.segment.alias", "alias")),
    Column("other", AttributeRow("segmentMembership.ups.b.status", "other")),
)
EMAIL = Column("email", IdentityRow("Email", "email"))
HASHED = Column("email", IdentityRow("Email", "email", transformation="sha256(lower($))"))


# -- random sandboxes --------------------------------------------------------------------------------------------------


def person(luck, number, sequence):
    document = {"person": {"name": luck.choice(NAMES)}, "tier": luck.choice(TIERS), "score": luck.randint(0, 3) / 2}
    if luck.random() < 0.2:
        document["person"] = luck.choice([None, "flat", {}])
    if luck.random() < 0.8:
        document["consent"] = luck.choice("yyyn")
    if luck.random() < 0.8:
        ids = [f"{luck.choice('abcdefgh')}{luck.randint(0, luck.choice([1, 9]))}" for _ in range(luck.randint(0, 3))]
        document["identityMap"] = {"Email": [{"id": id_} for id_ in ids], "crmId": [{"id": str(number)}]}
    document["segmentMembership"] = {"ups": {id_: membership(luck) for id_ in "ab" if luck.random() < 0.8}}
    identities_at = luck.choice([None, luck.randint(1, sequence)])
    return Stored(number, f"crmId:{number}", luck.choice([sequence] * 9 + [None]), identities_at, document)


def membership(luck):
    held = {"status": luck.choice(["realized", "realized", "exited"])}
    if luck.random() < 0.8:
        held["lastQualificationTime"] = f"2026-01-0{luck.randint(1, 3)}T00:00:00{luck.choice(['Z', '+01:00'])}"
    return held


def sandbox(luck):
    numbers = sorted(luck.sample(range(1, 200_000, 1777), luck.randint(0, 30)))
    return [person(luck, number, luck.randint(1, 100)) for number in numbers]


def subset(luck, people):
    """Some people; and one who is gone."""
    return {one.profile for one in people if luck.random() < 0.5} | ({199_999} if luck.random() < 0.3 else set())


def wanted_of(luck, people):
    """Something that an export may want of them, and whom it knows of each audience."""
    knowns, audiences = [], []
    for number, id_ in enumerate(luck.choice(["a", "ab", "ba"])):
        manner = Manner(*(luck.choice(("full", "incremental")), *(luck.random() < 0.5 for _ in range(3))))
        surely = subset(luck, people) if luck.random() < 0.8 else set()
        perhaps = surely | subset(luck, people) if luck.random() < 0.3 else surely
        surely = surely & subset(luck, people) if perhaps is not surely else surely
        known = Known(luck.randint(0, 60), pack(surely), None if perhaps is surely else pack(perhaps))
        audiences.append(AudienceWanted(number + 7, "ups", id_, luck.choice([None, "alias"]), manner, known))
        knowns.append((surely, perhaps))
    columns = luck.sample(COLUMNS, luck.randint(1, len(COLUMNS)))
    if luck.random() < 0.6:
        columns.insert(luck.randint(0, len(columns)), luck.choice([EMAIL, HASHED]))
    paths = ["person.name", "tier", "score", STATUS, "ucase(person.name)" if COLUMNS[5] in columns else "consent"]
    mandatory = luck.sample([*paths, "identityMap.Email"], luck.choice([0, 0, 0, 1, 2]))
    kind = luck.choice([None, None, "identity", "identity", 1, 2])
    key = (
        DedupeKey(namespace="Email")
        if kind == "identity"
        else kind and DedupeKey(paths=tuple(luck.sample(paths, kind)))
    )
    consent = Consents([NamedPolicy("1", OPTED)] if luck.random() < 0.3 else [])
    return Wanted(tuple(columns), tuple(audiences), tuple(mandatory), key, consent), knowns


def pack(people):
    return tuple(packed(pa.array(sorted(people), pa.int64())))


def batches_of(people, size=7):
    schema = pa.schema(
        [
            ("profile", pa.int64()),
            ("sequence", pa.int64()),
            ("identities_at", pa.int64()),
            ("document", pa.binary()),
            ("key", pa.string()),
        ]
    )
    rows = [
        {**{name: getattr(one, name) for name in schema.names}, "document": orjson.dumps(one.document)}
        for one in people
    ]
    return pa.Table.from_pylist(rows, schema).to_batches(max_chunksize=size)


def selected(scratch, people, wanted):
    """The rows of some people, and what became of everybody, in this process."""
    asked = msgspec.msgpack.decode(msgspec.msgpack.encode(Asked.of(wanted)), type=Asked)
    candidates = Candidates(asked)
    made = itertools.chain.from_iterable(map(candidates.take, batches_of(people)))
    with Engine(scratch, keeps_order=True) as engine:
        sql, kept = select(engine, wanted, pa.RecordBatchReader.from_batches(asked.schema, made))
        rows = Rows(engine, sql)
        table = pa.Table.from_batches(rows.read("*"), rows.schema())
    picked = SimpleNamespace(counted=candidates.counted())
    return [tuple(row.values()) for row in table.to_pylist()], Selected(rows, wanted, picked, kept).outcome()


def hold(scratch, seed):
    luck = Random(seed)
    people = sandbox(luck)
    wanted, knowns = wanted_of(luck, people)
    rows, told = expected(people, wanted, knowns)

    found, outcome = selected(scratch, people, wanted)

    assert found == rows
    assert (outcome.looked, outcome.cut) == (len(people), max((one.sequence or 0 for one in people), default=0))
    for audience, one in zip(outcome.audiences, told, strict=True):
        assert (audience.received, audience.rows, dict(audience.excluded)) == (one.received, one.rows, one.excluded)
        assert set(unpacked(audience.members).to_pylist()) == one.members


@pytest.mark.parametrize("part", range(8))
def test_rows_are_what_the_law_says(tmp_path, part):
    for seed in range(part * 12, part * 12 + 12):
        hold(tmp_path, seed)


@pytest.mark.campaign
def test_rows_are_what_the_law_says_for_long(tmp_path):
    for seed in range(1000, 1500):
        hold(tmp_path, seed)
