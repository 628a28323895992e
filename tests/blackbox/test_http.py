"""HTTP manners: validators, methods, CORS, compression, connections, errors."""
import email.utils
import gzip
import re
import socket
import time
import zlib

import pytest

from support import data
from support.config import write_config
from support.content import parse, same_content

pytestmark = pytest.mark.threads
PATHS = list(data.ENDPOINTS.values()) + ["/api/analytics/gpt-5"]


@pytest.fixture(scope="module")
def server(serve_module, postgres, demo, folder):
    from support.programs import ctl
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    ctl("import", "--quiet", demo, dsn=dsn)
    config = write_config(folder, server__max_uri_bytes=2048, server__max_header_bytes=4096, server__max_body_bytes=1000,
                          server__header_timeout_ms=1500, server__idle_timeout_ms=3000)
    return serve_module(config=config, NOF0_POSTGRES_DSN=dsn)


@pytest.mark.parametrize("path", PATHS)
def test_headers_of_a_good_answer(server, path):
    reply = server.get(path, X_Request_Id="my-id.1")
    assert reply.status == 200
    assert reply.header("Content-Type").replace(" ", "").lower() == "application/json;charset=utf-8"
    assert re.fullmatch(r'W/"[^"]+"', reply.header("ETag"))
    control = reply.header("Cache-Control")
    assert re.fullmatch(r"public, max-age=\d+, s-maxage=\d+, stale-while-revalidate=\d+", control)
    assert "Accept-Encoding" in reply.header("Vary")
    assert reply.header("Access-Control-Allow-Origin") == "*"
    assert reply.header("X-Request-Id") == "my-id.1"
    assert int(reply.header("Content-Length")) == len(reply.body)
    sent = email.utils.parsedate_to_datetime(reply.header("Date"))
    assert reply.header("Date").endswith(" GMT") and abs(sent.timestamp() - time.time()) < 60


@pytest.mark.parametrize("path, control", [
    ("/api/crypto-prices", "5/10/60"), ("/api/account-totals", "10/10/60"), ("/api/trades", "10/10/60"),
    ("/api/conversations", "30/60/120"), ("/api/leaderboard", "60/120/240"), ("/api/analytics", "300/600/1200"),
    ("/api/analytics/x", "300/600/1200"), ("/api/positions", "10/10/60"), ("/api/since-inception-values", "600/1200/2400"),
])
def test_cache_control_follows_the_ttl_class(server, path, control):
    ages = re.findall(r"=(\d+)", server.get(path).header("Cache-Control"))
    assert "/".join(ages) == control


@pytest.mark.parametrize("path", PATHS)
def test_not_modified(server, path):
    with server.client() as client:
        first = client.get(path)
        tag = first.header("ETag")
        time.sleep(0.01)  # serverTime goes on, the validator does not speak of it
        again = client.get(path)
        assert again.header("ETag") == tag
        for known in (tag, tag[2:], f'"x", {tag} , "y"', "*"):
            reply = client.get(path, If_None_Match=known)
            assert reply.status == 304 and reply.body == b"", repr(reply)
            assert reply.header("ETag") == tag and reply.header("Cache-Control") and reply.header("Date")
        for other in ('"x"', 'W/"x"', "", "x"):
            assert client.get(path, If_None_Match=other).status == 200, other


def test_different_answers_have_different_tags(server):
    tags = [server.get(path).header("ETag") for path in PATHS + ["/api/trades?limit=1", "/api/trades?limit=2"]]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("path", PATHS)
def test_head(server, path):
    with server.client() as client:
        got = client.get(path)
        head = client.request("HEAD", path)
        assert head.status == 200 and head.body == b""
        assert abs(int(head.header("Content-Length")) - len(got.body)) <= 1
        for name in ("ETag", "Content-Type", "Cache-Control", "Vary", "Access-Control-Allow-Origin"):
            assert head.header(name) == got.header(name), name
        assert client.request("HEAD", path, headers={"If-None-Match": got.header("ETag")}).status == 304
        assert client.get(path).status == 200  # the connection is still in step


