"""The rows of exports: held against the law over random sandboxes, and a few told one by one; then from real stores."""

import itertools
from random import Random
from types import SimpleNamespace

import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.batch.asked import Asked
from headrace.batch.candidate_rows import LARGEST
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


def selected(scratch, people, wanted, *, by_documents=False):
    """The rows of some people, and what became of everybody, in this process."""
    asked = msgspec.msgpack.decode(msgspec.msgpack.encode(Asked.of(wanted)), type=Asked)
    candidates = Candidates(asked, by_documents=by_documents)
    made = itertools.chain.from_iterable(map(candidates.take, batches_of(people)))
    with Engine(scratch, keeps_order=True) as engine:
        sql, lost = select(engine, wanted, pa.RecordBatchReader.from_batches(asked.schema, made))
        rows = Rows(engine, sql)
        table = pa.Table.from_batches(rows.read("*"), rows.schema())
    picked = SimpleNamespace(counted=candidates.counted())
    return [tuple(row.values()) for row in table.to_pylist()], Selected(rows, wanted, picked, lost).outcome()


def hold(scratch, seed, *, by_documents):
    luck = Random(seed)
    people = sandbox(luck)
    wanted, knowns = wanted_of(luck, people)
    rows, told = expected(people, wanted, knowns)

    found, outcome = selected(scratch, people, wanted, by_documents=by_documents)

    assert found == rows
    assert (outcome.looked, outcome.cut) == (len(people), max((one.sequence or 0 for one in people), default=0))
    for audience, one in zip(outcome.audiences, told, strict=True):
        assert (audience.received, audience.rows, dict(audience.excluded)) == (one.received, one.rows, one.excluded)
        assert set(unpacked(audience.members).to_pylist()) == one.members


@pytest.mark.parametrize("by_documents", [False, True])
@pytest.mark.parametrize("part", range(8))
def test_rows_are_what_the_law_says(tmp_path, part, by_documents):
    for seed in range(part * 12, part * 12 + 12):
        hold(tmp_path, seed, by_documents=by_documents)


@pytest.mark.campaign
def test_rows_are_what_the_law_says_for_long(tmp_path):
    for seed in range(1000, 1500):
        hold(tmp_path, seed, by_documents=seed % 2 == 0)


# -- told one by one ---------------------------------------------------------------------------------------------------


def of(number, emails="", qualified="01", identities_at=None, **attributes):
    """Somebody who is in the audience `a`."""
    document = {
        **attributes,
        "identityMap": {"Email": [{"id": one} for one in emails]},
        "segmentMembership": {
            "ups": {"a": {"status": "realized", "lastQualificationTime": f"2026-01-{qualified}T00:00:00Z"}}
        },
    }
    return Stored(number, f"crmId:{number}", number, identities_at, document)


def first_file(*columns, **more):
    enrichment = {name: more.pop(name) for name in ("enrichment", "uploaded") if name in more}
    audience = AudienceWanted(7, "ups", "a", None, Manner("full", is_first=True), **enrichment)
    return Wanted(tuple(columns), (audience,), **more)


def column(path, type_="string"):
    return Column(path, AttributeRow(path, path), type_)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (None, [("p", "k", "Lee"), ("q", "k", "Roe")]),
        (DedupeKey(namespace="Email"), [("q", "k", "Roe"), ("r", "k", "Roe")]),
        (DedupeKey(paths=("mail",)), [("q", "k", "Roe")]),
        (DedupeKey(paths=("mail", "last")), [("p", "k", "Lee"), ("q", "k", "Roe")]),
    ],
)
def test_who_changed_last_keeps_the_rows_of_a_key(tmp_path, key, rows):
    people = [of(1, "pq", mail="k", last="Lee"), of(2, "qr", "02", mail="k", last="Roe")]

    assert selected(tmp_path, people, first_file(EMAIL, column("mail"), column("last"), key=key))[0] == rows


def test_of_who_changed_at_one_time_the_first_by_the_other_columns_keeps_the_row(tmp_path):
    people = [of(1, mail="k1", first="John", last="Morris"), of(2, mail="k1", first="John", last="Doe")]
    wanted = first_file(column("mail"), column("first"), column("last"), key=DedupeKey(paths=("mail",)))

    assert selected(tmp_path, people, wanted)[0] == [("k1", "John", "Doe")]


def test_of_who_entered_at_one_time_the_newer_identity_keeps_the_row(tmp_path):
    people = [of(1, mail="k", last="B", identities_at=5), of(2, mail="k", last="A", identities_at=4), of(3, mail="k")]
    wanted = first_file(column("last"), key=DedupeKey(paths=("mail",)))

    assert selected(tmp_path, people, wanted)[0] == [("B",)]


