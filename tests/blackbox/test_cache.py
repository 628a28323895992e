"""Answers that are kept: never older than what was seen, one query for a herd, and neither Redis nor Postgres away is
felt before it must be."""
import os
import signal
import threading
import time

import pytest

from support import data
from support.config import write_config
from support.content import same_content
from support.metrics import metrics
from support.programs import PATIENCE_S, ctl
from support.redis_client import RedisClient
from support.servers import Postgres, Redis, wait_until

pytestmark = pytest.mark.threads


def settled(server, name):
    """A counter when all workers have told about all that was asked before: they do so every quarter of a second."""
    time.sleep(1)
    return metrics(server)[name]


@pytest.fixture
def redis_server(folder, request):
    server = Redis(os.path.join(folder, "redis-" + request.node.name[5:20]))
    yield server
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGCONT)
    server.stop()


@pytest.fixture
def own_postgres(folder, template, request):
    server = Postgres(os.path.join(folder, request.node.name[5:25]), template, durable=True)
    yield server
    server.stop()


class Editions:
    """A folder whose leaderboard says in each equity which edition it is, imported again and again."""

    def __init__(self, demo, path, dsn, redis):
        self.path, self.dsn, self.redis = data.copy(demo, path), dsn, redis
        self.number = 0

    def publish(self):
        self.number += 1

        def change(document):
            for row in document["leaderboard"]:
                row["equity"] = self.number
        data.edit(self.path, "leaderboard.json", change)
        ctl("import", "--quiet", "--only", "leaderboard", self.path, dsn=self.dsn, NOF0_REDIS_URL=self.redis.url)
        return self.number


def edition_of(reply):
    """Which one; a mixture is a fault."""
    assert reply.status == 200, repr(reply)
    numbers = {row["equity"] for row in reply.json()["leaderboard"]}
    assert len(numbers) == 1, numbers
    return numbers.pop()


@pytest.fixture
def editions(demo, folder, database, redis_server, request):
    ctl("import", "--quiet", demo, dsn=database)
    return Editions(demo, os.path.join(folder, "editions-" + request.node.name[5:20]), database, redis_server)


@pytest.fixture
def pair(serve, database, redis_server):
    return [serve(NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url) for _ in range(2)]


def heard(server):
    wait_until(lambda: metrics(server)["nof0_cache_announcements_heard"] == 1, PATIENCE_S, "announcements are heard")


def test_an_import_shows_everywhere(pair, editions):
    editions.publish()
    for server in pair:
        heard(server)
    for _ in range(5):
        for server in pair:
            assert edition_of(server.get("/api/leaderboard")) == editions.number
        number = editions.publish()
        # The TTL is a minute: only the announcement can bring it.
        for server in pair:
            wait_until(lambda server=server: edition_of(server.get("/api/leaderboard")) == number, 10, "the new edition")
    for server in pair:
        assert settled(server, "nof0_cache_invalidations_total") >= 5


class Reader(threading.Thread):
    """Reads on connections of its own. An answer must not be older than any that somebody had from the same server
    before it was asked for."""

    def __init__(self, server, newest, stop):
        super().__init__()
        self.server, self.newest, self.stop = server, newest, stop
        self.reads, self.faults = 0, []
        self.start()

    def run(self):
        try:
            while not self.stop.is_set():
                with self.server.client() as client:
                    for _ in range(50):
                        before = self.newest[0]
                        seen = edition_of(client.get("/api/leaderboard", Accept_Encoding="gzip"))
                        assert seen >= before, f"{seen} after {before}"
                        if seen > self.newest[0]:
                            self.newest[0] = seen
                        self.reads += 1
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(repr(fault))


def test_nobody_goes_back_in_time(pair, editions, record_property):
    editions.publish()
    stop = threading.Event()
    newest = [[0], [0]]
    readers = [Reader(pair[n % 2], newest[n % 2], stop) for n in range(6)]
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and not any(reader.faults for reader in readers):
        editions.publish()
    stop.set()
    for reader in readers:
        reader.join()
    assert not any(reader.faults for reader in readers), [reader.faults for reader in readers]
    record_property("reads", sum(reader.reads for reader in readers))
    record_property("imports", editions.number)
    for server in pair:
        wait_until(lambda server=server: edition_of(server.get("/api/leaderboard")) == editions.number, 10, "the last")


