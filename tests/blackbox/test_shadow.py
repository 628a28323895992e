"""Comparisons in the server: what nof0d finds while it serves, where that is kept, when it takes an endpoint back."""
import json
import os

import pytest

from support import data
from support.metrics import metrics
from support.programs import PATIENCE_S, ctl
from support.redis_client import RedisClient
from support.servers import Postgres, wait_until

pytestmark = pytest.mark.threads

# What is asked for, by the endpoint's name in metrics.
PATHS = {"account_totals": "/api/account-totals?lastHourlyMarker=5", "positions": "/api/positions?limit=2",
         "trades": "/api/trades", "crypto_prices": "/api/crypto-prices",
         "since_inception": "/api/since-inception-values", "leaderboard": "/api/leaderboard",
         "analytics_all": "/api/analytics", "conversations": "/api/conversations?limit=3"}
FLAGS = ("account_totals", "positions", "trades", "crypto_prices", "since_inception", "leaderboard", "analytics",
         "conversations")
SHADOW = {f"NOF0_FLAG_READ_{name.upper()}": "shadow" for name in FLAGS}


class Place:
    """A folder and a database that say the same, and settings by which differences are found soon."""

    def __init__(self, postgres, redis, demo, folder):
        self.postgres, self.redis, self.demo = postgres, redis, demo
        self.dsn = postgres.new_database()
        ctl("migrate", "up", dsn=self.dsn)
        ctl("import", "--quiet", demo, dsn=self.dsn)
        self.files = data.copy(demo, os.path.join(folder, "files"))
        self.settings = {"NOF0_POSTGRES_DSN": self.dsn, "NOF0_REDIS_URL": redis.url, "NOF0_LEGACY_DIR": self.files,
                         "NOF0_READ": "legacy", "NOF0_ADMIN_TOKEN": "t", "NOF0_SHADOW_CONFIRM_MS": 60,
                         "NOF0_SHADOW_FLUSH_MS": 100, "NOF0_SHADOW_MAX_SHARE": 1, "NOF0_SHADOW_MAX_PER_SECOND": 500}

    def reset(self):
        Postgres.query("TRUNCATE feature_flags, parity_runs", self.dsn)
        with RedisClient(self.redis.socket) as redis:
            redis("FLUSHALL")

    def runs(self, endpoint):
        """Sums over the endpoint's rows of parity_runs."""
        return Postgres.query("SELECT coalesce(sum(comparisons), 0)::int, coalesce(sum(mismatches), 0)::int,"
                              " coalesce(sum(failures), 0)::int, min(origin), max(origin), min(left_source),"
                              " min(right_source) FROM parity_runs WHERE endpoint = %s", self.dsn, endpoint)[0]

    def show(self, *arguments, expect):
        return ctl("parity", "show", *arguments, NOF0_REDIS_URL=self.redis.url, expect=expect)

    def sell_for(self, price):
        """Changes the newest trade's exit price in the database alone; its id and what the price was."""
        with open(os.path.join(self.files, "trades.json"), encoding="utf-8") as file:
            trade = json.load(file)["trades"][0]
        Postgres.query("UPDATE trades SET exit_price = %s WHERE id = %s", self.dsn, price, trade["id"])
        return trade["id"], trade["exit_price"]


@pytest.fixture(scope="module")
def module_place(postgres, redis, demo, folder):
    return Place(postgres, redis, demo, folder)


@pytest.fixture
def place(module_place):
    module_place.reset()
    return module_place


def compared(server, endpoint, result):
    return metrics(server)[f'nof0_shadow_comparisons_total{{endpoint="{endpoint}",result="{result}"}}']


def poll_until(server, path, condition, what, **headers):
    """Asks as a dashboard does until the condition holds. No answer may be an error."""
    def step():
        with server.client() as client:
            for _ in range(5):
                reply = client.get(path, **headers)
                assert reply.status == 200, repr(reply)
        return condition()
    wait_until(step, PATIENCE_S, what)


def set_flag(server, flag, value):
    with server.client() as client:
        reply = client.request("PUT", f"/admin/flags/{flag}", headers={"Authorization": "Bearer t", "If-Match": "*"},
                               body=json.dumps({"value": value, "reason": "a test", "force": True}).encode())
    assert reply.status == 200, repr(reply)


