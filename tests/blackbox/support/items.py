"""Events as clients send them: samples of every kind, and the rows of a folder of legacy files put into that form."""
import json
import os

from support.content import load

KINDS = ("trades", "positions", "prices", "account-totals", "conversations", "analytics", "leaderboard",
         "since-inception-values", "trader-state", "market-assets", "market-contexts")
TOKEN = "t0ken-of-the-tests"


def trade(number, **more):
    return {"id": f"m_{number}", "model_id": "m", "symbol": "BTC", "side": "long", "quantity": 0.5, "leverage": 10,
            "entry_price": 100.25, "entry_time": 1000 + number, "exit_price": 101.5, "exit_time": 2000.125 + number,
            "exit_plan": {"stop_loss": 90}, "realized_net_pnl": 0.625, "entry_tid": 9007199254740991, **more}


def position(number, **more):
    return {"model_id": "m", "symbol": f"S{number}", "entry_time": 1000.5, "entry_price": 10, "quantity": -2.5,
            "timestamp": 1001, "exit_plan": {}, "wait_for_fill": False, "oid": -1, **more}


def tick(number, **more):
    return {"symbol": "BTC", "price": 100 + number, "timestamp": 1700000000000 + number, **more}


def total(number, **more):
    return {"id": f"m_{number}", "model_id": "m", "timestamp": 1000.5 + number, "dollar_equity": 10000.25,
            "since_inception_hourly_marker": number, "positions": {"BTC": {"symbol": "BTC", "quantity": 1}}, **more}


def cycle(number, **more):
    return {"id": f"c{number}", "model_id": "m", "cycle_id": number, "timestamp": 100.5 + number, "user_prompt": "?",
            "llm_response": {"BTC": {"signal": "hold"}}, "cot_trace": "thinking", **more}


def talk(*contents, **more):
    return {"model_id": "m", "messages": [{"role": "user" if i % 2 == 0 else "assistant", "content": content,
                                           "timestamp": 100 + i} for i, content in enumerate(contents)], **more}


def analytics(number, **more):
    return {"id": f"a{number}", "model_id": f"a{number}", "updated_at": 10.5, "fee_pnl_moves_breakdown_table": {"x": 1},
            **more}


def leader(number, **more):
    return {"id": f"l{number}", "num_trades": 3, "equity": 10100.5, "timestamp": 10.5, **more}


def inception(number, **more):
    return {"id": f"i{number}", "model_id": f"i{number}", "nav_since_inception": 10000, "inception_date": 5.5,
            "num_invocations": 3, "timestamp": 10.5, **more}


def trader(number, **more):
    return {"trader_id": f"t{number}", "timestamp": 10.5, "allocation_pct": 12.5, "cooldown": {"BTC": 1},
            "pause_until": 11, **more}


def asset(number, **more):
    return {"provider": "p", "symbol": f"S{number}", "timestamp": 10.5, "sz_decimals": 5, "max_leverage": 40,
            "is_delisted": False, **more}


def context(number, **more):
    return {"provider": "p", "symbol": f"S{number}", "timestamp": 10.5, "mark_px": 110.5, "impact_pxs": ["1", "2"],
            **more}


MAKERS = {"trades": trade, "positions": position, "prices": tick, "account-totals": total, "conversations": cycle,
          "analytics": analytics, "leaderboard": leader, "since-inception-values": inception, "trader-state": trader,
          "market-assets": asset, "market-contexts": context}


def of_folder(folder):
    """Yields (kind, item) for each row of its files."""
    when = {"timestamp": 1761452354.5}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".json") or name.startswith("."):
            continue
        document = load(os.path.join(folder, name))
        if name == "trades.json":
            yield from (("trades", row) for row in document["trades"])
        elif name == "positions.json":
            for model in document["accountTotals"]:
                for symbol, row in model["positions"].items():
                    yield "positions", {"symbol": symbol, **row, "model_id": model["model_id"], **when}
        elif name == "crypto-prices.json":
            yield from (("prices", {"symbol": symbol, **row}) for symbol, row in document["prices"].items())
        elif name == "account-totals.json":
            yield from (("account-totals", row) for row in document["accountTotals"])
        elif name == "conversations.json":
            yield from (("conversations", row) for row in document["conversations"])
        elif name == "leaderboard.json":
            yield from (("leaderboard", {**row, **when}) for row in document["leaderboard"])
        elif name == "since-inception-values.json":
            yield from (("since-inception-values", {**row, **when}) for row in document["sinceInceptionValues"])
        elif name == "analytics.json":
            yield from (("analytics", row) for row in document["analytics"])


def lines(items):
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def post(client, kind, body, query="", form="application/json", token=TOKEN, **headers):
    """One request; a body that is no text yet becomes JSON."""
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    sent = {"Content-Type": form, **{k.replace("_", "-"): v for k, v in headers.items()}}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    return client.request("POST", f"/api/ingest/{kind}{query}", body=body, headers=sent)


def told(reply):
    """The lines of an answer line by line."""
    assert reply.header("Content-Type") == "application/x-ndjson; charset=utf-8", repr(reply)
    return [json.loads(line) for line in reply.content().decode().splitlines()]


def digest(postgres, dsn):
    """One text that changes when any row of any table does."""
    names = [row[0] for row in postgres.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        " ORDER BY 1", dsn)]
    parts = [f"SELECT '{name}' AS n, count(*) AS c, coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text)), '') AS d"
             f" FROM {name} t" for name in names if name not in ("outbox_consumers",)]
    return repr(postgres.query(" UNION ALL ".join(parts) + " ORDER BY 1", dsn))
