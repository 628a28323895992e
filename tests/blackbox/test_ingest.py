"""Events in over HTTP: what is answered, what is stored, what is seen, and what outages do to it."""
import http.client
import json
import os
import re
import signal
import socket
import threading
import time

import psycopg2
import pytest

from support import items
from support.config import write_config
from support.content import same_content
from support.items import KINDS, MAKERS, TOKEN, digest, lines, post, told
from support.metrics import metrics
from support.programs import PATIENCE_S, ctl
from support.servers import Postgres, wait_until

pytestmark = pytest.mark.threads
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def dsn(postgres):
    dsn = postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    return dsn


@pytest.fixture(scope="module")
def server(serve_module, dsn):
    return serve_module(NOF0_POSTGRES_DSN=dsn, NOF0_INGEST_TOKEN=TOKEN, NOF0_OUTBOX="false")


@pytest.fixture
def own(serve, database):
    """A server with an empty database of its own, into which nothing but events is written."""
    server = serve(NOF0_POSTGRES_DSN=database, NOF0_INGEST_TOKEN=TOKEN, NOF0_OUTBOX="false")  # which writes by itself
    server.dsn = database
    return server


def counts(document):
    return document["accepted"], document["duplicate"], document["rejected"]


def send(server, kind, body, expect=200, **options):
    with server.client() as client:
        reply = post(client, kind, body, **options)
    assert reply.status == expect, repr(reply)
    assert reply.header("Cache-Control") == "no-store"
    return reply.json()


