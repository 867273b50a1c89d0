"""What a push would do, decided before anything is done."""

from dataclasses import dataclass
from enum import StrEnum

from headrace.cli.destination.comparing import as_file, is_same
from headrace.cli.destination.folder import Folder, Object
from headrace.cli.destination.lock import Lock, digest
from headrace.cli.destination.nouns import NOUNS, Document, Noun, noun_of, title_of
from headrace.cli.destination.remote import Remote, Stored
from headrace.cli.destination.secrets import placeholders


class Action(StrEnum):
    """What becomes of an object of the server."""

    create = "create"
    change = "replace"
    delete = "delete"
    leave = "leave"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One object and what becomes of it.

    ``there`` is what the server has, as a file would say it. ``conflict`` says why it should not be done unasked.
    """

    action: Action
    name: str
    local: Object | None = None
    stored: Stored | None = None
    there: Document | None = None
    note: str = ""
    conflict: str = ""

    @property
    def noun(self) -> Noun:
        return noun_of(self.name)

    @property
    def changes(self) -> bool:
        return self.action is not Action.leave


def plan(folder: Folder, remote: Remote, lock: Lock, *, prunes: bool = False, resends: bool = False) -> list[Step]:
    """Return a step for every object of the folder, and for every one that was in it, in the order to take them."""
    found = {name: _find(item, remote, lock, folder) for name, item in folder.objects.items()}
    names = {stored.id: name for name, (stored, _) in found.items() if stored is not None}
    order = [noun.name for noun in NOUNS.values()]
    objects = sorted(folder.objects.values(), key=lambda item: order.index(item.noun.name))
    steps = [_step(item, *found[item.name], names, lock, resends) for item in objects]
    gone = sorted(lock.seen.keys() - folder.objects.keys(), key=lambda name: -order.index(noun_of(name).name))
    return steps + [step for name in gone if (step := _without_file(name, remote, lock, prunes)) is not None]


def _find(item: Object, remote: Remote, lock: Lock, folder: Folder) -> tuple[Stored | None, str]:
    """Find the object of the server that a file is: the one that is remembered, else the only one of its name."""
    if (seen := lock.seen.get(item.name)) is not None:
        stored = remote.read(item.noun, seen.instance_id)
        return stored, "" if stored is not None else "it was deleted on the server"
    title = title_of(item.document)
    others = [one.name for one in folder.of(item.noun) if title_of(one.document) == title]
    ids = [] if title is None or len(others) > 1 else remote.ids_of(item.noun, title)
    free = [id_ for id_ in ids if lock.name_of(id_) is None]
    if len(free) == 1:
        return remote.read(item.noun, free[0]), "the only one of this name on the server"
    return None, f"the server has {len(free)} of this name already" if free else ""


def _step(item: Object, stored: Stored | None, note: str, names: dict[str, str], lock: Lock, resends: bool) -> Step:
    if stored is None:
        return Step(Action.create, item.name, item, note=note)
    there = as_file(item.noun, stored, item, names, item.name.rpartition("/")[2])
    seen = lock.seen.get(item.name)
    is_as_seen = seen is not None and seen.version == stored.version
    is_known = is_as_seen and seen is not None and seen.digest == digest(item.document)
    kept = sorted(set(placeholders(item.noun, item.document).values()))
    if is_known or is_same(item.noun, item.document, there):
        if not (resends and kept):
            return Step(Action.leave, item.name, item, stored, there, _kept(kept))
        return Step(Action.change, item.name, item, stored, there, f"sends {', '.join(kept)} again")
    conflict = "" if seen is None or is_as_seen else "it was changed on the server since it was last pulled or pushed"
    return Step(Action.change, item.name, item, stored, there, note or ("" if resends else _kept(kept)), conflict)


def _kept(variables: list[str]) -> str:
    """Say which secrets stay as the server has them, for nobody sees by looking."""
    return f"keeps the secrets it has; --secrets sends {', '.join(variables)}" if variables else ""


def _without_file(name: str, remote: Remote, lock: Lock, prunes: bool) -> Step | None:
    seen = lock.seen[name]
    noun = noun_of(name)
    stored = remote.read(noun, seen.instance_id)
    if stored is None:
        return None
    there = as_file(noun, stored, None, {}, name.rpartition("/")[2])
    if not prunes:
        return Step(Action.leave, name, None, stored, there, "it has no file here any more; --prune deletes it there")
    conflict = "" if seen.version == stored.version else "it was changed on the server since it was last seen"
    return Step(Action.delete, name, None, stored, there, conflict=conflict)
