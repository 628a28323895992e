"""Data sets: generated demo folders always, the real folder where it is there."""
import json
import os
import shutil

from support.content import load
from support.programs import ROOT

REAL = os.environ.get("NOF0_TEST_DATA", os.path.join(ROOT, "../shared/data/2025-10-26"))
CYCLES = os.path.join(REAL, "../conversations-cycle-shape.json")
HAS_REAL = os.path.isfile(os.path.join(REAL, "trades.json"))
HAS_CYCLES = os.path.isfile(CYCLES)

# file without ".json" -> path
ENDPOINTS = {
    "account-totals": "/api/account-totals",
    "positions": "/api/positions",
    "trades": "/api/trades",
    "crypto-prices": "/api/crypto-prices",
    "since-inception-values": "/api/since-inception-values",
    "leaderboard": "/api/leaderboard",
    "analytics": "/api/analytics",
    "conversations": "/api/conversations",
}


def files(folder):
    """The name of every JSON file in it that is no hidden one."""
    return sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))


def models(folder):
    """Models that have an analytics file of their own."""
    return [name[len("analytics-"):-len(".json")] for name in files(folder) if name.startswith("analytics-")]


def copy(folder, target):
    """A copy of its JSON files that a test may change."""
    os.makedirs(target)
    for name in files(folder):
        shutil.copyfile(os.path.join(folder, name), os.path.join(target, name))
    return target


def edit(folder, name, change):
    """Rewrites one file: change(document) returns the new document, or changes it in place and returns None."""
    path = os.path.join(folder, name)
    document = load(path)
    changed = change(document)
    write(path, document if changed is None else changed)


def write(path, document):
    """Replaces the file whole, as its writer does in production."""
    with open(path + ".new", "w", encoding="utf-8") as out:
        json.dump(document, out, ensure_ascii=False)
    os.rename(path + ".new", path)


def expected_one(folder, model):
    """What /api/analytics/{model} must say about a model that has a file: the object, even if the file wraps it."""
    document = load(os.path.join(folder, f"analytics-{model}.json"))
    if isinstance(document["analytics"], list):
        document["analytics"] = document["analytics"][0]
    return document
