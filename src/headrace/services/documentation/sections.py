"""The sections of a page, from the front matter to how often data is exported; the rest is in ``connecting``."""

import json

from headrace.services.documentation.markdown import (
    bullets,
    enumerated,
    heading,
    note,
    one_line,
    paragraphs,
    sentence,
    table,
)
from headrace.services.documentation.subject import Document, Subject, block, label, listed

PRODUCT = "Headrace"
HASHED = "sha256(lower($))"

#: Description and consideration of identities that every partner knows under these names.
_FOR_HASHES = "Map plain or hashed values. For plain ones tick **Apply transformation**: they are hashed on export."
WELL_KNOWN = {
    "GAID": ("Google's advertising ID", "Map it when the source identity is in a GAID namespace."),
    "IDFA": ("Apple's advertising ID", "Map it when the source identity is in an IDFA namespace."),
    "ECID": ("The platform's own visitor ID", "It is known under several older names."),
    "phone_sha256": ("A phone number, hashed with SHA-256", _FOR_HASHES),
    "email_lc_sha256": ("An e-mail address in lower case, hashed with SHA-256", _FOR_HASHES),
    "extern_id": ("Your own ID of a person", "Map it when the source identity is in a custom namespace."),
}
_ORIGINS = (
    ("ups", "Platform segmentation", "Audiences that are made by the segmentation of the platform."),
    ("CustomerAudienceUpload", "Uploads from CSV files", "Audiences that were uploaded from files."),
)
_FREQUENCIES = {
    "ONCE": "once",
    "EVERY_HOUR": "every hour",
    "DAILY": "daily",
    "WEEKLY": "weekly",
    "MONTHLY": "monthly",
    **{f"EVERY_{hours}_HOURS": f"every {hours} hours" for hours in (3, 6, 8, 12)},
}


def front_matter(subject: Subject) -> str:
    """Section 0."""
    first = one_line(_about(subject).split("\n\n")[0])
    texts = {"title": f"{subject.name} connection", "description": first}
    return "\n".join(
        ["---", *(f"{name}: {json.dumps(text, ensure_ascii=False)}" for name, text in texts.items()), "---"]
    )


def title(subject: Subject) -> str:
    """Section 1."""
    return heading(1, f"{subject.name} connection", subject.slug)


def overview(subject: Subject) -> str:
    """Section 2."""
    link = block(subject.destination, "uiAttributes").get("documentationLink")
    more = f"Read more in the [documentation of {subject.name}]({link})." if link else ""
    contact = subject.words.get("contact")
    ask = f" For questions and changes, contact them at {contact}." if contact else ""
    whose = f"The {subject.name} team made this connector and this page, and maintains both.{ask}"
    return paragraphs(heading(2, "Overview", "overview"), _about(subject), more, note(whose))


def use_cases(subject: Subject) -> str:
    """Section 3."""
    intro = f"These cases show when to use the {subject.name} destination."
    cases = [
        paragraphs(heading(3, f"Use case #{number}", f"use-case-{number}"), f"**{case['title']}**", case["text"])
        for number, case in enumerate(listed(subject.words, "useCases"), 1)
    ]
    return paragraphs(heading(2, "Use cases", "use-cases"), intro, *cases)


def prerequisites(subject: Subject) -> str:
    """Section 4."""
    needs = [*_needs_to_sign_in(subject), *_needs_of_fields(subject), *_needs_of_identities(subject)]
    intro = "Have this at hand before you connect:" if needs else "Nothing has to be prepared before you connect."
    own = str(subject.words.get("prerequisites") or "")
    return paragraphs(heading(2, "Prerequisites", "prerequisites"), intro, bullets(needs), own)


def supported_identities(subject: Subject) -> str:
    """Section 5."""
    if not subject.identities:
        known = f"{subject.name} predefines no identities: any identity can be exported under a name of your choice."
        return paragraphs(heading(2, "Supported identities", "supported-identities"), known)
    rows = [(name, *_identity(subject, name, item)) for name, item in subject.identities.items()]
    intro = f"{subject.name} takes the identities of this table."
    whole = table(("Target Identity", "Description", "Considerations"), rows)
    return paragraphs(heading(2, "Supported identities", "supported-identities"), intro, whole)


def supported_audiences(subject: Subject) -> str:
    """Section 6."""
    rows = [(name, _mark(subject, origin), description) for origin, name, description in _ORIGINS]
    named = [*_origins(subject, "segmentNamespaceAllowList"), *_origins(subject, "segmentNamespaceDenyList")]
    further = [origin for origin in dict.fromkeys(named) if origin not in {known for known, _, _ in _ORIGINS}]
    rows += [(origin, _mark(subject, origin), f"Audiences of the origin {origin}.") for origin in further]
    rows.append(("Other external origins", _mark(subject, ""), "Audiences that come from anywhere else."))
    intro = "This table shows which audiences can be exported."
    whole = table(("Audience origin", "Supported", "Description"), rows)
    return paragraphs(heading(2, "Supported audiences", "supported-audiences"), intro, whole)


