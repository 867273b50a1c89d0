"""What is wrong with something a person wrote, said so that it can be mended."""

from dataclasses import dataclass

from headrace.errors import AuthoringError
from headrace.model.codes import CODES, Severity

__all__ = ["ConfigurationError", "Problem", "Severity"]


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing to mend: a code that does not change, the JSON pointer of the place, a sentence with the way out.

    The severity is its code's, unless another is given.
    """

    code: str
    pointer: str
    message: str
    severity: Severity = ""  # type: ignore[assignment]

    def __post_init__(self) -> None:
        known = CODES[self.code]
        object.__setattr__(self, "severity", self.severity or known.severity)

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def as_json(self) -> dict[str, str]:
        """Return the form in which the REST API lists problems."""
        return {"code": self.code, "path": self.pointer, "message": self.message, "severity": self.severity}


class ConfigurationError(AuthoringError):
    """The configuration has problems."""

    code = "configuration"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems))
