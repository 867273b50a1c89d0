import copy
import html
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import template
from headrace.errors import AuthoringError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
FILTERS = st.sampled_from(
    ["upper", "lower", "trim", "title", "capitalize", "nl2br", "urlencode", "base64encode", "raw"]
)
EVERYTHING = (
    "{% set v = v | default([]) %}{{ v }}{{ v | toJson }}{{ v | length }}{% set w = {'a': v} %}"
    "{% set w = w | merge(w) %}"
    "{{ w }}{% for e in w %}{{ e.key }}{{ e.value }}{% set e = 1 %}{% endfor %}{{ [v, v] | reverse | first }}"
)


@given(JSON)
def test_rendering_never_changes_the_data(value: Any) -> None:
    context = {"v": value}
    before = copy.deepcopy(context)

    template.compile(EVERYTHING).render(context)

    assert context == before


@given(JSON)
def test_the_same_template_and_data_give_the_same_bytes(value: Any) -> None:
    first, second = (template.compile(EVERYTHING).render({"v": copy.deepcopy(value)}) for _ in range(2))
    assert first == second


@given(st.text())
def test_html_escaping_can_be_undone(value: str) -> None:
    assert html.unescape(template.compile("{{ v }}").render({"v": value.replace("\r", "")})) == html.unescape(
        html.escape(value.replace("\r", ""))
    )


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20), st.lists(FILTERS, min_size=1, max_size=3)
)
def test_a_chain_of_filters_is_nested_filter_blocks(value: str, names: list[str]) -> None:
    chain = "{{ (a ~ '') | " + " | ".join(names) + " }}"
    nested = "{{ a }}"
    for name in names:
        nested = "{% filter " + name + " %}" + nested + "{% endfilter %}"
    joined = "{% filter " + " | ".join(names) + " %}{{ a }}{% endfilter %}"

    shown = [template.compile(text).render({"a": value}) for text in (chain, nested, joined)]

    assert shown[0] == shown[2]
    if "raw" not in names:
        assert shown[1] == shown[0]


@given(st.lists(st.sampled_from(["a", " ", "\n", "\t", "{{ x }}", "{{- x -}}", "{%- if true -%}", "{% endif %}"])))
def test_white_space_control_removes_only_white_space(pieces: list[str]) -> None:
    text = "".join(pieces)
    text += "{% endif %}" * (text.count("{%- if") - text.count("{% endif"))
    plain = text.replace("{{- ", "{{ ").replace(" -}}", " }}").replace("{%- ", "{% ").replace(" -%}", " %}")
    try:
        shown, whole = (template.compile(t).render({"x": "X"}) for t in (text, plain))
    except template.TemplateSyntaxError:
        return
    assert "".join(shown.split()) == "".join(whole.split())


def test_a_template_says_what_it_reads() -> None:
    compiled = template.compile(
        "{{ customerData.region }}{% for p in input.profiles %}{{ p.a.b }}{% set q = p %}{{ q.c }}"
        "{{ destination.segmentAliases[p.key].x }}{% endfor %}{{ input['profile'].attributes.city }}"
        "{% set v = own.x %}{{ v.y }}{{ xs[0].id }}{{ authData | length }}{{ m.size() }}"
        "{% if maybe %}{% set w = 1 %}{% endif %}{{ w }}"
    )
    assert compiled.reads == {
        ("customerData", "region"),
        ("input", "profiles"),
        ("destination", "segmentAliases"),
        ("input", "profile", "attributes", "city"),
        ("own", "x"),
        ("xs",),
        ("authData",),
        ("m",),
        ("maybe",),
        ("w",),
    }


def test_a_name_that_is_set_before_is_not_read_from_the_data() -> None:
    assert template.compile("{% set a = 1 %}{{ a.b }}{% for a in a %}{{ a.c }}{% endfor %}").reads == frozenset()


def test_the_same_text_and_settings_give_the_same_template() -> None:
    assert template.compile("{{ a }}") is template.compile("{{ a }}")
    assert template.compile("{{ a }}") is not template.compile("{{ a }}", escaping="json")
    assert template.compile("{{ a }}") is not template.compile("{{ a }}", limits=template.Limits(steps=5))


@pytest.mark.parametrize(
    ("escaping", "expected"),
    [("html", "&lt;&quot;&gt;"), ("json", r"<\">"), ("none", '<">')],
    ids=["html", "json", "none"],
)
def test_escaping_is_chosen_for_the_whole_template(escaping: str, expected: str) -> None:
    assert template.compile("{{ v }}", escaping=escaping).render({"v": '<">'}) == expected


def test_there_is_no_other_escaping() -> None:
    with pytest.raises(ValueError, match="html, json, none"):
        template.compile("", escaping="xml")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a\n\nb {{ v | abs }}", 3, 10),
        ("{{ ok }}{{ ok ~ (v\n * 2) }}", 2, 2),
        ("{% if ok %}\n{% for x in [1] %}\n{% if v > 1 %}x{% endif %}{% endfor %}{% endif %}", 3, 9),
        ("{% for x in v %}\n{% endfor %}", 1, 13),
        ("{% set a = 1 / 0 %}", 1, 14),
        ("{% filter upper | slice(5, 1) %}x{% endfilter %}", 1, 19),
        ("{{ ok ? v.nope() : 1 }}", 1, 11),
        ("{{ ok }} {% if ok %}{{ ok }}{% else %}{{ 1 }}{% endif %}{% if [] %}{% endif %}", 1, 63),
        ('{{ "a#{ v | abs }" }}', 1, 13),
    ],
)
def test_an_error_names_the_place(text: str, line: int, column: int) -> None:
    compiled = template.compile(text, name="body")

    with pytest.raises(template.TemplateError) as caught:
        compiled.render({"v": "secret", "ok": True})

    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"body:{line}:{column}: ")
    assert caught.value.problems[0].source_line == text.split("\n")[line - 1]
    assert "secret" not in str(caught.value)


def test_errors_are_the_authors_and_travel_between_processes() -> None:
    with pytest.raises(template.TemplateSyntaxError) as syntax:
        template.compile("{{ 1 2 }}{{ x | no }}")
    with pytest.raises(template.TemplateError) as rendering:
        template.compile("{{ 'x' * 2 }}{{ 1/0 }}").render({})
    for error in (syntax.value, rendering.value):
        assert isinstance(error, AuthoringError)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.message, again.problems) == (type(error), error.message, error.problems)


def test_data_that_is_not_json_is_refused_by_kind() -> None:
    with pytest.raises(template.TemplateError, match="not plain data cannot be printed"):
        template.compile("{{ v }}").render({"v": object()})


def test_a_template_keeps_its_name_and_text() -> None:
    compiled = template.compile("x", name="body")
    assert (compiled.name, compiled.text, compiled.escaping) == ("body", "x", "html")


def test_what_the_operator_entered_prints_in_the_form_of_a_map_of_the_template() -> None:
    context = {"customerData": {"region": "EU", "x": ["a", {"b": None}]}, "destination": {"config": {"k": [1]}}}
    text = (
        "{{ customerData }} {{ customerData.x }} {{ destination.config }} {% set c = customerData %}{{ c }}"
        " {{ destination | raw }}"
    )
    assert template.compile(text).render(context) == (
        '{region=EU, x=[a, {b=null}]} [a, {b=null}] {k=[1]} {region=EU, x=[a, {b=null}]} {"config":{"k":[1]}}'
    )
