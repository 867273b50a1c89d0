"""How a destination looks in the catalog."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from headrace.model.block import Block, Flag, rule
from headrace.model.kinds import WebUrl
from headrace.model.problem import Problem

Category = Literal[
    "adobeSolutions",
    "advertising",
    "analytics",
    "cdp",
    "cloudStorage",
    "crm",
    "customerSuccess",
    "database",
    "dmp",
    "ecommerce",
    "email",
    "emailMarketing",
    "enrichment",
    "livechat",
    "marketingAutomation",
    "mobile",
    "payments",
    "personalization",
    "protocols",
    "social",
    "streaming",
    "subscriptions",
    "surveys",
    "tagManagers",
    "voc",
    "warehouses",
    "S3",
    "SFTP",
    "DLZ",
]
#: Written in published guides, and in no list of categories.
UNLISTED = ("S3", "SFTP", "DLZ")
ConnectionType = Literal[
    "Server-to-server", "Cloud storage", "Azure Blob", "Azure Data Lake Storage", "S3", "SFTP", "DLZ"
]


class UiAttributes(Block):
    """How the destination appears in the catalog."""

    documentation_link: WebUrl | None = Field(
        None, description="The page that explains the destination. Needed before it is published."
    )
    category: Category | None = Field(None, description="The catalog's filter.")
    connection_type: ConnectionType | None = Field(None, description="Shown in the list of accounts.")
    frequency: Literal["Streaming", "Batch"] | None = Field(
        None, description="`Streaming` for destinations that take messages, `Batch` for those that take files."
    )
    is_beta: Flag | Literal["true", "false"] | None = Field(None, description="Show a beta badge.")
    icon: dict[str, Any] | None = Field(None, description='The logo, as `{"key": "…"}`.')
    icon_url: WebUrl | None = Field(None, description="The address of the logo, in an older form.")
    flow_runs_supported: Flag | None = Field(None, description="Show the runs of dataflows.")
    monitoring_supported: Flag | None = Field(None, description="Offer the monitoring view.")

    @rule
    def _the_category_is_listed(self) -> Iterator[Problem]:
        if self.category in UNLISTED:
            message = f"`{self.category}` is no category of the catalog; use `cloudStorage`"
            yield Problem("unlisted-category", "/category", message)

    @rule
    def _the_card_has_its_category(self) -> Iterator[Problem]:
        if self.category is None:
            yield _incomplete("category", "the catalog cannot be filtered for it")

    @rule
    def _the_card_has_its_connection_type(self) -> Iterator[Problem]:
        if self.connection_type is None:
            yield _incomplete("connectionType", "the list of accounts cannot say what they are")

    @rule
    def _the_card_has_its_frequency(self) -> Iterator[Problem]:
        if self.frequency is None:
            yield _incomplete("frequency", "the card cannot say whether messages or files are sent")


def _incomplete(name: str, loss: str) -> Problem:
    return Problem("incomplete-card", f"/{name}", f"without `{name}` {loss}; add it")
