"""The compiled function against an interpreter that does the same in the simplest way: no cleverness may show."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import Interpreter

from headrace import template
from headrace.template import runtime
from headrace.template.limits import DEFAULT_LIMITS
from headrace.template.parser import parse
from headrace.template.source import Source
from headrace.template.values import RenderError, TemplateMap

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
        expected: str | None = Interpreter(context, DEFAULT_LIMITS).body(parse(Source(text, "t"), DEFAULT_LIMITS))
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
