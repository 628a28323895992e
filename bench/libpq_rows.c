/* libpq_rows DSN READ CONNECTIONS SECONDS MODEL MARKER PROVIDER [FILE]: reads the rows of one endpoint over and over
 * with nothing but libpq, and prints what bench/load.h says. With FILE it also deflates the file's bytes after each
 * read, as nof0d does for who waits: if FILE is the answer, no server that compresses one anew for each read gets
 * beyond that. This is as fast as a client of Postgres gets: one blocking thread a connection, the same statements as
 * nof0d (repo/read_sql.h), prepared, in binary form, all of a read in one pipelined round trip and one snapshot. Every
 * value is looked at, none is kept. */
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "bench/load.h"
#include "legacy/file.h"
#include "repo/decode.h"
#include "repo/params.h"
#include "repo/read_sql.h"
#include "server/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENTS_MAX = 4 };

struct read {
    const char *name;
    const char *document;
    unsigned count;
    unsigned statements[STATEMENTS_MAX];
};

/* The trades page is the one without cursors. */
static const struct read reads[] = {
    {"account-totals", "account-totals", 2, {SQL_DOCUMENT, SQL_EQUITY_FEED}},
    {"account-totals-since", "account-totals", 2, {SQL_DOCUMENT, SQL_EQUITY_SINCE}},
    {"positions", "positions", 3, {SQL_DOCUMENT, SQL_POSITION_MODELS, SQL_POSITIONS}},
    {"trades", "trades", 2, {SQL_DOCUMENT, SQL_TRADES_FEED}},
    {"trades-page", "trades", 2, {SQL_DOCUMENT, SQL_TRADES_PAGE}},
    {"crypto-prices", "crypto-prices", 2, {SQL_DOCUMENT, SQL_PRICES}},
    {"since-inception-values", "since-inception-values", 2, {SQL_DOCUMENT, SQL_INCEPTIONS}},
    {"leaderboard", "leaderboard", 3, {SQL_DOCUMENT, SQL_LEADERS, SQL_LEADERS_COMPUTED}},
    {"analytics", "analytics", 2, {SQL_DOCUMENT, SQL_ANALYTICS_ALL}},
    {"analytics-one", "", 1, {SQL_ANALYTICS_ONE}},
    {"conversations", "conversations", 4, {SQL_DOCUMENT, SQL_CONVERSATIONS, SQL_MESSAGES, SQL_CYCLES}},
};

struct job {
    const char *dsn;
    const struct read *read;
    const struct read_sql_set *set;
    const char *model;
    int64_t marker;
    const char *provider;
    int64_t limit;       /* < 0: none */
    struct buf deflated; /* what each read deflates; empty: nothing */
};

struct client {
    PGconn *conn;
    struct arena *arena;
    const struct job *job;
    struct params params[STATEMENTS_MAX];
    uint64_t sum; /* of what was read, so that reading it is no idle work */
};

static void add_param(struct params *params, enum read_param kind, const struct job *job)
{
    switch (kind) {
    case PARAM_DOCUMENT:
        params_add_text(params, slice_of(job->read->document));
        break;
    case PARAM_PROVIDER:
        params_add_text(params, slice_of(job->provider));
        break;
    case PARAM_MODEL:
        params_add_text(params, slice_of(job->model));
        break;
    case PARAM_MARKER:
        params_add_i64(params, job->marker);
        break;
    case PARAM_LIMIT:
        if (job->limit >= 0) {
            params_add_i64(params, job->limit);
        } else {
            params_add_binary(params, col_kind_oid(COL_I64), (struct slice){NULL, 0});
        }
        break;
    default:
        break;
    }
}

static void client_close(void *self)
{
    struct client *client = self;
    PQfinish(client->conn);
    arena_free(client->arena);
    free(client);
}

