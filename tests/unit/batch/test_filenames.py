"""What files are called: whatever things are called, a name is one step of a path that leads nowhere else."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.batch.filenames import (
    Naming,
    Place,
    Values,
    clean,
    folder_of,
    inside,
    joined,
    places,
    shared_places,
)

#: 2031-03-02 06:04:12 UTC.
MOMENT = 1_930_197_852_000
HARBOR = Values(
    MOMENT,
    destination="Harbor Lights",
    instance_id="flow-1",
    instance_name="Night ferries to Åland",
    organization="Harbor",
    sandbox="prod",
    audience_id="seg-1",
    audience_name="VIP subscriber",
    merge_policy_id="mp-1",
    merge_policy_name="Default",
    dataset_id="data-1",
    dataset_name="Trips",
)
#: What names of audiences have been seen to be, or would be if somebody wished us ill.
WICKED = [
    *("../", "..\\", "/", "\\", "\0", "..", ".", "-", "~", " ", "%2e%2e%2f", "CON", "nul.", "COM1", "LPT¹", "aux"),
    *("\u2024", "\u2025", "\uff0e", "\uff0f", "\u2044", "\u2215", "\uff3c", "\u3002", "\ufe52", "\u202e", "\u2066"),
    *("\u200b", "\ufeff", "\ud800", "\ue000", "\u00a0", "\u2028", "\r\n", "\x7f", "\x1b[0m", "C:", "a:b", "*?<>|"),
    *("e\u0301", "\u0301", "é" * 200, "字" * 100, "👩\u200d🚀" * 60, "a" * 300, "x" * 254 + "é", "%SEGMENT_ID%", "_2"),
]


def tangled(chance):
    """A name of wicked things, letters of anywhere, and nothing at all."""
    pieces = []
    for _ in range(chance.choice((0, 1, 2, 3, 8))):
        kind = chance.random()
        if kind < 0.6:
            pieces.append(chance.choice(WICKED))
        elif kind < 0.8:
            pieces.append(chr(chance.randrange(0x110000)))
        else:
            pieces.append(chance.choice("aZ09_-. ~éß") * chance.randrange(1, 90))
    return "".join(pieces)


def hold_to_the_law(prefix, text):
    step = clean(text)
    path = joined(prefix, step)
    assert path.startswith(prefix)
    assert inside(prefix, path), ascii(text)
    assert "/" not in step
    assert 0 < len(step.encode()) <= 255
    assert clean(step) == step, ascii(text)
    assert unicodedata.normalize("NFC", step) == step


def test_a_hundred_thousand_names_stay_where_they_belong():
    chance = random.Random(26)
    for _ in range(100_000):
        hold_to_the_law(chance.choice(("", "drop", "/drop/a b", "/")), tangled(chance))


@pytest.mark.campaign
def test_a_million_names_stay_where_they_belong():
    chance = random.Random()
    for _ in range(1_000_000):
        hold_to_the_law(chance.choice(("", "drop", "/drop/a b", "/")), tangled(chance))


MACROS = ["DESTINATION", "SEGMENT_ID", "SEGMENT_NAME", "DESTINATION_INSTANCE_NAME", "ORGANIZATION_NAME", "SANDBOX_NAME"]
FIELDS = ["destination", "instance_name", "organization", "sandbox", "audience_name"]


def hold_runs_to_the_law(chance):
    """Three audiences of a run, under a wicked template, in wicked folders: no two files in one place, none outside."""
    template = "_".join(chance.choice((f"%{chance.choice(MACROS)}%", "%DATETIME%", tangled(chance))) for _ in range(3))
    folder = "/".join(chance.choice(("drop", "%SEGMENT_NAME%", tangled(chance))) for _ in range(chance.randrange(3)))
    naming = Naming(template, chance.choice((".csv", ".csv.gz", ".lz4raw.parquet")))
    wanted = {
        ("ups", id_): Values(
            MOMENT, audience_id=id_, **{name: chance.choice(("v", tangled(chance))) for name in FIELDS}
        )
        for id_ in "abc"
    }
    where = places(naming, folder, wanted)
    paths = [joined("/drop/a b", naming.path(place, part)) for place in where.values() for part in (1, 2, 999_999)]
    names = [path.rpartition("/")[2] for path in paths]
    assert all(inside("/drop/a b", path) for path in paths), ascii((template, folder))
    assert all(len(name.encode()) <= 255 and name.endswith(naming.extension) for name in names), ascii(names)
    assert len({path.casefold() for path in paths}) == len(paths), ascii(paths)


def test_files_of_runs_stay_where_they_belong_and_apart():
    chance = random.Random(26)
    for _ in range(1_000):
        hold_runs_to_the_law(chance)


@pytest.mark.campaign
def test_a_million_files_of_runs_stay_where_they_belong_and_apart():
    chance = random.Random()
    for _ in range(112_000):
        hold_runs_to_the_law(chance)


@given(st.text(), st.integers(1, 300))
def test_a_step_is_as_long_as_it_may_be_and_stays_as_it_is(text, longest):
    step = clean(text, longest)

    assert 0 < len(step.encode()) <= longest
    assert clean(step, longest) == step


@given(st.text(), st.text(), st.text(max_size=40))
def test_a_name_made_of_anything_is_one_step_that_ends_as_its_type_does(audience, destination, text):
    naming = Naming(f"%DESTINATION%_%SEGMENT_NAME%_{text}", ".csv.gz")
    values = Values(MOMENT, destination=destination, audience_name=audience, audience_id="seg-1")
    stem = naming.stem(values)
    for part in (1, 2, 999_999):
        name = naming.name(stem, part)
        assert inside("", name)
        assert name.endswith(".csv.gz" if part == 1 else f"_{part}.csv.gz")
        assert name.startswith(stem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Harbor Lights", "Harbor Lights", id="a blank stays"),
        pytest.param("Größe und 字", "Größe und 字", id="letters of anywhere stay"),
        pytest.param("Gro\u0308ße", "Größe", id="a letter and its mark are one"),
        pytest.param("../../etc/passwd", "___.__etc_passwd", id="up and away"),
        pytest.param("a..b", "a._b", id="two dots"),
        pytest.param("a\0b", "a_b", id="NUL"),
        pytest.param("-rf", "_rf", id="an option"),
        pytest.param(".ssh", "_ssh", id="hidden"),
        pytest.param("~root", "_root", id="somebody's home"),
        pytest.param("ends. .", "ends___", id="what Windows takes away at the end"),
        pytest.param("con", "_on", id="a device"),
        pytest.param("Com7.txt.csv", "_om7.txt.csv", id="a device with an end"),
        pytest.param("console", "console", id="begins as a device"),
        pytest.param("a\uff0f\uff0e\uff0e\uff0fb", "a____b", id="wide dots and slashes"),
        pytest.param("a\u2044b", "a_b", id="the slash of fractions"),
        pytest.param("½ off", "½ off", id="a fraction that holds one keeps it"),
        pytest.param("fdp.\u202egnp", "fdp._gnp", id="written backwards"),
        pytest.param("%2e%2e%2f", "_2e_2e_2f", id="as in an address"),
        pytest.param("\ud800", "_", id="half a letter"),
        pytest.param("", "_", id="nothing"),
        pytest.param("   ", "___", id="blanks"),
    ],
)
def test_what_no_name_may_hold_is_an_underscore(text, expected):
    assert clean(text) == expected


def test_what_looks_like_a_dot_or_a_slash_does_not_stay():
    for disguised in "\uff61\ufe12\ufe52\u2025\u2026\uff05\u2100\u2105\u29f8\u2571\ua4f8\u0701\u3164":
        assert clean(f"a{disguised}b") == "a_b", ascii(disguised)


def test_a_name_is_cut_between_letters():
    assert clean("字" * 100) == "字" * 85
    assert clean("a" + "字" * 100, 6) == "a字"
    assert clean("aq\u0331cd", 3) == "a", "q and its mark go together, and are no one character"


# -- templates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%DESTINATION%_%SEGMENT_ID%", "Harbor Lights_seg-1"),
        ("%DESTINATION_NAME%_%SEGMENT_NAME%", "Harbor Lights_VIP subscriber"),
        ("%DESTINATION_INSTANCE_ID%-%DESTINATION_INSTANCE_NAME%", "flow-1-Night ferries to Åland"),
        ("%ORGANIZATION_NAME%.%SANDBOX_NAME%", "Harbor.prod"),
        ("%MERGE_POLICY_ID%_%MERGE_POLICY_NAME%", "mp-1_Default"),
        ("%DATETIME%", "20310302_060412"),
        ("%DATETIME(YYYYMMdd_HHmmss)%", "20310302_060412"),
        ("%DATETIME(YYYYMMDD_HHMMSS)%", "20310302_060412"),
        ("%DATETIME(MMDDYYYY_HHMMSS)%", "03022031_060412"),
        ("%DATETIME(yyyy-MM-dd)%", "2031-03-02"),
        ("%TIMESTAMP%", "1930197852"),
        ("%SEGMENT_ID%_custom-text", "seg-1_custom-text"),
        ("%SEGMENT_ID%_%this is custom text%", "seg-1_this is custom text"),
        ("50% off %SEGMENT_ID%", "50_ off seg-1"),
        ("a/b", "a_b"),
        ("", "_"),
    ],
)
def test_a_template_comes_to_its_values(template, expected):
    assert Naming(template, ".csv").stem(HARBOR) == expected


def test_a_value_is_no_template():
    assert Naming("%SEGMENT_NAME%", ".csv").stem(Values(0, audience_name="%SEGMENT_ID%")) == "_SEGMENT_ID_"


def test_of_a_name_that_is_too_long_what_makes_it_the_only_one_stays():
    naming = Naming("%DESTINATION%_%SEGMENT_NAME%_%SEGMENT_ID%_%DATETIME%", ".csv.gz")
    values = Values(MOMENT, destination="Harbor", audience_name="字" * 200, audience_id="seg-1")

    name = naming.name(naming.stem(values), 999_999)

    assert name.startswith("Harbor_字")
    assert name.endswith("字_seg-1_20310302_060412_999999.csv.gz")
    assert 252 < len(name.encode()) <= 255


def test_where_ids_alone_are_too_long_a_hash_of_them_tells_names_apart():
    naming = Naming("%SEGMENT_ID%_%TIMESTAMP%", ".csv")
    first, second = (naming.stem(Values(MOMENT, audience_id="i" * 300 + last)) for last in "ab")

    assert first != second
    assert len(naming.name(first, 999_999).encode()) == 255


# -- one run ----------------------------------------------------------------------------------------------------------


def found(template, names, folder=""):
    naming = Naming(template, ".csv")
    wanted = {("ups", id_): Values(MOMENT, audience_id=id_, audience_name=name) for id_, name in names.items()}
    return {id_: naming.path(place) for (_, id_), place in places(naming, folder, wanted).items()}


def test_audiences_of_different_names_are_called_by_them():
    assert found("%SEGMENT_NAME%", {"a": "vip", "b": "new"}) == {"a": "vip.csv", "b": "new.csv"}


@pytest.mark.parametrize("names", [("vip", "vip"), ("vip", "VIP"), ("a/b", "a:b"), ("vip", "vip_2"), ("x_2", "x")])
def test_audiences_that_would_share_a_name_get_a_mark_each(names):
    once = found("%SEGMENT_NAME%", {"a": names[0], "b": names[1], "c": "other"})

    assert len({path.casefold() for path in once.values()}) == 3
    assert once["c"] == "other.csv"
    assert all(len(once[id_]) > 20 for id_ in "ab")
    assert found("%SEGMENT_NAME%", {"c": "other", "b": names[1], "a": names[0]}) == once


def test_who_has_a_folder_of_their_own_needs_no_mark():
    paths = found("export", {"a": "vip", "b": "vip"}, "%SEGMENT_NAME%/%SEGMENT_ID%")

    assert paths == {"a": "vip/a/export.csv", "b": "vip/b/export.csv"}


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["v", "V", "v_2", "v_2_3", "v_02", "_", "", "v_1"])))
def test_no_part_of_one_audience_lies_where_one_of_another_does(names):
    naming = Naming("%SEGMENT_NAME%", ".csv")
    wanted = {("ups", id_): Values(MOMENT, audience_id=id_, audience_name=name) for id_, name in names.items()}
    where = places(naming, "", wanted)

    assert shared_places(where) == set()
    paths = [naming.path(place, part).casefold() for place in where.values() for part in range(1, 5)]
    assert len(paths) == len(set(paths))


def test_audiences_whose_long_names_were_cut_to_one_are_told_apart():
    long = found("%SEGMENT_NAME%", {"a": "字" * 200 + "a", "b": "字" * 200 + "b"})

    assert len(set(long.values())) == 2
    assert all(len(path.encode()) <= 255 - len("_999999") for path in long.values())


def test_a_mark_that_is_another_name_marks_that_too():
    marked = found("%SEGMENT_NAME%", {"a": "vip", "b": "vip"})["a"].removesuffix(".csv")

    paths = found("%SEGMENT_NAME%", {"a": "vip", "b": "vip", "c": marked})

    assert len(set(paths.values())) == 3
    assert paths["a"] == f"{marked}.csv"


# -- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_of_an_audience_cannot_be_left_by_what_it_is_called():
    values = Values(MOMENT, audience_name="../../a/b", audience_id="..")

    assert folder_of("%SEGMENT_NAME%/%SEGMENT_ID%", values) == "___.__a_b/__"


def test_datasets_lie_by_id_and_by_the_time_of_their_export():
    assert folder_of("%DATASET_ID%/%EXPORT_TIME%", HARBOR) == "data-1/exportTime=203103020604"
    assert folder_of("%DATASET_NAME%_%DATETIME(YYYYMMdd_HHmmss)%", HARBOR) == "Trips_20310302_060412"


# -- the proof --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("", "a.csv"),
        ("drop", "drop/a/b.csv"),
        ("/drop/", "/drop/a.csv"),
        ("/", "/a.csv"),
        ("drop", "drop/..a"),
    ],
)
def test_what_lies_below_its_prefix_does(prefix, path):
    assert inside(prefix, path)


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("", "/a.csv"),
        ("", "../a.csv"),
        ("", ""),
        ("drop", "drop"),
        ("drop", "drop/"),
        ("drop", "dropped/a.csv"),
        ("drop", "drop/../a.csv"),
        ("drop", "drop/./a.csv"),
        ("drop", "drop//a.csv"),
        ("drop", "drop/a\\..\\b.csv"),
        ("drop", "drop/a\0.csv"),
        ("drop", "drop/" + "a" * 256),
        ("drop", "drop/\ud800"),
        ("drop/..", "drop/../a.csv"),
        ("drop", "/drop/a.csv"),
    ],
)
def test_what_leads_away_does_not(prefix, path):
    assert not inside(prefix, path)


def test_parts_of_one_export_have_one_stem():
    naming, place = Naming("%SEGMENT_ID%", ".csv"), Place("drop", "seg-1")

    assert [naming.path(place, part) for part in (1, 2, 3)] == [
        "drop/seg-1.csv",
        "drop/seg-1_2.csv",
        "drop/seg-1_3.csv",
    ]