def export_type_and_frequency(subject: Subject) -> str:
    """Section 7."""
    rows = [("Export type", *_export_type(subject)), ("Export frequency", *_export_frequency(subject))]
    whole = table(("Item", "Type", "Notes"), [(item, f"**{kind}**", notes) for item, kind, notes in rows])
    return paragraphs(heading(2, "Export type and frequency", "export-type-frequency"), whole)


def _about(subject: Subject) -> str:
    fallback = subject.destination.get("description") or f"Brings audiences to {subject.name}."
    return str(subject.words.get("overview") or fallback).strip()


def _needs_to_sign_in(subject: Subject) -> list[str]:
    if subject.authentication_rule != "CUSTOMER_AUTHENTICATION":
        return []
    kinds = [sign_in.get("authType") for sign_in in subject.sign_ins]
    if "BEARER" in kinds:
        return [f"A bearer token of your {subject.name} account. It is long-lived and is not renewed."]
    return [f"An account at {subject.name} with the right to sign in for this connection."]


def _needs_of_fields(subject: Subject) -> list[str]:
    """Name the fields whose value has to be looked up: required, and with nothing to choose from."""
    needed = [item for item in subject.fields if item.get("isRequired") and not _is_chosen(item)]
    return [f"**{label(item)}**: {sentence(item.get('description') or 'you will be asked for it')}" for item in needed]


def _is_chosen(item: Document) -> bool:
    return any(item.get(name) for name in ("enum", "namedEnum", "dynamicEnum", "default"))


def _needs_of_identities(subject: Subject) -> list[str]:
    always = [name for name, item in subject.identities.items() if _always_hashed(item)]
    optional = [name for name, item in subject.identities.items() if item.get("transformation") and name not in always]
    needs = [f"Values of {enumerated(always)} are put in lower case and hashed with SHA-256."] if always else []
    if optional:
        needs.append(f"Values of {enumerated(optional)} are taken hashed, or plain with **Apply transformation**.")
    return needs


def _identity(subject: Subject, name: str, item: Document) -> tuple[str, str]:
    noted = block(block(subject.words, "identities"), name)
    known = WELL_KNOWN.get(name, (f"Identity {name} of {subject.name}", _considerations(item)))
    return str(noted.get("description") or known[0]), str(noted.get("considerations") or known[1])


def _considerations(item: Document) -> str:
    accepted = block(item, "acceptedGlobalNamespaces")
    sources = list(accepted)
    if item.get("acceptsCustomNamespaces"):
        sources.append("custom namespaces")
    if item.get("acceptsAttributes"):
        sources.append("profile attributes")
    told = [f"Map {enumerated(sources, 'or')} to it."] if sources else []
    hashed = _always_hashed(item)
    if hashed:
        told.append(f"Values of {enumerated(hashed)} are always hashed.")
    if item.get("transformation"):
        told.append("**Apply transformation** hashes plain values.")
    return " ".join(told)


def _always_hashed(item: Document) -> list[str]:
    accepted = block(item, "acceptedGlobalNamespaces")
    return [name for name in accepted if block(accepted, name).get("requiredTransformation") == HASHED]


def _origins(subject: Subject, name: str) -> list[str]:
    older = {
        "segmentNamespaceAllowList": "segmentNamespaceAllowed",
        "segmentNamespaceDenyList": "segmentNamespaceDenied",
    }
    return listed(subject.schema, name) or listed(subject.schema, older[name])


def _mark(subject: Subject, origin: str) -> str:
    """Say whether audiences of an origin are taken, as activating them does: without any list all are."""
    allowed = _origins(subject, "segmentNamespaceAllowList")
    denied = _origins(subject, "segmentNamespaceDenyList")
    return "X" if (allowed and origin not in allowed) or origin in denied else "✓"


def _export_type(subject: Subject) -> tuple[str, str]:
    if subject.is_dataset_export:
        return "Dataset export", "Raw datasets are exported, without audiences or identities."
    if subject.is_file_based or subject.schema.get("profileRequired"):
        return "Profile-based", "All members of an audience are exported, with the attributes that you map."
    return "Audience export", "All members of an audience are exported, with the identifiers that you map."


def _export_frequency(subject: Subject) -> tuple[str, str]:
    if not subject.is_file_based:
        notes = "The connection is always on. A profile is sent as soon as an audience evaluation changes it."
        return "Streaming", notes
    datasets = block(subject.batch, "datasetBatchConfig")
    frequencies = listed(datasets, "allowedScheduleFrequency") or listed(subject.batch, "allowedScheduleFrequency")
    offered = [_FREQUENCIES.get(name, name) for name in frequencies]
    often = enumerated(offered, "or") if offered else "every 3, 6, 8, 12 or 24 hours"
    return "Batch", f"Files are written {often}."
