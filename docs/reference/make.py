"""
Makes the pages that say what the code says: every block with its fields, and every code that a problem may have.

    python docs/reference/make.py            writes the pages
    python docs/reference/make.py --count    says how much there is

``tests/docs/test_reference.py`` fails where a page is not what this would write.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from headrace.mapping.calculated import GROUPS
from headrace.mapping.calculated.registry import NOT_OFFERED, Function, functions
from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import Block, rules_of
from headrace.model.codes import CODES, Code
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.destination_server import DestinationServer
from headrace.model.text import TemplatedText

HERE = Path(__file__).parent
ROOTS: dict[str, type[Block]] = {
    "/authoring/destinations": Destination,
    "/authoring/destination-servers": DestinationServer,
    "/authoring/audience-templates": AudienceTemplate,
    "/authoring/credentials": Credentials,
}
MADE = "<!-- Made by docs/reference/make.py from what the code says. To change a text, change it there. -->\n"
CONFIGURATION = """
# Configuration

Every block of the four objects that a destination is made of, with every field. Names and values are those of the
original, and their case counts. What Headrace adds stands under `x-headrace`. A field that is not known is refused,
with the nearest name that is; what else can be wrong is [in a table of its own](problems.md).
"""
PROBLEMS = """
# Problems of a configuration

Whatever is wrong with a configuration is told at once, each problem with its code, the JSON pointer of the place, and
a sentence with the way out. Codes do not change. An *error* keeps the object from being kept; a *warning* comes back
under `x-headrace` with the object that was kept. What is marked † is only a warning with `?strict=false`.
"""


MAPPING_FUNCTIONS = """
# Mapping functions

A row of the mapping whose `sourceType` is `text/x.aep-xl` or `EXPRESSION` has a *calculated field* as its source: a
value that is computed from the person. The language is that of data preparation in the original.

    iif(loyalty.points > 1000, ucase(loyalty.tier), "none")
    array_to_string("_", transformArray(organizations, org -> org.name))
    sha256(lcase(trim(personalEmail.address)))

## The language

- A name is an attribute of the person; `person.name`, `orders[0]` and `orders[size_of(orders) - 1]` lead into it.
  What is not there is null. A name leads into every object of a list: `orders.id` is a list.
- A name that is not made of letters, digits, `_` and `$`, or that is a word of the language, is written `${{First
  Name}}`.
- Texts stand in double or single quotes, with `\\` before a quote. `true`, `false`, `null`, numbers, and lists as
  `[1, 2]` are written as in JSON.
- Operators, from the loosest: `||` `or`; `&&` `and`; `==` `!=` `eq` `ne`; `<` `>` `<=` `>=` `lt` `gt` `le` `ge`;
  `+` `-`; `*` `/` `%` `div` `mod`; `!` `not` and a minus before a value. `+` puts texts together. Whole numbers
  stay whole when they are divided. With null, a computation is null and an order is false.
- `x -> x.name` is what is done with each item of a list.
- `text.f(other)` is `f(text, other)`.

Functions of texts take numbers and truth values as well, and null gives null. A field that fails on a person's
data, as when it divides by zero, is absent for that person, and counted: `headrace_values_left_out_values_total`. A
message carries texts, numbers and truth values; a list or an object goes where the author declares the attribute as
`object`, and has to be made a text for all others. A field takes a bounded number of steps, and makes at most 256
thousand characters.

