"""Events that look real: numbered trades, account totals, positions and prices of a few models."""
import json
import random

MODELS = ["model-a", "model-b", "model-c", "model-d"]
SYMBOLS = ["BTC", "ETH", "SOL"]


def trade(number, model, symbol="BTC", start=1761600000.0):
    """A closed round trip; the number makes it another one."""
    exit_time = start + number * 0.25
    return {"id": f"{model}_{number:06d}", "model_id": model, "symbol": symbol, "side": "long", "trade_type": "long",
            "trade_id": f"t{number}", "quantity": 0.5 + number % 7, "leverage": 1, "confidence": 0,
            "entry_price": 100.25 + number % 11, "entry_time": exit_time - 3600.125, "exit_price": 101.5,
            "exit_time": exit_time, "exit_oid": 204614807391 + number, "realized_net_pnl": (number % 13) - 6.25}


def account_total(number, model, start=1761600000.0):
    hour = number // 40
    return {"id": f"{model}_{hour}", "model_id": model, "timestamp": start + number * 0.25 + 0.000123,
            "dollar_equity": 10000 + number / 8, "realized_pnl": number / 8, "total_unrealized_pnl": 0,
            "since_inception_hourly_marker": hour, "since_inception_minute_marker": hour * 60, "positions": {}}


def position(number, model, symbol, start=1761600000.0):
    entry = start + (number // 50) * 50
    return {"model_id": model, "symbol": symbol, "entry_time": entry, "entry_price": 99.5, "quantity": 1.5,
            "unrealized_pnl": number % 17 - 8.125, "timestamp": start + number * 0.25 + 1, "entry_oid": 1000 + number // 50}


def price(number, symbol, start_ms=1761600000000):
    return {"symbol": symbol, "price": 100 + (number % 1000) / 64, "timestamp": start_ms + number}


def numbered(number):
    """The event of a number, as (kind, item). Neighbours are of different kinds and models."""
    pick = random.Random(number)
    model = pick.choice(MODELS)
    symbol = pick.choice(SYMBOLS)
    kind = pick.choices(["trades", "account-totals", "positions", "prices"], [5, 2, 1, 2])[0]
    item = {"trades": lambda: trade(number, model, symbol), "account-totals": lambda: account_total(number, model),
            "positions": lambda: position(number, model, symbol), "prices": lambda: price(number, symbol)}[kind]()
    return kind, item


def lines(items):
    """Newline-delimited JSON."""
    return "".join(json.dumps(item) + "\n" for item in items).encode()
