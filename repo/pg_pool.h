/* A pool of Postgres connections for one event loop. Nothing here blocks: connections come from the connector's thread,
 * queries go out pipelined and in binary format to the connection with the least to do, answers come by callback.
 *
 * What a caller can rely on:
 * - A batch of several statements sees one snapshot (REPEATABLE READ) and takes one round trip. Batches on one
 *   connection are cut apart by sync points, so that the error of one does not touch another.
 * - Every batch ends by its deadline. A batch that runs out of it costs its connection, since answers on it may never
 *   come: it is closed and replaced, and what waited behind the slow batch moves to another connection.
 * - When a connection breaks, its batches end with ERR_UNAVAILABLE at once. When none is left, new batches fail at once
 *   too, while one probe at a time tries again after 50 to 500 ms; its success brings back all connections.
 * - A server that is up but does not answer (stopped, or behind a dead link) is found out by its first timeout: the
 *   other connections must then answer a probe of their own before they are used again.
 *
 * Named prepared statements are made once per connection, on first use. They need a session of their own, which a
 * pooler in transaction mode does not give: `prepared_statements = false` is for those. */
#ifndef NOF0_REPO_PG_POOL_H
#define NOF0_REPO_PG_POOL_H

#include "base/err.h"
#include "repo/params.h"
#include "repo/pg_connector.h"

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdint.h>

struct pg_pool_config {
    unsigned connections;         /* 1 to PG_POOL_CONNECTIONS_MAX */
    bool prepared_statements;     /* false: every statement is parsed anew, nothing stays in the server's session */
    int64_t statement_timeout_ms; /* set in the server's session, so that a statement nobody waits for any more ends; 0:
                                     none; ignored without prepared_statements */
    int64_t start_grace_ms;       /* how long batches may wait while the very first connections come up */
};

enum { PG_POOL_CONNECTIONS_MAX = 256, PG_BATCH_MAX = 16 };

/* One SQL statement with $1, $2, ...; must outlive the pool. `slot` is its number among the statements of the pool,
 * from 0 and dense; `name` is unique among them and a valid identifier. */
struct pg_statement {
    const char *name;
    const char *sql;
    unsigned slot;
};

struct pg_query {
    const struct pg_statement *statement;
    const struct params *params; /* NULL: none. Types must be the same each time the statement is used */
};

struct pg_pool;

/* ERR_INTERNAL, ERR_IO when the system refuses an event. The connector must outlive the pool. Starts to connect at
 * once, on `base`; everything of the pool happens there. */
struct pg_pool *pg_pool_new(struct event_base *base, struct pg_connector *connector,
                            const struct pg_pool_config *config, struct err *err);

/* Ends what is in flight with ERR_UNAVAILABLE (the callbacks come before this returns, also for batches that they
 * submit), gives the connections back and frees the pool. Not from inside a callback of the pool. NULL is fine. */
void pg_pool_free(struct pg_pool *pool);

/* Called exactly once per batch, on the loop, never from inside pg_pool_submit. On success err is NULL and results[i]
 * is the binary result of query i, PGRES_TUPLES_OK or PGRES_COMMAND_OK; each belongs to the callee (PQclear), the array
 * does not. Otherwise results is NULL and err says why: ERR_UNAVAILABLE, ERR_TIMEOUT, or what repo/pg_error.h makes of
 * the server's refusal. The callback may submit batches. */
typedef void pg_batch_done(void *arg, PGresult *const *results, const struct err *err);

/* Starts a batch of `count` (1 to PG_BATCH_MAX) queries that only read: after a connection was lost for another batch's
 * slowness, or when a prepared statement has gone stale, they are sent a second time. Queries and parameters are
 * copied. timeout_ms > 0. */
void pg_pool_submit(struct pg_pool *pool, const struct pg_query *queries, size_t count, int64_t timeout_ms,
                    pg_batch_done *done, void *arg);

enum pg_pool_status {
    PG_POOL_CONNECTING, /* no connection yet, and no failure yet */
    PG_POOL_UP,         /* at least one connection is usable */
    PG_POOL_DOWN,
};

struct pg_pool_state {
    enum pg_pool_status status;
    unsigned connections; /* open ones */
    unsigned wanted;
    size_t in_flight;      /* batches sent and not answered */
    size_t waiting;        /* batches not sent yet */
    int64_t since_wall_ms; /* of this status, milliseconds since the epoch */
    char last_error[300];  /* the newest trouble with a connection, without password; "" when there was none */
};

/* For readiness reports. On the pool's loop only. */
void pg_pool_state(const struct pg_pool *pool, struct pg_pool_state *state);

/* "connecting", "up", "down". */
const char *pg_pool_status_name(enum pg_pool_status status);

#endif
