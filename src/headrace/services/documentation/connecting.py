"""The sections of a page that tell an operator what to do, and what arrives at the partner."""

from headrace.services.documentation.markdown import bullets, code, enumerated, heading, note, paragraphs, sentence
from headrace.services.documentation.sample import file_sample, shown_or_why_not
from headrace.services.documentation.sections import PRODUCT
from headrace.services.documentation.subject import Document, Subject, block, label, listed

GUIDE = "https://github.com/headrace/headrace/tree/main/docs/first-destination.md"

#: What operators type in, by the way to sign in: the label on the form, and what it is.
_USER = (("Username", "the name of your account."), ("Password", "its password."))
_HOST = (
    ("Domain", "the host name or address of the server."),
    ("Port", "its port; 22 unless you are told another."),
    (
        "Host key",
        "the fingerprint of the server's key, as its owner tells it; otherwise what the server shows is kept.",
    ),
)
CREDENTIALS: dict[str, tuple[tuple[str, str], ...]] = {
    "BEARER": (("Bearer token", "the token that you received for your account."),),
    "BASIC": _USER,
    "S3": (
        ("Access key ID", "the ID of the key."),
        ("Secret access key", "the secret that belongs to it."),
        ("Role", "instead of a key, the ARN of a role that we may assume."),
    ),
    "AZURE_CONNECTION_STRING": (("Connection string", "the connection string of the storage account."),),
    "AZURE_SERVICE_PRINCIPAL": (
        ("URL (optional)", "the address of the storage."),
        ("Tenant", "the ID of the tenant."),
        ("Service principal ID", "the ID of the application."),
        ("Service principal key", "its secret."),
    ),
    "SFTP_WITH_PASSWORD": (*_HOST, *_USER),
    "SFTP_WITH_SSH_KEY": (
        *_HOST,
        ("Username", "the name of your account."),
        ("SSH key", "the private key, in Base64 and without a passphrase."),
    ),
    "GOOGLE_CLOUD_STORAGE": (
        ("Access key ID", "the ID of the HMAC key."),
        ("Secret access key", "the secret that belongs to it."),
        ("Service account key", "instead of an HMAC key, the JSON file of a service account's key."),
    ),
}
_WAYS = {
    "BEARER": "a bearer token",
    "BASIC": "a user name and a password",
    "OAUTH2": "OAuth 2",
    "S3": "an access key",
    "AZURE_CONNECTION_STRING": "a connection string",
    "AZURE_SERVICE_PRINCIPAL": "a service principal",
    "SFTP_WITH_PASSWORD": "a password",
    "SFTP_WITH_SSH_KEY": "an SSH key",
    "GOOGLE_CLOUD_STORAGE": "an HMAC key",
}
_EVENTS = (("create", "created"), ("update", "renamed"), ("delete", "deleted"))
_NO_FIELDS = "Nothing has to be entered: {} is connected without credentials of your own."


def connect(subject: Subject) -> str:
    """Section 8."""
    needed = note("To connect to the destination, you need the permission **Manage Destinations**.")
    guide = f"Follow the [guide to connecting a destination]({GUIDE}). The fields are explained in the next sections."
    return paragraphs(heading(2, "Connect to the destination", "connect"), needed, guide)


def authenticate(subject: Subject) -> str:
    """Section 9."""
    return paragraphs(
        heading(3, "Authenticate to destination", "authenticate"),
        _credentials(subject),
        _screenshot(subject, "authenticate"),
    )


def destination_details(subject: Subject) -> str:
    """Section 10."""
    fixed = ["**Name**: a name by which you will know this connection.", "**Description**: what it is for; optional."]
    return paragraphs(
        heading(3, "Fill in destination details", "destination-details"),
        "Fill in these fields. An asterisk on the form marks those that are required.",
        bullets([*fixed, *(_field(item) for item in subject.fields)]),
        _screenshot(subject, "destinationDetails"),
    )


def alerts(subject: Subject) -> str:
    """Section 11."""
    what = "You can subscribe to alerts about the dataflow to this destination. They tell you how it is going."
    return paragraphs(heading(3, "Enable alerts", "alerts"), what, "When everything is filled in, select **Next**.")


def activate(subject: Subject) -> str:
    """Section 12."""
    permissions = ["Manage Destinations", "Activate Destinations", "View Profiles", "View Segments"]
    wanted = enumerated([f"**{name}**" for name in permissions])
    needed = note(
        f"To activate audiences, you need the permissions {wanted}. To export identities, you also need "
        "**View Identity Graph**."
    )
    kind = "dataset" if subject.is_dataset_export else "batch" if subject.is_file_based else "streaming"
    guide = f"Follow the [guide to activating to {kind} destinations]({GUIDE})."
    return paragraphs(
        heading(2, "Activate audiences to this destination", "activate"), needed, guide, _known_as(subject)
    )


