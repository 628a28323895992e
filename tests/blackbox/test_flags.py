"""nof0ctl flags: what an operator sees and changes, and that a running nof0d follows."""
import getpass
import json
import os
import select
import signal
import socket

import pytest

from support.programs import PATIENCE_S, ctl, ctl_start, no_report
from support.redis_client import RedisClient
from support.servers import Postgres, wait_until

ADMIN = "correct horse"


class Flags:
    """nof0ctl flags with the same database, Redis and guard."""

    def __init__(self, postgres, redis):
        self.postgres, self.redis = postgres, redis
        self.dsn = postgres.new_database()
        ctl("migrate", "up", dsn=self.dsn)
        self.settings = {"NOF0_READ": "legacy", "NOF0_REDIS_URL": redis.url, "NOF0_GUARD_COMPARISONS": 10,
                         "NOF0_GUARD_AGE_S": 3600}

    def __call__(self, *arguments, expect=0, **settings):
        return ctl("flags", *arguments, **{"dsn": self.dsn, "expect": expect, **self.settings, **settings})

    def set(self, name, value, *more, expect=0, **settings):
        return self("set", name, value, "--reason", "a test", *more, expect=expect, **settings)

    def get(self, name, **settings):
        return json.loads(self("get", name, "--format", "json", **settings).out)

    def log(self, *arguments):
        return json.loads(self("history", "--format", "json", *arguments).out)["changes"]


@pytest.fixture(scope="module")
def flags(postgres, redis):
    return Flags(postgres, redis)


@pytest.fixture(autouse=True)
def empty(flags):
    Postgres.query("TRUNCATE feature_flags, parity_runs; TRUNCATE feature_flag_changes RESTART IDENTITY", flags.dsn)
    with RedisClient(flags.redis.socket) as client:
        client("FLUSHALL")


def compared(flags, endpoint, comparisons, mismatches=0):
    Postgres.query("INSERT INTO parity_runs (endpoint, origin, instance, left_source, right_source, started_at, ended_at,"
                   " comparisons, mismatches, unsettled, failures, shed)"
                   " VALUES (%s, 'check', 'test', 'legacy', 'repo', now() - interval '1 s', now(), %s, %s, 0, 0, 0)",
                   flags.dsn, endpoint, comparisons, mismatches)


def row(table, name):
    """A row of a table, by the heads above it."""
    lines = table.splitlines()
    starts = [at for at in range(len(lines[0])) if lines[0][at] != " " and (at == 0 or lines[0][at - 1] == " ")]
    line = next(line for line in lines if line.split()[0] == name)
    return {lines[0][begin:end].strip(): line[begin:end].strip() for begin, end in zip(starts, starts[1:] + [None])}


def test_changes_and_what_is_seen_of_them(flags):
    me = f"{getpass.getuser()}@{socket.gethostname()}"
    assert flags("get", "read.trades").out == "legacy\n"
    done = flags.set("read.trades", "shadow")
    assert done.out == "read.trades: legacy (config) -> shadow; version 1\n" and not done.err
    assert flags("get", "read.trades").out == "shadow\n"
    done = flags("set", "read.trades", "shadow", "--reason", "again")
    assert done.out == "read.trades: shadow already, nothing was changed; version 1\n"
    with RedisClient(flags.redis.socket) as client:
        assert json.loads(client("GET", "nof0:flags")) == {
            "version": 1, "flags": {"read.trades": {"value": "shadow", "version": 1}}}
    assert flags("unset", "switch.stream", "--reason", "x").out.startswith("switch.stream: on (config) already, nothing")
    flags("set", "switch.stream", "off", "--reason", "noise", "--actor", "ann")
    assert flags("unset", "read.trades", "--reason", "back").out == "read.trades: shadow -> legacy (config); version 3\n"

    log = flags.log()
    assert [(c["id"], c["flag"], c["from"], c["to"], c["actor"], c["reason"], c["origin"], c["forced"]) for c in log] == [
        (3, "read.trades", "shadow", None, me, "back", "operator", False),
        (2, "switch.stream", None, "off", "ann", "noise", "operator", False),
        (1, "read.trades", None, "shadow", me, "a test", "operator", False)]
    assert flags.log("--limit", "1") == log[:1] and flags.log("switch.stream") == log[1:2]
    table = flags("history", "read.trades").out
    assert [line.split()[0] for line in table.splitlines()] == ["id", "3", "1"]
    assert row(table, "3")["from"] == "shadow" and row(table, "3")["to"] == "(config)" and row(table, "3")["by"] == me

    listed = flags("list").out
    assert row(listed, "switch.stream") == {
        "flag": "switch.stream", "value": "off", "from": "store", "default": "on", "stored": "off", "version": "2",
        "changed": log[1]["at"], "by": "ann", "parity": ""}
    assert row(listed, "read.trades")["from"] == "config" and row(listed, "read.trades")["version"] == "3"
    assert row(listed, "read.positions")["parity"] == "0 of 10 green"
    listed = json.loads(flags("list", "--format", "json").out)
    assert listed["version"] == 3
    by_name = {flag["name"]: flag for flag in listed["flags"]}
    assert by_name["switch.stream"]["changed"] == log[1] and by_name["read.positions"]["changed"] is None
    assert by_name["read.trades"] == flags.get("read.trades")
    assert flags("list", dsn=None).out.splitlines()[0].split() == ["flag", "value", "from", "default"]


