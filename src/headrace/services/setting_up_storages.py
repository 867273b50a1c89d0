"""Setting a destination of files up: the place and the look that come of a form, and whether files can be written."""

from collections.abc import Iterator
from dataclasses import dataclass

from headrace.connect.auth import SignInNeeded
from headrace.connect.pgp import NotEncrypted
from headrace.connect.storage import NotStored
from headrace.errors import AccountError, AuthoringError, HeadraceError
from headrace.model.codes import CODES
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.caller import Caller
from headrace.services.catalog import Edition
from headrace.services.form import Filled
from headrace.services.looking_up import secrets_in
from headrace.services.storage_trials import StorageTrials
from headrace.services.storages import StorageAccess
from headrace.store.database import Transaction
from headrace.store.documents import Declared

_ACCOUNT, _FORM = "/baseConnectionId", "/params"
_OF_THE_ACCOUNT = frozenset({"denied", "host-key"})


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage that is to be set up."""

    access: StorageAccess
    is_tried: bool


def storage_of(
    tx: Transaction,
    trials: StorageTrials | None,
    caller: Caller,
    edition: Edition,
    account: Declared | None,
    filled: Filled,
    *,
    is_tried: bool,
) -> Storage | None:
    """
    Return the storage that a form leads to; ``None``: the destination takes messages, or nobody can ask here.

    Raises:
        ConfigurationError: the place, the look or the account cannot be.
    """
    if trials is None or edition.server.is_streaming:
        return None
    try:
        made = (tx, caller.tenant, edition, account, filled.values, secrets_in(filled), caller.actor)
        return Storage(trials.storages.drafted(*made), is_tried)
    except HeadraceError as error:
        raise ConfigurationError([*_told(error)]) from None


async def try_out(trials: StorageTrials | None, caller: Caller, storage: Storage | None) -> None:
    """
    See that files can be written, unless that is not wanted.

    Raises:
        ConfigurationError: they cannot, and why.
        TooManyCalls: people have asked too often.
    """
    if trials is None or storage is None or not storage.is_tried:
        return
    await trials.admit(caller)
    try:
        await trials.check(storage.access)
    except HeadraceError as error:
        raise ConfigurationError([*_told(error)]) from None


def _told(error: HeadraceError) -> Iterator[Problem]:
    """Say at which field what went wrong is to be mended."""
    if isinstance(error, NotStored):
        where = _ACCOUNT if error.cause in _OF_THE_ACCOUNT else _FORM
        yield Problem(error.cause if error.cause in CODES else "refused", where, error.message)
    elif isinstance(error, ConfigurationError):
        yield from (Problem(item.code, _FORM, f"{item.pointer[1:]}: {item.message}") for item in error.problems)
    elif isinstance(error, AuthoringError):
        yield Problem("invalid", _FORM, error.message)
    elif isinstance(error, NotEncrypted):
        yield Problem("unusable-key", _ACCOUNT, error.message)
    elif isinstance(error, AccountError | SignInNeeded):
        yield Problem("credentials", _ACCOUNT, error.message)
    else:
        raise error
