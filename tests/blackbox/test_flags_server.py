"""Flags in nof0d: changed over HTTP, followed by every instance, kept while the stores are away, flipped under load.

NOF0_FLIPS_SECONDS makes the flips longer: 60 is what is asked of them under TSan.
"""
import itertools
import json
import os
import subprocess
import threading
import time

import pytest

from support import data
from support.events import Events
from support.metrics import metrics
from support.items import TOKEN, post, trade
from support.programs import NOF0D, PATIENCE_S, Result, ctl, ctl_start, environment, no_report
from support.redis_client import RedisClient
from support.servers import Postgres, Redis, wait_until

pytestmark = pytest.mark.threads

SECONDS = float(os.environ.get("NOF0_FLIPS_SECONDS", "3"))
ADMIN = "correct horse"


class Place:
    """A database and a folder that say different things, so that an answer shows which side it is of."""

    def __init__(self, postgres, redis, demo, folder):
        self.postgres, self.redis = postgres, redis
        self.dsn = postgres.new_database()
        ctl("migrate", "up", dsn=self.dsn)
        ctl("import", "--quiet", demo, dsn=self.dsn)
        self.files = data.copy(demo, os.path.join(folder, "files"))
        data.edit(self.files, "leaderboard.json", lambda d: {"leaderboard": d["leaderboard"][1:]})
        data.edit(self.files, "trades.json", lambda d: {**d, "trades": d["trades"][3:]})
        data.edit(self.files, "conversations.json", lambda d: {**d, "conversations": d["conversations"][1:]})
        self.settings = {"NOF0_POSTGRES_DSN": self.dsn, "NOF0_REDIS_URL": redis.url, "NOF0_LEGACY_DIR": self.files,
                         "NOF0_ADMIN_TOKEN": ADMIN, "NOF0_INGEST_TOKEN": TOKEN, "NOF0_GUARD_COMPARISONS": 0}

    def reset(self):
        Postgres.query("TRUNCATE feature_flags, parity_runs", self.dsn)
        with RedisClient(self.redis.socket) as redis:
            redis("FLUSHALL")


@pytest.fixture(scope="module")
def module_place(postgres, redis, demo, folder):
    return Place(postgres, redis, demo, folder)


@pytest.fixture
def place(module_place):
    module_place.reset()
    return module_place


def admin(server, method, path, body=None, token=ADMIN, match="*", **query):
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    if match is not None and method in ("PUT", "DELETE"):
        headers["If-Match"] = match
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    with server.client() as client:
        reply = client.request(method, "/admin" + path, body=body, headers=headers)
    assert reply.header("Access-Control-Allow-Origin") is None or reply.status == 404, repr(reply)
    assert reply.header("Cache-Control") == "no-store", repr(reply)
    return reply


def put(server, flag, value, reason="a test", **more):
    """Sets a flag; the state after it."""
    reply = admin(server, "PUT", f"/flags/{flag}", {"value": value, "reason": reason, **more})
    assert reply.status == 200, repr(reply)
    state = reply.json()
    assert reply.header("ETag") == f'"v{state["version"]}"'
    return state


def state(server, flag):
    reply = admin(server, "GET", f"/flags/{flag}")
    assert reply.status == 200, repr(reply)
    return reply.json()


def await_value(server, flag, value):
    wait_until(lambda: state(server, flag)["value"] == value, PATIENCE_S, f"{flag} is {value}")


def body(reply):
    """Without what follows the document."""
    assert reply.status == 200, repr(reply)
    return reply.content().split(b',"serverTime":')[0]


def side(server, **headers):
    reply = server.get("/api/leaderboard", **headers)
    assert reply.status == 200, repr(reply)
    return reply.header("X-Nof0-Source")


