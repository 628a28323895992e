/* For tests: a pool on a loop, and what became of batches. */
#ifndef NOF0_REPO_PG_RIG_TESTING_H
#define NOF0_REPO_PG_RIG_TESTING_H

#include "base/clock.h"
#include "repo/decode.h"
#include "repo/pg_pool.h"
#include "repo/pg_testing.h"

#include <endian.h>

struct rig {
    struct event_base *base;
    struct pg_connector *connector;
    struct pg_pool *pool;
    bool asking; /* inside pg_pool_submit */
    size_t calls;
};

struct outcome {
    struct rig *rig;
    int calls;
    struct err err;
    int64_t asked_ms;
    int64_t took_ms;
    int64_t values[PG_BATCH_MAX]; /* the first field of each result, a bigint; -1 when there is none */
    size_t count;
    void (*then)(struct outcome *outcome);
};

static inline int64_t first_bigint(const PGresult *result)
{
    uint64_t big = 0;
    if (PQntuples(result) < 1 || PQgetisnull(result, 0, 0) || PQgetlength(result, 0, 0) != sizeof big) {
        return -1;
    }
    memcpy(&big, PQgetvalue(result, 0, 0), sizeof big);
    return (int64_t)be64toh(big);
}

static inline void note_outcome(void *arg, PGresult *const *results, const struct err *err)
{
    struct outcome *outcome = arg;
    assert_false(outcome->rig->asking);
    assert_true((results == NULL) == (err != NULL));
    outcome->calls++;
    outcome->rig->calls++;
    outcome->took_ms = clock_mono_ms() - outcome->asked_ms;
    if (err) {
        outcome->err = *err;
    }
    for (size_t i = 0; results && i < outcome->count; i++) {
        outcome->values[i] = first_bigint(results[i]);
        PQclear(results[i]);
    }
    if (outcome->then) {
        outcome->then(outcome);
    }
}

static inline void rig_submit(struct rig *rig, struct outcome *outcome, const struct pg_query *queries, size_t count,
                              int64_t timeout_ms)
{
    outcome->rig = rig;
    outcome->count = count;
    outcome->asked_ms = clock_mono_ms();
    rig->asking = true;
    pg_pool_submit(rig->pool, queries, count, timeout_ms, note_outcome, outcome);
    rig->asking = false;
}

/* One statement without parameters. */
static inline void rig_ask(struct rig *rig, struct outcome *outcome, const struct pg_statement *statement,
                           int64_t timeout_ms)
{
    struct pg_query query = {statement, NULL};
    rig_submit(rig, outcome, &query, 1, timeout_ms);
}

static inline void rig_turn(struct rig *rig, int64_t ms)
{
    struct timeval span = {ms / 1000, (ms % 1000) * 1000};
    event_base_loopexit(rig->base, &span);
    event_base_dispatch(rig->base);
}

/* Turns the loop until `outcome` was called. */
static inline void rig_wait(struct rig *rig, const struct outcome *outcome)
{
    for (int64_t until = clock_mono_ms() + 20000; !outcome->calls && clock_mono_ms() < until;) {
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
    assert_int_equal(outcome->calls, 1);
}

static inline void rig_wait_calls(struct rig *rig, size_t calls)
{
    for (int64_t until = clock_mono_ms() + 60000; rig->calls < calls && clock_mono_ms() < until;) {
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
    assert_int_equal(rig->calls, calls);
}

static inline enum pg_pool_status rig_status(const struct rig *rig)
{
    struct pg_pool_state state;
    pg_pool_state(rig->pool, &state);
    return state.status;
}

static inline void rig_wait_status(struct rig *rig, enum pg_pool_status status, int64_t within_ms)
{
    int64_t until = clock_mono_ms() + within_ms;
    while (rig_status(rig) != status && clock_mono_ms() < until) {
        rig_turn(rig, 10);
    }
    assert_int_equal(rig_status(rig), status);
}

static inline void rig_start(struct rig *rig, const char *dsn, const struct pg_pool_config *config)
{
    struct err err = ERR_INIT;
    memset(rig, 0, sizeof *rig);
    rig->base = event_base_new();
    rig->connector = pg_connector_start(dsn, 1000, &err);
    if (!rig->connector) {
        fail_msg("%s", err.text);
    }
    rig->pool = pg_pool_new(rig->base, rig->connector, config, &err);
    assert_non_null(rig->pool);
}

static inline void rig_stop(struct rig *rig)
{
    pg_pool_free(rig->pool);
    pg_connector_stop(rig->connector);
    event_base_free(rig->base);
}

#endif
