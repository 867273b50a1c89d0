"""Signature Version 4, as Amazon's services want it, and Google's storage in words of its own."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from headrace.connect.url import parse_url
from headrace.model.http import Request


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs; ``token`` is that of a session."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Words:
    """What differs between those who know this signature."""

    algorithm: str
    secret: str
    request: str
    headers: str


AMAZON = Words("AWS4-HMAC-SHA256", "AWS4", "aws4_request", "x-amz-")
GOOGLE = Words("GOOG4-HMAC-SHA256", "GOOG4", "goog4_request", "x-goog-")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for."""

    region: str
    service: str
    words: Words = AMAZON


def sign(request: Request, keys: Keys, scope: Scope, now: datetime) -> Request:
    """Return the request with its signature, which holds its body and all its headers."""
    target, words = parse_url(request.url), scope.words
    digest = hashlib.sha256(request.body).hexdigest()
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    ours = {f"{words.headers}date": stamp, f"{words.headers}content-sha256": digest}
    if keys.token:
        ours[f"{words.headers}security-token"] = keys.token
    signed = {name.lower(): value for name, value in request.headers} | ours
    headers = {**signed, "host": target.authority}
    names = ";".join(sorted(headers))
    path, _, query = target.path_and_query.partition("?")
    canonical = "\n".join((request.method, path, _canonical(query), _lines(headers), names, digest))
    within = f"{stamp[:8]}/{scope.region}/{scope.service}/{words.request}"
    text = "\n".join((words.algorithm, stamp, within, hashlib.sha256(canonical.encode()).hexdigest()))
    signature = hmac.new(_key(keys, within, words), text.encode(), "sha256").hexdigest()
    shown = f"{words.algorithm} Credential={keys.access_key}/{within}, SignedHeaders={names}, Signature={signature}"
    return Request(request.method, request.url, (*signed.items(), ("authorization", shown)), request.body)


def escaped(key: str) -> str:
    """Write a key into a URL's path; the signature is of exactly this."""
    return quote(key, safe="/-_.~")


def query_of(values: Mapping[str, str]) -> str:
    """Write a query as the signature has it."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(values.items()))


def _canonical(query: str) -> str:
    return "&".join(sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part))


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))


def _key(keys: Keys, within: str, words: Words) -> bytes:
    key = (words.secret + keys.secret_key).encode()
    for part in within.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key