def test_a_change_reaches_every_instance(place, serve):
    one, two = serve(**place.settings), serve(**place.settings)
    rows = body(two.get("/api/leaderboard"))
    began = put(one, "read.leaderboard", "legacy", "files first", actor="ann")
    assert (began["value"], began["source"], began["stored"], began["default"]) == ("legacy", "store", "legacy", "repo")
    assert body(one.get("/api/leaderboard")) != rows
    wait_until(lambda: body(two.get("/api/leaderboard")) != rows, PATIENCE_S, "the other instance follows")
    assert state(two, "read.leaderboard") == began
    assert metrics(two)['nof0_flag_info{flag="read.leaderboard",value="legacy",source="store"}'] == 1
    assert metrics(two)["nof0_flags_version"] == began["version"]
    assert metrics(two)["nof0_flags_store_up"] == 1
    assert metrics(two)["nof0_flags_sets_total"] >= 1

    reply = admin(two, "DELETE", "/flags/read.leaderboard?reason=rows%20again&actor=bob")
    assert reply.status == 200 and reply.json()["stored"] is None and reply.json()["source"] == "config"
    wait_until(lambda: body(one.get("/api/leaderboard")) == rows, PATIENCE_S, "back at the rows")
    log = admin(one, "GET", "/flags/read.leaderboard/history?limit=2").json()["changes"]
    assert [(c["flag"], c["from"], c["to"], c["origin"], c["actor"], c["reason"]) for c in log] == [
        ("read.leaderboard", "legacy", None, "operator", "bob", "rows again"),
        ("read.leaderboard", None, "legacy", "operator", "ann", "files first")]
    assert log[0]["id"] > log[1]["id"] == began["version"] and log[0]["at"].endswith("Z")
    assert admin(one, "GET", f"/history?after={began['version']}").json()["changes"] == log[:1]
    all_flags = admin(one, "GET", "/flags")
    assert all_flags.header("ETag") == f'"v{log[0]["id"]}"' and all_flags.json()["version"] == log[0]["id"]
    assert state(one, "read.leaderboard") in all_flags.json()["flags"]


def test_what_admin_refuses(place, serve):
    server = serve(**place.settings)
    flag = "/flags/read.trades"
    good = {"value": "legacy", "reason": "why", "force": True}
    for token in (None, "", "wrong", ADMIN + "x", ADMIN[:-1]):
        for method, path in (("GET", "/flags"), ("PUT", flag), ("GET", "/nothing")):
            reply = admin(server, method, path, good, token=token)
            assert (reply.status, reply.error()["code"]) == (401, "unauthorized")
            assert reply.header("WWW-Authenticate") == "Bearer"
    version = state(server, "read.trades")["version"]
    cases = [
        ("GET", "/flags/read.nothing", None, "*", 404, "not_found", None),
        ("GET", "/", None, "*", 404, "not_found", None),
        ("PUT", "/flags/read.trades/history", good, "*", 405, "method_not_allowed", None),
        ("POST", flag, good, "*", 405, "method_not_allowed", None),
        ("PUT", "/flags", good, "*", 405, "method_not_allowed", None),
        ("PUT", flag, good, None, 428, "precondition_required", None),
        ("PUT", flag, good, f'"v{version + 1}"', 412, "precondition_failed", None),
        ("PUT", flag, good, f'W/"v{version}"', 412, "precondition_failed", None),
        ("PUT", flag, good, '"x"', 412, "precondition_failed", None),
        ("PUT", flag, b"{", "*", 400, "malformed", None),
        ("PUT", flag, [good], "*", 400, "malformed", None),
        ("PUT", flag, None, "*", 400, "malformed", None),
        ("PUT", flag, {**good, "value": "repo "}, "*", 422, "invalid", "value"),
        ("PUT", flag, {**good, "value": "canary:0"}, "*", 422, "invalid", "value"),
        ("PUT", flag, {**good, "value": 5}, "*", 422, "invalid", "value"),
        ("PUT", flag, {"reason": "why"}, "*", 422, "invalid", "value"),
        ("PUT", flag, {"value": "legacy"}, "*", 422, "invalid", "reason"),
        ("PUT", flag, {**good, "reason": "x" * 1001}, "*", 422, "invalid", None),
        ("PUT", flag, {**good, "force": "yes"}, "*", 422, "invalid", "force"),
        ("PUT", flag, {**good, "why": "not"}, "*", 422, "invalid", None),
        ("PUT", "/flags/switch.stream", good, "*", 422, "invalid", "value"),
        ("DELETE", flag, None, "*", 422, "invalid", "reason"),
        ("DELETE", flag, good, "*", 422, "invalid", "value"),
        ("DELETE", flag + "?reason=%", None, "*", 422, "invalid", "reason"),
        ("GET", "/history?limit=0", None, "*", 400, "bad_parameter", "limit"),
        ("GET", "/history?after=-1", None, "*", 400, "bad_parameter", "after"),
    ]
    for method, path, sent, match, status, code, param in cases:
        reply = admin(server, method, path, sent, match=match)
        error = reply.error()
        assert (reply.status, error["code"], error.get("param")) == (status, code, param), (method, path, sent, error)
    assert state(server, "read.trades")["version"] == version
    reply = admin(server, "PUT", flag, good, match=f'"v7777", "v{version}"')
    assert reply.status == 200
    assert admin(server, "PUT", flag, {**good, "value": "repo"}, match=f'"v{version}"').status == 412
    assert state(server, "read.trades")["value"] == "legacy"
    assert admin(server, "HEAD", flag).status == 200

    closed = serve(**{**place.settings, "NOF0_ADMIN_TOKEN": ""})
    for token in (None, ""):
        assert admin(closed, "GET", "/flags", token=token).status == 404


