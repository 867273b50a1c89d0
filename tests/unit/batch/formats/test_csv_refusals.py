"""What CSV has no form for is refused before anything is written, by its name and with the way out."""

import pyarrow as pa
import pytest

from headrace.batch.formats import formats
from headrace.model.problem import ConfigurationError
from unit.batch.formats.csv_table import look

COVERED = ("unfit-column",)


def refused(kind, **options):
    with pytest.raises(ConfigurationError) as caught:
        formats.get("csv").select(pa.schema([("id", pa.string()), ("visits", kind)]), look(**options))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string()),
        pa.large_list(pa.int64()),
        pa.map_(pa.string(), pa.string()),
        pa.struct([("day", pa.date32())]),
        pa.dictionary(pa.int8(), pa.list_(pa.string())),
        pa.duration("s"),
        pa.time64("us"),
        pa.float16(),
        pa.month_day_nano_interval(),
    ],
    ids=str,
)
def test_a_column_without_a_form_is_refused_by_its_name(kind):
    problem = refused(kind)

    assert (problem.code, problem.pointer) == ("unfit-column", "/fileType/value")
    assert problem.message.startswith(f"the column `visits` is of the type {kind}, which CSV has no form for")
    assert "make a text of it" in problem.message


@pytest.mark.parametrize(
    ("kind", "options", "pointer", "says"),
    [
        (pa.date32(), {"dateFormat": "yyyy HH"}, "/csvOptions/dateFormat/value", "`HH` cannot be written"),
        (pa.date64(), {"dateFormat": "yyyy [HH] X"}, "/csvOptions/dateFormat/value", "`X` cannot be written"),
        (pa.timestamp("us"), {"timestampFormat": "HHXXX"}, "/csvOptions/timestampFormat/value", "`XXX` cannot be"),
    ],
)
def test_a_pattern_asks_for_no_more_than_a_column_has(kind, options, pointer, says):
    problem = refused(kind, **options)

    assert (problem.code, problem.pointer) == ("unfit-column", pointer)
    assert problem.message.startswith(says)
    assert "the column `visits`" in problem.message
    assert "put it between `[` and `]`" in problem.message


def test_names_that_differ_in_case_alone_are_one_name():
    schema = pa.schema([("Email", pa.string()), ("email", pa.string())])

    with pytest.raises(ConfigurationError, match="two columns are named `email`"):
        formats.get("csv").select(schema, look())
