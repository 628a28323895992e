/* Connecting to Postgres without stopping an event loop. libpq looks up names, reads certificates and password files
 * and speaks TLS while it connects, and some of that blocks; so one thread per process connects for all loops, many at
 * a time, and hands over connections that are ready for pipelined work. It also closes them.
 *
 * In a DSN of several hosts libpq itself goes on to the next one when a host refuses; a host that says nothing until
 * the timeout is put last for the following attempts. */
#ifndef NOF0_REPO_PG_CONNECTOR_H
#define NOF0_REPO_PG_CONNECTOR_H

#include "base/err.h"

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdint.h>

struct pg_connector;

/* Starts the thread. `dsn` is a libpq connection string or URI; ERR_INVALID (without a word of it, since it may hold a
 * password) when libpq cannot read it. `connect_timeout_ms` bounds one attempt, > 0. */
struct pg_connector *pg_connector_start(const char *dsn, int64_t connect_timeout_ms, struct err *err);

/* Drops attempts under way, closes what was handed back, ends and joins the thread. All ports must be closed before. A
 * name lookup under way is waited for. NULL is fine. */
void pg_connector_stop(struct pg_connector *connector);

/* Called on the port's loop, once per pg_port_connect: a connection in non-blocking pipeline mode, or NULL and why
 * (ERR_UNAVAILABLE, ERR_TIMEOUT; the text never holds the password). The connection belongs to the callee until
 * pg_port_give_back. */
typedef void pg_connected(void *arg, PGconn *conn, const struct err *err);

/* A loop's end of the connector; NULL when the system refuses it. Everything of it happens on that loop. */
struct pg_port;
struct pg_port *pg_port_open(struct pg_connector *connector, struct event_base *base, pg_connected *connected,
                             void *arg, struct err *err);
/* No callback comes afterwards; attempts under way are dropped. Not from inside the callback. */
void pg_port_close(struct pg_port *port);

/* Asks for one connection. */
void pg_port_connect(struct pg_port *port);

/* Has a connection closed by the connector's thread. Take its socket out of the loop first. */
void pg_port_give_back(struct pg_port *port, PGconn *conn);

#endif
