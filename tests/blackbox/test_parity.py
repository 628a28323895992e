"""nof0ctl parity: what it finds equal and different between every kind of source, what it says, and that data on the
move raise no false alarm."""
import fcntl
import http.client
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import xml.etree.ElementTree

import pytest

from support import data, items
from support import ugly_server as ugly
from support.config import write_config
from support.content import load, parse
from support.programs import CONFIG, NOF0CTL, PATIENCE_S, ctl, ctl_start, environment, free_port, no_report
from support.servers import Postgres, wait_until

NAMES = ("account_totals", "positions", "trades", "crypto_prices", "since_inception", "leaderboard", "analytics_all",
         "analytics_one", "conversations")
CLASSES = ("value", "missing", "extra", "type", "order", "duplicate", "null-vs-absent")
QUICK = ("--pause", "10", "--confirm", "1")


def parity(*arguments, expect=0, **settings):
    return ctl("parity", *arguments, expect=expect, **settings)


def check(*arguments, expect=0, **settings):
    """The JSON document."""
    return parse(parity("--format", "json", *arguments, expect=expect, **settings).out)


def by_name(document):
    return {endpoint["endpoint"]: endpoint for endpoint in document["endpoints"]}


def results(document):
    return {endpoint["endpoint"]: endpoint["result"] for endpoint in document["endpoints"]}


def all_equal(document, names=NAMES):
    found = by_name(document)
    assert tuple(found) == tuple(name for name in NAMES if name in names)
    for name, endpoint in found.items():
        assert endpoint["result"] == "equal" and not any(endpoint["counts"].values()), endpoint
        assert endpoint["left"]["rows"] == endpoint["right"]["rows"] > 0, name
    assert document["result"] == "equal"


@pytest.fixture(scope="module")
def legacy(dataset):
    return {"NOF0_LEGACY_DIR": dataset}


def test_the_stores_are_equal(dataset, loaded, legacy):
    document = check("--no-store", dsn=loaded, **legacy)
    all_equal(document)
    assert (document["left"], document["right"], document["looks"]) == ("legacy", "repo", 1)
    assert by_name(document)["analytics_one"]["documents"] == len(data.models(dataset))
    assert by_name(document)["trades"]["left"]["rows"] == len(load(os.path.join(dataset, "trades.json"))["trades"])


def test_an_export_is_equal(dataset, loaded, folder):
    out = os.path.join(folder, "export-" + os.path.basename(dataset))
    ctl("export", "--quiet", out, dsn=loaded)
    all_equal(check("--left", dataset, "--right", out))
    all_equal(check("--left", "repo", "--right", out, dsn=loaded))


@pytest.fixture(scope="module")
def demo_dsn(postgres, demo):
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    return dsn


@pytest.fixture(scope="module")
def servers(serve_module, demo, demo_dsn):
    return (serve_module(NOF0_READ="legacy", NOF0_LEGACY_DIR=demo, NOF0_WORKERS=1),
            serve_module(NOF0_READ="repo", NOF0_POSTGRES_DSN=demo_dsn, NOF0_WORKERS=1))


def test_servers_against_everything(servers, demo, demo_dsn, folder):
    urls = [f"http://127.0.0.1:{server.port}" for server in servers]
    captured = os.path.join(folder, "captured")
    ctl("capture", "--from", urls[1], captured)
    for left, right in ((urls[0], urls[1] + "/api"), ("repo", urls[0]), (urls[1], demo), ("legacy", captured)):
        all_equal(check("--left", left, "--right", right, dsn=demo_dsn, NOF0_LEGACY_DIR=demo))


@pytest.fixture
def other(demo, folder, request):
    """A copy of the demo folder that the test may change."""
    return data.copy(demo, os.path.join(folder, "other-" + re.sub(r"\W", "", request.node.name)))


def drop_first(rows):
    """A change for data.edit."""
    def change(document):
        del document[rows][0]
    return change