def mapping(subject: Subject) -> str:
    """Section 13."""
    own = str(subject.words.get("mapping") or "")
    return paragraphs(
        heading(3, "Map attributes and identities", "map"),
        *_attributes(subject),
        *_identities(subject),
        _fixed_rows(subject),
        own or _example(subject),
    )


def exported_data(subject: Subject) -> str:
    """Section 14."""
    shown = _files(subject) if subject.is_file_based else _messages(subject)
    own = str(subject.words.get("exportedData") or "")
    return paragraphs(heading(2, "Exported data / Validate data export", "exported-data"), *shown, own)


def governance(subject: Subject) -> str:
    """Section 15."""
    rule = f"All {PRODUCT} destinations obey the data usage policies when they export your data."
    return paragraphs(heading(2, "Data usage and governance", "data-usage-governance"), rule)


def resources(subject: Subject) -> str:
    """Section 16."""
    links = [f"[{link['title']}]({link['url']})" for link in listed(subject.words, "additionalResources")]
    page = block(subject.destination, "uiAttributes").get("documentationLink")
    if not links and page:
        links = [f"[Documentation of {subject.name}]({page})"]
    shown = bullets(links) or "There is nothing more to read."
    return paragraphs(heading(2, "Additional resources", "additional-resources"), shown)


# Signing in and filling in --------------------------------------------------------------------------------------------


def _credentials(subject: Subject) -> str:
    if subject.authentication_rule != "CUSTOMER_AUTHENTICATION" or not subject.sign_ins:
        return _NO_FIELDS.format(subject.name)
    ways = [_way(subject, sign_in) for sign_in in subject.sign_ins]
    if len(ways) == 1:
        return ways[0]
    named = [
        paragraphs(f"With {_name_of_way(sign_in)}:", way) for sign_in, way in zip(subject.sign_ins, ways, strict=True)
    ]
    return paragraphs("Choose one of the ways to sign in.", *named)


def _name_of_way(sign_in: Document) -> str:
    return _WAYS.get(str(sign_in.get("authType")), str(sign_in.get("authType")))


def _way(subject: Subject, sign_in: Document) -> str:
    kind = str(sign_in.get("authType"))
    if kind != "OAUTH2":
        return bullets(f"**{name}**: {what}" for name, what in CREDENTIALS.get(kind, ()))
    if sign_in.get("grant") == "OAUTH2_PASSWORD":
        return bullets(f"**{name}**: {what}" for name, what in _USER)
    if sign_in.get("grant") == "OAUTH2_CLIENT_CREDENTIALS":
        asked = [item for item in listed(sign_in, "authenticationDataFields") if _is_asked(item)]
        typed = bullets(f"**{label(item)}**: {item.get('description') or 'as you received it.'}" for item in asked)
        return typed or _NO_FIELDS.format(subject.name)
    return f"Select **Connect to destination**. The login page of {subject.name} opens; sign in there."


def _is_asked(item: Document) -> bool:
    source = item.get("source", item.get("fieldType"))
    return source == "CUSTOMER" and not item.get("authenticationResponsePath") and item.get("value") is None


def _field(item: Document) -> str:
    choices = [str(choice) for choice in listed(item, "enum")]
    choices += [str(choice.get("name")) for choice in listed(item, "namedEnum")]
    told = [str(item.get("description") or "")] if item.get("description") else []
    if choices:
        told.append(f"Choose {enumerated([f'`{choice}`' for choice in choices], 'or')}.")
    if item.get("readOnly"):
        told.append("It cannot be changed.")
    what = " ".join(sentence(text) for text in told)
    return f"**{label(item)}**{'' if item.get('isRequired') else ' (optional)'}: {what or 'the value to use.'}"


def _screenshot(subject: Subject, section: str) -> str:
    picture = block(block(subject.words, "screenshots"), section)
    return f"![{picture['text']}]({picture['file']})" if picture else ""


def _known_as(subject: Subject) -> str:
    """Say how an audience is known at the partner."""
    metadata = {
        **block(subject.destination, "segmentMappingConfig"),
        **block(subject.destination, "audienceMetadataConfig"),
    }
    events = block(subject.audience_template or {}, "metadataTemplate")
    if metadata.get("audienceTemplateId"):
        kept = enumerated([word for name, word in _EVENTS if name in events] or ["created"])
        return f"Audiences are {kept} in {subject.name} by themselves. You need not make them there first."
    if metadata.get("mapUserInput"):
        return f"For each audience, enter its ID in {subject.name} as **Mapping ID**. Make the audience there first."
    if metadata.get("mapExperiencePlatformSegmentName"):
        return f"In {subject.name}, an audience is known by its name."
    return f"In {subject.name}, an audience is known by its ID."