def test_who_has_nothing_in_the_key_shares_it_with_nobody(tmp_path):
    people = [of(1, last="A"), of(2, last="A", mail=""), of(3, last="A", mail=None)]
    wanted = first_file(column("last"), key=DedupeKey(paths=("mail",)))

    assert len(selected(tmp_path, people, wanted)[0]) == 3


@pytest.mark.parametrize("order", [1, -1, 7])
def test_a_chain_of_shared_identities_has_one_winner_however_long(tmp_path, order):
    """Numbers in a chain go up, go down, or jump."""
    count = 200
    places = [place * order % count for place in range(count)]
    people = [of(n + 1, [f"i{places[n]}", f"i{places[n] + 1}"], "02" if n == 77 else "01") for n in range(count)]
    people += [of(count + 1, ["lonely"])]

    rows, outcome = selected(tmp_path, people, first_file(EMAIL, key=DedupeKey(namespace="Email")))

    assert rows == [(f"i{places[77]}",), (f"i{places[77] + 1}",), ("lonely",)]
    assert outcome.audiences[0].excluded == {"duplicate": count - 1}
    assert len(unpacked(outcome.audiences[0].members)) == count + 1


TOLD_AS = Column("status", AttributeRow("segmentMembership.seg_namespace.seg_id.status", "status"))


def next_file(were, *columns, **more):
    """An increment that says who has left; ``were`` had a row before."""
    known = Known(surely=[*packed(pa.array(were))])
    audience = AudienceWanted(7, "ups", "a", None, Manner("incremental", tells_status=True), known)
    return Wanted((TOLD_AS, *columns), (audience,), **more)


def gone(*told, **more):
    person = of(*told, **more)
    person.document["segmentMembership"]["ups"]["a"]["status"] = "exited"
    return person


def test_who_leaves_later_takes_no_row_from_a_member(tmp_path):
    people = [gone(1, qualified="09", mail="m"), of(2, mail="m"), gone(3, qualified="09", mail="n")]
    wanted = next_file([1, 3], column("mail"), key=DedupeKey(paths=("mail",)))

    rows, outcome = selected(tmp_path, people, wanted)

    assert rows == [("realized", "m"), ("exited", "n")]
    assert outcome.audiences[0].excluded == {"duplicate": 1}


def test_who_leaves_is_told_of_by_the_identities_that_no_member_has(tmp_path):
    people = [gone(1, "xy", qualified="09"), of(2, "yz"), gone(3, "z", qualified="09"), gone(4, "x", qualified="08")]
    wanted = next_file([1, 3, 4], EMAIL, key=DedupeKey(namespace="Email"))

    rows, outcome = selected(tmp_path, people, wanted)

    assert rows == [("exited", "x"), ("realized", "y"), ("realized", "z")]
    assert (outcome.audiences[0].rows, outcome.audiences[0].excluded) == (3, {"duplicate": 2})


def test_who_leaves_is_not_told_of_by_the_key_of_a_member_who_has_no_row(tmp_path):
    """Who is a member still, and of whom there is nothing new, has no row: the partner knows them by this key."""
    people = [gone(1, qualified="09", mail="m"), of(2, mail="m"), gone(3, qualified="09", mail="n")]
    wanted = next_file([1, 2, 3], column("mail"), key=DedupeKey(paths=("mail",)))

    rows, outcome = selected(tmp_path, people, wanted)

    assert rows == [("exited", "n")]
    assert (outcome.audiences[0].received, outcome.audiences[0].excluded) == (2, {"duplicate": 1})
    assert unpacked(outcome.audiences[0].members).to_pylist() == [2]


def test_who_leaves_is_not_told_of_by_an_identity_of_a_member_who_has_no_row(tmp_path):
    people = [gone(1, "xy", qualified="09"), of(2, "yz"), gone(3, "z", qualified="09")]
    wanted = next_file([1, 2, 3], EMAIL, key=DedupeKey(namespace="Email"))

    rows, outcome = selected(tmp_path, people, wanted)

    assert rows == [("exited", "x")]
    assert (outcome.audiences[0].rows, outcome.audiences[0].excluded) == (1, {"duplicate": 1})


def test_identities_that_are_no_column_compete_and_make_no_more_rows(tmp_path):
    wanted = first_file(column("last"), key=DedupeKey(namespace="Email"))

    rows, _ = selected(tmp_path, [of(1, "pq", last="A"), of(2, "qr", "02", last="B"), of(3, last="C")], wanted)

    assert rows == [("B",), ("C",)]


def test_identities_are_held_against_each_other_as_they_are_written(tmp_path):
    wanted = first_file(HASHED, key=DedupeKey(namespace="Email"))

    rows, _ = selected(tmp_path, [of(1, ["A@x.com "]), of(2, ["a@x.com", "A@X.com"], "02")], wanted)

    assert len(rows) == 1


