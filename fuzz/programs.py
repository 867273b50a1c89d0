"""
Programs and data for the fuzzer: from the grammar of the template language, and by breaking what there is.

Everything comes out of one random generator, so a finding is repeated by its seed.
"""

from random import Random
from typing import Any

from headrace.template import registry
from headrace.template.escaping import STRATEGIES
from headrace.template.expressions import LEVELS
from headrace.template.parser import NOT_AVAILABLE
from headrace.template.runtime import _LIST_METHODS, _MAP_METHODS, _STRING_METHODS

CANARY = "c4n4ry-of-a-person"
"""A text of the data. No message may hold it."""

NAMES = ("a", "b", "xs", "m", "s", "n", "e", "loop", "input", "p")
MEMBERS = ("key", "value", "id", "index", "last", "a", "b", "length", "size", "profiles", "namespace", "0", "1")
WAYS_OUT = (
    "__class__", "__dict__", "__globals__", "__init__", "__builtins__", "__import__", "mro", "getClass", "class",
    "_context", "self", "items", "keys", "get", "pop", "append", "format", "encode", "func_globals", "gi_frame",
)  # fmt: skip
METHODS = tuple(sorted({*_STRING_METHODS, *_LIST_METHODS, *_MAP_METHODS}))
PATTERNS = ("yyyy-MM-dd", "HH:mm:ss.SSSZ", "EEE, d MMM yyyy z", "#,##0.00", "0.0E0", "%s|%5d|%.2f", "%x", "[a-z]+",
            ",", "(?=a)", r"(a|b)*", r"(.)\\1", "", "'", "'q", "\\", "%", "Europe/Lisbon", "GMT+5", "js")  # fmt: skip
TEXTS = ("", " ", "a", "a,b,,", "&<>\"'", "</x>", "é😀", "\ud800", "2024-03-01T10:00:00+0000", "12.5", "\x00\n\t", "ß")
NUMBERS = ("0", "1", "2", "7", "100", "9223372036854775807", "0.1", "2.5", "1.0", "123456789.987654321")
PIECES = (
    "{{", "}}", "{%", "%}", "{#", "#}", "{{-", "-}}", "{%- ", "-%}", "#{", "}", "|", "~", ".", "[", "]", "(", ")", "{",
    ":", "?", ",", '"', "'", "\\", "not", "is not", "is", "in", "and", "if", "for", "set", "else", "elseif", "endif",
    "endfor", "endfilter", "filter", "\ud800", "\x00", "\u2028", "0", "9" * 30, "'" * 3, "loop.last", "null", "..",
    "\r\n", "\xa0", "ｆｏｒ", "٣", "_", *WAYS_OUT, *sorted(NOT_AVAILABLE),
)  # fmt: skip
BINARY = tuple(operator for operator in LEVELS if operator not in ("is", "is not", "|"))


