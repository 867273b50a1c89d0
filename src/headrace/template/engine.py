"""The door of the room: from text to a template, from a template and data to text."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType, FunctionType, MappingProxyType, TracebackType

from headrace.errors import TemplateError, TemplateSyntaxError
from headrace.template import (
    conditions,
    dates,
    decimals,
    filters,
    formats,
    functions,
    list_filters,
    memberships,
    operators,
    registry,
    runtime,
)
from headrace.template.compiler import Compiled, Compiler
from headrace.template.escaping import STRATEGIES, plain_printer, printer
from headrace.template.limits import DEFAULT_LIMITS, Limits, Meter
from headrace.template.parser import parse
from headrace.template.source import Source
from headrace.template.translate import Path
from headrace.template.values import UNSET, RenderError

ESCAPING = ("html", "json", "none")
CACHED_TEMPLATES = 256
_LANGUAGE = (conditions, dates, decimals, filters, formats, functions, list_filters, memberships)
"""The modules whose import fills the tables of names."""

_HELPERS: dict[str, object] = {
    "__builtins__": {},
    **{builtin.__name__: builtin for builtin in (bool, dict, len, list, str, type)},
    **{
        helper.__name__: helper
        for helper in (
            operators.add,
            operators.add_all,
            operators.at_least,
            operators.at_most,
            operators.concatenate,
            operators.contains,
            operators.divide,
            operators.equal,
            operators.greater,
            operators.less,
            operators.modulo,
            operators.multiply,
            operators.negate,
            operators.plus,
            operators.subtract,
            operators.truth,
            operators.unequal,
            runtime.call_method,
            runtime.items_of,
            runtime.loop_map,
            runtime.member,
            runtime.new_list,
            runtime.new_map,
            runtime.operator_form,
            runtime.pairs_of,
            runtime.subscript,
        )
    },
    **{f"filter_{name}": entry.implementation for name, entry in registry.filters.entries.items()},
    **{f"function_{name}": entry.implementation for name, entry in registry.functions.entries.items()},
    **{f"test_{name}": entry.implementation for name, entry in registry.tests.entries.items()},
    "UNSET": UNSET,
}

NO_HELPERS: Mapping[str, object] = MappingProxyType({})

Render = Callable[[Mapping[str, object], Meter], str]


class Template:
    """A compiled template. It holds no state of a rendering and may be used by many threads."""

    __slots__ = ("_code", "_compiled", "_limits", "_render", "_source", "asks", "escaping", "reads")

    def __init__(
        self,
        source: Source,
        compiled: Compiled,
        escaping: str,
        limits: Limits,
        helpers: Mapping[str, object] = NO_HELPERS,
    ) -> None:
        self._source = source
        self._compiled = compiled
        self._limits = limits
        self._code, self._render = _function(compiled, escaping, limits, helpers)
        self.escaping = escaping
        self.reads: frozenset[Path] = compiled.reads
        """
        What the template reads from the context, as far as its text tells: ``("input", "profiles")`` for
        ``input.profiles``, ``("destination", "segmentAliases")`` for ``destination.segmentAliases[s.key]``. Variables
        of loops and of ``set`` are not roots.
        """
        self.asks: frozenset[Path] = compiled.asks
        """
        What the template asks for before it reads it: ``("customerData", "region")`` for ``customerData contains
        "region"``.
        """

    @property
    def name(self) -> str:
        """What messages call the template."""
        return self._source.name

    @property
    def text(self) -> str:
        """The text that was compiled."""
        return self._source.text

    def render(self, context: Mapping[str, object]) -> str:
        """
        The text for this data, which is plain JSON data and is never changed.

        Raises: TemplateError with the place in the template, if an operation does not fit the data or a limit is hit.
        """
        meter = Meter(self._limits, self._code)
        try:
            rendered = self._render(context, meter)
            if len(rendered) > self._limits.output // 4 and not rendered.isascii():
                self._check_bytes(rendered, meter)
            return rendered
        except RenderError as failure:
            raise self._error(failure.message, failure.limit, failure.__traceback__) from None
        except (RecursionError, MemoryError) as error:
            raise self._error("the data is nested too deep or too large", "memory", error.__traceback__) from None

    def _check_bytes(self, rendered: str, meter: Meter) -> None:
        if len(rendered.encode("utf-8", "surrogatepass")) > self._limits.output:
            meter.overflow()

    def _error(self, message: str, limit: str | None, traceback: TracebackType | None) -> TemplateError:
        """The error with the place that the line of the generated code stands for."""
        offset = 0
        while traceback is not None:
            if traceback.tb_frame.f_code is self._code:
                offset = self._compiled.offsets[traceback.tb_lineno - 1]
            traceback = traceback.tb_next
        return TemplateError(self._source.problem(offset, message), limit=limit)


def _function(
    compiled: Compiled, escaping: str, limits: Limits, helpers: Mapping[str, object]
) -> tuple[CodeType, Render]:
    """The generated function, in a world that holds the helpers and nothing else."""
    world = {**_HELPERS, **helpers}
    world["print_escaped"] = printer(escaping, limits.output)
    world["print_plain"] = plain_printer(limits.output)
    for strategy in STRATEGIES:
        world[f"print_{strategy}"] = printer(strategy, limits.output)
    module = compile(compiled.source, "<template>", "exec", dont_inherit=True, optimize=2)
    code = next(constant for constant in module.co_consts if isinstance(constant, CodeType))
    return code, FunctionType(code, world)


def compile_template(
    source: str, *, escaping: str = "html", name: str = "<template>", limits: Limits = DEFAULT_LIMITS
) -> Template:
    """
    Compile a template. The same text with the same settings gives the same template from a bounded cache.

    ``escaping`` is what happens to printed values that are not marked safe: ``html``, ``json`` (for the inside of a
    JSON string) or ``none``. ``name`` is what messages call the template.

    >>> compile_template("Hi {{ who }}!").render({"who": "A & B"})
    'Hi A &amp; B!'

    Raises: TemplateSyntaxError with every problem found.
    """
    if escaping not in ESCAPING:
        raise ValueError(f"escaping is one of {', '.join(ESCAPING)}, not {escaping!r}")
    return _compiled(source, escaping, name, limits)


@lru_cache(CACHED_TEMPLATES)
def _compiled(text: str, escaping: str, name: str, limits: Limits) -> Template:
    source = Source(text, name)
    try:
        return Template(source, Compiler(parse(source, limits), limits).compile(), escaping, limits)
    except (RecursionError, MemoryError):
        raise TemplateSyntaxError([source.problem(0, "the template is too large or nested too deep")]) from None
