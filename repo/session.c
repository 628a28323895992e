#include "repo/session.h"

#include "base/clock.h"
#include "base/mem.h"
#include "repo/decode.h"
#include "repo/pg_error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct session {
    PGconn *connection;
    int64_t patience_ms; /* 0: waits without end */
    char **prepared;     /* names */
    size_t prepared_count;
};

#define CONNECT_TIMEOUT_S "10"

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* A password that is not percent-encoded makes libpq take a piece of it for the host or the port, and its message would
 * show that piece. */
static bool check_option(const PQconninfoOption *option, struct err *err)
{
    if (!option->val)
        return true;
    if (strcmp(option->keyword, "host") == 0 && strchr(option->val, '@'))
        return err_set(err, ERR_INVALID,
                       "the Postgres DSN has an '@' in its host; inside a password it must be written %%40");
    if (strcmp(option->keyword, "port") == 0 && option->val[strspn(option->val, "0123456789,")] != '\0')
        return err_set(err, ERR_INVALID,
                       "the Postgres DSN has a port that is no number; a password must be percent-encoded");
    return true;
}

static bool check_dsn(const char *dsn, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &message);
    /* libpq's message quotes the DSN, with the password in it. */
    PQfreemem(message);
    if (!options)
        return err_set(err, ERR_INVALID, "the Postgres DSN is neither a postgresql:// URI nor keyword=value pairs");
    bool good = true;
    for (const PQconninfoOption *option = options; good && option->keyword; option++)
        good = check_option(option, err);
    PQconninfoFree(options);
    return good;
}

/* The socket becomes readable, or writable where something waits to go out, before `deadline_ms`. */
static bool await_socket(PGconn *connection, short events, int64_t deadline_ms, struct err *err);

/* libpq's own timeout knows whole seconds only, two at least. */
static bool connect_within(PGconn *connection, int64_t patience_ms, struct err *err)
{
    int64_t deadline_ms = clock_mono_ms() + patience_ms;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    if (PQstatus(connection) == CONNECTION_BAD)
        return pg_error_from_connection(err, connection);
    while (status != PGRES_POLLING_OK) {
        if (!await_socket(connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms, err))
            return false;
        status = PQconnectPoll(connection);
        if (status == PGRES_POLLING_FAILED)
            return pg_error_from_connection(err, connection);
    }
    return true;
}

static struct session *open_session(const char *dsn, int64_t patience_ms, struct err *err)
{
    if (!check_dsn(dsn, err))
        return NULL;
    /* dbname is taken apart as the DSN; what stands behind it wins over it. */
    static const char *const keywords[] = {"connect_timeout", "fallback_application_name", "dbname", "client_encoding",
                                           NULL};
    const char *const values[] = {CONNECT_TIMEOUT_S, "nof0ctl", dsn, "UTF8", NULL};
    struct session *session = mem_zalloc(sizeof *session);
    session->patience_ms = patience_ms;
    session->connection =
        patience_ms ? PQconnectStartParams(keywords, values, 1) : PQconnectdbParams(keywords, values, 1);
    if (patience_ms && !connect_within(session->connection, patience_ms, err))
        goto failed;
    if (PQstatus(session->connection) != CONNECTION_OK) {
        pg_error_from_connection(err, session->connection);
        goto failed;
    }
    PQsetNoticeReceiver(session->connection, ignore_notice, NULL);
    if (!session_exec(session, "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0", err))
        goto failed;
    return session;
failed:
    session_close(session);
    return NULL;
}

struct session *session_open(const char *dsn, struct err *err)
{
    return open_session(dsn, 0, err);
}

struct session *session_open_within(const char *dsn, int64_t patience_ms, struct err *err)
{
    return open_session(dsn, patience_ms, err);
}

void session_close(struct session *session)
{
    if (!session)
        return;
    PQfinish(session->connection);
    for (size_t i = 0; i < session->prepared_count; i++)
        free(session->prepared[i]);
    free(session->prepared);
    free(session);
}

void session_set_patience(struct session *session, int64_t patience_ms)
{
    session->patience_ms = patience_ms;
}

bool session_is_prepared(const struct session *session, const char *name)
{
    for (size_t i = 0; i < session->prepared_count; i++)
        if (strcmp(session->prepared[i], name) == 0)
            return true;
    return false;
}

void session_note_prepared(struct session *session, const char *name)
{
    session->prepared = mem_realloc(session->prepared, (session->prepared_count + 1) * sizeof session->prepared[0]);
    session->prepared[session->prepared_count++] = mem_strndup(name, strlen(name));
}

static bool await_socket(PGconn *connection, short events, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int64_t left_ms = deadline_ms - clock_mono_ms();
        struct pollfd wait = {.fd = PQsocket(connection), .events = events};
        int ready = left_ms > 0 ? poll(&wait, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) : 0;
        if (ready > 0)
            return true;
        if (ready == 0)
            return err_set(err, ERR_TIMEOUT, "Postgres did not answer in time");
        if (errno != EINTR)
            return err_set_errno(err, errno, "poll");
    }
}

bool session_await(struct session *session, struct err *err)
{
    PGconn *connection = session->connection;
    if (session->patience_ms == 0)
        return true;
    int64_t deadline_ms = clock_mono_ms() + session->patience_ms;
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0)
            return pg_error_from_connection(err, connection);
        if (unsent == 0 && !PQisBusy(connection))
            return true;
        if (!await_socket(connection, (short)(unsent ? POLLIN | POLLOUT : POLLIN), deadline_ms, err))
            return false;
        if (!PQconsumeInput(connection))
            return pg_error_from_connection(err, connection);
    }
}

