"""The server keeps to its OpenAPI document: a short run, the same every time. `make contract` runs it for longer."""

import copy
import itertools
import time

import pytest
from contract import MODES, contract, operations_of
from hypothesis.errors import Unsatisfiable

#: Seconds that the run may take in all, on a machine that does other things as well.
MOST = 60
SEED = 20261124
EXAMPLES = 3


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    with contract(tmp_path_factory.mktemp("contract")) as held:
        yield held


@pytest.mark.campaign
def test_no_answer_is_a_fault_of_ours_or_outside_the_document(held):
    end, tried = time.monotonic() + MOST, 0
    for operation, mode in itertools.product(held.operations, MODES):
        if time.monotonic() > end:
            break
        try:
            held.hold(operation, mode, EXAMPLES, SEED)
        except Unsatisfiable:
            continue  # Whatever is sent there is allowed.
        tried += 1

    assert tried > 20


def test_the_run_notices_an_answer_outside_the_document(held):
    wrong = copy.deepcopy(held.document)
    wrong["paths"]["/healthz"]["get"]["responses"] = {"418": {"description": "Never."}}
    operation = next(item for item in operations_of(wrong) if item.label == "GET /healthz")

    with pytest.raises(BaseExceptionGroup) as failed:
        held.hold(operation, MODES[0], EXAMPLES, SEED)

    assert "Undocumented" in str(failed.value.exceptions)
