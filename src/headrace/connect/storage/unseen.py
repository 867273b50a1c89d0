"""
The names that files have until they are published, in the folder that they are for.

Each begins with a dot, which listings and patterns leave out, then says who wrote it and of which file it is, and ends
as no file does.
"""

import hashlib
from secrets import token_hex

PREFIX, SUFFIX = ".headrace-", ".part"


def unseen(name: str) -> str:
    """Return a name that nothing has had yet, for what will be ``name``."""
    return f"{_start(name)}{token_hex(16)}{SUFFIX}"


def is_unseen(found: str, name: str) -> bool:
    """Say whether what was found is on its way to be ``name``."""
    return found.startswith(_start(name)) and found.endswith(SUFFIX)


def _start(name: str) -> str:
    return f"{PREFIX}{hashlib.sha256(name.encode()).hexdigest()[:16]}-"
