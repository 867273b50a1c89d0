"""What operators are asked for besides their credentials: the fields of the form, and how they hang together."""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from headrace.model.block import Block, Flag, Whole, pointer, read_of, repeated, rule
from headrace.model.delivery import AuthenticationRule
from headrace.model.kinds import PatternText
from headrace.model.pattern import is_match
from headrace.model.problem import Problem

#: What the form has anyway.
AUTOMATIC = frozenset({"name", "description"})
Value = str | Whole | Flag


class NamedValue(Block):
    """One choice of a list: what is shown, and what it stands for."""

    name: str = Field(description="What the operator sees.")
    value: str | Whole = Field(description="The value that it stands for.")


class Condition(Block):
    """When a field is shown: when another has this value."""

    field: str = Field(min_length=1, description="The name of the field that decides.")
    operator: Literal["EQUALS"] = Field(description="How they are compared; always `EQUALS`.")
    value: str = Field(description="The value that shows this field; case counts.")


class DynamicOptions(Block):
    """A list of choices that is fetched from the partner."""

    destination_server_id: str = Field(min_length=1, description="The destination server that is called for it.")
    authentication_rule: AuthenticationRule = Field(description="Whose credentials the call uses.")
    value: str = Field(min_length=1, description="Where the list stands in what the server gives, such as `$.list`.")
    response_format: Literal["NAME_VALUE"] = Field(description="Items have `name` and `value`; always `NAME_VALUE`.")
    query_params: tuple[str, ...] = Field((), description="The fields that must be filled in before the call.")


class CustomerDataField(Block):
    """A value the operator is asked for when connecting, or a group of them."""

    name: str = Field(min_length=1, description="The name under which templates read it: `customerData.<name>`.")
    type: Literal["string", "object", "integer"] = Field(description="The type of the value; `object` makes a group.")
    title: str | None = Field(None, description="The label on the form.")
    description: str | None = Field(None, description="The help on the form.")
    is_required: Flag = Field(False, description="The operator must fill it in.")
    pattern: PatternText | None = Field(None, description="A regular expression the value must match.")
    enum: tuple[str | Whole, ...] | None = Field(None, description="The values to choose from.")
    named_enum: tuple[NamedValue, ...] | None = Field(None, description="The values to choose from, each with a label.")
    dynamic_enum: DynamicOptions | None = Field(
        None, description="The values to choose from, fetched from the partner."
    )
    default: Value | None = Field(None, description="The value that is filled in already.")
    hidden: Flag = Field(False, description="The operator does not see it.")
    read_only: Flag = Field(False, description="The operator cannot change the default.")
    unique: Flag = Field(False, description="No two connections of the organization have the same value.")
    format: Literal["password"] | None = Field(None, description="`password`: the value is a secret.")
    properties: tuple["CustomerDataField", ...] | None = Field(None, description="The fields of a group.")
    conditional: Condition | None = Field(None, description="When the field is shown; without it, always.")

    @rule
    def _a_group_has_fields(self) -> Iterator[Problem]:
        if self.type == "object" and not self.properties:
            message = "a field of the type `object` is a group: list its fields in `properties`, or use another type"
            yield Problem("empty-group", "/properties", message)

    @rule
    def _only_a_group_has_fields(self) -> Iterator[Problem]:
        if self.type != "object" and self.properties is not None:
            message = (
                f"`properties` are the fields of a group: set `type` to `object`, not `{self.type}`, or leave it out"
            )
            yield Problem("not-a-group", "/properties", message)

    @rule
    def _names_in_a_group_differ(self) -> Iterator[Problem]:
        yield from same_names(self.properties or (), "/properties")

    @rule
    def _choices_have_one_origin(self) -> Iterator[Problem]:
        origins = {"enum": self.enum, "namedEnum": self.named_enum, "dynamicEnum": self.dynamic_enum}
        given = [name for name, origin in origins.items() if origin is not None]
        if len(given) > 1:
            message = f"`{'` and `'.join(given)}` exclude each other: keep one"
            yield Problem("several-lists", f"/{given[1]}", message)

    @rule
    def _the_default_can_be_chosen(self) -> Iterator[Problem]:
        options = self.options
        if options is not None and self.default not in (None, "") and self._default not in options:
            message = f"{self._shown_default} is none of the choices; these are: {', '.join(options)}"
            yield Problem("default-not-offered", "/default", message)

    @rule
    def _the_default_is_of_its_type(self) -> Iterator[Problem]:
        kind = {"string": str, "integer": int}.get(self.type)
        if kind is not None and self.default not in (None, "") and type(self.default) is not kind:
            message = f"{self._shown_default} is no value of the type `{self.type}`; change one of them"
            yield Problem("default-of-other-type", "/default", message)

    @rule
    def _the_default_has_the_pattern(self) -> Iterator[Problem]:
        if self.pattern and self.default not in (None, "") and not is_match(self.pattern, self._default):
            message = f"{self._shown_default} does not match `pattern`, so nobody can keep it; change one of them"
            yield Problem("default-unlike-pattern", "/default", message)

    @rule
    def _can_be_filled_in(self) -> Iterator[Problem]:
        if self.is_required and (self.hidden or self.read_only) and self.default in (None, ""):
            how = "hidden" if self.hidden else "readOnly"
            message = f"`{self.name}` must be filled in and is `{how}`: give it a `default`, or drop `isRequired`"
            yield Problem("never-filled-in", "/isRequired", message)

    @rule
    def _a_group_is_not_unique(self) -> Iterator[Problem]:
        if self.unique and self.type == "object":
            message = "a group is not `unique`, a single value is: say it of a field in `properties`"
            yield Problem("unique-group", "/unique", message)

    @rule
    def _a_secret_is_nobodys_default(self) -> Iterator[Problem]:
        if self.format == "password" and self.default not in (None, ""):
            message = f"the default of `{self.name}` is a secret that every operator would share; leave it out"
            yield Problem("secret-default", "/default", message)

    @classmethod
    def secrets_in(cls, document: Mapping[str, object]) -> Iterator[str]:
        """The default of a secret is one."""
        if document.get("format") == "password":
            yield "default"

    @property
    def options(self) -> tuple[str, ...] | None:
        """The values to choose from, as texts, where the author lists them."""
        named = None if self.named_enum is None else tuple(item.value for item in self.named_enum)
        listed = self.enum if self.enum is not None else named
        return None if listed is None else tuple(str(value) for value in listed)

    @property
    def _default(self) -> str:
        return str(self.default).lower() if isinstance(self.default, bool) else str(self.default)

    @property
    def _shown_default(self) -> str:
        return "the default" if self.format == "password" else f"the default {self._default!r}"


