#include "repo/pg_pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "repo/pg_pool_inside.h"

#include <stdlib.h>
#include <string.h>

static struct timeval milliseconds(int64_t ms)
{
    return (struct timeval){ms / 1000, (ms % 1000) * 1000};
}

static unsigned count_links(const struct pg_pool *pool, enum link_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pool->config.connections; i++) {
        count += pool->links[i].state == state;
    }
    return count;
}

const char *pg_pool_status_name(enum pg_pool_status status)
{
    static const char *const names[] = {
        [PG_POOL_CONNECTING] = "connecting", [PG_POOL_UP] = "up", [PG_POOL_DOWN] = "down"};
    return names[status];
}

/* --- Ended batches --- */

/* The batch is in no list. Its callback comes when the present event is through. */
static void end_batch(struct pg_batch *batch, const struct err *err)
{
    struct pg_pool *pool = batch->pool;
    if (err) {
        batch->err = *err;
    }
    evtimer_del(&batch->deadline);
    TAILQ_INSERT_TAIL(&pool->ended, batch, entry);
}

static void take_from_waiting(struct pg_batch *batch)
{
    TAILQ_REMOVE(&batch->pool->waiting, batch, entry);
    batch->pool->waiting_count--;
}

static void fail_waiting(struct pg_pool *pool)
{
    struct err err = ERR_INIT;
    const struct err *last = &pool->last_error;
    err_set(&err, ERR_UNAVAILABLE, "no connection to Postgres%s%s", last->code ? ": " : "", last->text);
    struct pg_batch *batch;
    while ((batch = TAILQ_FIRST(&pool->waiting))) {
        take_from_waiting(batch);
        end_batch(batch, &err);
    }
}

/* In a later turn of the loop. A timer, since an event that is made active is served before the loop looks around. */
static void settle_soon(struct pg_pool *pool)
{
    if (!TAILQ_EMPTY(&pool->ended) && !pool->delivering) {
        static const struct timeval at_once;
        evtimer_add(pool->deliver, &at_once);
    }
}

void pg_pool_settle(struct pg_pool *pool)
{
    if (pool->delivering) {
        return;
    }
    pool->delivering = true;
    /* Only those of now: one that asks again on every failure must not keep the loop from all else. */
    struct batch_list now = TAILQ_HEAD_INITIALIZER(now);
    TAILQ_CONCAT(&now, &pool->ended, entry);
    struct pg_batch *batch;
    while ((batch = TAILQ_FIRST(&now))) {
        TAILQ_REMOVE(&now, batch, entry);
        if (batch->err.code != ERR_NONE) {
            batch->done(batch->arg, NULL, &batch->err);
        } else {
            batch->done(batch->arg, batch->results, NULL);
            memset(batch->results, 0, sizeof batch->results);
        }
        pg_batch_free(batch);
    }
    pool->delivering = false;
    settle_soon(pool);
}

static void on_deliver(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pg_pool_settle(arg);
}

/* --- Which batch goes where --- */

static struct pg_link *least_busy(struct pg_pool *pool)
{
    struct pg_link *best = NULL;
    for (unsigned i = 0; i < pool->config.connections; i++) {
        struct pg_link *link = &pool->links[i];
        if (link->state == LINK_READY && !link->retiring && (!best || link->flying_count < best->flying_count)) {
            best = link;
        }
    }
    return best;
}

/* Whether something is under way that may make a connection usable very soon. */
static bool worth_waiting(const struct pg_pool *pool)
{
    return clock_mono_ms() < pool->patient_until_ms &&
           count_links(pool, LINK_ASKED) + count_links(pool, LINK_NEW) + count_links(pool, LINK_SUSPECT) > 0;
}

static void be_patient(struct pg_pool *pool, int64_t ms)
{
    struct timeval span = milliseconds(ms);
    pool->patient_until_ms = clock_mono_ms() + ms;
    event_add(pool->patience, &span);
}

