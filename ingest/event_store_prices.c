/* Ticks: told apart by provider, symbol and millisecond, all kept, in at the speed of COPY. The newest of a symbol is
 * its price.
 *
 * Ticks that are newer than the symbol's price cannot be there yet, since every writer of prices holds the lock of the
 * feed; only the others are looked for. */
#include "base/num.h"
#include "ingest/event_store.h"
#include "repo/encode.h"
#include "repo/pg_error.h"

#include <inttypes.h>

struct symbol {
    const struct price_latest_row *stored; /* NULL: none */
    struct event *newest;                  /* of the new ticks that are newer than what is stored; NULL: none */
};

struct prices {
    struct event_store *store;
    struct event **events;
    size_t count;
    bool *is_new;
    struct symbol *symbols;
    size_t *symbol_of; /* by event */
    size_t symbol_count;
    PGresult *loaded;
};

static struct price_latest_row *row_of(const struct event *event)
{
    return event->row;
}

enum { SYMBOL_KEY_SIZE = 2 * WIRE_KEY_MAX + 1 };

/* Provider and symbol as one key, in `out`: no text has a zero byte. */
static struct slice symbol_key(char out[SYMBOL_KEY_SIZE], const struct price_latest_row *row)
{
    memcpy(out, row->provider.p, row->provider.n);
    out[row->provider.n] = '\0';
    memcpy(out + row->provider.n + 1, row->symbol.p, row->symbol.n);
    return (struct slice){out, row->provider.n + 1 + row->symbol.n};
}

static bool load_latest(struct prices *prices, struct err *err)
{
    struct event_store *store = prices->store;
    struct arena *arena = store->arena;
    struct key_index index = key_index_on(arena);
    struct slice *providers = arena_alloc(arena, (prices->count + 1) * sizeof *providers);
    struct slice *symbols = arena_alloc(arena, (prices->count + 1) * sizeof *symbols);
    char key[SYMBOL_KEY_SIZE];
    for (size_t i = 0; i < prices->count; i++) {
        const struct price_latest_row *row = row_of(prices->events[i]);
        size_t at = key_index_find(&index, symbol_key(key, row));
        if (at == (size_t)KEY_NONE) {
            at = prices->symbol_count++;
            (void)key_index_add(&index, arena_copy(arena, symbol_key(key, row)), at);
            providers[at] = row->provider;
            symbols[at] = row->symbol;
        }
        prices->symbol_of[i] = at;
    }
    prices->symbols = arena_zalloc(arena, (prices->symbol_count + 1) * sizeof *prices->symbols);
    struct params params = params_on(arena);
    params_add_text_array(&params, providers, prices->symbol_count);
    params_add_text_array(&params, symbols, prices->symbol_count);
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    pipeline_begin(&pipeline, store->session);
    many_add_load(&pipeline, store->many->price_latest, &params);
    if (!pipeline_run(&pipeline, results, err))
        return false;
    prices->loaded = results[0];
    size_t found = 0;
    void **rows = many_decode(&table_price_latest, prices->loaded, &found, arena, err);
    for (size_t i = 0; rows && i < found; i++) {
        size_t at = key_index_find(&index, symbol_key(key, rows[i]));
        if (at != (size_t)KEY_NONE)
            prices->symbols[at].stored = rows[i];
    }
    return rows != NULL;
}

static struct symbol *symbol_of(const struct prices *prices, size_t i)
{
    return &prices->symbols[prices->symbol_of[i]];
}

static bool is_late(const struct prices *prices, size_t i)
{
    const struct price_latest_row *stored = symbol_of(prices, i)->stored;
    return stored && row_of(prices->events[i])->ts_ms.v <= stored->ts_ms.v;
}

/* What tells a tick apart, as bytes: which symbol, which millisecond. */
struct tick_key {
    uint64_t symbol;
    int64_t ts_ms;
};

/* A tick that is known: a new one of the batch, or a stored one. */
struct tick {
    double price;
    struct col_f64 volume;
};

