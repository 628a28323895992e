"""nof0ctl cache: what a warm writes, what verify finds, what drop leaves, and what happens when a server is away."""
import json
import os
import re
import tempfile

import pytest

from support import data
from support.config import write_config
from support.content import load, parse, same_content
from support.programs import ctl
from support.redis_client import RedisClient
from support.servers import Postgres

# A row of every table that legacy files do not fill.
MORE = """
INSERT INTO market_assets (provider, symbol, name, sz_decimals, max_leverage, only_isolated, is_delisted)
    VALUES ('hyper liquid', 'BTC', 'Bitcoin', 5, 40, false, NULL), ('hyper liquid', 'k:PEPE', NULL, 0, 10, true, false);
INSERT INTO market_asset_ctx (provider, symbol, funding, open_interest, oracle_px, mark_px, impact_pxs)
    VALUES ('hyper liquid', 'BTC', -0.0000125, 28123.5, 111000.5, 111001, '[110999.5, 111002]');
INSERT INTO trader_state (trader_id, exchange_provider, allocation_pct, cooldown, last_decision_at, pause_until)
    VALUES ('grok-4', 'sim', 12.5, '{"BTC": 3}', '2025-10-26 04:19:12.829345+00', 'infinity');
INSERT INTO price_latest (provider, symbol, price, ts_ms) VALUES ('other', 'BTC', 1e-7, 1761452352829);
INSERT INTO models (id, display_name) VALUES ('grok-4', 'grok-4'), ('mod\u00e9l: 1', 'odd') ON CONFLICT DO NOTHING;
INSERT INTO decision_cycles (model_id, cycle_number, decisions, success, executed_at, source_id)
    VALUES ('grok-4', 1, '{"BTC": {"signal": "hold"}}', true, '2025-10-26 04:00:00+00', 'a'),
           ('grok-4', 2, '{"BTC": {"signal": "buy"}}', true, '2025-10-26 05:00:00+00', 'b'),
           ('grok-4', 3, NULL, false, NULL, 'c');
INSERT INTO conversations (source_key, model_id) SELECT 'more-' || n, 'mod\u00e9l: 1' FROM generate_series(1, 25) AS n;
INSERT INTO conversation_messages (conversation_id, seq, role, content, ts_ms, ts_raw)
    SELECT id, s, 'user', source_key || '/' || s, 1761450000000 + id * 1000, to_jsonb(1761450000 + id)
    FROM conversations, generate_series(0, 1) AS s WHERE source_key LIKE 'more-%';
SELECT refresh_views_nof0();
"""

FOREIGN = {"other:key": b"1", "nof0x:price:latest:BTC": b"2", "nof0": b"3", "nof0:nobody:knows": b"4"}
ENTRIES = ("price_latest", "price_latest_single", "crypto_prices", "positions", "trades_recent", "leaderboard",
           "leaderboard_cache", "since_inception", "analytics", "analytics_all", "conversations", "decision_last",
           "trader_state", "market_asset", "market_ctx")


class Place:
    """A loaded database, a Redis, and a configuration whose TTLs no test outlives."""

    def __init__(self, folder, dsn, redis):
        self.dsn, self.redis = dsn, redis
        self.config = write_config(folder, "long.yaml", ttl__short_s=3600, ttl__medium_s=3600, ttl__long_s=3600,
                                   redis__command_timeout_ms=20000)

    def cache(self, *arguments, expect=0, **settings):
        return ctl("--config", self.config, "cache", *arguments, dsn=settings.pop("dsn", self.dsn), expect=expect,
                   NOF0_REDIS_URL=settings.pop("url", self.redis.url), **settings)

    def client(self):
        return RedisClient(self.redis.socket)

    def scan(self, expect=0):
        return ctl("--config", self.config, "keys", "--scan", expect=expect, NOF0_REDIS_URL=self.redis.url)


@pytest.fixture(scope="module")
def full(folder, loaded, redis):
    Postgres.query(MORE, loaded)
    return Place(folder, loaded, redis)


@pytest.fixture
def place(full):
    """Flushed and warm."""
    with full.client() as redis:
        redis("FLUSHALL")
    full.cache("warm")
    return full