# Mapping --------------------------------------------------------------------------------------------------------------


def _attributes(subject: Subject) -> list[str]:
    if subject.is_dataset_export:
        return ["Datasets are exported as they are. Nothing is mapped."]
    fields = [item for item in listed(subject.schema, "profileFields") if not item.get("hidden")]
    if fields:
        intro = "The target attributes are predefined. Map a source attribute to each that you want to send:"
        return [intro, bullets(_target(item) for item in fields)]
    if subject.schema.get("dynamicSchemaConfig"):
        return [f"The target attributes are read from your account at {subject.name}. Choose among them."]
    if subject.schema.get("useCustomerSchemaForAttributeMapping"):
        return ["Choose the source attributes to send. Targets take the names of their sources."]
    if subject.schema.get("profileRequired"):
        return ["Map any source attribute to a target attribute. You choose the target's name."]
    return ["Attributes are not exported."]


def _target(item: Document) -> str:
    required = " (required)" if item.get("isRequired") else ""
    told = item.get("description") or (item.get("title") if item.get("title") != item.get("name") else "")
    return f"`{item.get('name')}`{required}{f': {told}' if told else ''}"


def _identities(subject: Subject) -> list[str]:
    if subject.is_dataset_export:
        return []
    names = [f"`{name}`" for name in subject.identities]
    if not names:
        return (
            ["Source identities can be mapped to target attributes."] if subject.schema.get("identityRequired") else []
        )
    needed = "" if subject.is_file_based else " Map at least one of them: without one, nobody is exported."
    return [f"The target identities are {enumerated(names)}.{needed}"]


def _fixed_rows(subject: Subject) -> str:
    rows = listed(subject.schema, "requiredMappings")
    if not rows:
        return ""
    only = " No other rows can be added." if subject.schema.get("requiredMappingsOnly") else ""
    shown = [
        f"`{row.get('destination')}`"
        + (f", from `{row['source']}`" if row.get("source") else ", from a source of your choice")
        for row in rows
    ]
    return paragraphs(f"The following rows are required.{only}", bullets(shown))


def _example(subject: Subject) -> str:
    if subject.is_dataset_export:
        return ""
    rows = []
    for name, item in list(subject.identities.items())[:1]:
        accepted = list(block(item, "acceptedGlobalNamespaces"))
        rows.append((f"identityMap.{accepted[0] if accepted else 'crmId'}", f"identityMap.{name}"))
    fields = listed(subject.schema, "profileFields")
    if fields or subject.schema.get("profileRequired"):
        rows.append(("person.name.firstName", str(fields[0].get("name")) if fields else "first_name"))
    shown = [f"Map `{source}` to `{target}`." for source, target in rows]
    return paragraphs("For example:", bullets(shown)) if shown else ""


# What arrives ---------------------------------------------------------------------------------------------------------


def _messages(subject: Subject) -> list[str]:
    samples, reason = shown_or_why_not(subject)
    if reason:
        return [_grouping(subject), f"No sample can be shown: {reason}."]
    many = "This is a message" if len(samples) == 1 else "These are messages"
    intro = f"{many} to {subject.name}, about a person of whom little is known and one with everything."
    shown = [part for sample in samples for part in (code("http", sample.head), code(sample.language, sample.body))]
    check = f"In {subject.name}, look whether the members of an activated audience have arrived."
    return [_grouping(subject), intro, *shown, check]


def _grouping(subject: Subject) -> str:
    policy = subject.aggregation
    most = policy.get("maxUsersPerRequest") or policy.get("maxNumEventsInBatch") or 1
    carried = "one profile" if int(most) == 1 else f"up to {most} profiles"
    waits = policy.get("maxBatchAgeInSecs")
    sent = f"Data arrives in HTTP requests, {carried} in each{f', at least every {waits} seconds' if waits else ''}."
    key = block(policy, "aggregationKey")
    shared = [
        word
        for name, word in (
            ("includeSegmentId", "audience"),
            ("includeSegmentStatus", "status"),
            ("includeIdentity", "identity namespace"),
        )
        if key.get(name)
    ]
    return f"{sent} All profiles of a request share the {enumerated(shared)}." if shared else sent


def _files(subject: Subject) -> list[str]:
    sample = file_sample(subject)
    told = f"Data arrives as {sample.described}. A file's name is made like this:"
    columns = "Its first line names the columns:" if sample.header_is_written else "Each row has these fields:"
    check = "Look for the file after the first scheduled export, and compare its rows with the audience."
    return [told, code("text", sample.name), columns, code("text", sample.header), check]
