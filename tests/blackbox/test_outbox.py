"""What follows a change: announcements, streams, structures of Redis, views, legacy files; and who does it when the one
who did dies."""
import json
import os
import re
import time

import pytest

from support import data
from support.config import write_config
from support.content import load, parse, same_content
from support.programs import PATIENCE_S, ctl
from support.redis_client import RedisClient
from support.servers import Postgres, Redis, wait_until

pytestmark = pytest.mark.threads
READERS = ("live", "redis:0", "redis:1", "views")


def row(feed, *items):
    """An outbox row as SQL; each item a list of texts."""
    texts = json.dumps([list(item) for item in items]).replace("'", "''")
    return f"INSERT INTO outbox (feed, items) VALUES ('{feed}', '{texts}');"


class Place:
    """A loaded database, a Redis of its own, and settings that make the outbox the only way to hear of a change."""

    def __init__(self, folder, dsn, redis, name, **changes):
        self.folder, self.dsn, self.redis = folder, dsn, redis
        self.config = write_config(folder, f"{name}.yaml", **{
            "ttl__short_s": 3600, "ttl__medium_s": 3600, "ttl__long_s": 3600, "outbox__refresh_views_ms": 200,
            "legacy__write_delay_ms": 50, "redis__command_timeout_ms": 20000, **changes})
        self.settings = {"config": self.config, "NOF0_POSTGRES_DSN": dsn, "NOF0_REDIS_URL": redis.url}

    def change(self, sql, *rows):
        """A change with its rows, committed together as a writer does it."""
        Postgres.query(f"BEGIN; {sql}; SELECT pg_advisory_xact_lock(hashtext('nof0 outbox')); {''.join(rows)}"
                       " NOTIFY nof0_outbox; COMMIT", self.dsn)

    def query(self, sql):
        return Postgres.query(sql, self.dsn)

    def newest(self):
        return self.query("SELECT coalesce(max(id), 0) FROM outbox")[0][0]

    def positions(self):
        return dict(self.query("SELECT name, position FROM outbox_consumers WHERE name <> 'pruned'"))

    def await_all(self, readers=READERS):
        """Everything that is in the outbox was applied, and what came of it too."""
        def there():
            positions = self.positions()
            newest = self.newest()
            return all(positions.get(reader, -1) >= newest for reader in readers)
        wait_until(there, PATIENCE_S, "all readers came to the newest row")

    def client(self):
        return RedisClient(self.redis.socket)

    def entries(self, stream="live:events"):
        """[(id, {field: text})]"""
        with self.client() as redis:
            found = redis("XRANGE", f"nof0:{stream}", "-", "+")
        return [(name.decode(), dict(zip([f.decode() for f in fields[::2]], [f.decode() for f in fields[1::2]])))
                for name, fields in found]

    def ctl(self, *arguments, expect=0, **settings):
        return ctl("--config", self.config, *arguments, dsn=self.dsn, expect=expect,
                   **{"NOF0_REDIS_URL": self.redis.url, **settings})


@pytest.fixture
def own_redis(folder, request):
    server = Redis(os.path.join(folder, "r-" + re.sub(r"\W", "", request.node.name)[4:20]))
    yield server
    server.stop()


@pytest.fixture
def place(folder, database, demo, own_redis, request):
    ctl("import", "--quiet", demo, dsn=database)
    return Place(folder, database, own_redis, request.node.name)


def trade_of(place):
    """(model, id) of some trade in the feed."""
    return place.query("SELECT model_id, id FROM trades WHERE feed_ordinal IS NOT NULL AND exit_ts_ms IS NOT NULL"
                       " ORDER BY feed_ordinal LIMIT 1")[0]


def leader_metric(server, reader):
    text = server.get("/metrics").content().decode()
    return f'nof0_outbox_leader{{consumer="{reader}"}} 1' in text


def test_an_answer_follows_its_change(place, serve):
    server = serve(**place.settings)
    model, trade = trade_of(place)
    assert server.get("/api/trades").json()["trades"][0]["quantity"] != 4242
    place.change(f"UPDATE trades SET quantity = 4242 WHERE id = '{trade}'", row("trades", (model, trade)))
    wait_until(lambda: server.get("/api/trades").json()["trades"][0]["quantity"] == 4242, PATIENCE_S, "the new answer")
    place.await_all()
    told = [fields for _, fields in place.entries() if fields["topic"] == "trades"]
    assert len(told) == 1 and told[0]["model"] == model
    same_content(parse(told[0]["data"].encode()), server.get("/api/trades").json()["trades"][0])
    (pushed,) = place.entries("trades:stream")
    assert pushed[1]["id"] == trade and float(pushed[1]["quantity"]) == 4242
    with place.client() as redis:
        kept = parse(redis("LRANGE", f"nof0:trades:recent:{model}", 0, -1)[0])
    assert kept["model_id"] == model
    place.ctl("cache", "verify")
    place.ctl("keys", "--scan")
    text = server.get("/metrics").content().decode()
    for reader in READERS:
        assert leader_metric(server, reader)
        assert re.search(rf'nof0_outbox_lag_rows{{consumer="{reader}"}} \d+', text)
        assert re.search(rf'nof0_outbox_lag_seconds{{consumer="{reader}"}} [\d.]+', text)
    assert re.search(r'nof0_outbox_applied_total{consumer="live"} [1-9]', text)
    status = json.loads(place.ctl("outbox", "status", "--json").out)
    assert {entry["name"] for entry in status["consumers"]} == set(READERS)
    assert all(entry["leader_backend"] and entry["last_error"] is None for entry in status["consumers"])


