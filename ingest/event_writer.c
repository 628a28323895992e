#include "base/mem.h"
#include "ingest/event_store.h"

#include <stdlib.h>

struct event_writer {
    struct session *session;
    struct event_statements many;
    const struct event_note *note; /* of the call that is under way; NULL: none, or it is stored already */
};

/* Whoever writes a feed holds its lock until his commit, so what he read of it stays true. Locks are taken in this
 * order. */
enum lock {
    LOCK_TRADES,
    LOCK_POSITIONS,
    LOCK_TOTALS,
    LOCK_PRICES,
    LOCK_TALKS,
    LOCK_ANALYTICS,
    LOCK_LEADERS,
    LOCK_INCEPTIONS,
    LOCK_STATES,
    LOCK_COUNT,
};

static const char *const lock_sql[LOCK_COUNT] = {
#define LOCK(name) "SELECT pg_advisory_xact_lock(hashtext('nof0 feed " name "'))"
    [LOCK_TRADES] = LOCK("trades"),         [LOCK_POSITIONS] = LOCK("positions"),
    [LOCK_TOTALS] = LOCK("account totals"), [LOCK_PRICES] = LOCK("prices"),
    [LOCK_TALKS] = LOCK("conversations"),   [LOCK_ANALYTICS] = LOCK("analytics"),
    [LOCK_LEADERS] = LOCK("leaderboard"),   [LOCK_INCEPTIONS] = LOCK("since inception"),
    [LOCK_STATES] = LOCK("states"),
#undef LOCK
};

static const char *const lock_names[LOCK_COUNT] = {"lock_trades",  "lock_positions",  "lock_totals",
                                                   "lock_prices",  "lock_talks",      "lock_analytics",
                                                   "lock_leaders", "lock_inceptions", "lock_states"};

#define BIT(lock) (1U << (lock))

/* In the order in which one transaction stores them. */
static const struct {
    enum event_kind kind;
    event_store_fn *store;
    unsigned locks;
} stores[EVENT_KIND_COUNT] = {
    {EVENT_POSITIONS, event_store_positions, BIT(LOCK_POSITIONS)},
    {EVENT_TRADES, event_store_trades, BIT(LOCK_TRADES) | BIT(LOCK_POSITIONS) | BIT(LOCK_TOTALS)},
    {EVENT_ACCOUNT_TOTALS, event_store_totals, BIT(LOCK_TOTALS)},
    {EVENT_PRICES, event_store_prices, BIT(LOCK_PRICES)},
    {EVENT_CONVERSATIONS, event_store_conversations, BIT(LOCK_TALKS)},
    {EVENT_ANALYTICS, event_store_statements, BIT(LOCK_ANALYTICS)},
    {EVENT_LEADERBOARD, event_store_statements, BIT(LOCK_LEADERS)},
    {EVENT_SINCE_INCEPTION, event_store_statements, BIT(LOCK_INCEPTIONS)},
    {EVENT_TRADER_STATE, event_store_statements, BIT(LOCK_STATES)},
    {EVENT_MARKET_ASSETS, event_store_statements, BIT(LOCK_STATES)},
    {EVENT_MARKET_CONTEXTS, event_store_statements, BIT(LOCK_STATES)},
};

/* The legacy document of each feed; NULL: it has none. */
static const char *const documents[OUTBOX_FEED_COUNT] = {
    [OUTBOX_TRADES] = "trades",
    [OUTBOX_POSITIONS] = "positions",
    [OUTBOX_ACCOUNT_TOTALS] = "account-totals",
    [OUTBOX_CRYPTO_PRICES] = "crypto-prices",
    [OUTBOX_CONVERSATIONS] = "conversations",
    [OUTBOX_ANALYTICS] = "analytics",
    [OUTBOX_LEADERBOARD] = "leaderboard",
    [OUTBOX_SINCE_INCEPTION] = "since-inception-values",
};

struct event_writer *event_writer_open(const struct event_writer_options *options, struct err *err)
{
    struct session *session = options->patience_ms ? session_open_within(options->dsn, options->patience_ms, err)
                                                   : session_open(options->dsn, err);
    if (!session)
        return NULL;
    struct event_writer *writer = mem_zalloc(sizeof *writer);
    writer->session = session;
#define MEMBER(table) writer->many.table = many_new(&table_##table);
    EVENT_TABLES(MEMBER)
#undef MEMBER
    return writer;
}

void event_writer_close(struct event_writer *writer)
{
    if (!writer)
        return;
    session_close(writer->session);
#define MEMBER(table) many_free(writer->many.table);
    EVENT_TABLES(MEMBER)
#undef MEMBER
    free(writer);
}

void event_writer_set_patience(struct event_writer *writer, int64_t patience_ms)
{
    session_set_patience(writer->session, patience_ms);
}

