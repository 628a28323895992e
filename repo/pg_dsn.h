/* What is done to a libpq connection string before it is used. */
#ifndef NOF0_REPO_PG_DSN_H
#define NOF0_REPO_PG_DSN_H

#include "base/err.h"

#include <libpq-fe.h>

struct pg_dsn;

/* Reads a connection string or URI. ERR_INVALID without a word of it (it may hold a password) when libpq cannot. */
struct pg_dsn *pg_dsn_new(const char *text, struct err *err);
void pg_dsn_free(struct pg_dsn *dsn);

/* Begins to connect (PQconnectStartParams), UTF-8. With several hosts in the string, the first `turn` of them, counted
 * around, are put behind the others. Never NULL. */
PGconn *pg_dsn_connect_start(const struct pg_dsn *dsn, unsigned turn);

/* How many hosts the string itself names, at least 1. */
unsigned pg_dsn_host_count(const struct pg_dsn *dsn);

#endif