def test_values_are_what_the_feeds_say(place, dataset):
    trades = load(os.path.join(dataset, "trades.json"))["trades"]
    with place.client() as redis:
        assert redis("GET", "nof0:crypto_prices")
        prices = load(os.path.join(dataset, "crypto-prices.json"))["prices"]
        same_content(parse(redis("GET", "nof0:crypto_prices")), {s: row["price"] for s, row in prices.items()})
        for symbol, row in prices.items():
            expected = {"provider": "arena", "symbol": symbol, "price": row["price"], "timestamp": row["timestamp"]}
            same_content(parse(redis("GET", f"nof0:price:latest:arena:{symbol}")), expected)
            same_content(parse(redis("GET", f"nof0:price:latest:{symbol}")), expected)
        assert parse(redis("GET", "nof0:price:latest:other:BTC"))["price"] == 1e-7
        for model in {row["model_id"] for row in trades}:
            own = sorted((row for row in trades if row["model_id"] == model),
                         key=lambda row: (row["exit_time"], row["id"]), reverse=True)
            same_content([parse(raw) for raw in redis("LRANGE", f"nof0:trades:recent:{model}", 0, -1)], own[:100])
        for entry in load(os.path.join(dataset, "positions.json"))["accountTotals"]:
            pairs = redis("HGETALL", f"nof0:positions:{entry['model_id']}")
            held = {pairs[i].decode(): parse(pairs[i + 1]) for i in range(0, len(pairs), 2)}
            same_content(held, entry["positions"])
        board = load(os.path.join(dataset, "leaderboard.json"))["leaderboard"]
        same_content(parse(redis("GET", "nof0:leaderboard:cache")), board)
        scores = redis("ZRANGE", "nof0:leaderboard", 0, -1, "WITHSCORES")
        assert {scores[i].decode(): float(scores[i + 1]) for i in range(0, len(scores), 2)} == \
            {row["id"]: row["return_pct"] for row in board}
        same_content(parse(redis("GET", "nof0:analytics:all")),
                     load(os.path.join(dataset, "analytics.json"))["analytics"])
        for model in data.models(dataset):
            same_content(parse(redis("GET", f"nof0:analytics:{model}")),
                         data.expected_one(dataset, model)["analytics"])
        for conversation in load(os.path.join(dataset, "conversations.json"))["conversations"]:
            if "messages" in conversation:
                held = [parse(raw) for raw in redis("LRANGE", f"nof0:conversations:{conversation['model_id']}", 0, -1)]
                for message in conversation["messages"]:
                    assert message in held
        expected = Postgres.query("SELECT model_id, array_agg(timestamp_ms ORDER BY timestamp_ms),"
                                  " array_agg(nav_since_inception ORDER BY timestamp_ms) FROM v_since_inception"
                                  " GROUP BY model_id", place.dsn)
        assert expected
        for model, times, values in expected:
            held = [parse(raw) for raw in redis("LRANGE", f"nof0:since_inception:{model}", 0, -1)]
            assert held == [{"timestamp": t, "value": v} for t, v in zip(times, values)]


def test_what_the_files_do_not_have(place):
    with place.client() as redis:
        same_content(parse(redis("GET", "nof0:market:asset:hyper%20liquid:k%3APEPE")),
                     {"provider": "hyper liquid", "symbol": "k:PEPE", "sz_decimals": 0, "max_leverage": 10,
                      "only_isolated": True, "is_delisted": False})
        same_content(parse(redis("GET", "nof0:market:ctx:hyper%20liquid:BTC")),
                     {"provider": "hyper liquid", "symbol": "BTC", "funding": -1.25e-05, "open_interest": 28123.5,
                      "oracle_px": 111000.5, "mark_px": 111001, "impact_pxs": [110999.5, 111002]})
        pairs = redis("HGETALL", "nof0:trader:grok-4:state")
        assert dict(zip(pairs[::2], pairs[1::2])) == {
            b"trader_id": b"grok-4", b"exchange_provider": b"sim", b"allocation_pct": b"12.5",
            b"cooldown": b'{"BTC":3}', b"last_decision_at": b"2025-10-26T04:19:12.829345Z",
            b"pause_until": b"infinity"}
        decision = parse(redis("GET", "nof0:decision:last:grok-4"))
        same_content(decision, {"id": "b", "model_id": "grok-4", "cycle_id": 2, "timestamp": 1761454800,
                                "success": True, "llm_response": {"BTC": {"signal": "buy"}}})
        held = [parse(raw) for raw in redis("LRANGE", "nof0:conversations:mod%C3%A9l%3A%201", 0, -1)]
        assert [message["content"] for message in held] == [f"more-{n}/{s}" for n in range(6, 26) for s in range(2)]