/* An import keeps all events out while it loads a file, and the other way round. */
static bool begin(struct session *session, unsigned locks, struct err *err)
{
    struct pipeline pipeline;
    pipeline_begin(&pipeline, session);
    pipeline_add(&pipeline, "begin", "BEGIN", NULL);
    pipeline_add(&pipeline, "lock_import", "SELECT pg_advisory_xact_lock_shared(hashtext('nof0 import'))", NULL);
    for (unsigned i = 0; i < LOCK_COUNT; i++)
        if (locks & BIT(i))
            pipeline_add(&pipeline, lock_names[i], lock_sql[i], NULL);
    return pipeline_run_only(&pipeline, err);
}

/* The open events of one kind in all batches. */
static size_t gather(struct event_batch *const *batches, size_t count, enum event_kind kind, struct event **events)
{
    size_t n = 0;
    for (size_t b = 0; b < count; b++)
        for (size_t i = 0; batches[b]->kind == kind && i < batches[b]->count; i++)
            if (event_is_open(&batches[b]->events[i]))
                events[n++] = &batches[b]->events[i];
    return n;
}

static void add_names(struct event_store *store, struct pipeline *pipeline, const struct names *names,
                      const char *statement, const char *sql)
{
    struct buf json = BUF_INIT;
    struct params params = params_on(store->arena);
    names_put_json(names, &json);
    params_add_text(&params, arena_copy(store->arena, buf_slice(&json)));
    if (names->json.len)
        pipeline_add(pipeline, statement, sql, &params);
    buf_free(&json);
}

/* A document that has a serverTime gets that of its newest change. New ones get one where the old servers gave one. */
static const char documents_sql[] =
    "INSERT INTO feed_documents (name, shape, server_time_ms) SELECT n, 'object', CASE WHEN n <> 'leaderboard' AND n "
    "NOT"
    " LIKE 'analytics-%' THEN floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint END FROM unnest($1::text[]) "
    "AS"
    " n ON CONFLICT (name) DO UPDATE SET server_time_ms = greatest(feed_documents.server_time_ms,"
    " floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), updated_at = now()"
    " WHERE feed_documents.server_time_ms IS NOT NULL";

static void add_documents(struct event_store *store, struct pipeline *pipeline, struct event_batch *const *batches,
                          size_t count)
{
    size_t room = OUTBOX_FEED_COUNT;
    for (size_t b = 0; b < count; b++)
        room += batches[b]->kind == EVENT_ANALYTICS ? batches[b]->count : 0;
    struct slice *names = arena_alloc(store->arena, room * sizeof *names);
    struct key_index seen = key_index_on(store->arena);
    size_t n = 0;
    for (size_t i = 0; i < OUTBOX_FEED_COUNT; i++)
        if (store->feeds[i] && documents[i])
            names[n++] = slice_of(documents[i]);
    for (size_t b = 0; b < count; b++) {
        for (size_t i = 0; batches[b]->kind == EVENT_ANALYTICS && i < batches[b]->count; i++) {
            const struct event *event = &batches[b]->events[i];
            struct slice model = event->outcome.id;
            /* A name that cannot be a file's has no file. */
            if (event->outcome.status != EVENT_ACCEPTED || memchr(model.p, '/', model.n) ||
                key_index_add(&seen, model, n) != n)
                continue;
            names[n++] = slice_of(arena_printf(store->arena, "analytics-%.*s", SLICE_ARG(model)));
        }
    }
    struct params params = params_on(store->arena);
    params_add_text_array(&params, names, n);
    if (n)
        pipeline_add(pipeline, "documents", documents_sql, &params);
}

static bool finish(struct event_store *store, const struct event_note *note, struct event_batch *const *batches,
                   size_t count, int64_t *version, struct err *err)
{
    struct pipeline pipeline;
    pipeline_begin(&pipeline, store->session);
    add_names(store, &pipeline, &store->models, "models",
              "INSERT INTO models (id, display_name) SELECT n, n FROM json_array_elements_text($1::text::json) n"
              " ON CONFLICT DO NOTHING");
    add_names(store, &pipeline, &store->symbols, "symbols",
              "INSERT INTO symbols (symbol, base_asset) SELECT n, n FROM json_array_elements_text($1::text::json) n"
              " ON CONFLICT DO NOTHING");
    add_documents(store, &pipeline, batches, count);
    if (note)
        pipeline_add(&pipeline, note->name, note->sql, note->params);
    return pipeline_run_only(&pipeline, err) && outbox_commit(store->session, &store->notes, NULL, version, err);
}

/* What was judged inside of a transaction that did not come to its end is open again. */
static void reopen(struct event_batch *const *batches, size_t count)
{
    for (size_t b = 0; b < count; b++) {
        for (size_t i = 0; i < batches[b]->count; i++) {
            struct event_outcome *outcome = &batches[b]->events[i].outcome;
            if (outcome->status == EVENT_REJECTED && strcmp(outcome->code, "invalid") == 0)
                continue;
            outcome->status = EVENT_PENDING;
            outcome->superseded = false;
        }
    }
}

/* A bad item in an atomic batch takes the good ones with it. */
static void refuse_atomic(struct event_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct event *event = &batch->events[i];
        if (event->outcome.status != EVENT_REJECTED)
            event_reject(event, "atomic", "$", "not stored, because another item of the batch is bad");
    }
}

