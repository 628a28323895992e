"""The live stream: what is in Redis reaches every client that wants it, once and in order, whatever happens between."""
import json
import random
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from support.config import write_config
from support.events import KEY, Events, add
from support.metrics import metrics
from support.programs import PATIENCE_S
from support.redis_client import RedisClient
from support.servers import Redis, wait_until

pytestmark = pytest.mark.threads


def answers(redis_server):
    try:
        RedisClient(redis_server.socket).__exit__()
        return True
    except OSError:
        return False


@pytest.fixture
def redis_server(folder, request):
    server = Redis(f"{folder}/redis-{abs(hash(request.node.name)) % 100000}")
    wait_until(lambda: answers(server), PATIENCE_S, "Redis answers")
    yield server
    server.stop()


@pytest.fixture
def redis(redis_server):
    with RedisClient(redis_server.socket) as client:
        yield client


@pytest.fixture
def start(serve, folder, demo, redis_server):
    def start_with(**changes):
        config = write_config(folder, **{"redis__url": redis_server.url, **changes})
        server = serve(config=config, NOF0_READ="legacy", NOF0_LEGACY_DIR=demo)
        # From here on "now" is where the stream is.
        wait_until(lambda: len(readers(redis_server)) == 2, PATIENCE_S, "both workers read")
        return server
    return start_with


def readers(redis_server):
    """The connections that wait for entries."""
    with RedisClient(redis_server.socket) as client:
        return [line for line in client("CLIENT", "LIST").decode().splitlines() if " cmd=xread " in line]


def numbers(events):
    return [int(event.id.split("-")[0]) for event in events]


def greeting(server):
    """The id that a new client gets."""
    with Events(server) as client:
        return client.last


def counted(server, name, wanted):
    wait_until(lambda: metrics(server)[name] == wanted, PATIENCE_S, f"{name} is {wanted}")


def test_clients_get_what_they_ask_for(start, redis):
    server = start()
    with Events(server) as everything, Events(server, "?topics=trades,leaderboard") as some, \
            Events(server, "?model_id=a&topics=positions") as one, \
            Events(server, "?model_id=a&unknown=1") as model:
        for name, value in (("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-store"),
                            ("X-Accel-Buffering", "no"), ("Access-Control-Allow-Origin", "*")):
            assert everything.headers[name] == value
        counted(server, "nof0_stream_clients", 4)
        rows = [("prices", ""), ("trades", "a"), ("trades", "b"), ("positions", "b"), ("positions", "a"),
                ("nonsense", ""), ("leaderboard", ""), ("account-totals", "b"), ("conversations", "a"), ("prices", "")]
        for number, (topic, who) in enumerate(rows, 1):
            add(redis, number, topic, who)
        found = everything.take(9)
        assert numbers(found) == [1, 2, 3, 4, 5, 7, 8, 9, 10]
        assert [event.event for event in found] == [rows[n - 1][0] for n in numbers(found)]
        assert [json.loads(event.data)["n"] for event in found] == numbers(found)
        assert numbers(some.take(3)) == [2, 3, 7]
        assert numbers(model.take(6)) == [1, 2, 5, 7, 9, 10]
        assert numbers(one.take(1)) == [5]
    counted(server, "nof0_stream_clients", 0)
    assert metrics(server)["nof0_stream_events_total"] == 19


def test_what_is_no_event_is_passed_over(start, redis):
    server = start()
    with Events(server) as client:
        add(redis, 1)
        redis("XADD", KEY, "2-0", "topic", "prices", "data", "{}")
        redis("XADD", KEY, "3-0", "topic", "prices", "model", "", "data", "1\nevent: trades")
        redis("XADD", KEY, "4-0", "a", "b", "c", "d", "e", "f")
        add(redis, 5, item=7)
        assert [event.id for event in client.take(2)] == ["1-0", "5-7"]
    with Events(server, last="0-0") as client:
        assert [event.id for event in client.take(2)] == ["1-0", "5-7"]


