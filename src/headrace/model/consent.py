"""A consent policy: what people must have agreed to before a partner may be told of them."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from headrace.model.block import SERVER_SET, Block, Flag, rule
from headrace.model.problem import Problem

Operator = Literal["in", "notIn", "exists", "notExists"]
#: Operators that compare with values, and those that only look whether there is one.
COMPARING = frozenset({"in", "notIn"})


class ConsentCondition(Block):
    """One condition over a person's document."""

    path: str = Field(min_length=1, max_length=1024, description="Where to look: `consents.marketing.email.val`.")
    operator: Operator = Field("in", description="How to look: at its value, or only whether there is one.")
    values: tuple[str | bool | int | float, ...] = Field((), description="The values that `in` and `notIn` compare.")
    absent: Literal["withheld", "told"] = Field(
        "withheld", description="What becomes of people who have nothing there, where values are compared."
    )

    @rule
    def _compares_with_something(self) -> Iterator[Problem]:
        if (self.operator in COMPARING) != bool(self.values):
            message = "`in` and `notIn` need `values`, and `exists` and `notExists` take none"
            yield Problem("one-of-two", "/values", message)


class ConsentPolicy(Block):
    """A named policy: people who do not meet it are withheld from partners."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET | {"id", "createdAt", "modifiedAt", "etag"}

    name: str = Field(min_length=1, max_length=256, description="Its name; the ledger's reasons have it.")
    description: str | None = Field(None, description="What it is for.")
    enabled: Flag = Field(True, description="Whether it is applied.")
    match: Literal["all", "any"] = Field("all", description="Whether every condition must be met, or one of them.")
    conditions: tuple[ConsentCondition, ...] = Field(min_length=1, max_length=64, description="What must be met.")
    marketing_actions: tuple[str, ...] = Field(
        (), description="Only for dataflows that carry one of these marketing actions; none named: for all."
    )
