"""A house with an audience template for each test."""

import pytest

from unit.services.at_partner.branch import Branch


@pytest.fixture
def branch(tmp_path, lend_database):
    with lend_database() as database_url:
        built = Branch(tmp_path, database_url=database_url)
        yield built
        built.close()