def newest_change(server, flag):
    reply = server.get(f"/admin/flags/{flag}/history?limit=1", Authorization="Bearer t")
    assert reply.status == 200, repr(reply)
    return reply.json()["changes"][0]


def test_equal_sides_are_silent(place, serve):
    server = serve(**place.settings, **SHADOW)
    for endpoint, path in PATHS.items():
        poll_until(server, path, lambda e=endpoint: compared(server, e, "equal") >= 3, f"{endpoint} is compared")
    model = data.models(place.files)[0]
    poll_until(server, f"/api/analytics/{model}", lambda: compared(server, "analytics_one", "equal") >= 1, "a model")
    poll_until(server, "/api/analytics/nobody", lambda: compared(server, "analytics_one", "equal") >= 8, "nobody")
    # A page of trades goes through all that are stored: files have fewer.
    before = compared(server, "trades", "equal")
    assert server.get("/api/trades?limit=5").header("X-Nof0-Source") == "legacy"
    for endpoint in list(PATHS) + ["analytics_one"]:
        wait_until(lambda e=endpoint: place.runs(e)[0] >= 3, PATIENCE_S, f"{endpoint} is in parity_runs")
        assert place.runs(endpoint)[1:] == (0, 0, "shadow", "shadow", "legacy", "repo"), endpoint
    numbers = metrics(server)
    assert not any(numbers[name] for name in numbers if 'result="different"' in name or 'result="failed"' in name)
    assert numbers['nof0_shadow_comparisons_total{endpoint="trades",result="equal"}'] == before
    assert sum(numbers[name] for name in numbers if name.startswith("nof0_shadow_differences_total")) == 0
    place.show(expect=0)
    server.stop()
    assert place.runs("trades")[0] == before
    assert "shadow.different" not in server.log()


def test_a_difference_is_found_once_confirmed_and_kept(place, serve):
    server = serve(**place.settings, **SHADOW)
    trade, price = place.sell_for(4139.75)
    try:
        poll_until(server, "/api/trades", lambda: compared(server, "trades", "different") >= 5, "it is found")
        wait_until(lambda: place.runs("trades")[1] >= 1, PATIENCE_S, "it is in parity_runs")
        assert server.log().count("shadow.different") == 1, "told and kept once, however often it is seen"
        numbers = metrics(server)
        differences = numbers['nof0_shadow_differences_total{endpoint="trades",class="value"}']
        assert differences == compared(server, "trades", "different") or differences > 5
        table = place.show("trades", expect=1).out
        assert table.startswith("trades  20") and "  /api/trades  shadow  " in table, table
        assert f"  value           $.trades[id={trade}].exit_price  {json.dumps(price)} | 4139.75\n" in table, table
        pairs = [json.loads(line) for line in place.show("--json", expect=1).out.splitlines()]
        assert [pair["endpoint"] for pair in pairs] == ["trades"]
        assert pairs[0]["differences"] == [{"class": "value", "path": f"$.trades[id={trade}].exit_price",
                                            "left": json.dumps(price), "right": "4139.75"}]
        assert not pairs[0]["left"]["cut"] and pairs[0]["left"]["bytes"] == len(pairs[0]["left"]["text"].encode())
        right = json.loads(place.show("trades", "--text", "right", expect=1).out)
        assert next(t["exit_price"] for t in right["trades"] if t["id"] == trade) == 4139.75
    finally:
        place.sell_for(price)
    before = compared(server, "trades", "equal")
    poll_until(server, "/api/trades", lambda: compared(server, "trades", "equal") > before, "it is mended")


def test_what_must_not_be_kept_is_not(place, serve):
    server = serve(**place.settings, **SHADOW, NOF0_SHADOW_REDACT="exit_price, id,trade_id")
    trade, price = place.sell_for(4139.75)
    try:
        poll_until(server, "/api/trades", lambda: compared(server, "trades", "different") >= 1, "it is found")
        wait_until(lambda: place.show("--json", expect=None).out, PATIENCE_S, "it is kept")
    finally:
        place.sell_for(price)
    kept = place.show("--json", expect=1).out
    assert trade not in kept and "4139.75" not in kept
    difference, = json.loads(kept)["differences"]
    assert difference["path"].startswith("$.trades[id=sha256:") and difference["path"].endswith("].exit_price")
    assert difference["left"] != difference["right"]
    assert trade not in server.log() and "4139.75" not in server.log()


