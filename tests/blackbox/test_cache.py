"""Answers that are kept: never older than what was seen, and one query for a herd."""
import threading
import time

import pytest

from support.config import write_config
from support.editions import edition_of, editions, heard, pair, redis_server, settled  # pylint: disable=unused-import
from support.metrics import metrics
from support.programs import PATIENCE_S, ctl
from support.servers import wait_until

pytestmark = pytest.mark.threads


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


def test_what_was_compressed_in_haste_stays_nowhere(serve, folder, database, redis_server):
    """A server that takes an answer from Redis while another one still compresses it well comes to the good one soon."""
    arena = f"{folder}/long"
    ctl("demo", arena, "--models", "5", "--hours", "1500", "--trades", "10")
    ctl("import", "--quiet", arena, dsn=database)
    config = write_config(folder, "haste.yaml", ttl__medium_s=600, cache__rebuild_wait_ms=60000,
                          redis__command_timeout_ms=60000)  # a slow Redis would have both make it
    servers = [serve(config=config, NOF0_POSTGRES_DSN=database, NOF0_REDIS_URL=redis_server.url, NOF0_WORKERS=1)
               for _ in range(2)]
    for server in servers:
        heard(server)
    sizes = [None, None]

    def ask(number):
        reply = servers[number].get("/api/account-totals", Accept_Encoding="gzip")
        assert reply.status == 200
        sizes[number] = len(reply.body)
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    in_haste = max(sizes)

    def all_good():
        for number in range(2):
            ask(number)
        return max(sizes) < in_haste * 0.95
    wait_until(all_good, PATIENCE_S, "the well compressed one everywhere")
    rebuilds = sum(settled(server, "nof0_cache_rebuilds_total") for server in servers)
    assert rebuilds == 1
