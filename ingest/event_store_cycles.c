/* Decision cycles: told apart by id. In the feed they stand by instant, newest first, at most a hundred of all. */
#include "ingest/event_store.h"
#include "ingest/event_talks.h"

#include <stdlib.h>

enum { FEED_CYCLES = 100 };

static const char *const not_content[] = {"feed_ordinal", NULL};

static bool judge(struct event_store *store, struct event **events, size_t count, bool *is_new, struct err *err)
{
    struct slice *ids = arena_alloc(store->arena, (count + 1) * sizeof *ids);
    struct key_index index = key_index_on(store->arena);
    PGresult *result = NULL;
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = ((struct decision_cycles_row *)events[i]->row)->source_id;
    void **stored = event_load_by_text(store, store->many->decision_cycles, &table_decision_cycles, ids, count, &result,
                                       &found, err);
    for (size_t i = 0; stored && i < found; i++)
        (void)key_index_add(&index, ((struct decision_cycles_row *)stored[i])->source_id, count + i);
    for (size_t i = 0; stored && i < count; i++) {
        size_t at = key_index_add(&index, ids[i], i);
        const char *column = NULL;
        is_new[i] = at == i;
        const void *other = at < count ? events[at]->row : stored[at - count];
        if (at != i && !row_same(&table_decision_cycles, other, events[i]->row, not_content, &column))
            event_conflict(events[i], "a cycle of this id", column);
    }
    PQclear(result);
    return stored != NULL;
}

/* Newest first, ties by id from the last: who stands in front of the row, and who behind that one. */
static const char gaps_sql[] =
    "SELECT p.o, (SELECT n.feed_ordinal FROM decision_cycles AS n WHERE n.feed_ordinal IS NOT NULL AND"
    " n.feed_ordinal > coalesce(p.o, '-9223372036854775808'::bigint) ORDER BY n.feed_ordinal LIMIT 1)"
    " FROM unnest($1::float8[], $2::text[]) WITH ORDINALITY AS k(ts, id, i) LEFT JOIN LATERAL"
    " (SELECT t.feed_ordinal AS o FROM decision_cycles AS t WHERE t.feed_ordinal IS NOT NULL"
    " AND (t.timestamp_s, t.source_id) >= (k.ts, k.id) ORDER BY t.timestamp_s, t.source_id LIMIT 1) AS p ON true"
    " ORDER BY k.i";

static int compare_rows(const void *a, const void *b)
{
    const struct decision_cycles_row *x = *(struct decision_cycles_row *const *)a;
    const struct decision_cycles_row *y = *(struct decision_cycles_row *const *)b;
    if (x->timestamp_s.v != y->timestamp_s.v)
        return x->timestamp_s.v > y->timestamp_s.v ? -1 : 1;
    return slice_compare(y->source_id, x->source_id);
}

static bool try_place(struct event_store *store, struct decision_cycles_row **rows, size_t count, bool *fits,
                      struct err *err)
{
    struct slice *ids = arena_alloc(store->arena, (count + 1) * sizeof *ids);
    double *instants = arena_alloc(store->arena, (count + 1) * sizeof *instants);
    int64_t *ordinals = arena_alloc(store->arena, (count + 1) * sizeof *ordinals);
    for (size_t i = 0; i < count; i++) {
        ids[i] = rows[i]->source_id;
        instants[i] = rows[i]->timestamp_s.v;
    }
    struct params params = params_on(store->arena);
    params_add_f64_array(&params, instants, count);
    params_add_text_array(&params, ids, count);
    PGresult *result = event_read_rows(store, "cycles_gaps", gaps_sql, &params, err);
    if (!result)
        return false;
    *fits = true;
    for (size_t i = 0; i < count && *fits;) {
        struct col_i64 low = cell_i64(result, (int)i, 0);
        struct col_i64 high = cell_i64(result, (int)i, 1);
        size_t end = i + 1;
        while (end < count && cell_i64(result, (int)end, 0).set == low.set && cell_i64(result, (int)end, 0).v == low.v)
            end++;
        *fits = feed_space(low.set ? low.v : INT64_MIN, high.set ? high.v : INT64_MAX, end - i, ordinals);
        for (size_t k = i; *fits && k < end; k++)
            rows[k]->feed_ordinal = col_i64(ordinals[k - i]);
        i = end;
    }
    PQclear(result);
    return true;
}

static bool place(struct event_store *store, struct decision_cycles_row **rows, size_t count, struct err *err)
{
    bool fits = true;
    qsort(rows, count, sizeof rows[0], compare_rows);
    if (!try_place(store, rows, count, &fits, err) || fits)
        return fits;
    return session_exec(store->session,
                        "UPDATE decision_cycles AS t SET feed_ordinal = r.place << 32, updated_at = now() FROM"
                        " (SELECT id, row_number() OVER (ORDER BY feed_ordinal) AS place FROM decision_cycles"
                        " WHERE feed_ordinal IS NOT NULL) AS r WHERE r.id = t.id",
                        err) &&
           try_place(store, rows, count, &fits, err) &&
           (fits || err_set(err, ERR_INTERNAL, "no room in the feed of cycles"));
}

static bool write(struct event_store *store, struct decision_cycles_row **rows, size_t count, struct err *err)
{
    struct pipeline pipeline;
    struct err refused = ERR_INIT;
    struct params most = params_on(store->arena);
    params_add_i64(&most, FEED_CYCLES);
    pipeline_begin(&pipeline, store->session);
    bool good = many_add_upsert(&pipeline, store->many->decision_cycles, (const void *const *)rows, count, store->arena,
                                &refused);
    pipeline_add(&pipeline, "cycles_trim",
                 "UPDATE decision_cycles SET feed_ordinal = NULL, updated_at = now() WHERE feed_ordinal >="
                 " (SELECT feed_ordinal FROM decision_cycles WHERE feed_ordinal IS NOT NULL ORDER BY feed_ordinal"
                 " OFFSET $1 LIMIT 1)",
                 &most);
    if (!pipeline_run_only(&pipeline, err))
        return false;
    if (!good)
        *err = refused;
    return good;
}

bool event_store_cycles(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    bool *is_new = arena_zalloc(store->arena, count + 1);
    struct decision_cycles_row **rows = arena_alloc(store->arena, (count + 1) * sizeof *rows);
    size_t n = 0;
    if (!judge(store, events, count, is_new, err))
        return false;
    if (event_store_refuses(store, events, count))
        return true;
    for (size_t i = 0; i < count; i++) {
        struct decision_cycles_row *row = events[i]->row;
        if (!is_new[i]) {
            event_duplicate(events[i]);
            continue;
        }
        rows[n++] = row;
        names_add(&store->models, row->model_id);
        outbox_note(&store->notes, OUTBOX_CONVERSATIONS,
                    (const struct slice[]){row->model_id, SLICE("cycle"), row->source_id}, 3);
        event_accept(events[i]);
    }
    if (n == 0)
        return true;
    store->feeds[OUTBOX_CONVERSATIONS] = true;
    return place(store, rows, n, err) && write(store, rows, n, err);
}
