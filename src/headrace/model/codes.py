"""
Every code that a problem of a configuration may have: what it means, what to do, and how bad it is.

Codes do not change: scripts and clients look for them. ``docs/reference/problems.md`` is this table.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means and the way out, in a sentence each; ``forgiven``: with ``strict=false`` it is a warning."""

    meaning: str
    way_out: str
    severity: Severity = "error"
    forgiven: bool = False


CODES: dict[str, Code] = {
    # -- any field ------------------------------------------------------------------------------------------------
    "missing-field": Code("A field that is needed is not there.", "Add it."),
    "unknown-field": Code(
        "A field that Headrace does not know.",
        "Take the name that is proposed, or leave it out with `?strict=false`.",
        forgiven=True,
    ),
    "retired-field": Code("A field of an older form that there is no more.", "Use what the message names."),
    "not-allowed": Code("A value that is none of those that are allowed.", "Take one of those listed; case counts."),
    "invalid": Code("A value of the wrong type or form.", "Write it as the message says."),
    "old-name": Code("A field under the name it had in an older form.", "Use the new name.", "warning"),
    "two-names": Code("A field under its old and its new name, with two values.", "Leave the old name out."),
    "server-set": Code("A field that only the server sets.", "Leave it out: it counts for nothing.", "warning"),
    "duplicate-name": Code("A name twice in one JSON object.", "Leave one out."),
    "masked-secret": Code("Dots in the place of a secret that is not stored.", "Send the secret itself."),
    "wrong-id": Code("The body names another object than the path.", "Leave `instanceId` out of the body."),
    "patch": Code("A JSON Patch that does not apply.", "Read the object again and address what is there."),
    "not-a-url": Code("A text that is no absolute URL.", "Begin it with `https://` or `http://` and the host."),
    "not-a-pattern": Code("A pattern that is no regular expression.", "Mend it as the message says."),
    "named-twice": Code("Two things of one name.", "Rename one."),
    "not-rendered": Code(
        "A text that looks like a template and is used as it stands.", "Use the strategy `PEBBLE_V1`.", "warning"
    ),
    "has-no-effect": Code("A field that counts for nothing here.", "Leave it out.", "warning"),
    # -- destinations: the card ---------------------------------------------------------------------------------
    "incomplete-card": Code("Something is missing that the catalog shows.", "Add it.", "warning"),
    "unlisted-category": Code("A category that guides use and no list has.", "Use `cloudStorage`.", "warning"),
    "no-documentation-link": Code(
        "A published destination without a page that explains it.", "Add `documentationLink`.", "warning"
    ),
    "no-backfill": Code(
        "Members of an audience from before its activation are not to be sent.", "Leave the field out: they always are."
    ),
    # -- destinations: signing in -------------------------------------------------------------------------------
    "no-sign-in": Code("Operators are to sign in, and there is no way to.", "Add a way, or take another rule."),
    "sign-in-unused": Code(
        "Ways to sign in, under a rule that uses none.", "Leave them out, or change the rule.", forgiven=True
    ),
    "no-oauth1": Code("A sign-in by OAuth 1, which is not supported.", "Use `OAUTH2`, `BEARER` or `BASIC`."),
    "no-token-endpoint": Code("OAuth 2 without an endpoint for tokens.", "Add the URL, or the whole request."),
    "no-access-token": Code("A request for a token that keeps none.", "Add `accessToken` to its response fields."),
    "no-value": Code("A data field that can have no value.", "Give one, or say where it stands in the answer."),
    "asked-already": Code("A field that every form has by itself.", "Leave it out.", "warning"),
    "several-deliveries": Code("A destination that delivers to several servers.", "Make one destination of each."),
    "wrong-matcher": Code("A delivery matcher other than the one there is.", 'Write `["batch"]`.'),
    # -- destinations: what operators are asked for ----------------------------------------------------------------
    "empty-group": Code("A group without fields.", "List its fields in `properties`."),
    "not-a-group": Code("Fields inside of what is no group.", "Make it an `object`, or leave them out."),
    "several-lists": Code("Several lists of choices for one field.", "Keep one."),
    "default-not-offered": Code("A default that is none of the choices.", "Take one of those listed."),
    "default-of-other-type": Code("A default that is not of the field's type.", "Change one of them.", "warning"),
    "default-unlike-pattern": Code("A default that its own pattern refuses.", "Change one of them.", "warning"),
    "never-filled-in": Code("A field that must be filled in and cannot be.", "Give it a default."),
    "secret-default": Code("A secret that all operators would share.", "Leave the default out.", "warning"),
    "unique-group": Code("A group that is to be unique.", "Say it of one of its fields."),
    "undecidable": Code("A field that hangs on itself, or on what cannot be.", "Mend it as the message says."),
    "unknown-form-field": Code("A field that hangs on one that is not there.", "Take one of those listed."),
    # -- destinations: what may be mapped -----------------------------------------------------------------------
    "no-schema": Code("Nothing says what may be mapped.", "Add `schemaConfig`.", "warning"),
    "unsaid": Code("A flag without which the mapping is not clear.", "Say it.", "warning"),
    "no-audiences": Code("Operators could choose no audiences.", "Set `segmentRequired` to `true`."),
    "datasets-have-no-mapping": Code("A mapping for exports of datasets.", "Set the flag to `false`."),
    "two-schemas": Code("Attributes are listed and fetched.", "Keep one of them."),
    "lists-exclude": Code("An allow list beside a deny list.", "Keep one of them."),
    "not-a-macro": Code("A source that is no macro.", "Use the one there is."),
    "nothing-to-map": Code("Only required mappings, and there are none.", "Add some."),
    "wrong-key": Code("A deduplication key of too many parts, or of two kinds.", "Mark fewer rows."),
    "files-only": Code("A flag that has a meaning for files alone.", "Leave it out.", "warning"),
    "accepts-nothing": Code("A target identity that nothing can be mapped to.", "Say what it accepts."),
    # -- destinations: what audiences are called --------------------------------------------------------------------
    "two-homes": Code("Two places say different things of one field.", "Leave the older one out."),
    "several-identifiers": Code("An audience would have several identifiers.", "Keep one way."),
    "input-beside-template": Code("Operators type what requests bring.", "Keep one of them."),
    # -- destinations: messages ---------------------------------------------------------------------------------
    "no-policy": Code("An aggregation without its parameters.", "Add them."),
    "other-policy": Code("The parameters of another aggregation.", "Leave them out."),
    "nothing-to-group-by": Code("Messages are grouped by identity, and no group is named.", "Name the groups."),
    "status-without-audience": Code("Messages are grouped by status but not by audience.", "Group by audience too."),
    "in-two-groups": Code("An identity namespace in two groups.", "Leave it in one."),
    "not-a-target": Code("A group with what is no target identity.", "Take one of those listed.", "warning"),
    "in-no-group": Code("A target identity in no group: it is not sent.", "Add it to one.", "warning"),
    # -- audience templates and shared credentials ----------------------------------------------------------------
    "no-event": Code("An audience template without a request.", "Declare at least one."),
    "unnamed-template": Code("An audience template without a name.", "Add it.", "warning"),
    "no-kind": Code("Shared credentials of no kind.", "Add one."),
    "several-kinds": Code("Shared credentials of several kinds.", "Keep one."),
    "other-kind": Code("A type that is not that of the credentials.", "Leave it out."),
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
    "not-carried-yet": Code(
        "The destination is declared, and Headrace does not carry out yet what it asks for.",
        "Leave out what the message names, or wait for a release that carries it out.",
    ),
    "chosen-twice": Code("An audience is chosen twice.", "Leave one out."),
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
