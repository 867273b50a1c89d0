"""What names of files may be made of, as operators write it and as authors allow it."""

import pytest

from headrace.model.batch import FilenameConfig
from headrace.model.filename import (
    default_template,
    folder_template_of,
    offered,
    offered_for_folders,
    parts_of,
    problems_of_choice,
    problems_of_folder_choice,
    problems_of_path,
    problems_of_template,
    split_folder,
    strftime_of,
    template_of,
)
from headrace.model.reading import read

COVERED = ("beginning-missing", "leaves-the-folder", "macro-inside", "name-too-long")


def config(begins="%DESTINATION%_%SEGMENT_ID%", allowed=("CUSTOM_TEXT", "SEGMENT_NAME", "DATETIME"), preset=()):
    document = {
        "defaultFilename": begins,
        "allowedFilenameAppendOptions": [*allowed],
        "defaultFilenameAppendOptions": [*preset],
    }
    return read(FilenameConfig, document)[0]


def codes(problems):
    return [problem.code for problem in problems]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%DESTINATION%_%SEGMENT_ID%_%DATETIME(YYYYMMdd_HHmmss)%", []),
        ("%DESTINATION_NAME%_%SEGMENT_ID%_%TIMESTAMP%_custom-text", []),
        ("%SEGMENT_ID%_%this is custom text%", []),
        ("%SEGMENT_IDS%", ["unknown-macro"]),
        ("%CUSTOM_TEXT%", ["unknown-macro"]),
        ("%DATASET_ID%", ["unknown-macro"]),
        ("%DATETIME(QQ)%", ["unknown-macro"]),
        ("%SEGMENT_ID(3)%", ["unknown-macro"]),
        ("%DATETIME%_%TIMESTAMP%", ["two-times"]),
        ("%SEGMENT_ID%_%SEGMENT_ID%", ["macro-twice"]),
        ("%SEGMENT_ID%_" + "é" * 128, ["name-too-long"]),
        ("a/%SEGMENT_ID%", ["invalid"]),
        ("", ["no-filename"]),
        (" _.-", ["no-filename"]),
    ],
)
def test_what_is_wrong_with_a_name_by_itself(template, expected):
    assert codes(problems_of_template(template, "name", "/filenameTemplate")) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%DATASET_ID%/%EXPORT_TIME%", []),
        ("%DESTINATION%_%DATASET_ID%_%DATETIME(YYYYMMdd_HHmmss)%", []),
        ("%DATETIME%/%EXPORT_TIME%", ["two-times"]),
        ("%SEGMENT_ID%", ["unknown-macro"]),
        ("/", ["no-filename"]),
    ],
)
def test_what_is_wrong_with_the_name_of_a_folder_by_itself(template, expected):
    assert codes(problems_of_template(template, "folder", "/foldernameTemplate")) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("%DESTINATION%_%SEGMENT_ID%", []),
        ("%DESTINATION_NAME%_%SEGMENT_ID%_%SEGMENT_NAME%_%DATETIME(YYYYMMdd_HHmmss)%_autumn", []),
        ("%DESTINATION%_%SEGMENT_ID%_%my text%", []),
        ("%SEGMENT_ID%_%DESTINATION%", ["beginning-missing"]),
        ("%DESTINATION%-%SEGMENT_ID%", ["beginning-missing"]),
        ("", ["beginning-missing"]),
        ("%DESTINATION%_%SEGMENT_ID%_%SANDBOX_NAME%", ["not-offered"]),
    ],
)
def test_a_name_begins_as_the_author_fixed_it_and_goes_on_as_allowed(template, expected):
    assert codes(problems_of_choice(template, config(), "/filenameTemplate")) == expected


def test_text_of_ones_own_is_appended_where_it_is_allowed():
    fixed = config(allowed=("DATETIME",))

    assert codes(problems_of_choice("%DESTINATION%_%SEGMENT_ID%_%DATETIME%", fixed, "")) == []
    assert codes(problems_of_choice("%DESTINATION%_%SEGMENT_ID%_autumn", fixed, "")) == ["not-offered"]


def test_a_beginning_that_ends_in_text_goes_on_in_text():
    begins = config("export-", ("CUSTOM_TEXT",))

    assert codes(problems_of_choice("export-autumn", begins, "")) == []
    assert codes(problems_of_choice("import-autumn", begins, "")) == ["beginning-missing"]


