"""A destination as one dataflow uses it, compiled: composes the messages of a group."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from headrace.errors import NotMapped, RenderError, TemplateError
from headrace.mapping import LeftOut, Mapping
from headrace.mapping.paths import getter
from headrace.model.http import Headers, Request
from headrace.model.message import Bucket, Entry, Group, Message, message_id
from headrace.model.profile import decode
from headrace.render.parts import Part, Parting
from headrace.render.recipe import Recipe, TextRecipe
from headrace.render.target import (
    Audiences,
    TargetProfile,
    mapped_attributes,
    narrow,
    shown_after,
    taken_back,
    target_profile,
)
from headrace.render.whole import whole_person
from headrace.template import Template
from headrace.template import compile as compile_template

#: Why an entry could not be rendered.
Refusal = TemplateError | RenderError

_LINE_BREAK = re.compile(r"[\r\n]")
_WITHOUT_BODY = ("GET", "HEAD", "DELETE", "OPTIONS")


class Text:
    """A templated value, compiled; one that is no template renders to itself."""

    def __init__(self, text: TextRecipe) -> None:
        self.literal = text.value
        self.template: Template | None = None
        if text.escaping is not None:
            self.template = compile_template(text.value, escaping=text.escaping, name=text.name)

    def render(self, context: dict[str, Any]) -> str:
        return self.literal if self.template is None else self.template.render(context)

    @property
    def speaks_of_one_person(self) -> bool:
        """Whether the template reads ``input.profile`` and not ``input.profiles``."""
        reads = {read[:2] for read in self.template.reads} if self.template is not None else set()
        return ("input", "profile") in reads and ("input", "profiles") not in reads


@dataclass(frozen=True, slots=True)
class Composed:
    """
    The messages of a group, and the entries that could not be rendered, each with the reason.

    ``left_out`` counts the mapped values of people in them that could not be sent, by target and reason.
    """

    messages: tuple[Message, ...]
    refused: tuple[tuple[Entry, Refusal], ...] = ()
    left_out: tuple[tuple[LeftOut, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """
    An entry with the (narrowed) target profile that the partner knows after it.

    ``told`` is what templates see of it, where that is not the same.
    """

    entry: Entry
    target: TargetProfile
    told: TargetProfile


class CompiledDestination:
    """A recipe, compiled: everything about a dataflow that does not change from group to group."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.audiences = Audiences(recipe.audiences)
        self.mapping = Mapping(
            recipe.attributes, recipe.identities, predefined=recipe.predefined, namespaces=recipe.namespaces
        )
        self.parting = Parting(recipe.identity_groups, recipe.splits)
        self._url = Text(recipe.url)
        self._query = Text(recipe.query) if recipe.query is not None else None
        self._headers = tuple((item.header, Text(item.value)) for item in recipe.headers)
        self._body = Text(recipe.body) if recipe.body is not None else None
        self._entry_id = _id_reader(recipe.entry_id) if recipe.entry_id is not None else None
        self._context = {
            "destination": _destination_facts(self.audiences, {**recipe.facts, "config": recipe.customer_data}),
            "customerData": recipe.customer_data,
            "authData": recipe.auth_data,
        }

    @cached_property
    def most_entries(self) -> int:
        """The most entries a message may carry: one where a template speaks of ``input.profile`` alone."""
        texts = [self._url, self._query, self._body, *(text for _, text in self._headers)]
        if any(text.speaks_of_one_person for text in texts if text is not None):
            return 1
        return self.recipe.max_users

    def compose(self, group: Group) -> Composed:
        """
        Render a group. Entries that cannot be rendered are found and left out; the others still travel together.

        A group that fails is split until the bad entry is alone, then what is good is rendered once more as one. A
        group that was claimed while messages might still carry more is cut to what they may carry now.
        """
        mapped = [entry for entry in group.entries if not entry.audience or entry.audience in self.audiences.by_number]
        left_out: list[LeftOut] = []
        prepared = [self._prepare(entry, left_out) for entry in mapped]
        messages: list[Message] = []
        gone = NotMapped("the audience is no longer mapped")
        refused: list[tuple[Entry, Refusal]] = [
            (entry, gone) for entry in group.entries if len(mapped) < len(group.entries) and entry not in mapped
        ]
        most = self.most_entries
        for start in range(0, len(prepared), most):
            some, bad = self._sift(group, prepared[start : start + most])
            messages += some
            refused += bad
        return Composed(tuple(messages), tuple(refused), tuple(Counter(left_out).items()))

    def _sift(self, group: Group, prepared: Sequence[_Prepared]) -> tuple[list[Message], list[tuple[Entry, Refusal]]]:
        try:
            return [self._message(group, prepared)], []
        except (TemplateError, RenderError) as error:
            if len(prepared) == 1:
                return [], [(prepared[0].entry, error)]
        middle = len(prepared) // 2
        left, bad_left = self._sift(group, prepared[:middle])
        right, bad_right = self._sift(group, prepared[middle:])
        refused = bad_left + bad_right
        bad = {id(entry) for entry, _ in refused}
        good = [item for item in prepared if id(item.entry) not in bad]
        if len(left) + len(right) > 1 and refused:
            try:
                return [self._message(group, good)], refused
            except (TemplateError, RenderError):
                pass  # The halves are right and the whole is not: it is the size that is too much.
        return left + right, refused

    def _prepare(self, entry: Entry, left_out: list[LeftOut]) -> _Prepared:
        profile = decode(entry.document)
        target = target_profile(entry, profile, self.mapping, self.audiences, left_out)
        if entry.audience:
            audience = self.audiences.by_number[entry.audience]
            target = narrow(target, audience=(audience.namespace, audience.id))
        if entry.part:
            part = Part.read(entry.part)
            if part not in self.parting.parts(self.mapping.identities(profile)):
                target = taken_back(target, entry)
                told = target["segmentMembership"]
                target["attributes"] = mapped_attributes(entry, profile, told, self.mapping, self.audiences)
            namespaces = self.parting.namespaces(part.identity_group)
            target = narrow(target, namespaces=namespaces, identity=part.identity)
        told = whole_person(target, entry, profile, self.audiences) if self.recipe.is_whole else target
        return _Prepared(entry, target, told)

    def _message(self, group: Group, prepared: Sequence[_Prepared]) -> Message:
        entries = tuple(item.entry for item in prepared)
        targets = [item.told for item in prepared]
        name = message_id(self.recipe.dataflow, self.recipe.version, entries, [*map(_written, targets)])
        context = {
            **self._context,
            "input": {
                "profiles": targets,
                "profile": targets[0] if len(targets) == 1 else None,
                "aggregationKey": self._key(group.bucket),
            },
            "message": {"id": name, "attempt": group.attempt},
        }
        shown = tuple(shown_after(item.target, self.audiences, item.entry.shown) for item in prepared)
        names = tuple(self._entry_id(item.told) for item in prepared) if self._entry_id is not None else ()
        return Message(name, self._request(context, name), entries, shown, names=names)

    def _key(self, bucket: Bucket) -> dict[str, Any]:
        """Return what the entries of a bucket share, as templates name it."""
        key: dict[str, Any] = {"destinationInstanceId": self.recipe.dataflow}
        audience = self.audiences.by_number.get(bucket.audience)
        if audience is not None:
            key |= {"segmentId": audience.id, "segmentNamespace": audience.namespace, "segmentAlias": audience.alias}
        if bucket.status is not None:
            key["segmentStatus"] = bucket.status
        if bucket.identity_group:
            key["identityNamespaces"] = list(self.parting.namespaces(bucket.identity_group) or ())
        return key

    def _request(self, context: dict[str, Any], name: str) -> Request:
        url = self._url.render(context).strip()
        if self._query is not None and (query := self._query.render(context).strip()):
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        headers = self._rendered_headers(context)
        if self.recipe.id_header is not None:
            headers = (*headers, (self.recipe.id_header, name))
        return Request(self.recipe.method, url, headers, self._rendered_body(context))

    def _rendered_headers(self, context: dict[str, Any]) -> Headers:
        headers = [(header, text.render(context).strip()) for header, text in self._headers]
        for header, value in headers:
            if _LINE_BREAK.search(value):
                raise RenderError(f"the header {header!r} was rendered with a line break in it")
        if self.recipe.content_type and all(header.lower() != "content-type" for header, _ in headers):
            headers.append(("Content-Type", self.recipe.content_type))
        return tuple(headers)

    def _rendered_body(self, context: dict[str, Any]) -> bytes:
        text = self._body.render(context) if self._body is not None else ""
        if self.recipe.method in _WITHOUT_BODY and not text.strip():
            return b""
        body = text.encode()
        if (
            self.recipe.content_type is not None
            and self.recipe.content_type.split(";")[0].strip().lower() == "application/json"
        ):
            _check_json(body)
        return body


