"""Postgres and Redis go away during load: JSON 503s in time, no crash, and recovery without a restart."""
import os
import threading
import time

import pytest

from support import data
from support.config import write_config
from support.programs import PATIENCE_S, ctl
from support.servers import Postgres, Redis, wait_until

pytestmark = pytest.mark.threads
QUERY_TIMEOUT_MS = 1000
# No answer may hang. The configured time is 1 s; a machine with sanitizers and other tests gets some more.
LATEST_ANSWER_S = 15
RECOVERY_S = 15


class Load:
    """Clients that ask all the time and keep what they saw: (when, path, status, seconds)."""

    def __init__(self, server, clients=4):
        self.server = server
        self.seen = []
        self.faults = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(n,)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def ask(self, number):
        paths = list(data.ENDPOINTS.values())
        turn = number
        with self.server.client(timeout=LATEST_ANSWER_S * 2) as client:
            while not self.stop.is_set():
                path = paths[turn % len(paths)]
                turn += 1
                began = time.monotonic()
                try:
                    reply = client.get(path)
                    self.check(path, reply)
                    self.seen.append((began, path, reply.status, time.monotonic() - began))
                    if reply.status == 503:
                        time.sleep(0.01)
                except Exception as fault:  # pylint: disable=broad-except
                    self.faults.append(f"{path}: {fault!r}")
                    return

    def check(self, path, reply):
        assert reply.status in (200, 503), repr(reply)
        if reply.status == 503:
            reply.error()
            assert int(reply.header("Retry-After")) >= 0
        else:
            reply.json()

    def wait_for(self, status, since, seconds=PATIENCE_S):
        """The moment of the first such answer to a request that began after `since`."""
        def find():
            assert not self.faults, self.faults[0]
            return next((begun + took for begun, _, code, took in list(self.seen) if code == status and begun > since), None)
        return wait_until(find, seconds, f"an answer {status}")

    def wait_all_good(self, since, seconds):
        """Every endpoint has answered 200 to a request that began after `since`."""
        def all_good():
            assert not self.faults, self.faults[0]
            return {path for begun, path, code, _ in list(self.seen) if code == 200 and begun > since} >= set(
                data.ENDPOINTS.values())
        wait_until(all_good, seconds, "every endpoint answers again")

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults[0]
        slowest = max(self.seen, key=lambda one: one[3])
        assert slowest[3] < LATEST_ANSWER_S, slowest


@pytest.fixture
def own_postgres(folder, template, request):
    server = Postgres(os.path.join(folder, request.node.name[5:25]), template, durable=True)
    yield server
    server.stop()


@pytest.fixture
def server(serve, own_postgres, demo, folder):
    dsn = own_postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    # What a failing source looks like to clients; test_cache.py has what the cache makes of it.
    config = write_config(folder, "outage.yaml", cache__enabled=False, postgres__query_timeout_ms=QUERY_TIMEOUT_MS,
                          postgres__connect_timeout_ms=QUERY_TIMEOUT_MS)
    return serve(config=config, NOF0_POSTGRES_DSN=dsn)


def test_postgres_killed(server, own_postgres, record_property):
    load = Load(server)
    load.wait_for(200, 0)
    for _ in range(2):
        own_postgres.kill()
        gone = time.monotonic()
        load.wait_for(503, gone)
        wait_until(lambda: server.get("/readyz").status == 503, PATIENCE_S, "not ready")
        assert server.get("/healthz").status == 200
        time.sleep(0.5)
        own_postgres.start()
        back = time.monotonic()
        record_property("recovery after kill -9, s", round(load.wait_for(200, back, RECOVERY_S) - back, 2))
        load.wait_all_good(back, RECOVERY_S)
        server.wait_for("/readyz")
    load.finish()


def test_postgres_frozen(server, own_postgres, record_property):
    load = Load(server)
    load.wait_for(200, 0)
    own_postgres.freeze()
    frozen = time.monotonic()
    load.wait_for(503, frozen)
    wait_until(lambda: server.get("/readyz").status == 503, PATIENCE_S, "not ready")
    assert server.get("/healthz").status == 200
    time.sleep(2 * QUERY_TIMEOUT_MS / 1000)
    own_postgres.thaw()
    back = time.monotonic()
    record_property("recovery after SIGSTOP, s", round(load.wait_for(200, back, RECOVERY_S) - back, 2))
    load.wait_all_good(back, RECOVERY_S)
    server.wait_for("/readyz")
    load.finish()


def test_connections_cut_by_the_operator(server, own_postgres):
    load = Load(server)
    for _ in range(10):
        load.wait_for(200, time.monotonic())
        Postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'nof0'",
                       own_postgres.dsn("postgres", "postgres"))
    load.wait_all_good(time.monotonic(), RECOVERY_S)
    load.finish()


def test_started_before_postgres(serve, own_postgres, demo, folder):
    dsn = own_postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    own_postgres.kill()
    server = serve(wait="/healthz", NOF0_POSTGRES_DSN=dsn)
    assert server.get("/api/trades").status == 503
    own_postgres.start()
    server.wait_for("/readyz", seconds=RECOVERY_S)
    server.wait_for("/api/trades", seconds=RECOVERY_S)


def test_redis_killed(serve, postgres, folder, demo):
    redis = Redis(os.path.join(folder, "own-redis"))
    try:
        dsn = postgres.new_database()
        ctl("migrate", "up", dsn=dsn)
        ctl("import", "--quiet", demo, dsn=dsn)
        server = serve(NOF0_POSTGRES_DSN=dsn, NOF0_REDIS_URL=redis.url)
        load = Load(server, clients=2)
        load.wait_for(200, 0)
        redis.kill()
        gone = time.monotonic()
        time.sleep(0.5)
        load.wait_all_good(time.monotonic(), PATIENCE_S)
        redis.start()
        server.wait_for("/readyz", seconds=RECOVERY_S)
        load.finish()
        assert all(code == 200 for begun, _, code, _ in load.seen if begun > gone), "Redis is only a cache"
    finally:
        redis.stop()


def test_one_slow_query_does_not_hold_the_others(server, own_postgres):
    """A lock on one table: its endpoint is 503 in time, the others go on."""
    import psycopg2
    dsn = own_postgres.dsn(f"t{own_postgres.databases}")
    with psycopg2.connect(dsn) as locker, locker.cursor() as cursor:
        cursor.execute("LOCK TABLE leaderboard_entries IN ACCESS EXCLUSIVE MODE")
        assert server.get("/api/leaderboard").status == 503
        assert server.get("/api/trades").status == 200
    server.wait_for("/api/leaderboard", seconds=RECOVERY_S)
