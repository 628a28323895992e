/* What Postgres and libpq say when something fails, as struct err. */
#ifndef NOF0_REPO_PG_ERROR_H
#define NOF0_REPO_PG_ERROR_H

#include "base/err.h"

#include <libpq-fe.h>

/* The code of a SQLSTATE (PostgreSQL manual, appendix A); NULL counts as a lost connection:
 *   class 08, 57P0x, 53xxx, 25006, 28xxx, 3D000  ERR_UNAVAILABLE   connection, shutdown, resources, read-only, login
 *   57014, 55P03                                 ERR_TIMEOUT       cancelled by statement_timeout, lock not available
 *   23505, 40001, 40P01, 55006                   ERR_CONFLICT      unique, serialization, deadlock, object in use
 *   class 22, other class 23                     ERR_INVALID       data, other constraints
 *   all others                                   ERR_INTERNAL      (a wrong statement) */
enum err_code pg_error_code(const char *sqlstate);

/* Fills *err from a failed result: "message (SQLSTATE 23505)", one line, with the server's detail where it gives one.
 * `connection` is asked when result is NULL or says nothing. Returns false. */
bool pg_error_from_result(struct err *err, const PGresult *result, PGconn *connection);

/* Fills *err from the connection's own message, on one line and without any password: ERR_UNAVAILABLE. Returns
 * false. */
bool pg_error_from_connection(struct err *err, PGconn *connection);

#endif
