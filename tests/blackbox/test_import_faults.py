"""Bad files: every fault is listed with its file and place, and nothing of that file goes in."""
import os

import pytest

from support import data
from support.programs import ctl
from support.servers import Postgres


def count(dsn, table):
    return Postgres.query(f"SELECT count(*) FROM {table}", dsn)[0][0]


def replace(folder, name, old, new):
    path = os.path.join(folder, name)
    with open(path, "rb") as source:
        text = source.read()
    assert old in text, old
    with open(path, "wb") as out:
        out.write(text.replace(old, new, 1))


def set_field(name, key, index, field, value):
    def change(folder):
        data.edit(folder, name, lambda document: document[key][index].__setitem__(field, value))
    return change


def drop_field(name, key, index, field):
    def change(folder):
        data.edit(folder, name, lambda document: document[key][index].pop(field) and None)
    return change


def double_row(name, key, field, value):
    """Row 1 gets the id of row 0, and other content."""
    def change(folder):
        def edit(document):
            document[key][1] = {**document[key][0], field: value}
        data.edit(folder, name, edit)
    return change


def first_bytes(name, old, new):
    return lambda folder: replace(folder, name, old, new)


FAULTS = {
    "text for a number": ("trades.json", set_field("trades.json", "trades", 2, "entry_price", "high"), "trades[2].entry_price"),
    "number for text": ("trades.json", set_field("trades.json", "trades", 0, "symbol", 5), "trades[0].symbol"),
    "number for a flag": ("trades.json", set_field("trades.json", "trades", 0, "entry_crossed", 1), "trades[0].entry_crossed"),
    "a row that is no object": ("leaderboard.json", lambda folder: data.edit(
        folder, "leaderboard.json", lambda d: d["leaderboard"].__setitem__(1, "x")), "leaderboard[1]"),
    "rows that are no array": ("leaderboard.json", lambda folder: data.edit(
        folder, "leaderboard.json", lambda d: d.__setitem__("leaderboard", {})), "leaderboard"),
    "no id": ("trades.json", drop_field("trades.json", "trades", 1, "id"), "trades[1]"),
    "no model": ("account-totals.json", drop_field("account-totals.json", "accountTotals", 3, "model_id"), "accountTotals[3]"),
    "no id in conversations": ("conversations.json", drop_field("conversations.json", "conversations", 0, "model_id"), "conversations[0]"),
    "id twice": ("trades.json", double_row("trades.json", "trades", "entry_price", 1.5), "trades[1]"),
    "leader twice": ("leaderboard.json", double_row("leaderboard.json", "leaderboard", "equity", 1.5), "leaderboard[1]"),
    "integer beyond 2^53": ("trades.json", set_field("trades.json", "trades", 0, "entry_tid", 2**53 + 1), "trades[0].entry_tid"),
    "broken UTF-8": ("trades.json", first_bytes("trades.json", b'"side":', b'"si\xffde":'), "trades[0]"),
    "UTF-8 surrogate": ("leaderboard.json", first_bytes("leaderboard.json", b'"id": "', b'"id": "\xed\xa0\x80'), "leaderboard[0].id"),
    "lone surrogate": ("leaderboard.json", first_bytes("leaderboard.json", b'"id": "', b'"id": "\\ud800'), "leaderboard[0].id"),
    "NUL": ("leaderboard.json", first_bytes("leaderboard.json", b'"id": "', b'"id": "\\u0000'), "leaderboard[0].id"),
    "key twice": ("leaderboard.json", first_bytes("leaderboard.json", b'"equity":', b'"equity": 1, "equity":'), "leaderboard[0].equity"),
    "number too large": ("leaderboard.json", first_bytes("leaderboard.json", b'"equity": ', b'"equity": 1e999, "x": '), "leaderboard[0].equity"),
    "not JSON": ("trades.json", first_bytes("trades.json", b"{", b"{,"), "line 1"),
    "cut off": ("trades.json", lambda folder: os.truncate(os.path.join(folder, "trades.json"), 1000), "line 1"),
    "empty": ("trades.json", lambda folder: os.truncate(os.path.join(folder, "trades.json"), 0), "line 1"),
    "an array at the top": ("crypto-prices.json", lambda folder: data.write(
        os.path.join(folder, "crypto-prices.json"), []), "$"),
}
TABLES = {"trades.json": "trades", "leaderboard.json": "leaderboard_entries", "conversations.json": "conversations",
          "account-totals.json": "account_equity_snapshots", "crypto-prices.json": "price_latest"}


@pytest.fixture
def editable(demo, folder, request):
    """The demo data in Python's spelling, so that edits find their bytes."""
    path = data.copy(demo, os.path.join(folder, f"bad-{abs(hash(request.node.name))}"))
    for name in data.files(path):
        data.edit(path, name, lambda document: None)
    return path


@pytest.mark.parametrize("name", FAULTS)
def test_fault(database, editable, name):
    file, spoil, place = FAULTS[name]
    if name == "broken UTF-8":
        replace(editable, file, b'"side": ', b'"side":')
    spoil(editable)
    result = ctl("import", "--quiet", editable, dsn=database, expect=1)
    lines = [line for line in (result.out + result.err).splitlines() if file in line and place in line]
    assert lines, repr(result)
    assert count(database, TABLES[file]) == 0
    others = [table for other, table in TABLES.items() if other != file]
    assert all(count(database, table) for table in others), "the other files are good and must be in"


def test_all_faults_of_a_file_are_listed(database, editable):
    def change(document):
        for index in (0, 3, 5):
            document["trades"][index]["quantity"] = "many"
        del document["trades"][7]["id"]
    data.edit(editable, "trades.json", change)
    data.edit(editable, "leaderboard.json", lambda document: document["leaderboard"][0].__setitem__("equity", []))
    result = ctl("import", "--quiet", editable, dsn=database, expect=1)
    said = result.out + result.err
    for place in ("trades[0].quantity", "trades[3].quantity", "trades[5].quantity", "trades[7]", "leaderboard[0].equity"):
        assert place in said, repr(result)


def test_a_bad_file_leaves_what_was_there(database, editable, folder):
    ctl("import", "--quiet", editable, dsn=database)
    before = Postgres.query("SELECT id, feed_ordinal, quantity FROM trades ORDER BY id", database)
    data.edit(editable, "trades.json", lambda document: document["trades"].reverse())
    data.edit(editable, "trades.json", lambda document: document["trades"][-1].__setitem__("leverage", "x"))
    ctl("import", "--quiet", editable, dsn=database, expect=1)
    assert Postgres.query("SELECT id, feed_ordinal, quantity FROM trades ORDER BY id", database) == before


def test_contradictions_between_files_are_told_and_kept(database, editable):
    """Per-model analytics may be newer than the list: both come in, exit 0."""
    model = data.models(editable)[0]
    data.edit(editable, f"analytics-{model}.json", lambda document: (
        document["analytics"][0] if isinstance(document["analytics"], list) else document["analytics"]
    ).__setitem__("updated_at", 1999999999.5))
    ctl("import", editable, dsn=database)


def test_what_cannot_run_is_exit_2(database, editable, folder):
    ctl("import", os.path.join(folder, "nowhere"), dsn=database, expect=2)
    ctl("import", editable, dsn="host=/nowhere dbname=x", expect=2)
    ctl("import", editable, expect=2)
    ctl("import", expect=2)
    ctl("export", dsn=database, expect=2)
