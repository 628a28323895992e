"""nof0ctl capture: a running API becomes a folder of files; what goes wrong changes none of them."""
import json
import os
import re
import signal
import time

import pytest

from support import data, ugly_server as ugly
from support.content import load, parse, same_content
from support.follow import Follower
from support.programs import PATIENCE_S, ctl, free_port
from support.servers import wait_until
from support.ugly_server import UglyServer

QUICK = ("--retries", "2", "--timeout", "10s")


def capture(server_url, folder, *options, expect=0):
    return ctl("capture", "--from", server_url, folder, *options, expect=expect)


def url(server):
    return f"http://127.0.0.1:{server.port}"


def signatures(folder):
    """What changes when a file is written again, even with the same bytes."""
    return {name: (os.stat(os.path.join(folder, name)).st_ino, os.stat(os.path.join(folder, name)).st_mtime_ns)
            for name in data.files(folder)}


@pytest.fixture
def out(folder, request):
    return os.path.join(folder, "out-" + "".join(c if c.isalnum() else "-" for c in request.node.name))


@pytest.fixture
def source(demo, folder, request):
    """A folder of its own that an ugly server serves."""
    name = "source-" + "".join(c if c.isalnum() else "-" for c in request.node.name)
    return data.copy(demo, os.path.join(folder, name))


@pytest.fixture
def server(source):
    running = UglyServer(source)
    yield running
    running.stop()


def same_as_source(out, source, without=()):
    assert data.files(out) == [name for name in data.files(source) if name[:-5] not in without]
    for name in data.files(out):
        with open(os.path.join(out, name), "rb") as a, open(os.path.join(source, name), "rb") as b:
            assert a.read() == b.read(), name


def test_files_are_the_answers(api, out):
    capture(url(api), out)
    assert data.files(out) == sorted([f"{name}.json" for name in data.ENDPOINTS] +
                                     [f"analytics-{model}.json" for model in data.models(api.folder)])
    for name, path in data.ENDPOINTS.items():
        same_content(load(os.path.join(out, f"{name}.json")), api.get(path).json(), ignore=("serverTime",))
    for model in data.models(api.folder):
        same_content(load(os.path.join(out, f"analytics-{model}.json"))["analytics"],
                     data.expected_one(api.folder, model)["analytics"])


def test_the_second_run_rewrites_nothing(api, out):
    capture(url(api) + "/api/", out)
    before = signatures(out)
    said = capture(url(api), out, "--verbose").out.splitlines()
    assert signatures(out) == before
    assert len(said) == len(before) + 1 and said[-1] == f"{len(before)} answers: 0 changed, {len(before)} as before, 0 failed"
    assert all(line.endswith(": unchanged") for line in said[:-1]), said


def test_what_somebody_else_changed_is_got_again(api, out):
    capture(url(api), out)
    with open(os.path.join(out, "trades.json"), "ab") as file:
        file.write(b" ")
    data.write(os.path.join(out, "leaderboard.json"), {"leaderboard": []})
    os.unlink(os.path.join(out, "positions.json"))
    before = signatures(out)
    capture(url(api), out)
    after = signatures(out)
    same_content(load(os.path.join(out, "leaderboard.json")), api.get("/api/leaderboard").json())
    assert {name for name in after if before.get(name) != after[name]} == {"leaderboard.json", "positions.json"}


def test_a_capture_can_be_imported(api, out, database):
    capture(url(api), out)
    ctl("import", "--quiet", out, dsn=database)


def test_bytes_stay_as_they_were_sent(server, source, out):
    with open(os.path.join(source, "trades.json"), "wb") as file:
        file.write(b'{ "trades" : [ {"id":"\\u00e9","n":1.50} ],\n"serverTime":5 }\n')
    capture(server.url, out)
    same_as_source(out, source)
    before = signatures(out)
    with open(os.path.join(source, "trades.json"), "wb") as file:
        file.write('{"trades":[{"n":1.5,"id":"é"}],"serverTime":6}'.encode())
    capture(server.url, out)
    assert signatures(out) == before


def test_connections_are_kept(server, out):
    capture(server.url, out)
    assert server.connections() <= 16
    assert len(server.asked()) == len(data.files(out))


