"""Why changes were withheld, counted by dataflow and reason."""

from headrace.store.reasons import WITHHELD, Reasons

__all__ = ["DELETED", "ERASED", "NOTHING_TO_SAY", "UNMAPPED", "Reasons", "counts", "fold", "post"]

#: The reason where a person has no identity that the dataflow sends.
NOTHING_TO_SAY = "nothing-to-say"
#: The reasons where what waited has nowhere to go any more.
DELETED = "dataflow-deleted"
UNMAPPED = "audience-unmapped"

#: The reason where a person was erased.
ERASED = "erased"

post, counts, fold = WITHHELD.post, WITHHELD.counts, WITHHELD.fold