{}
"""


#: What values of Python are called in JSON.
KINDS: dict[Any, str] = {
    str: "text",
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    Any: "any JSON",
}


def blocks_below(root: type[Block]) -> list[type[Block]]:
    """Return a block and all that it holds, each once, in the order in which a reader meets them."""
    found: dict[type[Block], None] = {}
    waiting = [root]
    while waiting:
        block = waiting.pop(0)
        if block not in found:
            found[block] = None
            waiting += [inner for field in block.model_fields.values() for inner in _blocks_in(field.annotation)]
    return list(found)


def all_blocks() -> list[type[Block]]:
    """Return every block of a configuration; one that several objects hold is listed with the first."""
    return list(dict.fromkeys(block for root in ROOTS.values() for block in blocks_below(root)))


def configuration() -> str:
    """Write the page of blocks and fields."""
    parts, told = [MADE, CONFIGURATION], set[type[Block]]()
    for path, root in ROOTS.items():
        parts.append(f"\nSent to `{path}`: [{root.__name__}](#{root.__name__.lower()}).\n")
    for root in ROOTS.values():
        for block in blocks_below(root):
            if block not in told:
                told.add(block)
                parts.append(_section(block, "##" if block is root else "###"))
    return "".join(parts)


def problems() -> str:
    """Write the page of codes."""
    rows = [
        f"| `{name}` | {_severity(code)} | {code.meaning} | {code.way_out} |" for name, code in sorted(CODES.items())
    ]
    table = ["| code | severity | means | what to do |", "|---|---|---|---|", *rows]
    return MADE + PROBLEMS + "\n" + "\n".join(table) + "\n"


def mapping_functions() -> str:
    """Write the page of the functions of calculated fields."""
    reasons: dict[str, list[str]] = {}
    for name, reason in NOT_OFFERED.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    missing = " ".join(f"{', '.join(names)} are not offered: {reason}." for reason, names in reasons.items())
    parts = [MADE, MAPPING_FUNCTIONS.format(missing)]
    for group in GROUPS:
        about = (group.__doc__ or "").strip().splitlines()[0]
        parts.append(f"\n## {about.removesuffix('.')}\n\n| function | does | for example |\n|---|---|---|\n")
        of_group = [item for item in functions.values() if item.implementation.__module__ == group.__name__]
        by_name = sorted(
            {item.implementation: item for item in reversed(of_group)}.values(), key=lambda item: item.name
        )
        parts += map(_function_row, by_name)
    return "".join(parts)


def _function_row(function: Function) -> str:
    others = [name for name, item in functions.items() if item.implementation is function.implementation]
    also = "".join(f", `{name}`" for name in others if name != function.name)
    examples = "<br>".join(
        f"`{text} = {json.dumps(result, ensure_ascii=False)}`" for text, result in function.examples
    ).replace("|", "\\|")
    return f"| `{function.signature}`{also} | {function.about} | {examples} |\n"


PAGES = {"configuration.md": configuration, "problems.md": problems, "mapping-functions.md": mapping_functions}


def counts() -> dict[str, int]:
    """Say how much there is of what."""
    blocks = all_blocks()
    return {
        "blocks": len(blocks),
        "fields": sum(len(block.model_fields) for block in blocks),
        "rules within a block": sum(len(rules_of(block)) for block in blocks),
        "codes of errors": sum(code.severity == "error" for code in CODES.values()),
        "codes of warnings": sum(code.severity == "warning" for code in CODES.values()),
    }


def _section(block: type[Block], marks: str) -> str:
    rows = [_row(block, name, field) for name, field in block.model_fields.items()]
    head = ["| field | type | default | meaning |", "|---|---|---|---|"]
    text = " ".join((block.__doc__ or "").split())
    ignored = ", ".join(f"`{name}`" for name in sorted(block.ignored))
    extra = f"\nTaken, and of no effect: {ignored}.\n" if ignored else ""
    return f"\n{marks} {block.__name__}\n\n{text}\n\n" + "\n".join([*head, *rows]) + "\n" + extra


def _row(block: type[Block], name: str, field: FieldInfo) -> str:
    wire = field.alias or name
    former = [f"`{old}`" for old, new in block.old_names.items() if new == wire]
    meaning = (field.description or "") + (f" Once called {' or '.join(former)}." if former else "")
    cells = [f"`{wire}`", _type(field.annotation, field.metadata), _default(field), meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, TemplatedText):
        return _literal(value.value)
    if value is None or isinstance(value, Block) or value in ((), {}):
        return ""
    return _literal(value)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    text = {"": "the empty text", "\0": "U+0000", "\n": "a line feed"}.get(str(value))
    return text or f"`{value}`"


def _type(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> str:
    """Say what a field holds, as a person would."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0], [*arguments[1:], *metadata])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(one, metadata) for one in arguments if one is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in arguments)
    if origin is tuple:
        return f"list{_length(metadata)} of: {_type(arguments[0])}"
    if origin is dict:
        return f"map of: {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return KINDS[annotation] + _bounds(metadata)


def _bounds(metadata: list[Any] | tuple[Any, ...]) -> str:
    least = next((item.ge for item in metadata if isinstance(item, Ge)), None)
    most = next((item.le for item in metadata if isinstance(item, Le)), None)
    if least is not None:
        return f", {least} to {most}" if most is not None else f", at least {least}"
    return ", not empty" if any(isinstance(item, MinLen) for item in metadata) else ""


def _length(metadata: list[Any] | tuple[Any, ...]) -> str:
    most = next((item.max_length for item in metadata if isinstance(item, MaxLen)), None)
    return f" (at most {most})" if most is not None else ""


def _severity(code: Code) -> str:
    return f"{code.severity} †" if code.forgiven else code.severity


def _blocks_in(annotation: Any) -> Iterator[type[Block]]:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        yield annotation
    for argument in get_args(annotation):
        yield from _blocks_in(argument)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").strip().split("\n")[0])
    arguments.add_argument("--count", action="store_true", help="say how much there is, and write nothing")
    if arguments.parse_args().count:
        for what, number in counts().items():
            print(f"{number:5} {what}")
        return
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