@pytest.mark.parametrize("passing", [
    ugly.status(500), ugly.status(503), ugly.status(429, Retry_After="0"), ugly.status(408), ugly.cut_off,
    ugly.unannounced_end, ugly.text(b"<html>down for maintenance</html>"), ugly.text({"error": {"code": "x"}}),
    ugly.text(b'{"trades":[{"a":1,"a":2}]}')])
def test_what_passes_is_tried_again(server, source, out, passing):
    server.script("trades", passing, passing)
    capture(server.url, out, *QUICK)
    same_as_source(out, source)
    assert len(server.asked("trades")) == 3
    assert len(server.asked("positions")) == 1


@pytest.mark.parametrize("lasting, reason", [
    (ugly.status(500), "answered 500 (tried 3 times)"), (ugly.status(404), "answered 404"),
    (ugly.status(410), "answered 410"), (ugly.status(204), "answered 204"), (ugly.status(304, b""), "answered 304"),
    (ugly.redirect("/api/trades"), "redirects"), (ugly.redirect("file:///etc/passwd"), "rotocol"),
    (ugly.text(b"<html>"), "line 1, column 1"), (ugly.text({"trades": {}}), "$.trades must be an array of objects"),
    (ugly.text({"leaderboard": []}), 'has no "trades"'), (ugly.text(b'{"trades":[1e999]}'), "$.trades[0]"),
    (ugly.text(b"\x1f\x8bnonsense", Content_Encoding="gzip"), "ncoding")])
def test_what_lasts_is_told_and_changes_nothing(server, source, out, lasting, reason):
    capture(server.url, out)
    before = signatures(out)
    data.edit(source, "trades.json", lambda document: {**document, "more": 1})
    data.edit(source, "leaderboard.json", lambda document: {**document, "more": 1})
    server.script("trades", *[lasting] * 20)
    told = capture(server.url, out, *QUICK, expect=1)
    assert [line for line in told.err.splitlines() if line.startswith(f"{server.url}/api/trades: ") and reason in line], told
    assert len(told.err.splitlines()) == 1, told
    after = signatures(out)
    assert {name for name in after if before[name] != after[name]} == {"leaderboard.json"}
    server.script("trades")
    capture(server.url, out)
    same_as_source(out, source)


def test_too_large_an_answer_is_refused(server, out):
    told = capture(server.url, out, "--max-bytes", "100", expect=1)
    assert "/api/trades: the answer is larger than 100 bytes" in told.err
    assert len(server.asked("trades")) == 1
    bomb = {"trades": [], "zeros": "0" * 1000000}
    server.script("trades", ugly.zipped(bomb))
    told = capture(server.url, out, "--max-bytes", "500000", expect=1)
    assert [line for line in told.err.splitlines() if "/api/trades: the answer is larger" in line]
    assert not os.path.exists(os.path.join(out, "trades.json"))


@pytest.mark.parametrize("slow", [ugly.silent, ugly.dripping])
def test_a_slow_endpoint_holds_nobody_up(server, source, out, slow):
    server.script("trades", *[slow] * 5)
    began = time.monotonic()
    told = capture(server.url, out, "--retries", "1", "--timeout", "300ms", expect=1)
    assert time.monotonic() - began >= 0.6
    assert "/api/trades: " in told.err and "(tried 2 times)" in told.err, told
    same_as_source(out, source, without=("trades",))


def test_retry_after_is_heeded(server, source, out):
    server.script("trades", ugly.status(429, Retry_After="1"))
    began = time.monotonic()
    capture(server.url, out)
    assert time.monotonic() - began >= 1
    same_as_source(out, source)


def test_redirects_and_gzip(server, source, out):
    with open(os.path.join(source, "positions.json"), "rb") as file:
        positions = parse(file.read())
    server.script("trades", ugly.redirect("/api/elsewhere"))
    server.script("elsewhere", ugly.text({"trades": [], "serverTime": 1}))
    server.script("positions", ugly.zipped(positions))
    capture(server.url, out)
    assert "gzip" in server.headers("positions")[0]["Accept-Encoding"]
    same_content(load(os.path.join(out, "positions.json")), positions)
    assert load(os.path.join(out, "trades.json")) == {"trades": [], "serverTime": 1}