static bool store_all(struct event_writer *writer, struct event_store *store, struct event_batch *const *batches,
                      size_t count, int64_t *version, struct err *err)
{
    unsigned locks = 0;
    size_t most = 1;
    for (size_t b = 0; b < count; b++) {
        most += batches[b]->count;
        for (size_t k = 0; k < EVENT_KIND_COUNT; k++)
            locks |= stores[k].kind == batches[b]->kind ? stores[k].locks : 0;
    }
    struct event **events = arena_alloc(store->arena, most * sizeof(struct event *));
    if (!begin(writer->session, locks, err))
        return false;
    for (size_t k = 0; k < EVENT_KIND_COUNT; k++) {
        size_t n = gather(batches, count, stores[k].kind, events);
        if (n && !stores[k].store(store, events, n, err))
            return err_wrap(err, "%s", event_kind_name(stores[k].kind));
        if (store->refused)
            return true;
    }
    return finish(store, writer->note, batches, count, version, err);
}

static bool store_in_one(struct event_writer *writer, struct event_batch *const *batches, size_t count, bool atomic,
                         int64_t *version, struct err *err)
{
    struct event_store store = {.session = writer->session,
                                .many = &writer->many,
                                .arena = arena_new(64 * 1024),
                                .notes = OUTBOX_NOTES_INIT,
                                .atomic = atomic};
    names_start(&store.models);
    names_start(&store.symbols);
    bool good = store_all(writer, &store, batches, count, version, err);
    if (!good || store.refused)
        session_rollback(writer->session);
    if (!good)
        reopen(batches, count);
    else if (store.refused)
        refuse_atomic(batches[0]);
    names_stop(&store.models);
    names_stop(&store.symbols);
    outbox_notes_free(&store.notes);
    arena_free(store.arena);
    return good;
}

static bool has_rejected(const struct event_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->events[i].outcome.status == EVENT_REJECTED)
            return true;
    return false;
}

/* Another writer may have come in between in a way that no lock of ours keeps out (an unlucky import, an operator's
 * statement): then everything is judged anew. */
static bool store_again(struct event_writer *writer, struct event_batch *const *batches, size_t count, bool atomic,
                        int64_t *version, struct err *err)
{
    enum { TRIES = 5 };
    for (int i = 0; i < TRIES; i++) {
        *err = (struct err)ERR_INIT;
        if (store_in_one(writer, batches, count, atomic, version, err))
            return true;
        if (err->code != ERR_CONFLICT)
            return false;
    }
    return false;
}

/* What Postgres refuses for its content is found by storing item by item, so that it keeps no other from being stored.
 */
static bool store_apart(struct event_writer *writer, struct event_batch *batch, int64_t *version, struct err *err)
{
    struct event *all = batch->events;
    size_t count = batch->count;
    const struct event_note *note = writer->note;
    bool good = true;
    writer->note = NULL;
    for (size_t i = 0; good && i < count; i++) {
        if (!event_is_open(&all[i]))
            continue;
        batch->events = &all[i];
        batch->count = 1;
        good = store_again(writer, (struct event_batch *const[]){batch}, 1, batch->atomic, version, err);
        if (!good && (err->code == ERR_INVALID || err->code == ERR_LIMIT)) {
            event_reject(&all[i], "invalid", "$", err->text);
            good = true;
        }
    }
    batch->events = all;
    batch->count = count;
    writer->note = note;
    return good && (!note || store_again(writer, NULL, 0, false, version, err));
}

bool event_writer_store(struct event_writer *writer, struct event_batch *const *batches, size_t count, int64_t *version,
                        struct err *err)
{
    int64_t newest = 0;
    struct event_batch **together = mem_calloc(count + 1, sizeof(struct event_batch *));
    size_t n = 0;
    bool good = true;
    for (size_t b = 0; b < count; b++) {
        if (!batches[b]->atomic)
            together[n++] = batches[b];
        else if (has_rejected(batches[b]))
            refuse_atomic(batches[b]);
        else if (good && batches[b]->count)
            good = store_again(writer, (struct event_batch *const[]){batches[b]}, 1, true, &newest, err);
        if (!good && batches[b]->atomic && (err->code == ERR_INVALID || err->code == ERR_LIMIT)) {
            event_reject(&batches[b]->events[0], "invalid", "$", err->text);
            refuse_atomic(batches[b]);
            good = true;
        }
    }
    bool refused = false;
    if (good && n) {
        good = store_again(writer, together, n, false, &newest, err);
        refused = !good && (err->code == ERR_INVALID || err->code == ERR_LIMIT);
    }
    if (refused) {
        good = true;
        for (size_t b = 0; good && b < n; b++)
            good = store_apart(writer, together[b], &newest, err);
    }
    free(together);
    if (version)
        *version = newest;
    return good;
}

bool event_writer_store_noted(struct event_writer *writer, struct event_batch *batch, const struct event_note *note,
                              int64_t *version, struct err *err)
{
    writer->note = note;
    bool good = event_writer_store(writer, &batch, 1, version, err);
    writer->note = NULL;
    return good;
}
