"""The tests of the template language share their interpreter, programs and checks with the fuzzer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "fuzz"))
