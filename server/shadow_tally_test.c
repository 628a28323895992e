/* What was counted is written down once, whole, and not lost while Postgres takes nothing. Against a real Postgres. */
#include "repo/cells.h"
#include "repo/session_testing.h"
#include "server/shadow_tally.h"

static int set_up(void **state)
{
    return session_testing_start(state, "shadow_tally", true);
}

static void add(struct shadow_tally *tally, enum shadow_result result, unsigned times)
{
    struct parity_counts counts = {.differences[PARITY_ORDER] = 2};
    for (unsigned i = 0; i < times; i++)
        shadow_tally_add(tally, READ_TRADES, FLAG_SHADOW, result, result == SHADOW_DIFFERENT ? &counts : NULL);
}

/* "endpoint origin comparisons mismatches unsettled failures shed differences" of all rows, in the order written. */
static void expect_rows(struct session *session, const char *wanted)
{
    struct err err = ERR_INIT;
    PGresult *result = session_query(
        session,
        "SELECT coalesce(string_agg(concat_ws(' ', endpoint, origin, comparisons, mismatches, unsettled, failures, "
        "shed,"
        " differences::text), '; ' ORDER BY id), '') FROM parity_runs WHERE started_at <= ended_at AND left_source ="
        " 'legacy' AND right_source = 'repo'",
        NULL, &err);
    if (!result)
        fail_msg("%s", err.text);
    assert_string_equal(PQgetvalue(result, 0, 0), wanted);
    PQclear(result);
}

static bool store(struct shadow_tally *tally, struct session *session)
{
    struct err err = ERR_INIT;
    bool good = shadow_tally_store(tally, session, &err);
    if (!good)
        session_rollback(session);
    return good;
}

static void news_are_written_once(void **state)
{
    struct session *session = session_testing_of(state);
    struct shadow_tally *tally = shadow_tally_new();
    assert_false(shadow_tally_is_due(tally));
    assert_true(store(tally, session));
    expect_rows(session, "");
    add(tally, SHADOW_EQUAL, 5);
    add(tally, SHADOW_DIFFERENT, 2);
    add(tally, SHADOW_UNSETTLED, 1);
    add(tally, SHADOW_FAILED, 3);
    assert_true(shadow_tally_try_shed(tally, READ_TRADES, FLAG_SHADOW, 7));
    shadow_tally_add(tally, READ_LEADERBOARD, FLAG_CANARY, SHADOW_EQUAL, NULL);
    assert_true(shadow_tally_is_due(tally));
    assert_true(store(tally, session));
    assert_false(shadow_tally_is_due(tally));
    static const char first[] = "trades shadow 8 2 1 3 7 {\"order\": 4}; leaderboard canary 1 0 0 0 0 {}";
    expect_rows(session, first);
    assert_true(store(tally, session));
    expect_rows(session, first);
    session_testing_must(session, "TRUNCATE parity_runs");
    shadow_tally_free(tally);
}

static void nothing_is_lost_meanwhile(void **state)
{
    struct session *session = session_testing_of(state);
    struct shadow_tally *tally = shadow_tally_new();
    add(tally, SHADOW_EQUAL, 5);
    session_testing_must(session, "ALTER TABLE parity_runs RENAME TO away");
    assert_false(store(tally, session));
    add(tally, SHADOW_EQUAL, 4);
    assert_false(store(tally, session));
    session_testing_must(session, "ALTER TABLE away RENAME TO parity_runs");
    assert_true(store(tally, session));
    expect_rows(session, "trades shadow 9 0 0 0 0 {}");
    struct err err = ERR_INIT;
    assert_true(shadow_tally_look(tally, session, 3600, &err));
    struct buf page = BUF_INIT;
    shadow_tally_print(tally, &page);
    assert_non_null(strstr(buf_cstr(&page), "nof0_parity_green_comparisons{endpoint=\"trades\"} 9\n"));
    assert_non_null(strstr(page.data, "nof0_parity_green_comparisons{endpoint=\"positions\"} 0\n"));
    assert_non_null(strstr(page.data, "nof0_shadow_runs_stored_total 1\n"));
    buf_free(&page);
    shadow_tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(news_are_written_once),
        cmocka_unit_test(nothing_is_lost_meanwhile),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