def test_validators(server, source, out):
    trades = {"trades": [], "serverTime": 1}
    when = "Sun, 26 Oct 2025 04:19:12 GMT"
    server.script("trades", ugly.text(trades, ETag='"one"', Last_Modified=when), ugly.status(304, b"", ETag='"one"'),
                  ugly.text({"trades": [{"id": "a"}]}))
    capture(server.url, out)
    capture(server.url, out)
    assert load(os.path.join(out, "trades.json")) == trades
    capture(server.url, out)
    assert load(os.path.join(out, "trades.json")) == {"trades": [{"id": "a"}]}
    capture(server.url, out)
    sent = [(headers.get("If-None-Match"), headers.get("If-Modified-Since")) for headers in server.headers("trades")]
    assert sent == [(None, None), ('"one"', when), ('"one"', when), (None, None)]
    # The same folder, another server: nothing that this one said counts there.
    server.script("trades", ugly.text(trades, ETag='"two"'))
    capture(server.url, out)
    capture(server.url.replace("127.0.0.1", "localhost"), out)
    assert server.headers("trades")[-1].get("If-None-Match") is None


def test_odd_models(server, source, out):
    def add(document):
        for model in ("a b", "../x", "ü?"):
            document["analytics"].append({**document["analytics"][0], "id": model, "model_id": model})
    data.edit(source, "analytics.json", add)
    one = {"analytics": {"id": "x"}, "serverTime": 1}
    server.script("analytics/a%20b", ugly.text(one))
    server.script("analytics/%C3%BC%3F", ugly.text(one))
    told = capture(server.url, out, expect=1)
    assert told.err.splitlines() == ['models without a file of their own, since their names are no file names: "../x"']
    assert load(os.path.join(out, "analytics-a b.json")) == one
    assert load(os.path.join(out, "analytics-ü?.json")) == one
    assert not os.path.exists(os.path.join(out, "..", "x.json"))


def test_without_the_list_of_models_the_known_ones_are_got(server, source, out):
    capture(server.url, out)
    server.script("analytics", *[ugly.status(404)] * 5)
    told = capture(server.url, out, expect=1)
    count = len(data.files(out))
    assert told.out.splitlines()[-1] == f"{count} answers: 0 changed, {count - 1} as before, 1 failed"


def test_nobody_there(out):
    nowhere = f"http://127.0.0.1:{free_port()}"
    told = capture(nowhere, out, "--retries", "0", expect=1)
    assert len(told.err.splitlines()) == 8
    assert data.files(out) == []


def test_wrong_arguments(server, out, folder):
    for words in ([], ["--from", server.url], [out], ["--from", "ftp://x", out], ["--from", server.url, out, "more"],
                  ["--from", server.url, out, "--every", "10"], ["--from", server.url, out, "--every"],
                  ["--from", server.url, out, "--retries=-1"], ["--from", server.url, out, "--loud"],
                  ["--from", server.url, os.path.join(folder, "no/such")],
                  ["--from", server.url, "/etc/hostname"]):
        assert ctl("capture", *words, expect=2).err.count("\n") == 1, words
    assert not server.asked()
    assert "--every" in ctl("help", "capture").out


def test_a_password_is_used_and_never_said(server, out):
    server.script("trades", ugly.status(404))
    told = capture(server.url.replace("http://", "http://me:hush@"), out, "--verbose", expect=1)
    assert server.headers("trades")[0]["Authorization"].startswith("Basic ")
    with open(os.path.join(out, ".capture.json"), encoding="utf-8") as state:
        assert "hush" not in told.out + told.err + state.read()


@pytest.fixture
def follow():
    running = []

    def start(*arguments, **settings):
        running.append(Follower(*arguments, **settings))
        return running[-1]
    yield start
    for follower in running:
        follower.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_again_and_again(server, source, out, follow, number):
    follower = follow(server.url, out)
    server.wait_asked(3, "trades")
    data.edit(source, "trades.json", lambda document: {**document, "trades": document["trades"][1:]})
    expected = load(os.path.join(source, "trades.json"))
    wait_until(lambda: load(os.path.join(out, "trades.json")) == expected, PATIENCE_S, "the change arrives")
    server.wait_asked(len(server.asked("trades")) + 2, "trades")
    said, err = follower.stop(number)
    assert not err
    # One line for the first round, one for that of the change, unless they met in one; none for those without news.
    counts = [re.fullmatch(r"\S+Z \d+ answers: (\d+) changed, \d+ as before, 0 failed", line) for line in said.splitlines()]
    assert sum(int(count[1]) for count in counts) == len(data.files(source)) + 1 and len(counts) <= 2, said
    same_as_source(out, source)
    assert [name for name in os.listdir(out) if name.endswith(".tmp")] == []


