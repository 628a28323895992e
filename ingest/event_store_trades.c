/* Trades: told apart by id. In the feed each model has a run of rows, newest exit first, of at most a hundred; the runs
 * stand in the order in which they were imported, new models in the order of their ids. */
#include "ingest/event_store.h"

/* What the arena's own server keeps of each model (domain: "trades hold at most 100 per model"). */
enum { FEED_TRADES_OF_MODEL = 100, RUN_BITS = 32 };

static const char *const not_content[] = {"feed_ordinal", "exchange_provider", NULL};

struct trades_store {
    struct event_store *store;
    struct event **events;
    size_t count;
    bool *is_new;  /* by event */
    size_t *first; /* by event: which event it repeats; itself otherwise */
    struct total_item *totals;
    size_t total_count;
};

static struct trades_row *row_of(const struct event *event)
{
    return event->row;
}

static bool judge(struct trades_store *trades, struct err *err)
{
    struct event_store *store = trades->store;
    struct slice *ids = arena_alloc(store->arena, (trades->count + 1) * sizeof *ids);
    for (size_t i = 0; i < trades->count; i++)
        ids[i] = row_of(trades->events[i])->id;
    PGresult *result = NULL;
    size_t found = 0;
    void **stored =
        event_load_by_text(store, store->many->trades, &table_trades, ids, trades->count, &result, &found, err);
    if (!stored) {
        PQclear(result);
        return false;
    }
    struct key_index index = key_index_on(store->arena);
    for (size_t i = 0; i < found; i++)
        (void)key_index_add(&index, ((struct trades_row *)stored[i])->id, trades->count + i);
    for (size_t i = 0; i < trades->count; i++) {
        size_t at = key_index_add(&index, ids[i], i);
        const char *column = NULL;
        trades->is_new[i] = at == i;
        trades->first[i] = at < trades->count ? at : i;
        const void *other = at < trades->count ? trades->events[at]->row : stored[at - trades->count];
        if (at != i && !row_same(&table_trades, other, row_of(trades->events[i]), not_content, &column))
            event_conflict(trades->events[i], "a trade of this id", column);
        if (event_is_open(trades->events[i]) && trades->events[i]->account)
            trades->totals[trades->total_count++] =
                (struct total_item){trades->events[i], trades->events[i]->account, false};
    }
    PQclear(result);
    if (!event_judge_totals(store, trades->totals, trades->total_count, err))
        return false;
    for (size_t i = 0; i < trades->count; i++) /* what repeats a rejected one */
        if (trades->events[trades->first[i]]->outcome.status == EVENT_REJECTED)
            event_reject(trades->events[i], "conflict", "$", "repeats an item that was rejected");
    return true;
}

static bool is_fresh(const struct trades_store *trades, size_t i)
{
    return trades->is_new[i] && event_is_open(trades->events[i]);
}

/* The runs of the feed by model: the first ordinal's upper half. */
static struct feed_item *read_runs(struct event_store *store, size_t *count, struct err *err)
{
    PGresult *result = event_read_rows(store, "trade_runs",
                                       "SELECT model_id, min(feed_ordinal) FROM trades WHERE feed_ordinal IS NOT NULL"
                                       " GROUP BY model_id ORDER BY 2",
                                       NULL, err);
    if (!result)
        return NULL;
    struct feed_item *runs = event_feed_names(store, result, count);
    for (size_t i = 0; i < *count; i++)
        runs[i].ordinal >>= RUN_BITS;
    PQclear(result);
    return runs;
}

static bool shift_runs(struct event_store *store, int64_t from_run, struct err *err)
{
    struct params params = params_on(store->arena);
    params_add_i64(&params, from_run * (INT64_C(1) << RUN_BITS));
    PGresult *result = event_read_rows(store, "trade_runs_shift",
                                       "UPDATE trades SET feed_ordinal = feed_ordinal + 4294967296, updated_at = now()"
                                       " WHERE feed_ordinal >= $1",
                                       &params, err);
    PQclear(result);
    return result != NULL;
}

