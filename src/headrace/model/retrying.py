"""When messages are sent again that a partner did not take."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from headrace.model.block import Block, Count, read_of, rule
from headrace.model.problem import Problem

PolicyName = Literal["headrace", "best-effort", "configurable"]
#: The longest step, in seconds.
LONGEST_STEP = 86_400
MOST_STEPS = 20


class Retrying(Block):
    """When messages are sent again that the partner did not take; after the last time their changes are parked."""

    policy: PolicyName = Field(
        "headrace",
        description="`headrace`: whatever tends to pass, for about three days. The original's two: `best-effort` (403, "
        "408, 409, 429, 500, 502, 503 and 504, after 15 and again after 30 seconds) and `configurable` (420, 429 and "
        "whatever is above 500, every 30 minutes for a day).",
    )
    steps: tuple[Annotated[Count, Field(ge=1, le=LONGEST_STEP)], ...] | None = Field(
        None,
        min_length=1,
        max_length=MOST_STEPS,
        description="Seconds before each retry, instead of those that the operator of Headrace has set. Each is spread "
        "by a fifth.",
    )

    @rule
    def _has_steps_of_its_own_or_those_of_the_original(self) -> Iterator[Problem]:
        if read_of(self, "steps") and self.policy != "headrace":
            message = f"`steps` count for nothing with the policy `{self.policy}`, which has its own; leave them out"
            yield Problem("has-no-effect", "/steps", message)