def compared(place, endpoint, comparisons, mismatches=0, ago=30):
    """Comparisons that ended so many seconds ago."""
    Postgres.query("INSERT INTO parity_runs (endpoint, origin, instance, left_source, right_source, started_at, ended_at,"
                   " comparisons, mismatches, unsettled, failures, shed) SELECT %s, 'check', 'test', 'legacy', 'repo',"
                   " now() - interval '1 s' * %s, now() - interval '1 s' * %s, %s, %s, 0, 0, 0",
                   place.dsn, endpoint, ago + 5, ago, comparisons, mismatches)


def test_the_guard(place, serve):
    server = serve(**place.settings | {"NOF0_GUARD_COMPARISONS": 10, "NOF0_GUARD_AGE_S": 3600, "NOF0_READ": "legacy"})

    def ask(method, flag, value=None, match="*", **more):
        wish = {"reason": "a test", **more} | ({"value": value} if value else {})
        return admin(server, method, f"/flags/{flag}", wish, match=match)

    def refused(method, flag, value, *texts, **more):
        reply = ask(method, flag, value, **more)
        error = reply.error()
        assert (reply.status, error["code"]) == (409, "refused"), repr(reply)
        assert all(text in error["message"] for text in (flag, *texts)), error
        assert "param" not in error

    def done(method, flag, value=None, forced=False, **more):
        reply = ask(method, flag, value, **more)
        assert reply.status == 200, repr(reply)
        log = admin(server, "GET", f"/flags/{flag}/history?limit=1").json()["changes"]
        assert (log[0]["to"], log[0]["forced"]) == (value, forced)

    refused("PUT", "read.analytics", "repo", "analytics_all has 0 of the 10", "analytics_one has 0 of", "3600 s")
    done("PUT", "read.analytics", "shadow")
    compared(place, "analytics_all", 10)
    compared(place, "analytics_one", 9)
    refused("PUT", "read.analytics", "canary:0.5", "analytics_one has 9 of the 10")
    compared(place, "analytics_one", 1)
    done("PUT", "read.analytics", "canary:0.5")
    compared(place, "analytics_all", 50, mismatches=1, ago=20)
    refused("PUT", "read.analytics", "canary:1", "analytics_all has 0 of the 10 comparisons since the last difference")
    refused("PUT", "read.analytics", "repo", "analytics_all", match=f'"v{state(server, "read.analytics")["version"]}"')
    assert ask("PUT", "read.analytics", "repo", match='"v1234"').status == 412
    assert state(server, "read.analytics")["value"] == "canary:0.5"
    done("PUT", "read.analytics", "canary:0.25")
    done("PUT", "read.analytics", "repo", force=True, forced=True)
    done("PUT", "read.analytics", "legacy", force=True)
    done("DELETE", "read.analytics")
    done("PUT", "switch.ingest", "off")
    compared(place, "analytics_all", 10, ago=10)
    done("PUT", "read.analytics", "repo", force=True)
    # The settings that hold when it is asked.
    server_without = serve(**place.settings)
    reply = admin(server_without, "PUT", "/flags/read.trades", {"value": "repo", "reason": "no guard"})
    assert reply.status == 200 and not Postgres.query(
        "SELECT forced FROM feature_flag_changes ORDER BY id DESC LIMIT 1", place.dsn)[0][0]


