"""Every codec, read back by somebody else's reader."""

import bz2
import gzip
import zlib

import pyarrow as pa
import pytest

from exports import file_of, look, read_hadoop
from headrace.batch.compress import compressor, suffix
from headrace.batch.formats import formats

SQL = "SELECT i, md5(i::VARCHAR) AS text FROM range(40000) AS t(i)"
READERS = {
    "none": bytes,
    "gzip": gzip.decompress,
    "bzip2": bz2.decompress,
    "deflate": zlib.decompress,
    "zstd": lambda file: pa.CompressedInputStream(pa.BufferReader(file), "zstd").read(),
    "lz4": lambda file: read_hadoop(file, "lz4_raw"),
    "snappy": lambda file: read_hadoop(file, "snappy"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return file_of(tmp_path_factory.mktemp("plain"), SQL, look("json"))


@pytest.mark.parametrize("compression", READERS)
def test_a_file_is_read_back_by_others(tmp_path, plain, compression):
    file = file_of(tmp_path, SQL, look("json", compression))

    assert READERS[compression](file) == plain
    assert compression == "none" or len(file) < len(plain) * 0.9


@pytest.mark.parametrize("compression", READERS)
@pytest.mark.parametrize("sizes", [[], [1], [0, 5, 0], [300_000], [1, 262_144, 3, 700_000]])
def test_it_does_not_matter_how_bytes_come(compression, sizes):
    codec = compressor(look("json", compression))
    pieces = [bytes(range(256)) * (size // 256) + b"x" * (size % 256) for size in sizes]

    made = b"".join(bytes(memoryview(codec.compress(piece))) for piece in pieces) + bytes(codec.flush())

    assert READERS[compression](made) == b"".join(pieces)


@pytest.mark.parametrize("compression", READERS)
def test_the_same_rows_are_the_same_bytes(tmp_path, compression):
    assert file_of(tmp_path, SQL, look("json", compression)) == file_of(tmp_path, SQL, look("json", compression))


def test_a_gzip_file_is_one_member_without_a_time(tmp_path):
    file = file_of(tmp_path, SQL, look("json", "gzip"))
    member = zlib.decompressobj(31)
    member.decompress(file)

    assert member.eof
    assert member.unused_data == b""
    assert file[:4] == b"\x1f\x8b\x08\x00"
    assert file[4:8] == bytes(4)


def test_hadoop_takes_blocks_of_no_more_than_its_buffer(tmp_path):
    file = file_of(tmp_path, SQL, look("json", "snappy"))

    assert 200_000 < int.from_bytes(file[:4], "big") < 256 * 1024


@pytest.mark.parametrize(
    ("file_type", "compression", "end"),
    [
        ("json", "none", ".json"),
        ("json", "gzip", ".json.gz"),
        ("json", "bzip2", ".json.bz2"),
        ("json", "lz4", ".json.lz4"),
        ("json", "snappy", ".json.snappy"),
        ("json", "zstd", ".json.zst"),
        ("json", "deflate", ".json.deflate"),
        ("parquet", "none", ".parquet"),
        ("parquet", "gzip", ".gz.parquet"),
        ("parquet", "snappy", ".snappy.parquet"),
        ("parquet", "zstd", ".zstd.parquet"),
        ("parquet", "lz4", ".lz4raw.parquet"),
    ],
)
def test_a_name_ends_as_sparks_do(file_type, compression, end):
    assert suffix(look(file_type, compression)) == end


def test_every_type_of_file_has_an_end_of_its_name():
    assert all(formats.get(name).suffix == f".{name}" for name in formats)
