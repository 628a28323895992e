#include "repo/pg_pool.h"
#include "repo/pg_rig_testing.h"

static const struct pg_pool_config one = {.connections = 1, .prepared_statements = true, .start_grace_ms = 5000};
static const struct pg_pool_config four = {
    .connections = 4, .prepared_statements = true, .start_grace_ms = 5000, .statement_timeout_ms = 30000};

static const struct pg_statement pid = {"pid", "SELECT pg_backend_pid()::bigint", 0};
static const struct pg_statement zero = {"zero", "SELECT 1::bigint / 0::bigint", 1};
static const struct pg_statement nap = {"nap", "SELECT 7::bigint FROM (SELECT pg_sleep(0.4)) AS s", 2};
static const struct pg_statement sleeper = {"sleeper", "SELECT 7::bigint FROM (SELECT pg_sleep(30)) AS s", 3};
static const struct pg_statement rows = {"rows", "SELECT count(*) FROM rows", 4};
static const struct pg_statement all = {"everything", "SELECT * FROM rows ORDER BY 1", 5};
static const struct pg_statement echo = {"echo", "SELECT $1", 6};
static const struct pg_statement kinds = {"kinds",
                                          "SELECT ($1::bigint = 9007199254740993 AND $2 = 'O''Reilly; \xe2\x80\x91' "
                                          "AND $3 = 1e-300 AND $4 IS NULL)::int::bigint",
                                          7};
static const struct pg_statement wrong = {"wrong", "SELECT nothing FROM nowhere", 8};
static const struct pg_statement sessions = {"sessions",
                                             "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query "
                                             "LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()",
                                             9};

static struct pg_testing db;
static bool have_db;

static int start_db(void **state)
{
    (void)state;
    have_db = pg_testing_start(&db, "pool");
    if (have_db) {
        pg_testing_exec(db.conn, "CREATE TABLE rows (n bigint); INSERT INTO rows SELECT generate_series(1, 3)");
    }
    return 0;
}

static int stop_db(void **state)
{
    (void)state;
    if (have_db) {
        pg_testing_stop(&db);
    }
    return 0;
}

static void need_db(void)
{
    if (!have_db) {
        skip();
    }
}

static void test_parameters_arrive_as_they_are(void **state)
{
    (void)state;
    need_db();
    for (int prepared = 0; prepared < 2; prepared++) {
        struct pg_pool_config config = four;
        config.prepared_statements = prepared;
        struct rig rig;
        rig_start(&rig, db.dsn, &config);
        for (int round = 0; round < 3; round++) {
            struct arena *arena = arena_new(0);
            struct params params = params_on(arena);
            char *text = arena_strndup(arena, "O'Reilly; \xe2\x80\x91", 13);
            params_add_i64(&params, INT64_C(9007199254740993));
            params_add_text(&params, slice_of(text));
            params_add_f64(&params, 1e-300);
            params_add_binary(&params, col_kind_oid(COL_TEXT), (struct slice){NULL, 0});
            struct outcome outcome = {0};
            rig_submit(&rig, &outcome, &(struct pg_query){&kinds, &params}, 1, 5000);
            /* The pool must have copied all of it. */
            memset(text, 'x', 13);
            arena_free(arena);
            rig_wait(&rig, &outcome);
            assert_string_equal(outcome.err.text, "");
            assert_int_equal(outcome.values[0], 1);
        }
        rig_stop(&rig);
    }
}

static void test_an_error_stays_in_its_batch(void **state)
{
    (void)state;
    need_db();
    struct rig rig;
    rig_start(&rig, db.dsn, &one);
    enum { COUNT = 90 };
    struct outcome outcomes[COUNT] = {0};
    struct pg_query many[] = {{&rows, NULL}, {&zero, NULL}, {&rows, NULL}};
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 3 == 0) {
            rig_ask(&rig, &outcomes[i], &rows, 5000);
        } else if (i % 3 == 1) {
            rig_submit(&rig, &outcomes[i], many, 3, 5000);
        } else {
            rig_ask(&rig, &outcomes[i], &wrong, 5000);
        }
    }
    rig_wait_calls(&rig, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        if (i % 3 == 0) {
            assert_int_equal(outcomes[i].err.code, ERR_NONE);
            assert_int_equal(outcomes[i].values[0], 3);
        } else if (i % 3 == 1) {
            assert_int_equal(outcomes[i].err.code, ERR_INVALID);
            assert_non_null(strstr(outcomes[i].err.text, "22012"));
        } else {
            assert_int_equal(outcomes[i].err.code, ERR_UNAVAILABLE);
            assert_non_null(strstr(outcomes[i].err.text, "42P01"));
        }
    }
    assert_int_equal(rig_status(&rig), PG_POOL_UP);
    rig_stop(&rig);
}

