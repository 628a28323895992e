/* Kinds of which a row is what was stated last: analytics, leaderboard, since-inception values, traders' states, what
 * providers say about instruments. One table says how they differ. */
#include "base/json_read.h"
#include "ingest/event_store.h"

struct statement_kind {
    const struct table *table;
    size_t keys[2]; /* offsets of its key columns, texts */
    size_t key_count;
    size_t as_of;         /* offset of as_of_s; 0: inside of the payload */
    size_t ordinal;       /* offset of feed_ordinal; 0: it has no feed */
    const char *feed_sql; /* the feed's members in order */
    const char *ordinal_name;
    const char *ordinal_sql;
    enum outbox_feed note;
    const char *const *not_content;
    const char *what;
};

static const char *const plain[] = {"as_of_s", "feed_ordinal", "metadata", NULL};
static const char *const payload_only[] = {"bulk_payload", "server_time_ms", "feed_ordinal", "metadata", NULL};

#define FEED_OF(table, key)                                                                                            \
    "SELECT " key ", feed_ordinal FROM " table " WHERE feed_ordinal IS NOT NULL ORDER BY feed_ordinal"

static const struct statement_kind kinds[EVENT_KIND_COUNT] = {
    [EVENT_ANALYTICS] = {&table_model_analytics,
                         {offsetof(struct model_analytics_row, model_id)},
                         1,
                         0,
                         offsetof(struct model_analytics_row, feed_ordinal),
                         FEED_OF("model_analytics", "model_id"),
                         "analytics_ordinals",
                         EVENT_SET_ORDINAL("model_analytics", "model_id"),
                         OUTBOX_ANALYTICS,
                         payload_only,
                         "the analytics of this model and updated_at"},
    [EVENT_LEADERBOARD] = {&table_leaderboard_entries,
                           {offsetof(struct leaderboard_entries_row, id)},
                           1,
                           offsetof(struct leaderboard_entries_row, as_of_s),
                           offsetof(struct leaderboard_entries_row, feed_ordinal),
                           FEED_OF("leaderboard_entries", "id"),
                           "leaderboard_ordinals",
                           EVENT_SET_ORDINAL("leaderboard_entries", "id"),
                           OUTBOX_LEADERBOARD,
                           plain,
                           "a leaderboard entry of this id and timestamp"},
    [EVENT_SINCE_INCEPTION] = {&table_since_inception_values,
                               {offsetof(struct since_inception_values_row, id)},
                               1,
                               offsetof(struct since_inception_values_row, as_of_s),
                               offsetof(struct since_inception_values_row, feed_ordinal),
                               FEED_OF("since_inception_values", "id"),
                               "inception_ordinals",
                               EVENT_SET_ORDINAL("since_inception_values", "id"),
                               OUTBOX_SINCE_INCEPTION,
                               plain,
                               "a value of this id and timestamp"},
    [EVENT_TRADER_STATE] = {&table_trader_state,
                            {offsetof(struct trader_state_row, trader_id)},
                            1,
                            offsetof(struct trader_state_row, as_of_s),
                            0,
                            NULL,
                            NULL,
                            NULL,
                            OUTBOX_TRADER_STATE,
                            plain,
                            "a state of this trader and timestamp"},
    [EVENT_MARKET_ASSETS] = {&table_market_assets,
                             {offsetof(struct market_assets_row, provider), offsetof(struct market_assets_row, symbol)},
                             2,
                             offsetof(struct market_assets_row, as_of_s),
                             0,
                             NULL,
                             NULL,
                             NULL,
                             OUTBOX_MARKET_ASSETS,
                             plain,
                             "an instrument of this provider, symbol and timestamp"},
    [EVENT_MARKET_CONTEXTS] = {&table_market_asset_ctx,
                               {offsetof(struct market_asset_ctx_row, provider),
                                offsetof(struct market_asset_ctx_row, symbol)},
                               2,
                               offsetof(struct market_asset_ctx_row, as_of_s),
                               0,
                               NULL,
                               NULL,
                               NULL,
                               OUTBOX_MARKET_CONTEXTS,
                               plain,
                               "a context of this provider, symbol and timestamp"},
};