def test_what_does_not_fit_its_column_is_nothing_and_is_counted(tmp_path):
    people = [of(1, born="1999-12-31"), of(2, born="last year"), of(3, born=["a"])]

    rows, outcome = selected(tmp_path, people, first_file(column("born", "date")))

    assert [row[0] and row[0].year for row in rows] == [1999, None, None]
    assert [(one.column, one.reason, one.values) for one in outcome.left_out] == [
        ("born", "another-type", 1),
        ("born", "list-or-object", 1),
    ]


def test_objects_of_one_shape_keep_their_structure(tmp_path):
    people = [of(1, cart={"sum": 1, "lines": [{"n": 2, "isGift": True}]}), of(2, cart={"sum": 1.5}), of(3)]

    rows, _ = selected(tmp_path, people, first_file(column("cart", "object")))

    assert rows == [
        ({"lines": [{"isGift": True, "n": 2}], "sum": 1.0},),
        ({"lines": None, "sum": 1.5},),
        (None,),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, [1]),
        ({"a": 1}, {"a": "b"}),
        ({"a": 1}, {"A": 1}),
        ({"": 1}, {"": 2}),
        ({"a": 9223372036854775808}, {"a": 1}),
        ({}, {}),
    ],
)
def test_objects_of_several_shapes_are_json(tmp_path, one, other):
    rows, _ = selected(tmp_path, [of(1, cart=one), of(2, cart=other)], first_file(column("cart", "object")))

    assert rows == [(orjson.dumps(one).decode(),), (orjson.dumps(other).decode(),)]


def test_columns_of_an_upload_come_after_the_others(tmp_path):
    file = tmp_path / "list.parquet"
    pq.write_table(pa.table({"key": ["crmId:2", "crmId:1", "crmId:9"], "tier": [2, 1, 9]}), file)
    wanted = first_file(column("last"), enrichment={"level": "tier", "gone": "no longer there"}, uploaded=(str(file),))

    rows, outcome = selected(tmp_path, [of(1, last="A"), of(2, last="B"), of(3, last="C")], wanted)

    assert rows == [("A", 1, None), ("B", 2, None), ("C", None, None)]
    assert outcome.audiences[0].rows == 3


def test_columns_of_one_name_and_of_several_types_are_text(tmp_path):
    audiences = []
    for number, id_, tier in ((7, "a", [1]), (8, "b", [["x"]])):
        file = tmp_path / f"{id_}.parquet"
        pq.write_table(pa.table({"key": ["crmId:1"], "tier": tier, "at": [number]}), file)
        named = {"level": "tier"} | ({"at": "at"} if id_ == "b" else {})
        audiences.append(
            AudienceWanted(number, "ups", id_, None, Manner("full"), enrichment=named, uploaded=(str(file),))
        )
    person = of(1, last="A")
    person.document["segmentMembership"]["ups"]["b"] = {"status": "realized"}

    rows, _ = selected(tmp_path, [person], Wanted((column("last"),), tuple(audiences)))

    assert rows == [("A", "1", None), ("A", "[x]", 8)]


def test_an_upload_that_is_gone_leaves_its_columns_empty(tmp_path):
    wanted = first_file(column("last"), enrichment={"level": "tier"}, key=DedupeKey(paths=("last",)))

    assert selected(tmp_path, [of(1, last="A"), of(2, last="A")], wanted)[0] == [("A", None)]


def test_a_person_whose_rows_are_too_large_is_left_out(tmp_path):
    long = "x" * (LARGEST // 3)
    people = [of(1, last=long), of(2, last=f"{long}{long}"), of(3, last="C")]
    wanted = first_file(column("last"), Column("again", AttributeRow("last", "again")))

    rows, outcome = selected(tmp_path, people, wanted)

    assert [len(row[0]) for row in rows] == [len(long), 1]
    assert outcome.audiences[0].excluded == {"too-large": 1}
    assert unpacked(outcome.audiences[0].members).to_pylist() == [1, 3]


def test_columns_may_have_any_name_and_one_source_many_columns(tmp_path):
    names = ['a "b"', "profile", "c0", "Ä.b"]
    wanted = first_file(*(Column(name, AttributeRow("last", "x")) for name in names), key=DedupeKey(paths=("last",)))

    assert selected(tmp_path, [of(1, last="A")], wanted)[0] == [("A",) * 4]


def test_people_who_do_not_come_in_order_are_refused():
    candidates = Candidates(Asked.of(first_file(column("last"))))

    with pytest.raises(ValueError, match="numbers"):
        list(itertools.chain.from_iterable(map(candidates.take, batches_of([of(2), of(1)]))))
