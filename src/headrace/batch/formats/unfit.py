"""What files of a type cannot hold."""

import pyarrow as pa

from headrace.model.problem import ConfigurationError, Problem


def unfit(file_type: str, path: str, kind: pa.DataType) -> ConfigurationError:
    """Say that a type of file has nothing that the values of a column could be written as."""
    message = f"the column `{path}` is of the type {kind}, which {file_type} has no form for; make a text of it"
    return ConfigurationError([Problem("unfit-column", "/fileType/value", message)])
