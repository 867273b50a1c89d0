"""The page itself: its sections in order, and what its author might write better."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.services.documentation import connecting, sections
from headrace.services.documentation.markdown import paragraphs
from headrace.services.documentation.sample import shown_or_why_not
from headrace.services.documentation.subject import Document, Subject, block
from headrace.services.documentation.writing import review

#: Sections 0 to 16, in the order in which every page has them.
SECTIONS: tuple[Callable[[Subject], str], ...] = (
    sections.front_matter,
    sections.title,
    sections.overview,
    sections.use_cases,
    sections.prerequisites,
    sections.supported_identities,
    sections.supported_audiences,
    sections.export_type_and_frequency,
    connecting.connect,
    connecting.authenticate,
    connecting.destination_details,
    connecting.alerts,
    connecting.activate,
    connecting.mapping,
    connecting.exported_data,
    connecting.governance,
    connecting.resources,
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page in Markdown, where it belongs in a catalog, and warnings for its author."""

    text: str
    path: str
    warnings: tuple[str, ...] = ()


def page(destination: Document, server: Document | None, audience_template: Document | None = None) -> Page:
    """Write the page of a destination from its documents."""
    subject = Subject(destination, server or {}, audience_template)
    text = paragraphs(*(section(subject) for section in SECTIONS)) + "\n"
    category = block(destination, "uiAttributes").get("category") or "other"
    return Page(text, f"catalog/{category}/{subject.slug}.md", tuple(_warnings(subject)))


def _warnings(subject: Subject) -> list[str]:
    reason = "" if subject.is_file_based else shown_or_why_not(subject)[1]
    return [*([f"no sample message can be shown: {reason}"] if reason else []), *review(subject)]
