/* What parity_runs says of an endpoint: rows in, the sum that a guard goes by out. Against a real Postgres. */
#include "base/clock.h"
#include "parity/runs.h"
#include "repo/session_testing.h"

#include <inttypes.h>

static int set_up(void **state)
{
    return session_testing_start(state, "parity_runs", true);
}

/* The session with an empty table. */
static struct session *session_of(void **state)
{
    struct session *session = session_testing_of(state);
    session_testing_must(session, "TRUNCATE parity_runs");
    return session;
}

/* A stretch from `from_s` to `to_s` seconds ago; other members as given. */
static void store(struct session *session, struct parity_run run, int64_t from_s, int64_t to_s)
{
    struct err err = ERR_INIT;
    int64_t now_us = clock_wall_ms() * 1000;
    run.endpoint = run.endpoint ? run.endpoint : "trades";
    run.origin = run.origin ? run.origin : "shadow";
    run.left = run.left ? run.left : "legacy";
    run.right = run.right ? run.right : "repo";
    run.instance = "test:1";
    run.started_us = now_us - from_s * 1000000;
    run.ended_us = now_us - to_s * 1000000;
    if (!parity_run_store(session, &run, &err))
        fail_msg("%s", err.text);
}

static struct parity_green green_of(struct session *session, int64_t age_s)
{
    struct parity_green green;
    struct err err = ERR_INIT;
    memset(&green, 0xff, sizeof green);
    if (!parity_green_load(session, "trades", age_s, &green, &err))
        fail_msg("%s", err.text);
    return green;
}

/* "about so many seconds ago" */
static void assert_ago(int64_t us, int64_t seconds)
{
    int64_t ago_s = (clock_wall_ms() * 1000 - us) / 1000000;
    assert_in_range(ago_s, seconds, seconds + 60);
}

static void nothing_is_not_green(void **state)
{
    struct session *session = session_of(state);
    struct parity_green green = green_of(session, 3600);
    assert_int_equal(green.comparisons, 0);
    assert_int_equal(green.since_us, 0);
    assert_int_equal(green.last_us, 0);
    assert_int_equal(green.mismatches, 0);
    assert_int_equal(green.mismatch_us, 0);
}

static void a_row_holds_what_was_given(void **state)
{
    struct session *session = session_of(state);
    struct err err = ERR_INIT;
    struct parity_run run = {
        .endpoint = "leaderboard",
        .origin = "canary",
        .instance = "host:7",
        .left = "legacy",
        .right = "repo",
        .started_us = INT64_C(1761452354435001),
        .ended_us = INT64_C(1761452354435002),
        .comparisons = 5,
        .mismatches = 4,
        .unsettled = 3,
        .failures = 2,
        .shed = UINT64_MAX,
        .counts.differences = {[PARITY_VALUE] = 6, [PARITY_NULL_ABSENT] = UINT64_C(1) << 40},
    };
    assert_true(parity_run_store(session, &run, &err));
    PGresult *result = session_query(
        session,
        "SELECT concat_ws(' ', endpoint, origin, instance, left_source, right_source,"
        " (extract(epoch FROM started_at) * 1000000)::bigint, (extract(epoch FROM ended_at) * 1000000)::bigint,"
        " comparisons, mismatches, unsettled, failures, shed, differences) FROM parity_runs",
        NULL, &err);
    assert_non_null(result);
    assert_string_equal(PQgetvalue(result, 0, 0),
                        "leaderboard canary host:7 legacy repo 1761452354435001 1761452354435002 5 4 3 2"
                        " 9223372036854775807 {\"value\": 6, \"null-vs-absent\": 1099511627776}");
    PQclear(result);
}

static void stretches_add_up(void **state)
{
    struct session *session = session_of(state);
    store(session, (struct parity_run){.comparisons = 10}, 600, 500);
    store(session, (struct parity_run){.comparisons = 20, .origin = "canary"}, 500, 400);
    store(session, (struct parity_run){.comparisons = 30, .unsettled = 7, .origin = "check"}, 400, 300);
    /* What says nothing about legacy and repo, about another endpoint, or nothing at all. */
    store(session, (struct parity_run){.comparisons = 100, .right = "http://elsewhere"}, 300, 200);
    store(session, (struct parity_run){.comparisons = 100, .left = "/yesterday"}, 300, 200);
    store(session, (struct parity_run){.comparisons = 100, .endpoint = "positions"}, 300, 200);
    store(session, (struct parity_run){.shed = 5, .failures = 5}, 900, 100);
    store(session, (struct parity_run){.comparisons = 2, .unsettled = 2}, 900, 100);
    struct parity_green green = green_of(session, 3600);
    assert_int_equal(green.comparisons, 53);
    assert_ago(green.since_us, 600);
    assert_ago(green.last_us, 300);
    assert_int_equal(green.mismatches, 0);
}

static void only_the_time_asked_for_counts(void **state)
{
    struct session *session = session_of(state);
    store(session, (struct parity_run){.comparisons = 5, .mismatches = 1}, 8000, 7000);
    store(session, (struct parity_run){.comparisons = 10}, 5000, 4000);
    store(session, (struct parity_run){.comparisons = 20}, 3700, 3500); /* ends within it */
    store(session, (struct parity_run){.comparisons = 40}, 100, 50);
    struct parity_green green = green_of(session, 3600);
    assert_int_equal(green.comparisons, 60);
    assert_ago(green.since_us, 3700);
    assert_int_equal(green.mismatches, 0);
    green = green_of(session, 7500);
    assert_int_equal(green.comparisons, 70);
    assert_int_equal(green.mismatches, 1);
    assert_ago(green.mismatch_us, 7000);
}