static void set_status(struct pg_pool *pool)
{
    enum pg_pool_status status = pool->status;
    if (count_links(pool, LINK_READY) > 0) {
        status = PG_POOL_UP;
    } else if (status == PG_POOL_UP ? !worth_waiting(pool) : pool->failures > 0) {
        status = PG_POOL_DOWN;
    }
    if (status == pool->status || pool->closing) {
        return;
    }
    pool->status = status;
    pool->since_wall_ms = clock_wall_ms();
    if (status == PG_POOL_UP) {
        log_event(LOG_INFO, "postgres.up", NULL);
    } else {
        log_event(LOG_WARN, "postgres.down", LOG_FIELDS(log_error_text(&pool->last_error)));
    }
}

/* Sends what waits, or ends it when there is no hope. */
static void dispatch(struct pg_pool *pool)
{
    struct pg_link *link;
    struct pg_batch *batch;
    while ((batch = TAILQ_FIRST(&pool->waiting)) && (link = least_busy(pool))) {
        take_from_waiting(batch);
        pg_link_send(link, batch);
    }
    if (!worth_waiting(pool)) {
        fail_waiting(pool);
    }
}

static void ask_for(struct pg_link *link)
{
    link->state = LINK_ASKED;
    pg_port_connect(link->pool->port);
}

/* Sees to it that missing connections come back: all at once while the server is fine, else one at a time. */
static void refill(struct pg_pool *pool)
{
    if (pool->closing) {
        return;
    }
    bool fine = pool->failures == 0 && (pool->status == PG_POOL_CONNECTING || count_links(pool, LINK_READY) > 0);
    bool trying = count_links(pool, LINK_ASKED) + count_links(pool, LINK_NEW) > 0;
    for (unsigned i = 0; i < pool->config.connections; i++) {
        struct pg_link *link = &pool->links[i];
        if (link->state != LINK_EMPTY) {
            continue;
        }
        if (fine) {
            ask_for(link);
        } else if (!trying && pool->failures == 0) {
            ask_for(link);
            trying = true;
        }
    }
    if (!fine && !trying && count_links(pool, LINK_EMPTY) > 0 && !evtimer_pending(pool->retry, NULL)) {
        unsigned doublings = pool->failures > 4 ? 4 : pool->failures;
        int64_t most = (BACKOFF_FIRST_MS / 2) << doublings;
        most = most < BACKOFF_LAST_MS ? most : BACKOFF_LAST_MS;
        /* Between half and all of it, so that many pools do not knock together. */
        struct timeval span = milliseconds(most / 2 + rand_r(&pool->seed) % (most / 2 + 1));
        evtimer_add(pool->retry, &span);
    }
}

/* The order matters: a status that looks at patience, then connections, then batches. */
static void reconsider(struct pg_pool *pool)
{
    refill(pool);
    dispatch(pool);
    set_status(pool);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct pg_pool *pool = arg;
    for (unsigned i = 0; i < pool->config.connections; i++) {
        if (pool->links[i].state == LINK_EMPTY) {
            ask_for(&pool->links[i]);
            break;
        }
    }
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct pg_pool *pool = arg;
    pool->patient_until_ms = 0;
    reconsider(pool);
    pg_pool_settle(pool);
}

/* --- What links tell --- */

static void remember(struct pg_pool *pool, const struct err *err)
{
    pool->last_error = *err;
}

static void on_connected(void *arg, PGconn *conn, const struct err *err)
{
    struct pg_pool *pool = arg;
    struct pg_link *link = pool->links;
    while (link->state != LINK_ASKED) {
        link++;
    }
    if (conn && pg_link_open(link, conn)) {
        pg_link_probe(link, SETUP_MS);
    } else {
        if (conn) {
            pg_port_give_back(pool->port, conn);
            link->conn = NULL;
        } else {
            remember(pool, err);
        }
        link->state = LINK_EMPTY;
        pool->failures++;
    }
    reconsider(pool);
    pg_pool_settle(pool);
}

void pg_pool_heard(struct pg_link *link)
{
    struct pg_pool *pool = link->pool;
    if (link->state == LINK_SUSPECT || link->state == LINK_NEW) {
        /* The answer may be to something older than the probe, but it is an answer of this minute. */
        evtimer_del(&link->probe);
        link->state = LINK_READY;
        pool->failures = 0;
        evtimer_del(pool->retry);
        reconsider(pool);
    }
}

