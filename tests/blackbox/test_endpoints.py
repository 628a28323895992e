"""Every endpoint, answered from Postgres and from the files, says what the files say."""
import math
import os
import time

import pytest

from support import data
from support.content import load, same_content

pytestmark = pytest.mark.threads
TIME = ("serverTime",)


def served(api, path):
    reply = api.get(path)
    assert reply.status == 200, f"{path}: {reply!r}"
    document = reply.json()
    if path.startswith("/api/leaderboard"):
        assert "serverTime" not in document
    else:
        assert isinstance(document["serverTime"], int) and 10**12 < document["serverTime"] < 10**13
    return document


def file(api, name):
    return load(os.path.join(api.folder, name + ".json"))


@pytest.mark.parametrize("name", data.ENDPOINTS)
def test_whole_feed(api, name):
    same_content(served(api, data.ENDPOINTS[name]), file(api, name), ignore=TIME)


def test_analytics_of_each_model(api):
    names = data.models(api.folder)
    assert names
    for model in names:
        same_content(served(api, f"/api/analytics/{model}"), data.expected_one(api.folder, model), ignore=TIME)


def test_analytics_of_an_unknown_model(api):
    one = served(api, "/api/analytics/no-such-model")["analytics"]
    assert one.pop("model_id") == "no-such-model"
    tables = [key for key in one if key.endswith("_table")]
    assert len(tables) == 6 and all(one.pop(key) == {} for key in tables)
    assert one and all(value in ("", 0) for value in one.values()), one


def test_server_time_is_now_except_where_the_file_has_it(api):
    document = served(api, "/api/crypto-prices")
    if api.source == "legacy" and "serverTime" in file(api, "crypto-prices"):
        assert document["serverTime"] == file(api, "crypto-prices")["serverTime"]
    else:
        assert abs(document["serverTime"] / 1000 - time.time()) < 60
    assert abs(served(api, "/api/trades")["serverTime"] / 1000 - time.time()) < 60


def test_account_totals_since_a_marker(api):
    whole = file(api, "account-totals")
    markers = [row["since_inception_hourly_marker"] for row in whole["accountTotals"]]
    for least in (0, 1, max(markers) // 2, max(markers), max(markers) + 1, 10**12):
        rows = [row for row in whole["accountTotals"] if row["since_inception_hourly_marker"] >= least]
        expected = {"accountTotals": rows,
                    "lastHourlyMarkerRead": max((row["since_inception_hourly_marker"] for row in rows), default=least)}
        same_content(served(api, f"/api/account-totals?lastHourlyMarker={least}"), expected, ignore=TIME)


def test_positions_of_the_first_models(api):
    whole = file(api, "positions")["accountTotals"]
    for limit in (1, 2, len(whole), 1000, 5000):
        got = served(api, f"/api/positions?limit={limit}")
        same_content(got["accountTotals"], whole[:limit])


def test_trades_of_one_model_are_its_group(api):
    whole = file(api, "trades")["trades"]
    for model in {row["model_id"] for row in whole}:
        got = served(api, f"/api/trades?model_id={model}")
        same_content(got["trades"], [row for row in whole if row["model_id"] == model])
    assert served(api, "/api/trades?model_id=nobody")["trades"] == []


def page(rows, limit=100, before=None, after=None):
    """What the contract says about a page: newest exit first, ties by id descending; `after` alone counts from it."""
    def place(cursor):
        if isinstance(cursor, str):
            return next(((row["exit_time"], row["id"].encode()) for row in rows if row["id"] == cursor), None)
        return (cursor,)
    ordered = sorted(rows, key=lambda row: (row["exit_time"], row["id"].encode()), reverse=True)
    key = {row["id"]: (row["exit_time"], row["id"].encode()) for row in rows}
    for cursor, older in ((before, True), (after, False)):
        if cursor is None:
            continue
        at = place(cursor)
        if at is None:
            return []
        ordered = [r for r in ordered if (key[r["id"]][:len(at)] < at if older else key[r["id"]][:len(at)] > at)]
    return ordered[-limit:] if after is not None and before is None else ordered[:limit]


def test_pages_of_trades(api):
    whole = file(api, "trades")["trades"]
    newest = page(whole, 1000)
    middle, late = newest[len(newest) // 2], newest[3]
    for query, expected in [
        ("limit=1", page(whole, 1)),
        ("limit=7", page(whole, 7)),
        ("limit=1000", newest),
        (f"before={middle['id']}&limit=5", page(whole, 5, before=middle["id"])),
        (f"after={middle['id']}&limit=5", page(whole, 5, after=middle["id"])),
        (f"before={middle['exit_time']!r}", page(whole, 100, before=middle["exit_time"])),
        (f"after={middle['exit_time']!r}", page(whole, 100, after=middle["exit_time"])),
        (f"after={middle['id']}&before={late['id']}&limit=1000", page(whole, 1000, before=late["id"], after=middle["id"])),
        ("before=no-such-trade", []),
        ("after=1e300", []),
    ]:
        same_content(served(api, f"/api/trades?{query}")["trades"], expected)


def test_walking_through_all_trades_leaves_no_gap(api):
    whole = file(api, "trades")["trades"]
    model = whole[0]["model_id"]
    rows = [row for row in whole if row["model_id"] == model]
    got, cursor = [], ""
    for _ in range(math.ceil(len(rows) / 4) + 1):
        step = served(api, f"/api/trades?model_id={model}&limit=4{cursor}")["trades"]
        if not step:
            break
        got += step
        cursor = f"&before={step[-1]['id']}"
    same_content(got, page(rows, 10**6))


def test_conversations_narrowed(api):
    whole = file(api, "conversations")["conversations"]
    for limit in (1, 2, len(whole)):
        same_content(served(api, f"/api/conversations?limit={limit}")["conversations"], whole[:limit])
    for model in {row["model_id"] for row in whole}:
        rows = [row for row in whole if row["model_id"] == model]
        same_content(served(api, f"/api/conversations?model_id={model}")["conversations"], rows)
        same_content(served(api, f"/api/conversations?model_id={model}&limit=1")["conversations"], rows[:1])


def test_unknown_parameters_do_not_matter(api):
    same_content(served(api, "/api/leaderboard?_=1761452354"), file(api, "leaderboard"))