/* Finds the run of a model, or makes one: behind the run of the greatest model that is not above it. */
static bool run_of(struct event_store *store, struct feed_item **runs, size_t *count, struct slice model, int64_t *run,
                   struct err *err)
{
    size_t behind = 0;
    for (size_t i = 0; i < *count; i++) {
        int order = slice_compare((*runs)[i].key, model);
        if (order == 0) {
            *run = (*runs)[i].ordinal;
            return true;
        }
        if (order < 0 && (behind == 0 || slice_compare((*runs)[i].key, (*runs)[behind - 1].key) > 0))
            behind = i + 1;
    }
    if (behind == 0)
        *run = *count ? (*runs)[0].ordinal - 1 : 0;
    else
        *run = (*runs)[behind - 1].ordinal + 1;
    if (behind > 0 && behind < *count && (*runs)[behind].ordinal == *run) {
        if (!shift_runs(store, *run, err))
            return false;
        for (size_t i = behind; i < *count; i++)
            (*runs)[i].ordinal++;
    }
    struct feed_item *more = arena_alloc(store->arena, (*count + 1) * sizeof *more);
    memcpy(more, *runs, behind * sizeof *more);
    more[behind] = (struct feed_item){.key = model, .ordinal = *run};
    memcpy(more + behind + 1, *runs + behind, (*count - behind) * sizeof *more);
    *runs = more;
    (*count)++;
    return true;
}

/* The standing rows of some models, model by model in feed order. */
static PGresult *read_standing(struct event_store *store, const struct slice *models, size_t count, struct err *err)
{
    struct params params = params_on(store->arena);
    params_add_text_array(&params, models, count);
    return event_read_rows(
        store, "trades_standing",
        "SELECT r.model_id, r.id, r.feed_ordinal, r.exit_time FROM unnest($1::text[]) AS k(model) CROSS JOIN LATERAL"
        " (SELECT model_id, id, feed_ordinal, coalesce(exit_time_s, exit_ts_ms / 1000.0::double precision) AS exit_time"
        " FROM trades WHERE model_id = k.model AND feed_ordinal IS NOT NULL ORDER BY feed_ordinal OFFSET 0) AS r",
        &params, err);
}

/* Rows of the feed whose ordinal changes. */
struct changes {
    struct slice *keys;
    struct col_i64 *ordinals;
    size_t count;
};

static void place_in_run(struct trades_store *trades, struct slice model, int64_t run, const struct feed_item *standing,
                         size_t standing_count, struct changes *changes)
{
    struct arena *arena = trades->store->arena;
    struct feed_item *fresh = arena_alloc(arena, (trades->count + 1) * sizeof *fresh);
    size_t fresh_count = 0;
    for (size_t i = 0; i < trades->count; i++) {
        const struct trades_row *row = row_of(trades->events[i]);
        if (is_fresh(trades, i) && slice_equal(row->model_id, model))
            fresh[fresh_count++] =
                (struct feed_item){.rank = row->exit_time_s.v, .key = row->id, .is_new = true, .tag = i};
    }
    /* An unsorted import may have given a model several runs. */
    int64_t last = standing_count ? standing[standing_count - 1].ordinal >> RUN_BITS : run;
    const struct feed_bounds bounds = {run * (INT64_C(1) << RUN_BITS),
                                       ((last > run ? last : run) + 1) * (INT64_C(1) << RUN_BITS),
                                       FEED_TRADES_OF_MODEL};
    struct feed_item *all;
    size_t count;
    size_t left;
    feed_merge(standing, standing_count, fresh, fresh_count, FEED_DOWN, &bounds, arena, &all, &count, &left);
    for (size_t i = 0; i < count + left; i++) {
        bool stays = i < count;
        if (all[i].is_new) {
            struct event *event = trades->events[all[i].tag];
            row_of(event)->feed_ordinal = (struct col_i64){all[i].ordinal, stays};
            event->outcome.superseded = !stays;
        } else if (all[i].moved || !stays) {
            changes->keys[changes->count] = all[i].key;
            changes->ordinals[changes->count++] = (struct col_i64){all[i].ordinal, stays};
        }
    }
}

static size_t distinct_models(const struct trades_store *trades, struct slice *models)
{
    struct key_index seen = key_index_on(trades->store->arena);
    size_t n = 0;
    for (size_t i = 0; i < trades->count; i++)
        if (is_fresh(trades, i) && key_index_add(&seen, row_of(trades->events[i])->model_id, n) == n)
            models[n++] = row_of(trades->events[i])->model_id;
    return n;
}

/* The standing rows of models[0..count), and each one's run. New models get one. */
static PGresult *find_runs(struct event_store *store, const struct slice *models, size_t count, int64_t *runs,
                           struct err *err)
{
    PGresult *standing = read_standing(store, models, count, err);
    if (!standing)
        return NULL;
    bool all = true;
    for (size_t m = 0; m < count; m++) {
        bool found = false;
        for (int i = 0; i < PQntuples(standing) && !found; i++) {
            found = slice_equal(cell_text(standing, i, 0), models[m]);
            runs[m] = found ? cell_i64(standing, i, 2).v >> RUN_BITS : 0;
        }
        all = all && found;
    }
    if (all)
        return standing;
    PQclear(standing);
    size_t known_count;
    struct feed_item *known = read_runs(store, &known_count, err);
    if (!known)
        return NULL;
    for (int round = 0; round < 2; round++) /* a new run may shift those that were found before it */
        for (size_t m = 0; m < count; m++)
            if (!run_of(store, &known, &known_count, models[m], &runs[m], err))
                return NULL;
    return read_standing(store, models, count, err);
}