static struct slice key_part(const struct statement_kind *kind, const void *row, size_t part)
{
    return *(const struct slice *)(const void *)((const char *)row + kind->keys[part]);
}

static struct slice key_of(const struct statement_kind *kind, const void *row, struct arena *arena)
{
    struct slice first = key_part(kind, row, 0);
    if (kind->key_count == 1)
        return first;
    struct slice second = key_part(kind, row, 1);
    return slice_of(arena_printf(arena, "%zu:%.*s%.*s", first.n, SLICE_ARG(first), SLICE_ARG(second)));
}

/* When a stored row was true; false when it is older than any event. */
static bool stored_as_of(const struct statement_kind *kind, const void *row, double *as_of)
{
    if (kind->as_of) {
        const struct col_f64 *column = (const void *)((const char *)row + kind->as_of);
        *as_of = column->v;
        return column->set;
    }
    cJSON *payload = json_parse(((const struct model_analytics_row *)row)->payload, NULL);
    const cJSON *updated = cJSON_GetObjectItemCaseSensitive(payload, "updated_at");
    bool set = cJSON_IsNumber(updated);
    *as_of = set ? updated->valuedouble : 0;
    cJSON_Delete(payload);
    return set;
}

static const struct many *many_of(const struct event_store *store, enum event_kind kind)
{
    switch (kind) {
    case EVENT_ANALYTICS:
        return store->many->model_analytics;
    case EVENT_LEADERBOARD:
        return store->many->leaderboard_entries;
    case EVENT_SINCE_INCEPTION:
        return store->many->since_inception_values;
    case EVENT_TRADER_STATE:
        return store->many->trader_state;
    case EVENT_MARKET_ASSETS:
        return store->many->market_assets;
    default:
        return store->many->market_asset_ctx;
    }
}

struct state {
    const void *row; /* the newest so far */
    bool has_as_of;
    double as_of;
    bool is_new;
};

struct statements {
    struct event_store *store;
    const struct statement_kind *kind;
    const struct many *many;
    struct event **events;
    size_t count;
    struct state *states;
    size_t state_count;
    PGresult *loaded; /* the stored rows' texts */
};

static void judge_one(struct statements *all, struct event *event, struct state *state)
{
    const char *column = NULL;
    if (!state->row || !state->has_as_of || event->as_of > state->as_of) {
        *state = (struct state){event->row, true, event->as_of, true};
        event_accept(event);
    } else if (event->as_of < state->as_of) {
        event_accept(event);
        event->outcome.superseded = true;
    } else if (row_same(all->kind->table, state->row, event->row, all->kind->not_content, &column)) {
        event_duplicate(event);
    } else {
        event_conflict(event, all->kind->what, column);
    }
}

static bool judge(struct statements *all, struct err *err)
{
    struct arena *arena = all->store->arena;
    struct params params = params_on(arena);
    for (size_t part = 0; part < all->kind->key_count; part++) {
        struct slice *texts = arena_alloc(arena, (all->count + 1) * sizeof *texts);
        for (size_t i = 0; i < all->count; i++)
            texts[i] = key_part(all->kind, all->events[i]->row, part);
        params_add_text_array(&params, texts, all->count);
    }
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    pipeline_begin(&pipeline, all->store->session);
    many_add_load(&pipeline, all->many, &params);
    if (!pipeline_run(&pipeline, results, err))
        return false;
    all->loaded = results[0];
    size_t found = 0;
    void **stored = many_decode(all->kind->table, all->loaded, &found, arena, err);
    if (!stored)
        return false;
    all->states = arena_zalloc(arena, (found + all->count + 1) * sizeof *all->states);
    struct key_index index = key_index_on(arena);
    for (size_t i = 0; i < found; i++) {
        if (key_index_add(&index, key_of(all->kind, stored[i], arena), all->state_count) != all->state_count)
            continue;
        struct state *state = &all->states[all->state_count++];
        state->row = stored[i];
        state->has_as_of = stored_as_of(all->kind, stored[i], &state->as_of);
    }
    for (size_t i = 0; i < all->count; i++) {
        size_t at = key_index_add(&index, key_of(all->kind, all->events[i]->row, arena), all->state_count);
        all->state_count += at == all->state_count;
        judge_one(all, all->events[i], &all->states[at]);
    }
    return true;
}