/* The last of the results of what was sent, as PQexec gives it; NULL with *err when it does not come. */
static PGresult *take_result(struct session *session, struct err *err)
{
    PGconn *connection = session->connection;
    PGresult *last = NULL;
    for (;;) {
        if (!session_await(session, err)) {
            PQclear(last);
            return NULL;
        }
        PGresult *next = PQgetResult(connection);
        if (!next)
            break;
        bool failed = last && PQresultStatus(last) == PGRES_FATAL_ERROR;
        PQclear(failed ? next : last);
        last = failed ? last : next;
        if (PQstatus(connection) != CONNECTION_OK || PQresultStatus(last) == PGRES_COPY_IN ||
            PQresultStatus(last) == PGRES_COPY_OUT)
            break;
    }
    if (!last)
        pg_error_from_connection(err, connection);
    return last;
}

PGconn *session_connection(struct session *session)
{
    return session->connection;
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

bool session_exec(struct session *session, const char *sql, struct err *err)
{
    if (!PQsendQuery(session->connection, sql))
        return pg_error_from_connection(err, session->connection);
    PGresult *result = take_result(session, err);
    bool good = result && (is_good(result) || pg_error_from_result(err, result, session->connection));
    PQclear(result);
    return good;
}

PGresult *session_query(struct session *session, const char *sql, const struct params *params, struct err *err)
{
    static const struct params none;
    if (!params)
        params = &none;
    if (!PQsendQueryParams(session->connection, sql, params->count, params->types, params->values, params->lengths,
                           params->formats, 1)) {
        pg_error_from_connection(err, session->connection);
        return NULL;
    }
    PGresult *result = take_result(session, err);
    if (!result || is_good(result))
        return result;
    pg_error_from_result(err, result, session->connection);
    PQclear(result);
    return NULL;
}

bool session_run(struct session *session, const char *sql, const struct params *params, int64_t *affected,
                 struct err *err)
{
    PGresult *result = session_query(session, sql, params, err);
    if (!result)
        return false;
    if (affected)
        *affected = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return true;
}

bool session_begin(struct session *session, struct err *err)
{
    return session_exec(session, "BEGIN", err);
}

bool session_begin_snapshot(struct session *session, struct err *err)
{
    return session_exec(session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

bool session_commit(struct session *session, struct err *err)
{
    if (!PQsendQuery(session->connection, "COMMIT"))
        return pg_error_from_connection(err, session->connection);
    PGresult *result = take_result(session, err);
    if (!result)
        return false;
    bool good = is_good(result) || pg_error_from_result(err, result, session->connection);
    /* COMMIT of a transaction that failed before is answered with "ROLLBACK", and no error. */
    if (good && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        good = err_set(err, ERR_INTERNAL, "the transaction was rolled back because a statement in it had failed");
    PQclear(result);
    return good;
}

void session_rollback(struct session *session)
{
    PGTransactionStatusType status = PQtransactionStatus(session->connection);
    struct err ignored = ERR_INIT; /* a server that is gone has rolled back by itself */
    if ((status == PQTRANS_INTRANS || status == PQTRANS_INERROR) && !session_exec(session, "ROLLBACK", &ignored))
        ignored.code = ERR_NONE;
}

/* Stops a query under way: asks the server to cancel, then reads what is still on its way. */
static void drop_results(PGconn *connection, bool cancel)
{
    PGcancel *handle = cancel ? PQgetCancel(connection) : NULL;
    if (handle) {
        char why[256];
        PQcancel(handle, why, (int)sizeof why); /* failing, the rows are read to their end instead */
        PQfreeCancel(handle);
    }
    PGresult *result;
    while ((result = PQgetResult(connection)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (PQstatus(connection) != CONNECTION_OK || status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
            break;
    }
}

struct row_reader {
    const struct table *table;
    session_row_fn *on_row;
    void *arg;
    struct arena *arena;
    void *row;
};

static bool read_row(struct row_reader *reader, const PGresult *result, struct err *err)
{
    arena_reset(reader->arena);
    return table_decode(reader->table, result, 0, 0, reader->row, reader->arena, err) &&
           reader->on_row(reader->arg, reader->row, err);
}

bool session_each_row(struct session *session, const char *sql, const struct params *params, const struct table *table,
                      session_row_fn *on_row, void *arg, struct err *err)
{
    static const struct params none;
    PGconn *connection = session->connection;
    if (!params)
        params = &none;
    if (!PQsendQueryParams(connection, sql, params->count, params->types, params->values, params->lengths,
                           params->formats, 1) ||
        !PQsetSingleRowMode(connection))
        return pg_error_from_connection(err, connection);

    struct row_reader reader = {table, on_row, arg, arena_new(0), mem_alloc(table->row_size)};
    bool good = true;
    bool ended = false;
    while (good && !ended) {
        good = session_await(session, err);
        PGresult *result = good ? PQgetResult(connection) : NULL;
        if (!result)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE)
            good = read_row(&reader, result, err);
        else if (is_good(result))
            ended = true;
        else
            good = pg_error_from_result(err, result, connection);
        PQclear(result);
    }
    drop_results(connection, !good);
    arena_free(reader.arena);
    free(reader.row);
    return good;
}