Fields = tuple[CustomerDataField, ...]


def same_names(fields: Fields, where: str) -> Iterator[Problem]:
    """Say which fields have the name of one before them."""
    for place, name in repeated(fields):
        message = f"another field here is named `{name}`; give each a name of its own"
        yield Problem("named-twice", f"{where}/{place}/name", message)


def automatic_names(fields: Fields, where: str) -> Iterator[Problem]:
    """Say which fields the form has anyway."""
    for place, field in enumerate(fields):
        name = read_of(field, "name")
        if isinstance(name, str) and name.lower() in AUTOMATIC:
            message = (
                f"every form asks for a name and a description by itself; leave `{name}` out, or call it otherwise"
            )
            yield Problem("asked-already", f"{where}/{place}/name", message)


def dependencies(fields: Fields, where: str) -> Iterator[Problem]:
    """Say which fields hang on others that are not there, or on themselves, or on a value that cannot be."""
    yield from _dependencies(fields, where, ChainMap())


def fetched(fields: Fields, where: str) -> Iterator[tuple[str, DynamicOptions]]:
    """Yield where choices are fetched, as far as the fields could be read."""
    for place, field in enumerate(fields):
        options = read_of(field, "dynamic_enum")
        if options is not None:
            yield f"{where}/{place}/dynamicEnum", options
        yield from fetched(read_of(field, "properties") or (), f"{where}/{place}/properties")


Scope = ChainMap[str, CustomerDataField]


def _dependencies(fields: Fields, where: str, outer: Scope) -> Iterator[Problem]:
    """Look at the fields of one group. They may name each other, and what stands beside a group around them."""
    scope = outer.new_child({name: field for field in fields if (name := read_of(field, "name")) is not None})
    for place, field in enumerate(fields):
        here = f"{where}/{place}"
        yield from _condition_problems(field, f"{here}/conditional", scope)
        yield from _query_problems(field, f"{here}/dynamicEnum/queryParams", scope)
        yield from _dependencies(read_of(field, "properties") or (), f"{here}/properties", scope)


def _condition_problems(field: CustomerDataField, where: str, scope: Scope) -> Iterator[Problem]:
    condition = read_of(field, "conditional")
    wanted = read_of(condition, "field")
    if wanted is None:
        return
    decider = scope.get(wanted)
    if decider is None:
        yield _unknown(wanted, f"{where}/field", scope)
    elif _comes_back(field, scope):
        message = f"whether this field is shown depends, by way of `{wanted}`, on itself; let another field decide"
        yield Problem("undecidable", f"{where}/field", message)
    else:
        yield from _value_problems(condition, decider, where)


def _value_problems(condition: Condition, decider: CustomerDataField, where: str) -> Iterator[Problem]:
    value = read_of(condition, "value")
    options = _options_of(decider)
    if value is not None and options and value not in options:
        message = f"`{decider.name}` is never {value!r}: its values are {', '.join(options)}; case counts"
        yield Problem("undecidable", f"{where}/value", message)


def _options_of(field: CustomerDataField) -> tuple[str, ...] | None:
    """Return the choices of a field, unless there are none or they could not be read."""
    try:
        return field.options
    except AttributeError:
        return None


def _comes_back(field: CustomerDataField, scope: Scope) -> bool:
    """Say whether the fields that decide on each other lead back to where they began."""
    seen: list[object] = []
    following: CustomerDataField | None = field
    while following is not None and all(following is not other for other in seen):
        seen.append(following)
        following = scope.get(read_of(read_of(following, "conditional"), "field"))
    return following is field


def _query_problems(field: CustomerDataField, where: str, scope: Scope) -> Iterator[Problem]:
    for place, name in enumerate(read_of(read_of(field, "dynamic_enum"), "query_params") or ()):
        if name not in scope:
            yield _unknown(name, f"{where}{pointer((place,))}", scope)
        elif scope[name] is field:
            message = f"the choices of `{name}` cannot depend on what is chosen of them; name another field"
            yield Problem("undecidable", f"{where}{pointer((place,))}", message)


def _unknown(name: str, where: str, scope: Scope) -> Problem:
    message = f"there is no customer data field `{name}` beside this one; these are: {', '.join(sorted(scope))}"
    return Problem("unknown-form-field", where, message)
