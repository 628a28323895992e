"""bench/peers --stampede: a thousand clients ask at once for one document that has just become old. nof0d is stopped
(SIGSTOP) while they send, so that all requests lie there when it goes on; times count from then."""

import json
import os
import resource
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import time

import place as places
from peers_parties import LOAD_CORE, Trouble, metrics, wait_for_metric

CLIENTS = 1000
WORKERS = 2
TTL_S = 3
REQUEST = b"GET /api/trades HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
PATIENCE_S = 30
ANNOUNCED = "nof0_cache_invalidations_total"
COUNTED = {"reads": "nof0_cache_rebuilds_total", "joined": "nof0_cache_joined_total", "waits": "nof0_cache_waits_total",
           "overtimes": "nof0_cache_overtimes_total", "stale": 'nof0_cache_reads_total{result="stale"}',
           "miss": 'nof0_cache_reads_total{result="miss"}', "hit": 'nof0_cache_reads_total{result="hit"}',
           "target": 'nof0_cache_reads_total{result="target"}'}


class Client:
    """One kept connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.head = self.reply = b""
        self.left = self.status = self.etag = self.took_ms = None

    def send(self):
        self.head, self.reply, self.left = b"", b"", None
        self.status = self.etag = self.took_ms = None
        self.socket.sendall(REQUEST)

    def receive(self):
        """Reads once; whether the reply is whole."""
        more = self.socket.recv(1 << 18)
        if not more:
            raise ConnectionError("closed")
        if self.left is None:
            self.head += more
            head, end, more = self.head.partition(b"\r\n\r\n")
            if not end:
                return False
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            self.status, self.etag = int(lines[0].split()[1]), headers.get("etag")
            self.left = int(headers["content-length"])
        self.left -= len(more)
        return self.left <= 0


class Crowd:
    """All clients, in turns on the servers."""

    def __init__(self, servers):
        self.clients = [Client(servers[i % len(servers)].port) for i in range(CLIENTS)]

    def close(self):
        for client in self.clients:
            client.socket.close()

    def ask(self, servers=()):
        """Sends all, lets the servers that were stopped go on, and reads all replies."""
        for client in self.clients:
            client.send()
        began = time.monotonic()
        for server in servers:
            os.kill(server.pid, signal.SIGCONT)
        with selectors.DefaultSelector() as selector:
            for client in self.clients:
                selector.register(client.socket, selectors.EVENT_READ, client)
            while selector.get_map() and time.monotonic() < began + PATIENCE_S:
                for key, _ in selector.select(1):
                    client = key.data
                    try:
                        whole = client.receive()
                    except (OSError, ValueError, KeyError):
                        client.status, whole = None, True
                    if whole:
                        client.took_ms = (time.monotonic() - began) * 1e3
                        selector.unregister(client.socket)
        return began


class Changes:
    """A folder of the data whose trades are changed and imported again and again."""

    def __init__(self, parties, place):
        self.place, self.folder, self.number = place, f"{place.work}/changed", 0
        self.env = {**os.environ, "NOF0_POSTGRES_DSN": place.dsn,
                    "NOF0_REDIS_URL": f"unix://{parties.redis_socket()}"}
        shutil.copytree(place.data, self.folder)

    def publish(self):
        self.number += 1
        path = f"{self.folder}/trades.json"
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        document["trades"][0]["confidence"] = self.number / 1000
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        done = subprocess.run([f"{self.place.build}/cli/nof0ctl", "--config", f"{self.place.root}/etc/nof0.yaml", "import",
                               "--quiet", "--only", "trades", self.folder], env=self.env, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Trouble(f"the import failed: {done.stderr.strip()[-300:]}")


def count(servers):
    """The metrics of COUNTED over all servers."""
    all_numbers = [metrics(server.port) for server in servers]
    return {name: int(sum(numbers[metric] for numbers in all_numbers)) for name, metric in COUNTED.items()}


def stampede(servers, crowd, before, forbidden_etag):
    """Report of one; `before` are the counts before the document became old."""
    for server in servers:
        os.kill(server.pid, signal.SIGSTOP)
    try:
        began = crowd.ask(servers)
    finally:
        for server in servers:
            os.kill(server.pid, signal.SIGCONT)
    after = count(servers)
    good = [client for client in crowd.clients if client.status == 200 and client.took_ms is not None]
    times = sorted(client.took_ms for client in good) or [float("nan")]
    outdated = sum(client.etag == forbidden_etag for client in good)
    return {**{name: after[name] - before[name] for name in COUNTED}, "began": began, "good": len(good),
            "errors": CLIENTS - len(good), "outdated": outdated, "p50": statistics.median(times), "slowest": times[-1]}


def start(parties, place, instances, label, **values):
    """The servers, with the document in the memory of every worker, its clients, and when it was asked for first."""
    config = places.write_config(place.work, label, **values)
    servers = [parties.nof0d(read="repo", offset=i, config=config, name=f"{label}-{i}", settings={
        "NOF0_POSTGRES_DSN": place.dsn, "NOF0_REDIS_URL": f"unix://{parties.redis_socket()}",
        "NOF0_WORKERS": str(WORKERS)}) for i in range(instances)]
    for server in servers:
        wait_for_metric(server, "nof0_cache_announcements_heard", bool)
    crowd = Crowd(servers)
    return servers, crowd, crowd.ask()


def after_imports(parties, place, instances, changes):
    servers, crowd, _ = start(parties, place, instances, f"announced-{instances}")
    reports = []
    for _ in range(place.rounds):
        etag, before = crowd.clients[0].etag, count(servers)
        heard = [metrics(server.port)[ANNOUNCED] for server in servers]
        changes.publish()
        for server, known in zip(servers, heard):
            wait_for_metric(server, ANNOUNCED, lambda number, known=known: number > known)
        reports.append(stampede(servers, crowd, before, etag))
    return servers, crowd, reports


def after_age(parties, place, instances, ttls):
    """Between one and two TTLs the old answer serves while a new one is made; later everybody waits."""
    servers, crowd, made = start(parties, place, instances, f"age-{ttls}-{instances}", ttl__medium_s=TTL_S)
    reports = []
    for _ in range(place.rounds):
        before = count(servers)
        time.sleep(max(0.0, made + ttls * TTL_S - time.monotonic()))
        reports.append(stampede(servers, crowd, before, None))
        made = reports[-1]["began"]
    return servers, crowd, reports


def print_row(what, instances, reports):
    def each(name):
        return ", ".join(str(report[name]) for report in reports)

    def total(*names):
        return sum(report[name] for report in reports for name in names)
    print(f"| {what} | {instances} | {total('good')} | {total('errors')} | {each('reads')} | {each('overtimes')} "
          f"| {total('stale')} | {total('miss')} | {total('hit', 'target')} | {total('outdated')} "
          f"| {statistics.median(report['p50'] for report in reports):.0f} "
          f"| {max(report['slowest'] for report in reports):.0f} |", flush=True)


def measure_stampede(parties, place):
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * CLIENTS + 500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * CLIENTS + 500) if most > 0 else 2 * CLIENTS + 500, most))
    os.sched_setaffinity(0, {LOAD_CORE})
    parties.redis()
    print(f"{CLIENTS} clients of /api/trades (gzip), {WORKERS} workers a nof0d, all nof0d and Redis on one core, the clients "
          f"on the other; {place.rounds} stampedes a row; {places.how_busy()}\n")
    print("| old by | nof0d | replies | errors | reads of Postgres, each stampede | waited too long | old one at once "
          "| waited | from memory | outdated | p50 ms | slowest ms |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    results = {}
    changes = Changes(parties, place)
    for what, run in (("import", lambda *args: after_imports(*args, changes)),
                      (f"age, {TTL_S * 1.5} s of a TTL of {TTL_S} s", lambda *args: after_age(*args, 1.5)),
                      (f"age, {TTL_S * 2.5} s of a TTL of {TTL_S} s", lambda *args: after_age(*args, 2.5))):
        for instances in (1, 2):
            # What the last servers left there would not be made by these.
            subprocess.run(["redis-cli", "-s", parties.redis_socket(), "FLUSHALL"], check=True, stdout=subprocess.DEVNULL)
            servers, crowd, reports = run(parties, place, instances)
            crowd.close()
            for server in servers:
                server.stop()
            print_row(what, instances, reports)
            results[f"{what}/{instances}"] = reports
    for name, reports in results.items():
        for report in reports:
            # Who waits longer than cache.rebuild_wait_ms makes the answer himself; nothing else may read twice.
            if report["errors"] or report["outdated"] or not 1 <= report["reads"] <= 1 + report["overtimes"]:
                raise Trouble(f"{name}: {report}")
    return results
