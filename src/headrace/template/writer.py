"""
The lines of the generated function, and which place of the template each comes from.

Whatever may fail starts a line of its own, so the line number of a traceback is enough to name the place in the
template, and nothing is paid for that while rendering goes well.
"""

_MARK = "\x01"


def marked(offset: int, code: str) -> str:
    """Code that begins a new line for this place of the template. It must stand inside of brackets."""
    return f"\n{_MARK}{offset}{_MARK}{code}"


class Writer:
    """Collects lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.offsets: list[int] = []
        self.indent = 0

    def line(self, code: str, offset: int) -> None:
        """Add a statement; ``offset`` is the place for those of its lines that are not marked."""
        for number, part in enumerate(code.split("\n")):
            if part.startswith(_MARK):
                _, place, part = part.split(_MARK)
                offset = int(place)
            self.lines.append(" " * self.indent + part if number == 0 else part)
            self.offsets.append(offset)

    def insert(self, position: int, lines: list[str]) -> None:
        """Put lines before those that are already there."""
        self.lines[position:position] = [" " * self.indent + line for line in lines]
        self.offsets[position:position] = [0] * len(lines)

    def text(self) -> str:
        """The source of the function."""
        return "\n".join(self.lines) + "\n"
