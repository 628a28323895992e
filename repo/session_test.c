#include "base/buf.h"
#include "repo/session.h"
#include "repo/session_testing.h"

static int set_up(void **state)
{
    return session_testing_start(state, "session", false);
}

static void no_error_shows_a_password(void **state)
{
    (void)state;
    static const struct {
        const char *dsn;
        enum err_code code;
    } cases[] = {
        {"postgresql://u:hunter2@127.0.0.1:1/db", ERR_UNAVAILABLE},
        {"host=/nonexistent/hunter password=hunter2", ERR_UNAVAILABLE},
        {"postgresql://u:p@hunter2@127.0.0.1:1/db", ERR_INVALID},
        {"postgresql://u:12/hunter2@127.0.0.1/db", ERR_UNAVAILABLE},
        {"postgresql://u:hunter2/x@127.0.0.1/db", ERR_INVALID},
        {"postgresql://u:hunter2@[::1/db", ERR_INVALID},
        {"password=hunter2 host", ERR_INVALID},
        {"hunter2", ERR_INVALID},
        {"postgres://u:p@h/d?hunter2=1", ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        assert_null(session_open(cases[i].dsn, &err));
        if (err.code != cases[i].code || strstr(err.text, "hunter2") || strchr(err.text, '\n'))
            fail_msg("%s: %s", cases[i].dsn, err.text);
    }
}

static void an_error_says_its_sqlstate(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    assert_false(session_exec(session, "SELECT 1; SELECT 1/0", &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "22012"));
    assert_null(session_query(session, "SELECT nothing FROM nowhere", NULL, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "42P01"));
}

static void parameters_arrive_as_they_are(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, SLICE("a'\xe2\x80\x91"));
    params_add_text(&params, (struct slice){NULL, 0});
    params_add_text(&params, SLICE(""));
    params_add_i64(&params, INT64_MIN);
    params_add_i32(&params, -7);
    params_add_f64(&params, -0.0);
    params_add_bool(&params, true);
    PGresult *result =
        session_query(session, "SELECT concat_ws('|', $1, $2 IS NULL, length($3), $4, $5, $6, $7)", &params, &err);
    assert_non_null(result);
    assert_string_equal(PQgetvalue(result, 0, 0), "a'\xe2\x80\x91|t|0|-9223372036854775808|-7|-0|t");
    PQclear(result);
    /* More of them than the first arrays hold. */
    struct buf sql = BUF_INIT;
    params = params_on(arena);
    for (int i = 1; i <= 100; i++) {
        params_add_i64(&params, i);
        buf_printf(&sql, "%s$%d", i == 1 ? "SELECT (" : " + ", i);
    }
    buf_append_str(&sql, ")::text");
    result = session_query(session, buf_cstr(&sql), &params, &err);
    assert_non_null(result);
    assert_string_equal(PQgetvalue(result, 0, 0), "5050");
    PQclear(result);
    buf_free(&sql);
    arena_free(arena);
}

static void a_failed_transaction_is_not_committed(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    assert_true(session_begin(session, &err));
    assert_true(session_exec(session, "CREATE TABLE gone (a int)", &err));
    assert_false(session_exec(session, "SELECT 1/0", &err));
    assert_false(session_commit(session, &err));
    assert_false(session_exec(session, "SELECT * FROM gone", &err));
    session_rollback(session);
    assert_true(session_begin_snapshot(session, &err));
    assert_false(session_exec(session, "CREATE TABLE gone (a int)", &err));
    session_rollback(session);
    session_rollback(session);
    assert_true(session_exec(session, "SELECT 1", &err));
}

struct seen {
    int64_t rows;
    int64_t stop_at;
    bool in_order;
};

static bool see(void *arg, const void *row, struct err *err)
{
    struct seen *seen = arg;
    const struct position_feed_models_row *model = row;
    seen->in_order = seen->in_order && model->feed_ordinal.v == seen->rows && model->model_id.n == 3;
    seen->rows++;
    return seen->rows != seen->stop_at || err_set(err, ERR_LIMIT, "enough");
}

/* The rows are made while they are read, not all before. */
#define ROWS_SQL                                                                                                       \
    "SELECT 'm-'||(i %% 10), i, NULL::jsonb, now(), now() FROM (SELECT generate_series(0::bigint, %s)) AS s (i)"

static void rows_stream_in_order(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    char sql[256];
    snprintf(sql, sizeof sql, ROWS_SQL, "$1");
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_i64(&params, 19999);
    struct seen seen = {.in_order = true};
    assert_true(session_each_row(session, sql, &params, &table_position_feed_models, see, &seen, &err));
    assert_int_equal(seen.rows, 20000);
    assert_true(seen.in_order);
    arena_free(arena);
}

static void a_stream_can_be_stopped(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    char sql[256];
    /* Far more than anybody would read to the end. */
    snprintf(sql, sizeof sql, ROWS_SQL, "100000000000");
    struct seen seen = {.in_order = true, .stop_at = 5};
    assert_false(session_each_row(session, sql, NULL, &table_position_feed_models, see, &seen, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(seen.rows, 5);
    assert_true(session_exec(session, "SELECT 1", &err));
}

static void a_stream_that_fails_half_way_says_so(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    struct seen seen = {.in_order = true};
    assert_false(session_each_row(session,
                                  "SELECT 'm-0'::text, i / (i - i / 900 * i), NULL::jsonb, now(), now() "
                                  "FROM generate_series(1::bigint, 1000) AS i",
                                  NULL, &table_position_feed_models, see, &seen, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_true(seen.rows > 0);
    assert_false(session_each_row(session, "SELECT 'm-0'::text", NULL, &table_position_feed_models, see, &seen, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_false(session_each_row(session, "SELEC", NULL, &table_position_feed_models, see, &seen, &err));
    assert_true(session_exec(session, "SELECT 1", &err));
}

static void a_lost_server_is_unavailable(void **state)
{
    struct session_testing *fixture = *state;
    if (!fixture)
        skip();
    struct err err = ERR_INIT;
    struct session *session = session_open(fixture->testing.dsn, &err);
    assert_non_null(session);
    /* Not libpq's PQbackendPID, which a pooler in between makes up. */
    PGresult *pid = session_query(session, "SELECT pg_backend_pid()::text", NULL, &err);
    assert_non_null(pid);
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%s)", PQgetvalue(pid, 0, 0));
    PQclear(pid);
    assert_true(session_exec(fixture->session, sql, &err));
    assert_false(session_exec(session, "SELECT 1", &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_false(session_exec(session, "SELECT 1", &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    struct seen seen = {.in_order = true};
    assert_false(session_each_row(session, "SELECT 1", NULL, &table_position_feed_models, see, &seen, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    session_rollback(session);
    session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_error_shows_a_password),
        cmocka_unit_test(an_error_says_its_sqlstate),
        cmocka_unit_test(parameters_arrive_as_they_are),
        cmocka_unit_test(a_failed_transaction_is_not_committed),
        cmocka_unit_test(rows_stream_in_order),
        cmocka_unit_test(a_stream_can_be_stopped),
        cmocka_unit_test(a_stream_that_fails_half_way_says_so),
        cmocka_unit_test(a_lost_server_is_unavailable),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