def test_other_requests(start, serve, demo, redis):
    server = start()
    for query, param in (("topics=prices,rubbish", "topics"), ("topics=", "topics"), ("topics=a%00", "topics"),
                         ("last_event_id=5", "last_event_id"), ("last_event_id=1-18446744073709551616", "last_event_id"),
                         ("model_id=a&model_id=b", "model_id"), ("model_id=%01", "model_id")):
        reply = server.get("/api/stream?" + query)
        assert reply.status == 400
        assert reply.error()["code"] == "bad_parameter" and reply.error()["param"] == param
    assert "rubbish" in server.get("/api/stream?topics=rubbish").error()["message"]
    assert server.get("/api/stream", Last_Event_ID="x").status == 400
    with server.client() as client:
        head = client.request("HEAD", "/api/stream")
        assert head.status == 200 and head.header("Content-Type").startswith("text/event-stream")
        assert client.request("POST", "/api/stream").status == 405
        assert client.request("OPTIONS", "/api/stream").status == 204
    add(redis, 1)
    with Events(server, "?last_event_id=0-0") as client:
        assert numbers(client.take(1)) == [1]
    with Events(server, "?last_event_id=0-0", last="1-0") as client:  # an address that is kept does not go back
        add(redis, 2)
        assert numbers(client.take(1)) == [2]
    without = serve(NOF0_READ="legacy", NOF0_LEGACY_DIR=demo)
    reply = without.get("/api/stream")
    assert reply.status == 503 and "Redis" in reply.error()["message"]
    assert reply.header("Retry-After")


def test_silence_is_broken_by_comments(start):
    server = start(stream__heartbeat_ms=50)
    with Events(server) as client:
        for _ in range(3):
            assert client.block() == {}
        assert client.comments == ["connected", "", "", ""]


def test_connected_means_that_nothing_is_missed_from_then_on(serve, folder, demo, redis, redis_server):
    """Also when Redis could not be reached yet: who comes before it can is greeted when the place is known."""
    config = write_config(folder, redis__url=redis_server.url)
    redis_server.process.send_signal(signal.SIGSTOP)
    server = serve(config=config, NOF0_READ="legacy", NOF0_LEGACY_DIR=demo)
    with ThreadPoolExecutor(8) as pool:
        greeted = [pool.submit(Events, server) for _ in range(8)]
        counted(server, "nof0_stream_clients", 8)
        redis_server.process.send_signal(signal.SIGCONT)
        for number, future in enumerate(as_completed(greeted), 1):
            with future.result() as client:
                add(redis, number)
                begins = int(client.last.split("-")[0])
                assert numbers(client.take(number - begins)) == list(range(begins + 1, number + 1))


class Filler(threading.Thread):
    """Adds entries all the time, some at once, some apart."""

    def __init__(self, redis_server, count):
        super().__init__()
        self.redis_server, self.count = redis_server, count

    def run(self):
        with RedisClient(self.redis_server.socket) as redis:
            for number in range(1, self.count + 1):
                add(redis, number, data=json.dumps({"n": number, "text": "x" * 200}))
                if number % 7 == 0:
                    time.sleep(0.002)


def test_who_comes_again_misses_nothing_and_gets_nothing_twice(start, redis_server):
    server = start()
    count = 3000
    dice = random.Random(5)
    found = {n: [] for n in range(6)}
    last = {}
    for n in found:
        with Events(server) as client:
            last[n] = client.last
    assert set(last.values()) == {"0-0"}
    filler = Filler(redis_server, count)
    filler.start()

    def follow(n):
        while not found[n] or found[n][-1] < count:
            with Events(server, last=last[n]) as client:
                found[n] += numbers(client.take(min(dice.randrange(1, 400), count - len(found[n]))))
                last[n] = client.last

    followers = [threading.Thread(target=follow, args=(n,)) for n in found]
    for follower in followers:
        follower.start()
    filler.join()
    for follower in followers:
        follower.join()
    for n in found:
        assert found[n] == list(range(1, count + 1))
    wait_until(lambda: metrics(server)["nof0_stream_resumes_total"] >= 6, PATIENCE_S, "resumes are counted")
    assert metrics(server)["nof0_stream_resets_total"] == 0


def test_who_missed_what_is_no_longer_kept_is_told(start, redis):
    server = start()
    for number in range(1, 101):
        add(redis, number)
    wait_until(lambda: {greeting(server) for _ in range(10)} == {"100-0"}, PATIENCE_S, "both workers have read")
    redis("XTRIM", KEY, "MAXLEN", 50)
    with Events(server, last="49-0") as client:
        event = next(client)
        assert event.event == "reset" and json.loads(event.data)["reason"]
        assert client.last == "100-0"
        add(redis, 101)
        assert numbers(client.take(1)) == [101]
    for last in (50, 51, 60):
        with Events(server, last=f"{last}-0") as client:
            event = next(client)
            assert event.event == "reset" if last == 50 else event.id == f"{last + 1}-0"
    # An id that nobody can have had from here.
    with Events(server, last="900-0") as client:
        assert next(client).event == "reset"
    # Nothing left at all.
    redis("XTRIM", KEY, "MAXLEN", 0)
    with Events(server, last="60-0") as client:
        assert next(client).event == "reset"
    counted(server, "nof0_stream_resets_total", 4)