def test_trouble_is_told_once_and_its_end(server, out, follow):
    server.script("leaderboard", *[ugly.status(500)] * 4)
    follower = follow(server.url, out, "--retries", "0")
    server.wait_asked(8, "leaderboard")
    said, err = follower.stop()
    assert [line.split(" ", 1)[1] for line in err.splitlines()] == [f"{server.url}/api/leaderboard: answered 500"]
    assert [line for line in said.splitlines() if line.endswith("/api/leaderboard: well again")]


def test_others_go_on_beside_a_slow_one(server, source, out, follow):
    server.script("leaderboard", ugly.silent)
    follower = follow(server.url, out, "--timeout", "1h")
    server.wait_asked(6, "trades")
    assert len(server.asked("leaderboard")) == 1
    follower.stop()
    same_as_source(out, source, without=("leaderboard",))


def totals_part(handler):
    """account-totals as nof0d answers them, with lastHourlyMarker."""
    document = load(os.path.join(handler.server.folder, "account-totals.json"))
    if "?" in handler.path:
        least = int(handler.path.split("lastHourlyMarker=")[1])
        document["accountTotals"] = [row for row in document["accountTotals"]
                                     if row["since_inception_hourly_marker"] >= least]
    handler.reply(200, json.dumps(document).encode())


def test_account_totals_come_in_parts(server, source, out, follow):
    server.script("account-totals", *[totals_part] * 1000)
    rows = load(os.path.join(source, "account-totals.json"))["accountTotals"]
    hours = {row["model_id"]: row["since_inception_hourly_marker"] for row in rows}
    follower = follow(server.url, out)
    server.wait_asked(3, "account-totals")
    assert server.asked("account-totals")[1:3] == [f"/api/account-totals?lastHourlyMarker={min(hours.values())}"] * 2

    def change(document):
        last = document["accountTotals"][-1]
        last["dollar_equity"] += 1
        document["accountTotals"].append({**last, "id": "new", "timestamp": last["timestamp"] + 1})
    data.edit(source, "account-totals.json", change)
    expected = load(os.path.join(source, "account-totals.json"))
    wait_until(lambda: load(os.path.join(out, "account-totals.json")) == expected, PATIENCE_S, "the change arrives")
    # A new hour: everything is asked for once more.
    def next_hour(document):
        last = document["accountTotals"][-1]
        document["accountTotals"].append({**last, "id": "newer", "timestamp": last["timestamp"] + 3600,
                                          "since_inception_hourly_marker": max(hours.values()) + 1})
    data.edit(source, "account-totals.json", next_hour)
    expected = load(os.path.join(source, "account-totals.json"))
    wait_until(lambda: load(os.path.join(out, "account-totals.json")) == expected, PATIENCE_S, "the hour arrives")
    before = len(server.asked("account-totals"))
    server.wait_asked(before + 3, "account-totals")
    assert server.asked("account-totals")[1:].count("/api/account-totals") == 1
    # And when the server begins anew.
    data.edit(source, "account-totals.json", lambda document: {**document, "accountTotals": []})
    wait_until(lambda: not load(os.path.join(out, "account-totals.json"))["accountTotals"], PATIENCE_S, "the empty list")
    follower.stop()


def test_a_server_that_knows_no_parts(server, source, out, follow):
    follower = follow(server.url, out)
    server.wait_asked(2, "account-totals")
    data.edit(source, "account-totals.json", lambda document: document["accountTotals"].pop(0) and None)
    expected = load(os.path.join(source, "account-totals.json"))
    wait_until(lambda: load(os.path.join(out, "account-totals.json")) == expected, PATIENCE_S, "the change arrives")
    assert "?" in server.asked("account-totals")[-1]
    follower.stop()
