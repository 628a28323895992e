/* The lanes against a real Postgres: what waits goes in together, nothing is told before it is certain, and trouble
 * ends with the deadline. */
#include "ingest/event_lanes.h"
#include "ingest/event_testing.h"

#include <arpa/inet.h>
#include <pthread.h>

enum { PATIENT_MS = 60000, HASTY_MS = 200, MOST = 64 };

/* What the lanes told. */
struct told {
    pthread_mutex_t lock;
    pthread_cond_t more;
    size_t stored;
    size_t failed;
    enum err_code code; /* of the last failure */
    int64_t version;
};

static struct bench shared;
static struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static int set_up(void **state)
{
    *state = bench_start(&shared, "lanes") ? &shared : NULL;
    return 0;
}

static int tear_down(void **state)
{
    if (*state)
        bench_stop(*state);
    return 0;
}

static struct bench *fresh(void **state)
{
    struct bench *bench = *state;
    if (!bench)
        skip();
    bench_reset(bench);
    told.stored = told.failed = 0;
    told.code = ERR_NONE;
    told.version = 0;
    return bench;
}

static struct event_lanes *start(const char *dsn, int64_t timeout_ms, size_t most_queued)
{
    struct err err = ERR_INIT;
    const struct event_lanes_options options = {dsn, timeout_ms, most_queued};
    struct event_lanes *lanes = event_lanes_start(&options, &err);
    if (!lanes)
        fail_msg("%s", err.text);
    return lanes;
}

static void on_stored(void *arg, struct event_batch *batch, int64_t version, const struct err *err)
{
    (void)arg;
    (void)pthread_mutex_lock(&told.lock);
    if (err) {
        told.failed++;
        told.code = err->code;
    } else {
        struct event_counts counts = event_batch_counts(batch);
        told.stored += counts.accepted + counts.duplicate + counts.rejected == event_batch_count(batch);
        told.version = version;
    }
    (void)pthread_cond_signal(&told.more);
    (void)pthread_mutex_unlock(&told.lock);
    event_batch_free(batch);
}

static void await(size_t stored, size_t failed)
{
    (void)pthread_mutex_lock(&told.lock);
    while (told.stored + told.failed < stored + failed)
        (void)pthread_cond_wait(&told.more, &told.lock);
    (void)pthread_mutex_unlock(&told.lock);
    assert_int_equal(told.stored, stored);
    assert_int_equal(told.failed, failed);
}

static bool submit(struct event_lanes *lanes, int number)
{
    char item[100];
    (void)snprintf(item, sizeof item, "{\"symbol\":\"BTC\",\"price\":%d,\"timestamp\":%d}", number + 1, number);
    struct event_batch *batch = event_batch_of(EVENT_PRICES, (const char *const[]){item}, 1);
    bool good = event_lanes_submit(lanes, batch, on_stored, NULL);
    if (!good)
        event_batch_free(batch);
    return good;
}

/* Keeps every writer of prices waiting. */
static void hold(struct bench *bench)
{
    bench_exec(bench, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('nof0 feed prices'))");
}

static void let_go(struct bench *bench)
{
    bench_exec(bench, "ROLLBACK");
}

/* Somebody waits for the lock that hold() took. */
static void await_waiter(struct bench *bench)
{
    struct err err = ERR_INIT;
    for (bool waits = false; !waits;) {
        PGresult *result = session_query(bench->session, "SELECT 1 FROM pg_locks WHERE NOT granted", NULL, &err);
        if (!result)
            fail_msg("%s", err.text);
        waits = PQntuples(result) > 0;
        PQclear(result);
    }
}

static struct event_lanes_counts counts_of(struct event_lanes *lanes)
{
    struct event_lanes_counts counts;
    event_lanes_counts(lanes, &counts);
    return counts;
}

static void what_waits_goes_into_one_transaction(void **state)
{
    struct bench *bench = fresh(state);
    struct event_lanes *lanes = start(bench->testing.dsn, PATIENT_MS, SIZE_MAX);
    hold(bench);
    assert_true(submit(lanes, 0));
    await_waiter(bench);
    for (int i = 1; i <= MOST; i++)
        assert_true(submit(lanes, i));
    assert_true(counts_of(lanes).queued_bytes > 0);
    assert_int_equal(told.stored, 0);
    let_go(bench);
    await(MOST + 1, 0);
    struct event_lanes_counts counts = counts_of(lanes);
    assert_int_equal(counts.transactions, 2);
    assert_int_equal(counts.accepted, MOST + 1);
    assert_int_equal(counts.queued_bytes, 0);
    assert_true(told.version > 0);
    event_lanes_stop(lanes);
    bench_assert_row(bench, "SELECT count(*)::text FROM price_ticks", "65");
}