def test_a_canary_is_sticky_and_monotone(place, serve):
    one, two = serve(**place.settings), serve(**place.settings)
    clients = [f"tab-{n}" for n in range(120)]
    before = set()
    for share in ("5", "20.5", "60", "100"):
        put(one, "read.leaderboard", f"canary:{share}")
        await_value(two, "read.leaderboard", f"canary:{share}")
        sides = [{c for c in clients if side(server, X_Client_Id=c) == "repo"} for server in (one, two, one)]
        assert sides[0] == sides[1] == sides[2]
        assert before <= sides[0], "a client went back"
        if share != "5":
            assert before < sides[0]
        before = sides[0]
    assert before == set(clients)
    # Who sends no id is told apart by his address, the first of those that proxies name.
    put(one, "read.leaderboard", "canary:50")
    sides = {n: side(one, X_Forwarded_For=f"10.0.0.{n}, 192.0.2.1") for n in range(40)}
    assert set(sides.values()) == {"legacy", "repo"}
    for n, expected in sides.items():
        assert side(one, X_Forwarded_For=f"10.0.0.{n}") == expected
    assert len({side(one) for _ in range(5)}) == 1
    reply = one.get("/api/leaderboard")
    assert reply.header("Cache-Control").startswith("private, ")
    put(one, "read.leaderboard", "shadow")
    reply = one.get("/api/leaderboard")
    assert reply.header("X-Nof0-Source") == "legacy" and reply.header("Cache-Control").startswith("public, ")


def test_a_validator_of_one_side_is_none_of_the_other(place, serve):
    server = serve(**place.settings)
    put(server, "read.trades", "canary:50")
    tags = {}
    for n in itertools.count():
        reply = server.get("/api/trades", X_Client_Id=f"c{n}")
        tags[reply.header("X-Nof0-Source")] = (f"c{n}", reply.header("ETag"), body(reply))
        if len(tags) == 2:
            break
    assert tags["legacy"][1] != tags["repo"][1]
    for client, own, content in tags.values():
        for _, tag, _ in tags.values():
            reply = server.get("/api/trades", X_Client_Id=client, If_None_Match=tag)
            assert reply.status == (304 if tag == own else 200)
            assert reply.status == 304 or body(reply) == content


def test_kill_switches(place, serve):
    server = serve(**place.settings)
    with server.client() as client, Events(server) as events:
        assert post(client, "trades", trade(1)).status == 200
        put(server, "switch.stream", "off")
        dropped = [event for event in events if event.event == "dropped"]
        assert json.loads(dropped[-1].data) == {"reason": "switched_off"}
        refused = server.get("/api/stream")
        assert (refused.status, refused.error()["code"]) == (503, "switched_off") and refused.header("Retry-After")
        put(server, "switch.ingest", "off")
        refused = post(client, "trades", trade(2))
        assert (refused.status, refused.error()["code"]) == (503, "switched_off")
        wait_until(lambda: metrics(server)['nof0_stream_dropped_total{reason="switched_off"}'] == 1, PATIENCE_S,
                   "it is counted")
        put(server, "switch.stream", "on")
        put(server, "switch.ingest", "on")
        with Events(server) as again:
            assert again.status == 200
            assert post(client, "trades", trade(3)).status == 200
            assert next(again).event


def test_captures_are_switched_off(place, serve, folder):
    server = serve(**place.settings)
    out = os.path.join(folder, "captured")
    follower = ctl_start("capture", "--from", f"http://127.0.0.1:{server.port}", out, "--every", "100ms",
                         dsn=place.dsn)
    wait_until(lambda: os.path.exists(os.path.join(out, "trades.json")), PATIENCE_S, "a capture")
    put(server, "switch.capture", "off")
    _, err = follower.communicate(timeout=PATIENCE_S)
    no_report(err.decode())
    assert follower.returncode == 2 and b"switch.capture is off" in err
    refused = ctl("capture", "--from", f"http://127.0.0.1:{server.port}", out, dsn=place.dsn, expect=2)
    assert "switch.capture is off" in refused.err
    ctl("capture", "--from", f"http://127.0.0.1:{server.port}", out, dsn=place.dsn, NOF0_FLAG_SWITCH_CAPTURE="on")


def test_a_flag_turns_files_on(place, serve, demo, folder):
    kept = os.path.join(folder, "kept")
    os.mkdir(kept)
    server = serve(**{**place.settings, "NOF0_LEGACY_DIR": kept})
    put(server, "dual_write.leaderboard", "on")
    path = os.path.join(kept, "leaderboard.json")
    wait_until(lambda: os.path.exists(path), PATIENCE_S, "the file")
    assert data.files(kept) == ["leaderboard.json"]
    put(server, "dual_write.leaderboard", "off")
    os.unlink(path)
    put(server, "dual_write.leaderboard", "on")
    wait_until(lambda: os.path.exists(path), PATIENCE_S, "the file once more")


