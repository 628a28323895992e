#include "ingest/export.h"

#include "base/mem.h"
#include "ingest/export_parts.h"
#include "ingest/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

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

struct export
{
    const struct export_options *options;
    struct report *report;
    struct session *session;
    struct arena *arena;
    const struct feed_documents_row **documents; /* by name */
    size_t count;
    size_t room;
};

static bool on_document(void *arg, const void *row, struct err *err)
{
    (void)err;
    struct export *export = arg;
    if (export->count == export->room) {
        export->room = export->room ? export->room * 2 : 32;
        export->documents = mem_realloc(export->documents, export->room * sizeof(const void *));
    }
    export->documents[export->count++] = row_copy(&table_feed_documents, row, export->arena);
    return true;
}

static bool read_documents(struct export *export, struct err *err)
{
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, &table_feed_documents, "");
    buf_append_str(&sql, " FROM feed_documents ORDER BY name");
    bool ok = session_each_row(export->session, buf_cstr(&sql), NULL, &table_feed_documents, on_document, export, err);
    buf_free(&sql);
    if (ok && export->count == 0)
        return err_set(err, ERR_NOT_FOUND, "nothing was imported into this database yet");
    for (size_t i = 0; ok && i < export->count; i++) {
        if (!rows_of(export->documents[i]->name))
            ok = err_set(err, ERR_INTERNAL, "feed_documents names a feed that is not known: \"%.*s\"",
                         SLICE_ARG(export->documents[i]->name));
    }
    return ok;
}

static bool will_be_written(const struct export *export, const char *file)
{
    size_t length = strlen(file);
    if (length < strlen(".json") || strcmp(file + length - strlen(".json"), ".json") != 0)
        return false;
    struct slice name = {file, length - strlen(".json")};
    for (size_t i = 0; i < export->count; i++) {
        if (slice_equal(export->documents[i]->name, name))
            return true;
    }
    return false;
}

/* What a killed export may have left: legacy/writer.c's temporary files. */
static bool is_left_over(const char *file)
{
    size_t length = strlen(file);
    return file[0] == '.' && length > strlen(".tmp") && strcmp(file + length - strlen(".tmp"), ".tmp") == 0;
}

/* A folder that holds anything else would no longer be what was exported, or is not meant for it. */
static bool check_folder(const struct export *export, struct err *err)
{
    const char *dir = export->options->dir;
    if (mkdir(dir, 0777) == 0)
        return true;
    if (errno != EEXIST)
        return err_set_errno(err, errno, "cannot make %s", dir);
    DIR *folder = opendir(dir);
    if (!folder)
        return err_set_errno(err, errno, "%s", dir);
    bool ok = true;
    const struct dirent *entry;
    while (ok && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_left_over(name))
            continue;
        if (!will_be_written(export, name))
            ok = err_set(err, ERR_CONFLICT, "%s holds \"%s\", which export does not write; take an empty folder", dir,
                         name);
    }
    (void)closedir(folder);
    return ok;
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

static bool export_file(struct export *export, const struct feed_documents_row *document, struct err *err)
{
    struct export_file file = {.session = export->session,
                               .options = export->options,
                               .document = document,
                               .pending = BUF_INIT,
                               .arena = arena_new(0)};
    file.json = json_writer_on(&file.pending);
    char *name = arena_printf(file.arena, "%.*s.json", SLICE_ARG(document->name));
    bool ok = wire_detail_open(&file.detail, document->wire_detail, err);
    if (ok) {
        file.writer = legacy_writer_open(export->options->dir, name, err);
        ok = file.writer && put_document(&file, rows_of(document->name), err);
        if (ok)
            ok = legacy_writer_commit(file.writer, err);
        else
            legacy_writer_abort(file.writer);
    }
    if (ok)
        report_line(export->report, "%s: %zu row%s", name, file.rows, file.rows == 1 ? "" : "s");
    else
        err_wrap(err, "%s", name);
    wire_detail_close(&file.detail);
    buf_free(&file.pending);
    arena_free(file.arena);
    return ok;
}

static bool run(struct export *export, struct err *err)
{
    export->session = session_open(export->options->dsn, err);
    if (!export->session)
        return err_wrap(err, "Postgres");
    bool ok = session_begin_snapshot(export->session, err) && read_documents(export, err) && check_folder(export, err);
    for (size_t i = 0; ok && i < export->count; i++)
        ok = export_file(export, export->documents[i], err);
    return ok && session_commit(export->session, err);
}

bool export_folder(const struct export_options *options)
{
    struct export export = {.options = options,
                            .report = report_new(options->out, options->problems, options->quiet, false),
                            .arena = arena_new(0)};
    struct err err = ERR_INIT;
    bool ok = run(&export, &err);
    /* SQLSTATE undefined_table */
    const char *hint = strstr(err.text, "42P01") ? "; bring the schema up to date with nof0ctl migrate up" : "";
    if (!ok)
        report_problem(export.report, "export: %s%s", err.text, hint);
    session_close(export.session);
    report_free(export.report);
    arena_free(export.arena);
    free(export.documents);
    return ok;
}
