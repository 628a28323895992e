"""Rows in Postgres changed one at a time, and put back: what a comparison must say of each."""
import math
import os

import psycopg2
from psycopg2 import sql

# endpoint -> (table, the row's key in it, member to column where they differ, members whose column may be NULL,
# whether feed_ordinal may go)
TABLES = {
    "account_totals": ("account_equity_snapshots", {"source_id": "id"}, {"timestamp": "ts_s"},
                       ("sharpe_ratio", "cum_pnl_pct", "realized_pnl"), True),
    "trades": ("trades", {"id": "id"}, {"entry_time": "entry_time_s", "exit_time": "exit_time_s"},
               ("leverage", "exit_price", "entry_crossed", "exit_plan", "entry_liquidation", "side"), True),
    "since_inception": ("since_inception_values", {"id": "id"}, {"inception_date": "inception_date_s"},
                        ("nav_since_inception", "num_invocations"), True),
    "leaderboard": ("leaderboard_entries", {"id": "id"}, {}, ("sharpe", "num_wins", "equity"), True),
    "crypto_prices": ("price_latest", {"symbol": "symbol"}, {"timestamp": "ts_ms"}, (), True),
}
# Members of a position, under the same names in the table.
POSITION = ("quantity", "entry_price", "margin", "confidence", "wait_for_fill")


class RowEdits:
    """A session on the database. Each method changes one row and returns the (endpoint, class, path) that must be told;
    put_back() undoes them all."""

    def __init__(self, dsn):
        self.connection = psycopg2.connect(dsn)
        self.connection.autocommit = True
        self.undo = []

    def put_back(self):
        while self.undo:
            self.run(*self.undo.pop())

    def run(self, statement, values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            assert cursor.rowcount == 1, (statement, values, cursor.rowcount)
            return cursor.fetchone() if cursor.description else None

    def set(self, table, where, column, expression, *values):
        """The column of one row becomes what the SQL expression says."""
        names = {"t": sql.Identifier(table), "c": sql.Identifier(column),
                 "w": sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in where)}
        keys = list(where.values())
        before, kind = self.run(sql.SQL("SELECT {c}::text, pg_typeof({c})::text FROM {t} WHERE {w}").format(**names), keys)
        update = "UPDATE {t} SET {c} = " + expression + " WHERE {w}"
        self.run(sql.SQL(update).format(**names), [*values, *keys])
        restore = sql.SQL("UPDATE {t} SET {c} = %s::" + kind + " WHERE {w}").format(**names)
        self.undo.append((restore, [before, *keys]))

    def row(self, rng, endpoint, document):
        """A row of the endpoint's own table."""
        table, keys, columns, nullable, _ = TABLES[endpoint]
        index = rng.randrange(len(document.row_spans))
        row, path = document.row(index), document.names[index]
        where = {column: row[key] for column, key in keys.items()}
        how = rng.choice(("value", "value", "value", "null", "leaves"))
        if how == "leaves":  # the feed; its row stays
            self.set(table, where, "feed_ordinal", "NULL")
            return [(endpoint, "missing", path)]
        if how == "null" and (nullable := [key for key in nullable if key in row]):
            key = rng.choice(nullable)
            self.set(table, where, columns.get(key, key), "NULL")
            return [(endpoint, "null-vs-absent" if row[key] is None else "missing", f"{path}.{key}")]
        keys = [key for key, value in row.items() if key not in ("id", "model_id", "symbol", "positions")]
        key = rng.choice(keys)
        return self.value(rng, endpoint, table, where, columns.get(key, key), row[key], f"{path}.{key}")

    def value(self, rng, endpoint, table, where, column, value, path):
        if isinstance(value, bool):
            self.set(table, where, column, "NOT {c}")
        elif isinstance(value, float):
            self.set(table, where, column, "%s", math.nextafter(value, rng.choice((-math.inf, math.inf))))
        elif isinstance(value, int):
            self.set(table, where, column, "{c} + 1")
        elif isinstance(value, str):
            self.set(table, where, column, "{c} || %s", "\U0001F600")
        elif value is None:
            self.set(table, where, column, "'{{}}'")
            return [(endpoint, "type", path)]
        else:
            self.set(table, where, column, "'[]'")
            return [(endpoint, "type", path)]
        return [(endpoint, "value", path)]

    def position(self, rng, document):
        index = rng.choice([i for i in range(len(document.row_spans)) if document.row(i)["positions"]])
        positions = document.row(index)["positions"]
        symbol = rng.choice(list(positions))
        key = rng.choice([key for key in POSITION if key in positions[symbol]])
        where = {"model_id": document.row(index)["model_id"], "symbol": symbol, "status": "open"}
        return self.value(rng, "positions", "positions", where, key, positions[symbol][key],
                          f"{document.names[index]}.positions.{symbol}.{key}")

    def analytics(self, rng, document):
        """A metric of one model, in what the list and the model's own answer have."""
        index = rng.randrange(len(document.row_spans))
        row = document.row(index)
        table = rng.choice([key for key, value in row.items() if isinstance(value, dict) and value])
        metric = rng.choice(list(row[table]))
        for column in ("payload", "bulk_payload"):
            self.set("model_analytics", {"model_id": row["model_id"]}, column, "jsonb_set({c}, %s, '-1234.5')",
                     [table, metric])
        return [("analytics_all", "value", f"{document.names[index]}.{table}.{metric}"),
                ("analytics_one " + row["model_id"], "value", f"$.analytics.{table}.{metric}")]

    def conversation(self, rng, document):
        index = rng.randrange(len(document.row_spans))
        row, path = document.row(index), document.names[index]
        if "messages" not in row:
            self.set("decision_cycles", {"source_id": row["id"]}, "user_prompt", "{c} || %s", "\u2011")
            return [("conversations", "value", f"{path}.user_prompt")]
        number = rng.randrange(len(row["messages"]))
        content = row["messages"][number]["content"]
        self.set("conversation_messages", {"content": content}, "content", "{c} || %s", "\u2011")
        self.undo[-1] = (self.undo[-1][0], [content, content + "\u2011"])
        return [("conversations", "value", f"{path}.messages[{number}].content")]


def label(endpoint, file):
    """An endpoint with the model whose answer the file holds."""
    model = os.path.basename(file)[:-len(".json")].partition(endpoint + "-")[2]
    return f"{endpoint} {model}" if model else endpoint