/* Gives the new rows their places in the feed; those that stand there keep theirs. */
static bool place(struct statements *all, struct pipeline *pipeline, void *const *rows, size_t count, struct err *err)
{
    struct event_store *store = all->store;
    const struct statement_kind *kind = all->kind;
    size_t standing_count;
    PGresult *result = event_read_rows(store, kind->ordinal_name, kind->feed_sql, NULL, err);
    if (!result)
        return false;
    struct feed_item *standing = event_feed_names(store, result, &standing_count);
    PQclear(result);
    struct slice *keys = arena_alloc(store->arena, (count + 1) * sizeof *keys);
    struct col_i64 *ordinals = arena_alloc(store->arena, (count + 1) * sizeof *ordinals);
    for (size_t i = 0; i < count; i++)
        keys[i] = key_part(kind, rows[i], 0);
    pipeline_begin(pipeline, store->session);
    event_place_names(store, pipeline, standing, standing_count, keys, count, ordinals, "statement_ordinals_set",
                      kind->ordinal_sql);
    for (size_t i = 0; i < count; i++)
        *(struct col_i64 *)(void *)((char *)rows[i] + kind->ordinal) = ordinals[i];
    return true;
}

static void note(struct statements *all, const void *row)
{
    struct event_store *store = all->store;
    struct slice texts[2] = {key_part(all->kind, row, 0), {NULL, 0}};
    size_t count = all->kind->key_count;
    switch (all->events[0]->batch->kind) {
    case EVENT_SINCE_INCEPTION:
        texts[1] = texts[0];
        texts[0] = ((const struct since_inception_values_row *)row)->model_id;
        count = 2;
        names_add(&store->models, texts[0]);
        break;
    case EVENT_MARKET_ASSETS:
    case EVENT_MARKET_CONTEXTS:
        texts[1] = key_part(all->kind, row, 1);
        names_add(&store->symbols, texts[1]);
        break;
    default:
        names_add(&store->models, texts[0]);
    }
    outbox_note(&store->notes, all->kind->note, texts, count);
}

static bool write(struct statements *all, struct err *err)
{
    struct event_store *store = all->store;
    void **rows = arena_alloc(store->arena, (all->state_count + 1) * sizeof *rows);
    size_t n = 0;
    for (size_t i = 0; i < all->state_count; i++)
        if (all->states[i].is_new)
            rows[n++] = (void *)all->states[i].row;
    if (n == 0)
        return true;
    struct pipeline pipeline;
    struct err refused = ERR_INIT;
    if (!all->kind->ordinal)
        pipeline_begin(&pipeline, store->session);
    else if (!place(all, &pipeline, rows, n, err))
        return false;
    bool good = many_add_upsert(&pipeline, all->many, (const void *const *)rows, n, store->arena, &refused);
    if (!pipeline_run_only(&pipeline, err))
        return false;
    if (!good) {
        *err = refused;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        note(all, rows[i]);
    store->feeds[all->kind->note] = true;
    return true;
}

bool event_store_statements(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    enum event_kind kind = events[0]->batch->kind;
    struct statements all = {
        .store = store, .kind = &kinds[kind], .many = many_of(store, kind), .events = events, .count = count};
    bool good = judge(&all, err) && (event_store_refuses(store, events, count) || write(&all, err));
    PQclear(all.loaded);
    return good;
}
