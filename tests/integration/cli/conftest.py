"""A Headrace for the commands of a module, and for each test a desk: a sandbox of its own and a folder to work in."""

import io
import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.cli.main import main
from support import Api, in_process


@dataclass(frozen=True)
class Ran:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def typed(headrace, monkeypatch, capsys):
    """Runs a command at the server of this module, with lines that are typed; returns its code and what it said."""

    def run(*words, lines=""):
        monkeypatch.setattr(sys, "argv", ["headrace", *words, "--data-dir", str(headrace.folder / "data")])
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@dataclass
class Desk:
    """Where somebody sits who writes destinations: a folder, and how to sign in."""

    home: Path
    api: Api
    capture: pytest.CaptureFixture
    patch: pytest.MonkeyPatch

    def run(self, *words: str, code: int | None = 0, signed_in: bool = True) -> Ran:
        """Run ``headrace destination`` as a person types it, and look at how it ends."""
        remote = ["--credentials", str(self.home / "sign-in.json")] if signed_in else []
        self.patch.setattr(sys, "argv", ["headrace", "destination", *words, *remote])
        self.capture.readouterr()
        ended = 0
        try:
            main()
        except SystemExit as end:
            ended = end.code or 0
        said = self.capture.readouterr()
        assert code is None or ended == code, f"{said.out}\n{said.err}"
        return Ran(ended, said.out, said.err)

    def new(self, name: str = "Acme", *words: str) -> Path:
        """Write the folder of a new destination."""
        self.run("new", name, *words, signed_in=False)
        return self.home / name.lower()

    def change(self, file: str, old: str, new: str) -> None:
        """Change a text of a file."""
        path = self.home / file
        text = path.read_text()
        assert old in text, text
        path.write_text(text.replace(old, new))

    def items(self, noun: str) -> list:
        return self.api.get(f"/data/core/activation/authoring/{noun}").json["items"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("house")) as house:
        yield house


_NUMBERS = itertools.count(1)


@pytest.fixture
def desk(house, tmp_path, capsys, monkeypatch):
    for name in ("HEADRACE_URL", "HEADRACE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    api = house.as_client(f"organization-{next(_NUMBERS)}")
    credentials = {
        "url": api.url,
        "org": api.headers["x-gw-ims-org-id"],
        "sandbox": api.headers["x-sandbox-name"],
        "client_id": api.headers["x-api-key"],
        "client_secret": "secret",
    }
    (tmp_path / "sign-in.json").write_text(json.dumps(credentials))
    return Desk(tmp_path, api, capsys, monkeypatch)
