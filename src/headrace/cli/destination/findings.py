"""What is wrong in a folder, said as compilers say it: file, line, column."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.cli.destination.syntax import Place
from headrace.errors import TemplateProblem
from headrace.model.codes import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend, and where it stands. ``pointer`` says the same for scripts."""

    file: Path
    place: Place
    code: str
    message: str
    severity: Severity = "error"
    pointer: str = ""
    source_line: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}"
        line = f"{where}: {self.severity}: {self.message} [{self.code}]"
        return f"{line}\n{self._excerpt}" if self.source_line.strip() else line

    @property
    def _excerpt(self) -> str:
        return TemplateProblem("", "", self.place.line, self.place.column, self.source_line).excerpt

    def as_json(self) -> dict[str, Any]:
        """Return the form for scripts."""
        where = {"file": str(self.file), "line": self.place.line, "column": self.place.column, "path": self.pointer}
        return {**where, "severity": self.severity, "code": self.code, "message": self.message}


def summary(findings: Sequence[Finding], files: int) -> str:
    """
    Count what was found.

    >>> summary([], 2)
    '2 files: no problems'
    """
    counted = Counter(finding.severity for finding in findings)
    parts = [_many(counted[severity], severity) for severity in ("error", "warning") if counted[severity]]
    return f"{_many(files, 'file')}: {', '.join(parts) or 'no problems'}"


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