# kind -> an item, one that says something else of the same, and one that is older (None: nothing is ever older)
FATES = {
    "trades": (items.trade(1), items.trade(1, quantity=7), None),
    "positions": (items.position(1), items.position(1, quantity=-7), items.position(1, timestamp=1000.75)),
    "prices": (items.tick(1), items.tick(1, price=7), items.tick(0)),
    "account-totals": (items.total(1), items.total(1, dollar_equity=7), items.total(1, timestamp=900)),
    "conversations": (items.cycle(1), items.cycle(1, user_prompt="!"), None),
    "analytics": (items.analytics(1), items.analytics(1, more=1), items.analytics(1, updated_at=9)),
    "leaderboard": (items.leader(1), items.leader(1, num_trades=7), items.leader(1, timestamp=9)),
    "since-inception-values": (items.inception(1), items.inception(1, num_invocations=7),
                               items.inception(1, timestamp=9)),
    "trader-state": (items.trader(1), items.trader(1, allocation_pct=7), items.trader(1, timestamp=9)),
    "market-assets": (items.asset(1), items.asset(1, sz_decimals=7), items.asset(1, timestamp=9)),
    "market-contexts": (items.context(1), items.context(1, mark_px=7), items.context(1, timestamp=9)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_fates_of_each_kind(own, postgres, kind):
    item, other, older = FATES[kind]
    document = send(own, kind, item)
    assert counts(document) == (1, 0, 0)
    (told_of,) = document["items"]
    assert told_of["index"] == 0 and told_of["status"] == "accepted" and told_of["id"] and "superseded" not in told_of
    before = digest(postgres, own.dsn)
    document = send(own, kind, [item, item])
    assert counts(document) == (0, 2, 0)
    assert [entry["status"] for entry in document["items"]] == ["duplicate", "duplicate"]
    document = send(own, kind, other, expect=409)
    (told_of,) = document["items"]
    assert counts(document) == (0, 0, 1) and told_of["code"] == "conflict"
    assert told_of["path"] == "$" and "stored with other content" in told_of["reason"]
    assert digest(postgres, own.dsn) == before
    if older:
        document = send(own, kind, older)
        assert counts(document) == (1, 0, 0) and document["items"][0]["superseded"] is True
        assert counts(send(own, kind, item)) == (0, 1, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_lines_of_each_kind(own, kind):
    good = [MAKERS[kind](number) for number in range(1, 4)]
    document = send(own, kind, good[:2] + [{"nothing": 1}], expect=207)
    assert counts(document) == (2, 0, 1)
    assert [entry["index"] for entry in document["items"]] == [0, 1, 2]
    assert document["items"][2]["code"] == "invalid"
    with own.client() as client:
        reply = post(client, kind, lines(good[:2]) + b"\n  \n[1]\n" + lines(good[2:]), form=NDJSON)
    assert reply.status == 200
    assert told(reply) == [
        {"lines": [1, 2], "status": "duplicate"},
        {"line": 5, "status": "rejected", "code": "invalid", "path": "$", "reason": "must be an object, is an array"},
        {"line": 6, "status": "accepted"}, {"done": True, "accepted": 1, "duplicate": 2, "rejected": 1}]


SEEN = {
    "trades": ("/api/trades", lambda d: d["trades"][0], items.trade(900000, extra=[1])),
    "positions": ("/api/positions", lambda d: {m["model_id"]: m for m in d["accountTotals"]}["m"]["positions"]["S77"],
                  items.position(77)),
    "prices": ("/api/crypto-prices", lambda d: d["prices"]["DOGE"], items.tick(5, symbol="DOGE")),
    "account-totals": ("/api/account-totals", lambda d: d["accountTotals"][-1], items.total(800)),
    "conversations": ("/api/conversations", lambda d: d["conversations"][0], items.cycle(900)),
    "analytics": ("/api/analytics/a800", lambda d: d["analytics"], items.analytics(800)),
    "leaderboard": ("/api/leaderboard", lambda d: {e["id"]: e for e in d["leaderboard"]}["l800"], items.leader(800)),
    "since-inception-values": ("/api/since-inception-values",
                               lambda d: {e["id"]: e for e in d["sinceInceptionValues"]}["i800"],
                               items.inception(800)),
}
BESIDE = {"positions": ("timestamp", "model_id"), "leaderboard": ("timestamp",), "since-inception-values": ("timestamp",)}


@pytest.mark.parametrize("kind", SEEN)
def test_what_was_stored_is_seen_at_once(server, kind):
    path, pick, item = SEEN[kind]
    with server.client() as reader, server.client() as writer:
        reader.get(path)  # so that an older answer is kept
        reply = post(writer, kind, item)
        assert reply.status == 200, repr(reply)
        shown = pick(reader.get(path).json())
    same_content(shown, {key: value for key, value in item.items() if key not in BESIDE.get(kind, ())})


def test_a_fill_brings_its_account_total(own):
    fill = items.trade(1, account_total=items.total(3))
    assert counts(send(own, "trades", fill)) == (1, 0, 0)
    assert own.get("/api/account-totals").json()["accountTotals"][0]["id"] == "m_3"
    assert counts(send(own, "account-totals", items.total(3))) == (0, 1, 0)


def test_atomic(own, postgres):
    before = digest(postgres, own.dsn)
    document = send(own, "trades", [items.trade(1), items.trade(2, symbol=3)], query="?atomic=true", expect=422)
    assert counts(document) == (0, 0, 2)
    assert [entry["code"] for entry in document["items"]] == ["atomic", "invalid"]
    with own.client() as client:
        reply = post(client, "trades", lines([items.trade(1), items.trade(2, symbol=3)]), "?atomic=true", NDJSON)
    assert reply.status == 422
    assert told(reply)[-1] == {"done": True, "accepted": 0, "duplicate": 0, "rejected": 2}
    assert digest(postgres, own.dsn) == before
    assert counts(send(own, "trades", [items.trade(1), items.trade(2)], query="?atomic=true")) == (2, 0, 0)
    document = send(own, "trades", [items.trade(3), items.trade(1, quantity=9)], query="?atomic=true", expect=409)
    assert {entry["code"] for entry in document["items"]} == {"atomic", "conflict"}
    assert len(own.get("/api/trades").json()["trades"]) == 2
    assert counts(send(own, "trades", [items.trade(3), items.trade(1)], query="?x=1&atomic=false")) == (1, 1, 0)


def test_an_empty_array_and_empty_lines(server, postgres, dsn):
    before = digest(postgres, dsn)
    assert send(server, "prices", b"[ ]") == {"accepted": 0, "duplicate": 0, "rejected": 0, "items": []}
    with server.client() as client:
        for body in (b"", b"\n", b" \r\n\t\n"):
            reply = post(client, "prices", body, form=NDJSON)
            assert reply.status == 200 and told(reply)[-1]["done"] is True
    assert digest(postgres, dsn) == before


def test_content_types(server):
    with server.client() as client:
        for form in ("application/json", "application/json; charset=UTF-8", 'Application/JSON;charset="utf-8"'):
            assert post(client, "prices", items.tick(50), form=form).status == 200, form
        for form in (NDJSON, "application/ndjson", "application/jsonl ; charset=utf-8"):
            assert told(post(client, "prices", items.tick(50), form=form))[-1]["duplicate"] == 1, form
        reply = client.request("POST", "/api/ingest/prices", json.dumps(items.tick(50)),
                               {"Authorization": f"bearer {TOKEN}", "Content-Encoding": "identity"})
        assert reply.status == 200, repr(reply)


# --- who may ---

def test_without_a_token_there_is_no_door(serve, database):
    server = serve(NOF0_POSTGRES_DSN=database)
    with server.client() as client:
        for method in ("POST", "OPTIONS", "GET"):
            assert client.request(method, "/api/ingest/prices", headers={"Authorization": "Bearer "}).status == 404
        assert post(client, "prices", items.tick(1), token="").status == 404


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN,
                                    f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer  {TOKEN}"])
def test_the_token(server, postgres, dsn, header):
    before = digest(postgres, dsn)
    headers = {} if header is None else {"Authorization": header}
    with server.client() as client:
        reply = client.request("POST", "/api/ingest/prices", json.dumps(items.tick(60)), headers)
        assert reply.status == 401 and reply.error()["code"] == "unauthorized"
        assert reply.header("WWW-Authenticate") == "Bearer"
    assert digest(postgres, dsn) == before


def test_methods(server):
    with server.client() as client:
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
            reply = client.request(method, "/api/ingest/prices", headers={"Authorization": f"Bearer {TOKEN}"})
            assert reply.status == 405 and set(reply.header("Allow").split(", ")) == {"POST", "OPTIONS"}
        reply = client.request("OPTIONS", "/api/ingest/prices", headers={
            "Origin": "https://example.org", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type"})
        assert reply.status == 204 and reply.body == b""
        assert set(reply.header("Allow").split(", ")) == {"POST", "OPTIONS"}
        assert "POST" in reply.header("Access-Control-Allow-Methods")
        allowed = reply.header("Access-Control-Allow-Headers").lower()
        assert "authorization" in allowed and "content-type" in allowed


def test_a_token_that_was_changed_counts_at_once(serve, database, folder):
    config = write_config(folder, "token.yaml", ingest__token="first-token")
    server = serve(config=config, NOF0_POSTGRES_DSN=database)
    with server.client() as client:
        assert post(client, "prices", items.tick(1), token="first-token").status == 200
        write_config(folder, "token.yaml", ingest__token="second-token")
        server.reload()
        wait_until(lambda: post(client, "prices", items.tick(1), token="second-token").status == 200, PATIENCE_S,
                   "the new token counts")
        assert post(client, "prices", items.tick(1), token="first-token").status == 401


# --- lines that come and go while they are sent ---

class Stream:
    """A chunked request of lines whose answer is read while it is sent."""

    def __init__(self, server, kind, query=""):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
        self.socket.sendall(f"POST /api/ingest/{kind}{query} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
                            f"Content-Type: {NDJSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        self.reply = None

    def send(self, data):
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")

    def line(self):
        """The next line of the answer; None at its end."""
        if self.reply is None:
            self.reply = http.client.HTTPResponse(self.socket, method="POST")
            self.reply.begin()
            assert self.reply.status == 200
        line = self.reply.readline()
        return json.loads(line) if line else None

    def close(self):
        if self.reply:
            self.reply.close()
        self.socket.close()


def covered(line):
    first, last = line["lines"] if "lines" in line else (line["line"], line["line"])
    return last - first + 1


def test_lines_are_answered_while_they_come(server):
    stream = Stream(server, "prices")
    for number in range(1, 6):
        stream.send(lines([items.tick(1000 + number)]))
        assert stream.line() == {"line": number, "status": "accepted"}
    stream.end()
    assert stream.line() == {"done": True, "accepted": 5, "duplicate": 0, "rejected": 0}
    assert stream.line() is None
    stream.close()


def test_a_hundred_thousand_ticks(own):
    stream = Stream(own, "prices")
    text = b"".join(b'{"symbol":"S%d","price":%d.5,"timestamp":%d}\n' % (i % 50, i + 1, 1700000000000 + i)
                    for i in range(100000))

    answered, early = threading.Event(), []

    def feed():
        for at in range(0, len(text), 65521):  # cuts lines anywhere
            if at > len(text) // 2 and not early:
                early.append(answered.wait(PATIENCE_S))
            stream.send(text[at:at + 65521])
        stream.end()

    feeder = threading.Thread(target=feed)
    feeder.start()
    accepted = 0
    while (line := stream.line()) is not None and "done" not in line:
        assert line["status"] == "accepted", line
        answered.set()
        accepted += covered(line)
    feeder.join()
    stream.close()
    assert early == [True], "nothing was answered before all was sent"
    assert accepted == 100000 and line == {"done": True, "accepted": 100000, "duplicate": 0, "rejected": 0}
    assert Postgres.query("SELECT count(*) FROM price_ticks", own.dsn) == [(100000,)]
    assert own.get("/api/crypto-prices").json()["prices"]["S49"]["price"] == 100000.5


def test_a_reader_that_is_slow_holds_only_itself(own):
    """Every line is rejected, so the answer is far longer than the body; nobody reads it until all was sent."""
    stream = Stream(own, "prices")
    many = 60000
    text = b'{"a":1}\n' * many
    done = threading.Event()

    def feed():
        for at in range(0, len(text), 50000):
            stream.send(text[at:at + 50000])
        stream.end()
        done.set()

    feeder = threading.Thread(target=feed)
    feeder.start()
    rejected = "nof0_ingest_items_total{result=\"rejected\"}"
    steady = [-1]

    def stands():
        steady.append(metrics(own)[rejected])
        return len(steady) > 20 and len(set(steady[-20:])) == 1
    wait_until(stands, PATIENCE_S, "the server takes in no more than its answer was read")
    assert own.get("/healthz").status == 200
    if not done.is_set():
        assert steady[-1] < many
    seen = 0
    while (line := stream.line()) is not None and "done" not in line:
        assert line["status"] == "rejected"
        seen += covered(line)
    feeder.join()
    stream.close()
    assert seen == many and line["rejected"] == many


def test_what_was_answered_is_stored_when_the_client_goes(own):
    stream = Stream(own, "prices")
    stream.send(lines(items.tick(i) for i in range(1, 21)))
    answered = 0
    while answered < 20:
        line = stream.line()
        assert line["status"] == "accepted"
        answered += covered(line)
    stream.send(lines([items.tick(21)]) + b'{"symbol":"BT')
    stream.socket.shutdown(socket.SHUT_RDWR)
    stream.close()
    assert Postgres.query("SELECT count(*) FROM price_ticks WHERE ts_ms <= %s", own.dsn, 1700000000020) == [(20,)]
    assert counts(send(own, "prices", [items.tick(i) for i in range(1, 21)])) == (0, 20, 0)


def test_a_body_that_breaks_in_the_middle(own):
    stream = Stream(own, "prices")
    stream.send(lines([items.tick(1)]))
    assert stream.line() == {"line": 1, "status": "accepted"}
    stream.socket.sendall(b"zz\r\n")
    last = stream.line()
    assert last["done"] is False and last["line"] == 2 and last["error"]["code"] == "bad_request"
    assert stream.line() is None
    stream.close()


# --- many at once ---

def test_requests_that_wait_share_a_commit(own):
    """A lock of ours keeps the first transaction waiting; what comes meanwhile all goes into the second."""
    blocker = psycopg2.connect(own.dsn)
    blocker.cursor().execute("SELECT pg_advisory_xact_lock(hashtext('nof0 feed prices'))")
    answers, workers = [], []

    def start(number):
        def work():
            with own.client() as client:
                answers.append(counts(post(client, "prices", items.tick(number)).json()))
        workers.append(threading.Thread(target=work))
        workers[-1].start()

    def queued():
        return metrics(own)["nof0_ingest_queued_bytes"]
    start(10)
    wait_until(lambda: Postgres.query("SELECT 1 FROM pg_locks WHERE NOT granted", own.dsn), PATIENCE_S, "one waits")
    start(11)
    one = wait_until(queued, PATIENCE_S, "the next is queued")
    for number in range(12, 50):
        start(number)
    wait_until(lambda: queued() >= 39 * one, PATIENCE_S, "all are")
    blocker.rollback()
    blocker.close()
    for worker in workers:
        worker.join()
    assert answers == [(1, 0, 0)] * 40
    after = metrics(own)
    assert after["nof0_ingest_transactions_total"] == 2 and after["nof0_ingest_queued_bytes"] == 0
    assert after['nof0_ingest_items_total{result="accepted"}'] == 40


def test_two_servers_and_the_same_items(serve, database):
    servers = [serve(NOF0_POSTGRES_DSN=database, NOF0_INGEST_TOKEN=TOKEN) for _ in range(2)]
    batch = [items.trade(i) for i in range(60)]
    sums = []

    def work(server, order):
        with server.client() as client:
            for at in range(0, 60, 5):
                sums.append(counts(post(client, "trades", order[at:at + 5]).json()))
    workers = [threading.Thread(target=work, args=(server, order))
               for server in servers for order in (batch, batch[::-1])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(s[0] for s in sums) == 60 and sum(s[1] for s in sums) == 180 and sum(s[2] for s in sums) == 0


# --- when Postgres is away ---

@pytest.fixture
def own_postgres(folder, template, request):
    server = Postgres(os.path.join(folder, "pg-" + re.sub(r"\W", "", request.node.name)[-12:]), template, durable=True)
    yield server
    server.stop()


class Poster:
    """A thread that posts ticks one after the other and remembers what was answered."""

    def __init__(self, server):
        self.server, self.stopping = server, threading.Event()
        self.acknowledged, self.refused, self.strange, self.slowest = [], 0, [], 0.0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        number = 0
        with self.server.client() as client:
            while not self.stopping.is_set():
                number += 1
                began = time.monotonic()
                reply = post(client, "prices", items.tick(number))
                self.slowest = max(self.slowest, time.monotonic() - began)
                if reply.status == 200:
                    self.acknowledged.append(number)
                elif (reply.status == 503 and reply.header("Retry-After") and
                      reply.error()["code"] == "unavailable"):
                    self.refused += 1
                else:
                    self.strange.append(repr(reply))

    def wait_for(self, what, condition):
        wait_until(condition, PATIENCE_S, what)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        assert not self.strange, self.strange[0]


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_postgres_goes_and_comes_back(serve, own_postgres, folder, how):
    dsn = own_postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    config = write_config(folder, f"outage-{how}.yaml", ingest__timeout_ms=700, ingest__token=TOKEN)
    server = serve(config=config, NOF0_POSTGRES_DSN=dsn)
    poster = Poster(server)
    try:
        poster.wait_for("ticks go in", lambda: len(poster.acknowledged) > 20)
        if how == "killed":
            own_postgres.kill()
        else:
            own_postgres.freeze()
        poster.wait_for("posts fail", lambda: poster.refused >= 2)
        if how == "killed":
            own_postgres.start()
        else:
            own_postgres.thaw()
        so_far = len(poster.acknowledged)
        poster.wait_for("ticks go in again", lambda: len(poster.acknowledged) > so_far + 20)
    finally:
        own_postgres.thaw()
        poster.stop()
    # The timeout and what a loaded machine adds to it; far from postgres' own patience.
    assert poster.slowest < 5, poster.slowest
    stored = {row[0] - 1700000000000 for row in Postgres.query("SELECT ts_ms FROM price_ticks", dsn)}
    assert set(poster.acknowledged) <= stored
    assert metrics(server)["nof0_ingest_failures_total"] >= 2


def test_lines_while_postgres_is_away(serve, own_postgres, folder):
    dsn = own_postgres.new_database()
    ctl("migrate", "up", dsn=dsn)
    config = write_config(folder, "outage-lines.yaml", ingest__timeout_ms=700, ingest__token=TOKEN)
    server = serve(config=config, NOF0_POSTGRES_DSN=dsn)
    stream = Stream(server, "prices")
    stream.send(lines([items.tick(1), items.tick(2)]))
    assert stream.line() == {"lines": [1, 2], "status": "accepted"}
    own_postgres.kill()
    stream.send(lines([items.tick(3)]))
    last = stream.line()
    assert last["done"] is False and last["line"] == 3 and last["error"]["code"] == "unavailable"
    stream.close()
    own_postgres.start()
    wait_until(lambda: counts_of(server, [items.tick(i) for i in (1, 2, 3)]) == (1, 2, 0), PATIENCE_S, "it works again")


def counts_of(server, batch):
    with server.client() as client:
        reply = post(client, "prices", batch)
    return counts(reply.json()) if reply.status == 200 else None


def test_a_server_that_ends_answers_what_it_took(serve, database):
    """Everything that was answered before and during the end is stored."""
    server = serve(NOF0_POSTGRES_DSN=database, NOF0_INGEST_TOKEN=TOKEN)
    acknowledged = []

    def work():
        number = 0
        try:
            with server.client() as client:
                while True:
                    number += 1
                    reply = post(client, "prices", items.tick(number))
                    if reply.status == 200:
                        acknowledged.append(number)
        except (OSError, http.client.HTTPException):
            pass
    worker = threading.Thread(target=work)
    worker.start()
    wait_until(lambda: len(acknowledged) > 10, PATIENCE_S, "ticks go in")
    server.process.send_signal(signal.SIGTERM)
    worker.join()
    server.process.wait(PATIENCE_S)  # a second signal would cut off what is in flight
    server.stop()
    stored = {row[0] - 1700000000000 for row in Postgres.query("SELECT ts_ms FROM price_ticks", database)}
    assert set(acknowledged) <= stored
