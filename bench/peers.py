"""The work of bench/peers: measures nof0d beside its peers in turns and prints medians and ratios."""

import argparse
import json
import signal
import statistics
import subprocess
import sys

from peers_herd import measure_herd
from peers_misses import measure_misses
from peers_parties import LOAD_CORE, Parties, Trouble, check_answer, get, pinned, whole_reply
from peers_redis import measure_redis
from peers_stampede import measure_stampede

CONNECTIONS = 64
DOCUMENTS = ("leaderboard", "analytics", "trades", "account-totals")
FORMS = ("plain", "gzip", "304")
GZIP = {"Accept-Encoding": "gzip"}


class Target:
    """What one party is asked for in one row, and what must come back."""

    def __init__(self, party, path, headers, status, size):
        self.party, self.path, self.headers, self.status, self.size = party, path, headers, status, size
        self.asked = (party, path, headers)

    def check(self):
        check_answer(self.party, self.path, self.headers, self.status, self.size)


def measure(place, party, path, headers, connections=CONNECTIONS, core=LOAD_CORE):
    """One sample: a dict of numbers."""
    command = pinned(core, ["wrk", "-t1", f"-c{connections}", f"-d{place.seconds}s", "--timeout", "30s", "-s",
                            f"{place.root}/bench/peers.lua"])
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command.append(f"http://127.0.0.1:{party.port}{path}")
    before = party.cpu_seconds()
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu = party.cpu_seconds() - before
    line = next((line for line in report.splitlines() if line.startswith("nof0 ")), None)
    if not line:
        raise Trouble(f"wrk said: {report.strip()}")
    numbers = json.loads(line[5:])
    # wrk asks on while others answer wrong; a few of many are reported with the table.
    if not numbers["requests"] or numbers["errors"] * 100 > numbers["requests"]:
        raise Trouble(f"{party.name} {path}: {numbers}")
    seconds = numbers["us"] / 1e6
    return {"rate": numbers["requests"] / seconds, "mb": numbers["bytes"] / seconds / 1e6,
            "p50": numbers["p50_us"] / 1e3, "p99": numbers["p99_us"] / 1e3,
            "cpu": cpu * 1e6 / numbers["requests"], "requests": numbers["requests"], "errors": numbers["errors"],
            "times": numbers["times"]}


def wanted(place, row):
    """--only names a row, its document, or its form with the slash before it."""
    return not place.only or any(row == only or row.startswith(only + "/") or (only[0] == "/" and row.endswith(only))
                                 for only in place.only)


def collect_files(nof0d):
    """{document: (plain, gzip)} as nof0d sends them: what the peers shall send as well."""
    files = {}
    for document in DOCUMENTS:
        _, _, plain = get(nof0d.port, f"/api/{document}")
        _, headers, packed = get(nof0d.port, f"/api/{document}", GZIP)
        # Too small to be worth compressing for nof0d: then it is sent plain by all.
        files[document] = (plain, packed if headers["Content-Encoding"] == "gzip" else None)
    return files


def targets_of(party, path, file, packed_path=None):
    """{form: Target} of one document at one party."""
    plain, packed = file
    # webdis answers the same conditional request now with 304, now with 200: nothing to compare with.
    tag = None if party.name == "webdis" else get(party.port, path)[1]["ETag"]
    targets = {"plain": Target(party, path, {}, 200, len(plain))}
    if packed:
        targets["gzip"] = Target(party, packed_path or path, {} if packed_path else GZIP, 200, len(packed))
    if tag:
        targets["304"] = Target(party, path, {"If-None-Match": tag}, 304, 0)
    return targets


