"""/healthz, /readyz, /version, and what the two command line checks of nof0d say."""
import os
import subprocess

import pytest

from support.config import write_config
from support.programs import CONFIG, NOF0CTL, NOF0D, ctl, environment, no_report


@pytest.fixture(scope="module")
def dsn(postgres, demo):
    database = postgres.new_database()
    ctl("migrate", "up", dsn=database)
    return database


def run(program, *arguments, **settings):
    done = subprocess.run([program, *arguments], env=environment(**settings), cwd="/", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    no_report(done.stderr.decode())
    return done


def test_all_well(serve, dsn, redis, demo):
    server = serve(NOF0_POSTGRES_DSN=dsn, NOF0_REDIS_URL=redis.url, NOF0_LEGACY_DIR=demo)
    assert server.get("/healthz").status == 200
    ready = server.get("/readyz")
    assert ready.status == 200
    text = ready.body.decode()
    for dependency in ("postgres", "redis", "legacy"):
        assert dependency in text
    version = server.get("/version")
    assert version.status == 200 and version.json()["version"]
    for path in ("/healthz", "/readyz", "/version"):
        reply = server.get(path)
        reply.json()
        assert reply.header("Cache-Control") == "no-store"
        assert server.client().request("HEAD", path).status == 200


def test_no_postgres_is_not_ready_but_alive(serve, folder):
    server = serve(wait="/healthz", NOF0_POSTGRES_DSN=f"host={folder}/nowhere dbname=x")
    ready = server.get("/readyz")
    assert ready.status == 503 and "postgres" in ready.body.decode()
    assert server.get("/healthz").status == 200
    reply = server.get("/api/trades")
    assert reply.status == 503 and int(reply.header("Retry-After")) >= 0
    reply.error()


def test_an_empty_database_is_no_crash(serve, postgres):
    """Nothing is migrated yet: the server says so until somebody does it, then serves without a restart."""
    database = postgres.new_database()
    server = serve(wait="/healthz", NOF0_POSTGRES_DSN=database)
    assert server.get("/api/trades").status == 503
    ctl("migrate", "up", dsn=database)
    server.wait_for("/api/trades")
    assert server.get("/api/trades").json()["trades"] == []


@pytest.mark.parametrize("path, key, empty", [
    ("/api/account-totals", "accountTotals", []), ("/api/positions", "accountTotals", []), ("/api/trades", "trades", []),
    ("/api/crypto-prices", "prices", {}), ("/api/since-inception-values", "sinceInceptionValues", []),
    ("/api/leaderboard", "leaderboard", []), ("/api/analytics", "analytics", []),
    ("/api/conversations", "conversations", []),
])
def test_nothing_imported_is_empty_not_null(serve_empty, path, key, empty):
    document = serve_empty.get(path).json()
    assert document[key] == empty
    if path == "/api/account-totals":
        assert document["lastHourlyMarkerRead"] == 0


@pytest.fixture(scope="module")
def serve_empty(serve_module, dsn):
    return serve_module(NOF0_POSTGRES_DSN=dsn)


def test_redis_away_is_told_and_harmless(serve, dsn, folder):
    server = serve(wait="/healthz", NOF0_POSTGRES_DSN=dsn, NOF0_REDIS_URL=f"unix://{folder}/no.sock")
    assert "redis" in server.get("/readyz").body.decode()
    assert server.get("/api/trades").status == 200


def test_missing_legacy_files_are_503_each(serve, folder):
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    server = serve(wait="/healthz", NOF0_READ="legacy", NOF0_LEGACY_DIR=empty)
    assert server.get("/api/trades").status == 503
    assert server.get("/readyz").status == 503


def test_check_config(folder, dsn):
    good = run(NOF0D, "--config", CONFIG, "--check-config", NOF0_POSTGRES_DSN=dsn)
    assert good.returncode == 0, good.stderr
    bad = os.path.join(folder, "bad.yaml")
    with open(bad, "w", encoding="ascii") as out:
        out.write("server:\n  port: eighty\n  bananas: 1\nlog:\n  level: loud\n")
    done = run(NOF0D, "--config", bad, "--check-config")
    text = (done.stdout + done.stderr).decode()
    assert done.returncode != 0
    for place in ("bad.yaml:2", "server.port", "bad.yaml:3", "bananas", "bad.yaml:5", "log.level"):
        assert place in text, text


def test_print_config_masks_secrets(folder):
    done = run(NOF0D, "--config", CONFIG, "--print-config", NOF0_READ="repo",
               NOF0_POSTGRES_DSN="postgresql://me:hush-1@h/db", NOF0_REDIS_URL="redis://u:hush-2@h:6379/0")
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == 0 and "hush" not in text and "***" in text
    path = os.path.join(folder, "printed.yaml")
    with open(path, "wb") as out:
        out.write(done.stdout)
    again = run(NOF0D, "--config", path, "--print-config")
    assert again.stdout == done.stdout


def test_secrets_are_not_logged(serve):
    server = serve(wait="/healthz", NOF0_LOG_LEVEL="debug", NOF0_POSTGRES_DSN="postgresql://me:hush-1@127.0.0.1:1/db")
    assert server.get("/api/trades").status == 503
    assert "hush" not in server.log() and "hush" not in server.get("/readyz").body.decode()


def test_a_bad_start_is_one_clear_end(folder, demo):
    for arguments, settings in (
        (["--config", os.path.join(folder, "none.yaml")], {}),
        (["--config", CONFIG], {"NOF0_PORT": "http"}),
        (["--config", CONFIG], {"NOF0_READ": "repo"}),
        (["--config", CONFIG], {"NOF0_READ": "legacy"}),
        (["--bananas"], {}),
    ):
        done = run(NOF0D, *arguments, **settings)
        assert done.returncode == 2 and done.stderr, (arguments, done)


def test_a_port_in_use_is_exit_2(serve, demo, folder):
    server = serve(NOF0_READ="legacy", NOF0_LEGACY_DIR=demo)
    config = write_config(folder, "port.yaml", server__port=server.port)
    done = run(NOF0D, "--config", config, NOF0_READ="legacy", NOF0_LEGACY_DIR=demo)
    assert done.returncode == 2 and str(server.port) in done.stderr.decode()


def test_help(folder):
    for program in (NOF0D, NOF0CTL):
        done = run(program, "--help")
        assert done.returncode == 0 and b"usage" in done.stdout.lower()
    for command in ("migrate", "import", "export", "demo"):
        done = run(NOF0CTL, "help", command)
        assert done.returncode == 0 and command.encode() in done.stdout
        assert run(NOF0CTL, command, "--help").stdout == done.stdout
    assert run(NOF0CTL, "bananas").returncode == 2
    assert run(NOF0CTL).returncode == 2
