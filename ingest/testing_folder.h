/* For tests: a migrated database of one's own, folders of JSON files, and what import and export say about them. */
#ifndef NOF0_INGEST_TESTING_FOLDER_H
#define NOF0_INGEST_TESTING_FOLDER_H

#include "base/mem.h"
#include "ingest/export.h"
#include "ingest/import.h"
#include "repo/migrate.h"
#include "repo/pg_testing.h"
#include "repo/testing_rows.h"

#include <dirent.h>
#include <sys/stat.h>

struct bench {
    struct pg_testing testing;
    struct session *session;
    char root[64]; /* a folder of one's own */
    char in[80];
    char out[80];
    char *said; /* by the last import or export: both streams */
};

static inline void bench_exec(struct bench *bench, const char *sql)
{
    struct err err = ERR_INIT;
    if (!session_exec(bench->session, sql, &err))
        fail_msg("%s: %s", sql, err.text);
}

/* False when there is no server to test with. */
static inline bool bench_start(struct bench *bench, const char *purpose)
{
    struct err err = ERR_INIT;
    memset(bench, 0, sizeof *bench);
    if (!pg_testing_start(&bench->testing, purpose))
        return false;
    struct migration_set *set = migration_set_embedded(&err);
    bench->session = session_open(bench->testing.dsn, &err);
    if (!set || !bench->session || !migrate_up(bench->session, set, MIGRATE_ALL, NULL, &err))
        fail_msg("%s", err.text);
    migration_set_free(set);
    strcpy(bench->root, "/tmp/nof0-ingest-XXXXXX");
    assert_non_null(mkdtemp(bench->root));
    (void)snprintf(bench->in, sizeof bench->in, "%s/in", bench->root);
    (void)snprintf(bench->out, sizeof bench->out, "%s/out", bench->root);
    assert_int_equal(mkdir(bench->in, 0700), 0);
    return true;
}

static inline void bench_empty(const char *dir)
{
    DIR *folder = opendir(dir);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        (void)unlink(path);
    }
    if (folder)
        (void)closedir(folder);
}

static inline void bench_stop(struct bench *bench)
{
    bench_empty(bench->in);
    bench_empty(bench->out);
    (void)rmdir(bench->in);
    (void)rmdir(bench->out);
    (void)rmdir(bench->root);
    free(bench->said);
    session_close(bench->session);
    pg_testing_stop(&bench->testing);
}

/* As if nothing had ever been imported. */
static inline void bench_reset(struct bench *bench)
{
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "TRUNCATE ");
    for (size_t i = 0; i < repo_table_count; i++)
        buf_printf(&sql, "%s%s", i ? ", " : "", repo_tables[i]->name);
    bench_exec(bench, buf_cstr(&sql));
    buf_free(&sql);
    bench_empty(bench->in);
    bench_empty(bench->out);
}

static inline void bench_put(struct bench *bench, const char *name, struct slice content)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", bench->in, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.p, 1, content.n, file), content.n);
    assert_int_equal(fclose(file), 0);
}

static inline struct slice bench_read(const char *dir, const char *name, struct buf *content)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is not there", path);
    size_t n;
    while ((n = fread(buf_reserve(content, 1 << 16), 1, 1 << 16, file)) > 0)
        content->len += n;
    (void)fclose(file);
    return buf_slice(content);
}

static inline enum import_result bench_import_from(struct bench *bench, const char *dir, const char *only)
{
    size_t length = 0;
    free(bench->said);
    FILE *said = open_memstream(&bench->said, &length);
    const struct import_options options = {
        .dsn = bench->testing.dsn, .dir = dir, .only = only, .prices_provider = "arena", .out = said, .problems = said};
    enum import_result result = import_folder(&options);
    (void)fclose(said);
    return result;
}

static inline void bench_import(struct bench *bench, enum import_result expected)
{
    enum import_result result = bench_import_from(bench, bench->in, NULL);
    if (result != expected)
        fail_msg("import gave %d: %s", (int)result, bench->said);
}

