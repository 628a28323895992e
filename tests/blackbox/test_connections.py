"""Ten thousand kept connections that say nothing, and load beside them."""
import os
import resource
import socket
import threading

import pytest

from support import programs
from support.data import ENDPOINTS
from support.programs import ROOT, ctl

IDLE = 10_000
SPARE = 600  # descriptors for everything else


@pytest.fixture
def plain_build(monkeypatch):
    """Sanitizers change what memory costs, so this one runs the release build where there is one."""
    build = os.path.join(ROOT, "build/release")
    if os.path.exists(os.path.join(build, "server/nof0d")):
        monkeypatch.setattr(programs, "NOF0D", os.path.join(build, "server/nof0d"))


def open_idle(port, count):
    """Connections that have asked once each and stay open."""
    idle = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.append(connection)
        if len(idle) % 500 == 0:
            for one in idle[-500:]:
                assert one.recv(4096).startswith(b"HTTP/1.1 200")
    for one in idle[len(idle) // 500 * 500:]:
        assert one.recv(4096).startswith(b"HTTP/1.1 200")
    return idle


def test_idle_connections_and_load(plain_build, serve, postgres, demo, record_property):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = IDLE if hard == resource.RLIM_INFINITY else min(IDLE, hard - SPARE)
    if count < 100:
        pytest.skip(f"only {hard} file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + SPARE, hard) if hard > 0 else count + SPARE, hard))
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    server = serve(NOF0_POSTGRES_DSN=dsn)
    before = server.rss_mb()
    idle = open_idle(server.port, count)
    held = server.rss_mb()
    faults = []

    def load():
        with server.client() as client:
            for turn in range(150):
                reply = client.get(list(ENDPOINTS.values())[turn % len(ENDPOINTS)])
                if reply.status != 200:
                    faults.append(repr(reply))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[0]
    for connection in idle[::7]:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    record_property(f"server memory with {count} idle connections, MB",
                    f"{before:.0f} before, {held:.0f} with them, {server.rss_mb():.0f} after load")
    for connection in idle:
        connection.close()
    server.wait_for("/readyz")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