def test_what_moves_is_no_difference(place, serve):
    """Both sides change, one a moment after the other."""
    server = serve(**{**place.settings, **SHADOW, "NOF0_SHADOW_CONFIRM_MS": 1500})
    trade, price = place.sell_for(1.5)
    poll_until(server, "/api/trades", lambda: compared(server, "trades", "equal") == 0, "a first look")
    data.edit(place.files, "trades.json",
              lambda d: {**d, "trades": [{**t, "exit_price": 1.5 if t["id"] == trade else t["exit_price"]}
                                         for t in d["trades"]]})
    try:
        poll_until(server, "/api/trades", lambda: compared(server, "trades", "equal") >= 2, "the file has followed")
        assert compared(server, "trades", "different") == 0
        assert place.runs("trades")[1] == 0
    finally:
        data.edit(place.files, "trades.json",
                  lambda d: {**d, "trades": [{**t, "exit_price": price if t["id"] == trade else t["exit_price"]}
                                             for t in d["trades"]]})
        place.sell_for(price)


def test_load_sheds_comparisons(place, serve):
    server = serve(**{**place.settings, "NOF0_SHADOW_MAX_PER_SECOND": 1}, **SHADOW)
    poll_until(server, "/api/leaderboard", lambda: compared(server, "leaderboard", "shed") >= 20, "answers are left out")
    assert compared(server, "leaderboard", "equal") < compared(server, "leaderboard", "shed")
    none = serve(**place.settings, **SHADOW, NOF0_SHADOW_SAMPLE=0)
    for _ in range(10):
        assert none.get("/api/leaderboard").status == 200
    assert sum(compared(none, "leaderboard", result) for result in ("equal", "shed")) == 0


def test_a_canary_that_differs_goes_back(place, serve):
    server = serve(**place.settings)
    set_flag(server, "read.trades", "canary:50")
    poll_until(server, "/api/trades", lambda: compared(server, "trades", "equal") >= 3, "both are compared",
               X_Client_Id="a")
    wait_until(lambda: place.runs("trades")[0] >= 3, PATIENCE_S, "it is in parity_runs")
    assert place.runs("trades")[3:5] == ("canary", "canary")
    trade, price = place.sell_for(4139.75)
    try:
        poll_until(server, "/api/trades",
                   lambda: newest_change(server, "read.trades")["origin"] == "system", "it goes back", X_Client_Id="b")
    finally:
        place.sell_for(price)
    change = newest_change(server, "read.trades")
    assert (change["from"], change["to"]) == ("canary:50", "legacy")
    assert "comparisons differed" in change["reason"] and "fallback.mismatch_rate" in change["reason"], change
    assert change["actor"].startswith("nof0d@")
    assert metrics(server)['nof0_fallbacks_total{flag="read.trades"}'] == 1
    sold = next(t for t in server.get("/api/trades").json()["trades"] if t["id"] == trade)
    assert float(sold["exit_price"]) == price


def test_a_canary_that_fails_goes_back(place, serve):
    server = serve(**place.settings)
    set_flag(server, "read.leaderboard", "canary:100")
    assert server.get("/api/leaderboard").header("X-Nof0-Source") == "repo"
    Postgres.query("ALTER TABLE leaderboard_entries RENAME TO away", place.dsn)
    try:
        with RedisClient(place.redis.socket) as redis:
            redis("FLUSHALL")
        def answered_by_files():
            reply = server.get("/api/leaderboard")
            return reply.status == 200 and reply.header("X-Nof0-Source") != "repo"
        wait_until(answered_by_files, PATIENCE_S, "files answer all clients")
        wait_until(lambda: newest_change(server, "read.leaderboard")["origin"] == "system", PATIENCE_S, "it is stored")
    finally:
        Postgres.query("ALTER TABLE away RENAME TO leaderboard_entries", place.dsn)
    assert server.get("/api/leaderboard").status == 200
    change = newest_change(server, "read.leaderboard")
    assert change["to"] == "legacy" and "fallback.error_rate" in change["reason"], change
    assert "flags.fell_back" in server.log()
