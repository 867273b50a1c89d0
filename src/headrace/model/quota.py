"""How much a sandbox may have."""

from pydantic import Field

from headrace.model.block import Block

_MOST = 1 << 60


class QuotaRequest(Block):
    """The most that a sandbox may have; what is left out is as the settings say, and 0 sets no limit."""

    waiting: int | None = Field(None, ge=0, le=_MOST, description="Changes that wait to be sent.")
    people: int | None = Field(None, ge=0, le=_MOST, description="People.")
    requests: int | None = Field(None, ge=0, le=_MOST, description="Requests to take profiles in, a minute.")
    bytes: int | None = Field(
        None, ge=0, le=_MOST, description="Bytes of uploads, lists of members and copies of data."
    )
