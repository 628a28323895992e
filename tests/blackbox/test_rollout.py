"""Rollout plans: endpoints on their way from files to rows, with a defect, with operators in between, killed and begun
again; nof0ctl cutover; and nof0d without any legacy folder."""
import itertools
import json
import os
import pty
import signal
import subprocess
import threading

import pytest

from support import data
from support.config import write_config
from support.content import load, same_content
from support.programs import CONFIG, NOF0CTL, PATIENCE_S, ctl, ctl_start, environment, no_report
from support.servers import Postgres, wait_until

ENDPOINTS = ("account_totals", "positions", "trades", "crypto_prices", "since_inception", "leaderboard", "analytics",
             "conversations")
STEPS = "[{to: shadow}, {to: canary:50}, {to: repo, soak: 0}]"
# Where nobody serves, nothing is compared, and nobody asks for it.
UNGUARDED = {"NOF0_GUARD_COMPARISONS": 0, "NOF0_READ": "legacy"}


def write_plan(folder, name, endpoints=ENDPOINTS, parallel=3, soak="50ms", comparisons=5, steps=STEPS):
    path = os.path.join(folder, f"{name}.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"name: {name}\nparallel: {parallel}\ndefaults: {{soak: {soak}, comparisons: {comparisons}}}\n"
                  f"steps: {steps}\nendpoints: {{{', '.join(name + ': ' for name in endpoints)}}}\n")
    return path


def start(path, *arguments, **settings):
    return ctl_start("flags", "plan", path, "--interval", "30ms", *arguments, **settings)


def finish(process, expect):
    """What it still has to say; some lines may have been read already."""
    out, err = process.stdout.read().decode(), process.stderr.read().decode()
    process.wait(PATIENCE_S)
    process.stdout.close()
    process.stderr.close()
    no_report(err)
    assert process.returncode == expect, out + err
    return out


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def values(dsn):
    rows = Postgres.query("SELECT name, value FROM feature_flags WHERE name LIKE 'read.%'", dsn)
    return {name.removeprefix("read."): value for name, value in rows}


def story(dsn, endpoint):
    """What the log says of an endpoint, oldest first: (value, who, why)."""
    return Postgres.query("SELECT to_value, actor, reason FROM feature_flag_changes WHERE name = 'read.' || %s ORDER BY id",
                          dsn, endpoint)


def operator_sets(settings, flag, value, reason="files first"):
    ctl("flags", "set", flag, value, "--actor", "ann", "--reason", reason, "--force", **settings)


class Polling(threading.Thread):
    """A client that asks for everything, again and again, and knows what the answers must be."""

    def __init__(self, server, number, expected):
        super().__init__(daemon=True)
        self.server, self.number, self.expected = server, number, expected
        self.done, self.faults, self.asked = threading.Event(), [], 0

    def run(self):
        try:
            with self.server.client() as client:
                tags, paths = {}, list(self.expected)
                for n in itertools.count(self.number):
                    if self.done.wait(0.004):
                        return
                    self.ask(client, paths[n % len(paths)], f"c{n // len(paths) % 16}", tags)
        except (AssertionError, OSError) as fault:
            self.faults.append(repr(fault))

    def ask(self, client, path, who, tags):
        reply = client.get(path, X_Client_Id=who, If_None_Match=tags.get((path, who), ""))
        assert reply.status in (200, 304), f"{path}: {reply!r}"
        self.asked += 1
        if reply.status == 200:
            tags[(path, who)] = reply.header("ETag")
            assert_same(path, self.expected[path], reply)


def assert_same(path, expected, reply):
    try:
        same_content(expected, reply.json(), ignore=("serverTime",))
    except AssertionError as fault:
        raise AssertionError(f"{path}: {fault}") from None


@pytest.fixture(scope="module")
def files(demo, folder):
    return data.copy(demo, os.path.join(folder, "files"))


