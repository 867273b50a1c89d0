"""What an author wrote of a host stays the host: no value that is put in before it leads elsewhere."""

import re

from headrace.connect.origins import UnboundOrigin
from headrace.connect.url import parse_url
from headrace.errors import EgressError
from headrace.model.text import TemplatedText

_PRINTED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PORT = re.compile(r":[^:\]]*$")
_GAP = "\0"


def end_of_host(url: TemplatedText) -> str:
    """
    Return how the host of a URL ends whatever is put into its template; empty where the author leaves it open.

    >>> end_of_host(TemplatedText(templatingStrategy="PEBBLE_V1", value="https://{{ authData.tenant }}.acme.example/t"))
    '.acme.example'
    """
    text = _PRINTED.sub(_GAP, url.value) if url.is_template else url.value
    authority = re.match(r"\s*https?://([^/?#]*)", text, re.IGNORECASE)
    if authority is None:
        return ""
    host = _PORT.sub("", authority[1])
    return host.rpartition(_GAP)[2].strip("[]").lower()


def check_host(url: str, end: str) -> None:
    """
    Refuse a URL whose host does not end as its author wrote it; one that is no URL is the transport's to refuse.

    Raises:
        UnboundOrigin: it leads elsewhere.
    """
    try:
        host = parse_url(url).host
    except EgressError:
        return
    if not host.endswith(end):
        raise UnboundOrigin(
            f"What was given for the account leads the request for a token to a host that does not end with '{end}'; "
            "mend what was given."
        )
