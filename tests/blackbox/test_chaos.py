"""Nothing lost, nothing twice: numbered events from several clients while nof0d, Redis and Postgres are killed.

NOF0_CHAOS_EVENTS and NOF0_CHAOS_SECONDS make it longer: 50000 and 120 take about three minutes with a release build.
"""
import http.client
import json
import os
import random
import threading
import time

import pytest

from support import numbered
from support.content import load, same_content
from support.programs import ctl
from support.servers import Postgres, Redis, wait_until
from support.sse import StreamClient

EVENTS = int(os.environ.get("NOF0_CHAOS_EVENTS", "2000"))
SECONDS = float(os.environ.get("NOF0_CHAOS_SECONDS", "12"))
CLIENTS = 8
STREAMS = int(os.environ.get("NOF0_CHAOS_STREAMS", "3"))
TOKEN = "chaos"


class Instance:
    """A nof0d that can be killed and comes back on its port."""

    def __init__(self, serve, settings):
        self.serve, self.settings = serve, settings
        self.server = serve(**settings)
        self.port = self.server.port

    def kill(self):
        self.server.process.kill()
        self.server.process.wait(10)
        self.server.stopped = True

    def start(self):
        self.server = self.serve(port=self.port, wait=None, **self.settings)


class Poster(threading.Thread):
    """Sends its share of the numbers, each until it is acknowledged."""

    def __init__(self, ports, numbers):
        super().__init__(daemon=True)
        self.ports, self.numbers = ports, list(numbers)
        self.random = random.Random(self.numbers[0])
        self.acknowledged = []
        self.faults = []
        self.retries = 0
        self.pace = SECONDS / max(1, len(self.numbers))

    def run(self):
        connection = None
        began = time.monotonic()
        at = 0
        while at < len(self.numbers):
            time.sleep(max(0, began + at * self.pace * 0.9 - time.monotonic()))
            group = self.numbers[at:at + self.random.choice([1, 1, 1, 5, 20])]
            kind, _ = numbered.numbered(group[0])
            while len({numbered.numbered(n)[0] for n in group}) > 1:
                group.pop()
            items = [numbered.numbered(n)[1] for n in group]
            body = json.dumps(items if len(items) > 1 else items[0])
            while True:
                try:
                    connection = connection or http.client.HTTPConnection("127.0.0.1", self.random.choice(self.ports),
                                                                          timeout=20)
                    connection.request("POST", f"/api/ingest/{kind}", body,
                                       {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status == 200:
                        break
                    if answer.status != 503:
                        self.faults.append((answer.status, text[:500]))
                        return
                except (OSError, http.client.HTTPException):
                    pass
                self.retries += 1
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.05)
            self.acknowledged += group
            at += len(group)


def wreak_havoc(instances, postgres, redis, stop, kills):
    pick = random.Random(20261124)
    while not stop.wait(pick.uniform(0.8, 2.5)):
        victim = pick.choice(["a", "b", "postgres", "redis", "redis", "a"])
        kills[victim] = kills.get(victim, 0) + 1
        if victim in ("a", "b"):
            instance = instances["ab".index(victim)]
            instance.kill()
            stop.wait(pick.uniform(0, 0.7))
            instance.start()
        else:
            server = postgres if victim == "postgres" else redis
            server.kill()
            stop.wait(pick.uniform(0, 1.0))
            server.start()


@pytest.fixture
def durable(folder, template):
    server = Postgres(os.path.join(folder, "durable"), template, durable=True)
    yield server
    server.stop()


@pytest.fixture
def forgetful(folder):
    server = Redis(os.path.join(folder, "forgetful"))
    yield server
    server.stop()


def expected_ids(numbers):
    kinds = {"trades": set(), "account-totals": set(), "positions": set(), "prices": set()}
    for number in numbers:
        kind, item = numbered.numbered(number)
        kinds[kind].add({"trades": lambda i: i["id"], "account-totals": lambda i: (i["model_id"], int(i["timestamp"] * 1000)),
                         "positions": lambda i: (i["model_id"], i["symbol"], int(i["entry_time"] * 1000)),
                         "prices": lambda i: (i["symbol"], i["timestamp"])}[kind](item))
    return kinds


def check_database(dsn, kinds):
    query = Postgres.query
    trades = [row[0] for row in query("SELECT id FROM trades", dsn)]
    assert len(trades) == len(set(trades)) and set(trades) == kinds["trades"]
    totals = query("SELECT model_id, ts_ms FROM account_equity_snapshots", dsn)
    assert len(totals) == len(set(totals)) and set(totals) == kinds["account-totals"]
    ticks = query("SELECT symbol, ts_ms FROM price_ticks", dsn)
    assert len(ticks) == len(set(ticks)) and set(ticks) == kinds["prices"]
    stated = set(query("SELECT model_id, symbol, entry_time_ms FROM positions WHERE as_of_s IS NOT NULL", dsn))
    assert stated == kinds["positions"]


def check_legacy(dsn, legacy, folder, settings):
    exported = os.path.join(folder, "exported")
    ctl("export", exported, dsn=dsn, **settings)
    for name in ("trades.json", "account-totals.json", "positions.json", "crypto-prices.json"):
        same_content(load(os.path.join(legacy, name)), load(os.path.join(exported, name)))


def test_nothing_is_lost_and_nothing_comes_twice(folder, durable, forgetful, serve):
    dsn = durable.new_database()
    ctl("migrate", "up", dsn=dsn)
    legacy = os.path.join(folder, "legacy")
    os.makedirs(legacy)
    settings = {"NOF0_POSTGRES_DSN": dsn, "NOF0_REDIS_URL": forgetful.url, "NOF0_INGEST_TOKEN": TOKEN,
                "NOF0_LEGACY_DIR": legacy, "NOF0_DUAL_WRITE": "true"}
    instances = [Instance(serve, settings), Instance(serve, settings)]
    ports = [instance.port for instance in instances]
    streams = [StreamClient(ports) for _ in range(STREAMS)]
    posters = [Poster(ports, range(first, EVENTS, CLIENTS)) for first in range(CLIENTS)]
    stop, kills = threading.Event(), {}
    for stream in streams:
        stream.start()
    for stream in streams:
        wait_until(lambda s=stream: s.last_id, 20, "the stream says where it stands")
    havoc = threading.Thread(target=wreak_havoc, args=(instances, durable, forgetful, stop, kills), daemon=True)
    for poster in posters:
        poster.start()
    havoc.start()
    try:
        for poster in posters:
            poster.join(SECONDS * 3 + 120)
            assert not poster.is_alive() and not poster.faults, poster.faults
    finally:
        stop.set()
        havoc.join(30)
    for instance in instances:
        instance.server.wait_for("/readyz")
    acknowledged = sorted(number for poster in posters for number in poster.acknowledged)
    assert acknowledged == list(range(EVENTS))
    kinds = expected_ids(acknowledged)
    check_database(dsn, kinds)

    ctl("outbox", "drain", "--timeout", "60", dsn=dsn, **{k: v for k, v in settings.items() if k != "NOF0_POSTGRES_DSN"})
    assert not Postgres.query("SELECT * FROM outbox_dead", dsn)
    ctl("cache", "verify", dsn=dsn, NOF0_REDIS_URL=forgetful.url)
    check_legacy(dsn, legacy, folder, {})

    def all_seen():
        return all({json.loads(d)["id"] for e, _, d in s.events if e == "trades"} == kinds["trades"] for s in streams)
    try:
        wait_until(all_seen, 30, "every stream saw every trade")
    except AssertionError:
        pass
    for stream in streams:
        stream.stop()
        seen = [json.loads(d)["id"] for e, _, d in stream.events if e == "trades"]
        others = [e for e in stream.events if e[0] not in ("trades", "dropped")]
        assert not others, others[:3]
        assert len(seen) == len(set(seen)), "a trade came twice"
        missing = sorted(kinds["trades"] - set(seen))
        rows = Postgres.query("SELECT id, items::text, created_at::text FROM outbox WHERE feed = 'trades' AND items @> %s",
                              dsn, json.dumps([[missing[0].split("_")[0], missing[0]]])) if missing else []
        assert not missing, f"{len(missing)} trades never came: {missing[:5]}, first in {rows}; ids {stream.ids[:12]}"
    print(f"{EVENTS} events, kills {kills}, {sum(p.retries for p in posters)} retries, "
          f"{[s.connections for s in streams]} stream connections")
