"""bench/peers --misses: every request of nof0d is a query, beside a bare libpq client that fetches the same rows."""

import statistics
import subprocess

from peers_parties import Trouble, get

CONNECTIONS = 2  # on each side: what one worker of nof0d has to Postgres
DOCUMENTS = ("leaderboard", "analytics", "trades", "account-totals")
GZIP = {"Accept-Encoding": "gzip"}


def libpq_rate(place, document):
    """Answers a second that libpq_rows fetches and looks through."""
    command = [f"{place.build}/bench/libpq_rows", place.dsn, document, str(CONNECTIONS), str(place.seconds), "-", "0", "-"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0])


def measure_misses(parties, place):
    nof0d = parties.nof0d(read="repo", settings={"NOF0_POSTGRES_DSN": place.dsn, "NOF0_CACHE": "false"})
    samples = {}
    for _ in range(place.rounds):
        for document in DOCUMENTS:
            if not place.wants(document):
                continue
            path = f"/api/{document}"
            samples.setdefault((document, "libpq"), []).append({"rate": libpq_rate(place, document)})
            for form, headers in (("plain", {}), ("gzip", GZIP)):
                status, _, body = get(nof0d.port, path, headers)
                if status != 200 or not body:
                    raise Trouble(f"{path}: status {status}")
                samples.setdefault((document, form), []).append(place.measure(nof0d, path, headers, CONNECTIONS))
    if not samples:
        raise Trouble("--only names no row")
    print(f"{CONNECTIONS} connections on both sides; libpq fetches the rows and throws them away\n")
    print("| answer | libpq /s | form | nof0d /s | nof0d/libpq | p50 ms | p99 ms | nof0d CPU us/request |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for (document, form), taken in samples.items():
        if form == "libpq":
            continue
        bare = samples[document, "libpq"]
        ratio = statistics.median(own["rate"] / other["rate"] for own, other in zip(taken, bare))
        middle = {key: statistics.median(sample[key] for sample in taken) for key in ("rate", "p50", "p99", "cpu")}
        print(f"| {document} | {statistics.median(sample['rate'] for sample in bare):.0f} | {form} | {middle['rate']:.0f} "
              f"| {ratio:.2f} | {middle['p50']:.2f} | {middle['p99']:.2f} | {middle['cpu']:.1f} |")
    return {"/".join(key): value for key, value in samples.items()}
