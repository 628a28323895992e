"""bench/peers --misses: every request of nof0d is a query, beside a bare libpq client that fetches the same rows."""

import statistics
import subprocess

from peers_parties import Trouble, get

CONNECTIONS = 2  # on each side: what one worker of nof0d has to Postgres
DOCUMENTS = ("leaderboard", "analytics", "trades", "account-totals")
GZIP = {"Accept-Encoding": "gzip"}


def libpq_rate(place, document, *answer):
    """Answers a second that libpq_rows fetches and looks through, and deflates when a file of the answer is given."""
    command = [f"{place.build}/bench/libpq_rows", place.dsn, document, str(CONNECTIONS), str(place.seconds), "-", "0", "-",
               *answer]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0])


def measure_misses(parties, place):
    # Nobody is pinned: libpq_rows and Postgres take all cores, and so may nof0d, Postgres and wrk.
    nof0d = parties.nof0d(read="repo", settings={"NOF0_POSTGRES_DSN": place.dsn, "NOF0_CACHE": "false"}, core=None)
    samples = {}
    for _ in range(place.rounds):
        for document in DOCUMENTS:
            if not place.wants(document):
                continue
            path = f"/api/{document}"
            answer = f"{place.work}/{document}.json"
            with open(answer, "wb") as file:
                file.write(get(nof0d.port, path)[2])
            samples.setdefault((document, "libpq"), []).append({"rate": libpq_rate(place, document)})
            samples.setdefault((document, "deflating libpq"), []).append({"rate": libpq_rate(place, document, answer)})
            for form, headers in (("plain", {}), ("gzip", GZIP)):
                status, _, body = get(nof0d.port, path, headers)
                if status != 200 or not body:
                    raise Trouble(f"{path}: status {status}")
                samples.setdefault((document, form), []).append(place.measure(nof0d, path, headers, CONNECTIONS, None))
    if not samples:
        raise Trouble("--only names no row")
    print(f"{CONNECTIONS} connections on both sides; libpq fetches the rows and throws them away, the deflating one also packs"
          " the finished answer each time\n")
    print("| answer | libpq /s | form | nof0d /s | nof0d/libpq | deflating libpq/libpq | p50 ms | p99 ms |"
          " nof0d CPU us/request |")
    print("|---|--:|---|--:|--:|--:|--:|--:|--:|")

    def ratio(document, form):
        """Median of the ratios of the rounds to the bare client."""
        pairs = zip(samples[document, form], samples[document, "libpq"])
        return statistics.median(own["rate"] / bare["rate"] for own, bare in pairs)

    for (document, form), taken in samples.items():
        if "libpq" in form:
            continue
        bare = statistics.median(sample["rate"] for sample in samples[document, "libpq"])
        middle = {key: statistics.median(sample[key] for sample in taken) for key in ("rate", "p50", "p99", "cpu")}
        limit = f"{ratio(document, 'deflating libpq'):.2f}" if form == "gzip" else ""
        print(f"| {document} | {bare:.0f} | {form} | {middle['rate']:.0f} | {ratio(document, form):.2f} | {limit} "
              f"| {middle['p50']:.2f} | {middle['p99']:.2f} | {middle['cpu']:.1f} |")
    return {"/".join(key): value for key, value in samples.items()}
