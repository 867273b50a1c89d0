"""Which server takes what a destination sends, and whose credentials are used."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, rule
from headrace.model.problem import Problem

AuthenticationRule = Literal["CUSTOMER_AUTHENTICATION", "PLATFORM_AUTHENTICATION", "NONE"]


class DeliveryMatcher(Block):
    """Which exports go to a server: files say `SOURCE` and `batch`."""

    type: Literal["SOURCE"] = Field(description="What is looked at; always `SOURCE`.")
    value: tuple[str, ...] = Field(description='What it must be; always `["batch"]`.')

    @rule
    def _is_of_files(self) -> Iterator[Problem]:
        if self.value != ("batch",):
            yield Problem("wrong-matcher", "/value", 'the value of a matcher is always `["batch"]`: write this')


class Delivery(Block):
    """Which server takes the messages or files, and how they are signed in."""

    authentication_rule: AuthenticationRule = Field(
        description="Whose credentials are used: each operator's, those that all operators share, or none."
    )
    authentication_id: str | None = Field(
        None, min_length=1, description="The `instanceId` of the shared credentials of `PLATFORM_AUTHENTICATION`."
    )
    destination_server_id: str = Field(min_length=1, description="The `instanceId` of the destination server.")
    delivery_matchers: tuple[DeliveryMatcher, ...] | None = Field(
        None, description="Needed where files are delivered, and not used for messages."
    )

    @rule
    def _shared_credentials_are_named(self) -> Iterator[Problem]:
        if self.authentication_rule == "PLATFORM_AUTHENTICATION" and self.authentication_id is None:
            message = "`PLATFORM_AUTHENTICATION` needs `authenticationId`, the `instanceId` of the shared credentials"
            yield Problem("missing-field", "/authenticationId", message)

    @rule
    def _credentials_are_named_to_be_used(self) -> Iterator[Problem]:
        if self.authentication_id is not None and self.authentication_rule != "PLATFORM_AUTHENTICATION":
            message = f"`authenticationId` counts for nothing with `{self.authentication_rule}`; leave it out"
            yield Problem("has-no-effect", "/authenticationId", message)