static bool same_tick(const struct tick *a, const struct tick *b)
{
    return num_same_double(a->price, b->price) && a->volume.set == b->volume.set &&
           (!a->volume.set || num_same_double(a->volume.v, b->volume.v));
}

static PGresult *load_ticks(struct prices *prices, const size_t *late, size_t count, struct err *err)
{
    struct arena *arena = prices->store->arena;
    struct slice *texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    int64_t *instants = arena_alloc(arena, (count + 1) * sizeof *instants);
    struct params params = params_on(arena);
    for (size_t i = 0; i < count; i++)
        texts[i] = row_of(prices->events[late[i]])->provider;
    params_add_text_array(&params, texts, count);
    for (size_t i = 0; i < count; i++) {
        texts[i] = row_of(prices->events[late[i]])->symbol;
        instants[i] = row_of(prices->events[late[i]])->ts_ms.v;
    }
    params_add_text_array(&params, texts, count);
    params_add_i64_array(&params, instants, count);
    return event_read_rows(
        prices->store, "ticks_known",
        "SELECT k.i, t.price, t.volume FROM unnest($1::text[], $2::text[], $3::bigint[])"
        " WITH ORDINALITY AS k(p, s, ts, i) CROSS JOIN LATERAL (SELECT x.price, x.volume FROM"
        " price_ticks AS x WHERE x.provider = k.p AND x.symbol = k.s AND x.ts_ms = k.ts LIMIT 1) AS t",
        &params, err);
}

/* The stored ticks that late ones may repeat: by event; p.set is false where there is none. */
static bool find_stored(struct prices *prices, struct tick *stored, bool *is_stored, struct err *err)
{
    size_t *late = arena_alloc(prices->store->arena, (prices->count + 1) * sizeof *late);
    size_t n = 0;
    for (size_t i = 0; i < prices->count; i++)
        if (is_late(prices, i))
            late[n++] = i;
    if (n == 0)
        return true;
    PGresult *result = load_ticks(prices, late, n, err);
    if (!result)
        return false;
    for (int i = 0; i < PQntuples(result); i++) {
        size_t event = late[cell_i64(result, i, 0).v - 1];
        stored[event] = (struct tick){cell_f64(result, i, 1).v, cell_f64(result, i, 2)};
        is_stored[event] = true;
    }
    PQclear(result);
    return true;
}

static bool judge(struct prices *prices, struct err *err)
{
    struct arena *arena = prices->store->arena;
    struct key_index seen = key_index_on(arena);
    struct tick *stored = arena_alloc(arena, (prices->count + 1) * sizeof *stored);
    bool *is_stored = arena_zalloc(arena, prices->count + 1);
    struct tick *fresh = arena_alloc(arena, (prices->count + 1) * sizeof *fresh);
    struct tick_key *keys = arena_alloc(arena, (prices->count + 1) * sizeof *keys);
    if (!load_latest(prices, err) || !find_stored(prices, stored, is_stored, err))
        return false;
    for (size_t i = 0; i < prices->count; i++) {
        struct event *event = prices->events[i];
        const struct price_latest_row *row = row_of(event);
        struct symbol *symbol = symbol_of(prices, i);
        keys[i] = (struct tick_key){prices->symbol_of[i], row->ts_ms.v};
        fresh[i] = (struct tick){row->price.v, event->beside.volume};
        size_t at = key_index_add(&seen, (struct slice){(const char *)&keys[i], sizeof keys[i]}, i);
        const struct tick *known = at != i ? &fresh[at] : is_stored[i] ? &stored[i] : NULL;
        if (at == i && is_stored[i])
            fresh[i] = stored[i];
        prices->is_new[i] = !known;
        /* An imported price stands without a tick. */
        bool contradicts = !known && symbol->stored && symbol->stored->ts_ms.v == row->ts_ms.v &&
                           !num_same_double(symbol->stored->price.v, row->price.v);
        const struct tick own = {row->price.v, event->beside.volume};
        if (contradicts || (known && !same_tick(known, &own))) {
            event_conflict(event, "a price of this symbol and millisecond", "price or volume");
            prices->is_new[i] = false;
            continue;
        }
        if (!known && (!symbol->stored || row->ts_ms.v > symbol->stored->ts_ms.v) &&
            (!symbol->newest || row->ts_ms.v > row_of(symbol->newest)->ts_ms.v))
            symbol->newest = event;
    }
    return true;
}

