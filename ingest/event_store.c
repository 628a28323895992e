#include "ingest/event_store.h"

#include <stdio.h>

void event_conflict(struct event *event, const char *what, const char *column)
{
    char reason[200];
    (void)snprintf(reason, sizeof reason, "%s is stored with other content (%s)", what, column ? column : "?");
    event_reject(event, "conflict", "$", reason);
}

bool event_store_refuses(struct event_store *store, struct event **events, size_t count)
{
    for (size_t i = 0; store->atomic && i < count; i++)
        store->refused = store->refused || events[i]->outcome.status == EVENT_REJECTED;
    return store->refused;
}

PGresult *event_read_rows(struct event_store *store, const char *name, const char *sql, const struct params *params,
                          struct err *err)
{
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    pipeline_begin(&pipeline, store->session);
    pipeline_add(&pipeline, name, sql, params);
    return pipeline_run(&pipeline, results, err) ? results[0] : NULL;
}

void **event_load_by_text(struct event_store *store, const struct many *many, const struct table *table,
                          const struct slice *keys, size_t count, PGresult **result, size_t *found, struct err *err)
{
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    struct params params = params_on(store->arena);
    params_add_text_array(&params, keys, count);
    pipeline_begin(&pipeline, store->session);
    many_add_load(&pipeline, many, &params);
    *result = NULL;
    if (!pipeline_run(&pipeline, results, err))
        return NULL;
    *result = results[0];
    return many_decode(table, *result, found, store->arena, err);
}

void event_add_ordinals(struct event_store *store, struct pipeline *pipeline, const char *name, const char *sql,
                        const struct slice *keys, const struct col_i64 *ordinals, size_t count)
{
    if (count == 0)
        return;
    struct params params = params_on(store->arena);
    params_add_text_array(&params, keys, count);
    params_add_nullable_i64_array(&params, ordinals, count);
    pipeline_add(pipeline, name, sql, &params);
}

struct feed_item *event_feed_names(struct event_store *store, const PGresult *result, size_t *count)
{
    *count = (size_t)PQntuples(result);
    struct feed_item *items = arena_zalloc(store->arena, (*count + 1) * sizeof *items);
    for (size_t i = 0; i < *count; i++) {
        items[i].key = arena_copy(store->arena, cell_text(result, (int)i, 0));
        items[i].ordinal = cell_i64(result, (int)i, 1).v;
    }
    return items;
}

/* Those of the keys that do not stand in the feed, each once. */
static size_t missing_names(const struct key_index *known, const struct slice *keys, size_t count,
                            struct feed_item *fresh, struct arena *arena)
{
    struct key_index seen = key_index_on(arena);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (key_index_find(known, keys[i]) == (size_t)KEY_NONE && key_index_add(&seen, keys[i], n) == n)
            fresh[n++] = (struct feed_item){.key = keys[i], .is_new = true};
    return n;
}

void event_place_names(struct event_store *store, struct pipeline *pipeline, const struct feed_item *standing,
                       size_t standing_count, const struct slice *keys, size_t count, struct col_i64 *ordinals,
                       const char *name, const char *sql)
{
    const struct feed_bounds bounds = {INT64_MIN, INT64_MAX, SIZE_MAX};
    struct arena *arena = store->arena;
    struct key_index known = key_index_on(arena);
    for (size_t i = 0; i < standing_count; i++)
        (void)key_index_add(&known, standing[i].key, i);
    struct feed_item *fresh = arena_alloc(arena, (count + 1) * sizeof *fresh);
    size_t fresh_count = missing_names(&known, keys, count, fresh, arena);
    struct feed_item *all;
    size_t all_count;
    size_t left;
    feed_merge(standing, standing_count, fresh, fresh_count, FEED_UP, &bounds, arena, &all, &all_count, &left);
    struct slice *moved_keys = arena_alloc(arena, (all_count + 1) * sizeof *moved_keys);
    struct col_i64 *moved = arena_alloc(arena, (all_count + 1) * sizeof *moved);
    size_t moved_count = 0;
    struct key_index placed = key_index_on(arena);
    for (size_t i = 0; i < all_count; i++) {
        (void)key_index_add(&placed, all[i].key, i);
        if (!all[i].moved)
            continue;
        moved_keys[moved_count] = all[i].key;
        moved[moved_count++] = col_i64(all[i].ordinal);
    }
    for (size_t i = 0; i < count; i++)
        ordinals[i] = col_i64(all[key_index_find(&placed, keys[i])].ordinal);
    event_add_ordinals(store, pipeline, name, sql, moved_keys, moved, moved_count);
}
