"""Signals: SIGHUP takes a good configuration and refuses a bad one, SIGTERM finishes what is in flight."""
import os
import signal
import threading
import time

import psycopg2
import pytest

from support.config import write_config
from support.programs import PATIENCE_S, ctl, no_report
from support.servers import wait_until

pytestmark = pytest.mark.threads


@pytest.fixture(scope="module")
def dsn(postgres, demo):
    database = postgres.new_database()
    ctl("migrate", "up", dsn=database)
    ctl("import", "--quiet", demo, dsn=database)
    return database


def origin(server):
    return server.get("/api/trades").header("Access-Control-Allow-Origin")


def test_reload(serve, dsn, folder):
    config = write_config(folder, "reload.yaml")
    server = serve(config=config, NOF0_POSTGRES_DSN=dsn)
    assert origin(server) == "*"
    write_config(folder, "reload.yaml", cors__allow_origin="https://one.example", ttl__short_s=20)
    server.reload()
    wait_until(lambda: origin(server) == "https://one.example", PATIENCE_S, "the new origin")
    assert "max-age=10," in server.get("/api/crypto-prices").header("Cache-Control")

    with open(config, "w", encoding="ascii") as out:
        out.write("cors:\n  allow_origin: 'https://two.example'\n  bananas: 1\n")
    server.reload()
    wait_until(lambda: "bananas" in server.log(), PATIENCE_S, "the refusal in the log")
    assert "reload.yaml:3" in server.log()
    assert origin(server) == "https://one.example"

    os.unlink(config)
    server.reload()
    time.sleep(0.3)
    assert origin(server) == "https://one.example"

    write_config(folder, "reload.yaml", cors__allow_origin="https://three.example")
    server.reload()
    wait_until(lambda: origin(server) == "https://three.example", PATIENCE_S, "the newest origin")


def test_reload_moves_an_endpoint_to_the_files(serve, dsn, demo, folder):
    config = write_config(folder, "move.yaml")
    server = serve(config=config, NOF0_POSTGRES_DSN=dsn)
    write_config(folder, "move.yaml", endpoints__trades="legacy", legacy__dir=demo, legacy__poll_ms=50)
    server.reload()
    with psycopg2.connect(dsn) as locker, locker.cursor() as cursor:
        cursor.execute("LOCK TABLE trades IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: server.get("/api/trades").status == 200, PATIENCE_S, "trades without Postgres")


def test_many_reloads_under_load(serve, dsn, demo, folder):
    config = write_config(folder, "many.yaml")
    server = serve(config=config, NOF0_POSTGRES_DSN=dsn, NOF0_LEGACY_DIR=demo)
    stop = threading.Event()
    faults = []

    def load():
        with server.client() as client:
            while not stop.is_set():
                reply = client.get("/api/leaderboard")
                if reply.status != 200:
                    faults.append(repr(reply))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for round_ in range(12):
        write_config(folder, "many.yaml", endpoints__leaderboard=("legacy", "repo")[round_ % 2],
                     postgres__connections_per_worker=1 + round_ % 3, cors__allow_origin=f"https://{round_}.example")
        server.reload()
        wait_until(lambda: origin(server) == f"https://{round_}.example", PATIENCE_S, "the reload")
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults, faults[0]


def request_in_background(server, path, answers):
    def ask():
        try:
            answers.append(server.get(path))
        except OSError as fault:
            answers.append(fault)
    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_sigterm_finishes_what_is_in_flight(serve, dsn):
    server = serve(NOF0_POSTGRES_DSN=dsn)
    idle = server.client()
    idle.get("/healthz")
    answers = []
    with psycopg2.connect(dsn) as locker, locker.cursor() as cursor:
        cursor.execute("LOCK TABLE leaderboard_entries IN ACCESS EXCLUSIVE MODE")
        thread = request_in_background(server, "/api/leaderboard", answers)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        def blocked():
            cursor.execute(waiting)
            return cursor.fetchone()[0]
        wait_until(blocked, PATIENCE_S, "the request waits in Postgres")
        server.process.send_signal(signal.SIGTERM)

        def refused():
            try:
                server.get("/healthz")
                return False
            except OSError:
                return True
        wait_until(refused, PATIENCE_S, "no new connection")
        assert server.process.poll() is None and not answers
    thread.join(PATIENCE_S)
    assert answers and answers[0].status == 200 and answers[0].json()["leaderboard"]
    assert server.process.wait(PATIENCE_S) == 0
    server.stop()


def test_sigterm_ends_in_the_configured_time(serve, dsn, folder):
    config = write_config(folder, "short.yaml", server__shutdown_timeout_ms=300, postgres__query_timeout_ms=60000)
    # It leaves by _exit(2) with its workers where they are, on purpose; ThreadSanitizer would call them leaked.
    server = serve(config=config, NOF0_POSTGRES_DSN=dsn,
                   TSAN_OPTIONS=os.environ.get("TSAN_OPTIONS", "") + ":report_thread_leaks=0")
    answers = []
    with psycopg2.connect(dsn) as locker, locker.cursor() as cursor:
        cursor.execute("LOCK TABLE leaderboard_entries IN ACCESS EXCLUSIVE MODE")
        thread = request_in_background(server, "/api/leaderboard", answers)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        thread.join()
    no_report(server.log())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_with_0(serve, dsn, number):
    server = serve(NOF0_POSTGRES_DSN=dsn)
    with server.client() as client:
        client.get("/api/trades")
        server.process.send_signal(number)
        assert server.process.wait(PATIENCE_S) == 0


def test_sigterm_waits_for_files_that_are_being_made(serve, folder):
    """A large answer that is asked for again gets a file on another thread, which no request waits for."""
    arena = os.path.join(folder, "large")
    ctl("demo", arena, "--models", "5", "--hours", "8000", "--trades", "10")
    server = serve(NOF0_READ="legacy", NOF0_LEGACY_DIR=arena)
    with server.client() as client:
        assert len(client.get("/api/account-totals").body) > 10 << 20
        assert client.request("HEAD", "/api/account-totals").status == 200
        server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE_S) == 0
    server.stop()
