"""Values that may be templates: the pair of a strategy and a text."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field

from headrace.model.block import Block, rule
from headrace.model.problem import Problem

Strategy = Literal["NONE", "PEBBLE_V1"]
Escaping = Literal["html", "json", "none"]
_DELIMITERS = ("{{", "{%", "{#")


class TextExtension(Block):
    """What Headrace adds to a templated value."""

    escaping: Escaping = Field(
        "html",
        description="How printed values are escaped: `html` as the original does, `json` inside JSON strings, `none`. "
        "Where files go and how they look, nothing is escaped unless this is said.",
    )


class TemplatedText(Block):
    """A text that is used as it stands, or a template that is rendered before use."""

    templating_strategy: Strategy = Field(
        description="`NONE`: the value is used as it stands. `PEBBLE_V1`: it is a template."
    )
    value: str = Field(description="The text or the template.")
    extension: TextExtension = Field(
        default_factory=TextExtension, alias="x-headrace", description="Additions of Headrace."
    )

    @classmethod
    def literal(cls, value: str) -> Self:
        """Make a text that is used as it stands."""
        return cls(templatingStrategy="NONE", value=value)

    @property
    def is_template(self) -> bool:
        return self.templating_strategy == "PEBBLE_V1"

    @property
    def fixed(self) -> str | None:
        """The text where it is known before anything is rendered."""
        return None if self.is_template else self.value

    @rule
    def _looks_like_what_it_is(self) -> Iterator[Problem]:
        if not self.is_template and any(delimiter in self.value for delimiter in _DELIMITERS):
            message = "this looks like a template and is used as it stands; to render it, use the strategy `PEBBLE_V1`"
            yield Problem("not-rendered", "/value", message)


class NamedTemplate(TemplatedText):
    """Something that is read from a partner's answer, and the name under which it is kept."""

    name: str = Field(min_length=1, description="The name under which the result is kept.")
