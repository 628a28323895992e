"""nof0ctl capture --ingest: a database follows another server."""
import hashlib
import json
import os
import re
import time

import pytest

from support import data
from support.content import differences, load, same_content
from support.follow import Follower
from support.programs import PATIENCE_S, ctl
from support.servers import Postgres, wait_until
from support.ugly_server import UglyServer

EVERYTHING = "0 events stored, 0 rejected, 8 endpoints imported"
NOTHING = "0 events stored, 0 rejected, 0 endpoints imported"


@pytest.fixture
def out(folder, request):
    return os.path.join(folder, "out-" + "".join(c if c.isalnum() else "-" for c in request.node.name))


@pytest.fixture
def source(demo, folder, request):
    """A folder of its own that an ugly server serves."""
    name = "source-" + "".join(c if c.isalnum() else "-" for c in request.node.name)
    return data.copy(demo, os.path.join(folder, name))


@pytest.fixture
def server(source):
    running = UglyServer(source)
    yield running
    running.stop()


@pytest.fixture
def follow():
    running = []

    def start(*arguments, **settings):
        running.append(Follower(*arguments, **settings))
        return running[-1]
    yield start
    for follower in running:
        follower.kill()


def capture(server_url, out, dsn, *options, expect=0):
    return ctl("capture", "--from", server_url, out, "--ingest", *options, dsn=dsn, expect=expect)


def last_line(result):
    return result.out.splitlines()[-1].split("; ")[1]


def next_events(source, round=1):
    """Something of every kind happens in the arena: the source's files say so."""
    positions = load(os.path.join(source, "positions.json"))["accountTotals"]
    model = next(row["model_id"] for row in positions if row["positions"])

    def trade(document):
        first = next(i for i, row in enumerate(document["trades"]) if row["model_id"] == model)
        row = document["trades"][first]
        document["trades"].insert(first, {**row, "id": f"{model}_{round}", "trade_id": f"new {round}",
                                          "exit_time": row["exit_time"] + 60})

    def move(document):
        entries = [position["entry_time"] for row in document["accountTotals"] for position in row["positions"].values()]
        for row in document["accountTotals"]:
            for position in row["positions"].values():
                position["current_price"] *= 1.01
        row = next(row for row in document["accountTotals"] if row["model_id"] == model)
        symbol, closed = row["positions"].popitem()
        other = next(row for row in document["accountTotals"] if row["model_id"] != model)
        other["positions"][symbol] = {**closed, "entry_time": max(entries) + 30}
        document["serverTime"] = int(time.time() * 1000)

    def total(document):
        last = document["accountTotals"][-1]
        document["accountTotals"].append({**last, "id": f"total {round}", "timestamp": last["timestamp"] + 60})

    def tick(document):
        for row in document["prices"].values():
            row["price"] *= 1.001
            row["timestamp"] += 1000

    def talk(document):
        cycle = next(row for row in document["conversations"] if "id" in row)
        newest = max(row["timestamp"] for row in document["conversations"] if "id" in row)
        document["conversations"].insert(0, {**cycle, "id": f"cycle {round}", "timestamp": newest + 1})
        cycles = sorted((row for row in document["conversations"] if "id" in row), key=lambda row: row["timestamp"])
        for oldest in cycles[:-100]:  # a feed has so many
            document["conversations"].remove(oldest)

    def rank(document):
        document["leaderboard"][0]["equity"] += 1

    def invoke(document):
        document["sinceInceptionValues"][0]["num_invocations"] += 1
        document["serverTime"] = int(time.time() * 1000)

    def analyse(document):
        row = document["analytics"][0]
        row["updated_at"] += 1
        row["fee_pnl_moves_breakdown_table"]["avg_net_pnl"] = round
        data.edit(source, f"analytics-{row['model_id']}.json", lambda own: {**own, "analytics": row})

    for name, change in (("trades", trade), ("positions", move), ("account-totals", total), ("crypto-prices", tick),
                         ("conversations", talk), ("leaderboard", rank), ("since-inception-values", invoke),
                         ("analytics", analyse)):
        data.edit(source, f"{name}.json", change)


def different(answer, document):
    return next(differences(answer, document, ("serverTime",)), None)


def wait_same(server, source):
    """Until the server answers what the folder says."""
    def same():
        found = [(name, different(server.get(path).json(), load(os.path.join(source, f"{name}.json"))))
                 for name, path in data.ENDPOINTS.items()]
        wait_same.found = [fault for fault in found if fault[1]]
        return not wait_same.found
    try:
        wait_until(same, PATIENCE_S, "the same answers")
    except AssertionError:
        raise AssertionError(f"still different: {wait_same.found}") from None
    for model in data.models(source):
        same_content(server.get(f"/api/analytics/{model}").json()["analytics"],
                     data.expected_one(source, model)["analytics"])


