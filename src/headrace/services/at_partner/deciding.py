"""What is next to make the partner agree with what is wanted: a pure function of the row, the wish and the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headrace.model.audience_template import MetadataTemplate
from headrace.store.partner_audiences import PartnerAudience

#: What a partner is told of an audience, or of a dataflow.
Facts = Mapping[str, Any]
#: A request; or to leave it, to forget what we know, or to let the operator say what the partner has.
Step = Literal["create", "update", "delete", "find", "nothing", "forget", "ask"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """Which requests a template has for one kind of thing, and whether ``create`` may be repeated at will."""

    create: bool = False
    update: bool = False
    delete: bool = False
    find: bool = False
    repeats: bool = False

    @classmethod
    def for_audiences(cls, template: MetadataTemplate | None) -> "Abilities":
        """Return what a template can do to audiences."""
        if template is None:
            return cls()
        create = template.create
        return cls(
            create is not None,
            template.update is not None,
            template.delete is not None,
            template.extension.find is not None,
            create is not None and create.extension.create_is_idempotent,
        )

    @classmethod
    def for_dataflows(cls, template: MetadataTemplate | None) -> "Abilities":
        """Return what a template can do to dataflows. Nobody can look one up, so the author answers for repetitions."""
        if template is None:
            return cls()
        create = template.create_destination
        return cls(
            create is not None,
            template.update_destination is not None,
            template.delete_destination is not None,
            repeats=create is not None and create.extension.create_is_idempotent,
        )


def next_step(row: PartnerAudience, wanted: Facts | None, can: Abilities) -> Step:
    """
    Say what is next for a row. ``wanted`` is what the partner shall know; nothing: it shall have none.

    | known of it | wanted | next |
    |---|---|---|
    | nothing | yes | ``create`` |
    | nothing | no | ``forget`` |
    | told what is wanted | yes | ``nothing`` |
    | told something else | yes | ``update`` |
    | told | no | ``delete`` |
    | a ``create`` of unknown outcome | either | ``find``, else ``create`` where it may be repeated, else ``ask`` |
    | an ``update`` of unknown outcome | yes | ``update`` |
    | a ``delete`` of unknown outcome | either | ``delete`` |

    What the template cannot do is left: an ``update`` becomes ``nothing``, a ``delete`` becomes ``forget``.
    """
    if row.calling == "create":
        return _after_create(wanted, can)
    if row.calling == "delete" and can.delete:
        return "delete"
    if row.told is None or row.calling == "delete":
        return "create" if wanted is not None and can.create else "forget"
    if wanted is None:
        return "delete" if can.delete else "forget"
    is_told = row.told == dict(wanted) and row.calling is None
    return "nothing" if is_told or not can.update else "update"


def _after_create(wanted: Facts | None, can: Abilities) -> Step:
    """Find out what became of a ``create``: also where nobody wants the audience, for then it is to be deleted."""
    if can.find:
        return "find"
    if wanted is None and not can.delete:
        return "forget"
    return "create" if can.create and can.repeats else "ask"
