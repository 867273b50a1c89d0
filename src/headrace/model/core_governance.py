"""The usage labels, marketing actions and policies that every sandbox has, by the names that the original gave them."""

from typing import Final, NamedTuple


class CoreLabel(NamedTuple):
    """A usage label that every sandbox has."""

    name: str
    category: str
    friendly_name: str
    description: str


class CoreAction(NamedTuple):
    """A marketing action that every sandbox has."""

    name: str
    description: str


class CorePolicy(NamedTuple):
    """A policy that every sandbox has and may enable: the action is denied for data with any of the labels."""

    id: str
    name: str
    action: str
    labels: tuple[str, ...]


_CONTRACT, _IDENTITY, _SENSITIVE = "Contract", "Identity", "Sensitive"

CORE_LABELS: Final = (
    CoreLabel("C1", _CONTRACT, "Aggregated export only", "Leaves in numbers about many, never person by person."),
    CoreLabel("C2", _CONTRACT, "No export to third parties", "Is not handed to anybody outside the organization."),
    CoreLabel("C3", _CONTRACT, "Not with what names people", "Is not combined with what identifies people directly."),
    CoreLabel("C4", _CONTRACT, "No targeting", "Is not used to aim advertisements or content, here or elsewhere."),
    CoreLabel("C5", _CONTRACT, "No targeting across sites", "Is not used to aim at interests across sites."),
    CoreLabel("C6", _CONTRACT, "No advertising on one's site", "Is not used to aim advertisements on one's own site."),
    CoreLabel("C7", _CONTRACT, "No personal content", "Is not used to choose content on one's own site."),
    CoreLabel("C8", _CONTRACT, "No measurement", "Is not used to measure how one's sites and applications are used."),
    CoreLabel("C9", _CONTRACT, "No data science", "Is not used to train or feed models."),
    CoreLabel("C10", _CONTRACT, "No stitched identities", "Is not used where several identities are held to be one."),
    CoreLabel("C11", _CONTRACT, "No matching with partners", "Is not used to match audiences with those of others."),
    CoreLabel("C12", _CONTRACT, "No export", "Does not leave at all."),
    CoreLabel("I1", _IDENTITY, "Identifies directly", "Names or reaches a person: an address, a telephone number."),
    CoreLabel("I2", _IDENTITY, "Identifies indirectly", "Tells a person together with other data: a device, a cookie."),
    CoreLabel("S1", _SENSITIVE, "Exact place", "Says where somebody is by latitude and longitude."),
    CoreLabel("S2", _SENSITIVE, "Rough place", "Says in which area somebody is."),
)

CORE_ACTIONS: Final = (
    CoreAction("analytics", "Measure how sites and applications are used."),
    CoreAction("combineWithPii", "Combine with what identifies people directly."),
    CoreAction("crossSiteTargeting", "Aim advertisements or content across sites."),
    CoreAction("dataScience", "Train or feed models."),
    CoreAction("emailTargeting", "Aim campaigns by e-mail."),
    CoreAction("exportToThirdParty", "Hand data to somebody outside the organization."),
    CoreAction("onsiteAdvertising", "Aim advertisements on one's own site."),
    CoreAction("onsitePersonalization", "Choose content on one's own site."),
    CoreAction("segmentMatch", "Match audiences with those of others."),
    CoreAction("singleIdentityPersonalization", "Choose content by one identity, not by several held to be one."),
)

CORE_POLICIES: Final = (
    CorePolicy("corepolicy_0001", "No export to third parties", "exportToThirdParty", ("C1", "C2", "C12")),
    CorePolicy("corepolicy_0002", "Not with what names people", "combineWithPii", ("C3",)),
    CorePolicy("corepolicy_0003", "No targeting across sites", "crossSiteTargeting", ("C4", "C5")),
    CorePolicy("corepolicy_0004", "No targeting by e-mail", "emailTargeting", ("C4",)),
    CorePolicy("corepolicy_0005", "No advertising on one's site", "onsiteAdvertising", ("C4", "C6")),
    CorePolicy("corepolicy_0006", "No personal content", "onsitePersonalization", ("C4", "C7")),
    CorePolicy("corepolicy_0007", "No measurement", "analytics", ("C8",)),
    CorePolicy("corepolicy_0008", "No data science", "dataScience", ("C9",)),
    CorePolicy("corepolicy_0009", "No matching with partners", "segmentMatch", ("C11",)),
)

LABEL_BY_NAME: Final = {label.name: label for label in CORE_LABELS}
ACTION_BY_NAME: Final = {action.name: action for action in CORE_ACTIONS}
POLICY_BY_ID: Final = {policy.id: policy for policy in CORE_POLICIES}