def test_folders_of_datasets_are_made_of_what_is_allowed():
    assert codes(problems_of_folder_choice("%DATASET_ID%/%EXPORT_TIME%", ("DATASET_ID", "EXPORT_TIME"), "")) == []
    assert codes(problems_of_folder_choice("%DATASET_ID%_own", ("DATASET_ID",), "")) == ["not-offered"]
    assert codes(problems_of_folder_choice("%DATASET_ID%_own", (), "")) == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("acme/2031/%SEGMENT_NAME%", []),
        ("acme/%SEGMENT_NAME%/%SEGMENT_ID%/", []),
        ("/drop%SEGMENT_ID%", []),
        ("abfs://files@pier.dfs.core.windows.net/drop/%SEGMENT_ID%", []),
        ("https://pier.blob.core.windows.net/a%20b", []),
        ("", []),
        ("acme/%SEGMENT_NAME%/2031", ["macro-inside"]),
        ("acme/%SEGMENT_NAME%s", ["macro-inside"]),
        ("acme/%DATETIME%", ["unknown-macro"]),
        ("acme/../%SEGMENT_ID%", ["leaves-the-folder"]),
        ("../x", ["leaves-the-folder"]),
        ("a/" * 128 + "%SEGMENT_NAME%/%SEGMENT_ID%", []),
        ("a/" * 129 + "%SEGMENT_NAME%/%SEGMENT_ID%", ["name-too-long"]),
        ("a" * 769, ["name-too-long"]),
        ("a\\b", ["invalid"]),
        ("a\0b", ["invalid"]),
    ],
)
def test_a_path_leads_nowhere_else_and_has_macros_at_its_end(path, expected):
    assert codes(problems_of_path(path, "/params/path")) == expected


def test_a_path_is_parted_where_its_macros_begin():
    assert split_folder("/%SEGMENT_ID%") == ("/", "%SEGMENT_ID%")
    assert split_folder("%SEGMENT_NAME%/%SEGMENT_ID%/") == ("", "%SEGMENT_NAME%/%SEGMENT_ID%")
    assert split_folder("drop%SEGMENT_ID%") == ("", "drop%SEGMENT_ID%")


def test_what_may_be_appended_is_offered_in_one_order():
    assert offered(config()) == ("SEGMENT_NAME", "DATETIME", "CUSTOM_TEXT")
    assert offered_for_folders(("EXPORT_TIME", "DATASET_ID")) == ("DATASET_ID", "EXPORT_TIME")
    assert "SANDBOX_NAME" in offered_for_folders(())


def test_a_choice_becomes_a_template_that_may_be_chosen():
    made = template_of(config(), ["CUSTOM_TEXT", "DATETIME", "SANDBOX_NAME"], "50% off")

    assert made == "%DESTINATION%_%SEGMENT_ID%_%DATETIME(YYYYMMdd_HHmmss)%_50_ off"
    assert codes(problems_of_choice(made, config(), "")) == []


def test_without_a_choice_the_author_says_what_is_appended_and_else_the_house():
    assert default_template(config(preset=["DATETIME"])) == "%DESTINATION%_%SEGMENT_ID%_%DATETIME(YYYYMMdd_HHmmss)%"
    assert (
        default_template(config("", ["SEGMENT_ID"])) == "%DESTINATION%_segment%SEGMENT_ID%_%DATETIME(YYYYMMddHHmmss)%"
    )
    assert "MERGE_POLICY_ID" in default_template(config("", ["CUSTOM_TEXT"]), is_grouped=True)


def test_folders_are_made_in_one_order_and_times_have_one_of_their_own():
    assert folder_template_of(["EXPORT_TIME"]) == "%EXPORT_TIME%"
    assert folder_template_of(["DATASET_NAME", "DESTINATION", "EXPORT_TIME"]) == (
        "%DESTINATION%_%DATASET_NAME%/%EXPORT_TIME%"
    )


@pytest.mark.parametrize("pattern", ["", "-", "YYYY MM", "Y", "YYYY'T'", "%Y"])
def test_what_is_no_time_is_none(pattern):
    assert strftime_of(pattern) is None


def test_a_percent_sign_by_itself_is_text():
    assert [part.macro or part.text for part in parts_of("50% off %SEGMENT_ID% x")] == ["50% off ", "SEGMENT_ID", " x"]
