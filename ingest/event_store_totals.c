/* Account totals: told apart by model and millisecond; in the feed stands of each id the newest, in the order of
 * instants, then models. */
#include "ingest/event_store.h"
#include "repo/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const not_content[] = {"feed_ordinal", "exchange_provider", "run_id", "metadata", NULL};

static struct slice instant_key(struct arena *arena, const struct account_equity_snapshots_row *row)
{
    return slice_of(arena_printf(arena, "%" PRId64 " %.*s", row->ts_ms.v, SLICE_ARG(row->model_id)));
}

static PGresult *load(struct event_store *store, const struct total_item *items, size_t count, struct err *err)
{
    struct slice *models = arena_alloc(store->arena, (count + 1) * sizeof *models);
    int64_t *instants = arena_alloc(store->arena, (count + 1) * sizeof *instants);
    for (size_t i = 0; i < count; i++) {
        models[i] = items[i].row->model_id;
        instants[i] = items[i].row->ts_ms.v;
    }
    struct params params = params_on(store->arena);
    params_add_text_array(&params, models, count);
    params_add_i64_array(&params, instants, count);
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    pipeline_begin(&pipeline, store->session);
    many_add_load(&pipeline, store->many->account_equity_snapshots, &params);
    return pipeline_run(&pipeline, results, err) ? results[0] : NULL;
}

bool event_judge_totals(struct event_store *store, struct total_item *items, size_t count, struct err *err)
{
    if (count == 0)
        return true;
    PGresult *result = load(store, items, count, err);
    size_t found = 0;
    void **stored = result ? many_decode(&table_account_equity_snapshots, result, &found, store->arena, err) : NULL;
    if (!stored) {
        PQclear(result);
        return false;
    }
    const void **rows = arena_alloc(store->arena, (found + count + 1) * sizeof *rows);
    size_t row_count = 0;
    struct key_index index = key_index_on(store->arena);
    for (size_t i = 0; i < found; i++) {
        rows[row_count] = stored[i];
        (void)key_index_add(&index, instant_key(store->arena, stored[i]), row_count++);
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = key_index_add(&index, instant_key(store->arena, items[i].row), row_count);
        const char *column = NULL;
        items[i].is_new = at == row_count;
        if (items[i].is_new)
            rows[row_count++] = items[i].row;
        else if (!row_same(&table_account_equity_snapshots, rows[at], items[i].row, not_content, &column))
            event_conflict(items[i].event, "the account total of this model and millisecond", column);
    }
    PQclear(result);
    return true;
}

/* The newest of each id: which of the new rows stand in the feed, and which standing ones leave it. */
struct newest {
    struct slice id;
    int64_t ts_ms;
    int64_t standing; /* the row's id in the table; 0: a new one */
    size_t item;      /* of a new one */
};

static PGresult *load_standing(struct event_store *store, const struct slice *ids, size_t count, struct err *err)
{
    struct params params = params_on(store->arena);
    params_add_text_array(&params, ids, count);
    return event_read_rows(store, "totals_standing",
                           "SELECT source_id, ts_ms, id FROM account_equity_snapshots"
                           " WHERE source_id = ANY($1) AND feed_ordinal IS NOT NULL",
                           &params, err);
}

/* A place between neighbours for each row: gaps[i] are the ordinals around it. */
struct gap {
    struct col_i64 low;
    struct col_i64 high;
};

static const char gaps_sql[] =
    "SELECT p.o, (SELECT n.feed_ordinal FROM account_equity_snapshots AS n WHERE n.feed_ordinal IS NOT NULL AND"
    " n.feed_ordinal > coalesce(p.o, '-9223372036854775808'::bigint) ORDER BY n.feed_ordinal LIMIT 1)"
    " FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS k(ts, m, i) LEFT JOIN LATERAL"
    " (SELECT t.feed_ordinal AS o FROM account_equity_snapshots AS t WHERE t.feed_ordinal IS NOT NULL"
    " AND (t.ts_ms, t.model_id) <= (k.ts, k.m) ORDER BY t.ts_ms DESC, t.model_id DESC LIMIT 1) AS p ON true ORDER BY "
    "k.i";

