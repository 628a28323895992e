#include "ingest/export.h"

#include "base/mem.h"
#include "ingest/export_parts.h"
#include "ingest/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct export
{
    const struct export_options *options;
    struct report *report;
    struct session *session;
    struct export_documents documents;
};

static bool will_be_written(const struct export *export, const char *file)
{
    size_t length = strlen(file);
    if (length < strlen(".json") || strcmp(file + length - strlen(".json"), ".json") != 0)
        return false;
    struct slice name = {file, length - strlen(".json")};
    for (size_t i = 0; i < export->documents.count; i++) {
        if (slice_equal(export->documents.rows[i]->name, name))
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

static bool export_file(struct export *export, const struct feed_documents_row *document, struct err *err)
{
    size_t rows = 0;
    if (!export_write(export->session, export->options->dir, export->options->prices_provider, document, &rows, err))
        return false;
    report_line(export->report, "%.*s.json: %zu row%s", SLICE_ARG(document->name), rows, rows == 1 ? "" : "s");
    return true;
}

static bool run(struct export *export, struct err *err)
{
    export->session = session_open(export->options->dsn, err);
    if (!export->session)
        return err_wrap(err, "Postgres");
    bool ok = session_begin_snapshot(export->session, err) &&
              export_documents_read(&export->documents, export->session, err) &&
              (export->documents.count || err_set(err, ERR_NOT_FOUND, "nothing was imported into this database yet")) &&
              check_folder(export, err);
    for (size_t i = 0; ok && i < export->documents.count; i++)
        ok = export_file(export, export->documents.rows[i], err);
    return ok && session_commit(export->session, err);
}

bool export_folder(const struct export_options *options)
{
    struct export export = {.options = options,
                            .report = report_new(options->out, options->problems, options->quiet, false)};
    struct err err = ERR_INIT;
    bool ok = run(&export, &err);
    /* SQLSTATE undefined_table */
    const char *hint = strstr(err.text, "42P01") ? "; bring the schema up to date with nof0ctl migrate up" : "";
    if (!ok)
        report_problem(export.report, "export: %s%s", err.text, hint);
    session_close(export.session);
    report_free(export.report);
    export_documents_free(&export.documents);
    return ok;
}