def test_a_warm_redis_is_clean(place):
    place.scan()
    result = place.cache("verify", "--strict")
    assert re.search(r"(\d+) values: \1 same, 0 different, 0 missing in Redis; 0 in Redis alone", result.out)
    place.cache("warm", "--quiet")
    assert place.cache("verify", "--strict", "--quiet").out == ""


def test_a_warm_leaves_the_rest_alone(place):
    with place.client() as redis:
        redis("XADD", "nof0:trades:stream", "*", "id", "1")
        redis("SET", "nof0:ingest:trade:x", "seen", "EX", 86400)
        for key, value in FOREIGN.items():
            redis("SET", key, value)
        place.cache("warm")
        assert redis("XLEN", "nof0:trades:stream") == 1
        place.cache("drop")
        assert redis("DBSIZE") == 2 + len(FOREIGN)
        assert redis("XLEN", "nof0:trades:stream") == 1 and redis("GET", "nof0:ingest:trade:x") == b"seen"
        for key, value in FOREIGN.items():
            assert redis("GET", key) == value
        place.cache("drop", "--only", "trades:stream", "--only", "ingest_trade")
        assert redis("DBSIZE") == len(FOREIGN)


def test_only_one_entry(place):
    with place.client() as redis:
        place.cache("drop", "--only", "positions:{model}")
        assert not redis("KEYS", "nof0:positions:*") and redis("KEYS", "nof0:trades:recent:*")
        place.cache("drop")
        assert redis("DBSIZE") == 0
        for entry in ENTRIES:
            place.cache("warm", "--only", entry)
            stats = {row["name"]: row["keys"] for row in parse(place.cache("stats", "--json").out)["entries"]}
            assert stats[entry] > 0 and sum(stats.values()) == stats[entry], entry
            place.cache("verify", "--only", entry, "--strict")
            place.cache("drop", "--only", entry)
            assert redis("DBSIZE") == 0


def first(redis, pattern):
    return sorted(redis("KEYS", pattern))[0].decode()


