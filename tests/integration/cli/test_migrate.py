"""``headrace migrate`` as who runs the process types it."""

import contextlib
import re

import pytest

from headrace.store.database import Store
from headrace.store.migrate import forms, migrate
from support import Server, run

NEWEST = forms()[-1]


@pytest.fixture(params=["sqlite", "postgres"])
def where(request, tmp_path):
    """The settings of a store in the newest form."""
    if request.param == "postgres":
        with request.getfixturevalue("postgres").lent() as address:
            yield {"data_dir": str(tmp_path / "data"), "database_url": address}
    else:
        with contextlib.closing(Store.open(tmp_path / "data")) as store:
            migrate(store)
        yield {"data_dir": str(tmp_path / "data")}


def test_the_form_of_a_store_is_shown_and_stays(tmp_path, where):
    for _ in range(2):
        ran = run(tmp_path, "migrate", **where)

        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.endswith(f" has the form {NEWEST}; there are {', '.join(forms())}\n")


def test_a_store_goes_back_and_comes_again(tmp_path, where):
    down = run(tmp_path, "migrate", "--to", "0001", **where)
    assert (down.returncode, down.stderr) == (0, "")
    assert f" has the form 0001, and had {NEWEST}\n" in down.stdout
    copied = re.search(r"its control tables as they were are in (\S+)$", down.stdout)
    assert copied[1] == str(tmp_path / "data" / "control-before-0001.db")

    up = run(tmp_path, "migrate", "--to", "head", **where)

    assert f" has the form {NEWEST}, and had 0001\n" in up.stdout
    assert (tmp_path / "data" / f"control-before-{NEWEST}.db").exists()


def test_a_form_that_there_is_not_is_refused_with_those_there_are(tmp_path, where):
    ran = run(tmp_path, "migrate", "--to", "1", **where)

    assert ran.returncode == 2
    assert ran.stderr == f"headrace: '1' is no form of the store; these are: {', '.join(forms())}\n"


def test_looking_into_a_directory_makes_no_store_in_it(tmp_path):
    ran = run(tmp_path, "migrate", "--data-dir", str(tmp_path / "nothing"))

    assert ran.returncode == 2
    assert ran.stderr.startswith(f"headrace: there is no store in {tmp_path / 'nothing'}")
    assert not (tmp_path / "nothing").exists()


def test_a_store_that_is_served_is_not_moved(tmp_path, where):
    with Server(tmp_path, **where) as server:
        server.start().close()
        given = {**where, "data_dir": str(tmp_path / "elsewhere")} if "database_url" in where else where

        ran = run(tmp_path, "migrate", "--to", "0001", **given)

    assert ran.returncode == 2
    assert re.fullmatch(r"headrace: .+ is in use by another process\n", ran.stderr)
