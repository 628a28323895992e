#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/analytics_files.h"
#include "ingest/canonical.h"

#include <inttypes.h>
#include <stdlib.h>

/* A model's analytics as the database has them, and as they will be. */
struct entry {
    struct slice model;
    bool is_stored;
    bool had_own;               /* feed_documents knows a file of its own */
    struct slice old_payload;   /* p == NULL: no row */
    struct slice old_bulk;      /* its entry in the list; p == NULL: it has none */
    struct col_i64 old_ordinal; /* its place in the list */
    struct col_i64 old_server_time;
    struct slice old_metadata;
    struct slice bulk; /* from now on */
    struct col_i64 ordinal;
    const struct analytics_own *own; /* its file in the folder; NULL: none */
};

struct merge {
    struct import *import;
    struct analytics_files *files;
    struct arena *arena;
    struct entry *entries;
    size_t count;
    size_t room;
    struct bulk_counts counts;
    int64_t removed;
    size_t newer; /* own files that are newer than the list */
};

static struct entry *entry_of(struct merge *merge, struct slice model)
{
    for (size_t i = 0; i < merge->count; i++) {
        if (slice_equal(merge->entries[i].model, model))
            return &merge->entries[i];
    }
    if (merge->count == merge->room) {
        merge->room = merge->room ? merge->room * 2 : 32;
        merge->entries = mem_realloc(merge->entries, merge->room * sizeof *merge->entries);
    }
    struct entry *entry = &merge->entries[merge->count++];
    *entry = (struct entry){.model = arena_copy(merge->arena, model)};
    return entry;
}

static bool on_stored_row(void *arg, const void *stored, struct err *err)
{
    (void)err;
    struct merge *merge = arg;
    const struct model_analytics_row *row = stored;
    struct entry *entry = entry_of(merge, row->model_id);
    entry->is_stored = true;
    entry->old_payload = arena_copy(merge->arena, row->payload);
    entry->old_metadata = arena_copy(merge->arena, row->metadata);
    entry->old_server_time = row->server_time_ms;
    entry->old_ordinal = row->feed_ordinal;
    if (row->feed_ordinal.set)
        entry->old_bulk = row->bulk_payload.p ? arena_copy(merge->arena, row->bulk_payload) : entry->old_payload;
    return true;
}

static bool read_stored(struct merge *merge, struct err *err)
{
    struct session *session = merge->import->session;
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, &table_model_analytics, "");
    buf_append_str(&sql, " FROM model_analytics ORDER BY model_id");
    bool ok = session_each_row(session, buf_cstr(&sql), NULL, &table_model_analytics, on_stored_row, merge, err);
    buf_free(&sql);
    if (!ok)
        return false;
    PGresult *result = session_query(
        session, "SELECT substr(name, length('analytics-') + 1) FROM feed_documents WHERE name LIKE 'analytics-%'",
        NULL, err);
    if (!result)
        return false;
    for (int i = 0; i < PQntuples(result); i++)
        entry_of(merge, (struct slice){PQgetvalue(result, i, 0), (size_t)PQgetlength(result, i, 0)})->had_own = true;
    PQclear(result);
    return true;
}

/* The list as it will be: the file's where it is good, else the one that is stored. */
static void place_bulk(struct merge *merge)
{
    if (!merge->files->bulk_good) {
        for (size_t i = 0; i < merge->count; i++) {
            merge->entries[i].bulk = merge->entries[i].old_bulk;
            merge->entries[i].ordinal = merge->entries[i].old_ordinal;
        }
        return;
    }
    struct feed_order order = FEED_ORDER_INIT;
    const cJSON *payload;
    cJSON_ArrayForEach(payload, merge->files->bulk)
    {
        struct entry *entry = entry_of(merge, analytics_model(payload));
        entry->bulk = wire_read_json(payload, merge->arena);
        entry->ordinal = col_i64(feed_order_next(&order, entry->model));
    }
    feed_order_free(&order);
}

static double updated_at(const cJSON *payload)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(payload, "updated_at");
    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

static bool same_json(struct slice a, struct slice b, size_t *newer)
{
    cJSON *left = json_parse(a, NULL);
    cJSON *right = json_parse(b, NULL);
    bool same = left && right && json_same_content(left, right);
    *newer += updated_at(left) > updated_at(right);
    cJSON_Delete(left);
    cJSON_Delete(right);
    return same;
}

/* When the payload was true, where no list says so. */
static int64_t time_of(struct slice payload)
{
    int64_t ms = 0;
    cJSON *tree = json_parse(payload, NULL);
    if (!instant_cut_seconds(updated_at(tree), &ms))
        ms = 0;
    cJSON_Delete(tree);
    return ms;
}

/* The model's own object, as it will be: of a good file, or the stored one while its file is bad. */
static struct slice own_payload(struct merge *merge, const struct entry *entry)
{
    if (!entry->own)
        return (struct slice){NULL, 0};
    if (entry->own->good)
        return wire_read_json(entry->own->payload, merge->arena);
    return entry->had_own ? entry->old_payload : (struct slice){NULL, 0};
}

