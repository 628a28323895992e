#include "base/mem.h"
#include "ingest/export_parts.h"

#include <stdlib.h>

static const struct {
    const char *name;
    export_rows_fn *rows;
} feeds[] = {
    {"account-totals", export_rows_account_totals},
    {"positions", export_rows_positions},
    {"trades", export_rows_trades},
    {"crypto-prices", export_rows_crypto_prices},
    {"leaderboard", export_rows_leaderboard},
    {"since-inception-values", export_rows_since_inception},
    {"analytics", export_rows_analytics},
    {"conversations", export_rows_conversations},
};

/* NULL when nof0 knows no such feed. */
static export_rows_fn *rows_of(struct slice name)
{
    for (size_t i = 0; i < sizeof feeds / sizeof *feeds; i++) {
        if (slice_is(name, feeds[i].name))
            return feeds[i].rows;
    }
    bool is_own = name.n > strlen("analytics-") && memcmp(name.p, "analytics-", strlen("analytics-")) == 0 &&
                  !memchr(name.p, '/', name.n);
    return is_own ? export_rows_analytics_own : NULL;
}

static bool on_document(void *arg, const void *row, struct err *err)
{
    (void)err;
    struct export_documents *documents = arg;
    if (documents->count == documents->room) {
        documents->room = documents->room ? documents->room * 2 : 32;
        documents->rows = mem_realloc(documents->rows, documents->room * sizeof(const void *));
    }
    documents->rows[documents->count++] = row_copy(&table_feed_documents, row, documents->arena);
    return true;
}

bool export_documents_read(struct export_documents *documents, struct session *session, struct err *err)
{
    *documents = (struct export_documents){.arena = arena_new(0)};
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, &table_feed_documents, "");
    buf_append_str(&sql, " FROM feed_documents ORDER BY name");
    bool ok = session_each_row(session, buf_cstr(&sql), NULL, &table_feed_documents, on_document, documents, err);
    buf_free(&sql);
    for (size_t i = 0; ok && i < documents->count; i++) {
        if (!rows_of(documents->rows[i]->name))
            ok = err_set(err, ERR_INTERNAL, "feed_documents names a feed that is not known: \"%.*s\"",
                         SLICE_ARG(documents->rows[i]->name));
    }
    return ok;
}

void export_documents_free(struct export_documents *documents)
{
    free(documents->rows);
    arena_free(documents->arena);
    *documents = (struct export_documents){0};
}

static bool put_document(struct export_file *file, export_rows_fn *rows, struct err *err)
{
    json_begin_object(&file->json);
    if (!rows(file, err))
        return false;
    wire_detail_put_set(&file->json, &file->detail, NULL);
    if (file->document->server_time_ms.set) {
        json_key(&file->json, SLICE("serverTime"));
        json_i64(&file->json, file->document->server_time_ms.v);
    }
    json_end_object(&file->json);
    buf_append_char(&file->pending, '\n');
    return legacy_writer_write(file->writer, buf_slice(&file->pending), err);
}

bool export_write(struct session *session, const char *dir, const char *prices_provider,
                  const struct feed_documents_row *document, size_t *rows, struct err *err)
{
    struct export_file file = {.session = session,
                               .prices_provider = prices_provider,
                               .document = document,
                               .pending = BUF_INIT,
                               .arena = arena_new(0)};
    file.json = json_writer_on(&file.pending);
    char *name = arena_printf(file.arena, "%.*s.json", SLICE_ARG(document->name));
    bool ok = wire_detail_open(&file.detail, document->wire_detail, err);
    if (ok) {
        file.writer = legacy_writer_open(dir, name, err);
        ok = file.writer && put_document(&file, rows_of(document->name), err);
        if (ok)
            ok = legacy_writer_commit(file.writer, err);
        else
            legacy_writer_abort(file.writer);
    }
    *rows = file.rows;
    if (!ok)
        err_wrap(err, "%s", name);
    wire_detail_close(&file.detail);
    buf_free(&file.pending);
    arena_free(file.arena);
    return ok;
}