void pg_pool_idle(struct pg_link *link)
{
    if (link->retiring) {
        struct batch_list none = TAILQ_HEAD_INITIALIZER(none);
        pg_link_close(link, &none);
        reconsider(link->pool);
    }
}

void pg_pool_completed(struct pg_link *link, struct pg_batch *batch)
{
    struct pg_pool *pool = link->pool;
    if (!batch->done) {
        pg_batch_free(batch);
    } else if (batch->stale && batch->sends < BATCH_SENDS_MAX) {
        pg_batch_rewind(batch);
        batch->plain = true;
        TAILQ_INSERT_TAIL(&pool->waiting, batch, entry);
        pool->waiting_count++;
        dispatch(pool);
    } else {
        end_batch(batch, NULL);
    }
}

void pg_pool_lost(struct pg_link *link, const struct err *err)
{
    struct pg_pool *pool = link->pool;
    struct batch_list orphans = TAILQ_HEAD_INITIALIZER(orphans);
    bool unproven = link->state == LINK_NEW || clock_mono_ms() - link->born_ms < YOUNG_MS;
    pg_link_close(link, &orphans);
    /* A server that ends the session says why in answer to what it was asked; libpq only sees the line go dead. */
    struct pg_batch *batch = TAILQ_FIRST(&orphans);
    struct err told = batch && batch->err.code == ERR_UNAVAILABLE ? batch->err : *err;
    told.code = ERR_UNAVAILABLE;
    remember(pool, &told);
    pool->failures += unproven;
    while ((batch = TAILQ_FIRST(&orphans))) {
        TAILQ_REMOVE(&orphans, batch, entry);
        end_batch(batch, &told);
    }
    reconsider(pool);
}

/* After one connection did not answer in time: the others must show that they still hear the server. */
static void suspect_others(struct pg_pool *pool)
{
    int64_t now = clock_mono_ms();
    for (unsigned i = 0; i < pool->config.connections; i++) {
        struct pg_link *link = &pool->links[i];
        if (link->state == LINK_READY && now - link->heard_ms >= PROVEN_MS) {
            link->state = LINK_SUSPECT;
            pg_link_probe(link, PROBE_MS);
        }
    }
}

/* A flying batch came to its deadline. */
static void give_up_link(struct pg_link *link, struct pg_batch *slow)
{
    struct pg_pool *pool = link->pool;
    struct batch_list orphans = TAILQ_HEAD_INITIALIZER(orphans);
    TAILQ_REMOVE(&link->flying, slow, entry);
    link->flying_count--;
    slow->link = NULL;
    pg_link_close(link, &orphans);

    struct err err = ERR_INIT;
    err_set(&err, ERR_TIMEOUT, "Postgres did not answer within %lld ms", (long long)slow->timeout_ms);
    remember(pool, &err);
    end_batch(slow, &err);
    if (pool->status == PG_POOL_UP) {
        be_patient(pool, PROBE_MS);
    }

    struct err lost = ERR_INIT;
    err_set(&lost, ERR_UNAVAILABLE, "the connection was given up: an earlier query on it did not answer in time");
    struct pg_batch *batch;
    while ((batch = TAILQ_FIRST(&orphans))) {
        TAILQ_REMOVE(&orphans, batch, entry);
        if (batch->sends < BATCH_SENDS_MAX) {
            pg_batch_rewind(batch);
            TAILQ_INSERT_TAIL(&pool->waiting, batch, entry);
            pool->waiting_count++;
        } else {
            end_batch(batch, &lost);
        }
    }
    suspect_others(pool);
    reconsider(pool);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct pg_batch *batch = arg;
    struct pg_pool *pool = batch->pool;
    if (batch->link) {
        give_up_link(batch->link, batch);
    } else {
        struct err err = ERR_INIT;
        err_set(&err, ERR_TIMEOUT, "no connection to Postgres within %lld ms", (long long)batch->timeout_ms);
        take_from_waiting(batch);
        end_batch(batch, &err);
    }
    pg_pool_settle(pool);
}

/* --- The public face --- */