def herd(server, path, clients=60):
    """All at once; their answers."""
    gate = threading.Barrier(clients)
    replies = []

    def ask():
        with server.client() as client:
            client.connection.connect()
            gate.wait()
            replies.append(client.get(path))
    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == clients and all(reply.status == 200 for reply in replies)
    return replies


def test_a_herd_is_one_query(serve, folder, editions, database, redis_server):
    config = write_config(folder, "herd.yaml", cache__rebuild_wait_ms=60000)
    server = serve(config=config, NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url)
    heard(server)
    editions.publish()
    rebuilds = "nof0_cache_rebuilds_total"
    before = settled(server, rebuilds)
    herd(server, "/api/leaderboard")
    assert settled(server, rebuilds) == before + 1
    number = editions.publish()
    wait_until(lambda: edition_of(server.get("/api/leaderboard")) == number, 10, "the new edition")
    before = settled(server, rebuilds)
    for reply in herd(server, "/api/leaderboard"):
        assert edition_of(reply) == number
    assert settled(server, rebuilds) == before


def test_an_expired_answer_is_one_query_for_all_instances(serve, folder, editions, database, redis_server):
    """Nobody waits for the new one, and one server makes it for both."""
    config = write_config(folder, "expired.yaml", ttl__medium_s=6, cache__rebuild_wait_ms=60000)
    servers = [serve(config=config, NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url) for _ in range(2)]
    for server in servers:
        heard(server)
    editions.publish()

    def rebuilds():
        return sum(settled(server, "nof0_cache_rebuilds_total") for server in servers)
    for server in servers:
        herd(server, "/api/leaderboard", 20)
    time.sleep(6)
    before = rebuilds()
    for server in servers:
        herd(server, "/api/leaderboard", 20)
    assert rebuilds() == before + 1


def test_spellings_of_one_question_share_an_answer(serve, database, demo, redis_server):
    ctl("import", "--quiet", demo, dsn=database)
    server = serve(NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url, NOF0_WORKERS=1)
    heard(server)
    for path in ("/api/trades?limit=3", "/api/trades?limit=3&_=1", "/api/trades?_=2&limit=%33"):
        assert server.get(path).status == 200
    numbers = metrics(server)
    assert numbers["nof0_cache_rebuilds_total"] == 1
    assert numbers["nof0_cache_entries"] == 1


def test_endless_questions_do_not_push_out_the_others(serve, folder, database, demo, redis_server):
    ctl("import", "--quiet", demo, dsn=database)
    config = write_config(folder, "endless.yaml", cache__local_bytes=4 * 1024 * 1024)
    server = serve(config=config, NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url, NOF0_WORKERS=1)
    heard(server)
    server.get("/api/leaderboard")
    with server.client() as client:
        for number in range(600):
            assert client.get(f"/api/analytics/nobody-{number}").status == 200
            assert client.get(f"/api/trades?limit=40&before={number}.5").status == 200
        before = metrics(server)
        assert before["nof0_cache_evictions_total"] > 0
        assert before["nof0_cache_bytes"] <= 4 * 1024 * 1024
        assert client.get("/api/leaderboard?_=1").status == 200
        after = metrics(server)
    assert after["nof0_cache_rebuilds_total"] == before["nof0_cache_rebuilds_total"]


def test_without_memory_whole_answers_come_from_redis(serve, folder, database, demo, redis_server):
    ctl("import", "--quiet", demo, dsn=database)
    config = write_config(folder, "no-memory.yaml", cache__local_bytes=0)
    server = serve(config=config, NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url, NOF0_WORKERS=1)
    heard(server)
    first = server.get("/api/trades")
    for _ in range(5):
        again = server.get("/api/trades")
        assert again.status == 200 and again.header("ETag") == first.header("ETag")
    wait_until(lambda: metrics(server)["nof0_cache_redis_hits_total"] == 5, PATIENCE_S, "all were found in Redis")
    numbers = metrics(server)
    assert numbers["nof0_cache_rebuilds_total"] == 1
    assert numbers["nof0_cache_entries"] == 0


