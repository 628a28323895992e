"""The legacy folder under a running server: new versions are served, bad ones are named and the last good one stays."""
import os
import shutil
import threading

import pytest

from support import data
from support.config import write_config
from support.content import load, same_content
from support.programs import PATIENCE_S
from support.servers import wait_until

pytestmark = pytest.mark.threads
TIME = ("serverTime",)


@pytest.fixture
def live(serve, demo, folder, request):
    """A server on a folder that the test may change; .folder is it."""
    path = data.copy(demo, os.path.join(folder, "live-" + request.node.name))
    config = write_config(folder, "legacy.yaml", legacy__poll_ms=20)
    server = serve(config=config, NOF0_READ="legacy", NOF0_LEGACY_DIR=path)
    server.folder = path
    return server


def told(server):
    return server.log() + server.get("/readyz").body.decode()


def test_a_rewritten_file_is_served(live):
    tag = live.get("/api/leaderboard").header("ETag")
    for equity in (1.25, 2.5, -0.0):
        data.edit(live.folder, "leaderboard.json", lambda document: document["leaderboard"][0].__setitem__("equity", equity))
        wait_until(lambda: live.get("/api/leaderboard").header("ETag") != tag, PATIENCE_S, "a new validator")
        tag = live.get("/api/leaderboard").header("ETag")
        same_content(live.get("/api/leaderboard").json(), load(os.path.join(live.folder, "leaderboard.json")))


def test_a_file_written_in_place_is_served(live):
    path = os.path.join(live.folder, "leaderboard.json")
    document = load(path)
    document["leaderboard"] = document["leaderboard"][:1]
    text = repr(document).replace("'", '"')
    with open(path, "w", encoding="utf-8") as out:  # first empty, then whole: the empty one must do no harm
        out.write(text)
    wait_until(lambda: len(live.get("/api/leaderboard").json()["leaderboard"]) == 1, PATIENCE_S, "the shorter list")


def test_a_file_that_turns_bad_keeps_its_last_good_version(live):
    path = os.path.join(live.folder, "trades.json")
    good = load(path)
    with open(path + ".new", "w", encoding="ascii") as out:
        out.write('{"trades": [\n  {"id": 1},\n  {"id": }\n]}')
    os.rename(path + ".new", path)
    wait_until(lambda: "trades.json" in told(live) and "line 3" in told(live), PATIENCE_S, "file and line are told")
    assert "column 10" in told(live)
    same_content(live.get("/api/trades").json(), good, ignore=TIME)
    os.unlink(path)
    same_content(live.get("/api/trades").json(), good, ignore=TIME)
    data.write(path, {**good, "trades": good["trades"][:3]})
    wait_until(lambda: len(live.get("/api/trades").json()["trades"]) == 3, PATIENCE_S, "the good file")


def test_a_folder_that_vanishes_and_comes_back(live):
    good = load(os.path.join(live.folder, "trades.json"))
    os.rename(live.folder, live.folder + ".away")
    wait_until(lambda: "trades.json" in live.log(), PATIENCE_S, "the log tells")
    same_content(live.get("/api/trades").json(), good, ignore=TIME)
    os.rename(live.folder + ".away", live.folder)
    data.edit(live.folder, "trades.json", lambda document: document["trades"].pop() and None)
    wait_until(lambda: len(live.get("/api/trades").json()["trades"]) == len(good["trades"]) - 1, PATIENCE_S, "the new file")


def test_a_model_file_that_appears_and_goes(live):
    bulk = {row["model_id"]: row for row in load(os.path.join(live.folder, "analytics.json"))["analytics"]}
    model = data.models(live.folder)[0]
    own = data.expected_one(live.folder, model)
    path = os.path.join(live.folder, f"analytics-{model}.json")
    shutil.copyfile(path, os.path.join(live.folder, "analytics-late.json"))
    wait_until(lambda: live.get("/api/analytics/late").json()["analytics"] == own["analytics"], PATIENCE_S, "the new file")
    data.edit(live.folder, f"analytics-{model}.json", lambda document: {"analytics": [{**own["analytics"], "updated_at": 5.5}]})
    wait_until(lambda: live.get(f"/api/analytics/{model}").json()["analytics"]["updated_at"] == 5.5, PATIENCE_S, "the own file")
    same_content(bulk[model], [row for row in live.get("/api/analytics").json()["analytics"] if row["model_id"] == model][0])


def test_a_file_that_was_never_good_is_503_until_it_is(serve, demo, folder):
    path = data.copy(demo, os.path.join(folder, "never"))
    with open(os.path.join(path, "trades.json"), "wb") as out:
        out.write(b'{"trades":[\xff]}')
    config = write_config(folder, "never.yaml", legacy__poll_ms=20)
    server = serve(config=config, wait="/healthz", NOF0_READ="legacy", NOF0_LEGACY_DIR=path)
    reply = server.get("/api/trades")
    assert reply.status == 503
    reply.error()
    assert server.get("/api/leaderboard").status == 200
    assert server.get("/readyz").status == 503
    shutil.copyfile(os.path.join(demo, "trades.json"), os.path.join(path, "trades.json"))
    server.wait_for("/readyz")
    server.wait_for("/api/trades")  # another worker may hear of the file a moment later


def test_readers_never_see_half_of_a_file(live):
    """While a writer replaces the file over and over, every answer is one version whole."""
    stop = threading.Event()
    faults = []

    def read():
        with live.client() as client:
            while not stop.is_set():
                reply = client.get("/api/leaderboard", Accept_Encoding="gzip")
                versions = {row["equity"] for row in reply.json()["leaderboard"]}
                if reply.status != 200 or len(versions) != 1:
                    faults.append(f"{reply!r} {versions}")

    def all_equal(value):
        def change(document):
            for row in document["leaderboard"]:
                row["equity"] = value
        data.edit(live.folder, "leaderboard.json", change)
    all_equal(-1)
    wait_until(lambda: {r["equity"] for r in live.get("/api/leaderboard").json()["leaderboard"]} == {-1}, PATIENCE_S, "it")
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for version in range(60):
        all_equal(version)
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults, faults[0]
