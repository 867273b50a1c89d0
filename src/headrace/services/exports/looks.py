"""How files of datasets look: JSON lines, compressed, or Parquet, as the operator chooses."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from headrace.errors import AuthoringError
from headrace.model.file_configurations import COMPRESSIONS, PARQUET_COMPRESSIONS
from headrace.model.file_format import FileFormat
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.catalog import Edition
from headrace.services.storage_places import Texts, look_of
from headrace.store.access import Tenant

#: What the original calls the choices in the form of a target connection.
FILE_TYPE, COMPRESSION = "datasetFileType", "compression"
_TYPES = {"json": COMPRESSIONS, "parquet": PARQUET_COMPRESSIONS}


def look_of_datasets(look: FileFormat, customer_data: Mapping[str, Any]) -> FileFormat:
    """
    Return how files of datasets look: as files of the destination do, but for what the operator says of datasets.

    Raises:
        ConfigurationError: datasets are not written so.
    """
    said = {name: customer_data.get(name) for name in (FILE_TYPE, COMPRESSION)}
    chosen = {name: str(value).lower() for name, value in said.items() if value not in (None, "")}
    file_type, compression = chosen.get(FILE_TYPE, look.file_type), chosen.get(COMPRESSION, look.compression)
    changed = replace(look, file_type=file_type, compression=compression)
    problems = [*_problems(changed)]
    if problems:
        raise ConfigurationError(problems)
    return changed


def problems_of(tenant: Tenant, edition: Edition, values: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Say what is wrong with how files of datasets would look, if a destination takes any; secrets do not count."""
    if not edition.destination.exports_datasets:
        return
    try:
        look = look_of(edition.server, Texts(tenant, edition, values), values)
        look_of_datasets(look, values)
    except ConfigurationError as error:
        yield from (replace(problem, pointer=where) for problem in error.problems if problem.is_error)
    except AuthoringError as error:
        yield Problem("invalid", where, error.message)


def _problems(look: FileFormat) -> Iterator[Problem]:
    if look.file_type not in _TYPES:
        message = f"datasets are not written as `{look.file_type}`; take `JSON` or `PARQUET`"
        yield Problem("dataset-format", f"/{FILE_TYPE}", message)
    elif look.compression not in _TYPES[look.file_type]:
        these = ", ".join(name.upper() for name in _TYPES[look.file_type])
        message = f"files of this type have no compression `{look.compression}`; take one of: {these}"
        yield Problem("dataset-format", f"/{COMPRESSION}", message)
    elif look.file_type == "json" and look.compression == "none":
        message = "datasets in JSON are compressed; take `GZIP`, or `PARQUET`"
        yield Problem("dataset-format", f"/{COMPRESSION}", message)
