"""Values that may be templates: the pair of a strategy and a text."""

from typing import Literal

from pydantic import Field

from headrace.model.block import Block

Strategy = Literal["NONE", "PEBBLE_V1"]
Escaping = Literal["html", "json", "none"]


class TextExtension(Block):
    """What Headrace adds to a templated value."""

    escaping: Escaping = Field(
        "html",
        description="How printed values are escaped: `html` as the original does, `json` inside JSON strings, `none`.",
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

    @property
    def is_template(self) -> bool:
        return self.templating_strategy == "PEBBLE_V1"