def changed_number(raw):
    """The same JSON with the first number, wherever it is, a little larger."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            return {k: walk(v) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v) for v in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not found:
            found.append(value)
            return value + 1
        return value

    out = json.dumps(walk(json.loads(raw)))
    assert found
    return out


STRINGS = ("nof0:price:latest:arena:*", "nof0:price:latest:BTC", "nof0:crypto_prices", "nof0:leaderboard:cache",
           "nof0:analytics:[^a]*", "nof0:analytics:all", "nof0:decision:last:grok-4", "nof0:market:asset:*",
           "nof0:market:ctx:*")
LISTS = ("nof0:trades:recent:*", "nof0:since_inception:*", "nof0:conversations:*")


@pytest.mark.parametrize("pattern", STRINGS)
def test_verify_finds_a_changed_string(place, pattern):
    with place.client() as redis:
        key = first(redis, pattern)
        redis("SET", key, changed_number(redis("GET", key)), "KEEPTTL")
        result = place.cache("verify", expect=1)
        assert result.out.count(key + ": ") == 1 and " 1 different" in result.out
        redis("SET", key, "no json", "KEEPTTL")
        assert f"{key}: $: is no JSON" in place.cache("verify", expect=1).out


@pytest.mark.parametrize("pattern", LISTS)
def test_verify_finds_a_changed_list(place, pattern):
    with place.client() as redis:
        key = first(redis, pattern)
        last = redis("LINDEX", key, -1)
        redis("LSET", key, -1, changed_number(last) if b"timestamp" in last or b"price" in last else '{"role": "x"}')
        index = redis("LLEN", key) - 1
        assert f"{key} [{index}]: $." in place.cache("verify", expect=1).out
        redis("LPUSH", key, "{}")
        assert f"{key}: has {index + 2} elements, should have {index + 1}" in place.cache("verify", expect=1).out
        redis("LPOP", key)
        redis("LSET", key, -1, last)
        place.cache("verify", "--strict")
        redis("RPOP", key)
        if index:
            assert f"{key}: has {index} elements" in place.cache("verify", expect=1).out


def test_verify_finds_changed_pairs(place):
    with place.client() as redis:
        key = first(redis, "nof0:positions:*")
        field = redis("HKEYS", key)[0]
        redis("HSET", key, field, changed_number(redis("HGET", key, field)))
        redis("HSET", key, "NEW\n", "{}")
        found = place.cache("verify", expect=1).out
        assert f"{key} {field.decode()}: $." in found and f"{key} NEW\\x0a: should not be there" in found
        redis("HDEL", key, "NEW\n", field)
        redis("HSET", key, "other", "{}")
        assert f"{key} {field.decode()}: is missing" in place.cache("verify", expect=1).out
        place.cache("warm", "--only", "positions")
        redis("HSET", "nof0:trader:grok-4:state", "allocation_pct", "12.50")
        assert "state allocation_pct: is \"12.50\", should be \"12.5\"" in place.cache("verify", expect=1).out
        place.cache("warm", "--only", "trader_state")
        member = redis("ZRANGE", "nof0:leaderboard", 0, 0)[0]
        redis("ZINCRBY", "nof0:leaderboard", "0.001", member)
        assert f"nof0:leaderboard {member.decode()}: has score" in place.cache("verify", expect=1).out
        place.cache("warm", "--only", "leaderboard")
        place.cache("verify", "--strict")


def test_verify_finds_wrong_types_and_strangers(place):
    with place.client() as redis:
        redis("DEL", "nof0:leaderboard")
        redis("SET", "nof0:leaderboard", "1", "EX", 60)
        redis("HSET", "nof0:positions:nobody", "BTC", "{}")
        found = place.cache("verify", expect=1).out
        assert "nof0:leaderboard: is a string, should be a zset" in found
        assert "nof0:positions:nobody: is in Redis, and Postgres has nothing for it" in found
        place.cache("verify", "--only", "trades_recent")
        place.cache("warm")  # replaces the wrong type
        redis("DEL", "nof0:positions:nobody")
        place.cache("verify", "--strict")


def test_missing_names_count_only_when_strict(place):
    with place.client() as redis:
        redis("DEL", "nof0:crypto_prices", first(redis, "nof0:trades:recent:*"))
        assert " 2 missing in Redis" in place.cache("verify").out
        place.cache("verify", "--strict", expect=1)
        redis("FLUSHALL")
        place.cache("verify")


def test_the_same_by_meaning(place):
    with place.client() as redis:
        held = parse(redis("GET", "nof0:leaderboard:cache"))
        shuffled = [dict(sorted(row.items(), reverse=True)) for row in held]
        redis("SET", "nof0:leaderboard:cache", json.dumps(shuffled, indent=1), "KEEPTTL")
        place.cache("verify", "--strict")


def test_a_changed_database_shows(place):
    """A price that moved is a difference until it is warmed again."""
    with place.client() as redis:
        (symbol, price), = Postgres.query("SELECT symbol, price FROM price_latest WHERE provider = 'other'", place.dsn)
        Postgres.query("UPDATE price_latest SET price = 2 WHERE provider = 'other'", place.dsn)
        try:
            found = place.cache("verify", expect=1).out
            assert f"nof0:price:latest:other:{symbol}: $.price: is {price:g}".replace("e-07", "e-7") in found
            place.cache("warm", "--only", "price_latest")
            place.cache("verify", "--strict")
            assert parse(redis("GET", "nof0:price:latest:other:BTC"))["price"] == 2
        finally:
            Postgres.query("UPDATE price_latest SET price = %s WHERE provider = 'other'", place.dsn, price)


def test_ttls_are_the_registrys(place):
    with place.client() as redis:
        stats = {row["name"]: row for row in parse(place.cache("stats", "--json").out)["entries"]}
        for entry, seconds in (("price_latest", 3600), ("positions", 1800), ("trades_recent", 3600),
                               ("analytics", 7200)):
            assert stats[entry]["without_ttl"] == 0
            assert (seconds - 300) * 1000 < stats[entry]["ttl_least_ms"] <= stats[entry]["ttl_most_ms"] <= seconds * 1000
            assert stats[entry]["bytes"] > 0 and stats[entry]["measured"] == stats[entry]["keys"]
        assert redis("DBSIZE") == sum(row["keys"] for row in stats.values())
    assert "hits" in place.cache("stats").out


def test_a_disabled_class_is_not_written(folder, full):
    config = write_config(folder, "off.yaml", ttl__short_s=-1)
    with full.client() as redis:
        redis("FLUSHALL")
        ctl("--config", config, "cache", "warm", dsn=full.dsn, NOF0_REDIS_URL=full.redis.url)
        assert not redis("KEYS", "nof0:price*") and not redis("EXISTS", "nof0:crypto_prices")
        assert redis("KEYS", "nof0:trades:recent:*")


def test_an_empty_database_writes_nothing(full, database):
    with full.client() as redis:
        redis("FLUSHALL")
        full.cache("warm", dsn=database)
        assert redis("DBSIZE") == 0
        full.cache("verify", "--strict", dsn=database)


@pytest.mark.skipif(not data.HAS_CYCLES, reason="no real data here")
def test_the_last_decision_of_each_model(full, database, folder):
    """Cycles have no messages: the newest one of each model is its summary."""
    source = data.copy(data.REAL, os.path.join(tempfile.mkdtemp(dir=folder), "cycles"))
    rows = load(data.CYCLES)["conversations"]
    data.write(os.path.join(source, "conversations.json"), load(data.CYCLES))
    ctl("import", "--quiet", source, dsn=database)
    newest = {row["model_id"]: row for row in sorted(rows, key=lambda row: row["timestamp"])}
    assert len(newest) > 1
    with full.client() as redis:
        redis("FLUSHALL")
        full.cache("warm", dsn=database)
        full.cache("verify", "--strict", dsn=database)
        assert len(redis("KEYS", "nof0:decision:last:*")) == len(newest) and not redis("KEYS", "nof0:conversations:*")
        for model, row in newest.items():
            held = parse(redis("GET", f"nof0:decision:last:{model}"))
            assert "user_prompt" not in held and "cot_trace" not in held
            same_content({key: held.get(key) for key in row if key in held}, {key: row[key] for key in row if key in held})
            assert {"id", "cycle_id", "timestamp", "run_id", "skill", "llm_response"} <= set(held)


def one_line(result):
    assert result.err.startswith("nof0ctl") and result.err.count("\n") == 1, repr(result)
    return result.err


def test_what_cannot_run_says_why(folder, full):
    away = f"unix://{folder}/away.sock"
    for action in ("warm", "verify", "stats", "drop"):
        assert "away.sock" in one_line(full.cache(action, url=away, expect=2))
        assert "redis.url" in one_line(full.cache(action, url="", expect=2))
    for action in ("warm", "verify"):
        assert "Postgres" in one_line(full.cache(action, dsn=f"host={folder}/nowhere", expect=2))
        assert "postgres.dsn" in one_line(full.cache(action, dsn="", expect=2))
        assert "cannot be made" in one_line(full.cache(action, "--only", "trades_stream", expect=2))
    one_line(full.cache(expect=2))
    one_line(full.cache("melt", expect=2))
    one_line(full.cache("warm", "--only", "bananas", expect=2))
    one_line(full.cache("stats", "--strict", expect=2))
    assert full.cache("--help").out.startswith("usage:")


def test_a_full_redis_is_told(full):
    with full.client() as redis:
        redis("FLUSHALL")
        redis("CONFIG", "SET", "maxmemory", "1mb")
        try:
            redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
            assert "OOM" in one_line(full.cache("warm", expect=2))
        finally:
            redis("CONFIG", "SET", "maxmemory", "0")
