"""A little browser, for the forms of authorization servers."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit


@dataclass
class Browser:
    """As much of a browser as a login form needs: keeps cookies, and follows redirects until they leave the server."""

    cookies: dict[str, str] = field(default_factory=dict)

    def open(self, url: str, form: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Return where it ended, and the page there; no page where it was sent to another server."""
        host = urlsplit(url).netloc
        while urlsplit(url).netloc == host:
            answer, body = self._send(url, form)
            if answer.status not in (302, 303):
                return url, body
            url, form = _joined(url, answer.headers["Location"]), None
        return url, ""

    def _send(self, url: str, form: Mapping[str, str] | None) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(form) if form is not None else None
        try:
            connection.request("GET" if form is None else "POST", path_of(url), body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer, text


def path_of(url: str) -> str:
    """Return what a request for an address asks for."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"


def _joined(url: str, location: str) -> str:
    parts = urlsplit(url)
    return location if "://" in location else f"{parts.scheme}://{parts.netloc}{location}"