void pg_pool_submit(struct pg_pool *pool, const struct pg_query *queries, size_t count, int64_t timeout_ms,
                    pg_batch_done *done, void *arg)
{
    struct pg_batch *batch = pg_batch_new(pool, queries, count);
    batch->done = done;
    batch->arg = arg;
    batch->timeout_ms = timeout_ms;
    evtimer_assign(&batch->deadline, pool->base, on_deadline, batch);
    struct timeval span = milliseconds(timeout_ms);
    evtimer_add(&batch->deadline, &span);
    TAILQ_INSERT_TAIL(&pool->waiting, batch, entry);
    pool->waiting_count++;
    dispatch(pool);
    settle_soon(pool);
}

void pg_pool_state(const struct pg_pool *pool, struct pg_pool_state *state)
{
    *state = (struct pg_pool_state){
        .status = pool->status,
        .connections = count_links(pool, LINK_READY) + count_links(pool, LINK_SUSPECT),
        .wanted = pool->config.connections,
        .waiting = pool->waiting_count,
        .since_wall_ms = pool->since_wall_ms,
    };
    for (unsigned i = 0; i < pool->config.connections; i++) {
        state->in_flight += pool->links[i].flying_count;
    }
    size_t length = strnlen(pool->last_error.text, sizeof state->last_error - 1);
    memcpy(state->last_error, pool->last_error.text, length);
    state->last_error[length] = '\0';
}

static void free_events(struct pg_pool *pool)
{
    struct event *const events[] = {pool->deliver, pool->retry, pool->patience};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i]) {
            event_free(events[i]);
        }
    }
}

static void free_memory(struct pg_pool *pool)
{
    for (unsigned i = 0; i < pool->config.connections; i++) {
        free(pool->links[i].prepared);
    }
    free(pool->links);
    free(pool);
}

struct pg_pool *pg_pool_new(struct event_base *base, struct pg_connector *connector,
                            const struct pg_pool_config *config, struct err *err)
{
    struct pg_pool *pool = mem_zalloc(sizeof *pool);
    pool->base = base;
    pool->config = *config;
    pool->links = mem_calloc(config->connections, sizeof *pool->links);
    TAILQ_INIT(&pool->waiting);
    TAILQ_INIT(&pool->ended);
    pool->since_wall_ms = clock_wall_ms();
    pool->seed = (unsigned)clock_mono_us() ^ (unsigned)(uintptr_t)pool;
    for (unsigned i = 0; i < config->connections; i++) {
        pool->links[i].pool = pool;
        TAILQ_INIT(&pool->links[i].flying);
    }
    pool->deliver = evtimer_new(base, on_deliver, pool);
    pool->retry = evtimer_new(base, on_retry, pool);
    pool->patience = evtimer_new(base, on_patience, pool);
    if (!pool->deliver || !pool->retry || !pool->patience) {
        err_set(err, ERR_INTERNAL, "the event loop takes no events for a Postgres pool");
        goto out;
    }
    pool->port = pg_port_open(connector, base, on_connected, pool, err);
    if (!pool->port) {
        goto out;
    }
    be_patient(pool, config->start_grace_ms);
    refill(pool);
    return pool;
out:
    free_events(pool);
    free_memory(pool);
    return NULL;
}

void pg_pool_free(struct pg_pool *pool)
{
    if (!pool) {
        return;
    }
    pool->closing = true;
    pool->patient_until_ms = 0;
    struct err err = ERR_INIT;
    err_set(&err, ERR_UNAVAILABLE, "the Postgres pool is shutting down");
    pool->last_error = err;
    for (unsigned i = 0; i < pool->config.connections; i++) {
        struct pg_link *link = &pool->links[i];
        struct batch_list orphans = TAILQ_HEAD_INITIALIZER(orphans);
        if (link->conn) {
            pg_link_close(link, &orphans);
        }
        struct pg_batch *batch;
        while ((batch = TAILQ_FIRST(&orphans))) {
            TAILQ_REMOVE(&orphans, batch, entry);
            end_batch(batch, &err);
        }
    }
    fail_waiting(pool);
    while (!TAILQ_EMPTY(&pool->ended)) {
        pg_pool_settle(pool);
    }
    pg_port_close(pool->port);
    free_events(pool);
    free_memory(pool);
}
