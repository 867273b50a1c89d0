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
    # -- servers and files ------------------------------------------------------------------------------------------
    "not-rendered": Code(
        "A text that looks like a template and is used as it stands.", "Use the strategy `PEBBLE_V1`.", "warning"
    ),
    "not-for-this-type": Code(
        "A part that servers of this type do not have.", "Leave it out, or change `destinationServerType`."
    ),
    "missing-use-case": Code(
        "A landing zone that does not say what it is for.",
        "Write `dlz_destination`; with `?strict=false` it is filled in, with a warning.",
    ),
    "old-place": Code("A field where it stood in an older form.", "Move it as the message says.", "warning"),
    "named-twice": Code("Two things of one name.", "Rename one."),
    "has-no-effect": Code("A field that counts for nothing here.", "Leave it out.", "warning"),
    "not-offered": Code("What is preset is not among what may be chosen.", "Add it to the list."),
    "no-schedule": Code("None of the frequencies goes with any of the modes.", "Allow one that does."),
    "every-hour": Code(
        "A frequency that the original's table does not have.", "Take another, if you want to go back there.", "warning"
    ),
    "too-seldom": Code("A frequency that this kind of data is not written at.", "Allow another.", "warning"),
    "no-filename": Code("Files without a name.", "Fix a beginning, or allow something to be appended."),
    "unknown-macro": Code("A part of a file's name that there is not.", "Take one of those listed."),
    "custom-text-fixed": Code("The operator's own text in the fixed part of a name.", "Allow it to be appended."),
    "two-times": Code("Two ways to write the time in one name.", "Keep one of them."),
    "macro-twice": Code("A part that a name would have twice.", "Leave one out.", "warning"),
    "unfit-macro": Code("A part of a name that has no value with this grouping.", "Leave it out.", "warning"),
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