@pytest.fixture(scope="module")
def expected(demo):
    """What each path answers, from whichever side."""
    model = data.models(demo)[0]
    return {**{path: load(os.path.join(demo, file + ".json")) for file, path in data.ENDPOINTS.items()},
            f"/api/analytics/{model}": data.expected_one(demo, model)}


def test_a_defect_stops_one_endpoint(postgres, redis, demo, files, expected, folder, serve):
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    repair = Postgres.query("""UPDATE leaderboard_entries SET equity = equity + 1 WHERE id IN
        (SELECT min(id) FROM leaderboard_entries) RETURNING id, equity - 1""", dsn)[0]
    settings = {"dsn": dsn, "NOF0_REDIS_URL": redis.url, "NOF0_LEGACY_DIR": files, "NOF0_READ": "legacy",
                "NOF0_GUARD_COMPARISONS": 5}
    server = serve(**{"NOF0_POSTGRES_DSN": dsn, **{k: v for k, v in settings.items() if k != "dsn"}},
                   NOF0_SHADOW_CONFIRM_MS=30, NOF0_SHADOW_FLUSH_MS=100, NOF0_SHADOW_MAX_PER_SECOND=500,
                   NOF0_SHADOW_MAX_SHARE=1)
    clients = [Polling(server, 7 * n, expected) for n in range(3)]
    for client in clients:
        client.start()
    path = write_plan(folder, "night")
    # Killed in the middle, then twice at once.
    killed = start(path, **settings)
    wait_until(lambda: len(values(dsn)) >= 5, PATIENCE_S, "it is on its way")
    killed.kill()
    killed.communicate()
    both = [start(path, **settings), start(path, "--format", "json", **settings)]
    finish(both[0], 1)
    said = events(finish(both[1], 1))
    assert said[-1]["event"] == "end" and said[-1]["text"] == "8 endpoints: 7 arrived, 1 stopped"
    assert {e["endpoint"]: e["state"] for e in said if e["event"] == "stands"} == {
        endpoint: "stopped" if endpoint == "leaderboard" else "arrived" for endpoint in ENDPOINTS}
    assert values(dsn) == {endpoint: "shadow" if endpoint == "leaderboard" else "repo" for endpoint in ENDPOINTS}
    # The log tells the story.
    for endpoint in ENDPOINTS:
        told = story(dsn, endpoint)
        assert [to for to, _, _ in told] == ["shadow", "canary:50", "repo"][:1 if endpoint == "leaderboard" else 3]
        assert {actor for _, actor, _ in told} == {"plan:night"}
        assert told[0][2] == "step 1 of 3: it begins"
        for n, (_, _, reason) in enumerate(told[1:], 2):
            assert reason.startswith(f"step {n} of 3: ") and " comparisons without a difference in " in reason, reason
    shown = ctl("flags", "history", "read.trades", **settings).out
    assert "plan:night" in shown and "step 2 of 3: " in shown
    stopped = ctl("flags", "plan", path, "--once", expect=1, **settings)
    assert "comparisons of leaderboard with a difference" in stopped.out or \
        "comparison of leaderboard with a difference" in stopped.out

    # The row is repaired and the endpoint goes on, from its first step.
    Postgres.query("UPDATE leaderboard_entries SET equity = %s WHERE id = %s", dsn, repair[1], repair[0])
    finish(start(path, "--resume", "leaderboard", "--reason", "the row is repaired", **settings), 0)
    told = story(dsn, "leaderboard")
    assert [to for to, _, _ in told] == ["shadow", "legacy", "shadow", "canary:50", "repo"]
    assert {reason for _, _, reason in told[1:3]} == {"resumed: the row is repaired"}
    rows_alone = {client: client.asked + 2 * len(expected) for client in clients}
    for client, enough in rows_alone.items():
        wait_until(lambda: client.faults or client.asked >= enough, PATIENCE_S, "rows alone answer everything")
        client.done.set()
        client.join(PATIENCE_S)
        assert not client.is_alive() and not client.faults, client.faults

    # Retired: first the configuration must say so too.
    kept = ctl("cutover", "trades", "--to", "retire", "--soak", "0", expect=1, **settings)
    assert "trades.json must stay" in kept.out and "lacks  the configuration says endpoints.trades: legacy" in kept.out
    settings["NOF0_READ"] = "repo"
    young = ctl("cutover", "trades", "--to", "retire", expect=1, **settings)
    assert "of at least 1d" in young.out
    done = ctl("cutover", "trades", "--to", "retire", "--soak", "0", **settings)
    assert "trades.json may go" in done.out and "Every endpoint is ready: nof0d runs without legacy.dir" in done.out
    operator_sets(settings, "dual_write.trades", "on")
    on = ctl("cutover", "trades", "--to", "retire", "--soak", "0", expect=1, **settings)
    assert "lacks  dual_write.trades is on" in on.out and "legacy.dir is still needed: trades\n" in on.out
    operator_sets(settings, "dual_write.trades", "off")

    # And nof0d answers everything without any folder.
    bare = serve(NOF0_POSTGRES_DSN=dsn, NOF0_READ="repo", NOF0_LEGACY_DIR="")
    for path in expected:
        reply = bare.get(path)
        assert reply.status == 200, path
        assert_same(path, expected[path], reply)
    assert bare.get("/readyz").status == 200 and "flags.no_source" not in bare.log()