static void a_mismatch_undoes_what_lies_before_it(void **state)
{
    struct session *session = session_of(state);
    store(session, (struct parity_run){.comparisons = 1}, 600, 500);
    store(session, (struct parity_run){.comparisons = 10, .mismatches = 2}, 500, 400);
    store(session, (struct parity_run){.comparisons = 100}, 450, 350); /* of another instance, at the same time */
    store(session, (struct parity_run){.comparisons = 10, .mismatches = 1}, 700, 650);
    struct parity_green green = green_of(session, 3600);
    assert_int_equal(green.comparisons, 0);
    assert_int_equal(green.since_us, 0);
    assert_int_equal(green.mismatches, 3);
    assert_ago(green.mismatch_us, 400);
    store(session, (struct parity_run){.comparisons = 1000}, 399, 300);
    store(session, (struct parity_run){.comparisons = 10000}, 200, 100);
    green = green_of(session, 3600);
    assert_int_equal(green.comparisons, 11000);
    assert_ago(green.since_us, 399);
    assert_ago(green.last_us, 100);
    assert_int_equal(green.mismatches, 3);
}

/* Against a count of its own over random stretches. */
static void sums_are_those_of_a_plain_count(void **state)
{
    enum { STRETCHES = 40, ROUNDS = 5, AGE_S = 5000 };
    struct session *session = session_testing_of(state);
    unsigned seed = 20251026;
    for (unsigned round = 0; round < ROUNDS; round++) {
        int64_t from[STRETCHES];
        int64_t to[STRETCHES];
        struct parity_run runs[STRETCHES];
        int64_t bad = INT64_MAX;
        uint64_t expected = 0;
        session = session_of(state);
        for (unsigned i = 0; i < STRETCHES; i++) {
            /* 20 apart, so that the time that passes meanwhile moves none over a border. */
            to[i] = 10 + 20 * (int64_t)((unsigned)rand_r(&seed) % 400);
            from[i] = to[i] + 1 + (int64_t)((unsigned)rand_r(&seed) % 200);
            runs[i] = (struct parity_run){.comparisons = (unsigned)rand_r(&seed) % 1000};
            runs[i].mismatches = (unsigned)rand_r(&seed) % 10 == 0 ? runs[i].comparisons / 2 : 0;
            store(session, runs[i], from[i], to[i]);
            if (runs[i].mismatches && to[i] <= AGE_S && to[i] < bad)
                bad = to[i];
        }
        for (unsigned i = 0; i < STRETCHES; i++)
            if (to[i] <= AGE_S && !runs[i].mismatches && from[i] <= bad)
                expected += runs[i].comparisons;
        assert_int_equal(green_of(session, AGE_S).comparisons, expected);
    }
}

static void a_tally_is_of_a_time(void **state)
{
    struct session *session = session_of(state);
    struct parity_tally tally;
    struct err err = ERR_INIT;
    store(session, (struct parity_run){.comparisons = 1, .mismatches = 1}, 900, 800); /* before */
    store(session, (struct parity_run){.comparisons = 20, .mismatches = 2, .failures = 7}, 700,
          500); /* over the border */
    store(session, (struct parity_run){.comparisons = 300, .unsettled = 10, .failures = 3}, 550, 450);
    store(session, (struct parity_run){.comparisons = 4000, .mismatches = 5}, 300, 200);
    store(session, (struct parity_run){.comparisons = 9, .mismatches = 9, .endpoint = "positions"}, 300, 200);
    store(session, (struct parity_run){.comparisons = 9, .mismatches = 9, .right = "/copy"}, 300, 200);
    static const struct {
        int64_t until_s; /* ago; 0: without end */
        bool overlapping;
        uint64_t comparisons, mismatches;
    } cases[] = {{0, false, 4290, 5}, {0, true, 4290, 7}, {400, false, 290, 0}, {400, true, 290, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t now_us = clock_wall_ms() * 1000;
        int64_t until_us = cases[i].until_s ? now_us - cases[i].until_s * 1000000 : 0;
        assert_true(parity_tally_load(session, "trades", now_us - INT64_C(600000000), until_us, cases[i].overlapping,
                                      &tally, &err));
        assert_int_equal(tally.comparisons, cases[i].comparisons);
        assert_int_equal(tally.mismatches, cases[i].mismatches);
        assert_int_equal(tally.failures, 3);
    }
}

static void old_rows_go(void **state)
{
    struct session *session = session_of(state);
    struct err err = ERR_INIT;
    store(session, (struct parity_run){.comparisons = 1}, 9000, 7300);
    store(session, (struct parity_run){.comparisons = 2}, 9000, 7100);
    assert_true(parity_runs_prune(session, 7200, &err));
    assert_int_equal(green_of(session, 100000).comparisons, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_not_green),
        cmocka_unit_test(a_row_holds_what_was_given),
        cmocka_unit_test(stretches_add_up),
        cmocka_unit_test(only_the_time_asked_for_counts),
        cmocka_unit_test(a_mismatch_undoes_what_lies_before_it),
        cmocka_unit_test(sums_are_those_of_a_plain_count),
        cmocka_unit_test(a_tally_is_of_a_time),
        cmocka_unit_test(old_rows_go),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
