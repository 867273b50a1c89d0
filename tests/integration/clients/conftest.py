"""The short run of the contract shares what it does with the long one, `make contract`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "fuzz"))