def test_every_class_shows(demo, other):
    rows = load(os.path.join(demo, "trades.json"))["trades"]

    def change(document):
        trades = document["trades"]
        trades[0]["quantity"] = -trades[0]["quantity"]
        trades[1]["exit_time"] = str(trades[1]["exit_time"])
        del trades[2]
        trades.append({**trades[-1], "id": "new"})
        trades.append(trades[10])
        trades[20], trades[21] = trades[21], trades[20]
        trades[30]["nothing"] = None
    data.edit(other, "trades.json", change)
    document = check("trades", "--left", demo, "--right", other, expect=1)
    trades = by_name(document)["trades"]
    assert trades["counts"] == {**{name: 1 for name in CLASSES}, "order": trades["counts"]["order"]}
    assert trades["counts"]["order"] >= 1 and trades["more"] == 0
    found = {difference["class"]: difference for difference in trades["differences"]}
    assert tuple(sorted(found)) == tuple(sorted(CLASSES))
    assert rows[0]["id"] in found["value"]["path"] and found["value"]["path"].endswith(".quantity")
    assert json.loads(found["value"]["left"]) == -json.loads(found["value"]["right"]) == rows[0]["quantity"]
    assert json.loads(found["type"]["left"]) == float(json.loads(found["type"]["right"])) == rows[1]["exit_time"]
    assert rows[2]["id"] in found["missing"]["path"] and found["missing"]["right"] is None
    assert "new" in found["extra"]["path"] and found["extra"]["left"] is None
    assert (found["null-vs-absent"]["left"], found["null-vs-absent"]["right"]) == (None, "null")
    said = parity("trades", "--left", demo, "--right", other, "--max-diffs", "2", expect=1).out
    total = sum(trades["counts"].values())
    assert f"  and {total - 2} more\n" in said and said.endswith("\n1 endpoint: 1 different\n")


def test_the_formats_parse(demo, other, folder):
    data.edit(other, "trades.json", lambda document: document["trades"][0].update(quantity=1e9))
    data.edit(other, "leaderboard.json", lambda document: document["leaderboard"][0].update(id="a\u009b<&|`\u202e"))
    os.unlink(os.path.join(other, "conversations.json"))
    sides = ("--left", demo, "--right", other)
    report = xml.etree.ElementTree.fromstring(parity("--format", "junit", *sides, expect=2).out)
    suite = report.find("testsuite")
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == \
        {"tests": "9", "failures": "2", "errors": "1", "skipped": "0"}
    cases = {case.get("name"): case for case in suite}
    assert tuple(cases) == NAMES and cases["trades"].find("failure").get("message") == "1 value"
    assert "a\\u009b<&|`\\u202e" in cases["leaderboard"].find("failure").text
    assert "other side" in cases["conversations"].find("error").get("message")
    text = parity("--format", "markdown", *sides, expect=2).out
    assert "| trades | " in text and "### trades\n\n| class | path | left | right |\n|---|---|---|---|\n| value |" in text
    table = parity(*sides, expect=2)
    for out in (text, table.out, parity("--format", "json", *sides, expect=2).out):
        assert "\u009b" not in out and "\u202e" not in out and "\x1b" not in out
    assert re.search(r"^  conversations +not compared: .*has nothing of it", table.out, re.M), table
    assert table.out.endswith("\n9 endpoints: 6 equal, 2 different, 1 not compared\n") and not table.err


def test_what_a_side_lacks(demo, other, folder, postgres):
    os.unlink(os.path.join(other, "trades.json"))
    assert "other side has" in by_name(check("trades", "--left", other, "--right", demo, expect=2))["trades"]["reason"]
    again = data.copy(other, other + "-again")
    assert results(check("trades", "leaderboard", "--left", other, "--right", again)) == \
        {"trades": "nothing", "leaderboard": "equal"}
    # No analytics at all are something else than analytics of other models, which the API gives an empty form.
    for name in data.files(again):
        if name.startswith("analytics"):
            os.unlink(os.path.join(again, name))
    found = check("analytics", "--left", demo, "--right", again, expect=2)
    assert set(results(found).values()) == {"not compared"}
    os.unlink(os.path.join(other, f"analytics-{data.models(demo)[0]}.json"))
    data.edit(other, "analytics.json", drop_first("analytics"))
    found = by_name(check("analytics-one", "--left", demo, "--right", other, expect=1))["analytics_one"]
    assert (found["documents"], found["documents_different"]) == (5, 1)
    assert {difference["model"] for difference in found["differences"]} == {data.models(demo)[0]}
    # A database in which nothing ever was.
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    found = check("trades", "analytics", "--no-store", dsn=dsn, NOF0_LEGACY_DIR=demo, expect=2)
    assert set(results(found).values()) == {"not compared"}
    assert by_name(found)["trades"]["reason"] == "repo: has nothing of it, and the other side has"


