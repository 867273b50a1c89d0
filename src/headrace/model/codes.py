"""
Every code that a problem of a configuration may have: what it means, what to do, and how bad it is.

Codes do not change: scripts and clients look for them. ``docs/reference/problems.md`` is this table.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means and the way out, in a sentence each."""

    meaning: str
    way_out: str
    severity: Severity = "error"


CODES: dict[str, Code] = {
    # -- any field ------------------------------------------------------------------------------------------------
    "missing-field": Code("A field that is needed is not there.", "Add it."),
    "unknown-field": Code(
        "A field that Headrace does not know.", "Take the name that is proposed, or leave it out with `?strict=false`."
    ),
    "not-allowed": Code("A value that is none of those that are allowed.", "Take one of those listed; case counts."),
    "invalid": Code("A value of the wrong type or form.", "Write it as the message says."),
    "old-name": Code("A field under the name it had in an older form.", "Use the new name.", "warning"),
    "two-names": Code("A field under its old and its new name, with two values.", "Leave the old name out."),
    "server-set": Code("A field that only the server sets.", "Leave it out: it counts for nothing.", "warning"),
    "duplicate-name": Code("A name twice in one JSON object.", "Leave one out."),
    "masked-secret": Code("Dots in the place of a secret that is not stored.", "Send the secret itself."),
    "wrong-id": Code("The body names another object than the path.", "Leave `instanceId` out of the body."),
    "patch": Code("A JSON Patch that does not apply.", "Read the object again and address what is there."),
    # -- fields that do not go together -----------------------------------------------------------------------------
    "accepts-nothing": Code("A target identity that nothing can be mapped to.", "Say what it accepts."),
    "chosen-twice": Code("An audience is chosen twice.", "Leave one out."),
    "in-two-groups": Code("An identity namespace in two groups.", "Leave it in one."),
    "lists-exclude": Code("An allow list beside a deny list.", "Keep one of them."),
    "no-event": Code("An audience template without a request.", "Declare at least one."),
    "no-sign-in": Code("Operators are to sign in, and there is no way to.", "Add a way, or take another rule."),
    "not-a-pattern": Code("A pattern that is no regular expression.", "Mend it as the message says."),
    "nothing-to-group-by": Code("Messages are grouped by identity, and no group is named.", "Name the groups."),
    "sign-in-unused": Code("Ways to sign in, under a rule that uses none.", "Leave them out, or change the rule."),
    "status-without-audience": Code("Messages are grouped by status but not by audience.", "Group by audience too."),
    # -- templates ------------------------------------------------------------------------------------------------
    "template-syntax": Code("A template that is not written in the template language.", "Mend it where it says."),
    # -- objects that point to others -----------------------------------------------------------------------------
    "unknown-server": Code("There is no such destination server.", "Create it first."),
    "no-credentials": Code("The shared credentials are not there.", "Create them first, or take another rule."),
    "unknown-customer-data": Code(
        "A template reads a customer data field that the destination does not have.", "Add the field."
    ),
    "not-a-delivery-server": Code("The server cannot carry messages.", "Give it method, body and content type."),
    "unknown-destination": Code("There is no such destination.", "Use its `instanceId`."),
    "unknown-account": Code("There is no such account.", "Create it first."),
    "other-destination": Code("The account belongs to another destination.", "Create one for this destination."),
    "unknown-source": Code("There is no such source connection.", "Create it first."),
    "unknown-target": Code("There is no such target.", "Use one of those listed."),
    "credentials": Code("Credentials that cannot sign anything.", "Write them as the message says."),
    # -- publishing ---------------------------------------------------------------------------------------------------
    "missing-documentation-link": Code(
        "A public destination without `uiAttributes.documentationLink`.", "Say where it is documented."
    ),
    "incomplete-documentation": Code("Something that operators would read is not there.", "Write it.", "warning"),
    "new-origin": Code(
        "Dataflows that exist already send to this origin from now on.", "Make sure that they may.", "warning"
    ),
    # -- dataflows ------------------------------------------------------------------------------------------------
    "aggregation-in-use": Code(
        "People are on their way under the grouping that would change.", "Delete the dataflow first."
    ),
    "invalid-path": Code("A source that is no path.", "Write it as the message says."),
    "mapped-twice": Code("Two rows of the mapping go to one target.", "Leave one out."),
    "no-identity": Code("No target identity is mapped.", "Map at least one."),
    "no-transformation": Code("The target offers no such transformation.", "Leave it out."),
    "not-mappable": Code("The source may not be mapped to this target.", "Map another."),
    "origin-denied": Code("The destination does not take audiences of this origin.", "Choose others."),
    "too-many": Code("More rows than the destination takes.", "Map fewer."),
}