def test_a_stream_that_is_lost_and_filled_again(start, redis_server):
    server = start(stream__heartbeat_ms=100)
    with RedisClient(redis_server.socket) as redis:
        for number in range(1, 21):
            add(redis, number)
    stays = Events(server, last="0-0")
    assert numbers(stays.take(20)) == list(range(1, 21))
    redis_server.kill()
    comes = Events(server, last="10-0")  # while Redis is away
    assert comes.status == 200
    for client in (stays, comes):
        assert client.block() == {}  # a heartbeat
    redis_server.start()
    wait_until(lambda: answers(redis_server), PATIENCE_S, "Redis answers")
    wait_until(lambda: len(readers(redis_server)) == 2, PATIENCE_S, "both workers read again")
    with RedisClient(redis_server.socket) as redis:
        for number in range(5, 15):
            add(redis, number)
        half = Events(server, last="12-0")  # the filling is under way
        late = Events(server, last="3-0")  # of which the filling has nothing
        for number in range(15, 26):
            add(redis, number)
    assert numbers(stays.take(5)) == list(range(21, 26))
    assert numbers(comes.take(15)) == list(range(11, 26))
    assert numbers(half.take(13)) == list(range(13, 26))
    assert next(late).event == "reset"
    for client in (stays, comes, half, late):
        client.close()


def test_who_does_not_read_is_dropped(start, redis):
    server = start(stream__max_pending_bytes=100000)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", server.port))
    slow.sendall(b"GET /api/stream HTTP/1.1\r\nHost: a\r\n\r\n")
    with Events(server) as quick:
        counted(server, "nof0_stream_clients", 2)
        number = 0
        while metrics(server)['nof0_stream_dropped_total{reason="slow"}'] == 0:
            for _ in range(10):
                number += 1
                add(redis, number, data=json.dumps("x" * 50000))
            quick.take(10)
            assert number < 20000
        counted(server, "nof0_stream_clients", 1)
    # What it was sent to the end says why, and the connection is closed behind it.
    slow.settimeout(60)
    tail = b""
    while piece := slow.recv(65536):
        tail = (tail + piece)[-1000:]
    assert b'event: dropped\ndata: {"reason":"slow"}\n\n' in tail and tail.endswith(b"0\r\n\r\n")
    slow.close()


def test_too_many_clients_are_told(start):
    server = start(stream__max_clients=2)
    with Events(server), Events(server):
        reply = server.get("/api/stream")
        assert reply.status == 503 and reply.header("Retry-After")
    counted(server, "nof0_stream_clients", 0)
    with Events(server) as client:
        assert client.status == 200


def test_the_end_is_told(start):
    server = start()
    clients = [Events(server) for _ in range(5)]
    server.stop()
    for client in clients:
        events = list(client)
        assert [(event.event, event.data) for event in events] == [("dropped", '{"reason":"shutdown"}')]
        client.close()


def test_another_redis_is_gone_over_to(start, redis, redis_server, folder):
    server = start()
    other = Redis(f"{folder}/redis-other")
    wait_until(lambda: answers(other), PATIENCE_S, "Redis answers")
    try:
        with Events(server) as client:
            write_config(folder, redis__url=other.url)
            server.reload()
            assert next(client).data == '{"reason":"reconfigured"}'
            assert list(client) == []
        wait_until(lambda: len(readers(other)) == 2 and not readers(redis_server), PATIENCE_S, "the other is read")
        add(redis, 1)
        with Events(server) as client, RedisClient(other.socket) as filler:
            add(filler, 2)
            assert numbers(client.take(1)) == [2]
    finally:
        other.stop()


def test_a_thousand_clients_are_one_reader(start, redis, redis_server):
    server = start()
    clients = []
    for _ in range(1000):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
        client.sendall(b"GET /api/stream HTTP/1.1\r\nHost: a\r\n\r\n")
        clients.append(client)
    counted(server, "nof0_stream_clients", 1000)
    assert len(readers(redis_server)) == 2  # one of each worker
    for number in (1, 2, 3):
        add(redis, number)
    for client in clients:
        text = b""
        while b"id: 3-0\n" not in text or not text.endswith(b"\n\n\r\n"):
            piece = client.recv(65536)
            assert piece
            text += piece
        assert text.count(b"event: prices\n") == 3
        client.close()
    counted(server, "nof0_stream_clients", 0)
