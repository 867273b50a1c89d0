"""A file of any size takes a few parts of memory."""

import json
import subprocess
import sys
from pathlib import Path

MEGABYTES = 100
MOST = 64 << 20


def test_a_large_file_takes_little_memory(place):
    directories = [str(folder) for folder in place.options.get("directories", ())]
    said = {"kind": place.kind, "given": place.given(place.origin), "name": "large", "megabytes": MEGABYTES}
    said |= {"ca": str(place.ca_file or ""), "authority": place.options.get("authority", "")}
    command = [sys.executable, Path(__file__).parent / "upload.py", json.dumps({**said, "directories": directories})]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)

    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["size"] == MEGABYTES << 20
    assert told["grew"] < MOST
    assert len(place.read("large")) == MEGABYTES << 20