def test_first_everything_then_differences(server, source, out, database, serve):
    told = capture(server.url, out, database)
    assert last_line(told) == EVERYTHING
    told = capture(server.url, out, database)
    assert last_line(told) == NOTHING
    next_events(source)
    told = capture(server.url, out, database)
    stored = int(last_line(told).split()[0])
    assert stored > 8 and last_line(told).endswith(" events stored, 0 rejected, 0 endpoints imported"), told
    wait_same(serve(NOF0_POSTGRES_DSN=database), source)
    assert last_line(capture(server.url, out, database)) == NOTHING


class Arena:
    """What happens in the arena, as events of every kind for a server that was given the demo data."""

    def __init__(self, folder):
        self.rows = {name: load(os.path.join(folder, f"{name}.json")) for name in data.ENDPOINTS}
        self.model = self.rows["trades"]["trades"][0]["model_id"]
        self.round = 0

    def position(self, when):
        """One of its own: opened in round 0, changed, partly closed by a trade, closed by another, opened again."""
        holder = next(row for row in self.rows["positions"]["accountTotals"] if row["positions"])
        some = next(iter(holder["positions"].values()))
        entry = 1_780_000_000.25 + self.round // 4  # in the past, as entries are
        return {**some, "symbol": "NEW", "entry_time": entry, "entry_price": 2.5, "quantity": 8, "model_id": self.model,
                "current_price": 2.5 + self.round, "timestamp": when}

    def trade(self, when, quantity):
        row = self.rows["trades"]["trades"][0]
        return {**row, "id": f"{self.model}_{self.round}", "trade_id": f"{self.round}", "symbol": "NEW", "side": "long",
                "quantity": quantity, "entry_time": self.position(when)["entry_time"], "exit_time": when}

    def events(self):
        """(kind, items) of the next round."""
        number, when = self.round, time.time()
        total = self.rows["account-totals"]["accountTotals"][-1]
        cycle = next(row for row in self.rows["conversations"]["conversations"] if "id" in row)
        talk = {"model_id": self.model, "messages": [{"role": "user", "content": f"message {n}"} for n in range(number + 1)]}
        analytics = self.rows["analytics"]["analytics"][0]
        yield "trades", [self.trade(when, 3)] if number % 4 == 2 else [self.trade(when, 5)] if number % 4 == 3 else []
        yield "positions", [self.position(when)] if number % 4 < 2 else []
        yield "prices", [{**row, "price": row["price"] + number + 1, "timestamp": row["timestamp"] + number + 1}
                         for row in self.rows["crypto-prices"]["prices"].values()]
        yield "account-totals", [{**total, "id": f"{total['model_id']}_x{number // 2}",
                                  "timestamp": total["timestamp"] + number + 1}]
        yield "conversations", [{**cycle, "id": f"cycle {number}", "timestamp": cycle["timestamp"] + number}, talk]
        yield "analytics", [{**analytics, "updated_at": analytics["updated_at"] + number + 1, "note": number}]
        yield "leaderboard", [{**self.rows["leaderboard"]["leaderboard"][0], "equity": number, "timestamp": when},
                              {**self.rows["leaderboard"]["leaderboard"][0], "id": f"new {number}", "timestamp": when}]
        yield "since-inception-values", [{**self.rows["since-inception-values"]["sinceInceptionValues"][0],
                                          "num_invocations": number, "timestamp": when}]
        self.round += 1


def tell(server, arena):
    with server.client() as client:
        for kind, items in arena.events():
            reply = client.request("POST", f"/api/ingest/{kind}", body=json.dumps(items).encode(),
                                   headers={"Authorization": "Bearer secret", "Content-Type": "application/json"})
            assert reply.status == 200, reply


def all_answers(server, folder):
    """No site mixes decision cycles and conversations in one document, and nothing says how they would stand to each
    other: what a follower missed decides. Each kind for itself has its order."""
    paths = list(data.ENDPOINTS.values()) + [f"/api/analytics/{model}" for model in data.models(folder)]
    answers = {path: server.get(path).json() for path in paths}
    mixed = answers["/api/conversations"].pop("conversations")
    answers["/api/conversations"]["cycles"] = [one for one in mixed if "cycle_id" in one]
    answers["/api/conversations"]["conversations"] = [one for one in mixed if "cycle_id" not in one]
    return answers


