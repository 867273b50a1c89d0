"""Governance: what people declare of usage labels, marketing actions and policies, in the original's shapes."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from headrace.model.block import SERVER_SET, Block
from headrace.model.core_governance import ACTION_BY_NAME

_GOVERNANCE_SET = SERVER_SET | {
    "id",
    "imsOrg",
    "sandboxName",
    "created",
    "createdClient",
    "createdUser",
    "updated",
    "updatedClient",
    "updatedUser",
    "_links",
}
_REFERENCE = re.compile(r"(?:.*/)?marketingActions/(core|custom)/([^/?#]+?)(?:/constraints)?/?")

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=2000)]
Line = Annotated[Words, StringConstraints(min_length=1, max_length=200)]
Status = Literal["DRAFT", "ENABLED", "DISABLED"]
Kind = Literal["core", "custom"]


class UsageLabel(Block):
    """A usage label of the sandbox."""

    ignored: ClassVar[frozenset[str]] = _GOVERNANCE_SET

    name: Name = Field(description="The label, as data carries it: letters, digits, `_` and `-`.")
    category: Words = Field("Custom", description="What kind of label it is.")
    friendly_name: Words = Field("", description="What people call it.")
    description: Words | None = Field(None, description="What it says of data.")


class MarketingAction(Block):
    """A marketing action of the sandbox: something that is done with data."""

    ignored: ClassVar[frozenset[str]] = _GOVERNANCE_SET

    name: Name = Field(description="Its name: letters, digits, `_` and `-`.")
    description: Words | None = Field(None, description="What is done.")


class Policy(Block):
    """A policy of the sandbox: marketing actions that are denied for data with certain labels."""

    ignored: ClassVar[frozenset[str]] = _GOVERNANCE_SET

    name: Line = Field(description="What it is called.")
    status: Status = Field("DRAFT", description="Only an `ENABLED` policy is enforced.")
    marketing_action_refs: tuple[str, ...] = Field(
        min_length=1,
        max_length=100,
        description="The actions that it denies: `/dulepolicy/marketingActions/custom/<name>`, or `…/core/<name>`.",
    )
    description: Words | None = Field(None, description="What it is for.")
    deny: dict[str, Any] = Field(
        description='For which data: `{"label": "C1"}`, or `operator` (`AND`, `OR`) and `operands`, each again one.'
    )


class EnabledPolicies(Block):
    """Which of the core policies are enforced."""

    ignored: ClassVar[frozenset[str]] = _GOVERNANCE_SET

    policy_ids: tuple[str, ...] = Field(max_length=100, description="Their ids; all others are not enforced.")


class LabelsPut(Block):
    """Labels that are put on data. An empty list takes away what is there; what is not named stays."""

    fields: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, max_length=1000, description="On attributes and what is below them, by path."
    )
    datasets: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, max_length=1000, description="On everything that a dataset brings, by its id."
    )
    namespaces: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, max_length=1000, description="On identities, by the code of their namespace."
    )


def action_of(reference: str) -> tuple[str, str] | None:
    """
    Return the kind and the name of the marketing action that a reference leads to.

    >>> action_of("/dulepolicy/marketingActions/custom/calls/constraints")
    ('custom', 'calls')
    """
    found = _REFERENCE.fullmatch(reference)
    return (found[1], found[2]) if found else None


def reference_to(name: str, kind: str | None = None) -> str:
    """
    Write a reference to a marketing action as dataflows have it; without a kind, a core one where there is one.

    >>> reference_to("analytics")
    '/dulepolicy/marketingActions/core/analytics/constraints'
    """
    kind = kind or ("core" if name in ACTION_BY_NAME else "custom")
    return f"/dulepolicy/marketingActions/{kind}/{name}/constraints"


def references_in(policy: dict[str, Any] | None) -> Iterator[str]:
    """Yield the references that a dataflow's ``policy`` has, as far as it has the form of one."""
    listed = (policy or {}).get("enforcementRefs")
    yield from (item for item in listed if isinstance(item, str)) if isinstance(listed, list) else ()


def actions_in(references: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Return the marketing actions that references lead to, by kind and name."""
    return frozenset(action for reference in references if (action := action_of(reference)) is not None)


def actions_of_destination(names: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Return the core marketing actions that a destination says for everybody, by kind and name."""
    return frozenset(("core", _camel(name)) for name in names)


def _camel(name: str) -> str:
    """
    Return the name of a core marketing action that destinations write in capitals.

    >>> _camel("COMBINE_WITH_PII")
    'combineWithPii'
    """
    camel = re.sub(r"_(\w)", lambda found: found[1].upper(), name.lower())
    assert camel in ACTION_BY_NAME, name
    return camel
