import pytest

from headrace import template


def value(expression: str, **context: object) -> str:
    return template.compile("{{ " + expression + " }}", escaping="none").render(context)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a.b.c.d", ""),
        ("xs[0]", "p"),
        ("xs[2]", ""),
        ("xs[-1]", ""),
        ("xs['1']", "q"),
        ("xs[1.0]", ""),
        ("xs[xs]", ""),
        ("m[1]", ""),
        ("m[nothing]", ""),
        ("m['k']['l']", "v"),
        ("m[key].l", "v"),
        ("nothing[nothing]", ""),
        ("{1: 'x'}['a']", None),
        ("({1: 'x'})[1]", "x"),
        ("s.length", "3"),
        ("xs.size", "2"),
        ("xs.isEmpty", "false"),
        ("m.size", ""),
        ("(added(m) | length)", None),
        ("n.foo", ""),
    ],
)
def test_members(expression: str, expected: str | None) -> None:
    context = {"xs": ["p", "q"], "m": {"k": {"l": "v"}}, "key": "k", "s": "abc", "n": 1}
    if expected is None:
        with pytest.raises(template.TemplateSyntaxError):
            value(expression, **context)
    else:
        assert value(expression, **context) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("s.length()", "6"),
        ("s.isEmpty()", "false"),
        ("s.startsWith('Ab')", "true"),
        ("s.endsWith('x')", "false"),
        ("s.contains('cD')", "true"),
        ("s.indexOf('c')", "2"),
        ("s.indexOf('z')", "-1"),
        ("s.substring(2)", "cD e"),
        ("s.substring(1, 3)", "bc"),
        ("s.toUpperCase()", "ABCD E"),
        ("s.toLowerCase()", "abcd e"),
        ("' x '.trim()", "x"),
        ("s.replace('b', 'XX')", "AXXcD e"),
        ("xs.size()", "2"),
        ("xs.isEmpty()", "false"),
        ("xs.get(1)", "2"),
        ("xs.contains(2)", "true"),
        ("m.size()", "1"),
        ("m.isEmpty()", "false"),
        ("m.get('k')", "v"),
        ("m.containsKey('k')", "true"),
        ("m.keySet()", "[k]"),
        ("m.values()", "[v]"),
        ("m.entrySet()", "[k=v]"),
        ("nothing.size()", ""),
    ],
)
def test_methods_of_ported_templates(expression: str, expected: str) -> None:
    assert value(expression, s="AbcD e", xs=[1, 2], m={"k": "v"}) == expected


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("s.substring(3, 9)", "outside of the string"),
        ("s.substring('a')", "outside of the string"),
        ("s.startsWith(1)", "takes a string, not a number"),
        ("s.length(1)", "takes 0 arguments, not 1"),
        ("s.substring()", "takes 1 or 2 arguments, not 0"),
        ("xs.get(5)", "outside of the list"),
        ("n.length()", "a number has no method `length`; it has: none"),
    ],
)
def test_methods_are_strict(expression: str, problem: str) -> None:
    with pytest.raises(template.TemplateError, match=problem):
        value(expression, s="abc", xs=[1], n=5)


def test_entries_may_have_a_namespace() -> None:
    text = "{% for s in addedSegments(m) %}{{ s.namespace }}/{{ s.key }}/{{ s.nope }};{% endfor %}"
    assert template.compile(text).render({"m": {"ups": {"a": {"status": "realized"}}}}) == "ups/a/;"
