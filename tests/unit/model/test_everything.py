"""The documents with everything: read whole, without a word, and with no field of any block left out."""

import pytest

import authored
from headrace.model.audience_template import AudienceTemplate
from headrace.model.block import inner_block, wire_names
from headrace.model.credentials import Credentials
from headrace.model.destination import Destination
from headrace.model.reading import read

BLOCKS = {block.__name__: block for block in (Destination, AudienceTemplate, Credentials)}
DOCUMENTS = [(BLOCKS[name], document) for name, found in authored.WITH_EVERYTHING.items() for document in found]


@pytest.mark.parametrize(("block", "document"), DOCUMENTS)
def test_what_is_right_is_read_without_a_word(block, document):
    assert read(block, document)[1] == []


@pytest.mark.parametrize(("block", "document"), DOCUMENTS)
def test_a_block_says_what_its_document_says(block, document):
    said = read(block, document)[0].model_dump(mode="json", by_alias=True, exclude_unset=True)

    assert said == _with_numbers(document)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_field_of_every_block_is_filled_in_somewhere(name):
    filled = set().union(*(_filled(BLOCKS[name], document) for document in authored.WITH_EVERYTHING[name]))
    known = {(block.__name__, wire) for block in _blocks(BLOCKS[name]) for wire in wire_names(block)}

    assert known - filled == set()


def _with_numbers(value, name=""):
    """The document with digits as the numbers that they stand for."""
    if isinstance(value, dict):
        return {key: _with_numbers(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    counts = ("maxUsersPerRequest", "maxProfileAttributes", "maxIdentityAttributes", "expiration")
    return int(value) if name in counts else value


def _blocks(block, known=()):
    found = [block]
    for name in block.model_fields:
        held = inner_block(block, name)
        if held is not None and held[0] not in (block, *known):
            found += _blocks(held[0], (*known, block))
    return set(found)


def _filled(block, document):
    for wire, name in wire_names(block).items():
        if wire not in document:
            continue
        yield block.__name__, wire
        held = inner_block(block, name)
        if held is not None and document[wire] is not None:
            items = {"one": lambda value: [value], "list": list, "map": lambda value: value.values()}
            for item in items[held[1]](document[wire]):
                yield from _filled(held[0], item)