/* Takes what the server says to the COPY; the first error counts. */
static bool end_copy(struct session *session, struct err *err)
{
    PGconn *connection = session_connection(session);
    bool good = true;
    for (;;) {
        if (!session_await(session, err))
            return false;
        PGresult *result = PQgetResult(connection);
        if (!result)
            return good;
        if (PQresultStatus(result) != PGRES_COMMAND_OK && good)
            good = pg_error_from_result(err, result, connection);
        PQclear(result);
        if (PQstatus(connection) != CONNECTION_OK)
            return good ? pg_error_from_connection(err, connection) : false;
    }
}

static bool begin_copy(struct session *session, const char *sql, struct err *err)
{
    PGconn *connection = session_connection(session);
    if (!PQsendQuery(connection, sql))
        return pg_error_from_connection(err, connection);
    if (!session_await(session, err))
        return false;
    PGresult *result = PQgetResult(connection);
    bool good = PQresultStatus(result) == PGRES_COPY_IN || pg_error_from_result(err, result, connection);
    PQclear(result);
    return good;
}

static bool send_rows(struct prices *prices, const char *copy_sql, struct err *err)
{
    enum { CHUNK = 256 * 1024 };
    PGconn *connection = session_connection(prices->store->session);
    struct buf chunk = BUF_INIT;
    bool good = begin_copy(prices->store->session, copy_sql, err);
    table_put_copy_header(&chunk);
    for (size_t i = 0; good && i < prices->count; i++) {
        const struct price_latest_row *row = row_of(prices->events[i]);
        if (!prices->is_new[i])
            continue;
        const struct price_ticks_row tick = {.provider = row->provider,
                                             .symbol = row->symbol,
                                             .price = row->price,
                                             .ts_ms = row->ts_ms,
                                             .volume = prices->events[i]->beside.volume,
                                             .raw = row->wire_detail};
        good = table_put_copy_row(&chunk, &table_price_ticks, &tick, err);
        if (good && chunk.len > CHUNK) {
            good =
                PQputCopyData(connection, chunk.data, (int)chunk.len) == 1 || pg_error_from_connection(err, connection);
            buf_clear(&chunk);
        }
    }
    table_put_copy_trailer(&chunk);
    good =
        good && ((PQputCopyData(connection, chunk.data, (int)chunk.len) == 1 && PQputCopyEnd(connection, NULL) == 1) ||
                 pg_error_from_connection(err, connection));
    buf_free(&chunk);
    return good && end_copy(prices->store->session, err);
}

static bool write_ticks(struct prices *prices, struct err *err)
{
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "COPY price_ticks (");
    table_put_written_columns(&sql, &table_price_ticks);
    buf_append_str(&sql, ") FROM STDIN (FORMAT binary)");
    bool good = send_rows(prices, buf_cstr(&sql), err);
    buf_free(&sql);
    return good;
}

/* "arena BTC": a key inside of the feed of one provider. */
static struct slice feed_key(struct arena *arena, const struct price_latest_row *row)
{
    return slice_of(arena_printf(arena, "%.*s %.*s", SLICE_ARG(row->provider), SLICE_ARG(row->symbol)));
}

