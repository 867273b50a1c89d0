"""Answers in the form of Azure's blob service: headers, errors, and the list of a container as XML."""

import re
from collections.abc import Iterable
from email.utils import formatdate
from urllib.parse import quote
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import Response

from headrace.connect.storage.served import Seen
from headrace.services.landing.sas import VERSION

#: What an error's code means: the status, and the sentence that goes with it.
CODES = {
    "AuthenticationFailed": (
        403,
        "Server failed to authenticate the request. Make sure the signature is that of the credentials as they were "
        "handed out.",
    ),
    "AuthorizationFailure": (403, "This request is not authorized to perform this operation."),
    "AuthorizationPermissionMismatch": (
        403,
        "This request is not authorized to perform this operation using this permission.",
    ),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "ConditionNotMet": (412, "The condition specified using HTTP conditional header(s) is not met."),
    "ContainerNotFound": (404, "The specified container does not exist."),
    "InternalError": (500, "The server encountered an internal error. Please retry the request."),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "InvalidUri": (400, "The requested URI does not represent any resource on the server."),
    "OutOfRangeQueryParameterValue": (
        400,
        "One of the query parameters specified in the request URI is outside the permissible range.",
    ),
    "ServerBusy": (503, "The server is currently unable to receive requests. Please retry your request."),
    "UnsupportedHttpVerb": (405, "The resource doesn't support the specified HTTP verb."),
}
#: Files are only ever saved, and what they are is for nobody to guess: they come from the origin of our own pages.
SAFE = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
KIND = "application/octet-stream"
_XML = "application/xml"
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_VERSION = re.compile(r"\d{4}-\d\d-\d\d")
_REQUEST_ID = re.compile(r"[!-~]{1,1024}")
#: What a document of XML 1.0 cannot hold.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BlobError(Exception):
    """What a request asks for is not done; ``code`` is Azure's."""

    def __init__(self, code: str, reason: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason
        self.headers = headers or {}

    @property
    def status(self) -> int:
        return CODES[self.code][0]


def common(request: Request) -> dict[str, str]:
    """Return the headers that every answer has."""
    asked, theirs = (request.headers.get(name, "") for name in ("x-ms-version", "x-ms-client-request-id"))
    echoed = {"x-ms-client-request-id": theirs} if _REQUEST_ID.fullmatch(theirs) else {}
    version = asked if _VERSION.fullmatch(asked) else VERSION
    return {**SAFE, "x-ms-request-id": str(uuid4()), "x-ms-version": version, **echoed}


def error(refused: BlobError) -> Response:
    """Answer what was refused; the reason is told where there is one."""
    status, message = CODES[refused.code]
    detail = f"<AuthenticationErrorDetail>{_text(refused.reason)}</AuthenticationErrorDetail>" if refused.reason else ""
    body = f"{_HEAD}<Error><Code>{refused.code}</Code><Message>{_text(message)}</Message>{detail}</Error>"
    headers = {"x-ms-error-code": refused.code, **refused.headers}
    return Response(body, status, headers, _XML)


def not_modified(seen: Seen) -> Response:
    """Answer that a file is as it was."""
    return Response(status_code=304, headers={**marks(seen), "x-ms-error-code": "ConditionNotMet"})


def marks(seen: Seen) -> dict[str, str]:
    """Return the headers by which a file is told from another in its place."""
    return {"ETag": f'"{seen.tag}"', "Last-Modified": _time(seen)}


def properties(seen: Seen) -> dict[str, str]:
    """Return the headers that say what a file is."""
    fixed = {"Content-Type": KIND, "Accept-Ranges": "bytes", "x-ms-blob-type": "BlockBlob"}
    return {**marks(seen), **fixed, "x-ms-lease-state": "available", "x-ms-lease-status": "unlocked"}


def listed(service: str, container: str, asked: dict[str, str], found: Iterable[Seen], marker: str) -> Response:
    """Answer files and folders of a container; ``asked`` is told again, and ``marker`` leads to the next page."""
    told = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in asked.items() if value)
    blobs = "".join(_folder(seen) if seen.is_folder else _file(seen) for seen in found)
    where = f"ServiceEndpoint={quoteattr(service)} ContainerName={quoteattr(container)}"
    body = (
        f"{_HEAD}<EnumerationResults {where}>{told}<Blobs>{blobs}</Blobs>"
        f"<NextMarker>{_text(marker)}</NextMarker></EnumerationResults>"
    )
    return Response(body, media_type=_XML)


def _file(seen: Seen) -> str:
    return (
        f"<Blob>{_name(seen.name)}<Properties><Last-Modified>{_time(seen)}</Last-Modified><Etag>{seen.tag}</Etag>"
        f"<Content-Length>{seen.size}</Content-Length><Content-Type>{KIND}</Content-Type>"
        "<BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>"
        "</Properties></Blob>"
    )


def _folder(seen: Seen) -> str:
    return f"<BlobPrefix>{_name(seen.name)}</BlobPrefix>"


def _name(name: str) -> str:
    """Write a name; one that XML cannot hold is percent-encoded, as the service does since version 2021-02-12."""
    if _NOT_IN_XML.search(name) or "\r" in name:
        return f'<Name Encoded="true">{quote(name)}</Name>'
    return f"<Name>{escape(name)}</Name>"


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def _time(seen: Seen) -> str:
    return formatdate(seen.modified_ns // 10**9, usegmt=True)