def answer_differences(first, second, folder):
    left, right = all_answers(first, folder), all_answers(second, folder)
    return [f"{path}: {fault}" for path in left for fault in differences(left[path], right[path], ("serverTime",))]


def wait_alike(first, second, folder):
    """Until both servers say the same."""
    found = []

    def alike():
        found[:] = answer_differences(first, second, folder)
        return not found
    try:
        wait_until(alike, PATIENCE_S, "equal answers")
    except AssertionError as late:
        raise AssertionError(f"{late}; still different: {found[:20]}") from None


def test_a_server_follows_another(demo, out, postgres, database, serve, follow):
    """The first takes events; the second's database is fed by asking the first, and by nothing else."""
    ctl("import", "--quiet", demo, dsn=database)
    first = serve(NOF0_POSTGRES_DSN=database, NOF0_INGEST_TOKEN="secret")
    other = postgres.new_database()
    ctl("migrate", "up", dsn=other)
    follower = follow(f"http://127.0.0.1:{first.port}", out, "--ingest", every="200ms", dsn=other)
    arena = Arena(demo)
    tell(first, arena)
    wait_until(lambda: Postgres.query("SELECT count(*) FROM feed_documents", other)[0][0] >= 8, PATIENCE_S,
               "everything is imported")
    second = serve(NOF0_POSTGRES_DSN=other)
    for _ in range(8):
        tell(first, arena)
        if arena.round % 3 == 0:
            wait_alike(first, second, demo)
    wait_alike(first, second, demo)
    said, err = follower.stop()
    assert not err
    assert sum(int(stored) for stored in re.findall(r"(\d+) events stored", said)) > 50, said
    # Now that nothing happens any more: what both answer is equal, and the events are in it.
    assert answer_differences(first, second, demo) == []
    seen = all_answers(second, demo)
    assert {f"{arena.model}_{number}" for number in (2, 3, 6, 7)} <= {row["id"] for row in seen["/api/trades"]["trades"]}
    assert f"new {arena.round - 1}" in {row["id"] for row in seen["/api/leaderboard"]["leaderboard"]}
    holder = next(row for row in seen["/api/positions"]["accountTotals"] if row["model_id"] == arena.model)
    assert holder["positions"]["NEW"]["entry_time"] == arena.position(0)["entry_time"] - (arena.round % 4 == 0)
    trades = [Postgres.query("SELECT count(*) FROM trades", dsn) for dsn in (database, other)]
    assert trades[0] == trades[1]


def test_followers_in_a_row(server, source, out, postgres, serve, follow):
    """A server of files, one that follows it, and one that follows that."""
    followers, servers, url = [], [], server.url
    for number in (1, 2):
        dsn = postgres.new_database()
        ctl("migrate", "up", dsn=dsn)
        followers.append(follow(url, f"{out}-{number}", "--ingest", every="200ms", dsn=dsn))
        wait_until(lambda dsn=dsn: Postgres.query("SELECT count(*) FROM feed_documents", dsn)[0][0] >= 8, PATIENCE_S,
                   "everything is imported")
        servers.append(serve(NOF0_POSTGRES_DSN=dsn))
        url = f"http://127.0.0.1:{servers[-1].port}"
    for number in range(4):
        next_events(source, number)
    wait_same(servers[1], source)
    for follower in followers:
        _, err = follower.stop()
        assert not err
    wait_same(servers[0], source)


def drop_leader(source):
    data.edit(source, "leaderboard.json", lambda document: document["leaderboard"].pop() and None)


def add_empty_model(source):
    data.edit(source, "positions.json",
              lambda document: document["accountTotals"].append({"model_id": "new", "positions": {}}))


def drop_price(source):
    data.edit(source, "crypto-prices.json", lambda document: document["prices"].popitem() and None)


def reorder_trades(source):
    def change(document):
        document["trades"].append(document["trades"].pop(0))
    data.edit(source, "trades.json", change)


def correct_price(source):
    def change(document):
        next(iter(document["prices"].values()))["price"] += 1
    data.edit(source, "crypto-prices.json", change)


@pytest.mark.parametrize("change", [drop_leader, add_empty_model, drop_price, reorder_trades, correct_price])
def test_what_no_event_can_say_is_imported(server, source, out, database, serve, change):
    capture(server.url, out, database)
    change(source)
    assert last_line(capture(server.url, out, database)) == "0 events stored, 0 rejected, 1 endpoints imported"
    wait_same(serve(NOF0_POSTGRES_DSN=database), source)
    assert last_line(capture(server.url, out, database)) == NOTHING


