/* Who may change a flag, by what comparisons found. */
#include "parity/guard.h"
#include "repo/session_testing.h"

static int set_up(void **state)
{
    return session_testing_start(state, "guard", true);
}

static const struct flag_value legacy = {.mode = FLAG_LEGACY};

static struct parity_need need_of(int64_t comparisons)
{
    return (struct parity_need){
        .endpoints = {"analytics_all", "analytics_one"}, .endpoint_count = 2, .comparisons = comparisons, .age_s = 600};
}

static struct flag_value value_of(const char *text)
{
    struct flag_value value;
    struct err err = ERR_INIT;
    if (!flag_value_parse(FLAG_READ_ANALYTICS, slice_of(text), &value, &err))
        fail_msg("%s", err.text);
    return value;
}

/* A stretch that began and ended so many seconds ago. */
static void compared(struct session *session, const char *endpoint, int began, int ended, int comparisons,
                     int mismatches)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO parity_runs (endpoint, origin, instance, left_source, right_source, started_at,"
                   " ended_at, comparisons, mismatches, unsettled, failures, shed) VALUES ('%s', 'shadow', 't',"
                   " 'legacy', 'repo', now() - interval '%d s', now() - interval '%d s', %d, %d, 0, 0, 0)",
                   endpoint, began, ended, comparisons, mismatches);
    session_testing_must(session, sql);
}

static void start_empty(struct session *session)
{
    session_testing_must(session,
                         "TRUNCATE feature_flags, parity_runs; TRUNCATE feature_flag_changes RESTART IDENTITY");
}

struct wish {
    const char *value; /* NULL: unset */
    struct flag_value configured;
    int64_t comparisons;
    int64_t expected;
    bool forced;
};

static bool change(struct session *session, const struct wish *wish, int64_t *version, struct err *err)
{
    struct parity_need need = need_of(wish->comparisons);
    const struct flag_change wanted = {.flag = FLAG_READ_ANALYTICS,
                                       .set = wish->value != NULL,
                                       .value = wish->value ? value_of(wish->value) : legacy,
                                       .actor = SLICE("a"),
                                       .reason = SLICE("r"),
                                       .forced = wish->forced,
                                       .expected = wish->expected};
    return parity_guarded_change(session, &need, wish->configured, &wanted, version, err);
}

static void must(struct session *session, const char *value, bool forced)
{
    struct wish wish = {value, legacy, 10, FLAG_VERSION_ANY, forced};
    struct err err = ERR_INIT;
    int64_t version;
    if (!change(session, &wish, &version, &err))
        fail_msg("%s: %s", value, err.text);
}

