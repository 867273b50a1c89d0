"""What holds for all tests."""

import gc
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import settings

import canaries
from postgres import server

# A busy machine is no finding: what has to be quick is measured in benchmarks/.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")

#: What is written for both databases, and run on both by `make test`. What stands on it needs `make verify` for that.
STORE = Path(__file__).parent / "unit" / "store"
#: The files that take longest, ten seconds of a processor and more, as measured: workers begin with these, so that in
#: the end none is left with one.
LONG = (
    "acceptance/test_secrets_stay_in.py",
    "unit/testkit/simulation/test_histories.py",
    "integration/storage/test_sftp_breaking_off.py",
    "integration/storage/test_contract.py",
    "unit/testkit/test_people.py",
    "integration/storage/test_journeys.py",
    "unit/store/test_migrations.py",
    "integration/cli/test_serve.py",
    "unit/store/test_backup.py",
    "integration/api/test_matrix.py",
    "integration/orchestrate/test_death.py",
    "deaths/test_beside.py",
    "acceptance/test_process_death.py",
    "integration/api/test_flows.py",
    "acceptance/test_restoring.py",
    "unit/store/test_scanning.py",
    "integration/cli/test_access.py",
    "acceptance/test_loading_people.py",
    "unit/store/test_outbox_model.py",
    "integration/datasets/test_objects.py",
    "deaths/test_answers.py",
    "unit/services/test_several_processes.py",
    "acceptance/test_death_while_evaluating.py",
    "unit/services/audiences/test_evaluating.py",
    "acceptance/test_death_at_the_partner.py",
    "unit/store/test_splitting.py",
    "unit/template/test_limits.py",
    "acceptance/test_several_processes.py",
    "acceptance/test_files_at_sshd.py",
    "docs/test_people_page.py",
    "acceptance/test_death_while_alerting.py",
    "deaths/test_exports.py",
    "deaths/test_delivery.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Import all there is without looking for garbage, and do not look through it again and again afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config, items):
    _make_campaigns(items)
    yield
    if hasattr(config, "workerinput"):
        places = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
        items.sort(key=lambda item: places.get(item.path, len(LONG)))


def _make_campaigns(items):
    """Make campaigns of the tests that are run on PostgreSQL too, but for those of the store that do not take long."""
    for item in items:
        called = getattr(item, "callspec", None)
        is_kept = STORE in item.path.parents and item.get_closest_marker("long_on_postgres") is None
        if called is not None and "postgres" in called.id and not is_kept:
            item.add_marker(pytest.mark.campaign)


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL server, started by the first test that asks."""
    with server() as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def lend_database(request):
    """Lends ``HEADRACE_DATABASE_URL`` for a store, on the one database and then on the other."""
    if request.param == "sqlite":
        return lambda: nullcontext("")
    return request.getfixturevalue("postgres").lent


def pytest_sessionfinish(session):
    """Fail a session of which any test has let a canary out into its files: databases, logs, copies."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or factory._basetemp is None or hasattr(session.config, "workerinput"):
        return  # Workers' folders lie in that of the process that hands out the tests, and that looks into all.
    found = canaries.let_out([factory.getbasetemp()])
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line("\n".join(["secrets were let out by tests:", *found]), red=True)
