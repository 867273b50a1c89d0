"""What hangs on the kind of data that a destination delivers: people, accounts, prospects or datasets."""

from collections.abc import Callable, Iterator

from headrace.model.destination import Destination
from headrace.model.problem import Problem

Check = Callable[[Destination], Iterator[Problem]]
_FULL_ONLY = ("ACCOUNTS", "UNIFIED_PROFILE_PROSPECTS")


def _datasets_have_a_schedule_of_their_own(destination: Destination) -> Iterator[Problem]:
    batch = destination.batch_config
    if batch is None:
        return
    where, has_one = "/batchConfig/datasetBatchConfig", batch.dataset_batch_config is not None
    if has_one and not destination.exports_datasets:
        message = '`datasetBatchConfig` is for datasets; add `"sources": ["DATASETS"]`, or leave it out'
        yield Problem("datasets-only", where, message)
    if destination.exports_datasets and not has_one:
        yield Problem("missing-field", where, "`DATASETS` need `datasetBatchConfig`: say when they are written")


def _accounts_and_prospects_are_exported_whole(destination: Destination) -> Iterator[Problem]:
    batch = destination.batch_config
    if batch is None or not set(destination.sources) & set(_FULL_ONLY):
        return
    mode = "FIRST_FULL_THEN_INCREMENTAL"
    places = [place for place, offered in enumerate(batch.allowed_export_modes) if offered == mode]
    for where in [f"/batchConfig/allowedExportModes/{place}" for place in places]:
        message = f"`{destination.sources[0]}` are exported whole; take `{mode}` out"
        yield Problem("full-exports-only", where, message)


def _accounts_are_exported_daily(destination: Destination) -> Iterator[Problem]:
    batch = destination.batch_config
    if batch is None or "ACCOUNTS" not in destination.sources:
        return
    for place, frequency in enumerate(batch.allowed_schedule_frequency):
        if frequency in ("WEEKLY", "MONTHLY"):
            message = f"`{frequency}` is for people and prospects; accounts are exported `DAILY` or `ONCE`"
            yield Problem("too-seldom", f"/batchConfig/allowedScheduleFrequency/{place}", message)


CHECKS: tuple[Check, ...] = (
    _datasets_have_a_schedule_of_their_own,
    _accounts_and_prospects_are_exported_whole,
    _accounts_are_exported_daily,
)