static void prices_hold_up_no_other_kind(void **state)
{
    struct bench *bench = fresh(state);
    struct event_lanes *lanes = start(bench->testing.dsn, PATIENT_MS, SIZE_MAX);
    hold(bench);
    assert_true(submit(lanes, 0));
    await_waiter(bench);
    static const char leader[] = "{\"id\":\"a\",\"timestamp\":1}";
    assert_true(event_lanes_submit(lanes, event_batch_of(EVENT_LEADERBOARD, (const char *const[]){leader}, 1),
                                   on_stored, NULL));
    await(1, 0);
    let_go(bench);
    await(2, 0);
    event_lanes_stop(lanes);
}

static void the_deadline_ends_what_cannot_be_stored(void **state)
{
    struct bench *bench = fresh(state);
    struct event_lanes *lanes = start(bench->testing.dsn, HASTY_MS, SIZE_MAX);
    hold(bench);
    for (int i = 0; i < 3; i++)
        assert_true(submit(lanes, i));
    await(0, 3);
    assert_int_equal(told.code, ERR_TIMEOUT);
    assert_int_equal(counts_of(lanes).failures, 3);
    let_go(bench);
    const struct event_lanes_options patient = {bench->testing.dsn, PATIENT_MS, SIZE_MAX};
    event_lanes_configure(lanes, &patient);
    told.failed = 0;
    assert_true(submit(lanes, 4));
    await(1, 0);
    event_lanes_stop(lanes);
}

/* The kernel takes the connection, nobody answers: as a server that is stopped. */
static void a_server_that_says_nothing_is_given_up_in_time(void **state)
{
    (void)fresh(state);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    char dsn[100];
    (void)snprintf(dsn, sizeof dsn, "host=127.0.0.1 port=%d sslmode=disable user=a", ntohs(address.sin_port));
    struct event_lanes *lanes = start(dsn, HASTY_MS, SIZE_MAX);
    assert_true(submit(lanes, 0));
    await(0, 1);
    /* libpq's own timeout would say ERR_UNAVAILABLE, seconds later. */
    assert_int_equal(told.code, ERR_TIMEOUT);
    event_lanes_stop(lanes);
    (void)close(listener);
}

static void a_lost_connection_is_replaced(void **state)
{
    struct bench *bench = fresh(state);
    struct event_lanes *lanes = start(bench->testing.dsn, PATIENT_MS, SIZE_MAX);
    assert_true(submit(lanes, 0));
    await(1, 0);
    /* Between two transactions, and in the middle of one. */
    static const char cut[] = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                              "current_database() AND application_name = 'nof0ctl' AND pid <> pg_backend_pid()";
    bench_exec(bench, cut);
    assert_true(submit(lanes, 1));
    await(2, 0);
    hold(bench);
    assert_true(submit(lanes, 2));
    await_waiter(bench);
    bench_exec(bench, cut);
    let_go(bench);
    await(3, 0);
    assert_int_equal(counts_of(lanes).failures, 0);
    event_lanes_stop(lanes);
    bench_assert_row(bench, "SELECT count(*)::text FROM price_ticks", "3");
}

static void a_full_queue_refuses(void **state)
{
    struct bench *bench = fresh(state);
    struct event_lanes *lanes = start(bench->testing.dsn, PATIENT_MS, 1);
    hold(bench);
    assert_true(submit(lanes, 0));
    await_waiter(bench);
    assert_true(submit(lanes, 1)); /* larger than the queue, but alone in it */
    assert_false(submit(lanes, 2));
    assert_false(submit(lanes, 3));
    assert_int_equal(counts_of(lanes).refused, 2);
    let_go(bench);
    await(2, 0);
    event_lanes_stop(lanes);
    bench_assert_row(bench, "SELECT count(*)::text FROM price_ticks", "2");
}

static void stopping_ends_what_is_queued(void **state)
{
    struct bench *bench = fresh(state);
    struct event_lanes *lanes = start(bench->testing.dsn, PATIENT_MS, SIZE_MAX);
    for (int i = 0; i < 10; i++)
        assert_true(submit(lanes, i));
    event_lanes_stop(lanes);
    assert_int_equal(told.stored, 10);
    bench_assert_row(bench, "SELECT count(*)::text FROM price_ticks", "10");
}

static void without_a_database_everything_fails(void **state)
{
    (void)state;
    told.stored = told.failed = 0;
    struct event_lanes *lanes = start(NULL, HASTY_MS, SIZE_MAX);
    assert_true(submit(lanes, 0));
    await(0, 1);
    assert_int_equal(told.code, ERR_UNAVAILABLE);
    event_lanes_stop(lanes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_goes_into_one_transaction),
        cmocka_unit_test(prices_hold_up_no_other_kind),
        cmocka_unit_test(the_deadline_ends_what_cannot_be_stored),
        cmocka_unit_test(a_server_that_says_nothing_is_given_up_in_time),
        cmocka_unit_test(a_lost_connection_is_replaced),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(stopping_ends_what_is_queued),
        cmocka_unit_test(without_a_database_everything_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
