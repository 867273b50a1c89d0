"""
``headrace.lock.json``: which object of which server each file is, and in which version it was last seen there.

It holds no secret and is committed with the files: who pushes next knows then what was there before.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headrace.cli.destination.inside import inside, read_text, write_text
from headrace.errors import AuthoringError

NAME = "headrace.lock.json"
ABOUT = "Which object of which server each file is. Written by `headrace destination push` and `pull`; commit it."


@dataclass(frozen=True, slots=True)
class Home:
    """Where objects live: a sandbox of an organization of a server."""

    url: str
    org: str
    sandbox: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the object that a file is: its id, its version there and the file's content at that moment."""

    instance_id: str
    version: str
    digest: str

    def as_json(self) -> dict[str, str]:
        return {"instanceId": self.instance_id, "version": self.version, "digest": self.digest}

    @classmethod
    def read(cls, known: dict[str, str]) -> "Seen":
        return cls(known["instanceId"], known["version"], known["digest"])


@dataclass
class Lock:
    """What the folder knows of one home; the other homes are kept as they are."""

    root: Path
    home: Home
    seen: dict[str, Seen] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)

    def save(self) -> None:
        """Write the file; a folder that knows nothing has none."""
        objects = {name: seen.as_json() for name, seen in sorted(self.seen.items())}
        homes = [*self.others, *([{**asdict(self.home), "objects": objects}] if objects else [])]
        homes.sort(key=lambda home: (home["url"], home["org"], home["sandbox"]))
        if homes or (self.root / NAME).exists():
            written = json.dumps({"about": ABOUT, "homes": homes}, indent=2, ensure_ascii=False)
            write_text(self.root, self.root / NAME, written + "\n")

    def name_of(self, id_: str) -> str | None:
        return next((name for name, seen in self.seen.items() if seen.instance_id == id_), None)


def read_lock(root: Path, home: Home) -> Lock:
    """
    Read what a folder knows of a home.

    Raises:
        AuthoringError: the file is there, and cannot be read.
    """
    path = root / NAME
    if not path.exists():
        return Lock(root, home)
    try:
        homes = json.loads(read_text(inside(root, path)))["homes"]
        here = [item for item in homes if Home(item["url"], item["org"], item["sandbox"]) == home]
        seen = {name: Seen.read(known) for item in here for name, known in item["objects"].items()}
        return Lock(root, home, seen, [item for item in homes if item not in here])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AuthoringError(f"{path} is not as `headrace` wrote it: take it from your history, or delete it") from None


def digest(document: Any) -> str:
    """Name a document by its content."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
