"""One row of a table of rules."""

from collections.abc import Callable
from dataclasses import dataclass, field

import authored
from authored import ABSENT, Document, changed
from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import Block
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination


@dataclass(frozen=True)
class Base:
    """A document that is right, and the block that reads it."""

    block: type[Block]
    make: Callable[[], Document]


MESSAGES = Base(Destination, authored.messages)
WAITING = Base(Destination, authored.waiting_messages)
FILES = Base(Destination, authored.files)
DATASETS = Base(Destination, authored.datasets)
TEMPLATE = Base(AudienceTemplate, authored.audience_template)
CREDENTIALS = Base(Credentials, authored.credentials)


@dataclass(frozen=True)
class Case:
    """
    A change, and the problems of what comes out of it: ``"error code /pointer"``, or ``"warning …"``.

    Without any, the document is still right. ``hides`` names what the rule looks at beside what is changed.
    """

    id: str
    base: Base
    changes: Document
    problems: tuple[str, ...] = ()
    document: Document = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "document", changed(self.base.make(), self.changes))


class Table:
    """Cases of one subject, made in one word each: what is refused, what is warned about, what is right."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def refused(self, id_: str, base: Base, changes: Document, *problems: str) -> None:
        """Add a change that makes a document wrong: ``"code /pointer"`` is an error, ``"? code …"`` a warning."""
        said = tuple(f"warning {item[2:]}" if item.startswith("? ") else f"error {item}" for item in problems)
        self.cases.append(Case(id_, base, changes, said))

    def warned(self, id_: str, base: Base, changes: Document, *problems: str) -> None:
        """Add a change that gives warnings and nothing else."""
        self.cases.append(Case(id_, base, changes, tuple(f"warning {item}" for item in problems)))

    def right(self, id_: str, base: Base, changes: Document) -> None:
        """Add a change that leaves a document right: the neighbour of one that does not."""
        self.cases.append(Case(id_, base, changes))


__all__ = ["ABSENT", "CREDENTIALS", "DATASETS", "FILES", "MESSAGES", "TEMPLATE", "WAITING", "Base", "Case", "Table"]
