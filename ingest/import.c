#include "ingest/import.h"

#include "ingest/import_parts.h"
#include "repo/version.h"

#include <errno.h>
#include <sys/stat.h>

static const char analytics_name[] = "analytics";

/* Small files first, so that faults in them show early. */
static const struct import_kind *const kinds[] = {
    &import_crypto_prices, &import_leaderboard,   &import_since_inception, &import_positions,
    &import_trades,        &import_conversations, &import_account_totals,
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

const char *const *import_endpoint_names(void)
{
    static const char *const names[] = {"account-totals", "positions",    "trades",
                                        "crypto-prices",  "leaderboard",  "since-inception-values",
                                        "conversations",  analytics_name, NULL};
    return names;
}

static bool is_wanted(const struct import_options *options, const char *name)
{
    return !options->only || strcmp(options->only, name) == 0;
}

/* The bytes of all walks over all files, and whether any of the files is there. */
static uint64_t plan_work(struct import *import)
{
    const struct import_options *options = import->options;
    uint64_t total = 0;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!is_wanted(options, kinds[i]->name))
            continue;
        struct buf name = BUF_INIT;
        buf_printf(&name, "%s.json", kinds[i]->name);
        uint64_t size = source_size(options->dir, buf_cstr(&name));
        total += size * (uint64_t)(1 + kinds[i]->load_walks);
        buf_free(&name);
    }
    if (is_wanted(options, analytics_name))
        total += source_size(options->dir, "analytics.json");
    return total;
}

static bool import_files(struct import *import, struct err *err)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (is_wanted(import->options, kinds[i]->name) && !import_list(import, kinds[i], err))
            return false;
    }
    return !is_wanted(import->options, analytics_name) || import_analytics(import, err);
}

/* One line when positions.json and the newest row of account-totals.json do not hold the same things. */
static bool compare_positions(struct import *import, struct err *err)
{
    static const char sql[] =
        "SELECT count(*)::text FROM position_feed_models f CROSS JOIN LATERAL ("
        "  SELECT a.positions FROM account_equity_snapshots a WHERE a.model_id = f.model_id AND a.feed_ordinal IS NOT "
        "NULL"
        "  ORDER BY a.ts_ms DESC LIMIT 1) newest "
        "WHERE f.feed_ordinal IS NOT NULL AND json_typeof(newest.positions) = 'object' AND "
        "(SELECT coalesce(array_agg(k || ' ' || coalesce(v->>'entry_oid', '') ORDER BY k COLLATE \"C\"), '{}') "
        "   FROM json_each(newest.positions) AS e(k, v)) IS DISTINCT FROM "
        "(SELECT coalesce(array_agg(p.symbol || ' ' || coalesce(p.entry_oid::text, '') ORDER BY p.symbol), '{}') "
        "   FROM positions p WHERE p.model_id = f.model_id AND p.status = 'open')";
    PGresult *result = session_query(import->session, sql, NULL, err);
    if (!result)
        return false;
    if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "0") != 0)
        report_line(
            import->report,
            "positions.json: models that hold other positions than in the newest row of account-totals.json: %s, "
            "both stored as they came",
            PQgetvalue(result, 0, 0));
    PQclear(result);
    return true;
}

bool import_committed(struct import *import, const char *endpoint, struct err *err)
{
    const struct import_options *options = import->options;
    int64_t version = 0;
    if (!options->committed)
        return true;
    if (!repo_version_read(import->session, &version, err))
        return err_wrap(err, "%s is stored, but", endpoint);
    options->committed(options->committed_arg, endpoint, version);
    return true;
}

/* Views are derived, so numbers that are too extreme to be summed up do not make an import fail. */
static bool refresh_views(struct import *import, struct err *err)
{
    if (session_exec(import->session, "SELECT refresh_views_nof0()", err))
        return import_committed(import, "leaderboard", err); /* where none is stored it comes from a view */
    if (err->code != ERR_INVALID)
        return false;
    report_problem(import->report, "import: everything is stored, but the views could not be computed: %s", err->text);
    return true;
}

static bool finish(struct import *import, struct err *err)
{
    report_phase(import->report, import->work_done, "computing views");
    return (!import->holdings_loaded || import->options->quiet || compare_positions(import, err)) &&
           refresh_views(import, err);
}

static bool check_folder(const char *dir, struct err *err)
{
    struct stat status;
    if (stat(dir, &status) != 0)
        return err_set_errno(err, errno, "%s", dir);
    if (!S_ISDIR(status.st_mode))
        return err_set(err, ERR_INVALID, "%s is no folder", dir);
    return true;
}

static bool check_only(const char *only, struct err *err)
{
    const char *const *name = import_endpoint_names();
    while (only && *name && strcmp(*name, only) != 0)
        name++;
    return *name || err_set(err, ERR_INVALID, "there is no endpoint \"%s\"", only);
}

static bool run(struct import *import, struct err *err)
{
    const struct import_options *options = import->options;
    if (!check_only(options->only, err) || !check_folder(options->dir, err))
        return false;
    import->session = session_open(options->dsn, err);
    if (!import->session)
        return err_wrap(err, "Postgres");
    report_begin_work(import->report, plan_work(import));
    if (!import_files(import, err))
        return false;
    if (!import->found)
        return err_set(err, ERR_NOT_FOUND, "%s has none of the files to import", options->dir);
    return finish(import, err);
}

enum import_result import_folder(const struct import_options *options)
{
    struct import import = {.options = options,
                            .report = report_new(options->out, options->problems, options->quiet, options->bar)};
    struct err err = ERR_INIT;
    bool ok = run(&import, &err);
    report_end_work(import.report);
    /* SQLSTATE undefined_table */
    const char *hint = strstr(err.text, "42P01") ? "; bring the schema up to date with nof0ctl migrate up" : "";
    if (!ok)
        report_problem(import.report, "import: %s%s", err.text, hint);
    session_close(import.session);
    report_free(import.report);
    if (!ok)
        return IMPORT_FAILED;
    return import.faulty ? IMPORT_FAULTS : IMPORT_DONE;
}
