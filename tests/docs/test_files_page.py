"""What the page of files says can be done."""

import re
from pathlib import Path

import pytest

from exports import file_of, look
from headrace.batch.compress import suffix
from headrace.model.file_configurations import COMPRESSIONS, PARQUET_COMPRESSIONS

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("compression", "codec"), [("snappy", "snappy"), ("lz4", "lz4_raw")])
def test_the_reader_of_blocks_reads_them(tmp_path, compression, codec):
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(source, names)
    sql = "SELECT i, md5(i::VARCHAR) AS text FROM range(20000) AS t(i)"

    read = names["read_blocks"](file_of(tmp_path, sql, look("json", compression)), codec)

    assert read == file_of(tmp_path, sql, look("json"))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_is_on_the_page_with_the_ends_of_names(compression):
    (row,) = re.findall(rf"^\| `{compression}` \|.*$", PAGE, re.MULTILINE)
    cells = [cell.strip() for cell in row.split("|")]

    assert f"`{suffix(look('csv', compression))}`" in cells[2]
    ours = f"`{suffix(look('parquet', compression))}`" if compression in PARQUET_COMPRESSIONS else "refused"
    assert cells[3] == ours
