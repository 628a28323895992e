#include "base/clock.h"
#include "repo/pg_error.h"
#include "repo/pg_pool_inside.h"

#include <stdlib.h>
#include <string.h>

/* Pushes out what libpq still holds, now or when the socket takes more. */
static bool flush(struct pg_link *link)
{
    int left = PQflush(link->conn);
    if (left > 0) {
        event_add(&link->writable, NULL);
    }
    return left >= 0;
}

static void lose(struct pg_link *link)
{
    struct err err = ERR_INIT;
    pg_error_from_connection(&err, link->conn);
    pg_pool_lost(link, &err);
}

/* Hands the finished head of the queue to the pool. */
static void complete(struct pg_link *link, struct pg_batch *batch)
{
    TAILQ_REMOVE(&link->flying, batch, entry);
    link->flying_count--;
    batch->link = NULL;
    pg_pool_completed(link, batch);
}

/* Reads every answer that has come whole. False when the connection is of no use any more. Telling the pool may end in
 * the link's loss, which is then no news here. */
static bool read_answers(struct pg_link *link)
{
    PGconn *conn = link->conn;
    unsigned nulls = 0;
    struct pg_batch *batch;
    /* A third NULL in a row would mean that libpq has nothing to say for what it was asked. */
    while (nulls < 3 && !PQisBusy(conn) && (batch = TAILQ_FIRST(&link->flying))) {
        PGresult *result = PQgetResult(conn);
        if (!result) {
            nulls++;
            pg_batch_step_over(batch);
            continue;
        }
        nulls = 0;
        if (pg_batch_take(batch, link, result)) {
            complete(link, batch);
        }
        if (link->conn != conn) {
            return true;
        }
        if (PQstatus(conn) == CONNECTION_BAD) {
            return false;
        }
    }
    return PQstatus(conn) != CONNECTION_BAD && flush(link);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct pg_link *link = arg;
    struct pg_pool *pool = link->pool;
    PGconn *conn = link->conn;
    link->heard_ms = clock_mono_ms();
    bool good = PQconsumeInput(conn);
    if (good) {
        pg_pool_heard(link);
        good = link->conn != conn || read_answers(link);
    }
    if (!good) {
        lose(link);
    } else if (link->conn == conn && link->flying_count == 0) {
        pg_pool_idle(link);
    }
    pg_pool_settle(pool);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct pg_link *link = arg;
    struct pg_pool *pool = link->pool;
    if (!flush(link)) {
        lose(link);
    }
    pg_pool_settle(pool);
}

/* A suspect that is busy with real work is left to the deadlines of that work. */
static void on_probe(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct pg_link *link = arg;
    struct pg_pool *pool = link->pool;
    const struct pg_batch *first = TAILQ_FIRST(&link->flying);
    if (!first || !first->done) {
        struct err err = ERR_INIT;
        err_set(&err, ERR_TIMEOUT, "Postgres does not answer");
        pg_pool_lost(link, &err);
    }
    pg_pool_settle(pool);
}

bool pg_link_open(struct pg_link *link, PGconn *conn)
{
    struct event_base *base = link->pool->base;
    link->conn = conn;
    link->state = LINK_NEW;
    link->retiring = false;
    link->born_ms = link->heard_ms = clock_mono_ms();
    link->isolation_prepared = false;
    link->prepared_room = 0;
    if (event_assign(&link->readable, base, PQsocket(conn), EV_READ | EV_PERSIST, on_readable, link) != 0 ||
        event_assign(&link->writable, base, PQsocket(conn), EV_WRITE, on_writable, link) != 0 ||
        event_assign(&link->probe, base, -1, 0, on_probe, link) != 0) {
        return false;
    }
    return event_add(&link->readable, NULL) == 0;
}

void pg_link_send(struct pg_link *link, struct pg_batch *batch)
{
    TAILQ_INSERT_TAIL(&link->flying, batch, entry);
    link->flying_count++;
    batch->link = link;
    if (!pg_batch_send(batch, link) || !flush(link)) {
        lose(link);
    }
}

void pg_link_probe(struct pg_link *link, int limit_ms)
{
    struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000L};
    event_add(&link->probe, &limit);
    pg_link_send(link, pg_batch_new(link->pool, NULL, 0));
}

void pg_link_close(struct pg_link *link, struct batch_list *orphans)
{
    event_del(&link->readable);
    event_del(&link->writable);
    event_del(&link->probe);
    pg_port_give_back(link->pool->port, link->conn);
    link->conn = NULL;
    link->state = LINK_EMPTY;
    struct pg_batch *batch;
    while ((batch = TAILQ_FIRST(&link->flying))) {
        TAILQ_REMOVE(&link->flying, batch, entry);
        batch->link = NULL;
        if (batch->done) {
            TAILQ_INSERT_TAIL(orphans, batch, entry);
        } else {
            pg_batch_free(batch);
        }
    }
    link->flying_count = 0;
}