def test_one_model_or_a_sample(demo, demo_dsn, other):
    models = data.models(demo)
    settings = {"dsn": demo_dsn, "NOF0_LEGACY_DIR": demo}
    document = check("--model", models[0], **settings)
    all_equal(document, [name for name in NAMES if name != "crypto_prices"])
    rows = load(os.path.join(demo, "trades.json"))["trades"]
    assert by_name(document)["trades"]["left"]["rows"] == len([r for r in rows if r["model_id"] == models[0]])

    def change(edited):
        for row in edited["trades"]:
            row["quantity"] += row["model_id"] == models[0]
    data.edit(other, "trades.json", change)
    sides = ("trades", "--left", demo, "--right", other)
    check(*sides, "--model", models[1])
    assert by_name(check(*sides, "--model", models[0], expect=1))["trades"]["counts"]["value"] > 0
    assert "nothing" in parity(*sides, "--model", "nobody", expect=2).out

    sample = check("--sample", "10", **settings)
    assert sample["sample_rows"] == 10 and results(sample) == {name: "equal" for name in NAMES}
    assert by_name(sample)["trades"]["right"] == {**by_name(sample)["trades"]["left"]}
    assert (by_name(sample)["trades"]["left"]["rows"], by_name(sample)["trades"]["left"]["of_rows"]) == (10, len(rows))
    said = parity("trades", "--sample", "50%", **settings).out
    assert "legacy | repo, a sample of 50 % of the rows\n" in said and f" of {len(rows)} " in said
    assert Postgres.query("SELECT count(*) FROM parity_runs", demo_dsn) == [(0,)]


def test_results_are_kept(demo, demo_dsn):
    def runs():
        return Postgres.query("SELECT endpoint, origin, left_source, right_source, comparisons, mismatches, unsettled,"
                              " failures, differences::text FROM parity_runs ORDER BY id", demo_dsn)
    settings = {"dsn": demo_dsn, "NOF0_LEGACY_DIR": demo}
    parity("--no-store", **settings)
    parity("--left", demo, **settings)
    assert runs() == []
    parity(**settings)
    kept = runs()
    assert tuple(row[0] for row in kept) == NAMES
    assert all(row[1:4] == ("check", "legacy", "repo") and row[5:8] == (0, 0, 0) for row in kept), kept
    assert {row[0]: row[4] for row in kept} == {**{name: 1 for name in NAMES}, "analytics_one": 5}
    Postgres.query("UPDATE trades SET quantity = quantity * 2", demo_dsn)
    try:
        parity("trades", *QUICK, expect=1, **settings)
    finally:
        Postgres.query("UPDATE trades SET quantity = quantity / 2", demo_dsn)
    assert runs()[-1][4:6] == (1, 1) and json.loads(runs()[-1][8])["value"] > 0
    # A store that refuses is told, and is no verdict.
    Postgres.query("ALTER TABLE parity_runs RENAME TO away", demo_dsn)
    try:
        told = parity("trades", **settings)
        assert "nof0ctl parity: the result is not in parity_runs: " in told.err and "1 endpoint: 1 equal\n" in told.out
    finally:
        Postgres.query("ALTER TABLE away RENAME TO parity_runs", demo_dsn)


def hasty(folder):
    """A configuration that does not wait long for a Postgres that is away."""
    return write_config(folder, "hasty.yaml", postgres__connect_timeout_ms=500)


def test_what_is_not_there(demo, demo_dsn, other, folder):
    told = ctl("--config", hasty(folder), "parity", dsn=f"host={folder}/nowhere dbname=x", expect=2, NOF0_LEGACY_DIR=demo)
    lines = [line for line in told.out.splitlines() if "not compared: repo: " in line]
    assert len(lines) == 9 and not told.err and "9 endpoints: 9 not compared" in told.out, told
    nowhere = f"http://127.0.0.1:{free_port()}"
    told = parity("trades", "leaderboard", "--left", nowhere, "--right", demo, expect=2)
    assert re.search(rf"^  trades +not compared: {nowhere}: /api/trades: .*\(tried 4 times\)$", told.out, re.M), told
    with open(os.path.join(other, "trades.json"), "w", encoding="utf-8") as file:
        file.write('{"trades":[{"id":"a"},]}')
    found = check("trades", "leaderboard", "--left", other, dsn=demo_dsn, expect=2)
    assert results(found) == {"trades": "not compared", "leaderboard": "equal"}
    assert "trades.json: line 1, column 23" in by_name(found)["trades"]["reason"]


def test_wrong_arguments(demo, folder):
    for words in (["nothing"], ["--left"], ["--sample", "0"], ["--format", "xml"], ["--watch", "1s", "--format", "junit"],
                  ["--left", os.path.join(folder, "no/such")], ["--left", "ftp://x", "--right", demo],
                  ["--left", "http://x/?y", "--right", demo], ["--right", demo], ["--left", demo]):
        told = parity(*words, expect=2)
        assert told.err.startswith("nof0ctl parity: ") and told.err.count("\n") == 1 and not told.out, (words, told)
    assert "--confirm" in ctl("help", "parity").out