static void insert_row(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pg_testing_exec(arg, "INSERT INTO rows VALUES (99)");
}

static void test_a_batch_sees_one_snapshot(void **state)
{
    (void)state;
    need_db();
    struct rig rig;
    rig_start(&rig, db.dsn, &four);
    rig_wait_status(&rig, PG_POOL_UP, 5000);
    struct outcome outcome = {0};
    struct outcome after = {0};
    struct pg_query queries[] = {{&rows, NULL}, {&nap, NULL}, {&rows, NULL}};
    rig_submit(&rig, &outcome, queries, 3, 5000);
    struct event *insert = evtimer_new(rig.base, insert_row, db.conn);
    struct timeval soon = {0, 150000};
    evtimer_add(insert, &soon);
    rig_wait(&rig, &outcome);
    rig_ask(&rig, &after, &rows, 5000);
    rig_wait(&rig, &after);
    event_free(insert);
    pg_testing_exec(db.conn, "DELETE FROM rows WHERE n = 99");
    assert_string_equal(outcome.err.text, "");
    assert_int_equal(outcome.values[0], 3);
    assert_int_equal(outcome.values[1], 7);
    assert_int_equal(outcome.values[2], 3);
    assert_int_equal(after.values[0], 4);
    rig_stop(&rig);
}

static void test_a_slow_query_costs_only_itself(void **state)
{
    (void)state;
    need_db();
    for (unsigned connections = 1; connections <= 4; connections += 3) {
        struct pg_pool_config config = four;
        config.connections = connections;
        config.statement_timeout_ms = 1000;
        struct rig rig;
        rig_start(&rig, db.dsn, &config);
        rig_wait_status(&rig, PG_POOL_UP, 5000);
        enum { BEHIND = 8 };
        struct outcome slow = {0};
        struct outcome behind[BEHIND] = {0};
        rig_ask(&rig, &slow, &sleeper, 500);
        for (size_t i = 0; i < BEHIND; i++) {
            rig_ask(&rig, &behind[i], &rows, 5000);
        }
        rig_wait_calls(&rig, 1 + BEHIND);
        assert_int_equal(slow.err.code, ERR_TIMEOUT);
        assert_in_range(slow.took_ms, 490, 1500);
        for (size_t i = 0; i < BEHIND; i++) {
            assert_string_equal(behind[i].err.text, "");
            assert_int_equal(behind[i].values[0], 3);
        }
        assert_int_equal(rig_status(&rig), PG_POOL_UP);
        /* The server ends the statement that nobody waits for any more. */
        struct outcome left;
        int64_t until = clock_mono_ms() + 5000;
        do {
            left = (struct outcome){0};
            rig_ask(&rig, &left, &sessions, 5000);
            rig_wait(&rig, &left);
        } while (left.values[0] > 0 && clock_mono_ms() < until);
        assert_int_equal(left.values[0], 0);
        rig_stop(&rig);
    }
}

static void terminate_all(PGconn *conn)
{
    pg_testing_exec(conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                          " WHERE datname = current_database() AND pid <> pg_backend_pid()");
}

static void test_a_terminated_backend_fails_its_batches_at_once(void **state)
{
    (void)state;
    need_db();
    struct rig rig;
    rig_start(&rig, db.dsn, &four);
    enum { COUNT = 12 };
    struct outcome outcomes[COUNT] = {0};
    struct outcome first = {0};
    rig_ask(&rig, &first, &pid, 5000);
    rig_wait(&rig, &first);
    rig_turn(&rig, 300);
    for (size_t i = 0; i < COUNT; i++) {
        rig_ask(&rig, &outcomes[i], &sleeper, 10000);
    }
    rig_turn(&rig, 200);
    assert_int_equal(rig.calls, 1);
    terminate_all(db.conn);
    rig_wait_calls(&rig, 1 + COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].err.code, ERR_UNAVAILABLE);
        assert_in_range(outcomes[i].took_ms, 150, 5000);
    }
    rig_wait_status(&rig, PG_POOL_UP, 2000);
    struct outcome again = {0};
    rig_ask(&rig, &again, &pid, 5000);
    rig_wait(&rig, &again);
    assert_int_equal(again.err.code, ERR_NONE);
    assert_true(again.values[0] != first.values[0]);
    rig_turn(&rig, 300);
    struct pg_pool_state now;
    pg_pool_state(rig.pool, &now);
    assert_int_equal(now.connections, 4);
    assert_int_equal(now.in_flight, 0);
    rig_stop(&rig);
}

