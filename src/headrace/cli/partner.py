"""``headrace partner``: a partner to send to, on this machine, that shows what it receives."""

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.text import Text

from headrace.connect.secrets import MASK
from headrace.testkit import faults
from headrace.testkit.faults import FaultProxy, Placed
from headrace.testkit.partner import Partner, Received

_LONGEST_BODY = 40
_PLUMBING = frozenset({"host", "accept-encoding", "content-length", "connection", "accept", "user-agent"})
app = typer.Typer(add_completion=False)
_SECRET = ("authorization", "cookie", "token", "secret", "api-key", "access-key", "signature")


@app.command()
def partner(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 9000,
    answers: Annotated[
        str, typer.Option(help="Statuses of the first answers, such as 503,400,200; every further answer is 200.")
    ] = "",
    token: Annotated[str, typer.Option(help="Answer 401 to whoever does not bring this bearer token.")] = "",
    delay: Annotated[float, typer.Option(help="Seconds to hold back every answer.", min=0)] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="What is wrong with every connection, such as 'back.latency seconds=2' or 'back.cut after=0'; "
            "may be given more than once.",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the summary only.")] = False,
) -> None:
    """Start a partner on this machine and show each request it receives. Ctrl-C ends it."""
    script, placed = read_answers(answers), read_faults(fault or [])
    console = Console()
    show = None if quiet else lambda received: console.print(describe(received), soft_wrap=True)
    fake = Partner(script, port=0 if placed else port, token=token or None, delay=delay, keep=1, on_received=show)
    statuses = asyncio.run(_run_until_stopped(fake, console, port, placed))
    console.print(summarize(statuses))


def read_answers(text: str) -> list[int]:
    """Read ``503,400,200``; a word that is not a status ends the command with the right form."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not (word.isascii() and word.isdigit() and 200 <= int(word) <= 599):
            raise typer.BadParameter(f"'{word}' is not a status; write numbers from 200 to 599: 503,400,200")
    return [int(word) for word in words]


def read_faults(lines: list[str]) -> list[Placed]:
    """Read faults; a line that says none ends the command with what can be written."""
    try:
        return [faults.read(line) for line in lines]
    except faults.NoFault as error:
        raise typer.BadParameter(str(error)) from None


def describe(received: Received) -> Text:
    """Tell one request: what was asked and answered, the headers that matter, the body in short."""
    is_fine = received.answered is not None and received.answered < 300
    query = f"?{received.query}" if received.query else ""
    text = Text()
    text.append(f"{received.method} {_printable(received.path + query)} ", "bold")
    text.append(f"{received.answered or 'no answer'}\n", "green" if is_fine else "red")
    for line in _headers(received):
        text.append(f"  {_printable(line)}\n", "dim")
    for line in _body(received.body):
        text.append(f"  {_printable(line)}\n")
    return text


def summarize(statuses: "Counter[int | None]") -> str:
    """One line about all that was received."""
    total = sum(statuses.values())
    parts = [f"{count} x {status or 'no answer'}" for status, count in sorted(statuses.items(), key=str)]
    return f"{total} request{'' if total == 1 else 's'}{': ' if parts else ''}{', '.join(parts)}"


async def _run_until_stopped(fake: Partner, console: Console, port: int, placed: list[Placed]) -> "Counter[int | None]":
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        url = (await stack.enter_async_context(fake)).url
        if placed:
            proxy = await stack.enter_async_context(FaultProxy(f"127.0.0.1:{fake.port}", port=port))
            url = f"{proxy.origin}/"
        for fault in placed:
            proxy.switch_on(fault)
        console.print(f"A partner listens on [bold]{url}[/] (ctrl-C ends it)")
        await stopped.wait()
    return fake.statuses


def _printable(text: str) -> str:
    """Take the terminal's control sequences out of a text that somebody sent."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _headers(received: Received) -> list[str]:
    return [
        f"{name}: {MASK if any(word in name for word in _SECRET) else value}"
        for name, value in received.headers.items()
        if name not in _PLUMBING
    ]


def _body(body: bytes) -> list[str]:
    try:
        text = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace")
    lines = [line if len(line) <= 200 else line[:199] + "…" for line in text.splitlines()]
    if len(lines) > _LONGEST_BODY:
        lines[_LONGEST_BODY:] = [f"… {len(lines) - _LONGEST_BODY} more lines"]
    return lines