@pytest.fixture
def site(demo):
    server = ugly.UglyServer(demo)
    yield server
    server.stop()


def test_a_server_that_falters(site, demo):
    site.script("trades", ugly.status(503, Retry_After="0"), ugly.cut_off, ugly.text(b"<html>"))
    site.script("leaderboard", ugly.status(410))
    site.script("positions", ugly.status(404))
    url = site.url.replace("http://", "http://me:hush@")
    told = parity("trades", "leaderboard", "positions", "--left", url, "--right", demo, "--format", "json", expect=2)
    found = by_name(parse(told.out))
    assert found["trades"]["result"] == "equal" and len(site.asked("trades")) == 4
    assert found["leaderboard"]["reason"] == f"{site.url}: /api/leaderboard: answered 410"
    assert found["positions"]["reason"] == f"{site.url}: has nothing of it, and the other side has"
    assert "hush" not in told.out + told.err and site.headers("trades")[0]["Authorization"].startswith("Basic ")


class Watcher:
    def __init__(self, *arguments, config=CONFIG, **settings):
        self.process = ctl_start("--config", config, "parity", "--watch", "100ms", *arguments, **settings)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    def wait(self, pattern):
        """A line that was not waited for yet; those before it are forgotten."""
        def there():
            lines = self.lines[:]
            for at, line in enumerate(lines):
                if re.search(pattern, line):
                    del self.lines[:at + 1]
                    return True
            assert self.process.poll() is None, (lines, self.process.stderr.read())
            return False
        wait_until(there, PATIENCE_S, f"a line like {pattern}")

    def stop(self, expect, number=signal.SIGTERM):
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE_S) == expect
        self.reader.join(PATIENCE_S)
        err = self.process.stderr.read().decode()
        no_report(err)
        return err

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()


@pytest.fixture
def watch():
    running = []

    def start(*arguments, **settings):
        running.append(Watcher(*arguments, **settings))
        return running[-1]
    yield start
    for watcher in running:
        watcher.kill()


def test_a_watch_sees_a_change_come_and_go(demo, other, watch):
    watcher = watch("trades", "leaderboard", "--left", demo, "--right", other)
    watcher.wait("^2 endpoints: 2 equal$")
    for _ in range(2):
        watcher.wait(r"^\S+Z 2 endpoints: 2 equal$")
    before = load(os.path.join(other, "trades.json"))
    data.edit(other, "trades.json", lambda document: document["trades"][0].update(quantity=4242))
    watcher.wait(r"^\S+Z 2 endpoints: 1 equal, 1 different$")
    watcher.wait("^  trades .* different: 1 value$")
    watcher.wait(r"^  value +\$\.trades\[.*\]\.quantity  .* \| 4242$")
    watcher.wait(r"^\S+Z 2 endpoints: 1 equal, 1 different$")
    data.write(os.path.join(other, "trades.json"), before)
    watcher.wait(r"^\S+Z 2 endpoints: 2 equal$")
    watcher.wait("^  trades .* equal$")
    watcher.wait(r"^\S+Z 2 endpoints: 2 equal$")
    assert not watcher.stop(0)
    data.edit(other, "trades.json", drop_first("trades"))
    watcher = watch("trades", "--left", demo, "--right", other, "--format", "json")
    watcher.wait('"result":"different"')
    watcher.wait('"result":"different"')
    assert not watcher.stop(1, signal.SIGINT)


def test_a_watch_asks_a_server_conditionally(site, demo, watch):
    with open(os.path.join(demo, "trades.json"), "rb") as file:
        body = file.read()
    site.script("trades", ugly.text(body, ETag='"one"'), *[ugly.status(304, b"", ETag='"one"')] * 1000)
    watcher = watch("trades", "--left", site.url, "--right", demo)
    site.wait_asked(3, "trades")
    watcher.wait(r"^\S+Z 1 endpoint: 1 equal$")
    assert not watcher.stop(0)
    assert [headers.get("If-None-Match") for headers in site.headers("trades")[:3]] == [None, '"one"', '"one"']


