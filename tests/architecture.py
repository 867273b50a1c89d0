"""
Reads the imports of a package and says which of them the plan of the house does not allow.

The plan is ``ROOMS`` and the sets below it; each function under ``RULES`` is one rule. A rule takes the modules and
yields one sentence for each breach: where it is, what is wrong, and the way out. ``test_architecture.py`` holds them
against ``src/headrace``, and against small trees that break each of them.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PACKAGE: Final = "headrace"

#: From the door to the cellar: a room may use the lines below its own, and none beside it.
ROOMS: Final = (
    ("__main__",),
    ("cli",),
    ("testkit",),
    ("server", "working"),
    ("app",),
    ("from_settings",),
    ("api", "web", "worker"),
    ("services",),
    ("streaming", "batch"),
    ("store", "orchestrate", "datasets"),
    ("connect",),
    ("render",),
    ("mapping",),
    ("template",),
    ("model",),
    ("registry", "events", "clock", "settings", "crashpoints"),
    ("errors", "meters"),
)
LINE_OF: Final = {room: line for line, rooms in enumerate(ROOMS) for room in rooms}

#: What the two paths need from these two, they declare as a Protocol.
ENGINES: Final = {"streaming", "batch"}
ENGINES_MAY_NOT: Final = {"store", "orchestrate"}

TEMPLATE_MAY: Final = {"orjson", "re2", "regex"}

SQL: Final = {"sqlalchemy", "alembic", "sqlite3", "psycopg", "asyncpg"}
SQL_ROOMS: Final = {"store"}
#: Reads databases of others, which hold people and none of what is ours.
SQL_OF_OTHERS: Final = "headrace.datasets.formats.sql"

#: It costs a second to import, and is known to one module.
DURABLE: Final = {"dbos"}
DURABLE_MODULE: Final = "headrace.orchestrate.dbos"

WEB: Final = {"fastapi", "starlette"}
WEB_ROOMS: Final = {"api", "web", "server"}

#: Libraries that speak to the network, and what is a socket by another name.
NETWORK: Final = {
    "aiohttp",
    "asyncssh",
    "botocore",
    "ftplib",
    "http.client",
    "http.server",
    "httpcore",
    "httptools",
    "httpx",
    "obstore",
    "opentelemetry",
    "pyreqwest",
    "requests",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "urllib.request",
    "urllib3",
    "websockets",
}
#: What opens a connection, listens, or asks for an address, whatever it is called on: these are methods of event loops.
DIALS: Final = {
    "open_connection",
    "open_unix_connection",
    "start_server",
    "start_unix_server",
    "create_connection",
    "create_unix_connection",
    "create_server",
    "create_unix_server",
    "create_datagram_endpoint",
    "sock_connect",
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
}
#: Dressing a socket that somebody else dialled is no dialling.
DRESSES: Final = {"open_connection", "create_connection"}
#: Every module that may open, dress or read connections, with the reason. Nothing else may, in connect/ or elsewhere.
MAY_USE_THE_NETWORK: Final = {
    "headrace.connect.egress": "dials everything that leaves, to addresses that it checked",
    "headrace.connect.guard": "listens on loopback for libraries that dial by themselves, and dials through the egress",
    "headrace.connect.listener": "listens for our own REST API",
    "headrace.testkit": "listens as the partners that we ship",
    "headrace.cli.client": "is a client of our own API",
    "headrace.cli.destination.remote": "names the errors of that client",
}
#: These are handed a connection, or the guard's address, and open none; each may use what stands behind it alone.
MAY_USE_IN_PART: Final = {
    "headrace.connect.buckets": {"obstore"},
    "headrace.connect.http": {"socket.socket", "ssl"},
    "headrace.connect.mail": {"smtplib", "socket.socket", "ssl"},
    "headrace.connect.proxy": {"socket"},
    "headrace.connect.traces": {"opentelemetry"},
    "headrace.connect.reqwest": {"pyreqwest"},
    "headrace.connect.storage.line": {"asyncssh"},
    "headrace.connect.storage.placing": {"asyncssh"},
    "headrace.connect.storage.sftp": {"asyncssh"},
    "headrace.connect.storage.ssh": {"asyncssh"},
    "headrace.connect.storage.upload": {"asyncssh"},
    "headrace.connect.tls": {"ssl"},
    "headrace.connect.wire": {"socket", "httptools"},
}
#: The command line is a client of our own API and of nothing else.
NETWORK_OF_THE_CLI: Final = {"http.client", "urllib.request"}


@dataclass(frozen=True)
class Import:
    """One name that a module imports: ``from a import b`` is ``a.b``."""

    name: str
    line: int
    is_in_function: bool = False
    is_for_types_only: bool = False


@dataclass(frozen=True)
class Dial:
    """A call, or a mention, of something that opens a connection."""

    name: str
    line: int


@dataclass(frozen=True)
class Module:
    """A module of the package with what it imports."""

    name: str
    path: Path
    imports: tuple[Import, ...] = field(default=(), compare=False)
    dials: tuple[Dial, ...] = field(default=(), compare=False)

    @property
    def room(self) -> str:
        """The room of ``headrace.streaming.pipeline`` is ``streaming``; that of the package itself has no name."""
        return room_of(self.name)

    def breach(self, imported: "Import | Dial", sentence: str) -> str:
        """Say where a rule is broken and what to do about it."""
        return f"{self.path}:{imported.line}: {sentence}"


Modules = Mapping[str, Module]
Rule = Callable[[Modules], Iterator[str]]
RULES: Final[dict[str, Rule]] = {}


def rule(check: Rule) -> Rule:
    """Put a rule among those that are checked, under its own name."""
    RULES[check.__name__] = check
    return check


def read(root: Path, package: str = PACKAGE) -> dict[str, Module]:
    """Read every module of a package whose folder stands in ``root``."""
    modules = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        reader = _Reader(name.split(".") if is_package else name.split(".")[:-1])
        reader.visit(tree)
        modules[name] = Module(name, path.relative_to(root), tuple(reader.found), tuple(reader.dials))
    return modules


def room_of(name: str) -> str:
    """
    Return the room that a dotted name of the package is in.

    >>> room_of("headrace.streaming.pipeline.run"), room_of("headrace")
    ('streaming', '')
    """
    return name.partition(".")[2].partition(".")[0]


@rule
def every_module_has_a_room(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        if module.room and module.room not in LINE_OF:
            yield (
                f"{module.path}: {module.room!r} is no room of the house: put the module into the room whose concern"
                " it is, or decide on a new room and give it a line in tests/architecture.py and docs/architecture.md"
            )


@rule
def imports_point_downward(modules: Modules) -> Iterator[str]:
    for module, imported in _ours(modules):
        above, below = module.room, room_of(imported.name)
        if above == below or above not in LINE_OF or below not in LINE_OF:
            continue
        if above in ENGINES and below in ENGINES_MAY_NOT:
            continue
        if LINE_OF[below] < LINE_OF[above]:
            yield module.breach(
                imported,
                f"{above} may not import {below}, which stands above it: move what both need to a lower floor, or let"
                f" {above} declare a Protocol and be handed the rest",
            )
        elif LINE_OF[below] == LINE_OF[above]:
            yield module.breach(
                imported,
                f"{above} may not import {below}, its neighbour: move what both need to a lower floor, or let the floor"
                " above bring the two together",
            )


@rule
def the_package_itself_imports_nothing_of_ours(modules: Modules) -> Iterator[str]:
    for module, imported in _ours(modules):
        if not module.room:
            yield module.breach(
                imported,
                f"{module.name} may not import {imported.name}, for every room would pay: import it where it is used",
            )


@rule
def engines_know_no_store(modules: Modules) -> Iterator[str]:
    for module, imported in _ours(modules):
        below = room_of(imported.name)
        if module.room in ENGINES and below in ENGINES_MAY_NOT:
            yield module.breach(
                imported,
                f"{module.room} may not import {below}: move what both need to a lower floor, or let {module.room}"
                " declare a Protocol and be handed the rest",
            )


@rule
def templates_know_only_errors(modules: Modules) -> Iterator[str]:
    for module in _in_rooms(modules, {"template"}):
        for imported in module.imports:
            top = imported.name.partition(".")[0]
            if top == PACKAGE and room_of(imported.name) in {"", "errors", "template"}:
                continue
            if top not in TEMPLATE_MAY and (top == PACKAGE or top not in sys.stdlib_module_names):
                yield module.breach(
                    imported,
                    f"template may not import {imported.name}, only headrace.errors, the standard library and"
                    f" {', '.join(sorted(TEMPLATE_MAY))}, so that a child process starts at once: hand it plain data",
                )


@rule
def sql_stays_in_the_store(modules: Modules) -> Iterator[str]:
    others = {name: module for name, module in modules.items() if name != SQL_OF_OTHERS}
    yield from _kept_in(
        others, SQL, SQL_ROOMS, "SQL stays in store/: give the store a function with the name of what is wanted"
    )


@rule
def durable_runs_are_known_to_one_module(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for imported in module.imports:
            if _is_one_of(imported.name, DURABLE) and module.name != DURABLE_MODULE:
                yield module.breach(
                    imported, f"only {DURABLE_MODULE} may import {imported.name}: use the port beside it"
                )
            if _is_one_of(imported.name, {DURABLE_MODULE}):
                yield module.breach(
                    imported,
                    f"{DURABLE_MODULE} is imported when the first run is there: resolve its name, as app.py does",
                )


@rule
def web_frameworks_stay_at_the_doors(modules: Modules) -> Iterator[str]:
    yield from _kept_in(
        modules, WEB, WEB_ROOMS, "HTTP's forms stay at the doors: take plain values and raise an error of errors.py"
    )


@rule
def the_network_has_one_guarded_way_out(modules: Modules) -> Iterator[str]:
    way_out = (
        "what dials stands in MAY_USE_THE_NETWORK of tests/architecture.py, and everything else is handed a Transport,"
        " a socket that the egress dialled, or the guard"
    )
    for module in modules.values():
        if _is_one_of(module.name, MAY_USE_THE_NETWORK) and module.room != "cli":
            continue
        all_used: tuple[Import | Dial, ...] = (*module.imports, *module.dials)
        for used in all_used:
            if (isinstance(used, Dial) or _is_one_of(used.name, NETWORK)) and not _may_use(module, used.name):
                yield module.breach(used, f"{module.name} may not use {used.name}: {way_out}")


@rule
def imports_stand_at_the_top(modules: Modules) -> Iterator[str]:
    for module in modules.values():
        for imported in module.imports:
            if imported.is_in_function:
                yield module.breach(
                    imported,
                    f"the import of {imported.name} is hidden in a function: put it at the top; if that makes a cycle,"
                    " move what both modules need to a third, or be handed it",
                )


@rule
def modules_have_no_cycles(modules: Modules) -> Iterator[str]:
    uses = {
        module.name: {
            target
            for imported in module.imports
            if not imported.is_for_types_only
            and (target := _module_of(imported.name, modules)) != module.name
            and target
        }
        for module in modules.values()
    }
    for cycle in _cycles(uses):
        yield (
            f"{modules[cycle[0]].path}: these modules import each other: {' -> '.join([*cycle, cycle[0]])}: move what"
            " they share to a module of its own"
        )


def _ours(modules: Modules) -> Iterator[tuple[Module, Import]]:
    for module in modules.values():
        for imported in module.imports:
            if imported.name.startswith(f"{PACKAGE}."):
                yield module, imported


def _in_rooms(modules: Modules, rooms: set[str]) -> Iterator[Module]:
    return (module for module in modules.values() if module.room in rooms)


def _kept_in(modules: Modules, names: set[str], rooms: set[str], way_out: str) -> Iterator[str]:
    for module, imported in _elsewhere(modules, names, rooms):
        yield module.breach(imported, f"{module.room or PACKAGE} may not import {imported.name}: {way_out}")


def _elsewhere(modules: Modules, names: set[str], rooms: set[str]) -> Iterator[tuple[Module, Import]]:
    for module in modules.values():
        if module.room not in rooms:
            yield from ((module, imported) for imported in module.imports if _is_one_of(imported.name, names))


def _may_use(module: Module, name: str) -> bool:
    if module.name in MAY_USE_THE_NETWORK and module.room == "cli":
        return _is_one_of(name, NETWORK_OF_THE_CLI)
    return _is_one_of(name, MAY_USE_IN_PART.get(module.name, ()))


def _is_one_of(name: str, names: Iterable[str]) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in names)


def _module_of(name: str, modules: Modules) -> str:
    """Return the longest beginning of a dotted name that is a module; the rest is a name inside it."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