def test_without_a_legacy_folder(place, serve):
    settings = {**place.settings, "NOF0_LEGACY_DIR": ""}
    server = serve(**settings)
    assert all(server.get(path).status == 200 for path in data.ENDPOINTS.values())
    put(server, "read.leaderboard", "legacy")
    reply = server.get("/api/leaderboard")
    assert (reply.status, reply.error()["code"]) == (503, "unavailable")
    assert "flags.no_source" in server.log()
    assert server.get("/readyz").status == 503
    put(server, "read.leaderboard", "repo")
    assert server.get("/api/leaderboard").status == 200


def test_the_environment_wins(place, serve, folder):
    server = serve(**place.settings, NOF0_FLAG_READ_LEADERBOARD="shadow")
    shown = put(server, "read.leaderboard", "repo")
    assert (shown["value"], shown["source"]) == ("shadow", "environment")
    assert (shown["stored"], shown["environment"]) == ("repo", "shadow")
    assert side(server) == "legacy"
    other = serve(**place.settings)
    assert state(other, "read.leaderboard")["value"] == "repo" and state(other, "read.leaderboard")["environment"] is None
    for name, value in (("NOF0_FLAG_READ_TRADES", "sometimes"), ("NOF0_FLAG_READ_NOTHING", "repo")):
        done = subprocess.run([NOF0D, "--check-config"], cwd=os.path.join(os.path.dirname(__file__), "../.."),
                              env=environment(**{name: value}, NOF0_POSTGRES_DSN=place.dsn),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)
        result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
        no_report(result.err)
        assert result.code == 2 and name in result.err, repr(result)


def test_the_last_flags_hold(place, serve, folder, template):
    """Its own servers are killed."""
    postgres = Postgres(os.path.join(folder, "own-pg"), template)
    redis = Redis(os.path.join(folder, "own-redis"))
    try:
        dsn = postgres.new_database()
        ctl("migrate", "up", dsn=dsn)
        keep = os.path.join(folder, "flags.json")
        settings = {**place.settings, "NOF0_POSTGRES_DSN": dsn, "NOF0_REDIS_URL": redis.url,
                    "NOF0_FLAGS_KEEP_FILE": keep}
        server = serve(**settings, wait="/healthz")
        for flag in ("read.leaderboard", "read.trades"):
            put(server, flag, "shadow")
        version = state(server, "read.trades")["version"]
        wait_until(lambda: os.path.exists(keep) and json.load(open(keep, encoding="ascii"))["version"] == version,
                   PATIENCE_S, "the flags are kept")
        key = "nof0:flags"
        with RedisClient(redis.socket) as client:
            wait_until(lambda: json.loads(client("GET", key) or "{}").get("version") == version, PATIENCE_S, "a mirror")
        postgres.kill()
        wait_until(lambda: metrics(server)["nof0_flags_store_up"] == 0, PATIENCE_S, "the store is away")
        assert side(server) == "legacy"
        reply = admin(server, "PUT", "/flags/read.trades", {"value": "repo", "reason": "no"})
        assert (reply.status, reply.error()["code"]) == (503, "unavailable")
        by_mirror = serve(**{**settings, "NOF0_FLAGS_KEEP_FILE": ""}, wait="/healthz")
        assert state(by_mirror, "read.trades")["version"] == version and side(by_mirror) == "legacy"
        redis.kill()
        time.sleep(0.6)
        for known in (server, by_mirror):
            assert state(known, "read.leaderboard")["value"] == "shadow" and side(known) == "legacy"
        server.stop()
        by_file = serve(**settings, wait="/healthz")
        assert state(by_file, "read.leaderboard")["value"] == "shadow" and side(by_file) == "legacy"
        assert state(by_file, "read.trades")["version"] == version
        by_nothing = serve(**{**settings, "NOF0_FLAGS_KEEP_FILE": ""}, wait="/healthz")
        assert state(by_nothing, "read.leaderboard")["source"] == "config"
        assert "flags.unknown" in by_nothing.log()
    finally:
        postgres.stop()
        redis.stop()


PATHS = ["/api/leaderboard", "/api/trades", "/api/trades?limit=5", "/api/conversations"]
FLIPPED = ["read.leaderboard", "read.trades", "read.conversations"]
VALUES = ["legacy", "shadow", "canary:50", "repo", "canary:0.5", "canary:100"]


