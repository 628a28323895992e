/* One transaction that stores events. Private to ingest. */
#ifndef NOF0_INGEST_EVENT_STORE_H
#define NOF0_INGEST_EVENT_STORE_H

#include "ingest/event_inside.h"
#include "ingest/feed_place.h"
#include "ingest/key_index.h"
#include "ingest/names.h"
#include "ingest/row_same.h"
#include "repo/cells.h"
#include "repo/many.h"
#include "repo/outbox.h"

/* The tables of which events read and write many rows. */
#define EVENT_TABLES(X)                                                                                                \
    X(trades)                                                                                                          \
    X(positions)                                                                                                       \
    X(position_feed_models)                                                                                            \
    X(account_equity_snapshots)                                                                                        \
    X(price_latest)                                                                                                    \
    X(decision_cycles)                                                                                                 \
    X(conversations)                                                                                                   \
    X(conversation_messages)                                                                                           \
    X(model_analytics)                                                                                                 \
    X(leaderboard_entries)                                                                                             \
    X(since_inception_values)                                                                                          \
    X(trader_state)                                                                                                    \
    X(market_assets)                                                                                                   \
    X(market_asset_ctx)

struct event_statements {
#define MEMBER(table) struct many *table;
    EVENT_TABLES(MEMBER)
#undef MEMBER
};

struct event_store {
    struct session *session;
    const struct event_statements *many;
    struct arena *arena; /* lives as long as the transaction */
    struct names models; /* to be known */
    struct names symbols;
    struct outbox_notes notes;
    bool feeds[OUTBOX_FEED_COUNT]; /* whose legacy documents changed */
    bool atomic;
    bool refused; /* atomic, and something is bad: nothing was written, and the transaction must not be committed */
};

/* Stores open events of one kind: judges each (no longer pending then), writes what is new. False when Postgres
 * failed. */
typedef bool event_store_fn(struct event_store *store, struct event **events, size_t count, struct err *err);

event_store_fn event_store_trades;
event_store_fn event_store_positions;
event_store_fn event_store_prices;
event_store_fn event_store_totals;
event_store_fn event_store_conversations; /* cycles and talks */
event_store_fn event_store_statements;    /* kinds of which the newest wins */

/* --- helpers --- */

/* Rejects for other content under the same key. */
void event_conflict(struct event *event, const char *what, const char *column);

static inline void event_accept(struct event *event)
{
    if (event_is_open(event))
        event->outcome.status = EVENT_ACCEPTED;
}
static inline void event_duplicate(struct event *event)
{
    if (event_is_open(event))
        event->outcome.status = EVENT_DUPLICATE;
}

/* After judging: true when nothing must be written because the batch is atomic and an item of it is bad. */
bool event_store_refuses(struct event_store *store, struct event **events, size_t count);

/* Loads the rows with text keys (`count` of them) of a table whose only KEY column is a text; as many_decode. *result
 * must outlive them. */
void **event_load_by_text(struct event_store *store, const struct many *many, const struct table *table,
                          const struct slice *keys, size_t count, PGresult **result, size_t *found, struct err *err);

/* Runs one statement that reads; the result is the caller's. NULL with *err. */
PGresult *event_read_rows(struct event_store *store, const char *name, const char *sql, const struct params *params,
                          struct err *err);

/* "UPDATE table SET feed_ordinal" by a text key: $1 keys, $2 ordinals (NULL: leaves the feed). */
#define EVENT_SET_ORDINAL(table, key)                                                                                  \
    "UPDATE " table " AS t SET feed_ordinal = u.o, updated_at = now()"                                                 \
    " FROM unnest($1::text[], $2::bigint[]) AS u(k, o) WHERE t." key " = u.k"
void event_add_ordinals(struct event_store *store, struct pipeline *pipeline, const char *name, const char *sql,
                        const struct slice *keys, const struct col_i64 *ordinals, size_t count);

/* The members of a feed that is ordered by one text (model, symbol, id), in feed order, from rows (key, ordinal). */
struct feed_item *event_feed_names(struct event_store *store, const PGresult *result, size_t *count);

/* The places of keys in a feed: ordinals[i] receives that of keys[i], which is a new one where the key was not in the
 * feed. Adds an update to the pipeline where others must move. */
void event_place_names(struct event_store *store, struct pipeline *pipeline, const struct feed_item *standing,
                       size_t standing_count, const struct slice *keys, size_t count, struct col_i64 *ordinals,
                       const char *name, const char *sql);

/* Account totals, also those that come with a trade. */
struct total_item {
    struct event *event;
    struct account_equity_snapshots_row *row;
    bool is_new; /* set by judging */
};
/* Judges: is_new, or the same is stored (or came before), or the event is rejected. */
bool event_judge_totals(struct event_store *store, struct total_item *items, size_t count, struct err *err);
/* Writes those that are new and whose events were not rejected. */
bool event_write_totals(struct event_store *store, struct total_item *items, size_t count, struct err *err);

/* Positions that were touched: their state follows from statements and trades. ids, models, symbols, entries: `count`
 * of each. trade_ids: those that came now. Adds statements to the pipeline. */
struct position_touch {
    struct slice id;
    struct slice model;
    struct slice symbol;
    int64_t entry_ms;
};
void event_add_position_states(struct event_store *store, struct pipeline *pipeline,
                               const struct position_touch *touched, size_t count, const struct slice *trade_ids,
                               size_t trade_count);
/* Lists the models in the feed of positions. */
bool event_list_position_models(struct event_store *store, const struct position_touch *touched, size_t count,
                                struct err *err);
void event_note_positions(struct event_store *store, const struct position_touch *touched, size_t count);

#endif
