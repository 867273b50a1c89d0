"""Every table says whether it holds anything of people."""

from headrace.store.personal import FREE, HOLDING
from headrace.store.tables import metadata


def test_every_table_is_entered_and_no_other():
    assert {*HOLDING} | FREE == {*metadata.tables}, (
        "enter each new table in src/headrace/store/personal.py: in HOLDING with how an erasure reaches it, or in FREE"
    )


def test_no_table_is_entered_twice():
    assert not {*HOLDING} & FREE