class Load(threading.Thread):
    """Asks again and again; every answer must be whole and of one side, and its head and body must agree."""

    def __init__(self, server, known, number, stop):
        super().__init__(daemon=True)
        self.server, self.known, self.number, self.stop_ = server, known, number, stop
        self.seen, self.faults = {"legacy": 0, "repo": 0}, []

    def check(self, path, reply, sent):
        answer = (reply.status, reply.header("ETag"), reply.body if path == PATHS[0] else None)
        if reply.status == 304:
            assert reply.header("ETag") == sent, "304 of another validator"
            return
        content = body(reply)
        name = self.known[path].get((content, reply.header("ETag")))
        assert name, f"{path}: {answer} is of neither side"
        told, control = reply.header("X-Nof0-Source"), reply.header("Cache-Control")
        assert told in (None, name), f"{path} says {told} and is {name}"
        assert told or control.startswith("public, "), control
        self.seen[name] += 1

    def run(self):
        try:
            with self.server.client() as client:
                for n in itertools.count(self.number):
                    if self.stop_.is_set():
                        return
                    path = PATHS[n % len(PATHS)]
                    sent = list(self.known[path])[n // 7 % 2][1] if n % 5 == 0 else ""
                    reply = client.get(path, X_Client_Id=f"c{n % 16}", If_None_Match=sent,
                                       Accept_Encoding=("gzip", "identity")[n % 2])
                    self.check(path, reply, sent)
        except (AssertionError, OSError) as fault:
            self.faults.append(repr(fault))


class Flipper(threading.Thread):
    """Sets flags through one instance, 25 times a second."""

    def __init__(self, server, number, stop):
        super().__init__(daemon=True)
        self.server, self.number, self.stop_ = server, number, stop
        self.flips, self.faults = 0, []

    def run(self):
        began = time.monotonic()
        try:
            with self.server.client() as client:
                while not self.stop_.is_set():
                    n = self.flips * 4 + self.number
                    flag, value = FLIPPED[n % len(FLIPPED)], VALUES[n // len(FLIPPED) % len(VALUES)]
                    reply = client.request(
                        "PUT", f"/admin/flags/{flag}", json.dumps({"value": value, "reason": "flip"}),
                        {"Authorization": f"Bearer {ADMIN}", "If-Match": "*"})
                    assert reply.status == 200, repr(reply)
                    self.flips += 1
                    time.sleep(max(0.0, began + self.flips / 25 - time.monotonic()))
        except (AssertionError, OSError) as fault:
            self.faults.append(repr(fault))


def test_flips_under_load(place, serve):
    """Each answer is byte for byte one of the two sides' while flags are flipped 100 times a second."""
    servers = [serve(**place.settings), serve(**place.settings)]
    known = {path: {} for path in PATHS}
    for value in ("legacy", "repo"):
        for flag in FLIPPED:
            put(servers[0], flag, value)
        for path in PATHS:
            reply = servers[0].get(path)
            known[path][(body(reply), reply.header("ETag"))] = value
    assert all(len(sides) == 2 for sides in known.values())
    stop = threading.Event()
    loads = [Load(server, known, 3 * i, stop) for i, server in enumerate(servers * 2)]
    for load in loads:
        load.start()
    began = time.monotonic()
    flippers = [Flipper(server, n, stop) for n, server in enumerate(servers * 2)]
    for flipper in flippers:
        flipper.start()
    while time.monotonic() - began < SECONDS and not any(thread.faults for thread in loads + flippers):
        time.sleep(0.05)
    took = time.monotonic() - began
    stop.set()
    for thread in loads + flippers:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert not [fault for thread in loads + flippers for fault in thread.faults]
    flips = sum(flipper.flips for flipper in flippers)
    seen = {name: sum(load.seen[name] for load in loads) for name in ("legacy", "repo")}
    print(f"{flips} flips in {took:.1f} s, answers {seen}")
    assert min(seen.values()) > 0
    for flag in FLIPPED:
        put(servers[0], flag, "legacy", "the end")
    wait_until(lambda: admin(servers[0], "GET", "/flags").json() == admin(servers[1], "GET", "/flags").json(), PATIENCE_S,
               "both know the same in the end")
    for server in servers:
        assert '"level":"error"' not in server.log() and " error " not in server.log()
