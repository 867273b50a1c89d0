"""
One templated call: a request that an author declared, and how its answer is read.

Audience calls, requests for tokens, and the look-ups of choices and schemas are all of this kind. A call knows neither
who signs it nor who sends it: it writes the request, and reads the answer that somebody else got for it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from headrace.errors import PartnerError, RenderError
from headrace.model.http import Headers, Request, Response
from headrace.model.text import TemplatedText
from headrace.template import Template
from headrace.template import compile as compile_template
from headrace.template.macros import compile_macros

Context = Mapping[str, Any]

_LINE_BREAK = re.compile(r"[\r\n]")


class CallFailed(PartnerError):
    """The partner refused the request, or answered something else than agreed."""

    code = "partner-refused"


class Written(Protocol):
    """A text of a call: renders to the same each time, or by its template."""

    def render(self, context: Context) -> str: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A text that is used as it stands."""

    text: str

    def render(self, context: Context) -> str:
        del context
        return self.text


@dataclass(frozen=True, slots=True)
class Call:
    """
    A declared request, compiled. ``body`` is a text, or JSON whose texts are rendered one by one.

    >>> call = Call("POST", macros("https://a.example/{{ id }}"), json_body={"name": "{{ name }}"})
    >>> call.request({"id": 7, "name": 'Say "hi"'}).body
    b'{"name":"Say \\\\"hi\\\\""}'
    """

    method: str
    url: Written
    headers: tuple[tuple[str, Written], ...] = ()
    query: Written | None = None
    body: Written | None = None
    json_body: Any = None
    content_type: str | None = None

    def request(self, context: Context, in_url: Context | None = None) -> Request:
        """
        Write the request. ``in_url`` is what templates of the URL see, where that differs.

        Raises:
            TemplateError: a template does not fit the data.
            RenderError: a header would break out of its line.
        """
        url = self.url.render(context if in_url is None else in_url).strip()
        if self.query is not None and (query := self.query.render(context).strip()):
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        body = self._body(context)
        return Request(self.method, url, self._headers(context, has_body=bool(body)), body)

    def _body(self, context: Context) -> bytes:
        if self.json_body is not None:
            return orjson.dumps(_filled(self.json_body, context))
        return self.body.render(context).encode() if self.body is not None else b""

    def _headers(self, context: Context, *, has_body: bool) -> Headers:
        headers = [(name, text.render(context).strip()) for name, text in self.headers]
        broken = next((name for name, value in headers if _LINE_BREAK.search(value)), None)
        if broken is not None:
            raise RenderError(f"the header {broken!r} was rendered with a line break in it")
        is_said = any(name.lower() == "content-type" for name, _ in headers)
        kind = self.content_type or ("application/json" if self.json_body is not None else None)
        if kind is not None and has_body and not is_said:
            headers.append(("Content-Type", kind))
        return tuple(headers)


def written(text: TemplatedText | None, name: str) -> Written | None:
    """Compile a templated value of a server or a token request."""
    if text is None:
        return None
    if not text.is_template:
        return Fixed(text.value)
    return compile_template(text.value, escaping=text.extension.escaping, name=name)


def macros(text: str, name: str = "<macros>") -> Template:
    """Compile a text with macros, which prints values as they are: it becomes part of a URL, a header or JSON."""
    return compile_macros(text, escaping="none", name=name)


def json_of(response: Response) -> Any:
    """Return the body of an answer as JSON; as a text if it is none."""
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return response.body.decode("utf-8", "replace")


def answer_of(response: Response) -> dict[str, Any]:
    """Return an answer as templates of servers and token requests see it, under ``response``."""
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    return {"body": json_of(response), "status": response.status, "headers": headers}


def read_each(texts: Iterable[tuple[str, Written]], context: Context) -> dict[str, str]:
    """Read named values from an answer."""
    return {name: text.render(context).strip() for name, text in texts}


def json_macros(value: Any, name: str) -> Any:
    """Compile the texts in a JSON value: what comes out is a ``json_body``."""
    if isinstance(value, str):
        return macros(value, name) if "{" in value else value
    if isinstance(value, list):
        return [json_macros(item, name) for item in value]
    if isinstance(value, dict):
        return {key: json_macros(item, name) for key, item in value.items()}
    return value


def _filled(value: Any, context: Context) -> Any:
    """Render the texts in a JSON value, compiled or not."""
    if isinstance(value, Template):
        return value.render(context)
    if isinstance(value, str):
        return macros(value).render(context) if "{" in value else value
    if isinstance(value, list):
        return [_filled(item, context) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, context) for key, item in value.items()}
    return value
