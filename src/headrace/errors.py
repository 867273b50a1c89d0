"""
Every error a person may meet, by who can put it right.

HeadraceError
├── AuthoringError            the author, in the destination's configuration
│   ├── ConfigurationError      in a block of it: carries every problem found
│   ├── TemplateSyntaxError     in the text of a template
│   ├── TemplateError           in what a template does with the data
│   └── RenderError             in the request that came out of the templates
├── AccountError              the operator, in the account or the dataflow
│   ├── ExpressionError         … in a calculated field of its mapping
│   └── EgressError             … or in what the operator allows to be reached
│       └── TargetBlocked         an address that is not public
├── DataError                 the data engineer, in a profile that was sent
├── RequestError              the caller of the REST API
│   ├── Unauthorized
│   ├── Forbidden
│   ├── NotFound
│   ├── Conflict
│   ├── StaleVersion
│   ├── TooManyTries
│   ├── TooManyCalls
│   └── TooSoon
├── PartnerError              the partner, at the other end of the wire
└── OperationError            whoever runs the process: settings, disk, data directory

A class's docstring is its default message and its ``code`` is stable: others script against it. A message names the
thing and the way out, and holds neither a secret nor a profile's attribute.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self


class HeadraceError(Exception):
    """Headrace could not do this."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        self.message = message if message is not None else (type(self).__doc__ or "").strip().split("\n")[0]
        super().__init__(self.message)


class AuthoringError(HeadraceError):
    """The destination's configuration is not right."""

    code = "authoring"


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """One thing that is wrong in a template, and where: lines and columns count from 1."""

    message: str
    name: str
    line: int
    column: int
    source_line: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}: {self.message}"

    @property
    def excerpt(self) -> str:
        """The source line with a caret under the place; of a long line only what is near."""
        start = max(0, self.column - 1 - 60)
        shown = self.source_line[start : start + 120].replace("\t", " ")
        return f"{shown}\n{' ' * (self.column - 1 - start)}^"


class TemplateSyntaxError(AuthoringError):
    """The template is not written in the template language."""

    code = "template-syntax"

    def __init__(self, problems: Sequence[TemplateProblem]) -> None:
        self.problems = tuple(problems)
        first, others = self.problems[0], len(self.problems) - 1
        self.name, self.line, self.column = first.name, first.line, first.column
        more = f" (and {others} more {'problem' if others == 1 else 'problems'})" if others else ""
        super().__init__(f"{first}{more}")

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[TemplateProblem, ...]]]:
        return type(self), (self.problems,)


class TemplateError(AuthoringError):
    """The template cannot be rendered."""

    code = "template"

    def __init__(self, problem: TemplateProblem, *, limit: str | None = None) -> None:
        self.problems = (problem,)
        self.name, self.line, self.column = problem.name, problem.line, problem.column
        self.limit = limit
        super().__init__(str(problem))

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[TemplateProblem]]:
        return partial(type(self), limit=self.limit), self.problems


class RenderError(AuthoringError):
    """The rendered request is not right."""

    code = "render"


class NotMapped(RenderError):
    """The audience that an entry was claimed for is sent no longer."""

    code = "not-mapped"


class AccountError(HeadraceError):
    """The account cannot be used."""

    code = "account"


class ExpressionError(AccountError):
    """The calculated field cannot be read."""

    code = "expression"

    def __init__(self, text: str, position: int, reason: str) -> None:
        before = text[:position]
        self.line, self.column = before.count("\n") + 1, len(before) - before.rfind("\n")
        super().__init__(f"line {self.line}, column {self.column}: {reason}")


class EgressError(AccountError):
    """This address may not be reached from here."""

    code = "egress"


class TargetBlocked(EgressError):
    """
    The address is not on the public internet.

    Whether it is so tells what a network is like from inside, so nobody but whoever runs Headrace is told it apart from
    a target that was not reached.
    """


class DataError(HeadraceError):
    """The profile cannot be taken."""

    code = "data"


class RequestError(HeadraceError):
    """The request cannot be served."""

    code = "request"


class Unauthorized(RequestError):
    """The access token is missing or not valid."""

    code = "unauthorized"


class Forbidden(RequestError):
    """The caller may not do this."""

    code = "forbidden"


class NotFound(RequestError):
    """There is no such object here."""

    code = "not-found"


class Conflict(RequestError):
    """The object was changed by somebody else, or is in use."""

    code = "conflict"


class StaleVersion(RequestError):
    """The object was changed by somebody else since it was read."""

    code = "stale-version"


class TooManyTries(RequestError):
    """Signing in failed too often in a row; wait before the next try."""

    code = "too-many-tries"

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"signing in failed too often in a row; try again in {seconds} seconds")


class TooManyCalls(RequestError):
    """Partners were called too often on demand; wait before the next call."""

    code = "too-many-calls"

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"partners were called too often on demand; try again in {seconds} seconds")


class TooSoon(RequestError):
    """This was done not long ago; wait before doing it again."""

    code = "too-soon"

    def __init__(self, message: str, milliseconds: int) -> None:
        self.seconds = -(-milliseconds // 1000)
        super().__init__(message)


class PartnerError(HeadraceError):
    """The partner did not answer as agreed."""

    code = "partner"


class OperationError(HeadraceError):
    """Headrace cannot run like this."""

    code = "operation"
