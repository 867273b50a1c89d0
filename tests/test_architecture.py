"""The house keeps to its plan; and the checker that says so can fail."""

from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

from architecture import RULES, Module, Rule, read

SOURCE = Path(__file__).parents[1] / "src"


@cache
def house() -> dict[str, Module]:
    """Read our own modules, once for all rules."""
    return read(SOURCE)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_house_keeps_to_its_plan(rule: Rule) -> None:
    breaches = list(rule(house()))

    assert not breaches, "\n" + "\n".join(breaches)


def test_the_whole_house_is_read() -> None:
    assert {"headrace", "headrace.errors", "headrace.model.profile"} <= set(house())


def breaches_of(tmp_path: Path, files: dict[str, str]) -> dict[str, list[str]]:
    """Write a small tree and return what each rule has to say about it."""
    for name, text in {"__init__.py": "", **files}.items():
        path = tmp_path / "headrace" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    modules = read(tmp_path)
    return {name: found for name, rule in RULES.items() if (found := list(rule(modules)))}


@pytest.mark.parametrize(
    ("files", "broken", "says"),
    [
        pytest.param(
            {"utils.py": ""},
            "every_module_has_a_room",
            "headrace/utils.py: 'utils' is no room of the house",
            id="a new name at the top",
        ),
        pytest.param(
            {"helpers/text.py": ""},
            "every_module_has_a_room",
            "'helpers' is no room of the house",
            id="a new folder at the top",
        ),
        pytest.param(
            {"model/a.py": "import headrace.connect.egress"},
            "imports_point_downward",
            "headrace/model/a.py:1: model may not import connect, which stands above it: move what both need",
            id="upward",
        ),
        pytest.param(
            {"model/a.py": "from headrace import connect"},
            "imports_point_downward",
            "model may not import connect",
            id="upward from the package",
        ),
        pytest.param(
            {"model/a.py": "from ..services.authoring import author"},
            "imports_point_downward",
            "model may not import services",
            id="upward by a relative import",
        ),
        pytest.param(
            {"store/__init__.py": "from ..services import authoring"},
            "imports_point_downward",
            "store may not import services",
            id="upward by a relative import of a package",
        ),
        pytest.param(
            {
                "model/a.py": """
                from typing import TYPE_CHECKING

                if TYPE_CHECKING:
                    from headrace.app import App
                """
            },
            "imports_point_downward",
            "headrace/model/a.py:5: model may not import app",
            id="upward for types only",
        ),
        pytest.param(
            {"connect/a.py": "try:\n    import headrace.store\nexcept ImportError:\n    pass"},
            "imports_point_downward",
            "connect may not import store",
            id="upward inside a try",
        ),
        pytest.param(
            {"errors.py": "import headrace.clock"},
            "imports_point_downward",
            "errors may not import clock",
            id="upward from the cellar",
        ),
        pytest.param(
            {"api/a.py": "from headrace.worker import run"},
            "imports_point_downward",
            "api may not import worker, its neighbour",
            id="neighbours",
        ),
        pytest.param(
            {"clock.py": "from headrace.settings import Settings"},
            "imports_point_downward",
            "clock may not import settings, its neighbour",
            id="neighbours in the cellar",
        ),
        pytest.param(
            {"__init__.py": "from headrace.errors import HeadraceError"},
            "the_package_itself_imports_nothing_of_ours",
            "headrace may not import headrace.errors.HeadraceError",
            id="the package itself",
        ),
        pytest.param(
            {"streaming/pipeline.py": "from headrace.store import outbox"},
            "engines_know_no_store",
            "streaming may not import store: move what both need to a lower floor, or let streaming declare a Protocol"
            " and be handed the rest",
            id="streaming and the store",
        ),
        pytest.param(
            {"batch/export.py": "from headrace.orchestrate import runs"},
            "engines_know_no_store",
            "batch may not import orchestrate",
            id="batch and durable runs",
        ),
        pytest.param(
            {"template/a.py": "from headrace.model import Profile"},
            "templates_know_only_errors",
            "template may not import headrace.model.Profile",
            id="template and the model",
        ),
        pytest.param(
            {"template/a.py": "from headrace.events import Board"},
            "templates_know_only_errors",
            "template may not import headrace.events.Board",
            id="template and another primitive",
        ),
        pytest.param(
            {"template/a.py": "import pydantic"},
            "templates_know_only_errors",
            "template may not import pydantic, only headrace.errors, the standard library and orjson, re2, regex",
            id="template and a library",
        ),
        pytest.param(
            {"services/a.py": "from sqlalchemy import select"},
            "sql_stays_in_the_store",
            "services may not import sqlalchemy.select: SQL stays in store/",
            id="a service and SQL",
        ),
        pytest.param(
            {"services/a.py": "from dbos import DBOS"},
            "durable_runs_are_known_to_one_module",
            "only headrace.orchestrate.dbos may import dbos.DBOS",
            id="a service and DBOS",
        ),
        pytest.param(
            {"app.py": "from headrace.orchestrate import dbos", "orchestrate/dbos.py": "import dbos"},
            "durable_runs_are_known_to_one_module",
            "is imported when the first run is there",
            id="DBOS where the process starts",
        ),
        pytest.param(
            {"app.py": "import sqlite3"},
            "sql_stays_in_the_store",
            "app may not import sqlite3",
            id="the composition root and SQL",
        ),
        pytest.param(
            {"services/a.py": "from fastapi import HTTPException"},
            "web_frameworks_stay_at_the_doors",
            "services may not import fastapi.HTTPException: HTTP's forms stay at the doors",
            id="a service and FastAPI",
        ),
        pytest.param(
            {"cli/a.py": "import starlette.testclient"},
            "web_frameworks_stay_at_the_doors",
            "cli may not import starlette.testclient",
            id="the command line and Starlette",
        ),
        pytest.param(
            {"services/a.py": "import socket"},
            "the_network_has_one_guarded_way_out",
            "headrace.services.a may not use socket: what dials stands in MAY_USE_THE_NETWORK",
            id="a socket",
        ),
        pytest.param(
            {"streaming/a.py": "from urllib import request"},
            "the_network_has_one_guarded_way_out",
            "headrace.streaming.a may not use urllib.request",
            id="a client of the standard library",
        ),
        pytest.param(
            {"api/a.py": "from httpx import AsyncClient"},
            "the_network_has_one_guarded_way_out",
            "headrace.api.a may not use httpx.AsyncClient",
            id="a client library at the door",
        ),
        pytest.param(
            {"worker.py": "import asyncio\n\n\nasync def dial():\n    await asyncio.open_connection('::1', 80)"},
            "the_network_has_one_guarded_way_out",
            "headrace/worker.py:5: headrace.worker may not use asyncio.open_connection",
            id="a socket of asyncio",
        ),
        pytest.param(
            {"cli/a.py": "import ssl"},
            "the_network_has_one_guarded_way_out",
            "headrace.cli.a may not use ssl",
            id="the command line and more than a client",
        ),
        pytest.param(
            {"connect/a.py": "import socket"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.a may not use socket",
            id="a socket in connect, outside the egress",
        ),
        pytest.param(
            {"connect/a.py": "async def dial(loop, sock):\n    await loop.sock_connect(sock, ('::1', 80))"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.a may not use loop.sock_connect",
            id="a socket connected by the loop",
        ),
        pytest.param(
            {"connect/a.py": "async def dial(loop):\n    await loop.create_connection(dict, '::1', 80)"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.a may not use loop.create_connection",
            id="a connection of the loop",
        ),
        pytest.param(
            {"connect/a.py": "async def look(loop):\n    await loop.getaddrinfo('x', 80)"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.a may not use loop.getaddrinfo",
            id="a look-up",
        ),
        pytest.param(
            {"connect/a.py": "from asyncio import open_connection"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.a may not use asyncio.open_connection",
            id="a socket of asyncio by name",
        ),
        pytest.param(
            {"services/a.py": "def dial(loop):\n    return loop.create_connection"},
            "the_network_has_one_guarded_way_out",
            "headrace.services.a may not use loop.create_connection",
            id="a mention for later",
        ),
        pytest.param(
            {"connect/http.py": "import httpx"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.http may not use httpx",
            id="a client library in our own transport",
        ),
        pytest.param(
            {"connect/reqwest.py": "import socket"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.reqwest may not use socket",
            id="a socket in the second transport",
        ),
        pytest.param(
            {"connect/http.py": "from socket import create_connection"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.http may not use socket.create_connection",
            id="more of a library than is allowed",
        ),
        pytest.param(
            {"connect/a.py": "import importlib\n\nimportlib.import_module('pyreqwest')"},
            "the_network_has_one_guarded_way_out",
            "headrace.connect.a may not use pyreqwest",
            id="a client library by importlib",
        ),
        pytest.param(
            {"app.py": "async def listen(loop):\n    await loop.create_server(dict, '0.0.0.0', 80)"},
            "the_network_has_one_guarded_way_out",
            "headrace.app may not use loop.create_server",
            id="a server",
        ),
        pytest.param(
            {"cli/client.py": "import socket"},
            "the_network_has_one_guarded_way_out",
            "headrace.cli.client may not use socket",
            id="the command line's client and a socket",
        ),
        pytest.param(
            {"model/a.py": "def late():\n    import json"},
            "imports_stand_at_the_top",
            "headrace/model/a.py:2: the import of json is hidden in a function",
            id="in a function",
        ),
        pytest.param(
            {"model/a.py": "class A:\n    async def late(self):\n        from json import loads"},
            "imports_stand_at_the_top",
            "the import of json.loads is hidden in a function",
            id="in a coroutine of a class",
        ),
        pytest.param(
            {"services/a.py": "import importlib\n\n\ndef late():\n    importlib.import_module('headrace.model')"},
            "imports_stand_at_the_top",
            "the import of headrace.model is hidden in a function",
            id="by importlib",
        ),
        pytest.param(
            {"model/a.py": "from headrace.model import b", "model/b.py": "from headrace.model.a import A"},
            "modules_have_no_cycles",
            "these modules import each other: headrace.model.a -> headrace.model.b -> headrace.model.a",
            id="two modules in a circle",
        ),
        pytest.param(
            {"model/a.py": "from . import b", "model/b.py": "from . import c", "model/c.py": "from .a import A"},
            "modules_have_no_cycles",
            "headrace.model.a -> headrace.model.b -> headrace.model.c -> headrace.model.a",
            id="three modules in a circle",
        ),
        pytest.param(
            {"model/__init__.py": "from headrace.model.a import A", "model/a.py": "from headrace.model import B"},
            "modules_have_no_cycles",
            "headrace.model -> headrace.model.a -> headrace.model",
            id="a room and its own module",
        ),
    ],
)
def test_a_breach_is_found(tmp_path: Path, files: dict[str, str], broken: str, says: str) -> None:
    found = breaches_of(tmp_path, files)

    assert set(found) == {broken}
    assert len(found[broken]) == 1
    assert says in found[broken][0]


def test_a_house_that_keeps_to_the_plan_has_no_breach(tmp_path: Path) -> None:
    found = breaches_of(
        tmp_path,
        {
            "__main__.py": "from headrace.cli.main import main",
            "cli/client.py": "import http.client\nimport urllib.request",
            "cli/main.py": """
                from headrace import __version__
                from headrace.app import App
                from headrace.testkit.partner import Partner
                """,
            "testkit/partner.py": "import asyncio\nimport ssl\nfrom headrace.app import App\nasyncio.start_server",
            "server.py": "import fastapi\nfrom headrace.api import routes\nfrom headrace.app import Engine",
            "app.py": "from headrace.store import Store",
            "api/routes.py": "import fastapi\nfrom urllib.parse import quote\nfrom http import HTTPStatus",
            "store/profiles.py": "import sqlite3\nfrom sqlalchemy import select",
            "streaming/pipeline.py": "from headrace.connect.transport import Transport",
            "connect/transport.py": "",
            "connect/egress.py": "import socket\n\n\nasync def f(loop):\n    await loop.getaddrinfo('x', 80)",
            "connect/guard.py": "import asyncio\nimport socket\nasyncio.start_server",
            "connect/http.py": "async def f(loop, sock):\n    await loop.create_connection(dict, sock=sock)",
            "connect/wire.py": "import httptools\nimport socket",
            "template/lexer.py": "import re\nimport orjson\nimport re2\nimport regex\nimport headrace.errors",
            "template/parser.py": "from headrace.template.lexer import Token\nfrom . import lexer",
            "model/a.py": """
                from typing import TYPE_CHECKING

                if TYPE_CHECKING:
                    from headrace.model.b import B
                """,
            "model/b.py": "from headrace.model.a import A",
            "registry.py": "from headrace.errors import AuthoringError",
            "errors.py": "",
        },
    )

    assert found == {}