@pytest.fixture
def idle(database):
    """A database on which nobody serves: steps need time alone."""
    return {"dsn": database, **UNGUARDED}


def compared(dsn, endpoint, mismatches=0):
    """Notes five comparisons, as a server does."""
    Postgres.query("""INSERT INTO parity_runs (endpoint, origin, instance, left_source, right_source, started_at, ended_at,
        comparisons, mismatches, unsettled, failures, shed)
        VALUES (%s, 'shadow', 'test', 'legacy', 'repo', now(), now(), 5, %s, 0, 0, 0)""", dsn, endpoint, mismatches)


def test_operators_come_first(idle, folder):
    dsn = idle["dsn"]
    endpoints = ENDPOINTS[:3]
    path = write_plan(folder, "calm", endpoints, parallel=2, soak="1h", comparisons=0)
    operator_sets(idle, "switch.rollout", "off", reason="not tonight")
    process = start(path, "--format", "json", **idle)
    said = []

    def wait_for(event, **members):
        while not (said and said[-1]["event"] == event and members.items() <= said[-1].items()):
            line = process.stdout.readline()
            assert line, said
            said.append(json.loads(line))

    wait_for("paused")
    assert not values(dsn)
    operator_sets(idle, "switch.rollout", "on")
    wait_for("unpaused")
    wait_for("changed", endpoint="account_totals", to="shadow")
    operator_sets(idle, "read.account_totals", "legacy")
    wait_for("held", endpoint="account_totals", text="changed by ann: files first")
    wait_for("changed", endpoint="trades", to="shadow")
    process.send_signal(signal.SIGTERM)
    said += events(finish(process, 1))
    assert said[-1]["text"] == "3 endpoints: 1 held, 2 under way"
    assert [e["text"] for e in said if e["event"] == "interrupted"] == [
        "ended before all endpoints arrived: flags stay as they are; the same command goes on"]
    assert values(dsn) == {"account_totals": "legacy", "positions": "shadow", "trades": "shadow"}
    # The others arrive without it, until he lets it go on.
    path = write_plan(folder, "calm", endpoints, soak="0", comparisons=0)
    assert "3 endpoints: 2 arrived, 1 held" in finish(start(path, **idle), 1)
    assert values(dsn) == {"account_totals": "legacy", "positions": "repo", "trades": "repo"}
    assert "would set" not in ctl("flags", "plan", path, "--dry-run", expect=1, **idle).out
    out = finish(start(path, "--resume", "all", "--reason", "ann agrees", **idle), 0)
    assert "account_totals goes on: ann agrees" in out and "trades is neither stopped nor held" in out
    assert story(dsn, "account_totals")[2] == ("shadow", "plan:calm", "resumed: ann agrees")
    assert [to for to, _, _ in story(dsn, "account_totals")] == ["shadow", "legacy", "shadow", "canary:50", "repo"]


