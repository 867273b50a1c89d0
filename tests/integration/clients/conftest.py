"""What the tests of clients share: the contract's short run with the long one, and what a client imports."""

import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[3] / "fuzz"))


def _marks_what_is_old():
    """
    Stand in for the one package beside requests that the client's module of flows imports.

    It would put a warning on four methods about landing zones; aepp as published brings sixty more with it.
    """
    module = ModuleType("deprecation")
    module.deprecated = lambda **_: lambda method: method
    return module


sys.modules.setdefault("deprecation", _marks_what_is_old())