static bool add_row(struct merge *merge, struct bulk *bulk, const struct entry *entry, struct slice own,
                    struct err *err)
{
    struct model_analytics_row row = {.model_id = entry->model,
                                      .payload = own.p ? own : entry->bulk,
                                      .metadata = entry->old_metadata.p ? entry->old_metadata : SLICE("{}"),
                                      .feed_ordinal = entry->ordinal};
    if (own.p && entry->bulk.p && !same_json(own, entry->bulk, &merge->newer))
        row.bulk_payload = entry->bulk;
    const struct analytics_files *files = merge->files;
    if (entry->bulk.p && files->bulk_good && files->bulk_document.server_time_ms.set)
        row.server_time_ms = files->bulk_document.server_time_ms;
    else if (entry->bulk.p && !files->bulk_good && entry->old_server_time.set)
        row.server_time_ms = entry->old_server_time;
    else
        row.server_time_ms = col_i64(time_of(row.payload));
    return bulk_add(bulk, &row, err);
}

static bool run_for_name(struct merge *merge, const char *sql, struct slice name, int64_t *affected, struct err *err)
{
    struct params params = params_on(merge->arena);
    params_add_text(&params, name);
    return session_run(merge->import->session, sql, &params, affected, err);
}

/* Rows of models that neither list nor file of their own speaks of any longer go, and so do the records of files that
 * are no longer there. */
static bool forget(struct merge *merge, const struct entry *entry, bool has_row, struct err *err)
{
    int64_t affected = 0;
    bool came_from_files = entry->old_bulk.p || entry->had_own;
    if (!has_row && entry->is_stored && came_from_files) {
        if (!run_for_name(merge, "DELETE FROM model_analytics WHERE model_id = $1", entry->model, &affected, err))
            return false;
        merge->removed += affected;
    }
    if (entry->had_own && !entry->own) {
        if (!run_for_name(merge, "DELETE FROM feed_documents WHERE name = 'analytics-' || $1", entry->model, &affected,
                          err))
            return false;
    }
    return true;
}

static bool merge_rows(struct merge *merge, struct err *err)
{
    struct names models;
    struct names symbols;
    names_start(&models);
    names_start(&symbols);
    struct bulk *bulk = bulk_begin(merge->import->session, &table_model_analytics, err);
    bool ok = bulk != NULL;
    for (size_t i = 0; ok && i < merge->count; i++) {
        const struct entry *entry = &merge->entries[i];
        struct slice own = own_payload(merge, entry);
        bool has_row = own.p || entry->bulk.p;
        if (has_row) {
            names_add(&models, entry->model);
            ok = add_row(merge, bulk, entry, own, err);
        }
        ok = ok && forget(merge, entry, has_row, err);
    }
    ok = ok && import_store_names(merge->import, &models, &symbols, err) &&
         bulk_merge(bulk, BULK_KEEP_FEED, &merge->counts, err);
    bulk_free(bulk);
    names_stop(&models);
    names_stop(&symbols);
    return ok;
}

static bool store_documents(struct merge *merge, struct err *err)
{
    struct analytics_files *files = merge->files;
    bool changed = merge->counts.inserted + merge->counts.updated + merge->removed > 0;
    if (files->bulk_good &&
        !import_document_store(merge->import, "analytics", "object", &files->bulk_document, changed, err))
        return false;
    for (size_t i = 0; i < files->own_count; i++) {
        struct analytics_own *own = &files->own[i];
        if (own->good && !import_document_store(merge->import, own->name, own->in_array ? "array" : "object",
                                                &own->document, changed, err))
            return false;
    }
    return true;
}

static bool load(struct merge *merge, struct err *err)
{
    if (!import_begin(merge->import, err) || !read_stored(merge, err))
        return false;
    place_bulk(merge);
    for (size_t i = 0; i < merge->files->own_count; i++)
        entry_of(merge, slice_of(merge->files->own[i].model))->own = &merge->files->own[i];
    return merge_rows(merge, err) && store_documents(merge, err) && session_commit(merge->import->session, err) &&
           import_committed(merge->import, "analytics", err);
}

static void tell(const struct merge *merge)
{
    struct report *report = merge->import->report;
    const struct bulk_counts *counts = &merge->counts;
    if (merge->newer)
        report_line(report, "analytics: models whose own file is newer than analytics.json: %zu, stored as they came",
                    merge->newer);
    report_line(report,
                "analytics.json and files of single models (%zu): %" PRId64 " rows: %" PRId64 " new, %" PRId64
                " changed, %" PRId64 " unchanged, %" PRId64 " no longer there",
                merge->files->own_count, counts->inserted + counts->updated + counts->unchanged, counts->inserted,
                counts->updated, counts->unchanged, merge->removed);
}

bool import_analytics(struct import *import, struct err *err)
{
    struct analytics_files files;
    analytics_files_read(&files, import);
    bool any_good = files.bulk_good;
    for (size_t i = 0; i < files.own_count; i++)
        any_good = any_good || files.own[i].good;
    if (files.bulk_missing)
        report_line(import->report, "analytics.json: not there, its rows stay as they are");

    bool ok = true;
    if (any_good) {
        struct merge merge = {.import = import, .files = &files, .arena = arena_new(0)};
        ok = load(&merge, err);
        if (ok) {
            tell(&merge);
        } else {
            struct source all = {.report = import->report, .name = (char[]){"analytics"}};
            ok = import_load_failed(import, &all, err);
        }
        free(merge.entries);
        arena_free(merge.arena);
    }
    analytics_files_free(&files);
    return ok;
}