static void *client_open(const void *arg, struct err *err)
{
    const struct job *job = arg;
    struct client *client = mem_zalloc(sizeof *client);
    client->job = job;
    client->arena = arena_new(0);
    client->conn = PQconnectdb(job->dsn);
    PGresult *result = PQprepare(client->conn, "isolation", "SET transaction_isolation TO 'repeatable read'", 0, NULL);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    for (unsigned i = 0; i < job->read->count; i++) {
        const struct read_sql *sql = read_sql_get(job->set, job->read->statements[i]);
        client->params[i] = params_on(client->arena);
        for (const enum read_param *kind = sql->params; *kind; kind++) {
            add_param(&client->params[i], *kind, job);
        }
        result = PQprepare(client->conn, sql->statement.name, sql->statement.sql, client->params[i].count,
                           client->params[i].types);
        good = good && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (!good || !PQenterPipelineMode(client->conn)) {
        err_set(err, ERR_UNAVAILABLE, "%s", PQerrorMessage(client->conn));
        client_close(client);
        return NULL;
    }
    return client;
}

static void look_at(struct client *client, const PGresult *result, size_t *bytes)
{
    int rows = PQntuples(result);
    int fields = PQnfields(result);
    for (int row = 0; row < rows; row++) {
        for (int field = 0; field < fields; field++) {
            int length = PQgetlength(result, row, field);
            *bytes += (size_t)length;
            client->sum += length ? (unsigned char)*PQgetvalue(result, row, field) : 0;
        }
    }
}

static void deflate_once(struct slice bytes)
{
    struct document *document = document_new((struct document_body){.bytes = bytes}, (struct document_tail){0});
    document_compress_quickly(document);
    document_unref(document);
}

static bool client_once(void *self, size_t *bytes, struct err *err)
{
    struct client *client = self;
    const struct read *read = client->job->read;
    unsigned steps = read->count;
    bool sent = true;
    if (read->count > 1) {
        sent = PQsendQueryPrepared(client->conn, "isolation", 0, NULL, NULL, NULL, 1);
        steps++;
    }
    for (unsigned i = 0; i < read->count && sent; i++) {
        const struct read_sql *sql = read_sql_get(client->job->set, read->statements[i]);
        const struct params *params = &client->params[i];
        sent = PQsendQueryPrepared(client->conn, sql->statement.name, params->count, params->values, params->lengths,
                                   params->formats, 1);
    }
    if (!sent || !PQpipelineSync(client->conn)) {
        return err_set(err, ERR_UNAVAILABLE, "%s", PQerrorMessage(client->conn));
    }
    for (unsigned nulls = 0; nulls <= steps;) {
        PGresult *result = PQgetResult(client->conn);
        ExecStatusType status = PQresultStatus(result);
        if (!result) {
            nulls++;
        } else if (status == PGRES_TUPLES_OK) {
            look_at(client, result, bytes);
        }
        PQclear(result);
        if (result && status == PGRES_PIPELINE_SYNC) {
            if (client->job->deflated.len)
                deflate_once(buf_slice(&client->job->deflated));
            return true;
        }
        if (result && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            return err_set(err, ERR_INTERNAL, "%s", PQerrorMessage(client->conn));
        }
    }
    return err_set(err, ERR_INTERNAL, "libpq lost count");
}

static const struct read *find_read(const char *name)
{
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        if (strcmp(reads[i].name, name) == 0) {
            return &reads[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 8 && argc != 9) {
        fprintf(stderr, "usage: libpq_rows DSN READ CONNECTIONS SECONDS MODEL MARKER PROVIDER [FILE]\n");
        return 2;
    }
    struct read_sql_set *set = read_sql_set_new();
    struct job job = {
        .dsn = argv[1],
        .read = find_read(argv[2]),
        .set = set,
        .model = argv[5],
        .marker = strtoll(argv[6], NULL, 10),
        .provider = argv[7],
        .limit = -1,
    };
    if (!job.read) {
        fprintf(stderr, "libpq_rows: no read is called %s\n", argv[2]);
        return 2;
    }
    struct err err = ERR_INIT;
    if (argc == 9 && !file_read(argv[8], (size_t)LEGACY_FILE_MAX, &job.deflated, &err)) {
        fprintf(stderr, "libpq_rows: %s\n", err.text);
        return 2;
    }
    if (strcmp(job.read->name, "trades-page") == 0) {
        job.limit = 100;
    } else if (strcmp(job.read->name, "positions") == 0) {
        job.limit = 1000;
    }
    struct load_plan plan = {
        .threads = (unsigned)strtoul(argv[3], NULL, 10),
        .seconds = strtod(argv[4], NULL),
        .open = client_open,
        .once = client_once,
        .close = client_close,
        .arg = &job,
    };
    bool good = plan.threads && load_run(&plan, &err);
    if (!good) {
        fprintf(stderr, "libpq_rows: %s: %s\n", argv[2], err.text);
    }
    read_sql_set_free(set);
    buf_free(&job.deflated);
    return good ? 0 : 2;
}
