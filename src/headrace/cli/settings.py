"""The settings of a process: from the environment, and from options, which win."""

from pydantic import ValidationError

from headrace.errors import OperationError
from headrace.settings import Settings


def read_settings(given: dict[str, object]) -> Settings:
    """Read the settings from the environment and the options, which win."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = f"HEADRACE_{'_'.join(map(str, first['loc'])).upper()}"
        raise OperationError(f"{name}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
