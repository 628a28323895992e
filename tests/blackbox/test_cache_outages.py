"""Neither Redis nor Postgres away is felt before it must be."""
import os
import signal
import threading
import time

import pytest

from support import data
from support.config import write_config
from support.content import same_content
from support.editions import edition_of, editions, heard, pair, redis_server, settled  # pylint: disable=unused-import
from support.metrics import metrics
from support.programs import PATIENCE_S, ctl
from support.redis_client import RedisClient
from support.servers import Postgres, wait_until

pytestmark = pytest.mark.threads


@pytest.fixture
def own_postgres(folder, template, request):
    server = Postgres(os.path.join(folder, request.node.name[5:25]), template, durable=True)
    yield server
    server.stop()


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
