"""What Headrace carries out of all that authors can declare; the rest is kept, and refused where it would be used."""

from collections.abc import Iterator

from headrace.connect.auth import schemes
from headrace.model.destination import Destination
from headrace.model.problem import Problem


def not_carried_yet(destination: Destination, where: str) -> Iterator[Problem]:
    """Say, in one problem, all that a destination asks for and Headrace does not carry out yet."""
    asked = sorted({*_of_signing_in(destination), *_of_delivery(destination)})
    if asked:
        message = f"Headrace does not carry out yet what this destination asks for: {', '.join(asked)}"
        yield Problem("not-carried-yet", where, message)


def _of_signing_in(destination: Destination) -> Iterator[str]:
    ways = [way.auth_type for way in destination.customer_authentication_configurations]
    if ways and not any(way in schemes for way in ways):
        yield f"signing in with {', '.join(f'`{way}`' for way in ways)}"


def _of_delivery(destination: Destination) -> Iterator[str]:
    schema = destination.schema_config
    what = {
        "files (`batchConfig`)": destination.batch_config is not None,
        "encrypted files (`customerEncryptionConfigurations`)": bool(destination.customer_encryption_configurations),
        "exports other than of people (`sources`)": bool(destination.sources),
        "messages that do not leave by `BEST_EFFORT`": destination.best_effort is None,
        "audience templates (`audienceTemplateId`)": destination.audience_metadata.audience_template_id is not None,
        "mappings that are filled in (`requiredMappings`)": schema is not None and bool(schema.required_mappings),
    }
    yield from (words for words, is_asked in what.items() if is_asked)