static bool place(struct trades_store *trades, struct changes *changes, struct err *err)
{
    struct event_store *store = trades->store;
    struct slice *models = arena_alloc(store->arena, (trades->count + 1) * sizeof *models);
    size_t model_count = distinct_models(trades, models);
    int64_t *runs = arena_alloc(store->arena, (model_count + 1) * sizeof *runs);
    if (model_count == 0)
        return true;
    PGresult *result = find_runs(store, models, model_count, runs, err);
    if (!result)
        return false;
    size_t rows = (size_t)PQntuples(result);
    struct feed_item *standing = arena_zalloc(store->arena, (rows + 1) * sizeof *standing);
    changes->keys = arena_alloc(store->arena, (rows + 1) * sizeof *changes->keys);
    changes->ordinals = arena_alloc(store->arena, (rows + 1) * sizeof *changes->ordinals);
    for (size_t m = 0; m < model_count; m++) {
        size_t n = 0;
        for (int i = 0; i < (int)rows; i++)
            if (slice_equal(cell_text(result, i, 0), models[m]))
                standing[n++] = (struct feed_item){.rank = cell_f64(result, i, 3).v,
                                                   .key = arena_copy(store->arena, cell_text(result, i, 1)),
                                                   .ordinal = cell_i64(result, i, 2).v};
        place_in_run(trades, models[m], runs[m], standing, n, changes);
    }
    PQclear(result);
    return true;
}

static bool write(struct trades_store *trades, const struct changes *changes, struct err *err)
{
    struct event_store *store = trades->store;
    struct arena *arena = store->arena;
    const void **rows = arena_alloc(arena, (trades->count + 1) * sizeof *rows);
    struct slice *ids = arena_alloc(arena, (trades->count + 1) * sizeof *ids);
    struct position_touch *touched = arena_alloc(arena, (trades->count + 1) * sizeof *touched);
    size_t n = 0;
    for (size_t i = 0; i < trades->count; i++) {
        if (!is_fresh(trades, i))
            continue;
        const struct trades_row *row = row_of(trades->events[i]);
        rows[n] = row;
        ids[n] = row->id;
        touched[n++] = (struct position_touch){wire_position_id(arena, row->model_id, row->symbol, row->entry_ts_ms.v),
                                               row->model_id, row->symbol, row->entry_ts_ms.v};
        names_add(&store->models, row->model_id);
        names_add(&store->symbols, row->symbol);
        outbox_note(&store->notes, OUTBOX_TRADES, (const struct slice[]){row->model_id, row->id}, 2);
    }
    if (n == 0)
        return true;
    struct pipeline pipeline;
    struct err refused = ERR_INIT;
    pipeline_begin(&pipeline, store->session);
    bool good = many_add_upsert(&pipeline, store->many->trades, rows, n, arena, &refused);
    event_add_ordinals(store, &pipeline, "trades_ordinals", EVENT_SET_ORDINAL("trades", "id"), changes->keys,
                       changes->ordinals, changes->count);
    event_add_position_states(store, &pipeline, touched, n, ids, n);
    if (!pipeline_run_only(&pipeline, err))
        return false;
    if (!good) {
        *err = refused;
        return false;
    }
    store->feeds[OUTBOX_TRADES] = true;
    event_note_positions(store, touched, n);
    return event_list_position_models(store, touched, n, err);
}

bool event_store_trades(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    struct trades_store trades = {.store = store,
                                  .events = events,
                                  .count = count,
                                  .is_new = arena_zalloc(store->arena, count + 1),
                                  .first = arena_zalloc(store->arena, (count + 1) * sizeof(size_t)),
                                  .totals = arena_alloc(store->arena, (count + 1) * sizeof(struct total_item))};
    struct changes changes = {NULL, NULL, 0};
    if (!judge(&trades, err))
        return false;
    if (event_store_refuses(store, events, count))
        return true;
    if (!place(&trades, &changes, err) || !write(&trades, &changes, err) ||
        !event_write_totals(store, trades.totals, trades.total_count, err))
        return false;
    for (size_t i = 0; i < trades.total_count; i++)
        if (trades.totals[i].is_new) /* a known trade that brings a new account total is news */
            event_accept(trades.totals[i].event);
    for (size_t i = 0; i < count; i++) {
        if (trades.is_new[i])
            event_accept(events[i]);
        else
            event_duplicate(events[i]);
    }
    return true;
}
