"""Functions of texts."""

from headrace.mapping.calculated.registry import function
from headrace.mapping.calculated.values import CalculationError, Effort, Value, list_of, text_of, whole_of
from headrace.template.patterns import finder


@function(
    "concat",
    takes=("text…",),
    gives="text",
    examples=(('concat("Hi, ", "there", "!")', "Hi, there!"), ('concat("a", null, 1)', "a1"), ("concat(null)", None)),
)
def concat(effort: Effort, *values: Value) -> str | None:
    """Put texts together. Nulls are left out; of nothing but nulls it is null."""
    parts = [text_of(value, effort) for value in values if value is not None]
    effort.charge(sum(map(len, parts)))
    return "".join(parts) if parts else None


@function("ucase", "upper", takes=("text",), gives="text", of_text=True, examples=(('ucase("Zoë")', "ZOË"),))
def ucase(effort: Effort, text: str) -> str:
    """Write a text in capital letters."""
    effort.charge(3 * len(text))
    return text.upper()


@function("lcase", "lower", takes=("text",), gives="text", of_text=True, examples=(('lcase("ZOË")', "zoë"),))
def lcase(effort: Effort, text: str) -> str:
    """Write a text in small letters."""
    effort.charge(3 * len(text))
    return text.lower()


@function("trim", takes=("text",), gives="text", of_text=True, examples=(('trim("  a b ")', "a b"),))
def trim(effort: Effort, text: str) -> str:
    """Take the white space away around a text."""
    effort.charge(len(text))
    return text.strip()


@function("ltrim", takes=("text",), gives="text", of_text=True, examples=(('ltrim(" a ")', "a "),))
def ltrim(effort: Effort, text: str) -> str:
    """Take the white space away before a text."""
    effort.charge(len(text))
    return text.lstrip()


@function("rtrim", takes=("text",), gives="text", of_text=True, examples=(('rtrim(" a ")', " a"),))
def rtrim(effort: Effort, text: str) -> str:
    """Take the white space away behind a text."""
    effort.charge(len(text))
    return text.rstrip()


@function(
    "substr",
    takes=("text", "start", "length?"),
    gives="text",
    of_text=True,
    examples=(('substr("This is a substring test", 7, 8)', " a subst"), ('substr("abc", 1)', "bc")),
)
def substr(effort: Effort, text: str, start: Value, length: Value = None) -> str:
    """Cut a piece out of a text. Places are counted from 0; what reaches beyond the end ends there."""
    effort.charge(len(text))
    begin = max(whole_of(start, "`substr`"), 0)
    return text[begin:] if length is None else text[begin : begin + max(whole_of(length, "`substr`"), 0)]


@function("left", takes=("text", "count"), gives="text", of_text=True, examples=(('left("abcde", 2)', "ab"),))
def left(effort: Effort, text: str, count: Value) -> str:
    """Take the first characters of a text."""
    effort.charge(len(text))
    return text[: max(whole_of(count, "`left`"), 0)]


@function("right", takes=("text", "count"), gives="text", of_text=True, examples=(('right("abcde", 2)', "de"),))
def right(effort: Effort, text: str, count: Value) -> str:
    """Take the last characters of a text."""
    effort.charge(len(text))
    return text[max(len(text) - max(whole_of(count, "`right`"), 0), 0) :]


@function(
    "replace",
    "replacestr",
    takes=("text", "find", "by"),
    gives="text",
    of_text=True,
    examples=(('replace("a-b-c", "-", ".")', "a.b.c"), ('replace("a", "", "x")', "a")),
)
def replace(effort: Effort, text: str, find: Value, by: Value) -> str:
    """Put another text in all the places where one is found."""
    wanted, other = text_of(find, effort), "" if by is None else text_of(by, effort)
    if not wanted:
        return text
    effort.charge(len(text) + text.count(wanted) * len(other))
    return text.replace(wanted, other)


@function(
    "split",
    takes=("text", "separators"),
    gives="array",
    of_text=True,
    examples=(('split("Hello world", " ")', ["Hello", "world"]), ('split("a,b;;c", ",;")', ["a", "b", "c"])),
)
def split(effort: Effort, text: str, separators: Value) -> list[str]:
    """Cut a text where any of the separating characters stands. Empty pieces are left out; see `explode`."""
    marks = text_of(separators, effort)
    if not marks:
        raise CalculationError("`split` takes at least one separating character")
    effort.charge(len(text))
    for mark in marks[1:]:
        effort.work(len(text))
        text = text.replace(mark, marks[0])
    effort.collection(text.count(marks[0]) + 1)
    return [piece for piece in text.split(marks[0]) if piece]