def test_a_watch_outlives_postgres(folder, template, demo, watch):
    server = Postgres(os.path.join(folder, "mortal"), template)
    try:
        dsn = server.new_database()
        ctl("migrate", "up", dsn=dsn)
        ctl("import", "--quiet", demo, dsn=dsn)
        watcher = watch("trades", "leaderboard", *QUICK, config=hasty(folder), dsn=dsn, NOF0_LEGACY_DIR=demo)
        watcher.wait("2 endpoints: 2 equal$")
        server.kill()
        watcher.wait(r"^\S+Z 2 endpoints: 2 not compared$")
        watcher.wait("^  trades +not compared: repo: ")
        server.start()
        watcher.wait(r"^\S+Z 2 endpoints: 2 equal$")
        watcher.stop(0)
    finally:
        server.stop()


def test_a_terminal(demo, other):
    data.edit(other, "trades.json", drop_first("trades"))

    def on_terminal(*arguments, columns=70, **settings):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = subprocess.Popen([NOF0CTL, "--config", CONFIG, "parity", "--left", demo, "--right", other, *arguments],
                                   env=environment(TERM="xterm", **settings), stdin=subprocess.DEVNULL, stdout=slave,
                                   stderr=subprocess.PIPE)
        os.close(slave)
        out = b""
        try:
            while chunk := os.read(master, 65536):
                out += chunk
        except OSError:  # what a terminal says when its last program is gone
            pass
        os.close(master)
        assert process.wait(PATIENCE_S) == 1
        no_report(process.stderr.read().decode())
        process.stderr.close()
        return out.decode().replace("\r\n", "\n")
    colored = on_terminal()
    plain = re.sub(r"\x1b\[[0-9]*m", "", colored)
    assert plain != colored and "\x1b" not in plain
    assert max(len(line) for line in plain.splitlines() if line.startswith("  missing")) == 70
    assert "\x1b" not in on_terminal(NO_COLOR="1") and "\x1b" not in on_terminal("--color", "never")
    assert on_terminal("--color", "always", NO_COLOR="1", columns=70) == colored
    assert "\x1b" in parity("--left", demo, "--right", other, "--color", "always", expect=1).out


class Ticker(threading.Thread):
    """A price and a position that change as fast as they are taken, and some trades at the beginning."""
    TRADES = 20

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ending, self.faults, self.sent = port, threading.Event(), [], 0

    def event(self):
        number = self.sent
        if number < self.TRADES:
            return "trades", items.trade(number, entry_time=1800000000 + number, exit_time=1800001000.125 + number)
        if number % 2:
            return "prices", items.tick(number, timestamp=1800000000000 + number)
        return "positions", items.position(1, timestamp=1800000000 + number, unrealized_pnl=number)

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {items.TOKEN}", "Content-Type": "application/json"}
        while not self.ending.wait(0.005):
            kind, item = self.event()
            connection.request("POST", f"/api/ingest/{kind}", json.dumps(item), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                self.faults.append(answer.status)
            self.sent += 1
        connection.close()


def test_a_moving_target_raises_no_false_alarm(postgres, demo, other, folder, serve):
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    config = write_config(folder, "moving.yaml", legacy__write_delay_ms=50, legacy__poll_ms=50)
    settings = {"NOF0_POSTGRES_DSN": dsn, "NOF0_LEGACY_DIR": other, "NOF0_DUAL_WRITE": "true"}
    server = serve(config=config, NOF0_INGEST_TOKEN=items.TOKEN, **settings)
    sides = {"dsn": dsn, "NOF0_LEGACY_DIR": other}
    ticker = Ticker(server.port)
    ticker.start()
    try:
        wait_until(lambda: ticker.sent > ticker.TRADES, PATIENCE_S, "trades came in")
        # However far the files are behind: a trade that they lack comes, and that ends the check.
        assert results(check("trades", "--confirm", "100", "--pause", "100", "--no-store", **sides)) == \
            {"trades": "equal"}
        # What changes all the time is never seen twice in the same way.
        found = by_name(check("crypto_prices", "positions", "--confirm", "2", "--pause", "150", "--no-store", **sides))
    finally:
        ticker.ending.set()
        ticker.join(PATIENCE_S)
    assert not ticker.faults
    for endpoint in found.values():
        assert endpoint["result"] in ("equal", "unsettled") and not any(endpoint["counts"].values()), endpoint
    # When all is quiet and written the two are equal, and what is wrong then is found.
    wait_until(lambda: Postgres.query("SELECT bool_and(position >= (SELECT max(id) FROM outbox)) FROM outbox_consumers"
                                      " WHERE name = 'legacy'", dsn)[0][0], PATIENCE_S, "the files are written")
    server.stop()
    all_equal(check("--no-store", **sides))
    data.edit(other, "trades.json", lambda document: document["trades"][0].update(side=None))
    assert by_name(check("trades", *QUICK, "--no-store", expect=1, **sides))["trades"]["counts"]["type"] == 1