static bool read_gaps(struct event_store *store, struct account_equity_snapshots_row *const *rows, size_t count,
                      struct gap *gaps, struct err *err)
{
    struct slice *models = arena_alloc(store->arena, (count + 1) * sizeof *models);
    int64_t *instants = arena_alloc(store->arena, (count + 1) * sizeof *instants);
    for (size_t i = 0; i < count; i++) {
        models[i] = rows[i]->model_id;
        instants[i] = rows[i]->ts_ms.v;
    }
    struct params params = params_on(store->arena);
    params_add_i64_array(&params, instants, count);
    params_add_text_array(&params, models, count);
    PGresult *result = event_read_rows(store, "totals_gaps", gaps_sql, &params, err);
    if (!result)
        return false;
    for (size_t i = 0; i < count; i++) {
        gaps[i].low = cell_i64(result, (int)i, 0);
        gaps[i].high = cell_i64(result, (int)i, 1);
    }
    PQclear(result);
    return true;
}

/* Spreads the whole feed out again, when two neighbours left no room between them. */
static bool spread_feed(struct event_store *store, struct err *err)
{
    return session_exec(store->session,
                        "UPDATE account_equity_snapshots AS t SET feed_ordinal = r.place << 32, updated_at = now() FROM"
                        " (SELECT id, row_number() OVER (ORDER BY feed_ordinal) AS place FROM account_equity_snapshots"
                        " WHERE feed_ordinal IS NOT NULL) AS r WHERE r.id = t.id",
                        err);
}

/* Rows are sorted, so those of one gap stand together. False in *fits when some gap has no room. */
static void fill_gaps(struct account_equity_snapshots_row *const *rows, const struct gap *gaps, size_t count,
                      struct arena *arena, bool *fits)
{
    int64_t *ordinals = arena_alloc(arena, (count + 1) * sizeof *ordinals);
    *fits = true;
    for (size_t i = 0; i < count && *fits;) {
        size_t end = i + 1;
        while (end < count && gaps[end].low.set == gaps[i].low.set && gaps[end].low.v == gaps[i].low.v)
            end++;
        *fits = feed_space(gaps[i].low.set ? gaps[i].low.v : INT64_MIN, gaps[i].high.set ? gaps[i].high.v : INT64_MAX,
                           end - i, ordinals);
        for (size_t k = i; *fits && k < end; k++)
            rows[k]->feed_ordinal = col_i64(ordinals[k - i]);
        i = end;
    }
}

static int compare_rows(const void *a, const void *b)
{
    const struct account_equity_snapshots_row *x = *(struct account_equity_snapshots_row *const *)a;
    const struct account_equity_snapshots_row *y = *(struct account_equity_snapshots_row *const *)b;
    if (x->ts_ms.v != y->ts_ms.v)
        return x->ts_ms.v < y->ts_ms.v ? -1 : 1;
    return slice_compare(x->model_id, y->model_id);
}

static bool place(struct event_store *store, struct account_equity_snapshots_row **rows, size_t count, struct err *err)
{
    struct gap *gaps = arena_alloc(store->arena, (count + 1) * sizeof *gaps);
    bool fits = true;
    if (count == 0)
        return true;
    qsort(rows, count, sizeof rows[0], compare_rows);
    if (!read_gaps(store, rows, count, gaps, err))
        return false;
    fill_gaps(rows, gaps, count, store->arena, &fits);
    if (fits)
        return true;
    if (!spread_feed(store, err) || !read_gaps(store, rows, count, gaps, err))
        return false;
    fill_gaps(rows, gaps, count, store->arena, &fits);
    return fits || err_set(err, ERR_INTERNAL, "no room in the feed of account totals");
}

static bool is_live(const struct total_item *item)
{
    return item->is_new && item->event->outcome.status != EVENT_REJECTED;
}

