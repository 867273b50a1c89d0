"""What a page is about: the documents of a destination, asked in the words of the page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from headrace.errors import HeadraceError
from headrace.services.documentation.markdown import slug
from headrace.template import compile as compile_template

Document = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """
    A destination, the server it delivers to, and its audience template.

    They are read as documents and not as blocks, so that a page can be looked at before everything is right.
    """

    destination: Document
    server: Document = field(default_factory=dict)
    audience_template: Document | None = None

    @property
    def name(self) -> str:
        return str(self.destination.get("name") or "Unnamed destination")

    @property
    def slug(self) -> str:
        return slug(self.name)

    @cached_property
    def words(self) -> Document:
        """What the author wrote for the page."""
        return block(block(self.destination, "x-headrace"), "documentation")

    @property
    def schema(self) -> Document:
        return block(self.destination, "schemaConfig")

    @property
    def batch(self) -> Document:
        return block(self.destination, "batchConfig")

    @property
    def is_file_based(self) -> bool:
        kind = str(self.server.get("destinationServerType", ""))
        return kind.startswith("FILE_BASED_") if kind else bool(self.batch)

    @property
    def is_dataset_export(self) -> bool:
        return "DATASETS" in listed(self.destination, "sources")

    @property
    def sign_ins(self) -> list[Document]:
        return listed(self.destination, "customerAuthenticationConfigurations")

    @property
    def authentication_rule(self) -> str:
        deliveries = listed(self.destination, "destinationDelivery")
        return str(deliveries[0].get("authenticationRule", "NONE")) if deliveries else "NONE"

    @property
    def identities(self) -> dict[str, Document]:
        return {name: item or {} for name, item in block(self.destination, "identityNamespaces").items()}

    @property
    def aggregation(self) -> Document:
        """The policy in force."""
        aggregation = block(self.destination, "aggregation")
        return block(aggregation, "configurableAggregation") or block(aggregation, "bestEffortAggregation")

    @property
    def fields(self) -> list[Document]:
        """What operators fill in: fields that are not hidden, those of groups beside the others."""
        return list(_visible(listed(self.destination, "customerDataFields")))

    @cached_property
    def customer_data(self) -> Document:
        """Something that an operator could have filled in."""
        return _filled_in(listed(self.destination, "customerDataFields"))

    def rendered(self, value: Any) -> str:
        """Return the text of a templated value for a sample; of one that cannot be rendered, its source."""
        if not isinstance(value, dict):
            return str(value or "")
        text = str(value.get("value", ""))
        if value.get("templatingStrategy") != "PEBBLE_V1":
            return text
        try:
            return compile_template(text, escaping="none").render({"customerData": self.customer_data})
        except HeadraceError:
            return text


def block(document: Document, name: str) -> Document:
    """Return a block of a document; an empty one where there is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def listed(document: Document, name: str) -> list[Any]:
    """Return a list of a document; an empty one where there is none."""
    found = document.get(name)
    return found if isinstance(found, list) else []


def label(item: Document) -> str:
    """Return what a field is called on the form."""
    return str(item.get("title") or item.get("name", ""))


def _visible(fields: list[Document]) -> Iterator[Document]:
    for item in fields:
        if item.get("hidden"):
            continue
        if item.get("type") == "object":
            yield from _visible(listed(item, "properties"))
        else:
            yield item


def _filled_in(fields: list[Document]) -> Document:
    return {str(item.get("name")): _answer(item) for item in fields}


def _answer(item: Document) -> Any:
    if item.get("type") == "object":
        return _filled_in(listed(item, "properties"))
    choices = [*listed(item, "enum"), *(one.get("value") for one in listed(item, "namedEnum"))]
    if item.get("default") is not None and not isinstance(item["default"], dict):
        return item["default"]
    return choices[0] if choices else 1 if item.get("type") == "integer" else str(item.get("name"))