def _id_reader(path: str) -> Callable[[Any], str | None]:
    """Compile where a target profile has the id by which the partner's answers name it."""
    read = getter(path)

    def read_id(target: Any) -> str | None:
        value = read(target)
        return None if value is None or isinstance(value, dict | list) else str(value)

    return read_id


def _written(target: TargetProfile) -> bytes:
    """Write what templates see of somebody, the same whatever order it came in."""
    try:
        return orjson.dumps(target, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # What was calculated may be a number beyond 64 bits.
        return repr(target).encode(errors="backslashreplace")


def _check_json(body: bytes) -> None:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} of the rendered body"
        raise RenderError(f"the rendered body is not JSON, as its content type says: {error.msg}, {where}") from None


def _destination_facts(audiences: Audiences, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the root ``destination``: facts of the dataflow, and of its audiences by namespace and id."""
    aliases: dict[str, dict[str, str]] = {}
    names: dict[str, dict[str, str]] = {}
    times: dict[str, dict[str, dict[str, int]]] = {}
    for audience in audiences.by_number.values():
        if audience.alias is not None:
            aliases.setdefault(audience.namespace, {})[audience.id] = audience.alias
        if audience.name is not None:
            names.setdefault(audience.namespace, {}).update({audience.id: audience.name, audience.name: audience.name})
        times.setdefault(audience.namespace, {})[audience.id] = {
            "createdAt": audience.created_at,
            "updatedAt": audience.updated_at,
            "mappingCreatedAt": audience.mapping_created_at,
            "mappingUpdatedAt": audience.mapping_updated_at,
        }
    return {
        **facts,
        "namespaceSegmentAliases": aliases,
        "namespaceSegmentNames": names,
        "namespaceSegmentTimestamps": times,
        "segmentAliases": aliases.get("ups", {}),
        "segmentNames": names.get("ups", {}),
        "segmentTimestamps": times.get("ups", {}),
    }
