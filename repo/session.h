/* One blocking connection to Postgres, for tools. Never on an event loop. One thread at a time. */
#ifndef NOF0_REPO_SESSION_H
#define NOF0_REPO_SESSION_H

#include "base/err.h"
#include "repo/params.h"
#include "repo/table.h"

#include <libpq-fe.h>

struct session;

/* Connects. `dsn` is libpq's URI or keyword/value form, several hosts included; it wins over the connect timeout of 10
 * s set here. Text is UTF-8 and statements are not limited in time (tools wait for what they asked). NULL on failure:
 * ERR_INVALID when the DSN cannot be read, else ERR_UNAVAILABLE; one line, never with the password. */
struct session *session_open(const char *dsn, struct err *err);
/* The same for threads that must not hang with the server: `patience_ms` (> 0) is how long connecting may take, all
 * hosts together (ERR_TIMEOUT beyond), and how long each wait afterwards, as session_set_patience says. */
struct session *session_open_within(const char *dsn, int64_t patience_ms, struct err *err);
void session_close(struct session *session); /* NULL is fine; an open transaction is rolled back by the server */

/* How long each wait for the server may take, for threads that must not hang with it; 0 (the default): without end.
 * After an ERR_TIMEOUT the session is of no further use: close it. */
void session_set_patience(struct session *session, int64_t patience_ms);

/* The connection underneath, for what this header does not offer. */
PGconn *session_connection(struct session *session);
/* Waits until PQgetResult gives something without blocking, within the patience. */
bool session_await(struct session *session, struct err *err) MUST_CHECK;

/* Which named statements the server has for this session. */
bool session_is_prepared(const struct session *session, const char *name);
void session_note_prepared(struct session *session, const char *name);

/* Runs one or more statements and throws their rows away. */
bool session_exec(struct session *session, const char *sql, struct err *err) MUST_CHECK;

/* One statement with parameters (NULL: none). The result is in binary format and belongs to the caller (PQclear); NULL
 * on failure. */
PGresult *session_query(struct session *session, const char *sql, const struct params *params, struct err *err);

/* As session_query for a statement whose rows do not matter; *affected (may be NULL) receives how many rows it
 * inserted, updated, deleted or selected. */
bool session_run(struct session *session, const char *sql, const struct params *params, int64_t *affected,
                 struct err *err) MUST_CHECK;

/* A transaction. Rollback does nothing when none is open, and leaves the session usable when the server still is. */
bool session_begin(struct session *session, struct err *err) MUST_CHECK;
/* READ ONLY, REPEATABLE READ: every query of it sees one snapshot. */
bool session_begin_snapshot(struct session *session, struct err *err) MUST_CHECK;
bool session_commit(struct session *session, struct err *err) MUST_CHECK;
void session_rollback(struct session *session);

/* Runs a SELECT whose fields begin with the table's columns in .def order (table_put_columns) and hands each row over
 * as it arrives, so that a result of any size takes the memory of one row. `row` is the table's row struct, valid
 * during the call. on_row must not use the session; it returns false to stop, which is then false here too with the
 * *err that it was given (it fills that). */
typedef bool session_row_fn(void *arg, const void *row, struct err *err);
bool session_each_row(struct session *session, const char *sql, const struct params *params, const struct table *table,
                      session_row_fn *on_row, void *arg, struct err *err) MUST_CHECK;

#endif