def test_the_guard(flags):
    refused = flags.set("read.analytics", "repo", expect=1)
    assert not refused.out
    for words in ("read.analytics: ", "analytics_all has 0 of the 10", "analytics_one has 0", "3600 s", "--force"):
        assert words in refused.err
    flags.set("read.analytics", "shadow")
    compared(flags, "analytics_all", 10)
    compared(flags, "analytics_one", 9)
    assert "analytics_one has 9 of the 10" in flags.set("read.analytics", "canary:5", expect=1).err
    assert row(flags("list").out, "read.analytics")["parity"].startswith("analytics_one: 9 of 10 green since 20")
    compared(flags, "analytics_one", 1)
    assert flags.set("read.analytics", "canary:5", "--force").out == "read.analytics: shadow -> canary:5; version 2\n"
    compared(flags, "analytics_all", 4, mismatches=1)
    assert "since the last difference" in flags.set("read.analytics", "repo", expect=1).err
    parity = flags.get("read.analytics")["parity"]
    assert [(p["endpoint"], p["needed"], p["mismatches"], p["last_mismatch"] is None) for p in parity] == [
        ("analytics_all", 10, 1, False), ("analytics_one", 10, 0, True)]
    done = flags.set("read.analytics", "repo", "--force")
    assert done.out == "read.analytics: canary:5 -> repo, forced; version 3\n"
    assert [c["forced"] for c in flags.log()] == [True, False, False]
    flags("unset", "read.analytics", "--reason", "home")
    assert flags.get("read.analytics")["value"] == "legacy"


def test_what_is_refused(flags):
    flags.set("read.trades", "shadow", "--if-version", "0")
    late = flags.set("read.trades", "legacy", "--if-version", "0", expect=1)
    assert "its version is 1, not 0" in late.err and "--force" not in late.err
    late = flags.set("read.trades", "shadow", "--if-version", "7", expect=1)
    assert "its version is 1, not 7" in late.err
    flags.set("read.trades", "legacy", "--if-version=1")
    version = flags.get("read.trades")["version"]
    for arguments, words in (
            (("set", "read.trade", "repo", "--reason", "x"), ("read.trade\"", "read.trades", "switch.capture")),
            (("set", "read.trades", "sometimes", "--reason", "x"), ("sometimes", "legacy, shadow, canary:N")),
            (("set", "switch.stream", "repo", "--reason", "x"), ("on or off",)),
            (("set", "read.trades", "shadow"), ("--reason",)),
            (("unset", "read.trades"), ("--reason",)),
            (("set", "read.trades", "shadow", "--reason", "two\nlines"), ("reason", "control characters")),
            (("set", "read.trades", "shadow", "--reason", "x" * 1001), ("reason", "1000 bytes")),
            (("set", "read.trades", "shadow", "--reason", "x", "--actor", "\x1b[2J"), ("control characters",)),
            (("get",), ("name",)), ((), ("list, get, set",)), (("frobnicate",), ("list, get, set",))):
        result = flags(*arguments, expect=2)
        assert not result.out and all(word in result.err for word in words), repr(result)
    assert flags.get("read.trades")["version"] == version
    assert "no Postgres is set" in flags.set("read.trades", "repo", expect=2, dsn=None).err
    assert "Postgres" in flags("list", expect=2, dsn=f"host={flags.redis.home} user=nof0 dbname=x").err
    assert flags("--help").out.startswith("usage: nof0ctl flags list") and ctl("help", "flags").out == flags("--help").out


def test_the_environment_and_a_redis_that_is_away(flags):
    done = flags.set("read.trades", "shadow", NOF0_FLAG_READ_TRADES="repo", NOF0_FLAG_SWITCH_STREAM="off")
    assert done.out.startswith("read.trades: legacy (config) -> shadow;")
    assert "warning: NOF0_FLAG_READ_TRADES=repo is set here" in done.err and "STREAM" not in done.err
    listed = flags("list", NOF0_FLAG_READ_TRADES="canary:2.50")
    assert row(listed.out, "read.trades")["environment"] == row(listed.out, "read.trades")["value"] == "canary:2.5"
    assert "warning: NOF0_FLAG_READ_TRADES=canary:2.5" in listed.err
    got = flags("get", "read.trades", NOF0_FLAG_READ_TRADES="repo")
    assert got.out == "repo\n" and "warning" in got.err
    assert "NOF0_FLAG_READ_TRADE" in flags("list", expect=2, NOF0_FLAG_READ_TRADE="repo").err

    away = flags.set("read.trades", "legacy", NOF0_REDIS_URL="unix:///nowhere/redis.sock")
    assert "-> legacy; version 2" in away.out and "warning: the mirror in Redis lacks the change" in away.err
    assert not flags.set("read.trades", "shadow", NOF0_REDIS_URL="").err


