/* What one name in Redis shall hold, as rows of Postgres say it. One function per structure of the registry turns rows
 * into a value; nothing here talks to anybody. The forms stand in docs/redis-values.md.
 *
 * A value is begun with a key and then takes rows in order, so that rows can be streamed:
 *     redis_value_begin(&value, cache_key_trades_recent(&space, model));
 *     redis_value_add_trade(&value, row, &err); ...
 */
#ifndef NOF0_INGEST_REDIS_VALUE_H
#define NOF0_INGEST_REDIS_VALUE_H

#include "base/buf.h"
#include "base/err.h"
#include "cache/keys.h"
#include "repo/rows.h"
#include "repo/table.h"

enum { REDIS_TRADES_KEPT = 100, REDIS_CONVERSATIONS_KEPT = 20 };

struct redis_item {
    size_t field; /* where in the value's bytes: a hash's field, a sorted set's member */
    size_t field_length;
    size_t text; /* where: a string, an element, what a field holds */
    size_t text_length;
    double score; /* of a sorted set's member */
};

/* Open so that writers and comparers can walk it; reuse it for value after value. Start with REDIS_VALUE_INIT. */
struct redis_value {
    struct cache_key key; /* its row says the type */
    struct buf bytes;
    struct redis_item *items; /* a string has one; none at all means that the key shall not be there */
    size_t count;
    size_t room;
};

#define REDIS_VALUE_INIT                                                                                               \
    {                                                                                                                  \
        .bytes = BUF_INIT, .items = NULL, .count = 0, .room = 0                                                        \
    }

void redis_value_free(struct redis_value *value);

/* Forgets what it held. */
void redis_value_begin(struct redis_value *value, struct cache_key key);

static inline enum cache_type redis_value_type(const struct redis_value *value)
{
    return cache_key_rows[cache_key_id(&value->key)].type;
}

static inline struct slice redis_item_field(const struct redis_value *value, size_t i)
{
    return (struct slice){value->bytes.data + value->items[i].field, value->items[i].field_length};
}

static inline struct slice redis_item_text(const struct redis_value *value, size_t i)
{
    return (struct slice){value->bytes.data + value->items[i].text, value->items[i].text_length};
}

/* Each takes a row. False (ERR_INTERNAL, naming the row) when what is stored cannot be said: a corrupt wire_detail, a
 * number that is not finite. The value must then be begun anew. */

/* price_latest, price_latest_single: {provider, symbol, price, timestamp}. */
bool redis_value_set_price(struct redis_value *value, const struct price_latest_row *row, struct err *err) MUST_CHECK;
/* positions: the wire's position and exchange_provider. Of two rows of one symbol in a row the first stays. */
bool redis_value_add_position(struct redis_value *value, const struct positions_row *row, struct err *err) MUST_CHECK;
/* trades_recent: the wire's trade; rows come newest first, and more than REDIS_TRADES_KEPT are left out. */
bool redis_value_add_trade(struct redis_value *value, const struct trades_row *row, struct err *err) MUST_CHECK;
/* leaderboard: a row without return_pct has no place in it. Members must differ. */
bool redis_value_add_leader(struct redis_value *value, const struct leaderboard_entries_row *row,
                            struct err *err) MUST_CHECK;
/* conversations: the wire's message; oldest first. */
bool redis_value_add_message(struct redis_value *value, const struct conversation_messages_row *row,
                             struct err *err) MUST_CHECK;
/* analytics: the newest payload. */
void redis_value_set_analytics(struct redis_value *value, const struct model_analytics_row *row);
/* decision_last: the cycle without prompt and trace. */
bool redis_value_set_decision(struct redis_value *value, const struct decision_cycles_row *row,
                              struct err *err) MUST_CHECK;
/* trader_state: a field for each column that is not NULL. */
bool redis_value_set_trader(struct redis_value *value, const struct trader_state_row *row, struct err *err) MUST_CHECK;
/* market_asset, market_ctx: {column: value} of the columns that are not NULL. */
bool redis_value_set_market(struct redis_value *value, const struct table *table, const void *row,
                            struct err *err) MUST_CHECK;

/* A row of v_since_inception. */
struct redis_nav_row {
    struct slice model_id;
    struct col_i64 timestamp_ms;
    struct col_f64 nav_since_inception; /* NULL where the first equity is 0 */
};
extern const struct table redis_nav_table;

/* since_inception: {timestamp, value}; oldest first. */
bool redis_value_add_nav(struct redis_value *value, const struct redis_nav_row *row, struct err *err) MUST_CHECK;

/* Strings made of many rows: begin, a call for each row, end. A value without rows stays without items. */

/* crypto_prices: {symbol: price}. */
bool redis_value_put_price(struct redis_value *value, const struct price_latest_row *row, struct err *err) MUST_CHECK;
void redis_value_end_prices(struct redis_value *value);
/* leaderboard_cache: [the wire's rows]. */
bool redis_value_put_leader(struct redis_value *value, const struct leaderboard_entries_row *row,
                            struct err *err) MUST_CHECK;
/* analytics_all: [each model's entry of the list]. */
void redis_value_put_analytics(struct redis_value *value, const struct model_analytics_row *row);
void redis_value_end_array(struct redis_value *value);

#endif