/* The members of one provider's feed are its symbols; each provider has an order of its own. */
static bool place(struct prices *prices, struct price_latest_row **rows, size_t count, struct err *err)
{
    struct event_store *store = prices->store;
    struct params params = params_on(store->arena);
    params_add_text(&params, rows[0]->provider);
    PGresult *result = event_read_rows(store, "prices_feed",
                                       "SELECT provider || ' ' || symbol, feed_ordinal FROM price_latest WHERE provider"
                                       " = $1 AND feed_ordinal IS NOT NULL ORDER BY feed_ordinal, symbol",
                                       &params, err);
    if (!result)
        return false;
    size_t standing_count;
    struct feed_item *standing = event_feed_names(store, result, &standing_count);
    PQclear(result);
    struct slice *keys = arena_alloc(store->arena, (count + 1) * sizeof *keys);
    struct col_i64 *ordinals = arena_alloc(store->arena, (count + 1) * sizeof *ordinals);
    for (size_t i = 0; i < count; i++)
        keys[i] = feed_key(store->arena, rows[i]);
    struct pipeline pipeline;
    pipeline_begin(&pipeline, store->session);
    event_place_names(store, &pipeline, standing, standing_count, keys, count, ordinals, "prices_ordinals",
                      "UPDATE price_latest AS t SET feed_ordinal = u.o, updated_at = now() FROM unnest($1::text[],"
                      " $2::bigint[]) AS u(k, o) WHERE t.provider || ' ' || t.symbol = u.k");
    for (size_t i = 0; i < count; i++)
        rows[i]->feed_ordinal = ordinals[i];
    return pipeline_run_only(&pipeline, err);
}

static bool place_all(struct prices *prices, struct price_latest_row **rows, size_t count, struct err *err)
{
    struct price_latest_row **group = arena_alloc(prices->store->arena, (count + 1) * sizeof(void *));
    bool *done = arena_zalloc(prices->store->arena, count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;
        for (size_t k = i; k < count; k++) {
            if (done[k] || !slice_equal(rows[k]->provider, rows[i]->provider))
                continue;
            done[k] = true;
            group[n++] = rows[k];
        }
        if (n && !place(prices, group, n, err))
            return false;
    }
    return true;
}

static bool write_latest(struct prices *prices, struct err *err)
{
    struct event_store *store = prices->store;
    struct price_latest_row **rows = arena_alloc(store->arena, (prices->symbol_count + 1) * sizeof(void *));
    size_t n = 0;
    for (size_t i = 0; i < prices->symbol_count; i++)
        if (prices->symbols[i].newest)
            rows[n++] = row_of(prices->symbols[i].newest);
    if (n == 0)
        return true;
    if (!place_all(prices, rows, n, err))
        return false;
    struct pipeline pipeline;
    struct err refused = ERR_INIT;
    pipeline_begin(&pipeline, store->session);
    bool good =
        many_add_upsert(&pipeline, store->many->price_latest, (const void *const *)rows, n, store->arena, &refused);
    if (!pipeline_run_only(&pipeline, err))
        return false;
    if (!good) {
        *err = refused;
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        names_add(&store->symbols, rows[i]->symbol);
        outbox_note(&store->notes, OUTBOX_CRYPTO_PRICES, (const struct slice[]){rows[i]->provider, rows[i]->symbol}, 2);
    }
    store->feeds[OUTBOX_CRYPTO_PRICES] = true;
    return true;
}

bool event_store_prices(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    struct prices prices = {.store = store,
                            .events = events,
                            .count = count,
                            .is_new = arena_zalloc(store->arena, count + 1),
                            .symbol_of = arena_alloc(store->arena, (count + 1) * sizeof(size_t))};
    size_t fresh = 0;
    bool good = judge(&prices, err);
    bool refuses = good && event_store_refuses(store, events, count);
    for (size_t i = 0; good && i < count; i++)
        fresh += prices.is_new[i];
    if (good && !refuses && fresh)
        good = write_ticks(&prices, err) && write_latest(&prices, err);
    for (size_t i = 0; good && !refuses && i < count; i++) {
        if (!prices.is_new[i]) {
            event_duplicate(events[i]);
            continue;
        }
        events[i]->outcome.superseded = is_late(&prices, i);
        event_accept(events[i]);
    }
    PQclear(prices.loaded);
    return good;
}
