/* The stations of nof0ctl cutover, and when files may go. */
#include "cli/rollout_stations.h"
#include "flags/store.h"
#include "repo/session_testing.h"

static int set_up(void **state)
{
    return session_testing_start(state, "stations", true);
}

static struct flag_value value_of(const char *text)
{
    struct flag_value value;
    if (!flag_value_parse(FLAG_READ_TRADES, slice_of(text), &value, NULL))
        fail_msg("%s", text);
    return value;
}

static void the_way_goes_as_far_as_asked(void **state)
{
    (void)state;
    static const struct {
        const char *to, *steps;
    } cases[] = {
        {"shadow", "shadow 7 5 "},
        {"canary:1", "shadow 7 5 canary:1 7 5 "},
        {"canary:5", "shadow 7 5 canary:5 7 5 "},
        {"canary:60", "shadow 7 5 canary:5 7 5 canary:25 7 5 canary:60 7 5 "},
        {"repo", "shadow 7 5 canary:5 7 5 canary:25 7 5 repo 0 0 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rollout_plan plan = rollout_cutover_plan(FLAG_READ_POSITIONS, value_of(cases[i].to), 7, 5);
        struct buf text = BUF_INIT;
        assert_int_equal(plan.track_count, 1);
        assert_int_equal(plan.tracks[0].flag, FLAG_READ_POSITIONS);
        for (size_t k = 0; k < plan.tracks[0].step_count; k++) {
            const struct rollout_step *step = &plan.tracks[0].steps[k];
            flag_value_put(&text, FLAG_READ_POSITIONS, step->to);
            buf_printf(&text, " %lld %lld ", (long long)step->soak_ms, (long long)step->comparisons);
        }
        assert_string_equal(buf_cstr(&text), cases[i].steps);
        buf_free(&text);
    }
    assert_int_equal(rollout_cutover_plan(FLAG_COUNT, value_of("repo"), 0, 0).track_count, 8);
}

static void each_endpoint_has_files(void **state)
{
    (void)state;
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++) {
        if (flag_kind(flag) != FLAG_KIND_READ)
            continue;
        enum flag dual = rollout_dual_write(flag);
        assert_true(dual < FLAG_COUNT && strncmp(flag_name(dual), "dual_write.", 11) == 0);
        assert_string_equal(flag_name(dual) + 11, rollout_flag_name(flag));
    }
}

struct rig {
    struct session *session;
    struct settings *settings;
    struct rollout_plan plan;
    struct rollout_look look;
};

static struct rig rig_start(void **state)
{
    struct rig rig = {.session = session_testing_of(state),
                      .settings = settings_default(),
                      .plan = rollout_cutover_plan(FLAG_READ_TRADES, value_of("repo"), 0, 5)};
    session_testing_must(rig.session,
                         "TRUNCATE feature_flags, parity_runs; TRUNCATE feature_flag_changes RESTART IDENTITY");
    return rig;
}

static void set(struct rig *rig, enum flag flag, const char *value)
{
    struct flag_change change = {
        .flag = flag, .set = true, .actor = SLICE("ann"), .reason = SLICE("r"), .expected = FLAG_VERSION_ANY};
    struct err err = ERR_INIT;
    int64_t version;
    assert_true(flag_value_parse(flag, slice_of(value), &change.value, &err));
    if (!flag_store_change(rig->session, &change, &version, &err))
        fail_msg("%s", err.text);
}

/* A comparison with a difference, just now. */
static void differs(struct rig *rig)
{
    session_testing_must(rig->session,
                         "INSERT INTO parity_runs (endpoint, origin, instance, left_source, right_source, started_at,"
                         " ended_at, comparisons, mismatches, unsettled, failures, shed) VALUES ('trades', 'check',"
                         " 't', 'legacy', 'repo', clock_timestamp(), clock_timestamp(), 1, 1, 0, 0, 0)");
}