@function(
    "explode",
    takes=("text", "pattern?"),
    gives="array",
    of_text=True,
    examples=(('explode("a,,b")', ["a", "", "b"]), (r'explode("id1|id2", "\\|")', ["id1", "id2"])),
)
def explode(effort: Effort, text: str, pattern: Value = ",") -> list[str]:
    """Cut a text where a regular expression matches; without one, at commas. Empty pieces stay."""
    compiled = finder(text_of(pattern, effort))
    effort.first_use(text_of(pattern, effort), compiled.steps_to_read)
    effort.charge(len(text))
    pieces, position = [], 0
    for start, end in compiled.find(text, effort):
        if end > start:
            effort.collection(1)
            pieces.append(text[position:start])
            position = end
    return [*pieces, text[position:]]


@function(
    "matches_regex",
    takes=("text", "pattern"),
    gives="truth",
    of_text=True,
    examples=(('matches_regex("A-17", "[A-Z]-[0-9]+")', True), ('matches_regex("xA-17", "[A-Z]-[0-9]+")', False)),
)
def matches_regex(effort: Effort, text: str, pattern: Value) -> bool:
    """Say whether the whole text matches a regular expression."""
    whole = f"^(?:{text_of(pattern, effort)})$"
    compiled = finder(whole)
    effort.first_use(whole, compiled.steps_to_read)
    return any(span == (0, len(text)) for span in compiled.find(text, effort))


@function(
    "instr",
    takes=("text", "find", "start?"),
    gives="number",
    of_text=True,
    examples=(('instr("adobe.com", "com")', 6), ('instr("abcabc", "a", 1)', 3), ('instr("abc", "x")', -1)),
)
def instr(effort: Effort, text: str, find: Value, start: Value = 0) -> int:
    """Say at which place a text is found in another, counted from 0; -1 if it is not."""
    effort.work(len(text))
    return text.find(text_of(find, effort), max(whole_of(start, "`instr`"), 0))


@function(
    "lpad",
    takes=("text", "length", "padding"),
    gives="text",
    of_text=True,
    examples=(('lpad("bat", 8, "yz")', "yzyzybat"), ('lpad("bat", 2, "y")', "bat")),
)
def lpad(effort: Effort, text: str, length: Value, padding: Value) -> str:
    """Fill a text up at its beginning, to a length."""
    return _filling(effort, text, length, padding) + text


@function(
    "rpad",
    takes=("text", "length", "padding"),
    gives="text",
    of_text=True,
    examples=(('rpad("bat", 8, "yz")', "batyzyzy"),),
)
def rpad(effort: Effort, text: str, length: Value, padding: Value) -> str:
    """Fill a text up at its end, to a length."""
    return text + _filling(effort, text, length, padding)


@function(
    "equals",
    takes=("text", "other"),
    gives="truth",
    examples=(('"a".equals("a")', True), ('equals("a", "A")', False), ("equals(null, null)", True)),
)
def equals(effort: Effort, text: Value, other: Value) -> bool:
    """Say whether two texts are the same."""
    return _written(text, effort) == _written(other, effort)


@function(
    "equalsIgnoreCase",
    takes=("text", "other"),
    gives="truth",
    examples=(('"a".equalsIgnoreCase("A")', True), ('equalsIgnoreCase("a", "b")', False)),
)
def equals_ignore_case(effort: Effort, text: Value, other: Value) -> bool:
    """Say whether two texts are the same but for small and capital letters."""
    one, two = _written(text, effort), _written(other, effort)
    return one == two if one is None or two is None else one.casefold() == two.casefold()


@function(
    "join",
    takes=("separator", "array"),
    gives="text",
    examples=(('join(" ", ["Hello", "world"])', "Hello world"),),
)
def join(effort: Effort, separator: Value, array: Value) -> str:
    """Write the items of a list as one text, with a separator between them. Nulls are left out."""
    between = "" if separator is None else text_of(separator, effort)
    parts = [text_of(item, effort) for item in list_of(array, "`join`") if item is not None]
    effort.charge(sum(map(len, parts)) + len(parts) * len(between))
    return between.join(parts)


def _filling(effort: Effort, text: str, length: Value, padding: Value) -> str:
    wanted = max(whole_of(length, "padding") - len(text), 0)
    effort.charge(len(text) + wanted)
    filler = (text_of(padding, effort) if padding is not None else "") or " "
    return (filler * (wanted // len(filler) + 1))[:wanted]


def _written(value: Value, effort: Effort) -> str | None:
    return None if value is None else text_of(value, effort)
