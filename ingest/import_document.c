#include "base/clock.h"
#include "base/num.h"
#include "ingest/import_parts.h"
#include "repo/encode.h"

#include <math.h>

void import_document_member(struct import_document *document, struct source *source, const char *key,
                            const cJSON *value)
{
    if (strcmp(key, "serverTime") != 0) {
        wire_remark_set(&document->remark, key, value);
        return;
    }
    double number = value->valuedouble;
    bool is_integer = cJSON_IsNumber(value) && number == trunc(number) && fabs(number) <= (double)NUM_EXACT_INTEGER_MAX;
    if (is_integer && !(number == 0 && signbit(number)))
        document->server_time_ms = col_i64((int64_t)number);
    else if (is_integer || cJSON_IsNull(value))
        wire_remark_set(&document->remark, key, value);
    else
        source_fault(source, "$.serverTime", "must be integer milliseconds");
}

void import_document_free(struct import_document *document)
{
    cJSON_Delete(document->remark.set);
    cJSON_Delete(document->remark.unset);
    *document = (struct import_document){0};
}

/* When the document was imported last; *found says whether it ever was. */
static bool last_import(struct import *import, struct arena *arena, const char *name, int64_t *imported_at, bool *found,
                        struct err *err)
{
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(name));
    PGresult *result = session_query(
        import->session,
        "SELECT (extract(epoch FROM imported_at) * 1000000)::bigint::text FROM feed_documents WHERE name = $1", &params,
        err);
    if (!result)
        return false;
    *found = PQntuples(result) > 0;
    if (*found)
        (void)num_parse_i64((struct slice){PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0)}, imported_at);
    PQclear(result);
    return true;
}

static bool upsert(struct import *import, struct arena *arena, const struct feed_documents_row *row, int64_t *affected,
                   struct err *err)
{
    struct buf sql = BUF_INIT;
    struct params params = params_on(arena);
    table_put_upsert(&sql, &table_feed_documents);
    bool ok = table_put_params(&params, &table_feed_documents, row, err) &&
              session_run(import->session, buf_cstr(&sql), &params, affected, err);
    buf_free(&sql);
    return ok;
}

bool import_document_store(struct import *import, const char *name, const char *shape, struct import_document *document,
                           bool changed, struct err *err)
{
    struct arena *arena = arena_new(0);
    int64_t now_us = clock_wall_ms() * 1000;
    int64_t before_us = now_us;
    int64_t affected = 0;
    bool found = false;
    struct feed_documents_row row = {.name = slice_of(name),
                                     .server_time_ms = document->server_time_ms,
                                     .shape = slice_of(shape),
                                     .wire_detail = wire_remark_take(&document->remark, arena)};
    bool ok = last_import(import, arena, name, &before_us, &found, err);
    if (ok && found && !changed) {
        row.imported_at = col_i64(before_us);
        ok = upsert(import, arena, &row, &affected, err);
        changed = affected > 0;
    }
    if (ok && (changed || !found)) {
        row.imported_at = col_i64(now_us);
        ok = upsert(import, arena, &row, &affected, err);
    }
    arena_free(arena);
    return ok;
}

bool import_store_names(struct import *import, const struct names *models, const struct names *symbols, struct err *err)
{
    static const char *const statements[] = {
        "INSERT INTO models (id, display_name) SELECT n, n FROM json_array_elements_text($1::text::json) n "
        "ON CONFLICT DO NOTHING",
        "INSERT INTO symbols (symbol, base_asset) SELECT n, n FROM json_array_elements_text($1::text::json) n "
        "ON CONFLICT DO NOTHING",
    };
    const struct names *const sets[] = {models, symbols};
    bool ok = true;
    for (size_t i = 0; ok && i < 2; i++) {
        struct arena *arena = arena_new(0);
        struct buf json = BUF_INIT;
        struct params params = params_on(arena);
        names_put_json(sets[i], &json);
        params_add_text(&params, buf_slice(&json));
        ok = session_run(import->session, statements[i], &params, NULL, err);
        buf_free(&json);
        arena_free(arena);
    }
    return ok;
}

bool import_begin(struct import *import, struct err *err)
{
    /* The number says "nof0 import"; whoever holds it lets go at the end of the transaction. */
    return session_begin(import->session, err) &&
           session_exec(import->session, "SELECT pg_advisory_xact_lock(hashtext('nof0 import'))", err);
}

bool import_load_failed(struct import *import, struct source *source, const struct err *err)
{
    session_rollback(import->session);
    if (err->code != ERR_INVALID && err->code != ERR_CONFLICT && err->code != ERR_LIMIT)
        return false;
    report_problem(import->report, "%s: %s", source->name, err->text);
    source->faults++;
    import->faulty = true;
    return true;
}
