"""An activation in one document: what an operator wants sent where, by names, as people write it in a file."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from headrace.model.block import rule
from headrace.model.export import FileSettings, RowSettings
from headrace.model.flow import Auth
from headrace.model.governance import reference_to
from headrace.model.problem import Problem


class WantedAudience(FileSettings):
    """One audience, by its id, or by its name where that is of one audience only."""

    id: str | None = Field(None, min_length=1, description="The audience's id; without it, it is found by its name.")
    name: str | None = Field(None, min_length=1, description="The audience's name.")
    namespace: str = Field("ups", min_length=1, description="The audience's origin.")
    mapping_id: str | None = Field(None, description="The audience's identifier at the partner, typed by the operator.")

    @property
    def settings(self) -> dict[str, Any]:
        """How its files are written, as the flow service has it."""
        names = set(FileSettings.model_fields)
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, include=names)


class Activation(RowSettings):
    """Who is sent where: a destination, an account, audiences and a mapping. Its name makes it the same one again."""

    name: str = Field(min_length=1, description="The dataflow's name. What has this name already is changed.")
    description: str | None = Field(None, description="What it is for.")
    destination: str = Field(min_length=1, description="The destination's name or id.")
    account: str | None = Field(None, min_length=1, description="The account's name or id, where one is needed.")
    auth: Auth | None = Field(
        None, description="How to sign in: with it, an account of that name is made where there is none."
    )
    connection: dict[str, Any] = Field(default_factory=dict, description="The customer data, by field name.")
    audiences: tuple[WantedAudience, ...] = Field((), description="The audiences.")
    mapping: tuple[dict[str, Any], ...] = Field(
        (), description="Rows `source: target`; or `source`, `target` and a `transformation` that is ticked."
    )
    marketing_actions: tuple[str, ...] | None = Field(
        None, description="What the data is for: names of marketing actions; without it, they stay as they are."
    )
    policy: dict[str, Any] | None = Field(
        None, description="Marketing actions as the flow service writes them; `marketingActions` says the same."
    )

    def rows_wanted(self, before: RowSettings | None) -> dict[str, Any]:
        """Return which rows files have, as the flow service has it; what is left out stays as it was ``before``."""
        said = self.model_dump(mode="json", by_alias=True, exclude_none=True, include={*RowSettings.model_fields})
        return {**(before.model_dump(mode="json", by_alias=True, exclude_none=True) if before else {}), **said}

    @property
    def policy_wanted(self) -> dict[str, Any] | None:
        """What the dataflow says of marketing actions; ``None`` leaves it as it is."""
        if self.marketing_actions is None:
            return self.policy
        return {"enforcementRefs": [reference_to(name) for name in self.marketing_actions]}

    @rule
    def _says_once_what_the_data_is_for(self) -> Iterator[Problem]:
        if self.marketing_actions is not None and self.policy is not None:
            yield Problem("one-of-two", "/policy", "write `marketingActions` or `policy`, not both")
