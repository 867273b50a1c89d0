"""Ways out of a template that other engines had. Here they are names of nothing."""

import pytest

from headrace import template

PRINT_NOTHING = [
    "''.__class__",
    "''.__class__.__mro__[1].__subclasses__",
    "x.__class__",
    "x['__class__']",
    "x.__init__.__globals__",
    "x.__dict__",
    "xs.__class__",
    "xs.append",
    "m.__class__",
    "m.items",
    "m.keys",
    "m.get",
    "m.update",
    "n.__class__",
    "n.real",
    "t.__class__",
    "x.getClass",
    "x.class",
    "x.format",
    "x.format_map",
    "x.encode",
    "e.__slots__",
    "_context",
    "locale",
    "template",
    "self",
    "context",
    "render",
    "__builtins__",
    "pieces",
    "m['__class__']",
    "xs['__class__']",
    "(x | first).__class__",
    "(x | raw).__class__",
    "('a' | split('b')).__class__",
    "UNSET",
    "get",
]
REFUSED = [
    "x.getClass()",
    "x.getClass().forName('java.lang.Runtime')",
    "''.__class__()",
    "x.format('{0.__class__}')",
    "m.items()",
    "m.update({})",
    "m.pop('a')",
    "xs.append(1)",
    "xs.clear()",
    "n.to_bytes(1)",
    "n.bit_length()",
    "(x | raw).encode()",
    "x.join(xs)",
]
NOT_WRITTEN = ["__import__('os')", "eval('1')", "open('/etc/passwd')", "x | attr('__class__')", "x | map", "range(1)"]
DATA = {"x": "abc", "xs": [1], "m": {"a": 1}, "n": 5, "t": True}


@pytest.mark.parametrize("expression", PRINT_NOTHING)
def test_a_member_of_the_host_language_is_null(expression: str) -> None:
    assert template.compile("[{{ " + expression + " }}]").render(DATA) == "[]"


@pytest.mark.parametrize("expression", REFUSED)
def test_a_method_of_the_host_language_is_an_error(expression: str) -> None:
    with pytest.raises(template.TemplateError, match="has no method"):
        template.compile("{{ " + expression + " }}").render(DATA)


@pytest.mark.parametrize("expression", NOT_WRITTEN)
def test_a_function_of_the_host_language_is_not_in_the_language(expression: str) -> None:
    with pytest.raises(template.TemplateSyntaxError):
        template.compile("{{ " + expression + " }}")


@pytest.mark.parametrize(
    "name",
    ["m", "append", "used", "print_escaped", "type", "dict", "member", "x1", "r1", "v1", "meter", "get", "piece"],
)
def test_a_variable_may_have_the_name_of_anything_in_the_compiled_function(name: str) -> None:
    text = "{{ " + name + " }}{% set " + name + " = 2 %}{% for x1 in [1] %}{{ " + name + " }}{% endfor %}"
    assert template.compile(text).render({name: 1}) == ("12" if name != "x1" else "11")


def test_keys_of_the_data_are_only_keys() -> None:
    context = {"m": {"size": 1, "keys": 2, "__class__": 3, "items": 4, "get": 5}}
    assert (
        template.compile("{{ m.size }}{{ m.keys }}{{ m.__class__ }}{{ m.items }}{{ m.get }}").render(context) == "12345"
    )


@pytest.mark.parametrize("text", ["'\n'", '"""', "\\", "%s %(a)s %%", "{0}", "\x00\x01", "'''", "\u2028", "\x1b[31m"])
def test_any_text_is_only_text(text: str) -> None:
    assert template.compile(text + "{{ v }}" + text).render({"v": "x"}) == text + "x" + text
    quoted = '{{ v["' + text.replace('"', "").rstrip("\\") + '"] }}{{ "' + text.replace('"', "").rstrip("\\") + '" }}'
    assert template.compile(quoted).render({"v": {}}) == text.replace('"', "").rstrip("\\")
