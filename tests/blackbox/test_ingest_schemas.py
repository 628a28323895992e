"""The JSON Schemas of docs/schemas/ against what the server takes: real rows, and broken variants of good items."""
import copy
import json
import os
import random

import jsonschema
import pytest

from support import items
from support.items import KINDS, TOKEN, post
from support.programs import ROOT, ctl

SEED = 20251026
VARIANTS = 400  # of each kind

# What the server refuses and no schema can say. (what it is about, whether a path and reason belong to it)
BEYOND_SCHEMAS = (
    ("an account total beside a trade is of the trade's model",
     lambda told: told["path"] == "$.account_total.model_id" and "another model" in told["reason"]),
)


def schema(kind):
    with open(os.path.join(ROOT, "docs/schemas", f"{kind}.json"), encoding="utf-8") as source:
        return json.load(source)


def validator(kind):
    return jsonschema.Draft202012Validator(schema(kind))


@pytest.fixture
def server(serve, database):
    return serve(NOF0_POSTGRES_DSN=database, NOF0_INGEST_TOKEN=TOKEN, NOF0_OUTBOX="false")


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_one(kind):
    document = schema(kind)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema" and document["description"]
    assert json.loads(ctl("ingest", "--schema", kind).out) == document
    assert validator(kind).is_valid(items.MAKERS[kind](1))


def test_every_row_of_the_data_is_valid_and_accepted(server, dataset):
    checks = {kind: validator(kind) for kind in KINDS}
    batches = {}
    for kind, item in items.of_folder(dataset):
        fault = jsonschema.exceptions.best_match(checks[kind].iter_errors(item))
        assert fault is None, f"{kind}: {fault}"
        batches.setdefault(kind, []).append(item)
    assert set(batches) == {"trades", "positions", "prices", "account-totals", "conversations", "analytics",
                            "leaderboard", "since-inception-values"}
    with server.client() as client:
        for kind, batch in batches.items():
            for at in range(0, len(batch), 200):
                reply = post(client, kind, batch[at:at + 200])
                rejected = [told for told in reply.json()["items"] if told["status"] == "rejected"]
                assert reply.status == 200 and not rejected, (kind, rejected[:3])


def bases(kind):
    yield items.MAKERS[kind](1)
    if kind == "trades":
        yield items.trade(2, account_total=items.total(2))
    if kind == "positions":
        yield items.position(2, status="closed", exit_price=11, exit_time=1002)
    if kind == "conversations":
        yield items.talk("a", "b", conversation_id="c", topic="t")
    if kind == "prices":
        yield items.tick(2, provider="p", volume=1)


def objects(value, path=()):
    """The path of each object in it."""
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from objects(inner, path + (key,))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, path + (index,))


def at(value, path):
    for step in path:
        value = value[step]
    return value


VALUES = (None, True, False, 0, 1, -1, 0.5, -0.5, 1e300, -1e300, 1e13, -1e13, 2 ** 31 - 1, 2 ** 31, -2 ** 31,
          -2 ** 31 - 1, 2 ** 53, -2 ** 53, "", "x", "open", "closed", "system", "é" * 300, "x" * 800, "x" * 801, [], {},
          [1], ["x"], {"a": 1}, [{}])


def known_keys(kind):
    found = set()

    def walk(part):
        if isinstance(part, dict):
            found.update(part.get("properties", {}))
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)
    walk(schema(kind))
    return sorted(found)


def variant(kind, chance, keys):
    item = copy.deepcopy(chance.choice(list(bases(kind))))
    for _ in range(chance.choice((1, 1, 1, 2))):
        inner = at(item, chance.choice(list(objects(item))))
        here = sorted(inner)
        how = chance.random()
        if how < 0.2 and here:
            del inner[chance.choice(here)]
        elif how < 0.75 and here:
            inner[chance.choice(here)] = copy.deepcopy(chance.choice(VALUES))
        else:
            inner[chance.choice(keys + ["unheard_of"])] = copy.deepcopy(chance.choice(VALUES))
    return item


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_rejects_what_the_schema_rejects(server, kind):
    chance = random.Random(f"{SEED} {kind}")
    keys, check = known_keys(kind), validator(kind)
    variants = [variant(kind, chance, keys) for _ in range(VARIANTS)]
    wrong = []
    with server.client() as client:
        told = post(client, kind, variants).json()["items"]
    assert len(told) == VARIANTS
    refused = 0
    for item, outcome in zip(variants, told):
        invalid = outcome["status"] == "rejected" and outcome["code"] == "invalid"
        refused += invalid
        if invalid and any(beyond(outcome) for _, beyond in BEYOND_SCHEMAS):
            continue
        if invalid == check.is_valid(item):
            fault = jsonschema.exceptions.best_match(check.iter_errors(item))
            wrong.append(f"{json.dumps(item)[:600]}\n  server: {outcome}\n  schema: {fault and fault.message}")
    assert not wrong, "\n".join(wrong[:5])
    assert VARIANTS / 10 < refused < VARIANTS  # both sides were tried


def test_a_key_may_have_800_bytes(server):
    """The one limit that a schema counts otherwise."""
    item = items.tick(1, symbol="é" * 401)
    assert validator("prices").is_valid(item)
    with server.client() as client:
        assert post(client, "prices", item).json()["items"][0]["path"] == "$.symbol"
        assert post(client, "prices", items.tick(1, symbol="é" * 400)).status == 200