class Writer:
    """Writes trades, each with its row, and knows what must be told."""

    def __init__(self, place):
        self.place = place
        self.model = trade_of(place)[0]
        self.written = []

    def write(self, count):
        for _ in range(count):
            name = f"w{len(self.written)}"
            self.place.change(f"INSERT INTO trades (id, model_id, symbol, entry_ts_ms, exit_ts_ms, realized_net_pnl)"
                              f" VALUES ('{name}', '{self.model}', 'BTC', 1, 2, 1)", row("trades", (self.model, name)))
            self.written.append(name)

    def check_told(self):
        """Every trade once, in the order of the commits."""
        told = [json.loads(fields["data"])["id"] for _, fields in self.place.entries() if fields["topic"] == "trades"]
        assert told == self.written


def kill(server):
    server.process.kill()
    server.process.wait()
    server.stopped = True


def test_another_takes_over(place, serve):
    servers = [serve(**place.settings) for _ in range(2)]
    writer = Writer(place)
    writer.write(20)
    # While rows come, the one that leads the stream dies, and then is replaced: three times.
    for _ in range(3):
        wait_until(lambda: any(leader_metric(server, "live") for server in servers), PATIENCE_S, "a leader")
        (leader,) = [server for server in servers if leader_metric(server, "live")]
        writer.write(5)
        kill(leader)
        servers.remove(leader)
        writer.write(20)
        place.await_all()
        servers.append(serve(**place.settings))
    writer.check_told()
    pushed = [fields["id"] for _, fields in place.entries("trades:stream")]
    assert pushed == writer.written
    place.ctl("cache", "verify")
    place.ctl("outbox", "status")
    for server in servers:
        assert "dead_letter" not in server.log()


def test_redis_dies_and_comes_back(place, serve):
    server = serve(**place.settings)
    writer = Writer(place)
    writer.write(10)
    place.await_all()
    place.redis.kill()
    writer.write(10)
    wait_until(lambda: "outbox.trouble" in server.log(), PATIENCE_S, "somebody notices")
    status = json.loads(place.ctl("outbox", "status", "--json").out)
    assert any(entry["lag_rows"] >= 10 for entry in status["consumers"])
    assert server.get("/readyz").status == 200
    place.redis.start()
    place.await_all()
    writer.check_told()
    place.ctl("cache", "verify")
    # What followers of the other stream had is not told again.
    assert [fields["id"] for _, fields in place.entries("trades:stream")] == writer.written[10:]
    wait_until(lambda: server.log().count("outbox.well") == server.log().count("outbox.trouble"), PATIENCE_S, "all well")


def test_postgres_dies_and_comes_back(folder, template, demo, own_redis, serve):
    postgres = Postgres(os.path.join(folder, "pg-own"), template, durable=True)
    try:
        dsn = postgres.new_database()
        ctl("migrate", "up", dsn=dsn)
        ctl("import", "--quiet", demo, dsn=dsn)
        place = Place(folder, dsn, own_redis, "pg-own")
        server = serve(**place.settings)
        writer = Writer(place)
        writer.write(10)
        postgres.kill()
        wait_until(lambda: "outbox.trouble" in server.log(), PATIENCE_S, "somebody notices")
        postgres.start()
        writer.write(10)
        place.await_all()
        writer.check_told()
        # One that does not answer at all keeps nobody from leaving.
        hurried = serve(**{**place.settings,
                           "config": write_config(folder, "hurried.yaml", server__shutdown_timeout_ms=1000)})
        postgres.freeze()
        began = time.monotonic()
        hurried.stop()
        assert time.monotonic() - began < 30
        postgres.thaw()
    finally:
        postgres.stop()


def exported(place, name):
    out = os.path.join(place.folder, name)
    place.ctl("export", out)
    return out


def same_folder(a, b):
    assert data.files(a) == data.files(b)
    for name in data.files(a):
        with open(os.path.join(a, name), "rb") as one, open(os.path.join(b, name), "rb") as other:
            assert one.read() == other.read(), name


