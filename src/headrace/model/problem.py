"""What is wrong with something a person wrote, said so that it can be mended."""

from dataclasses import dataclass
from typing import Literal

from headrace.errors import AuthoringError

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: a stable code, the JSON pointer of the place, a sentence with the way out."""

    code: str
    pointer: str
    message: str
    severity: Severity = "error"

    def as_json(self) -> dict[str, str]:
        """Return the form in which the REST API lists problems."""
        return {"code": self.code, "path": self.pointer, "message": self.message, "severity": self.severity}


class ConfigurationError(AuthoringError):
    """The configuration has problems."""

    code = "configuration"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.message}" for problem in problems))