static void must_not(struct session *session, const char *value, const char *const *texts)
{
    struct wish wish = {value, legacy, 10, FLAG_VERSION_ANY, false};
    struct err err = ERR_INIT;
    int64_t version;
    assert_false(change(session, &wish, &version, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    for (; *texts; texts++)
        if (!strstr(err.text, *texts))
            fail_msg("\"%s\" is not in: %s", *texts, err.text);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void only_more_clients_are_guarded(void **state)
{
    (void)state;
    /* In the order of how many clients rows answer. */
    static const char *const values[] = {"legacy", "shadow", "canary:0.01", "canary:5", "canary:100", "repo"};
    enum { COUNT = sizeof values / sizeof values[0] };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            assert_int_equal(parity_guards(FLAG_READ_ANALYTICS, value_of(values[i]), value_of(values[j])),
                             j > i && j > 1);
    assert_false(parity_guards(FLAG_SWITCH_STREAM, (struct flag_value){.on = false}, (struct flag_value){.on = true}));
}

static void it_takes_enough_of_every_endpoint(void **state)
{
    struct session *session = session_testing_of(state);
    start_empty(session);
    must(session, "shadow", false);
    must_not(session, "canary:1",
             TEXTS("read.analytics: ", "analytics_all has 0 of the 10", "analytics_one has 0 of the 10", "600 s"));
    compared(session, "analytics_all", 60, 50, 10, 0);
    compared(session, "analytics_one", 60, 50, 9, 0);
    compared(session, "trades", 60, 50, 1000, 0);
    must_not(session, "repo", TEXTS("analytics_one has 9 of the 10 comparisons without"));
    compared(session, "analytics_one", 50, 40, 1, 0);
    must(session, "canary:1", false);
    must(session, "canary:50", false);
    /* A difference takes it all back, but a canary may stay, or go down, or away. */
    compared(session, "analytics_all", 30, 20, 100, 1);
    must_not(session, "canary:51", TEXTS("analytics_all has 0 of the 10 comparisons since the last difference, 2"));
    must(session, "canary:50", false);
    must(session, "canary:49", false);
    must(session, "legacy", false);
    must(session, "shadow", false);
    must_not(session, "canary:0.01", TEXTS("analytics_all has 0"));
    compared(session, "analytics_all", 10, 5, 10, 0);
    must(session, "repo", false);
    /* What is too old does not count. */
    start_empty(session);
    compared(session, "analytics_all", 700, 650, 100, 0);
    compared(session, "analytics_one", 70, 65, 100, 0);
    must_not(session, "canary:1", TEXTS("analytics_all has 0 of the 10"));
}

struct seen {
    unsigned count;
    bool forced;
    int64_t id;
};

static bool take_newest(void *arg, const struct flag_logged *logged)
{
    struct seen *seen = arg;
    seen->forced = logged->forced;
    seen->id = logged->id;
    seen->count++;
    return false;
}

static bool newest_is_forced(struct session *session)
{
    struct seen seen = {.count = 0};
    struct err err = ERR_INIT;
    assert_true(flag_store_history(session, FLAG_COUNT, 0, 1, take_newest, &seen, &err));
    assert_int_equal(seen.count, 1);
    return seen.forced;
}

static void force_is_noted_where_it_was_needed(void **state)
{
    struct session *session = session_testing_of(state);
    start_empty(session);
    must(session, "shadow", true);
    assert_false(newest_is_forced(session));
    must(session, "canary:1", true);
    assert_true(newest_is_forced(session));
    compared(session, "analytics_all", 60, 50, 10, 0);
    compared(session, "analytics_one", 60, 50, 10, 0);
    must(session, "canary:2", true);
    assert_false(newest_is_forced(session));
    must(session, "legacy", true);
    assert_false(newest_is_forced(session));
}

static void the_configuration_counts_as_a_value(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    int64_t version = -1;
    start_empty(session);
    /* Configured repo: a canary is a step back, and unset leads forward again. */
    const struct flag_value repo = {.mode = FLAG_REPO};
    struct wish wish = {"canary:5", repo, 10, FLAG_VERSION_ANY, false};
    assert_true(change(session, &wish, &version, &err));
    assert_int_equal(version, 1);
    wish.value = NULL;
    assert_false(change(session, &wish, &version, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    wish.configured = legacy;
    assert_true(change(session, &wish, &version, &err));
    assert_int_equal(version, 2);
    /* Without a guard everything goes. */
    wish = (struct wish){"repo", legacy, 0, FLAG_VERSION_ANY, false};
    assert_true(change(session, &wish, &version, &err));
    assert_int_equal(version, 3);
    assert_false(newest_is_forced(session));
}

static void versions_come_first(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    int64_t version = -1;
    start_empty(session);
    struct wish wish = {"repo", legacy, 10, 7, true};
    assert_false(change(session, &wish, &version, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    wish.expected = 0;
    assert_true(change(session, &wish, &version, &err));
    assert_int_equal(version, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_more_clients_are_guarded),
        cmocka_unit_test(it_takes_enough_of_every_endpoint),
        cmocka_unit_test(force_is_noted_where_it_was_needed),
        cmocka_unit_test(the_configuration_counts_as_a_value),
        cmocka_unit_test(versions_come_first),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
