"""The net at the end of a session finds what any of its tests has let out, whether one process runs them or several."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from canaries import CANARIES

TESTS = Path(__file__).parents[1]
LET_OUT = f"(tmp_path / 'log').write_text('before ' + {CANARIES['account token']!r})"


@pytest.fixture
def folder():
    """A folder that is none of this session's, which would look into it as well."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
@pytest.mark.parametrize(("does", "code"), [("pass", 0), (LET_OUT, 1)], ids=["nothing", "a secret"])
def test_a_session_fails_by_what_a_test_has_let_out(folder, workers, does, code):
    ours = f"from runpy import run_path\n\npytest_sessionfinish = run_path({str(TESTS / 'conftest.py')!r})"
    (folder / "conftest.py").write_text(f'{ours}["pytest_sessionfinish"]\n')
    (folder / "test_it.py").write_text(f"def test_it(tmp_path):\n    {does}\n\ndef test_other():\n    pass\n")

    line = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "xdist",
        *workers,
        f"--basetemp={folder / 'base'}",
        "test_it.py",
    ]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)

    assert ran.returncode == code, ran.stdout + ran.stderr
    assert ("secrets were let out by tests" in ran.stdout) == bool(code)
