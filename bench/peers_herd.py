"""bench/peers --herd: ten thousand dashboards that all ask within the same second, every ten seconds (bench/herd.c)."""

import json
import resource
import subprocess

from peers_parties import LOAD_CORE, Trouble, get

CLIENTS = 10000
MODES = ("conditional", "gzip", "plain")


def raise_file_limit():
    """Server and clients inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CLIENTS + 500
    if most != resource.RLIM_INFINITY and most < wanted:
        raise Trouble(f"{wanted} file descriptors are needed; ulimit -Hn says {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def newest_marker(party):
    """The hour that a page which is open already asks from."""
    totals = json.loads(get(party.port, "/api/account-totals")[2])["accountTotals"]
    return max((row.get("since_inception_hourly_marker") or 0 for row in totals), default=0)


def run_herd(place, party, marker, mode):
    """The herd's own report with the server's CPU time and memory."""
    command = ["taskset", "-c", str(LOAD_CORE), f"{place.build}/bench/herd", "127.0.0.1", str(party.port), str(CLIENTS),
               str(max(20, place.seconds)), str(marker), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as herd:
        try:
            lines = iter(herd.stdout)
            if next(lines, "").strip() != "connected" or next(lines, "").strip() != "begins":
                raise Trouble("the herd did not begin")
            before = party.cpu_seconds()
            report = json.loads(next(lines, "null"))
        finally:
            herd.terminate()
    if not report:
        raise Trouble("the herd did not end well")
    report["cpu_us"] = (party.cpu_seconds() - before) * 1e6 / max(1, report["requests"])
    report["memory_mb"] = party.memory_mb()
    return report


def measure_herd(parties, place):
    raise_file_limit()
    party = parties.nof0d()
    marker = newest_marker(party)
    print(f"{CLIENTS} clients; a round is the time from its first request to its last reply\n")
    print("| mode | requests | 200 | 304 | errors | bytes/request | p50 ms | p99 ms | slowest ms | slowest round s "
          "| CPU us/request | memory MB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    reports = {}
    for mode in MODES:
        r = reports[mode] = run_herd(place, party, marker, mode)
        print(f"| {mode} | {r['requests']} | {r['full']} | {r['unchanged']} | {r['errors']} "
              f"| {r['bytes'] / max(1, r['requests']):.0f} | {r['p50_us'] / 1e3:.2f} | {r['p99_us'] / 1e3:.2f} "
              f"| {r['max_us'] / 1e3:.1f} | {r['slowest_round_us'] / 1e6:.2f} | {r['cpu_us']:.2f} "
              f"| {r['memory_mb']:.1f} |", flush=True)
    return reports