def test_a_look_at_a_time(idle, folder):
    """As cron would: each look makes the steps that are due."""
    dsn = idle["dsn"]
    path = write_plan(folder, "cron", ("trades", "positions"), parallel=1, soak="0", comparisons=0)
    dry = ctl("flags", "plan", path, "--dry-run", expect=3, **idle)
    assert "would set read.trades to shadow: step 1 of 3: it begins" in dry.out and not values(dsn)
    assert "the guard refuses" not in dry.out
    guarded = write_plan(folder, "guarded", ("trades",), soak="0", steps="[{to: canary:1}, {to: repo}]")
    refused = ctl("flags", "plan", guarded, "--dry-run", expect=3, **{**idle, "NOF0_GUARD_COMPARISONS": 5})
    assert "the guard refuses that now: trades has 0 of the 5 comparisons" in refused.out
    refused = ctl("flags", "plan", guarded, "--once", expect=3, **{**idle, "NOF0_GUARD_COMPARISONS": 5})
    assert "refused: read.trades: trades has 0 of the 5" in refused.out and not values(dsn)
    codes = []
    while not codes or codes[-1] == 3:
        codes.append(ctl("flags", "plan", path, "--once", expect=None, **idle).code)
        assert len(codes) < 10
    assert codes == [3, 3, 3, 3, 3, 0]
    assert [to for to, _, _ in story(dsn, "positions")] == ["shadow", "canary:50", "repo"]


def test_a_canary_goes_back(idle, folder):
    dsn = idle["dsn"]
    path = write_plan(folder, "hurt", ("trades",), soak="0", comparisons=5)
    codes = []
    for mismatches in (0, 1):
        codes.append(ctl("flags", "plan", path, "--once", expect=None, **idle).code)
        compared(dsn, "trades", mismatches)
        codes.append(ctl("flags", "plan", path, "--once", expect=None, **idle).code)
    assert codes == [3, 3, 3, 1]
    told = story(dsn, "trades")
    assert [to for to, _, _ in told] == ["shadow", "canary:50", "legacy"]
    assert told[1][2].startswith("step 2 of 3: 5 comparisons without a difference in ")
    assert told[2][2].startswith("step 2 of 3: 1 comparison of trades with a difference in ")
    assert told[2][2].endswith(" of canary:50: back")


def test_what_cannot_run(idle, folder):
    dsn = idle["dsn"]
    path = write_plan(folder, "wrong", ("trades",), steps="[{to: canary:5}, {to: shadow}, {to: repo, sok: 5m}]")
    wrong = ctl("flags", "plan", path, expect=2, **idle)
    assert wrong.err == (f"{path}:4: steps[2]: shadow does not lead on from canary:5 of the step before\n"
                         f"{path}:4: steps[3].sok: is no key of a rollout plan here\n")
    path = write_plan(folder, "hasty", ("trades",), comparisons=0)
    hasty = ctl("flags", "plan", path, expect=2, **{**idle, "NOF0_GUARD_COMPARISONS": 5})
    assert "comparisons: is 0 in the step to shadow, but flags.guard_comparisons asks for 5" in hasty.err
    for arguments in ((), (path, path), (path, "--once", "--dry-run"), (path, "--resume", "all"), (path, "--reason", "x"),
                      (path, "--resume", "trade", "--reason", "x"), (path, "--interval", "0"), (path, "--format", "xml"),
                      ("/nowhere.yaml",), (path, "--what")):
        assert ctl("flags", "plan", *arguments, expect=2, **idle).err, arguments
    gone = ctl("flags", "plan", path, "--once", expect=2, **{**idle, "dsn": "host=/nowhere dbname=x"})
    assert "nof0ctl flags plan: " in gone.err
    assert not values(dsn)