static inline bool bench_export(struct bench *bench)
{
    size_t length = 0;
    free(bench->said);
    FILE *said = open_memstream(&bench->said, &length);
    const struct export_options options = {
        .dsn = bench->testing.dsn, .dir = bench->out, .prices_provider = "arena", .out = said, .problems = said};
    bool ok = export_folder(&options);
    (void)fclose(said);
    return ok;
}

static inline void bench_assert_said(const struct bench *bench, const char *line)
{
    if (!strstr(bench->said, line))
        fail_msg("\"%s\" is not in: %s", line, bench->said);
}

static inline size_t bench_count_json(const char *dir)
{
    size_t count = 0;
    DIR *folder = opendir(dir);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        size_t length = strlen(entry->d_name);
        count += length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
    }
    if (folder)
        (void)closedir(folder);
    return count;
}

/* Every JSON file of `dir` was exported with equal content, and no other. */
static inline void bench_assert_exported(struct bench *bench, const char *dir)
{
    if (!bench_export(bench))
        fail_msg("%s", bench->said);
    assert_int_equal(bench_count_json(bench->out), bench_count_json(dir));
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".json") != 0)
            continue;
        struct buf before = BUF_INIT;
        struct buf after = BUF_INIT;
        if (!rows_same_json_text(bench_read(dir, entry->d_name, &before),
                                 bench_read(bench->out, entry->d_name, &after)))
            fail_msg("%s came back changed:\n%.2000s\n%.2000s", entry->d_name, buf_cstr(&before), buf_cstr(&after));
        buf_free(&before);
        buf_free(&after);
    }
    (void)closedir(folder);
}

/* The first field of the first row, as text; the caller frees. */
static inline char *bench_ask(struct bench *bench, const char *sql)
{
    PGresult *result = PQexec(bench->testing.conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(bench->testing.conn));
    const char *value = PQntuples(result) ? PQgetvalue(result, 0, 0) : "(no row)";
    char *copy = mem_strndup(value, strlen(value));
    PQclear(result);
    return copy;
}

static inline void bench_assert_row(struct bench *bench, const char *sql, const char *expected)
{
    char *answer = bench_ask(bench, sql);
    if (strcmp(answer, expected) != 0)
        fail_msg("%s: %s, not %s", sql, answer, expected);
    free(answer);
}

/* A digest of every row of every table, but for what tells when it was written, and for numbers that only tell rows
 * apart. */
static inline char *bench_digest(struct bench *bench)
{
    return bench_ask(
        bench,
        "SELECT md5(string_agg(t, '|' ORDER BY t)) FROM ("
        "SELECT 'm' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text t FROM models x UNION ALL "
        "SELECT 's' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM symbols x UNION ALL "
        "SELECT 'p' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM price_latest x UNION ALL "
        "SELECT 'e' || (to_jsonb(x) - '{id,created_at,updated_at}'::text[])::text FROM account_equity_snapshots x "
        "UNION ALL SELECT 'o' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM positions x UNION ALL "
        "SELECT 'f' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM position_feed_models x UNION ALL "
        "SELECT 't' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM trades x UNION ALL "
        "SELECT 'a' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM model_analytics x UNION ALL "
        "SELECT 'c' || (to_jsonb(x) - '{id,created_at,updated_at}'::text[])::text FROM conversations x UNION ALL "
        "SELECT 'g' || c.source_key || (to_jsonb(x) - '{id,conversation_id,created_at,updated_at}'::text[])::text "
        "  FROM conversation_messages x JOIN conversations c ON c.id = x.conversation_id UNION ALL "
        "SELECT 'd' || (to_jsonb(x) - '{id,created_at,updated_at}'::text[])::text FROM decision_cycles x UNION ALL "
        "SELECT 'i' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM since_inception_values x UNION ALL "
        "SELECT 'l' || (to_jsonb(x) - '{created_at,updated_at}'::text[])::text FROM leaderboard_entries x UNION ALL "
        "SELECT 'n' || (to_jsonb(x) - '{imported_at,created_at,updated_at}'::text[])::text FROM feed_documents x) y");
}

#endif