def hot_rows(parties, place):
    """{row: {party: Target}}"""
    nof0d = parties.nof0d()
    files = collect_files(nof0d)
    nginx = parties.nginx(files)
    values = {f"{name}-{form}": content for name, file in files.items()
              for form, content in zip(("plain", "gzip"), file) if content}
    webdis = parties.webdis(values)
    rows = {}
    for document in DOCUMENTS:
        of_party = {"nof0d": targets_of(nof0d, f"/api/{document}", files[document]),
                    "nginx": targets_of(nginx, f"/{document}", files[document])}
        if webdis:
            of_party["webdis"] = targets_of(webdis, f"/GET/{document}-plain.txt", files[document],
                                            f"/GET/{document}-gzip.txt")
        for form in FORMS:
            row = f"{document}/{form}"
            if wanted(place, row):
                found = {name: targets[form] for name, targets in of_party.items() if form in targets}
                if "nof0d" in found:
                    rows[row] = found
    if not rows:
        raise Trouble("--only names no row")
    asked = {row: found["nof0d"] for row, found in rows.items()}
    doors = parties.floor([whole_reply(nof0d.port, target.path, target.headers) for target in asked.values()])
    for (row, target), door in zip(asked.items(), doors):
        rows[row]["floor"] = Target(door, target.path, target.headers, target.status, target.size)
    return rows


def measure_in_turns(rows, place):
    """{(row, party): [samples]}; the order of the parties turns with the rounds, so that none is always first."""
    samples = {}
    for round_number in range(place.rounds):
        for row, targets in rows.items():
            names = list(targets)
            turn = round_number % len(names)
            for name in names[turn:] + names[:turn]:
                targets[name].check()
                samples.setdefault((row, name), []).append(measure(place, *targets[name].asked))
        print(f"round {round_number + 1} of {place.rounds}", file=sys.stderr, flush=True)
    return samples


def ratio_in_rounds(samples, row, name, key):
    """Median over the rounds of name's value over nginx's in the same round: what slows a round slows both."""
    return statistics.median(own[key] / other[key] if other[key] else float("nan")
                             for own, other in zip(samples[row, name], samples[row, "nginx"]))


def print_hot(samples):
    print("| row | server | requests/s | MB/s | p50 ms | p99 ms | CPU us/request | requests/s to nginx | CPU to nginx |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for row, name in sorted(samples, key=lambda key: list(samples).index((key[0], "nof0d"))):
        middle = {key: statistics.median(sample[key] for sample in samples[row, name])
                  for key in ("rate", "mb", "p50", "p99", "cpu")}
        ratios = "| |"
        if name != "nginx":
            ratios = (f"| {ratio_in_rounds(samples, row, name, 'rate'):.2f} "
                      f"| {ratio_in_rounds(samples, row, name, 'cpu'):.2f} |")
        print(f"| {row} | {name} | {middle['rate']:.0f} | {middle['mb']:.1f} | {middle['p50']:.2f} "
              f"| {middle['p99']:.2f} | {middle['cpu']:.2f} {ratios}")
    for (row, name), taken in samples.items():
        errors = sum(sample["errors"] for sample in taken)
        if errors:
            print(f"\n{name} failed {errors} requests of {row}")


def measure_hot(parties, place):
    rows = hot_rows(parties, place)
    samples = measure_in_turns(rows, place)
    print_hot(samples)
    return {"/".join(key): value for key, value in samples.items()}


def parse_arguments():
    parser = argparse.ArgumentParser()
    for name in ("root", "build", "data", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, default=18900)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--json")
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--dsn")
    for name in ("redis", "stampede", "herd"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args()


def main():
    place = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Parties(place) as parties:
            place.wants = lambda document: wanted(place, document)
            place.measure = lambda *asked: measure(place, *asked)
            if place.misses:
                result = measure_misses(parties, place)
            elif place.redis:
                result = measure_redis(parties, place)
            elif place.stampede:
                result = measure_stampede(parties, place)
            elif place.herd:
                result = measure_herd(parties, place)
            else:
                result = measure_hot(parties, place)
    except Trouble as trouble:
        sys.exit(f"peers: {trouble}")
    if place.json:
        with open(place.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