def test_postgres_goes_away(idle, folder, postgres):
    dsn = idle["dsn"]
    path = write_plan(folder, "patient", ("trades",), soak="0", comparisons=5)
    process = start(path, **idle)
    name, root = dsn.split("dbname=")[1], postgres.dsn("postgres", "postgres")
    out = ""

    def read_until(text):
        nonlocal out
        while text not in out:
            line = process.stdout.readline().decode()
            assert line, out
            out += line

    read_until("trades: legacy -> shadow")
    Postgres.query(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", root)
    Postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", root, name)
    read_until("Postgres is away")
    Postgres.query(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true", root)
    compared(dsn, "trades")
    read_until("shadow -> canary:50")
    compared(dsn, "trades")
    out += finish(process, 0)
    assert out.count("waiting for it") == 1 and out.count("Postgres is back: goes on") == 1
    assert values(dsn) == {"trades": "repo"}


def on_terminal(*arguments, answers="", dsn=None, **settings):
    """Exit code and output of nof0ctl on a terminal on which somebody typed ahead."""
    master, slave = pty.openpty()
    os.write(master, answers.encode())
    process = subprocess.Popen([NOF0CTL, "--config", CONFIG, *arguments], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                               env=environment(TERM="xterm", NOF0_POSTGRES_DSN=dsn, **settings))
    os.close(slave)
    out = b""
    try:
        while chunk := os.read(master, 65536):
            out += chunk
    except OSError:  # what a terminal says when its last program is gone
        pass
    os.close(master)
    _, err = process.communicate(timeout=PATIENCE_S)
    no_report(err.decode())
    return process.returncode, out.decode().replace("\r\n", "\n") + err.decode()


def test_a_walk_on_a_terminal(postgres, demo, files, folder):
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    settings = {"dsn": dsn, "NOF0_LEGACY_DIR": files, **UNGUARDED}
    walk = ("cutover", "trades", "--soak", "0", "--interval", "30ms")
    code, out = on_terminal(*walk, answers="y\nno\n", **settings)
    assert code == 3 and "trades: legacy -> shadow: files answer" in out and "  trades    " in out, out
    assert "verified: step 2 of 4: " in out and values(dsn) == {"trades": "shadow"}, out
    code, out = on_terminal(*walk, answers="y\ny\ny\n", **settings)
    assert code == 0 and values(dsn) == {"trades": "repo"}, out
    assert {actor for _, actor, _ in story(dsn, "trades")} == {"plan:cutover"}
    assert [to for to, _, _ in story(dsn, "trades")] == ["shadow", "canary:5", "canary:25", "repo"]
    # Nobody there to be asked, and data that differ.
    assert "say --yes" in ctl(*walk, expect=2, **settings).err
    Postgres.query("UPDATE positions SET leverage = leverage + 1", dsn)
    quick = write_config(folder, "quick.yaml", legacy__poll_ms=10, legacy__write_delay_ms=0)
    found = ctl("--config", quick, "cutover", "positions", "--yes", expect=1, **settings)
    assert "different" in found.out and "positions" not in values(dsn)
    # Somebody else took it back: it takes a word to go on.
    operator_sets(settings, "read.trades", "canary:5")
    assert "it is held" in ctl(*walk, "--yes", expect=1, **settings).out
    status = ctl("cutover", "--status", **settings).out
    assert "read.trades is canary:5 since " in status and "by ann: files first" in status
    assert "read.positions is legacy by the configuration" in status and status.count("  next: shadow\n") == 7
    ctl(*walk, "--yes", "--resume", "--reason", "ann agrees", **settings)
    assert [to for to, _, _ in story(dsn, "trades")][4:] == ["canary:5", "shadow", "canary:5", "canary:25", "repo"]
    # A plan on a terminal draws its table anew.
    path = write_plan(folder, "drawn", ("leaderboard",), soak="0", comparisons=0)
    code, out = on_terminal("flags", "plan", path, "--interval", "30ms", **settings)
    assert code == 0 and out.count("\x1b[H\x1b[J") >= 2 and "\x1b[32marrived" in out, out
    assert "leaderboard: canary:50 -> repo: step 3 of 3: " in out
