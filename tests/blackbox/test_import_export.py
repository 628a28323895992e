"""What goes in comes out: field for field, however often and however interrupted."""
import os
import time

import pytest

from support import data
from support.content import load, same_content
from support.programs import ctl, ctl_start, no_report
from support.servers import Postgres


def same_folder(a, b):
    assert data.files(a) == data.files(b)
    for name in data.files(a):
        try:
            same_content(load(os.path.join(a, name)), load(os.path.join(b, name)))
        except AssertionError as fault:
            raise AssertionError(f"{name}: {fault}") from None


def contents(dsn):
    """Every table's rows as sorted text, without what a second import may rightly change: times, numbers from sequences."""
    tables = Postgres.query("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND"
                            " table_type = 'BASE TABLE' AND table_name NOT LIKE '%%migration%%' ORDER BY 1", dsn)
    found = {}
    for (table,) in tables:
        columns = [name for (name,) in Postgres.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name ="
            " %s AND coalesce(column_default, '') NOT LIKE"
            " 'nextval%%' AND column_name NOT IN ('created_at', 'updated_at', 'imported_at', 'conversation_id')"
            " ORDER BY ordinal_position", dsn, table)]
        rows = Postgres.query(f"SELECT ROW({', '.join(columns)})::text FROM {table} ORDER BY 1", dsn)
        found[table] = [row for (row,) in rows]
    return found


def test_export_gives_the_import_back(loaded, dataset, folder):
    out = os.path.join(folder, "export")
    ctl("export", out, dsn=loaded)
    same_folder(out, dataset)


def test_twice_is_once(database, dataset, folder):
    ctl("import", "--quiet", dataset, dsn=database)
    once = contents(database)
    assert once["trades"] and once["account_equity_snapshots"] and once["feed_documents"]
    ctl("import", "--quiet", dataset, dsn=database)
    assert contents(database) == once


def test_export_imports_as_the_same(loaded, database, folder, dataset):
    out = os.path.join(folder, "again")
    ctl("export", out, dsn=loaded)
    ctl("import", "--quiet", out, dsn=database)
    assert contents(database) == contents(loaded)


def test_only_one_endpoint(database, demo):
    ctl("import", "--quiet", "--only", "trades", demo, dsn=database)
    found = contents(database)
    assert found["trades"] and found["models"]
    assert not found["account_equity_snapshots"] and not found["leaderboard_entries"]
    assert ctl("import", "--only", "bananas", demo, dsn=database, expect=2).err


def test_a_newer_capture_takes_the_feeds_place(database, demo, folder):
    """Rows that aged out of the feed stay as history; the feed is the newer file, in its order."""
    newer = data.copy(demo, os.path.join(folder, "newer"))
    ctl("import", "--quiet", demo, dsn=database)
    for name, key in (("trades", "trades"), ("leaderboard", "leaderboard"), ("conversations", "conversations"),
                      ("positions", "accountTotals"), ("since-inception-values", "sinceInceptionValues")):
        data.edit(newer, f"{name}.json", lambda document, key=key: {**document, key: document[key][:0:-1]})
    ctl("import", "--quiet", newer, dsn=database)
    out = os.path.join(folder, "newer-out")
    ctl("export", out, dsn=database)
    same_folder(out, newer)
    assert len(contents(database)["trades"]) == len(load(os.path.join(demo, "trades.json"))["trades"])


@pytest.mark.skipif(not data.HAS_CYCLES, reason="no real data here")
def test_cycle_conversations(database, serve, folder):
    source = data.copy(data.REAL, os.path.join(folder, "cycles"))
    document = load(data.CYCLES)
    rows = document["conversations"]
    assert {type(row["cot_trace"]) for row in rows} == {str, dict}
    assert any(ord(letter) > 0x2000 for row in rows for letter in str(row))
    data.write(os.path.join(source, "conversations.json"), document)
    ctl("import", "--quiet", source, dsn=database)
    for server in (serve(NOF0_POSTGRES_DSN=database), serve(NOF0_READ="legacy", NOF0_LEGACY_DIR=source)):
        same_content(server.get("/api/conversations").json(), document, ignore=("serverTime",))
    out = os.path.join(folder, "cycles-out")
    ctl("export", out, dsn=database)
    same_folder(out, source)


@pytest.fixture(scope="module")
def large(folder):
    path = os.path.join(folder, "large")
    ctl("demo", path, "--models", "6", "--hours", "300", "--trades", "3000", "--seed", "3")
    return path


def test_killed_and_started_again(postgres, large):
    whole = postgres.new_database()
    ctl("migrate", "up", dsn=whole)
    began = time.monotonic()
    ctl("import", "--quiet", large, dsn=whole)
    took = time.monotonic() - began
    interrupted = postgres.new_database()
    ctl("migrate", "up", dsn=interrupted)
    killed = 0
    for share in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9):
        process = ctl_start("import", "--quiet", large, dsn=interrupted)
        time.sleep(took * share)
        process.kill()
        _, err = process.communicate()
        no_report(err.decode())
        killed += process.returncode == -9
    assert killed >= 3
    ctl("import", "--quiet", large, dsn=interrupted)
    assert contents(interrupted) == contents(whole)


def test_demo_is_deterministic(demo, folder):
    again = os.path.join(folder, "demo")
    ctl("demo", again, "--models", "5", "--hours", "30", "--trades", "120", "--seed", "7")
    for name in data.files(demo):
        with open(os.path.join(demo, name), "rb") as a, open(os.path.join(again, name), "rb") as b:
            assert a.read() == b.read(), name
    assert data.files(again) == data.files(demo)


def test_demo_adds_up(demo):
    """Net PnL of the trades is what the curves gained; positions are those of the newest rows' instant."""
    totals = load(os.path.join(demo, "account-totals.json"))["accountTotals"]
    for row in totals:
        assert row["dollar_equity"] == pytest.approx(10000 + row["realized_pnl"] + row["total_unrealized_pnl"], abs=0.01)
        unrealized = sum(position["unrealized_pnl"] for position in row["positions"].values())
        assert row["total_unrealized_pnl"] == pytest.approx(unrealized, abs=0.01)
    shapes = {"messages" in row for row in load(os.path.join(demo, "conversations.json"))["conversations"]}
    assert shapes == {True, False}
