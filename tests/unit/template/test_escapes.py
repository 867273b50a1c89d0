"""Ways out of a template that other engines had. Here they are names of nothing."""

from contextlib import suppress

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
    # By way of functions that other engines have in every template, and what hangs from these.
    "lipsum.__globals__.os",
    "cycler.__init__.__globals__",
    "joiner.__init__",
    "namespace.__init__.__globals__",
    "request.application.__globals__",
    "config.items",
    "self.__init__.__globals__.__builtins__",
    "_self.env",
    "app.request.server",
    "beans",
    "springMacroRequestContext.webApplicationContext",
    "class.classLoader",
    "x.class.protectionDomain.codeSource",
    # By keys that are put together, or that say the same in another way.
    "x['__cla' ~ 'ss__']",
    "x['__class__'.toLowerCase()]",
    "m['__ssalc__' | split('') | reverse | join]",
    "x[['__class__'] | first]",
    "(['a'] | first)['__class__']",
    "xs['__getitem__']",
    "(m | merge({'a': 1})).__class__",
    "loop.__class__",
    "(x ~ x).__class__",
    "(x | split('b'))['__iter__']",
    "e.namespace.__class__",
    "m.entrySet.__class__",
    "({'a': 1}).__init__",
    "('a' | escape('json')).__class__",
    "(0 | date('yyyy')).__globals__",
    "xs['-1']",
    "xs[-1]",
    "x[0]",
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
    "x.getBytes()",
    "x.getClass().forName('java.lang.Runtime').getMethods()[6].invoke(null)",
    "n.getClass()",
    "t.__class__()",
    "x.forName('java.lang.Runtime')",
    "x.__getattribute__('__class__')",
    "x.encode().decode()",
    "x.__init__()",
    "xs.sort()",
    "xs.mro()",
    "m.setdefault('a', 1)",
    "m.forEach(x)",
    "m.__reduce_ex__(2)",
    "x.translate(m)",
    "x.intern()",
    "n.TYPE()",
]
NOT_WRITTEN = [
    "__import__('os')",
    "eval('1')",
    "open('/etc/passwd')",
    "x | attr('__class__')",
    "x | map",
    "range(1)",
    # Filters that call a function whose name the author gives.
    "['id'] | filter('system')",
    "['id'] | map('system') | join",
    "['id', 0] | sort('passthru')",
    "['id'] | reduce('system')",
    "x | groupby('__class__')",
    "x | selectattr('__class__')",
    "x | xmlattr",
    "x | pprint",
    "x | eval",
    "x | invoke",
    # Functions and operators that read files, other templates, constants and classes.
    "include('/etc/passwd')",
    "source('/etc/passwd')",
    "constant('PHP_VERSION')",
    "template_from_string('{{ 1 }}')",
    "file_excerpt('/etc/passwd', 1, 30)",
    "lipsum()",
    "cycler('a')",
    "dict(a=1)",
    "T(java.lang.Runtime).getRuntime().exec('id')",
    "new java.lang.String('a')",
    "'freemarker.template.utility.Execute'?new()('id')",
    "x?api.class",
    "x@class",
    "x::class",
    "x->class",
    "x.__class__ = 1",
    "lambda: 1",
    "[y for y in xs]",
    "(x := 1)",
    "x; import os",
    "`id`",
    "x if x else y",
    "f'{x}'",
    "x[1:2]",
    "block('a')",
    "parent()",
    "i18n('a')",
]
STATEMENTS = [
    "{% include '/etc/passwd' %}",
    "{% include x %}",
    "{% import 'os' as os %}",
    "{% from 'os' import system %}",
    "{% extends x %}",
    "{% embed x %}{% endembed %}",
    "{% macro m() %}{% endmacro %}",
    "{% autoescape false %}{{ x }}{% endautoescape %}",
    "{% verbatim %}{{ x }}{% endverbatim %}",
    "{% cache 'a' %}{% endcache %}",
    "{% parallel %}{% endparallel %}",
    "{% block b %}{% endblock %}",
    "{% do x.append(1) %}",
    "{% with a = 1 %}{% endwith %}",
    "{% call f() %}{% endcall %}",
    "{% python import os %}",
    "{% eval x %}",
    "{% debug %}",
    "{% set x.a = 1 %}",
    "{% set x['a'] = 1 %}",
    "{% set a, b = xs %}",
    "{% for x.a in xs %}{% endfor %}",
    "{% for x in xs recursive %}{% endfor %}",
]
TEXT = [
    "${7*7}",
    "#{7*7}",
    "*{7*7}",
    "@(7*7)",
    "<%= 7*7 %>",
    "#set($x = '') $x.class.forName('java.lang.Runtime')",
    "$class.inspect('java.lang.Runtime').type.getRuntime()",
    "<#assign ex='freemarker.template.utility.Execute'?new()> ${ex('id')}",
    "[#assign a = 1]",
    "{php}phpinfo(){/php}",
    "@{system('id')}",
    "__import__('os').system('id')",
    "%s %(a)s {0.__class__} {x!r}",
    "\\x7b\\x7b 1 }}",
    '＂"""; import os #',
]
"""What means something to other engines and to Python."""
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


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_tag_that_reaches_further_is_not_in_the_language(text: str) -> None:
    with pytest.raises(template.TemplateSyntaxError):
        template.compile(text)


@pytest.mark.parametrize("text", TEXT)
def test_what_means_something_elsewhere_is_text(text: str) -> None:
    assert template.compile(text).render(DATA) == text
    assert template.compile("{{ v | raw }}").render({"v": text}) == text


@pytest.mark.parametrize("text", ["{{ 7 * 7 }}", "{% set a = 1 %}", "#{7 * 7}", '"#{7}"', "%d%n", "{# a #}"])
def test_what_is_in_the_data_is_never_a_template(text: str) -> None:
    context = {"v": text, "m": {text: 1}}
    assert template.compile('{{ v | raw }}{{ "#{v}" | raw }}{{ m[v] }}').render(context) == f"{text}{text}1"
    for filter_name in ("upper", "trim", "default('x')", "replace({'7': '8'})", "abbreviate(99)"):
        assert "49" not in template.compile("{{ v | " + filter_name + " }}").render(context)


@pytest.mark.parametrize(
    "expression",
    [
        "0 | date('yyyy', timeZone='../../etc/passwd')",
        "0 | date('yyyy', timeZone='/etc/localtime')",
        "0 | date('yyyy', timeZone='Europe/../../../etc/passwd')",
        "x | escape('__class__')",
        "x | escape(m)",
        "'%a %h %t' | format(x, x, x)",
        "'%1$n' | format(x)",
        "'{0.__class__}' | numberformat",
        "x | split('(?P<a>b)(?{ code })')",
        "m | join",
        "({}).get(xs)",
    ],
)
def test_an_argument_is_no_way_out(expression: str) -> None:
    with suppress(template.TemplateError):
        rendered = template.compile("{{ " + expression + " }}").render(DATA)
        assert not any(word in rendered for word in ("class", "root:", "<", "0x"))


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
