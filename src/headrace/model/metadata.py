"""Where the identifier comes from that an audience has in the partner's system."""

from collections.abc import Iterator

from pydantic import Field

from headrace.model.block import Block, Flag, wire_names
from headrace.model.problem import Problem


class AudienceMetadataExtension(Block):
    """What Headrace adds to where an audience's identifier comes from."""

    authentication_id: str | None = Field(
        None,
        min_length=1,
        description="The `instanceId` of credentials of yours that sign the requests of the audience template, in "
        "place of what the account signs in with. Without it, those of a destination for files are not signed.",
    )


class AudienceMetadata(Block):
    """Where the identifier comes from that an audience has in the partner's system."""

    map_experience_platform_segment_name: Flag = Field(False, description="It is the audience's name.")
    map_experience_platform_segment_id: Flag = Field(False, description="It is the audience's id.")
    map_user_input: Flag = Field(False, description="The operator types it.")
    audience_template_id: str | None = Field(
        None, min_length=1, description="The `instanceId` of the audience template whose requests bring it."
    )
    extension: AudienceMetadataExtension = Field(
        default_factory=AudienceMetadataExtension, alias="x-headrace", description="Additions of Headrace."
    )


Homes = tuple[tuple[str, AudienceMetadata | None], ...]
_WAYS = ("map_user_input", "map_experience_platform_segment_id", "map_experience_platform_segment_name")


def merged(homes: Homes) -> AudienceMetadata:
    """Make one block of the two homes that it has; the first that says something of a field has the word."""
    said: dict[str, object] = {}
    for _, block in reversed(homes):
        said |= _said(block)
    names = {name: wire for wire, name in wire_names(AudienceMetadata).items()}
    return AudienceMetadata.model_validate({names[name]: value for name, value in said.items()})


def contradictions(homes: Homes) -> Iterator[Problem]:
    """Say where the two homes differ about a field."""
    (newer, first), (older, second) = homes
    one, other = _said(first), _said(second)
    for wire, name in wire_names(AudienceMetadata).items():
        if name in one.keys() & other.keys() and one[name] != other[name]:
            message = f"`{newer}` and `{older}` say different things of `{wire}`: leave it out of `{older}`"
            yield Problem("two-homes", f"/{older}/{wire}", message)


def several_origins(homes: Homes) -> Iterator[Problem]:
    """Say that an audience would have more than one identifier."""
    metadata = merged(homes)
    names = {name: wire for wire, name in wire_names(AudienceMetadata).items()}
    chosen = [name for name in _WAYS if getattr(metadata, name)]
    if len(chosen) > 1:
        all_of_them = "`, `".join(names[name] for name in chosen)
        message = f"an audience has one identifier, and `{all_of_them}` are all `true`; keep one of them"
        yield Problem("several-identifiers", _place(homes, chosen[1], names[chosen[1]]), message)
    if metadata.map_user_input and metadata.audience_template_id is not None:
        message = "`mapUserInput` and `audienceTemplateId` exclude each other: operators type it, or requests bring it"
        yield Problem("input-beside-template", _place(homes, "map_user_input", names["map_user_input"]), message)


def unused_credentials(homes: Homes) -> Iterator[Problem]:
    """Say that nothing is signed with credentials that are named."""
    metadata = merged(homes)
    if metadata.extension.authentication_id is not None and metadata.audience_template_id is None:
        message = "it signs the requests of an audience template, and there is none: name one in `audienceTemplateId`"
        yield Problem("has-no-effect", f"{_place(homes, 'extension', 'x-headrace')}/authenticationId", message)


def _said(block: AudienceMetadata | None) -> dict[str, object]:
    """Return the fields that a document gives, as far as they could be read."""
    fields = {} if block is None else block.__dict__
    return {name: fields[name] for name in (block.model_fields_set if block is not None else ()) if name in fields}


def _place(homes: Homes, name: str, wire: str) -> str:
    home = next(home for home, block in homes if name in _said(block))
    return f"/{home}/{wire}"
