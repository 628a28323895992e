"""bench/peers --redis: every request of nof0d misses its memory and is answered from Redis, beside webdis, which gets the
same bytes from the same Redis, and beside another nof0d, which has them in memory."""

import statistics
import sys
import time

import place as places
from peers_parties import Trouble, check_answer, get, metrics, wait_for_metric

DOCUMENTS = ("leaderboard", "analytics", "trades", "account-totals")
GZIP = {"Accept-Encoding": "gzip"}
SETTLED_S = 1.5  # then what was compressed in haste for the first client is compressed well, and no longer taken
# Of one connection each request is a read of Redis. Of many, those that come while a read is on its way share it.
CONNECTIONS = (1, 64)
DAY_S = 86400  # nothing grows old meanwhile
REDIS_HITS = "nof0_cache_redis_hits_total"
JOINED = "nof0_cache_joined_total"
REBUILDS = "nof0_cache_rebuilds_total"
TARGETS = 'nof0_cache_reads_total{result="target"}'
HITS = 'nof0_cache_reads_total{result="hit"}'
STALE = 'nof0_cache_reads_total{result="stale"}'


def is_confirmed(name, requests, grown, connections):
    """Whether the metrics say of all requests, and of no more than the last of each connection besides, what the row
    claims of them."""
    if grown[REBUILDS] or grown[STALE]:
        return False
    if name == "memory":
        counted, others = grown[TARGETS] + grown[HITS], grown[REDIS_HITS]
    else:
        counted, others = grown[REDIS_HITS], grown[TARGETS] + grown[HITS]
        if connections > 1:
            counted += grown[JOINED]
    return not others and requests <= counted <= requests + connections


def start_nof0d(parties, place, name, offset, **values):
    config = places.write_config(place.work, name, ttl__medium_s=DAY_S, ttl__long_s=DAY_S, outbox__enabled="false",
                                 **values)
    party = parties.nof0d(read="repo", offset=offset, config=config, name=name, settings={
        "NOF0_POSTGRES_DSN": place.dsn, "NOF0_REDIS_URL": f"unix://{parties.redis_socket()}"})
    # What is made while no announcements arrive lives shortly only.
    wait_for_metric(party, "nof0_cache_announcements_heard", bool)
    return party


def take_sample(place, redis, name, asked, connections, size):
    """A sample, or None when the metrics do not confirm it."""
    party, path, headers = asked
    check_answer(party, path, headers, 200, size)
    before = {} if name == "webdis" else metrics(party.port)
    redis_before = redis.cpu_seconds()
    sample = place.measure(party, path, headers, connections)
    sample["redis_cpu"] = (redis.cpu_seconds() - redis_before) * 1e6 / sample["requests"]
    sample["shared"] = 1.0
    if before:
        after = metrics(party.port)
        grown = {key: after[key] - before[key] for key in (REDIS_HITS, JOINED, REBUILDS, TARGETS, HITS, STALE)}
        if not is_confirmed(name, sample["requests"], grown, connections):
            print(f"left out: {name} {path} {headers}, {sample['requests']} requests, but {grown}", file=sys.stderr)
            return None
        if name == "redis":
            sample["shared"] = sample["requests"] / grown[REDIS_HITS]
    return sample


def find_rows(parties, place):
    """{row: {name: (party, path, headers)}}, {row: bytes}"""
    parties.redis()
    servers = {"redis": start_nof0d(parties, place, "redis-only", 0, cache__local_bytes=0),
               "memory": start_nof0d(parties, place, "memory", 1)}
    contents, rows = {}, {}
    for _ in range(2):  # who is asked second sends the hasty form once more, and looks for another behind it
        for server in servers.values():
            for document in DOCUMENTS:
                get(server.port, f"/api/{document}", GZIP)
        time.sleep(SETTLED_S)
    for document in DOCUMENTS:
        for form, headers in (("plain", {}), ("gzip", GZIP)):
            for server in servers.values():
                _, answer, body = get(server.port, f"/api/{document}", headers)
            row = f"{document}/{form}"
            # The leaderboard is too small to be compressed.
            if place.wants(row) and (form == "plain" or answer["Content-Encoding"] == "gzip"):
                contents[row] = body
                rows[row] = {name: (server, f"/api/{document}", headers) for name, server in servers.items()}
    if not rows:
        raise Trouble("--only names no row")
    webdis = parties.webdis({f"bench:{row.replace('/', '-')}": body for row, body in contents.items()})
    if webdis:
        for row, asked in rows.items():
            asked["webdis"] = (webdis, f"/GET/bench:{row.replace('/', '-')}.txt", {})
    return rows, {row: len(body) for row, body in contents.items()}


def ratio(own, other, key):
    """Median over the rounds that both have."""
    both = [a[key] / b[key] for a, b in zip(own, other) if a and b and b[key]]
    return f"{statistics.median(both):.2f}" if both else ""


def print_rows(samples, sizes):
    print("| row | bytes | connections | server | requests/s | p50 ms | p99 ms | CPU us/request | Redis CPU us/request "
          "| requests to a read of Redis | requests/s to webdis | CPU to webdis | requests/s to memory | CPU to memory |")
    print("|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for (row, connections, name), taken in samples.items():
        good = [sample for sample in taken if sample]
        if not good:
            print(f"{row} of {name}, {connections} connections: no round is confirmed", file=sys.stderr)
            continue
        middle = {key: statistics.median(sample[key] for sample in good)
                  for key in ("rate", "p50", "p99", "cpu", "redis_cpu", "shared")}
        ratios = ["", "", "", ""]
        shared = "" if name == "memory" else f"{middle['shared']:.1f}"
        redis_cpu = "" if name == "memory" else f"{middle['redis_cpu']:.1f}"
        if name == "redis":
            ratios = [ratio(taken, samples.get((row, connections, other), []), key)
                      for other in ("webdis", "memory") for key in ("rate", "cpu")]
        called = {"redis": "nof0d, Redis", "memory": "nof0d, memory"}.get(name, name)
        print(f"| {row} | {sizes[row]} | {connections} | {called} | {middle['rate']:.0f} | {middle['p50']:.2f} "
              f"| {middle['p99']:.2f} | {middle['cpu']:.1f} | {redis_cpu} | {shared} | {' | '.join(ratios)} |")


def measure_redis(parties, place):
    rows, sizes = find_rows(parties, place)
    redis = parties.redis()
    samples = {}
    for number in range(place.rounds):
        for row, asked in rows.items():
            for connections in CONNECTIONS:
                names = list(asked)
                for name in names[number % len(names):] + names[:number % len(names)]:
                    samples.setdefault((row, connections, name), []).append(
                        take_sample(place, redis, name, asked[name], connections, sizes[row]))
        print(f"round {number + 1} of {place.rounds}", file=sys.stderr, flush=True)
    print(f"nof0d, webdis and Redis on one core, wrk on the other; {places.how_busy()}\n")
    print_rows(samples, sizes)
    return {"/".join(map(str, key)): value for key, value in samples.items()}
