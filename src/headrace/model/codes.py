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
    "masked-secret": Code(
        "Dots for a secret that is not stored there, or was stored for another entry.", "Send the secret itself."
    ),
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
    "parted-by-identity": Code(
        "Messages with all identities of people are to be grouped or split by them.",
        "Leave `splitUserById` and `includeIdentity` out, or follow audiences.",
    ),
    # -- destinations: signing in -------------------------------------------------------------------------------
    "lookup-rule": Code(
        "Choices or a schema are fetched with credentials that this destination does not have.",
        "Change the look-up's `authenticationRule`, or how the destination is signed in at.",
    ),
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
    # -- servers and files ------------------------------------------------------------------------------------------
    "not-for-this-type": Code(
        "A part that servers of this type do not have.", "Leave it out, or change `destinationServerType`."
    ),
    "missing-use-case": Code(
        "A landing zone that does not say what it is for.",
        "Write `dlz_destination`; `?strict=false` fills it in.",
        forgiven=True,
    ),
    "limits-two-things": Code("A limit of requests and of profiles in one.", "Write two limits."),
    "limited-twice": Code("Two limits of one thing in one time.", "Keep the lower one."),
    "old-place": Code("A field where it stood in an older form.", "Move it as the message says.", "warning"),
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
    "name-too-long": Code("A name that is longer than storages take.", "Shorten it."),
    "beginning-missing": Code("A name without the beginning that the author fixed.", "Begin with it."),
    "leaves-the-folder": Code("A folder that leads out of where files may be.", "Write it without `..`."),
    "macro-inside": Code("A part of a folder's path that does not stand at its end.", "Move it to the end."),
    "schedule-clash": Code("Settings of an export that exclude each other.", "Keep one of them, as the message says."),
    "same-name-possible": Code(
        "Files of two audiences may come to one name, and then get an addition to it.",
        "Put `%SEGMENT_ID%` into the name.",
        "warning",
    ),
    "may-not-be-chosen": Code("A choice that the destination does not leave to operators.", "Leave it out."),
    "several-identities": Code("More than one identity in the rows of a file.", "Map one, the others as attributes."),
    "marks-alike": Code("Two marks of a file that no reader can tell apart.", "Change one of them.", "warning"),
    "unfit-column": Code(
        "A column, or how it is to be written, that files of this type cannot hold.",
        "Map a text, or write it as the message says.",
    ),
    # -- destinations and what they point to ------------------------------------------------------------------------
    "ambiguous": Code("A name that several things have.", "Write the id of the one that is meant."),
    "wrong-rule": Code("Credentials of a kind that the server is not reached by.", "Take another rule."),
    "wrong-sign-in": Code("A way to sign in that this type of server does not have.", "Take one of those it has."),
    "wrong-credentials": Code("Shared credentials that sign in at another type of server.", "Take others."),
    "wrong-frequency": Code("A card that says the opposite of what the server takes.", "Change `frequency`."),
    "constant-body": Code("Every message would have the same body.", "Make the body a template.", "warning"),
    "no-namespaces": Code("Messages, and nobody that they could tell of.", "Declare a target identity."),
    "no-aggregation": Code("Messages, and nothing says how people are put into them.", "Add `aggregation`."),
    "no-batch-config": Code("Files, and nothing says when and how they are written.", "Add `batchConfig`."),
    "missing-matchers": Code(
        "Files without a delivery matcher.", "Write the one there is; `?strict=false` fills it in.", forgiven=True
    ),
    "file-based-only": Code("Something that only files have, for messages.", "Leave it out, or deliver to a storage."),
    "streaming-only": Code("Something that only messages have, for files.", "Leave it out."),
    "dataset-format": Code("Datasets in a format that they are not written in.", "Change the server's format."),
    "datasets-only": Code("Something that only datasets have.", "Say that they are delivered, or leave it out."),
    "full-exports-only": Code("Incremental files of what is exported whole.", "Take the mode out.", "warning"),
    "not-a-lookup-server": Code(
        "A server that cannot be asked for a schema or for options.", "Give it `GET` and `responseFields`."
    ),
    "unknown-audience-template": Code("There is no such audience template.", "Create it first."),
    "type-in-use": Code("The type of a server that destinations use is changed.", "Create another server."),
    # -- templates ------------------------------------------------------------------------------------------------
    "template-syntax": Code("A template that is not written in the template language.", "Mend it where it says."),
    "unknown-root": Code("A variable that is not given at this place.", "Use one that is.", "warning"),
    "unknown-member": Code("A member that the data does not have.", "Take the name that is proposed.", "warning"),
    "out-of-scope": Code("A variable that was forgotten at the end of its loop.", "Set it before the loop.", "warning"),
    "json-escaping": Code("A value in a JSON string, not escaped for JSON.", "Set `escaping` to `json`.", "warning"),
    "json-quotes": Code("`toJson` inside of quotes.", "Leave the quotes out.", "warning"),
    "json-bare-value": Code("A value in JSON with no quotes around it.", "Use `toJson`.", "warning"),
    "comma-trailing": Code("A comma too many around a loop.", "Ask for `loop.last`.", "warning"),
    "comma-missing": Code("A loop that prints nothing between its items.", "Print a comma.", "warning"),
    "comma-forgotten": Code("A comma that depends on a forgotten variable.", "Set it before the loops.", "warning"),
    "comma-without-item": Code("A comma where there may be no item.", "Print it with the item.", "warning"),
    "render-fails": Code("A template that fails with a sample.", "Mend it as the message says.", "warning"),
    "json-invalid": Code("A sample that is not rendered to JSON.", "Mend it as the message says.", "warning"),
    "never-taken": Code("A branch that no sample takes.", "Try it with data of your own.", "warning"),
    # -- objects that point to others -----------------------------------------------------------------------------
    "unknown-server": Code("There is no such destination server.", "Create it first."),
    "no-credentials": Code("The shared credentials are not there.", "Create them first, or take another rule."),
    "unknown-customer-data": Code(
        "A template reads a customer data field that the destination does not have.", "Add the field."
    ),
    "not-a-delivery-server": Code("The server cannot carry messages.", "Give it method, body and content type."),
    "unknown-destination": Code("There is no such destination.", "Use its `instanceId`."),
    "unknown-account": Code("There is no such account.", "Create it first."),
    "other-destination": Code(
        "The account or the connection belongs to another destination.", "Create one for this destination."
    ),
    "value-taken": Code(
        "A value that only one connection of the organization may have, and another has it.", "Use another."
    ),
    "choices-unknown": Code(
        "A value could not be checked, for its choices could not be fetched from the partner.",
        "Do as the reason says, and try again.",
    ),
    "schema-unknown": Code(
        "A mapping could not be checked, for the attributes could not be fetched from the partner.",
        "Do as the reason says, and try again.",
    ),
    "unknown-audience": Code("No audience has this name.", "Write its `id`."),
    "unknown-mapping-set": Code("There is no such mapping set, or not in this version.", "Create it first."),
    "unknown-schema": Code("There is no such schema.", "Create it first."),
    "dotted-target": Code("A target of a mapping set with a dot in its name.", "Write underscores."),
    "unknown-source": Code("There is no such source connection.", "Create it first."),
    "unknown-target": Code("There is no such target.", "Use one of those listed."),
    "credentials": Code("Credentials that cannot sign anything.", "Write them as the message says."),
    # -- storages ---------------------------------------------------------------------------------------------------
    "no-place": Code("A bucket, container or folder that is not there.", "Name one that exists, or have it made."),
    "denied": Code(
        "The storage does not let these credentials in, or not write.", "Give others, or have the partner allow it."
    ),
    "full": Code("The storage has no room left.", "Have some made."),
    "distrusted": Code(
        "A storage that could not prove who it is, or has no safe algorithms.", "Have the partner mend it."
    ),
    "host-key": Code(
        "A server that shows another host key than was confirmed.", "Ask the partner, then pin the right one."
    ),
    "unreached": Code("A storage that was not reached.", "See that it is there, and may be reached from here."),
    "busy": Code("A storage that is too busy, or out of order.", "Try again in a while."),
    "refused": Code("A storage that refused what was asked.", "See the message."),
    "unusable-key": Code("A public key that files cannot be encrypted with.", "Take another, as the message says."),
    # -- who may do what ------------------------------------------------------------------------------------------
    "bad-password": Code("A password that is not good enough.", "Take another, as the message says."),
    "one-of-two": Code("Two fields of which one is needed, and both or none are there.", "Say one of them."),
    "unknown-sandbox": Code("There is no such sandbox in the organization.", "Use one of those listed."),
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
    "unknown-marketing-action": Code(
        "A marketing action that there is not.", "Take one of those listed, or create it first."
    ),
    "unknown-label": Code("A usage label that there is not.", "Take one of those listed, or create it first."),
    "unknown-policy": Code("A core policy that there is not.", "Take one of those listed."),
    "unknown-dataset": Code("A dataset that is not here.", "Take the id of one that is."),
    "chosen-twice": Code("An audience is chosen twice.", "Leave one out."),
    "aggregation-in-use": Code(
        "People are on their way under the grouping that would change.", "Delete the dataflow first."
    ),
    "invalid-path": Code("A source that is no path.", "Write it as the message says."),
    "invalid-expression": Code(
        "A calculated field that cannot be read.", "Mend it as the message says; the reference lists all functions."
    ),
    "list-or-object": Code(
        "A calculated field gives a list or an object, and messages do not carry one.",
        "Make a text of it, as with `array_to_string`.",
    ),
    "no-single-audience": Code(
        "A row is about the audience of a message, and messages are about several.",
        "Map something else, or have the destination group by audience (`includeSegmentId`).",
    ),
    "fixed-mapping": Code("Another source for a target that the author filled in.", "Leave the row out."),
    "required-mapping": Code("A target that the destination needs is not mapped.", "Map a source to it."),
    "required-only": Code("A target beyond those that may be mapped.", "Leave the row out."),
    "renamed-target": Code("A target of another name than its source, where they are the same.", "Use the same name."),
    "unknown-region": Code("A region in which no telephones are.", "Write its two letters, as `DE`."),
    "larger-than-advised": Code("A dataflow with more than is advised.", "Split it; it works as it is.", "warning"),
    "mapped-twice": Code("Two rows of the mapping go to one target.", "Leave one out."),
    "not-a-date": Code("A date that is none.", "Write the day in UTC, as `2026-03-01`."),
    "ends-too-early": Code("An end date that is not after the start date.", "Let it come after, or leave it out."),
    "no-identity": Code("No target identity is mapped.", "Map at least one."),
    "no-transformation": Code("The target offers no such transformation.", "Leave it out."),
    "not-mappable": Code("The source may not be mapped to this target.", "Map another."),
    "origin-denied": Code("The destination does not take audiences of this origin.", "Choose others."),
    "too-many": Code("More rows than the destination takes.", "Map fewer."),
}
