"""
Where datasets may lie: below directories that whoever runs Headrace lists, and nowhere else.

A location is not trusted: what has to be inside is the file that it leads to in the end, behind every link.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import AccountError, OperationError

SETTING = "HEADRACE_DATASET_DIRECTORIES"
#: What makes the last part of a location a pattern.
PATTERN = frozenset("*?[")


class Misplaced(AccountError):
    """The data lies where it may not be read."""

    code = "misplaced"


@dataclass(frozen=True, slots=True)
class Place:
    """A directory, and whose datasets may lie below it; an empty name is anybody's."""

    directory: Path
    organization: str = ""
    sandbox: str = ""

    def is_for(self, organization: str, sandbox: str) -> bool:
        """Say whether a sandbox may read here."""
        return self.organization in ("", organization) and self.sandbox in ("", sandbox)


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one Headrace, or those of one of its sandboxes."""

    places: tuple[Place, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Places":
        """
        Read the setting: directories with commas between; ``organization/sandbox=/srv/people`` is for that sandbox.

        Raises:
            OperationError: one of them is no absolute path, or is not there.
        """
        return cls(tuple(_place(entry.strip()) for entry in text.split(",") if entry.strip()))

    def of(self, organization: str, sandbox: str) -> "Places":
        """Return the directories in which a sandbox may read."""
        return Places(tuple(place for place in self.places if place.is_for(organization, sandbox)))

    def inside(self, path: Path) -> Path:
        """
        Return the path that another one leads to, which is inside.

        Raises:
            Misplaced: it is outside, leads outside, or there is nothing.
        """
        self.refuse_outside(str(path))
        try:
            found = path.resolve(strict=True)
        except (OSError, RuntimeError):
            raise Misplaced(f"there is nothing at {shown(path)} that can be read") from None
        if not self._holds(found):
            raise Misplaced(f"{shown(path)} leads out of the directories of {SETTING}: put the data itself there")
        return found

    def refuse_outside(self, location: str) -> None:
        """
        Refuse a location that is written as one outside, whatever lies there.

        Raises:
            Misplaced: it is.
        """
        path = Path(location)
        if "\0" in location or not path.is_absolute() or ".." in path.parts or not self._holds(path):
            raise Misplaced(f"{shown(path)} is in none of the directories of {SETTING} that are for this sandbox")

    def find(self, location: str, endings: Iterable[str]) -> list[Path]:
        """
        Return the files of a location, in the order of their names.

        That is a file, or the files below a directory with one of the endings, or those that a pattern in the last
        part of the path fits. What begins with a dot or an underscore is somebody's own, and left out.

        Raises:
            Misplaced: any of them is not inside, or there is none.
        """
        path = Path(location)
        if PATTERN & {*path.name}:
            found = [one for one in self.inside(path.parent).glob(path.name) if not _is_hidden(one)]
        elif (here := self.inside(path)).is_dir():
            ends = tuple(endings)
            found = [one for one in here.rglob("*") if one.name.endswith(ends) and not _is_hidden(one, here)]
        else:
            found = [here]
        files = sorted({file for one in found if (file := self.inside(one)).is_file()})
        if not files:
            raise Misplaced(f"there is no file at {shown(location)}: name a file, a directory with some, or a pattern")
        return files

    def _holds(self, path: Path) -> bool:
        return any(path.is_relative_to(place.directory) for place in self.places)


def shown(path: Path | str) -> str:
    """Write a path for people: short, on one line."""
    return repr(str(path)[:200])


def _place(entry: str) -> Place:
    owner, _, directory = entry.rpartition("=")
    organization, _, sandbox = owner.strip().partition("/")
    path = Path(directory.strip())
    try:
        if path.is_absolute() and path.is_dir():
            return Place(path.resolve(strict=True), organization, sandbox)
    except OSError:
        pass
    raise OperationError(f"{SETTING}: {shown(path)} is no directory; name one that is there, by its whole path")


def _is_hidden(path: Path, below: Path | None = None) -> bool:
    parts = path.relative_to(below).parts if below is not None else (path.name,)
    return any(part.startswith((".", "_")) for part in parts)
