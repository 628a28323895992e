"""Schema migrations: up and down and up again, two at once, and everything that must be refused."""
import re
import subprocess

import psycopg2
import pytest

from support.programs import ctl, ctl_start
from support.servers import Postgres, wait_until


def catalogue(dsn):
    """The schema as pg_dump tells it. Lines with \\restrict hold a random word."""
    text = subprocess.run(["pg_dump", "--schema-only", "--no-owner", "--exclude-table=schema_migrations", dsn], check=True,
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout.decode()
    return [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]


def records(dsn):
    return Postgres.query("SELECT version, name, checksum, state FROM schema_migrations ORDER BY version", dsn)


@pytest.fixture
def empty(postgres):
    return postgres.new_database()


@pytest.fixture(scope="module")
def wanted(postgres):
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    return catalogue(dsn)


def test_every_table_and_view_is_there(wanted):
    text = "\n".join(wanted)
    for table in ("models", "symbols", "price_ticks", "price_latest", "accounts", "account_equity_snapshots", "positions",
                  "trades", "model_analytics", "conversations", "conversation_messages", "decision_cycles", "trader_state",
                  "market_assets", "market_asset_ctx"):
        assert re.search(rf"CREATE TABLE public\.{table} ", text), table
    for view in ("v_crypto_prices_latest", "v_leaderboard", "v_since_inception"):
        assert re.search(rf"CREATE MATERIALIZED VIEW public\.{view} ", text), view
    assert "refresh_views_nof0" in text


def test_up_down_up(empty, wanted):
    bare = catalogue(empty)
    ctl("migrate", "up", dsn=empty)
    assert catalogue(empty) == wanted
    ctl("migrate", "down", "--to", "0", dsn=empty)
    assert catalogue(empty) == bare and records(empty) == []
    ctl("migrate", "up", dsn=empty)
    assert catalogue(empty) == wanted


def test_each_step_goes_back_to_where_it_came_from(empty, wanted):
    ctl("migrate", "up", dsn=empty)
    newest = len(records(empty))
    ctl("migrate", "down", "--to", "0", dsn=empty)
    for version in range(1, newest + 1):
        before = catalogue(empty)
        ctl("migrate", "up", "--to", version, dsn=empty)
        after = catalogue(empty)
        ctl("migrate", "down", dsn=empty)
        assert catalogue(empty) == before, version
        ctl("migrate", "up", "--to", version, dsn=empty)
        assert catalogue(empty) == after, version
    assert catalogue(empty) == wanted


def test_down_and_up_with_data(empty, demo, wanted):
    """Data in every table is no obstacle for the way down."""
    ctl("migrate", "up", dsn=empty)
    ctl("import", "--quiet", demo, dsn=empty)
    ctl("migrate", "down", "--to", "0", dsn=empty)
    ctl("migrate", "up", dsn=empty)
    assert catalogue(empty) == wanted


def test_twice_is_once(empty, wanted):
    ctl("migrate", "up", dsn=empty)
    before = records(empty)
    ctl("migrate", "up", dsn=empty)
    assert catalogue(empty) == wanted and records(empty) == before


def test_status(empty):
    ctl("migrate", "status", dsn=empty, expect=1)
    ctl("migrate", "up", "--to", "1", dsn=empty)
    some = ctl("migrate", "status", dsn=empty, expect=1).out
    assert "applied" in some and "pending" in some
    ctl("migrate", "up", dsn=empty)
    assert "pending" not in ctl("migrate", "status", dsn=empty).out


def test_two_at_once(empty, wanted):
    both = [ctl_start("migrate", "up", dsn=empty) for _ in range(4)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    assert catalogue(empty) == wanted


def test_the_second_waits_for_the_first(empty, wanted):
    """Held up by a table lock the first one keeps the advisory lock; the second says that it waits."""
    ctl("migrate", "up", "--to", "1", dsn=empty)
    with psycopg2.connect(empty) as locker, locker.cursor() as cursor:
        cursor.execute("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE")
        first = ctl_start("migrate", "up", dsn=empty)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_until(lambda: Postgres.query(waiting, empty)[0][0] == 1, 60, "the first waits for the table")
        second = ctl_start("migrate", "up", dsn=empty)
        wait_until(lambda: Postgres.query(waiting, empty)[0][0] == 2, 60, "the second waits too")
    said = [process.communicate(timeout=120)[0].decode() for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "waiting" not in said[0] and "waiting" in said[1], said
    assert catalogue(empty) == wanted


@pytest.mark.parametrize("change, words", [
    ("UPDATE schema_migrations SET checksum = repeat('0', 64) WHERE version = 2", ("changed", "0002_")),
    ("UPDATE schema_migrations SET name = '0001_other' WHERE version = 1", ("0001_other",)),
    ("INSERT INTO schema_migrations (version, name, checksum, state) VALUES (9999, '9999_future', 'x', 'applied')",
     ("newer", "9999_future")),
    ("UPDATE schema_migrations SET state = 'applying' WHERE version = (SELECT max(version) FROM schema_migrations)",
     ("half-applied",)),
    ("DELETE FROM schema_migrations WHERE version = 2", ("0002_",)),
])
def test_refused(empty, wanted, change, words):
    ctl("migrate", "up", dsn=empty)
    Postgres.query(change, empty)
    before = records(empty)
    for verb in ("up", "down", "status"):
        result = ctl("migrate", verb, dsn=empty, expect=2)
        assert all(word in result.err for word in words), repr(result)
        assert len(result.err.strip().splitlines()) == 1, repr(result)
    assert records(empty) == before and catalogue(empty) == wanted


def test_a_migration_that_fails_leaves_nothing_of_itself(empty):
    """Something of that name is in the way: the transaction goes back whole, and works once it is gone."""
    ctl("migrate", "up", "--to", "3", dsn=empty)
    Postgres.query("CREATE TABLE trades (mine int)", empty)
    before = catalogue(empty)
    result = ctl("migrate", "up", dsn=empty, expect=2)
    assert "0004_" in result.err and "trades" in result.err
    assert catalogue(empty) == before
    Postgres.query("DROP TABLE trades", empty)
    ctl("migrate", "up", dsn=empty)


def test_killed_at_any_moment(empty, wanted):
    for delay in (0.005, 0.02, 0.05, 0.1, 0.2):
        process = ctl_start("migrate", "up", dsn=empty)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
    ctl("migrate", "up", dsn=empty)
    assert catalogue(empty) == wanted


def test_bad_words(empty):
    for arguments in (["sideways"], [], ["up", "--to"], ["up", "--to", "x"], ["up", "--to", "999"], ["status", "x"]):
        assert ctl("migrate", *arguments, dsn=empty, expect=2).err