class Watch:
    """nof0ctl flags watch, its lines in a file."""

    def __init__(self, flags, folder, *arguments):
        self.path = os.path.join(folder, "watched")
        open(self.path, "w", encoding="utf-8").close()
        self.process = ctl_start("flags", "watch", *arguments, dsn=flags.dsn, out=self.path)

    def lines(self, count):
        def read():
            with open(self.path, encoding="utf-8") as out:
                lines = out.read().splitlines()
            assert len(lines) <= count and self.process.poll() is None, lines
            return lines if len(lines) == count else None
        return wait_until(read, PATIENCE_S, f"{count} lines")

    def end(self, number=signal.SIGTERM):
        """What it said on stderr."""
        self.process.send_signal(number)
        err = self.process.communicate(timeout=PATIENCE_S)[1].decode()
        no_report(err)
        assert self.process.returncode == 0, err
        return err


def test_watch(flags, folder):
    flags.set("read.trades", "shadow")
    flags.set("read.trades", "canary:1", "--force")
    watch = Watch(flags, folder, "--after", "1", "--format", "json")
    expected = [2]
    assert [json.loads(line)["id"] for line in watch.lines(1)] == expected
    flags.set("switch.stream", "off")
    flags.set("switch.stream", "on")
    lines = [json.loads(line) for line in watch.lines(3)]
    assert lines == flags.log()[:3][::-1]
    # What happens while Postgres is away for it comes once it is back; nothing comes twice.
    flags.postgres.process.send_signal(signal.SIGINT)  # kill would lose what it did not write down yet
    flags.postgres.process.wait(PATIENCE_S)
    flags.postgres.start()
    flags.set("switch.stream", "off")
    lines = [json.loads(line) for line in watch.lines(4)]
    assert lines == flags.log()[:4][::-1] and lines[-1]["to"] == "off"
    err = watch.end()
    assert "waiting for Postgres" in err and "Postgres is back" in err

    # Neither the asker himself nor the watch that has just ended is the one that is to watch.
    watching = ("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%WHERE id > $1 ORDER BY id%'"
                " AND pid <> pg_backend_pid()")
    wait_until(lambda: Postgres.query(watching, flags.dsn)[0][0] == 0, PATIENCE_S, "nobody watches")
    watch = Watch(flags, folder)
    wait_until(lambda: Postgres.query(watching, flags.dsn)[0][0] == 1, PATIENCE_S, "it watches")
    flags("set", "switch.ingest", "off", "--reason", "too fast", "--actor", "ann")
    line = watch.lines(1)[0]
    assert line.endswith("Z  switch.ingest  (config) -> off, by ann: too fast")
    # A database that is older than what was seen, as from a backup.
    Postgres.query("TRUNCATE feature_flags; TRUNCATE feature_flag_changes RESTART IDENTITY", flags.dsn)
    assert select.select([watch.process.stderr], [], [], PATIENCE_S)[0]
    assert b"the log ends before change 6" in watch.process.stderr.readline()
    flags.set("switch.ingest", "off")
    assert watch.lines(2)[1].endswith("a test")
    assert not watch.end(signal.SIGINT)


def test_a_server_follows(flags, serve, demo):
    server = serve(NOF0_POSTGRES_DSN=flags.dsn, NOF0_LEGACY_DIR=demo, NOF0_ADMIN_TOKEN=ADMIN, NOF0_WORKERS=1,
                   **flags.settings)

    def shown(name):
        reply = server.get("/admin/flags", Authorization=f"Bearer {ADMIN}")
        assert reply.status == 200, repr(reply)
        return next(flag for flag in reply.json()["flags"] if flag["name"] == name)

    flags.set("read.trades", "shadow")
    wait_until(lambda: shown("read.trades")["value"] == "shadow", PATIENCE_S, "the server follows")
    mine = flags.get("read.trades")
    assert {key: mine[key] for key in shown("read.trades")} == shown("read.trades")
    assert server.get("/api/trades").header("X-Nof0-Source") == "legacy"
    flags.set("read.trades", "repo", "--force")
    wait_until(lambda: not server.get("/api/trades").json()["trades"], PATIENCE_S, "rows, of which there are none")
    # The mirror is written by both, and by the newer one last.
    with RedisClient(flags.redis.socket) as client:
        assert json.loads(client("GET", "nof0:flags"))["flags"]["read.trades"]["value"] == "repo"
