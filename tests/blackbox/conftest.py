"""Fixtures: private servers for each module, data sets, programs that are always stopped."""
import os
import shutil
import tempfile

import pytest

from support import data
from support.programs import NOF0CTL, NOF0D, Nof0d, ctl
from support.servers import Postgres, Redis, initdb_template, quick_place


# Files that take long, the longest first: begun last, one of them would go on alone while the other workers have no more.
LONG_FILES = ("test_cache", "test_run", "test_chaos", "test_capture_ingest", "test_ingest_file", "test_import_export",
              "test_cache_tool", "test_cache_outages", "test_ingest", "test_outages", "test_capture", "test_outbox",
              "test_migrations", "test_import_faults", "test_parity", "test_parity_mutations", "test_stream")


def pytest_collection_modifyitems(items):
    def place(item):
        name = item.module.__name__
        return LONG_FILES.index(name) if name in LONG_FILES else len(LONG_FILES)
    items.sort(key=place)


@pytest.fixture(scope="session")
def home():
    """A short folder that Postgres may enter (pytest's own is for its user alone) and that sockets fit into."""
    for program in (NOF0D, NOF0CTL):
        assert os.access(program, os.X_OK), f"{program} is not built"
    path = tempfile.mkdtemp(prefix="nof0-test-", dir=quick_place())
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def template(home):
    return initdb_template(os.path.join(home, "template"))


@pytest.fixture(scope="module")
def folder(home):
    """A folder of this module's own."""
    path = tempfile.mkdtemp(dir=home)
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres(folder, template):
    server = Postgres(os.path.join(folder, "pg"), template)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def redis(folder):
    server = Redis(os.path.join(folder, "redis"))
    yield server
    server.stop()


@pytest.fixture
def database(postgres):
    """The DSN of a migrated, empty database."""
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    return dsn


@pytest.fixture(scope="session")
def demo(home):
    """A small arena. The big scales are for benchmarks."""
    path = os.path.join(home, "demo")
    ctl("demo", path, "--models", "5", "--hours", "30", "--trades", "120", "--seed", "7")
    return path


@pytest.fixture(scope="module", params=["demo", "real"])
def dataset(request):
    """Each data set's folder in turn."""
    if request.param == "demo":
        return request.getfixturevalue("demo")
    if not data.HAS_REAL:
        pytest.skip("no real data here")
    return data.REAL


@pytest.fixture(scope="module")
def loaded(postgres, dataset):
    """The DSN of a database into which the data set was imported. Not to be changed."""
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", dataset, dsn=dsn)
    return dsn


LOG_SHOWN = 20000  # bytes of a server's log behind a failure


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure is told with what the servers of its test had logged."""
    report = (yield).get_result()
    if report.failed and report.when == "call":
        for programs in getattr(item, "funcargs", {}).values():
            for server in programs.running if isinstance(programs, Programs) else ():
                report.sections.append((f"the log of nof0d on port {server.port}", server.log()[-LOG_SHOWN:]))


class Programs:
    """Starts servers and stops them all at the end, each with its checks."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def __call__(self, **settings):
        server = Nof0d(self.folder, **settings)
        self.running.append(server)
        return server

    def stop(self):
        faults = []
        for server in self.running:
            try:
                server.stop()
            except AssertionError as fault:
                faults.append(str(fault))
        assert not faults, "\n".join(faults)


@pytest.fixture
def serve(folder):
    programs = Programs(folder)
    yield programs
    programs.stop()


@pytest.fixture(scope="module")
def serve_module(folder):
    programs = Programs(folder)
    yield programs
    programs.stop()


@pytest.fixture(scope="module", params=["repo", "legacy"])
def api(request, serve_module, dataset):
    """A server that answers from Postgres, then one that answers from the files; .folder is what they serve."""
    if request.param == "repo":
        server = serve_module(NOF0_READ="repo", NOF0_POSTGRES_DSN=request.getfixturevalue("loaded"))
    else:
        server = serve_module(NOF0_READ="legacy", NOF0_LEGACY_DIR=dataset)
    server.folder = dataset
    server.source = request.param
    return server