class _Reader(ast.NodeVisitor):
    """Walks one module and writes down its imports, and the calls that are imports by another name."""

    def __init__(self, package: list[str]) -> None:
        self.found: list[Import] = []
        self.dials: list[Dial] = []
        self._harmless: set[ast.AST] = set()
        self._package = package
        self._functions = 0
        self._types_only = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self._package[: len(self._package) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            if source.partition(".")[0] == "asyncio" and alias.name in DIALS:
                self.dials.append(Dial(f"{source}.{alias.name}", node.lineno))
            self._add(source if alias.name == "*" else f"{source}.{alias.name}", node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        """``importlib.import_module("headrace.store")`` is an import of ours too."""
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in {"import_module", "__import__"} and node.args:
            match node.args[0]:
                case ast.Constant(value=str(name)) if name.partition(".")[0] == PACKAGE or _is_one_of(name, NETWORK):
                    self._add(name, node.lineno)
        if called in DRESSES and any(keyword.arg == "sock" for keyword in node.keywords):
            self._harmless.add(node.func)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """``loop.create_connection`` opens a socket without any import."""
        if node.attr in DIALS and node not in self._harmless:
            self.dials.append(Dial(ast.unparse(node), node.lineno))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_inside(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_inside(node)

    def visit_If(self, node: ast.If) -> None:
        is_for_types = ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
        self._types_only += is_for_types
        for statement in node.body:
            self.visit(statement)
        self._types_only -= is_for_types
        self.visit(node.test)
        for statement in node.orelse:
            self.visit(statement)

    def _visit_inside(self, function: ast.AST) -> None:
        self._functions += 1
        self.generic_visit(function)
        self._functions -= 1

    def _add(self, name: str, line: int) -> None:
        self.found.append(Import(name, line, self._functions > 0, self._types_only > 0))


def _cycles(uses: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Yield one way round for each knot of modules that reach each other, found by walking depth first."""
    done: set[str] = set()
    path: list[str] = []

    def walk(name: str) -> Iterator[list[str]]:
        if name in path:
            yield path[path.index(name) :]
        elif name not in done:
            path.append(name)
            for target in sorted(uses[name]):
                yield from walk(target)
            path.pop()
            done.add(name)

    for name in sorted(uses):
        yield from (list(cycle) for cycle in walk(name))