def test_files_equal_an_export(place, serve, demo, folder):
    kept = data.copy(demo, os.path.join(folder, "kept"))
    server = serve(**place.settings, NOF0_LEGACY_DIR=kept, NOF0_DUAL_WRITE="true")
    readers = READERS + ("legacy",)
    model, trade = trade_of(place)
    wait_until(lambda: "legacy" in place.positions(), PATIENCE_S, "the first files")
    place.change(f"UPDATE trades SET quantity = 4242 WHERE id = '{trade}'; UPDATE price_latest SET price = 7",
                 row("trades", (model, trade)), row("crypto_prices", ("arena", "BTC"), ("arena", "ETH")))
    place.change("UPDATE model_analytics SET payload = payload || '{\"more\": 1}'",
                 *[row("analytics", (name,)) for name in data.models(demo)])
    place.await_all(readers)
    same_folder(kept, exported(place, "one"))
    assert load(os.path.join(kept, "trades.json"))["trades"][0]["quantity"] == 4242
    # What was acknowledged is in the files when the server has ended.
    place.change(f"UPDATE trades SET quantity = 4243 WHERE id = '{trade}'", row("trades", (model, trade)))
    server.stop()
    place.ctl("outbox", "drain", NOF0_LEGACY_DIR=kept, NOF0_DUAL_WRITE="true")
    same_folder(kept, exported(place, "two"))
    # Without a feed in the database nothing is written, least of all an empty file.
    os.unlink(os.path.join(kept, "leaderboard.json"))
    place.change("DELETE FROM feed_documents WHERE name = 'leaderboard'", row("leaderboard", (model,)))
    place.ctl("outbox", "drain", NOF0_LEGACY_DIR=kept, NOF0_DUAL_WRITE="true")
    assert not os.path.exists(os.path.join(kept, "leaderboard.json"))


def test_a_reload_turns_files_on(place, serve, demo, folder):
    kept = os.path.join(folder, "reload")
    os.mkdir(kept)
    server = serve(**place.settings, NOF0_LEGACY_DIR=kept)
    place.await_all()
    assert os.listdir(kept) == []
    write_config(folder, os.path.basename(place.config), dual_write__trades=True, legacy__write_delay_ms=50)
    server.reload()
    wait_until(lambda: os.path.exists(os.path.join(kept, "trades.json")), PATIENCE_S, "the file")
    same_content(load(os.path.join(kept, "trades.json")), load(os.path.join(demo, "trades.json")))
    assert data.files(kept) == ["trades.json"]
    wait_until(lambda: leader_metric(server, "legacy"), PATIENCE_S, "a leader")
    write_config(folder, os.path.basename(place.config), outbox__enabled=False)
    server.reload()
    wait_until(lambda: "nof0_outbox_leader{" not in server.get("/metrics").content().decode(), PATIENCE_S, "no reader")


def test_drain_without_a_server(place):
    place.ctl("outbox", "status")
    writer = Writer(place)
    writer.write(30)
    Postgres.query("UPDATE outbox SET created_at = created_at - interval '2 minutes'", place.dsn)
    # Nobody has a position yet, so status knows of nobody.
    place.ctl("outbox", "drain", "--timeout", "60")
    writer.check_told()
    assert set(place.positions().values()) == {place.newest()}
    place.ctl("cache", "verify", "--only", "trades_recent")
    writer.write(1)
    Postgres.query("UPDATE outbox SET created_at = created_at - interval '2 minutes'", place.dsn)
    late = place.ctl("outbox", "status", expect=1)
    assert re.search(r"^live +\d+ +1 ", late.out, re.M), late.out
    place.redis.kill()
    out = place.ctl("outbox", "drain", "--timeout", "2", expect=1)
    assert "live did not come to row" in out.err and "redis" in out.err
    place.redis.start()
    place.ctl("outbox", "drain")
    place.ctl("outbox", "status")


def test_dead_letters(place):
    writer = Writer(place)
    with place.client() as redis:
        redis("SET", "nof0:trades:stream", "text")
    writer.write(2)
    place.ctl("outbox", "drain")
    status = json.loads(place.ctl("outbox", "status", "--json", expect=1).out)
    assert status["dead"] == 2
    assert {entry["name"]: entry["dead"] for entry in status["consumers"]}["live"] == 2
    with place.client() as redis:
        redis("DEL", "nof0:trades:stream")
    assert "0 dead letters" in place.ctl("outbox", "retry", "--consumer", "views").out
    assert "2 dead letters" in place.ctl("outbox", "retry").out
    place.ctl("outbox", "drain")
    place.ctl("outbox", "status")
    assert [fields["id"] for _, fields in place.entries("trades:stream")] == writer.written


def test_it_says_what_it_wants(place):
    for words in ((), ("flush",), ("status", "--consumer", "live"), ("retry", "--consumer"), ("retry", "--consumer", "x"),
                  ("drain", "--timeout", "0"), ("drain", "--timeout", "1.5"), ("drain", "--json")):
        out = place.ctl("outbox", *words, expect=2)
        assert "nof0ctl outbox --help" in out.err and not out.out
    assert "--timeout" in place.ctl("outbox", "--help").out
    assert "no Postgres is set" in ctl("outbox", "status", expect=2).err
