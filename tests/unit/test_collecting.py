"""The collector of garbage in a server: it does not look through everything for every few people."""

import subprocess
import sys

ASKED = """
import gc
from headrace.app import spare_the_collector
spare_the_collector()
print(gc.get_freeze_count() > 50_000, gc.get_threshold()[0] > 15_000, gc.isenabled())
"""


def test_what_is_there_at_the_start_is_looked_through_no_more():
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "True", "True"]