class Programs:
    """Makes templates and their data."""

    def __init__(self, seed: int, corpus: tuple[str, ...] = ()) -> None:
        self.random = Random(seed)  # noqa: S311
        self.corpus = corpus
        self.budget = 0

    # Templates ------------------------------------------------------------------------------------------------------

    def template(self) -> str:
        """A template: most come from the grammar, and some of those are broken afterwards."""
        chance = self.random.random()
        if chance < 0.1 and self.corpus:
            return self.mutated(self.random.choice(self.corpus))
        if chance < 0.15:
            return "".join(self.random.choices(PIECES, k=self.random.randrange(1, 40)))
        self.budget = self.random.randrange(1, 40)
        text = self.body()
        return self.mutated(text) if chance < 0.35 else text

    def mutated(self, text: str) -> str:
        """The text with a few places cut out, repeated, or filled with something else."""
        for _ in range(self.random.randrange(1, 4)):
            start = self.random.randrange(len(text) + 1)
            end = min(len(text), start + self.random.randrange(12))
            piece = self.random.choice(("", self.random.choice(PIECES), text[start:end] * 2, self.expression()))
            text = text[:start] + piece + text[end:]
        return text[:4000]

    def body(self) -> str:
        return "".join(self.statement() for _ in range(self.random.randrange(1, 4)))

    def statement(self) -> str:
        self.budget -= 1
        if self.budget < 0:
            return "."
        kinds = (self._text, self._print, self._print, self._set, self._if, self._for, self._for, self._filter_block)
        return self.random.choice(kinds)()

    def _open(self, delimiter: str) -> str:
        return delimiter + self.random.choice((" ", " ", " ", "- "))

    def _close(self, delimiter: str) -> str:
        return self.random.choice((" ", " ", " ", "-")) + delimiter

    def _tag(self, inside: str) -> str:
        return f"{self._open('{%')}{inside}{self._close('%}')}"

    def _text(self) -> str:
        return self.random.choice((*TEXTS, "{# c #}", "{ ", "%d", "%s", "\n  "))

    def _print(self) -> str:
        return f"{self._open('{{')}{self.expression()}{self._close('}}')}"

    def _set(self) -> str:
        return self._tag(f"set {self.random.choice(NAMES)} = {self.expression()}")

    def _if(self) -> str:
        parts = [self._tag(f"if {self.condition()}"), self.body()]
        for _ in range(self.random.choice((0, 0, 1, 2))):
            parts += [self._tag(f"elseif {self.condition()}"), self.body()]
        if self.random.random() < 0.4:
            parts += [self._tag("else"), self.body()]
        return "".join([*parts, self._tag("endif")])

    def _for(self) -> str:
        over = self.random.choice(("xs", "m", "m", "xs", "e", "e.value", self._name(), self.expression()))
        body = self.body() + self.random.choice(("", "{% if not loop.last %},{% endif %}"))
        otherwise = self._tag("else") + self.body() if self.random.random() < 0.3 else ""
        return f"{self._tag(f'for {self.random.choice(NAMES)} in {over}')}{body}{otherwise}{self._tag('endfor')}"

    def _filter_block(self) -> str:
        name = self.random.choice(("upper", "trim", "length", "toJson", "escape('json')", "replace({'a': 'b'}) | raw"))
        return f"{self._tag(f'filter {name}')}{self.body()}{self._tag('endfilter')}"

    # Expressions ----------------------------------------------------------------------------------------------------

    def condition(self) -> str:
        return self.random.choice((self.expression, self._test, self._binary))()

    def expression(self) -> str:
        self.budget -= 1
        simple = (self._literal, self._name, self._member)
        if self.budget < 0:
            return self.random.choice(simple)()
        deep = (self._binary, self._filter, self._filter, self._test, self._call, self._method, self._collection,
                self._conditional, self._unary, self._subscript, self._interpolation)  # fmt: skip
        return self.random.choice((*simple, *simple, *deep))()

    def _literal(self) -> str:
        chosen = self.random.choice((self._quoted, self._quoted, lambda: self.random.choice(NUMBERS)))
        return self.random.choice((chosen(), chosen(), "true", "false", "null"))

    def _quoted(self) -> str:
        text = self.random.choice((*TEXTS, *PATTERNS, *WAYS_OUT)).replace("\\", "").replace("#{", "")
        quote = self.random.choice("\"'")
        return quote + text.replace(quote, f"\\{quote}") + quote

    def _name(self) -> str:
        return self.random.choice(NAMES if self.random.random() < 0.95 else WAYS_OUT)

    def _member(self) -> str:
        member = self.random.choice(MEMBERS if self.random.random() < 0.9 else WAYS_OUT)
        return f"{self._name()}['{member}']" if member.isdecimal() else f"{self._name()}.{member}"

    def _subscript(self) -> str:
        return f"({self.expression()})[{self.expression()}]"

    def _unary(self) -> str:
        return f"{self.random.choice(('not ', '-', '+'))}({self.expression()})"

    def _binary(self) -> str:
        return f"({self.expression()} {self.random.choice(BINARY)} {self.expression()})"

    def _conditional(self) -> str:
        return f"({self.condition()} ? {self.expression()} : {self.expression()})"

    def _interpolation(self) -> str:
        return f'"x#{{{self.expression()}}}y"'

    def _collection(self) -> str:
        parts = [self.expression() for _ in range(self.random.randrange(3))]
        if self.random.random() < 0.5:
            return f"[{', '.join(parts)}]"
        return f"{{{', '.join(f'{self._quoted()}: {part}' for part in parts)}}}"

    def _test(self) -> str:
        negated = self.random.choice(("", " not"))
        return f"({self.expression()} is{negated} {self.random.choice(tuple(registry.tests.entries))})"

    def _arguments(self, parameters: tuple[str, ...], variadic: bool) -> str:
        count = self.random.randrange(len(parameters) + 1) if not variadic else self.random.randrange(4)
        arguments = [self.expression() for _ in range(count)]
        if arguments and parameters and self.random.random() < 0.2:
            arguments[-1] = f"{parameters[count - 1]}={arguments[-1]}"
        return ", ".join(arguments)

    def _filter(self) -> str:
        signature = self.random.choice(tuple(registry.filters.entries.values()))
        name = signature.name
        arguments = self._arguments(signature.parameters, signature.variadic)
        if name == "escape":
            arguments = f"'{self.random.choice(tuple(STRATEGIES))}'"
        value = self.random.choice((self.expression, self._name))()
        return f"({value} | {name}{f'({arguments})' if arguments or self.random.random() < 0.1 else ''})"

    def _call(self) -> str:
        signature = self.random.choice(tuple(registry.functions.entries.values()))
        return f"{signature.name}({self._arguments(signature.parameters, signature.variadic)})"

    def _method(self) -> str:
        name = self.random.choice(METHODS if self.random.random() < 0.9 else WAYS_OUT)
        arguments = ", ".join(self.expression() for _ in range(self.random.randrange(3)))
        return f"({self.expression()}).{name}({arguments})" if name.isidentifier() else "null"

    # Data -----------------------------------------------------------------------------------------------------------

    def context(self) -> dict[str, Any]:
        """The data of a rendering, as hostile as JSON can be."""
        given = {name: self.value(4) for name in NAMES if self.random.random() < 0.8}
        if self.random.random() < 0.5:
            given["xs"] = [self.value(2) for _ in range(self.random.randrange(5))]
        if self.random.random() < 0.5:
            given["m"] = {self.key(): self.value(2) for _ in range(self.random.randrange(4))}
        if self.random.random() < 0.1:
            given[self.random.choice(WAYS_OUT)] = self.value(2)
        if self.random.random() < 0.02:
            given["s"] = self.random.choice(("x", "é", "'", "😀", "\\")) * self.random.choice((1000, 100_000))
        if self.random.random() < 0.02:
            given["m"] = self._deep(self.random.choice((50, 200, 3000)))
        return given

    def key(self) -> str:
        return self.random.choice((*MEMBERS, *NAMES, *WAYS_OUT, *TEXTS))

    def value(self, depth: int) -> Any:
        chance = self.random.random()
        if depth and chance < 0.2:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        if depth and chance < 0.45:
            return {self.key(): self.value(depth - 1) for _ in range(self.random.randrange(4))}
        numbers = (0, 1, -1, 2, 7, 2**31, 2**63 - 1, -(2**63), 0.0, -0.0, 0.5, 1e-7, 1e21, 1e308, 5e-324, 12345.678)
        return self.random.choice(
            (None, True, False, CANARY, *TEXTS, *TEXTS, *numbers, self.random.randrange(-1000, 1000))
        )

    def _deep(self, depth: int) -> Any:
        inner: Any = CANARY
        for _ in range(depth):
            inner = {"a": inner} if self.random.random() < 0.5 else [inner]
        return inner
