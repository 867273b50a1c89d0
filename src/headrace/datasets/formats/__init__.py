"""
The ways in which data is written, a module for each.

Those that need a library of an extra are imported when they are asked for, by the name in ``EXTRAS``.
"""

import pkgutil

from headrace.datasets.formats import arrow, csv, ndjson, parquet, sql
from headrace.datasets.rows import Format, formats
from headrace.errors import OperationError

__all__ = ["arrow", "csv", "ndjson", "of", "parquet", "sql"]

EXTRAS = {"delta": "headrace.datasets.formats.delta", "iceberg": "headrace.datasets.formats.iceberg"}


def of(name: str) -> Format:
    """
    Return a format.

    Raises:
        OperationError: it needs a library that is not installed.
    """
    if name in EXTRAS:
        try:
            pkgutil.resolve_name(EXTRAS[name])
        except ImportError as error:
            raise OperationError(
                f"datasets in {name} need a library that is not installed: pip install 'headrace[{name}]' ({error})"
            ) from None
    return formats.get(name)()
