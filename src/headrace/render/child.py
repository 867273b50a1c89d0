"""
A process that renders and does nothing else: the second wall around templates.

It is started with an empty environment and no way to anything but its two pipes, takes limits on itself before it reads
the first byte, and ends when it is told nothing more. What it is handed is one call at a time: stored people in,
requests out. It holds no connection and no handle of the store.
"""

import codecs
import resource
import signal
import sys
from typing import BinaryIO

import msgspec

from headrace.errors import RenderError, TemplateError
from headrace.mapping import phones
from headrace.model.message import Bucket, Entry, Group
from headrace.render.destination import CompiledDestination
from headrace.render.frames import (
    HEAD,
    PHONES,
    Answer,
    Call,
    ComposedFrame,
    GroupFrame,
    MessageFrame,
    RefusedFrame,
    framed,
    length_of,
)
from headrace.render.recipe import Recipe
from headrace.template import zones

#: The character sets that are written to while rendering. Each is a module, and is found in a file.
ENCODINGS = ("utf-8", "utf-16-be", "latin-1", "ascii")

_read_call = msgspec.msgpack.Decoder(Call).decode
_read_recipe = msgspec.msgpack.Decoder(Recipe).decode


def main() -> None:
    """
    Take limits, then answer calls until the pipe ends.

    Arguments: bytes of memory, CPU seconds a call, and ``phones`` where recipes will need telephone numbers: what that
    takes is read from files, which are out of reach later.
    """
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    load()
    if sys.argv[3:] == [PHONES]:
        phones.load()
    confine(memory)
    serve(sys.stdin.buffer, sys.stdout.buffer, seconds)


def load() -> None:
    """Read what templates and calculated fields would have read from files when they first need it."""
    zones.load()
    for encoding in ENCODINGS:
        codecs.lookup(encoding)


def confine(memory: int) -> None:
    """Give up what rendering does not need: more memory than this, files, further processes, core dumps."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe.
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(calls: BinaryIO, answers: BinaryIO, seconds: float) -> None:
    """Answer one call after the other. A call that takes more CPU time than it may ends the process (SIGPROF)."""
    known: dict[str, CompiledDestination] = {}
    while len(head := calls.read(HEAD)) == HEAD:
        call = _read_call(calls.read(length_of(head)))
        signal.setitimer(signal.ITIMER_PROF, seconds)
        for name, written in call.recipes.items():
            known[name] = CompiledDestination(_read_recipe(written))
        answer = framed(Answer([compose(known[group.recipe], group) for group in call.groups]))
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(answer)
        answers.flush()


def compose(destination: CompiledDestination, frame: GroupFrame) -> ComposedFrame:
    """Compose one group and name entries by their places."""
    entries = tuple(
        Entry(item.profile, item.audience, item.part, item.seq, item.document, item.changed, item.shown)
        for item in frame.entries
    )
    places = {id(entry): place for place, entry in enumerate(entries)}
    composed = destination.compose(Group(0, 0, 0, 0, frame.attempt, Bucket.decode(frame.bucket), entries))
    messages = [
        MessageFrame(
            message.id,
            message.request.method,
            message.request.url,
            message.request.headers,
            message.request.body,
            [places[id(entry)] for entry in message.entries],
            list(message.shown),
            list(message.names),
        )
        for message in composed.messages
    ]
    refused = [RefusedFrame(places[id(entry)], error.code, _reason(error)) for entry, error in composed.refused]
    return ComposedFrame(messages, refused, list(composed.left_out))


def _reason(error: TemplateError | RenderError) -> str:
    return str(error)[:2000]


if __name__ == "__main__":
    main()
