"""The compiled function against an interpreter that does the same in the simplest way: no cleverness may show."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import template
from headrace.template import nodes, operators, runtime
from headrace.template.conditions import is_empty
from headrace.template.engine import compile_template
from headrace.template.escaping import printer
from headrace.template.filters import upper
from headrace.template.limits import DEFAULT_LIMITS, Meter
from headrace.template.parser import parse
from headrace.template.source import Source
from headrace.template.values import RenderError, TemplateMap

PRINT = {True: printer("html", 10**6), False: printer("none", 10**6)}


class Interpreter:
    """Renders by walking the tree, with a list of maps for the scopes."""

    def __init__(self, context: dict[str, Any]) -> None:
        self.scopes: list[dict[str, Any]] = [dict(context)]
        self.meter = Meter(DEFAULT_LIMITS, compile_template.__code__)
        self.filtered: list[str] = []

    def body(self, body: nodes.Body, *, escaping: bool) -> str:
        return "".join(piece for statement in body for piece in self.statement(statement, escaping))

    def statement(self, statement: nodes.Statement, escaping: bool) -> Iterator[str]:
        if isinstance(statement, nodes.Text):
            yield statement.value
        elif isinstance(statement, nodes.Output):
            yield self.printed(statement.value, escaping)
        elif isinstance(statement, nodes.Set):
            self.assign(statement.name, self.value(statement.value))
        elif isinstance(statement, nodes.FilterBlock):
            self.filtered.append(self.body(statement.body, escaping=False))
            yield self.printed(statement.chain, escaping)
            self.filtered.pop()
        elif isinstance(statement, nodes.If):
            chosen = next((body for test, body in statement.branches if self.truth(test)), statement.otherwise)
            yield self.body(chosen, escaping=escaping)
        else:
            yield from self.loop(statement, escaping)

    def loop(self, statement: nodes.For, escaping: bool) -> Iterator[str]:
        items = runtime.items_of(self.meter, self.value(statement.iterable))
        if items == []:
            yield self.body(statement.otherwise, escaping=escaping)
            return
        self.scopes.append({})
        for index, item in enumerate(items or []):
            self.scopes[-1]["loop"] = runtime.loop_map(index, len(items or []))
            self.scopes[-1][statement.name] = item
            yield self.body(statement.body, escaping=escaping)
        self.scopes.pop()

    def printed(self, node: nodes.Expression, escaping: bool) -> str:
        if isinstance(node, nodes.Literal):
            return PRINT[False](node.value)
        if isinstance(node, nodes.Conditional):
            branch = node.yes if self.truth(node.condition) else node.no
            if isinstance(branch, nodes.Literal):
                return PRINT[False](branch.value)
            return PRINT[escaping](self.value(branch))
        if isinstance(node, nodes.Chain) and len(node.operands) <= 2 and node.operator == "~":
            literal = all(isinstance(part, nodes.Literal) and isinstance(part.value, str) for part in node.operands)
            return PRINT[escaping and not literal](self.value(node))
        return PRINT[escaping](self.value(node))

    def read(self, name: str) -> Any:
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def assign(self, name: str, value: Any) -> None:
        scope = next((scope for scope in reversed(self.scopes) if name in scope), self.scopes[-1])
        scope[name] = value

    def truth(self, node: nodes.Expression) -> bool:
        return operators.truth(self.value(node))

    def value(self, node: nodes.Expression) -> Any:
        if isinstance(node, nodes.Literal):
            return node.value
        if isinstance(node, nodes.Name):
            return self.read(node.name)
        if isinstance(node, nodes.FilteredBody):
            return self.filtered[-1]
        if isinstance(node, nodes.Subscript):
            return runtime.subscript(self.meter, self.value(node.target), self.value(node.key))
        if isinstance(node, nodes.Unary):
            return not self.truth(node.operand)
        if isinstance(node, nodes.Conditional):
            return self.value(node.yes if self.truth(node.condition) else node.no)
        if isinstance(node, nodes.Test):
            value = self.value(node.value)
            return (is_empty(self.meter, value) if node.name == "empty" else value is not None) is not node.negated
        if isinstance(node, nodes.Binary):
            return operators.equal(self.meter, self.value(node.left), self.value(node.right))
        if isinstance(node, nodes.Filter):
            value = self.value(node.value)
            return upper(self.meter, value)
        assert isinstance(node, nodes.Chain)
        if node.operator == "and":
            return all(self.truth(part) for part in node.operands)
        if node.operator == "or":
            return any(self.truth(part) for part in node.operands)
        return operators.concatenate(self.meter, *(self.value(part) for part in node.operands))


NAMES = st.sampled_from(["a", "b", "xs", "m", "e"])
LITERALS = st.sampled_from(['"&"', "'x'", "1", "true", "null", '""'])
MEMBERS = st.sampled_from(["key", "value", "id", "index", "first", "last", "length", "revindex"])
EXPRESSIONS = st.recursive(
    LITERALS
    | NAMES
    | st.just("loop.last")
    | st.just("loop.index")
    | st.builds("{}.{}".format, NAMES | st.just("loop"), MEMBERS),
    lambda inner: (
        st.builds("({})[{}]".format, inner, inner)
        | st.builds("not ({})".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
        | st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "==", "~"]), inner)
        | st.builds("({} is {})".format, inner, st.sampled_from(["empty", "not empty", "defined"]))
        | st.builds("({} | upper)".format, inner)
    ),
    max_leaves=4,
)
SEPARATOR = "{% if not loop.last %},{% endif %}"
IF = "{{% if {} %}}{}{{% endif %}}"
IF_ELSE = "{{% if {} %}}{}{{% elseif {} %}}{}{{% else %}}{}{{% endif %}}"
FOR = "{{% for {} in {} %}}{}{{% endfor %}}"
FOR_ELSE = "{{% for {} in {} %}}{}" + SEPARATOR.replace("{", "{{").replace("}", "}}") + "{{% else %}}{}{{% endfor %}}"
STATEMENTS = st.recursive(
    st.just("<t%>")
    | st.builds("{{{{ {} }}}}".format, EXPRESSIONS)
    | st.builds("{{% set {} = {} %}}".format, NAMES, EXPRESSIONS),
    lambda inner: (
        st.builds(IF.format, EXPRESSIONS, inner)
        | st.builds(IF_ELSE.format, EXPRESSIONS, inner, EXPRESSIONS, inner, inner)
        | st.builds(FOR.format, NAMES, NAMES | EXPRESSIONS, inner)
        | st.builds(FOR_ELSE.format, NAMES, NAMES, inner, inner)
        | st.builds("{{% filter upper %}}{}{{% endfilter %}}".format, inner)
        | st.lists(inner, min_size=2, max_size=3).map("".join)
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1.5, "", "a", "<&>"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "value", "id", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CONTEXTS = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(max_examples=300)
@given(STATEMENTS, CONTEXTS)
def test_the_compiled_function_does_what_the_interpreter_does(text: str, context: dict[str, Any]) -> None:
    try:
        expected: str | None = Interpreter(context).body(parse(Source(text, "t"), DEFAULT_LIMITS), escaping=True)
    except RenderError:
        expected = None
    try:
        rendered: str | None = template.compile(text).render(context)
    except template.TemplateError:
        rendered = None
    assert rendered == expected


def render(text: str, **context: object) -> str:
    return template.compile(text).render(context)


def test_set_writes_to_the_innermost_scope_that_holds_the_name() -> None:
    text = (
        "{% for x in xs %}{% if x == 1 %}{% set a = 1 %}{% endif %}"
        "{% for y in xs %}{% set a = 2 %}{% endfor %}[{{ a }}]{% endfor %}{{ a }}"
    )
    assert render(text, xs=[0, 1, 0]) == "[][2][2]"
    assert render(text, xs=[0, 1], a=None) == "[2][2]2"


def test_a_loop_variable_hides_and_gives_back_the_outer_one() -> None:
    assert (
        render("{% set x = 9 %}{% for x in xs %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}", xs=[1, 2]) == "15259"
    )


def test_loop_can_be_used_as_a_whole() -> None:
    text = "{% for x in xs %}{{ loop[k] }}{% for y in xs %}{{ loop }}{% endfor %}{{ loop.index }};{% endfor %}"
    inner = "{index=0, length=1, first=true, last=true, revindex=0}"
    assert render(text, xs=["a"], k="length") == f"1{inner}0;"


def test_a_loop_variable_may_be_called_loop() -> None:
    assert (
        render("{% for loop in xs %}{{ loop }}{{ loop.last }}{% endfor %}", xs=["a", {"last": 1}])
        == "a{&quot;last&quot;:1}1"
    )


def test_else_of_an_inner_loop_sees_the_outer_loop() -> None:
    text = "{% for x in xs %}{% for y in none_ %}{% else %}{{ loop.index }}{{ loop.last }} {% endfor %}{% endfor %}"
    assert render(text, xs=[1, 2], none_=[]) == "0false 1true "


def test_the_deepest_expressions_that_are_read_can_be_compiled() -> None:
    for text in (
        "a" + "[a" * 62 + "]" * 62,
        "(" * 60 + "a" + " * 2)" * 60,
        "(" * 60 + "a" + " ? 1 : 2)" * 60,
        "(" * 60 + "a" + " is empty)" * 60,
        "not " * 62 + "a",
        "[" * 62 + "a" + "]" * 62,
        "{'a': " * 60 + "a" + "}" * 60,
        "(" * 60 + "a" + " and b)" * 60,
        "a" + ".b" * 62,
        "a" + " | default(b)" * 62,
    ):
        assert template.compile("{% if " + text + " %}{{ " + text + " }}{% endif %}")


def test_the_deepest_tags_that_are_read_can_be_compiled() -> None:
    text = "{% for x in xs %}" * 16 + "{% if a.b[c] is empty %}" * 48 + "x" + "{% endif %}" * 48 + "{% endfor %}" * 16
    assert template.compile(text).render({"xs": [1]}) == "x"


def test_a_percent_sign_is_only_a_percent_sign() -> None:
    assert render("%s %% {{ a }} %({% if a %}%d{{ a }}{% endif %}", a="100%") == "%s %% 100% %(%d100%"


@pytest.mark.parametrize("separator", [",", ""])
def test_a_separator_stands_between_the_items(separator: str) -> None:
    text = "{% for x in xs %}{{ x }}{% if not loop.last %}" + separator + "{% endif %}{% endfor %}"
    assert render(text, xs=["a", "b", "c"]) == separator.join("abc")
    assert render(text, xs=[]) == ""


def test_a_constant_path_is_looked_up_in_the_data_of_each_rendering() -> None:
    compiled = template.compile("{% for x in xs %}{{ d.a.b }}{% endfor %}")
    assert [compiled.render({"xs": [1, 2], "d": {"a": {"b": n}}}) for n in (1, 2)] == ["11", "22"]


def test_maps_of_the_template_are_iterated_like_those_of_the_data() -> None:
    text = "{% set m = {'a': 1, 2: 'b'} %}{% for e in m %}{{ e.key }}={{ e.value }};{% endfor %}"
    assert render(text) == "a=1;2=b;"


def test_a_list_of_objects_with_a_key_is_iterated_by_its_members() -> None:
    text = "{% for e in xs %}{{ e.key }}={{ e.value }};{% endfor %}"
    assert render(text, xs=[{"key": "k", "value": 1}, {"key": "l"}, 5]) == "k=1;l=;=;"


def test_the_whole_entry_of_a_map_can_be_used() -> None:
    assert render("{% for e in m %}{{ e }} {% set f = e %}{{ f.key }}{% endfor %}", m={"a": [1]}) == "a=[1] a"
    assert isinstance(runtime.loop_map(0, 1), TemplateMap)
