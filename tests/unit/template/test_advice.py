"""What an author is told about a template that can be rendered and is still not right."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import template
from headrace.template.advice import CODES, SAMPLE_LIMITS, Advice, advise
from headrace.template.coverage import Traced
from headrace.template.limits import Limits
from headrace.template.parser import parse
from headrace.template.samples import Sample
from headrace.template.source import Source

CONFORMANCE = Path(__file__).parents[2] / "conformance" / "templates"
EXAMPLES = [json.loads(path.read_text()) for path in sorted(CONFORMANCE.glob("[A-Z][0-9][0-9].json"))]
DESTINATIONS = sorted((Path(__file__).parents[3] / "examples" / "destinations").glob("*.json"))
SHARED = "{% for p in input.profiles %}"


def codes(text: str, escaping: str = "json", **options: Any) -> list[str]:
    return [advice.code for advice in advise(text, escaping=escaping, **options)]


def only(text: str, escaping: str = "json", **options: Any) -> Advice:
    (found,) = advise(text, escaping=escaping, **options)
    return found


# Names --------------------------------------------------------------------------------------------------------------

UNKNOWN = {
    "{{ inptu.profile.attributes.a | toJson }}": (1, 4, "`inptu` is not a variable; did you mean `input`?"),
    "{{ profiles | toJson }}": (1, 4, "`profiles` is not a variable; did you mean `input.profiles`?"),
    "{{ identityMap | toJson }}": (1, 4, "`identityMap` is not a variable; did you mean `input.profile.identityMap`?"),
    "{{ input.profile.identitymap | toJson }}": (1, 18, "did you mean `identityMap`?"),
    "\n{{ input.aggregationKey.segmentID | toJson }}": (2, 25, "did you mean `segmentId`?"),
    "{{ destination.nmae | toJson }}": (1, 16, "`nmae` is not a member of `destination`; did you mean `name`?"),
    "{{ input.profile.identityMap.email.id | toJson }}": (1, 36, "`input.profile.identityMap.email[0].id`"),
    "{{ input.profiles.attributes | toJson }}": (1, 19, "write `input.profiles[0].attributes`, or loop over it"),
    "{{ input.profiles.atributes | toJson }}": (1, 19, "is a list and has no member `atributes`; write an index"),
    "[{% for e in input.profile.identityMap %}{% if loop.lats %}{% endif %}{% endfor %}]": (1, 53, "mean `last`?"),
    "[{% for e in input.profile.identityMap %}{{ e.id | toJson }}{% if not loop.last %},{% endif %}{% endfor %}]": (
        1, 47, "`id` is not a member of `e`; these are: key, value",
    ),
    "[{% for s in input.profile.segmentMembership.ups | added %}{{ s.value.stat | toJson }}"
    "{% if not loop.last %},{% endif %}{% endfor %}]": (1, 71, "did you mean `status`?"),
    "[{% for s in addedSegments(input.profile.segmentMembership) %}{{ s.namespce | toJson }}"
    "{% if not loop.last %},{% endif %}{% endfor %}]": (1, 68, "did you mean `namespace`?"),
    "{{ input.aggregationKey.segmentStatus.name | toJson }}": (1, 39, "is a text and has no member `name`"),
    "{% set p = input.profile %}{{ p.attribtes | toJson }}": (1, 33, "did you mean `attributes`?"),
    "{{ (input.profile.identityMap.email | first).idd | toJson }}": (1, 46, "did you mean `id`?"),
}  # fmt: skip


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_name_that_means_nothing_is_told_with_the_nearest_that_does(text: str) -> None:
    line, column, message = UNKNOWN[text]
    found = next(advice for advice in advise(text, escaping="json") if advice.code.startswith("unknown"))
    assert (found.problem.line, found.problem.column) == (line, column)
    assert message in found.problem.message


@pytest.mark.parametrize(
    "expression",
    [
        "input.profile.attributes.anything.value", "customerData.anything.below", "authData.clientId",
        "destination.config.domain", "input.profile.identityMap['any ns'][0].id", "message.id", "message.attempt",
        "destination.namespaceSegmentAliases.ups['s-1']", "destination.segmentTimestamps['s-1'].createdAt",
        "input.profile.segmentMembership.AAM.s1.lastQualificationTime", "input.profiles.size", "input.profiles[0]",
        "(input.profile.attributes.a | default('x')).length", "input.aggregationKey.identityNamespaces[0]",
    ],
)  # fmt: skip
def test_what_the_data_has_or_may_have_is_known(expression: str) -> None:
    assert codes("{{ " + expression + " | toJson }}") == []


def test_a_variable_of_a_loop_is_told_to_be_forgotten_behind_it() -> None:
    text = '{% for p in input.profiles %}{% set n = "1" %}{% endfor %}[{{ n | toJson }}, {{ p | toJson }}]'
    first, second = advise(text, escaping="json")
    assert (first.code, second.code) == ("out-of-scope", "out-of-scope")
    assert "`n` is set in a loop and forgotten at its end; set it before the loop" in first.problem.message
    assert "`p` is the variable of a loop and forgotten at its end" in second.problem.message


def test_a_variable_that_is_set_later_in_its_loop_is_known() -> None:
    text = (
        "[{% for p in input.profiles %}{% if seen %},{% endif %}{% set seen = true %}{{ p.attributes | toJson }}"
        "{% endfor %}]"
    )
    assert codes(text) == []


def test_what_the_authors_own_data_holds_is_known() -> None:
    own = Sample("own.json", {"extra": 1, "input": {"profile": {"loyalty": {"tier": "x"}}, "profiles": [{"x": 1}]}})
    text = "[{{ extra }}, {{ input.profile.loyalty.tier | toJson }}, {{ input.profiles[0].x | toJson }}]"
    assert [code for code in codes(text, contexts=[own]) if code.startswith("unknown")] == []


# JSON ---------------------------------------------------------------------------------------------------------------

INSIDE = '{"a": "{{ customerData.a }}"}'


@pytest.mark.parametrize(
    ("text", "escaping", "expected"),
    [
        (INSIDE, "html", ["json-escaping"]),
        (INSIDE, "none", ["json-escaping"]),
        (INSIDE, "json", []),
        ('{"a": "{{ customerData.a | raw }}"}', "json", ["json-escaping"]),
        ('{"a": "{{ customerData.a | escape }}"}', "json", ["json-escaping"]),
        ('{"a": "{{ customerData.a | escape("json") }}"}', "html", []),
        ('{"a": "{{ customerData.a | urlencode }}"}', "html", []),
        ('{"a": "{{ customerData.a | toJson }}"}', "html", ["json-quotes"]),
        ('{"a": {{ customerData.a | toJson }}}', "html", []),
        ('{"a": {{ customerData.a | toJson | raw }}}', "html", []),
        ('{"a": {{ customerData.a }}}', "html", ["json-bare-value"]),
        ('{"a": {{ input.profiles | length }}}', "html", []),
        ('{"a": {{ customerData.a == "x" }}}', "html", []),
        ('{"a": {{ true }}, "b": "{{ 5 }}", "c": "{{ "fixed" }}"}', "html", []),
        ('{"a": {{ input.profile }}}', "html", ["json-bare-value"]),
        ("{{ input.profile | raw }}", "html", []),
        ('{"a": "{{ customerData.a is empty ? "none" : customerData.a }}"}', "html", ["json-escaping"]),
        ('{"a": "{{ customerData.a is empty ? "none" : "some" }}"}', "html", []),
        ('{% set a = "add" %}{% if customerData.b %}{% set a = "remove" %}{% endif %}{"a": "{{ a }}"}', "html", []),
        ('{% set a = "x" ~ customerData.b %}{"a": "{{ a }}"}', "html", ["json-escaping"]),
        ('{"status": "{{ input.aggregationKey.segmentStatus }}", "at": "{{ message.id }}"}', "html", []),
        ('{"q": "say \\"{{ customerData.a }}\\""}', "html", ["json-escaping"]),
        ('{{% filter raw %}}"{}"{{% endfilter %}}'.format("{{ customerData.a | escape('json') }}"), "html", []),
    ],
)
def test_what_is_printed_into_json_is_escaped_for_json(text: str, escaping: str, expected: list[str]) -> None:
    assert codes(text, escaping) == expected


def test_the_ways_out_are_named() -> None:
    message = only(INSIDE, "html").problem.message
    for way in ('`x-headrace: {"escaping": "json"}`', '`| escape("json")`', "`{{ value | toJson }}`"):
        assert way in message


def test_other_types_than_json_may_be_anything() -> None:
    assert codes("a={{ customerData.a }},", "html", content_type="application/x-www-form-urlencoded") == []
    assert codes(INSIDE, "html", content_type="application/vnd.api+json; charset=utf-8") == ["json-escaping"]


def test_one_mistake_in_many_places_is_told_once() -> None:
    found = only('{"a": "{{ customerData.a }}", "b": "{{ customerData.b }}",\n"c": "{{ customerData.c }}"}', "html")
    assert (found.problem.line, found.problem.column, found.also) == (1, 11, ((1, 40), (2, 10)))
    assert "rendered to" not in found.problem.message
    assert "\\" in found.rendered


# Commas -------------------------------------------------------------------------------------------------------------

ITEM = "{{ x.key | toJson }}"
OVER = "{% for x in input.profile.identityMap %}"
LAST = "{% if not loop.last %},{% endif %}"
NESTED = (
    '{% for n in input.profile.segmentMembership %}{% for s in n.value %}{% if s.value.status == "realized" %}'
    "{% if any %},{% endif %}{% set any = true %}{{ s.key | toJson }}{% endif %}{% endfor %}{% endfor %}"
)
SEPARATED = OVER + "{{ sep | raw }}" + ITEM + '{% set sep = "," %}{% endfor %}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"[{OVER}{ITEM}{LAST}{{% endfor %}}]", ""),
        (f"[{OVER}{ITEM},{{% endfor %}}]", "comma-trailing"),
        (f"[{OVER},{ITEM}{{% endfor %}}]", "comma-trailing"),
        (f"[{OVER}{ITEM}\n{{% endfor %}}\n]", "comma-missing"),
        (f"[{OVER}{{% if x.key != 'a' %}}{ITEM}{{% endif %}}{LAST}{{% endfor %}}]", "comma-without-item"),
        (f"[{NESTED}]", "comma-forgotten"),
        (f"{{% set any = false %}}[{NESTED}]", ""),
        (f"[{SEPARATED}]", ""),
        (f"{{% set sep = '' %}}[{OVER}{{{{ sep }}}}{{% if x.key != 'a' %}}{ITEM}{{% endif %}}"
         "{% set sep = ',' %}{% endfor %}]", "comma-without-item"),
        (f"[{OVER}{{% if seen %}},{{% endif %}}{{% set seen = true %}}{{% for i in x.value %}}{{{{ i.id | toJson }}}}"
         f"{LAST}{{% endfor %}}{{% endfor %}}]", ""),
        ("[{% for n in ['x', 'y'] %}{% if seen %},{% endif %}{% set seen = true %}"
         "{% for i in input.profile.identityMap[n] %}{{ i.id | toJson }}" + LAST + "{% endfor %}{% endfor %}]",
         "comma-without-item"),
        (f'{{"a": "{OVER}{{{{ x.key }}}},{{% endfor %}}"}}', ""),
        (f"[{OVER}{ITEM},{{% endfor %}}null]", ""),
    ],
    ids=["last", "trailing", "leading", "missing", "conditional item", "forgotten flag", "flag before", "separator",
         "raised early", "identities are never empty", "flag beside an inner loop", "in a string", "closed by null"],
)  # fmt: skip
def test_commas_of_loops(text: str, expected: str) -> None:
    found = [code for code in codes(text) if code != "json-invalid"]
    assert found == ([expected] if expected else [])


# Samples ------------------------------------------------------------------------------------------------------------


def test_what_is_rendered_is_json_for_every_sample() -> None:
    found = only("{% if input.profile.identityMap is empty %}\n{oops}{% else %}{}{% endif %}")
    assert (found.code, found.problem.line, found.problem.column) == ("json-invalid", 2, 2)
    assert "the sample " in found.problem.message
    assert found.rendered == "{oops}\n ^"


def test_a_template_that_fails_for_a_sample_is_told_where() -> None:
    found = only("[\n{{ (1 + input.profile.attributes.age.value) | toJson }}]")
    assert (found.code, found.problem.line) == ("render-fails", 2)
    assert found.problem.message.startswith('rendering the sample "the smallest" fails: ')


@pytest.mark.parametrize(
    "text",
    [
        '{"n": {{ customerData.limit * 2 }}, "big": {{ customerData.limit > 100 }}}',
        '{"d": "{{ customerData.since | date("yyyy", existingFormat="dd.MM.yyyy") }}"}',
        '{"p": "{{ customerData.price | numberformat("0.00") }}"}',
    ],
)
def test_samples_hold_what_the_template_takes_values_for(text: str) -> None:
    assert codes(text) == []


def test_branches_that_compare_are_met() -> None:
    text = (
        '{% if customerData.region == "EU" %}1{% elseif customerData.region == "US" %}2{% else %}3{% endif %}'
        '{% if input.profile.attributes.tier.value == "gold" %}1{% endif %}'
        "{% if customerData.limit > 100 %}1{% else %}2{% endif %}"
        "{% for n in ['crm', 'x'] %}{% for i in input.profile.identityMap[n] %}1{% else %}2{% endfor %}{% endfor %}"
    )
    found = advise(text, escaping="json", content_type=None)
    assert [(advice.code, advice.problem.column) for advice in found] == [
        ("never-taken", text.index("{% else %}2{% endfor") + 4)
    ]


def test_a_branch_that_no_sample_takes_is_told_by_line() -> None:
    text = '[\n{% if customerData.a == customerData.b and customerData.a == "q" %}\n1,{% else %}{% endif %}1]'
    found = only(text)
    assert (found.code, found.problem.line) == ("never-taken", 2)
    own = Sample("own", {"customerData": {"a": "q", "b": "q"}})
    assert codes(text, contexts=[own]) == []


@pytest.mark.parametrize("path", DESTINATIONS, ids=lambda path: path.stem)
def test_the_examples_have_nothing_to_be_told(path: Path) -> None:
    http = json.loads(path.read_text())["destinationServer"]["httpTemplate"]
    body = http["requestBody"]
    assert advise(body["value"], escaping=body["x-headrace"]["escaping"], content_type=http["contentType"]) == []


# The laws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["title"])
def test_remembering_the_way_changes_nothing(example: dict[str, Any]) -> None:
    if "error" in example:
        return
    source = Source(example["template"], "t")
    traced = Traced(source, parse(source, Limits()), "html", SAMPLE_LIMITS)
    trace = traced.render(example["context"])
    assert trace.text == example["expected"]
    assert list(trace.starts) == sorted(trace.starts)
    for advice in advise(example["template"]):
        assert advice.code in CODES
        assert advice.problem.source_line in example["template"]


def test_where_a_character_comes_from_is_known() -> None:
    text = 'ab{{ "x" }}{% for i in [1, 2] %}[{{ i }}]{% endfor %}{% filter upper %}q{{ 1 }}{% endfilter %}z'
    source = Source(text, "t")
    trace = Traced(source, parse(source, Limits()), "html", Limits()).render({})
    assert trace.text == "abx[1][2]Q1z"
    assert "".join(text[trace.origin(position)[0]] for position in range(len(trace.text))) == 'ab"[i][i]ffz'


def test_nothing_that_is_delivered_can_name_the_mark() -> None:
    with pytest.raises(template.TemplateSyntaxError):
        template.compile("{{ reached(1, 2) }}")


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from([*sorted(UNKNOWN), NESTED, SEPARATED, LAST, INSIDE, ITEM, "{{ x", "{% endfor %}"]), max_size=4
    )
)
def test_advice_is_given_for_every_template(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        template.compile(text)
    except template.TemplateSyntaxError:
        with pytest.raises(template.TemplateSyntaxError):
            advise(text)
    else:
        assert all(advice.code in CODES for advice in advise(text))