static void test_ten_thousand_queries_in_flight(void **state)
{
    (void)state;
    need_db();
    enum { COUNT = 10000 };
    struct outcome *outcomes = calloc(COUNT, sizeof *outcomes);
    struct arena *arena = arena_new(0);
    struct rig rig;
    rig_start(&rig, db.dsn, &four);
    for (size_t i = 0; i < COUNT; i++) {
        struct params params = params_on(arena);
        params_add_i64(&params, (int64_t)i);
        rig_submit(&rig, &outcomes[i], &(struct pg_query){&echo, &params}, 1, 60000);
    }
    rig_wait_calls(&rig, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_string_equal(outcomes[i].err.text, "");
        assert_int_equal(outcomes[i].values[0], i);
    }
    rig_stop(&rig);
    arena_free(arena);
    free(outcomes);
}

static void test_a_changed_table_does_not_spoil_prepared_statements(void **state)
{
    (void)state;
    need_db();
    struct rig rig;
    rig_start(&rig, db.dsn, &four);
    for (int round = 0; round < 4; round++) {
        struct outcome outcomes[20] = {0};
        for (size_t i = 0; i < 20; i++) {
            rig_ask(&rig, &outcomes[i], &all, 5000);
        }
        for (size_t i = 0; i < 20; i++) {
            rig_wait(&rig, &outcomes[i]);
            assert_string_equal(outcomes[i].err.text, "");
            assert_int_equal(outcomes[i].values[0], 1);
        }
        pg_testing_exec(db.conn, round % 2 ? "ALTER TABLE rows DROP COLUMN more" : "ALTER TABLE rows ADD more text");
    }
    rig_stop(&rig);
}

static void ask_again(struct outcome *outcome)
{
    rig_ask(outcome->rig, outcome + 1, &rows, 5000);
}

static void test_shutdown_ends_what_is_pending(void **state)
{
    (void)state;
    need_db();
    struct rig rig;
    rig_start(&rig, db.dsn, &four);
    rig_wait_status(&rig, PG_POOL_UP, 5000);
    enum { COUNT = 10 };
    /* Each asks another from its callback. */
    struct outcome outcomes[COUNT * 2] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        outcomes[i * 2].then = ask_again;
        rig_ask(&rig, &outcomes[i * 2], &sleeper, 20000);
    }
    rig_turn(&rig, 50);
    int64_t began = clock_mono_ms();
    rig_stop(&rig);
    assert_true(clock_mono_ms() - began < 1000);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].err.code, ERR_UNAVAILABLE);
    }
}

static void test_shutdown_before_anything_is_connected(void **state)
{
    (void)state;
    need_db();
    struct rig rig;
    struct outcome outcomes[4] = {0};
    rig_start(&rig, db.dsn, &four);
    for (size_t i = 0; i < 4; i++) {
        rig_ask(&rig, &outcomes[i], &rows, 5000);
    }
    rig_stop(&rig);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].err.code, ERR_UNAVAILABLE);
    }
}

static void test_a_refused_host_leads_to_the_next(void **state)
{
    (void)state;
    need_db();
    char hosts[256];
    char ports[64];
    char dsn[1024];
    snprintf(hosts, sizeof hosts, "/nonexistent,%s", PQhost(db.conn));
    snprintf(ports, sizeof ports, "1,%s", PQport(db.conn));
    pg_testing_dsn(dsn, sizeof dsn, db.conn, hosts, ports, db.name);
    struct rig rig;
    struct outcome outcome = {0};
    rig_start(&rig, dsn, &four);
    rig_ask(&rig, &outcome, &rows, 5000);
    rig_wait(&rig, &outcome);
    assert_string_equal(outcome.err.text, "");
    rig_stop(&rig);
}

static void test_a_bad_dsn_is_refused_without_its_secret(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_null(pg_connector_start("postgresql://u:hunter2@h/db?nonsense=hunter2", 1000, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(strstr(err.text, "hunter2"));
    assert_null(pg_connector_start("host=h password = hunter2 extra", 1000, &err));
    assert_null(strstr(err.text, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_arrive_as_they_are),
        cmocka_unit_test(test_an_error_stays_in_its_batch),
        cmocka_unit_test(test_a_batch_sees_one_snapshot),
        cmocka_unit_test(test_a_slow_query_costs_only_itself),
        cmocka_unit_test(test_a_terminated_backend_fails_its_batches_at_once),
        cmocka_unit_test(test_ten_thousand_queries_in_flight),
        cmocka_unit_test(test_a_changed_table_does_not_spoil_prepared_statements),
        cmocka_unit_test(test_shutdown_ends_what_is_pending),
        cmocka_unit_test(test_shutdown_before_anything_is_connected),
        cmocka_unit_test(test_a_refused_host_leads_to_the_next),
        cmocka_unit_test(test_a_bad_dsn_is_refused_without_its_secret),
    };
    return cmocka_run_group_tests(tests, start_db, stop_db);
}
