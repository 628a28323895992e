#include "base/mem.h"
#include "repo/pipeline.h"
#include "repo/session_testing.h"

static int set_up(void **state)
{
    return session_testing_start(state, "pipeline", false);
}

static const char name_of_plus[] = "plus";

static void add_plus(struct pipeline *pipeline, struct arena *arena, int64_t a, int64_t b)
{
    struct params params = params_on(arena);
    params_add_i64(&params, a);
    params_add_i64(&params, b);
    pipeline_add(pipeline, name_of_plus, "SELECT ($1 + $2)::text", &params);
}

static void answers_in_order(void **state)
{
    struct session *session = session_testing_of(state);
    struct arena *arena = arena_new(0);
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    struct err err = ERR_INIT;
    for (int round = 0; round < 2; round++) { /* the second time the statement is known */
        pipeline_begin(&pipeline, session);
        add_plus(&pipeline, arena, 1, 2);
        pipeline_add(&pipeline, NULL, "SELECT 'between'", NULL);
        add_plus(&pipeline, arena, 30, 40);
        assert_int_equal(pipeline.count, 3);
        if (!pipeline_run(&pipeline, results, &err))
            fail_msg("%s", err.text);
        assert_string_equal(PQgetvalue(results[0], 0, 0), "3");
        assert_string_equal(PQgetvalue(results[1], 0, 0), "between");
        assert_string_equal(PQgetvalue(results[2], 0, 0), "70");
        for (int i = 0; i < 3; i++)
            PQclear(results[i]);
    }
    arena_free(arena);
}

/* The first error is the one that is told, nothing behind it runs, and the session goes on. */
static void stops_at_an_error(void **state)
{
    struct session *session = session_testing_of(state);
    static const char broken[] = "broken";
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    struct err err = ERR_INIT;
    session_testing_must(session, "CREATE TEMPORARY TABLE t (x int)");
    pipeline_begin(&pipeline, session);
    pipeline_add(&pipeline, broken, "SELECT 1/(SELECT count(*) FROM t)", NULL);
    pipeline_add(&pipeline, NULL, "INSERT INTO t VALUES (1)", NULL);
    pipeline_add(&pipeline, NULL, "SELECT nothing_such()", NULL);
    assert_false(pipeline_run(&pipeline, results, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(results[0]);
    session_testing_must(session, "INSERT INTO t VALUES (1)");
    pipeline_begin(&pipeline, session);
    pipeline_add(&pipeline, broken, "SELECT 1/(SELECT count(*) FROM t)", NULL);
    assert_true(pipeline_run_only(&pipeline, &err));
}

static void gives_up_in_time(void **state)
{
    struct session_testing *fixture = *state;
    if (!fixture)
        skip();
    struct err err = ERR_INIT;
    struct session *session = session_open(fixture->testing.dsn, &err);
    assert_non_null(session);
    session_set_patience(session, 100);
    struct pipeline pipeline;
    pipeline_begin(&pipeline, session);
    pipeline_add(&pipeline, NULL, "SELECT pg_sleep(60)", NULL);
    assert_false(pipeline_run_only(&pipeline, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    session_close(session);

    session = session_open(fixture->testing.dsn, &err);
    assert_non_null(session);
    session_set_patience(session, 100);
    err = (struct err)ERR_INIT;
    assert_false(session_exec(session, "SELECT pg_sleep(60)", &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_order),
        cmocka_unit_test(stops_at_an_error),
        cmocka_unit_test(gives_up_in_time),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
