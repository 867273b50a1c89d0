"""
The template language of destinations, compatible with Pebble.

>>> from headrace import template
>>> template.compile("{% for s in xs %}{{ s }}{% if not loop.last %},{% endif %}{% endfor %}").render({"xs": [1, 2]})
'1,2'
"""

from headrace.errors import TemplateError, TemplateProblem, TemplateSyntaxError
from headrace.template.engine import Template
from headrace.template.engine import compile_template as compile  # noqa: A004  the name others script against
from headrace.template.limits import Limits

Problem = TemplateProblem

__all__ = ["Limits", "Problem", "Template", "TemplateError", "TemplateSyntaxError", "compile"]