/* Of each id the newest row, standing or new, by its place in `best`. */
static bool find_newest(struct event_store *store, const struct total_item *items, size_t count, struct newest *best,
                        size_t *best_count, int64_t *leaving, size_t *leaving_count, struct err *err)
{
    struct slice *ids = arena_alloc(store->arena, (count + 1) * sizeof *ids);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (is_live(&items[i]))
            ids[n++] = items[i].row->source_id;
    PGresult *result = load_standing(store, ids, n, err);
    if (!result)
        return false;
    struct key_index index = key_index_on(store->arena);
    *best_count = *leaving_count = 0;
    for (int i = 0; i < PQntuples(result); i++) {
        struct newest one = {arena_copy(store->arena, cell_text(result, i, 0)), cell_i64(result, i, 1).v,
                             cell_i64(result, i, 2).v, 0};
        size_t at = key_index_add(&index, one.id, *best_count);
        if (at == *best_count)
            best[(*best_count)++] = one; /* an imported feed may have an id twice: the others stay where they are */
    }
    PQclear(result);
    for (size_t i = 0; i < count; i++) {
        if (!is_live(&items[i]))
            continue;
        struct newest one = {items[i].row->source_id, items[i].row->ts_ms.v, 0, i};
        size_t at = key_index_add(&index, one.id, *best_count);
        if (at == *best_count) {
            best[(*best_count)++] = one;
        } else if (one.ts_ms > best[at].ts_ms) {
            if (best[at].standing)
                leaving[(*leaving_count)++] = best[at].standing;
            best[at] = one;
        }
    }
    return true;
}

static bool write_rows(struct event_store *store, const void *const *rows, size_t count, const int64_t *leaving,
                       size_t leaving_count, struct err *err)
{
    struct pipeline pipeline;
    struct params params = params_on(store->arena);
    params_add_i64_array(&params, leaving, leaving_count);
    pipeline_begin(&pipeline, store->session);
    struct err refused = ERR_INIT;
    bool good = many_add_upsert(&pipeline, store->many->account_equity_snapshots, rows, count, store->arena, &refused);
    pipeline_add(&pipeline, "totals_leave",
                 "UPDATE account_equity_snapshots SET feed_ordinal = NULL, updated_at = now() WHERE id = ANY($1)",
                 &params);
    if (!pipeline_run_only(&pipeline, err))
        return false;
    if (!good)
        *err = refused;
    return good;
}

static void note_row(struct event_store *store, const struct account_equity_snapshots_row *row)
{
    char instant[32];
    (void)snprintf(instant, sizeof instant, "%" PRId64, row->ts_ms.v);
    const struct slice texts[] = {row->model_id, slice_of(instant)};
    outbox_note(&store->notes, OUTBOX_ACCOUNT_TOTALS, texts, 2);
}

bool event_write_totals(struct event_store *store, struct total_item *items, size_t count, struct err *err)
{
    struct newest *best = arena_alloc(store->arena, (2 * count + 1) * sizeof *best);
    int64_t *leaving = arena_alloc(store->arena, (2 * count + 1) * sizeof *leaving);
    struct account_equity_snapshots_row **shown = arena_alloc(store->arena, (count + 1) * sizeof *shown);
    const void **rows = arena_alloc(store->arena, (count + 1) * sizeof *rows);
    size_t best_count;
    size_t leaving_count;
    size_t shown_count = 0;
    size_t row_count = 0;
    for (size_t i = 0; i < count; i++)
        if (is_live(&items[i]))
            rows[row_count++] = items[i].row;
    if (row_count == 0)
        return true;
    if (!find_newest(store, items, count, best, &best_count, leaving, &leaving_count, err))
        return false;
    for (size_t i = 0; i < best_count; i++)
        if (!best[i].standing)
            shown[shown_count++] = items[best[i].item].row;
    if (!place(store, shown, shown_count, err) || !write_rows(store, rows, row_count, leaving, leaving_count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_live(&items[i]))
            continue;
        const struct account_equity_snapshots_row *row = items[i].row;
        names_add(&store->models, row->model_id);
        if (row->feed_ordinal.set)
            note_row(store, row);
        else if (items[i].event->account != row)
            items[i].event->outcome.superseded = true;
    }
    store->feeds[OUTBOX_ACCOUNT_TOTALS] = store->feeds[OUTBOX_ACCOUNT_TOTALS] || shown_count > 0;
    return true;
}

bool event_store_totals(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    struct total_item *items = arena_alloc(store->arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct total_item){events[i], events[i]->row, false};
    if (!event_judge_totals(store, items, count, err))
        return false;
    if (event_store_refuses(store, events, count))
        return true;
    if (!event_write_totals(store, items, count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (items[i].is_new)
            event_accept(events[i]);
        else
            event_duplicate(events[i]);
    }
    return true;
}