static void assert_items(struct rig *rig, int64_t age_ms, const char *const *texts, size_t missing)
{
    struct rollout_items items;
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    if (!rollout_look(rig->session, rig->settings, NULL, &rig->plan, &rig->look, &err) ||
        !rollout_check_retirement(rig->session, rig->settings, &rig->plan, &rig->look, 0, age_ms, &items, &err))
        fail_msg("%s", err.text);
    rollout_put_items(&out, &items);
    for (; *texts; texts++)
        if (!strstr(buf_cstr(&out), *texts))
            fail_msg("\"%s\" is not in:\n%s", *texts, buf_cstr(&out));
    if (items.missing != missing)
        fail_msg("%zu lack, not %zu:\n%s", items.missing, missing, buf_cstr(&out));
    buf_free(&out);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void files_go_when_nothing_needs_them(void **state)
{
    struct rig rig = rig_start(state);
    rig.settings->endpoints_trades = SETTINGS_LEGACY;
    rig.settings->dual_write_trades = true;
    assert_items(&rig, 1000,
                 TEXTS("lacks  rows answer everybody (it is legacy)",
                       "lacks  the configuration says endpoints.trades: legacy",
                       "lacks  dual_write.trades is on by the configuration"),
                 3);
    rig.settings->endpoints_trades = SETTINGS_REPO;
    assert_items(&rig, 1000, TEXTS("ok     rows answer everybody, and never did anything else"), 1);
    set(&rig, FLAG_READ_TRADES, "repo");
    assert_items(&rig, 3600000,
                 TEXTS("lacks  rows answer everybody for ", ", of at least 1h",
                       "ok     0 comparisons without a difference since then"),
                 2);
    differs(&rig);
    assert_items(&rig, 0, TEXTS("lacks  1 comparison of trades found a difference since then"), 2);
    session_testing_must(rig.session, "TRUNCATE parity_runs");
    set(&rig, FLAG_DUAL_WRITE_TRADES, "off");
    assert_items(&rig, 0,
                 TEXTS("lacks  the configuration says dual_write.trades: true", "ok     dual_write.trades is off"), 1);
    rig.settings->dual_write_trades = false;
    /* Files that nobody keeps grow old: what differs then says nothing. */
    differs(&rig);
    assert_items(&rig, 0, TEXTS("without a difference since then, as long as its files were kept"), 0);
    set(&rig, FLAG_DUAL_WRITE_TRADES, "on");
    assert_items(&rig, 0, TEXTS("lacks  dual_write.trades is on: nof0ctl flags set dual_write.trades off"), 2);
    settings_free(rig.settings);
}

static void the_next_station_has_its_needs(void **state)
{
    struct rig rig = rig_start(state);
    struct rollout_items items;
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    rig.settings->flags_guard_comparisons = 5;
    set(&rig, FLAG_READ_TRADES, "shadow");
    set(&rig, FLAG_SWITCH_ROLLOUT, "off");
    differs(&rig);
    assert_true(rollout_look(rig.session, rig.settings, NULL, &rig.plan, &rig.look, &err));
    assert_true(
        rollout_check_next(rig.session, rig.settings, &rig.plan, &rig.look, 0, value_of("canary:5"), &items, &err));
    rollout_put_items(&out, &items);
    static const char *const texts[] = {"lacks  switch.rollout is off", "lacks  legacy.dir is not set",
                                        "lacks  1 comparison of trades found a difference since the last change",
                                        "lacks  trades has 0 of the 5 comparisons since the last difference"};
    assert_int_equal(items.missing, 4);
    for (size_t i = 0; i < 4; i++)
        if (!strstr(buf_cstr(&out), texts[i]))
            fail_msg("\"%s\" is not in:\n%s", texts[i], buf_cstr(&out));
    buf_free(&out);
    settings_free(rig.settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_goes_as_far_as_asked),
        cmocka_unit_test(each_endpoint_has_files),
        cmocka_unit_test(files_go_when_nothing_needs_them),
        cmocka_unit_test(the_next_station_has_its_needs),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