@pytest.mark.parametrize("path", PATHS + ["/healthz"])
def test_options(server, path):
    reply = server.client().request("OPTIONS", path, headers={
        "Origin": "https://example.org", "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "If-None-Match"})
    assert reply.status == 204 and reply.body == b""
    allowed = {method.strip() for method in reply.header("Allow").split(",")}
    assert allowed == {"GET", "HEAD", "OPTIONS"}
    assert {m.strip() for m in reply.header("Access-Control-Allow-Methods").split(",")} >= {"GET"}
    assert "if-none-match" in reply.header("Access-Control-Allow-Headers").lower()
    assert int(reply.header("Access-Control-Max-Age")) > 0


def test_cors_origin_from_config(serve, folder, demo):
    for origin in ("https://example.org", ""):
        config = write_config(folder, "cors.yaml", cors__allow_origin=origin)
        reply = serve(config=config, NOF0_READ="legacy", NOF0_LEGACY_DIR=demo).get("/api/trades")
        assert reply.header("Access-Control-Allow-Origin") == (origin or None)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_method_not_allowed(server, method):
    for path in ("/api/trades", "/api/analytics/x", "/healthz"):
        reply = server.client().request(method, path)
        assert reply.status == 405, repr(reply)
        assert {m.strip() for m in reply.header("Allow").split(",")} == {"GET", "HEAD", "OPTIONS"}
        reply.error()


@pytest.mark.parametrize("path", [
    "/", "/api", "/api/", "/api/nothing", "/api/trades/", "/api/trades/1", "//api/trades", "/api/analytics/", "/API/trades",
    "/api/analytics/a/b", "/api/../api/trades", "/api/analytics/%00", "/healthz/", "/api/%zz",
])
def test_not_found(server, path):
    reply = server.get(path)
    assert reply.status == 404, repr(reply)
    error = reply.error()
    assert "param" not in error
    assert reply.header("Cache-Control") == "no-store" and reply.header("Access-Control-Allow-Origin") == "*"


def test_percent_encoding_in_a_path_is_decoded(server):
    assert server.get("/api/%74rades").status == 200


def status_and_error(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    if status >= 400:
        assert b"application/json" in head, head
        error = parse(body)["error"]
        assert error["code"] and error["message"]
    return status


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /api/trades?x=" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 5000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 2000 + b"\r\n", 431),
    (b"POST /api/trades HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
    (b"POST /api/trades HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"a" * 2000, 413),
    (b"POST /api/trades HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"GET /api/trades HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /api/trades\r\n\r\n", 400),
    (b"GET  /api/trades HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET /api/trades HTTP/1.1\r\n\r\n", 400),
    (b"GET /api/trades HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET /api/trades HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
    (b"GET /api/trades HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    (b"GET /api/trades HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    (b"POST /api/trades HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /api/trades HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
])
def test_refused_by_the_protocol(server, request_bytes, status):
    assert status_and_error(server.raw(request_bytes)) == status


def test_a_slow_request_is_given_up(server):
    assert status_and_error(server.raw(b"GET /api/trades HTTP/1.1\r\nHost:")) == 408


def test_an_idle_connection_is_closed_without_a_word(server):
    assert server.raw(b"") == b""


def test_http_1_0_closes(server):
    answer = server.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") or answer.startswith(b"HTTP/1.0 200")


def test_connection_close_is_honoured(server):
    answer = server.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()


def test_keep_alive_serves_many(server):
    with server.client() as client:
        client.get("/healthz")
        descriptor = client.connection.sock
        for _ in range(50):
            assert client.get("/api/leaderboard").status == 200
            assert client.get("/api/nothing").status == 404
        assert client.connection.sock is descriptor


def test_pipelined_requests_are_answered_in_order(server):
    paths = ["/api/leaderboard", "/api/nothing", "/healthz", "/api/trades?limit=0", "/api/analytics/m", "/version"] * 3
    text = "".join(f"GET {p} HTTP/1.1\r\nHost: a\r\nX-Request-Id: r{i}\r\n\r\n" for i, p in enumerate(paths))
    text += "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = server.raw(text.encode())
    assert re.findall(rb"(?i)x-request-id: (r\d+)\r\n", answer) == [b"r%d" % i for i in range(len(paths))]
    assert re.findall(rb"HTTP/1.1 (\d+)", answer)[:4] == [b"200", b"404", b"200", b"400"]


def test_bytes_that_trickle(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
            time.sleep(0.005)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_client_that_goes_away_harms_nobody(server):
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /api/account-totals HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    assert server.get("/api/account-totals").status == 200


def test_a_body_of_a_get_is_read_past(server):
    with server.client() as client:
        assert client.request("GET", "/api/leaderboard", body=b"x" * 900).status == 200
        assert client.request("POST", "/api/leaderboard", body=b"x" * 900).status == 405
        assert client.get("/healthz").status == 200


@pytest.mark.parametrize("path", PATHS)
def test_gzip(server, path):
    plain = server.get(path)
    packed = server.get(path, Accept_Encoding="gzip")
    same_content(packed.json(), plain.json(), ignore=("serverTime",))
    if len(plain.body) >= 1024:
        assert packed.header("Content-Encoding") == "gzip"
        assert len(packed.body) < len(plain.body)
        assert packed.header("ETag") == plain.header("ETag")
        unpacker = zlib.decompressobj(wbits=31)
        assert unpacker.decompress(packed.body) + unpacker.flush() == gzip.decompress(packed.body)
        assert unpacker.eof and not unpacker.unused_data
    else:
        assert packed.header("Content-Encoding") is None


@pytest.mark.parametrize("accept, packed", [
    ("gzip", True), ("deflate, gzip;q=0.5", True), ("*", True), ("x-gzip", True), ("GZIP", True), ("br, gzip;q=0.001", True),
    ("gzip;q=0", False), ("identity", False), ("br", False), ("*;q=0", False), ("gzip;q=0, *", False), ("", False),
    ("gzip;q=0.5, identity;q=1", False),
])
def test_accept_encoding(server, accept, packed):
    reply = server.get("/api/trades", Accept_Encoding=accept)
    assert (reply.header("Content-Encoding") == "gzip") == packed
    assert reply.json()["trades"]


def test_gzip_can_be_turned_off(serve, folder, demo):
    config = write_config(folder, "plain.yaml", compression__enabled=False)
    server = serve(config=config, NOF0_READ="legacy", NOF0_LEGACY_DIR=demo)
    assert server.get("/api/trades", Accept_Encoding="gzip").header("Content-Encoding") is None


def test_request_id_is_made_when_missing_or_bad(server):
    made = [server.get("/healthz").header("X-Request-Id") for _ in range(3)]
    assert all(made) and len(set(made)) == 3
    for bad in ("x" * 65, "a b", "a\tb", "<x>", "é"):
        given = server.client().request("GET", "/healthz", headers={"X-Request-Id": bad.encode("latin-1")})
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given.header("X-Request-Id")) and given.header("X-Request-Id") != bad
    assert server.get("/healthz", X_Request_Id="x" * 64).header("X-Request-Id") == "x" * 64
    assert server.get("/api/nothing", X_Request_Id="abc").header("X-Request-Id") == "abc"


def test_more_connections_than_allowed(serve, folder, demo):
    config = write_config(folder, "few.yaml", server__max_connections=4, server__workers=1)
    server = serve(config=config, NOF0_READ="legacy", NOF0_LEGACY_DIR=demo)
    time.sleep(0.2)  # the connection of the readiness check is gone by then
    clients = [server.client() for _ in range(4)]
    for client in clients:
        assert client.get("/healthz").status == 200
    assert status_and_error(server.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")) == 503
    clients[0].connection.close()
    server.wait_for("/healthz")
    for client in clients:
        client.connection.close()