class Load:
    """Clients that ask all the time; anything but 200 is a fault."""

    def __init__(self, server, clients=4):
        self.stop, self.faults, self.count = threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.ask, args=(server, n)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def ask(self, server, turn):
        paths = list(data.ENDPOINTS.values()) + ["/api/trades?limit=5"]
        try:
            with server.client() as client:
                while not self.stop.is_set():
                    turn += 1
                    reply = client.get(paths[turn % len(paths)])
                    assert reply.status == 200, repr(reply)
                    self.count += 1
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(repr(fault))

    def some_more(self):
        before = self.count
        wait_until(lambda: self.faults or self.count > before + 50, PATIENCE_S, "answers go on")
        assert not self.faults, self.faults

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults


def shows(server, number):
    wait_until(lambda: edition_of(server.get("/api/leaderboard")) == number, 20, "the new edition")


def test_redis_may_do_what_it_wants(pair, editions, redis_server):
    server = pair[0]
    shows(server, editions.publish())
    load = Load(server)
    load.some_more()
    for _ in range(2):
        redis_server.kill()
        load.some_more()
        shows(server, editions.publish())  # unheard: but nothing lives longer than a second now
        redis_server.start()
        heard(server)
        shows(server, editions.publish())
        redis_server.process.send_signal(signal.SIGSTOP)
        load.some_more()
        time.sleep(2)
        redis_server.process.send_signal(signal.SIGCONT)
        heard(server)
        shows(server, editions.publish())
        with RedisClient(redis_server.socket) as client:
            client("FLUSHALL")
        load.some_more()
        shows(server, editions.publish())
    load.finish()
    stored = "nof0_cache_redis_writes_total{result=\"stored\"}"
    before = settled(server, stored)
    shows(server, editions.publish())
    assert settled(server, stored) > before, "Redis is used again"


def test_old_answers_serve_while_postgres_is_away(serve, folder, own_postgres, demo):
    dsn = own_postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    config = write_config(folder, "stale.yaml", ttl__medium_s=1, cache__stale_if_error_s=6,
                          postgres__query_timeout_ms=1000, postgres__connect_timeout_ms=1000)
    server = serve(config=config, NOF0_POSTGRES_DSN=dsn, NOF0_WORKERS=1)
    fresh = server.get("/api/trades")
    assert fresh.status == 200 and fresh.header("Warning") is None and fresh.header("Age") is None
    own_postgres.kill()

    def old():
        reply = server.get("/api/trades")
        assert reply.status == 200, repr(reply)
        return reply if reply.header("Warning") else None
    reply = wait_until(old, 10, "an old answer that says so")
    assert reply.header("Warning").startswith("110 ")
    assert int(reply.header("Age")) >= 0
    same_content(reply.json(), fresh.json(), ignore=("serverTime",))
    assert server.get("/readyz").status == 503
    assert server.get("/api/positions").status == 503, "there was no answer of this one"
    assert metrics(server)["nof0_cache_stale_if_error_total"] >= 1
    wait_until(lambda: server.get("/api/trades").status == 503, PATIENCE_S, "too old at last")
    own_postgres.start()
    server.wait_for("/api/trades")
    assert server.get("/api/trades").header("Warning") is None


def test_switched_off(serve, folder, database, demo, redis_server):
    ctl("import", "--quiet", demo, dsn=database)
    for changes in ({"cache__enabled": False}, {"ttl__medium_s": -1}):
        config = write_config(folder, "off.yaml", **changes)
        server = serve(config=config, NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url)
        for _ in range(3):
            assert server.get("/api/trades").status == 200
        numbers = metrics(server)
        assert numbers["nof0_cache_rebuilds_total"] == 0
        assert numbers["nof0_cache_entries"] == 0


def test_an_import_without_redis_is_still_good(database, demo):
    result = ctl("import", "--quiet", demo, dsn=database, NOF0_REDIS_URL="unix:///nowhere/redis.sock")
    assert result.err.count("\n") == 1 and "not told" in result.err, repr(result)
