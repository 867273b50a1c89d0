"""
The macros of audience templates: the template language, and two forms that it does not have.

``{{{ name }}}`` prints a value as it is, and ``{{ headers.X-Request-Id }}`` reads a header by its own name. Both are
written in published audience templates; everywhere else they mean something else, or nothing.
"""

import re
from dataclasses import replace
from itertools import accumulate

from headrace.errors import TemplateProblem, TemplateSyntaxError
from headrace.template.engine import Template, compile_template

_NAME = r"[A-Za-z_]\w*(?:\.\w+)*"
_FORM = re.compile(rf"\{{\{{\{{ *(?P<name>{_NAME}) *\}}\}}\}}|\b(?P<owner>headers)\.(?P<header>\w+(?:-\w+)+)")


def compile_macros(text: str, *, escaping: str = "html", name: str = "<template>") -> Template:
    """
    Compile a text with macros.

    >>> compile_macros("{{{ a.b }}} {{ a.b }} {{ headers.X-Id }}").render({"a": {"b": "&"}, "headers": {"X-Id": 7}})
    '& &amp; 7'

    Raises: TemplateSyntaxError with every problem found, each at its place in ``text``.
    """
    try:
        return compile_template(as_template(text), escaping=escaping, name=name)
    except TemplateSyntaxError as error:
        raise TemplateSyntaxError([placed(problem, text) for problem in error.problems]) from None


def as_template(text: str) -> str:
    """
    Write macros in the template language.

    >>> as_template("{{{ all }}} {{ headers.X-Request-Id | upper }}")
    '{{ all | raw }} {{ headers["X-Request-Id"] | upper }}'
    """
    return _FORM.sub(_in_the_language, text)


def placed(problem: TemplateProblem, text: str) -> TemplateProblem:
    """Show a problem of what macros became at its place in the text that the author wrote."""
    line = text.split("\n")[problem.line - 1]
    found = list(_FORM.finditer(line))
    grown = [0, *accumulate(len(_in_the_language(form)) - len(form[0]) for form in found)]
    shift = max((grown[n + 1] for n, form in enumerate(found) if form.end() + grown[n + 1] < problem.column), default=0)
    return replace(problem, column=problem.column - shift, source_line=line)


def _in_the_language(form: re.Match[str]) -> str:
    return f"{{{{ {form['name']} | raw }}}}" if form["name"] else f'{form["owner"]}["{form["header"]}"]'