def test_a_trade_that_changes_is_told(server, source, out, database):
    capture(server.url, out, database)
    trade = load(os.path.join(source, "trades.json"))["trades"][3]
    def change(document):
        document["trades"][3]["exit_price"] += 1
    data.edit(source, "trades.json", change)
    told = capture(server.url, out, database, expect=1)
    assert last_line(told) == "0 events stored, 1 rejected, 0 endpoints imported"
    assert len(told.err.splitlines()) == 1, told
    assert told.err.startswith("trades: $.trades[3]") and ": conflict: " in told.err
    assert told.err.endswith(f", id {trade['id']}\n")
    # Told once: the folder has it now, the database keeps the first.
    assert last_line(capture(server.url, out, database)) == NOTHING


def test_another_database_gets_everything(server, out, database, postgres):
    capture(server.url, out, database)
    capture(server.url, out, database)
    other = postgres.new_database()
    ctl("migrate", "up", dsn=other)
    assert last_line(capture(server.url, out, other)) == EVERYTHING


def test_a_capture_without_a_database_does_no_harm(server, source, out, database, serve):
    """What came into the folder alone is imported as a whole later."""
    capture(server.url, out, database)
    ctl("capture", "--from", server.url, out)
    assert last_line(capture(server.url, out, database)) == NOTHING
    next_events(source)
    ctl("capture", "--from", server.url, out)
    assert last_line(capture(server.url, out, database)) == EVERYTHING
    wait_same(serve(NOF0_POSTGRES_DSN=database), source)


@pytest.mark.parametrize("told_the_database", [False, True])
def test_interrupted_before_the_file_was_replaced(server, source, out, database, serve, told_the_database):
    """A position that was opened and closed while nobody looked must not stay open."""
    capture(server.url, out, database)
    positions = os.path.join(out, "positions.json")
    before, whole = load(positions), load(os.path.join(source, "positions.json"))
    position = next(position for row in whole["accountTotals"] for position in row["positions"].values())
    pending = json.loads(json.dumps(whole))
    pending["accountTotals"][0]["positions"]["NEW"] = {**position, "symbol": "NEW", "entry_time": time.time()}
    pending["serverTime"] = int(time.time() * 1000)
    if told_the_database:
        data.write(os.path.join(source, "positions.json"), pending)
        capture(server.url, out, database)
        # As if the program had ended right before the file was replaced.
        with open(os.path.join(out, ".capture.json"), encoding="utf-8") as state:
            after = json.load(state)
        data.write(positions, before)
        capture_state(out, after, positions)
    data.write(os.path.join(out, ".positions.json.pending"), pending)
    data.write(os.path.join(source, "positions.json"), {**whole, "serverTime": int(time.time() * 1000) + 1})
    capture(server.url, out, database)
    assert not os.path.exists(os.path.join(out, ".positions.json.pending"))
    wait_same(serve(NOF0_POSTGRES_DSN=database), source)


def capture_state(out, state, path):
    """Makes .capture.json take the file as it is for one that the database has."""
    with open(path, "rb") as file:
        state["files"]["positions"] = {"sha256": hashlib.sha256(file.read()).hexdigest(), "ingested": True}
    data.write(os.path.join(out, ".capture.json"), state)


def test_killed_again_and_again(server, source, out, database, serve, follow):
    capture(server.url, out, database)
    for number in range(4):
        follower = follow(server.url, out, "--ingest", every="50ms", dsn=database)
        for step in range(3):
            next_events(source, number * 3 + step)
            server.wait_asked(len(server.asked("trades")) + 1, "trades")
        follower.kill()
    capture(server.url, out, database)
    wait_same(serve(NOF0_POSTGRES_DSN=database), source)
    assert [name for name in os.listdir(out) if name.endswith(".pending")] == []


def test_the_database_goes_and_comes(server, source, out, postgres, database, serve, follow):
    follower = follow(server.url, out, "--ingest", dsn=database)
    wait_until(lambda: Postgres.query("SELECT count(*) FROM feed_documents", database)[0][0] >= 8, PATIENCE_S,
               "everything is imported")
    postgres.kill()
    next_events(source)
    wait_until(lambda: os.path.exists(os.path.join(out, ".trades.json.pending")), PATIENCE_S, "a capture that waits")
    postgres.start()
    wait_same(serve(NOF0_POSTGRES_DSN=database), source)
    _, err = follower.stop()
    assert "/api/trades: " in err


def test_without_a_usable_database(server, out, postgres):
    assert "no Postgres is set" in capture(server.url, out, None, expect=2).err
    told = capture(server.url, out, postgres.new_database(), expect=2)
    assert "schema_migrations" in told.err
    assert capture(server.url, out, "host=/nowhere dbname=x", expect=2).err.count("\n") == 1
    assert not server.asked()
