/* What a plan sees in the database. */
#include "base/clock.h"
#include "cli/rollout_store.h"
#include "repo/session_testing.h"
#include "server/flag_guard.h"

#include <inttypes.h>
#include <stdlib.h>

static int set_up(void **state)
{
    return session_testing_start(state, "rollout", true);
}

static struct rollout_plan plan_of(const char *yaml)
{
    struct rollout_plan plan;
    struct buf faults = BUF_INIT;
    if (!rollout_plan_parse(slice_of(yaml), "p", &plan, &faults))
        fail_msg("%s", buf_cstr(&faults));
    buf_free(&faults);
    return plan;
}

static const char yaml[] = "name: x\n"
                           "defaults: {soak: 0, comparisons: 5}\n"
                           "steps: [{to: shadow}, {to: canary:5}, {to: repo}]\n"
                           "endpoints: {analytics: , trades: }\n";

struct rig {
    struct session *session;
    struct settings *settings;
    struct rollout_plan plan;
    struct rollout_look look;
    struct rollout_position positions[FLAG_COUNT];
};

static struct rig rig_start(void **state)
{
    struct rig rig = {.session = session_testing_of(state), .settings = settings_default(), .plan = plan_of(yaml)};
    rig.settings->flags_guard_comparisons = 5;
    rig.settings->endpoints_trades = rig.settings->endpoints_analytics = SETTINGS_LEGACY;
    session_testing_must(rig.session,
                         "TRUNCATE feature_flags, parity_runs; TRUNCATE feature_flag_changes RESTART IDENTITY");
    return rig;
}

static void rig_look(struct rig *rig)
{
    struct err err = ERR_INIT;
    if (!rollout_look(rig->session, rig->settings, NULL, &rig->plan, &rig->look, &err))
        fail_msg("%s", err.text);
    rollout_judge(&rig->plan, rig->look.sights, rig->look.now_us, rig->positions);
}

/* A stretch from so many milliseconds before the last change of any flag to so many after it (or before it: below 0).
 */
static void compared(struct rig *rig, const char *endpoint, int before_ms, int after_ms, int comparisons,
                     int mismatches)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO parity_runs (endpoint, origin, instance, left_source, right_source, started_at,"
                   " ended_at, comparisons, mismatches, unsettled, failures, shed)"
                   " SELECT '%s', 'shadow', 't', 'legacy', 'repo', max(created_at) - interval '%d ms',"
                   " max(created_at) + interval '%d ms', %d, %d, 0, 1, 0 FROM feature_flag_changes",
                   endpoint, before_ms, after_ms, comparisons, mismatches);
    session_testing_must(rig->session, sql);
}

static bool change(struct rig *rig, size_t at, int64_t expected, const char *to, int64_t *version, struct err *err)
{
    struct flag_value value;
    assert_true(flag_value_parse(rig->plan.tracks[at].flag, slice_of(to), &value, err));
    return rollout_change(rig->session, rig->settings, &rig->plan, &rig->plan.tracks[at], expected, value, SLICE("why"),
                          version, err);
}

static void others_change(struct rig *rig, const char *to)
{
    struct flag_change wanted = {.flag = FLAG_READ_ANALYTICS,
                                 .set = to != NULL,
                                 .origin = FLAG_BY_SYSTEM,
                                 .actor = SLICE("nof0d@here"),
                                 .reason = SLICE("too many errors"),
                                 .expected = FLAG_VERSION_ANY};
    struct err err = ERR_INIT;
    int64_t version;
    assert_true(!to || flag_value_parse(wanted.flag, slice_of(to), &wanted.value, &err));
    if (!flag_store_change(rig->session, &wanted, &version, &err))
        fail_msg("%s", err.text);
}

static void nothing_is_stored_yet(void **state)
{
    struct rig rig = rig_start(state);
    rig_look(&rig);
    assert_true(rig.look.on);
    int64_t apart_us = rig.look.now_us - clock_wall_ms() * 1000;
    assert_true(apart_us > -60000000 && apart_us < 60000000);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rig.look.sights[i].value.mode, FLAG_LEGACY);
        assert_int_equal(rig.look.sights[i].version, 0);
        assert_false(rig.look.sights[i].begun);
        assert_int_equal(rig.positions[i].state, i ? ROLLOUT_WAITING : ROLLOUT_DUE);
    }
    settings_free(rig.settings);
}

static void its_own_changes_are_known(void **state)
{
    struct rig rig = rig_start(state);
    struct err err = ERR_INIT;
    int64_t version = 0;
    assert_true(change(&rig, 0, 0, "shadow", &version, &err));
    assert_int_equal(version, 1);
    rig_look(&rig);
    const struct rollout_sight *sight = &rig.look.sights[0];
    assert_true(sight->ours && sight->begun && sight->version == 1);
    assert_string_equal(sight->by, "plan:x");
    assert_string_equal(sight->why, "why");
    assert_true(sight->since_us > 0 && sight->since_us <= rig.look.now_us);
    assert_int_equal(sight->from.mode, FLAG_LEGACY);
    /* Somebody was faster, and the guard is asked. */
    assert_false(change(&rig, 0, 0, "canary:5", &version, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_false(change(&rig, 0, 1, "canary:5", &version, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    struct flag_value shadow = {.mode = FLAG_SHADOW};
    struct flag_value repo = {.mode = FLAG_REPO};
    assert_false(rollout_would_pass(rig.session, rig.settings, &rig.plan.tracks[0], shadow, repo, &err));
    assert_int_equal(err.code, ERR_REFUSED);
    assert_true(rollout_would_pass(rig.session, rig.settings, &rig.plan.tracks[0], repo, shadow, &err));
    compared(&rig, "analytics_all", -1, 2, 7, 0);
    compared(&rig, "analytics_one", -1, 2, 5, 0);
    assert_true(rollout_would_pass(rig.session, rig.settings, &rig.plan.tracks[0], shadow, repo, &err));
    assert_true(change(&rig, 0, 1, "canary:5", &version, &err));
    /* The system takes it back; what the configuration says is no change of the plan either. */
    static const char *const values[] = {"legacy", NULL};
    for (size_t i = 0; i < 2; i++) {
        others_change(&rig, values[i]);
        rig_look(&rig);
        assert_true(!sight->ours && sight->begun);
        assert_int_equal(sight->from.mode, i ? FLAG_LEGACY : FLAG_CANARY);
        assert_int_equal(rig.positions[0].state, ROLLOUT_HELD);
        assert_string_equal(sight->by, "nof0d@here");
        assert_string_equal(sight->why, "too many errors");
        assert_int_equal(rig.positions[1].state, ROLLOUT_DUE);
    }
    settings_free(rig.settings);
}

static void what_counts_began_with_the_step(void **state)
{
    struct rig rig = rig_start(state);
    struct err err = ERR_INIT;
    int64_t version;
    const struct rollout_sight *sight = &rig.look.sights[0];
    assert_true(change(&rig, 0, 0, "shadow", &version, &err));
    /* Both endpoints of the flag must have them; what began before does not count, nor does its difference. */
    compared(&rig, "analytics_all", 5, -1, 100, 3);
    compared(&rig, "analytics_one", 5, 5, 100, 1);
    compared(&rig, "analytics_all", -1, 5, 20, 0);
    compared(&rig, "analytics_all", -1, 5, 30, 0);
    compared(&rig, "analytics_one", -1, 5, 9, 0);
    compared(&rig, "trades", -1, 5, 3, 3);
    rig_look(&rig);
    assert_int_equal(sight->comparisons, 9);
    assert_int_equal(sight->mismatches, 0);
    assert_int_equal(sight->failures, 3);
    assert_null(sight->different);
    session_testing_must(rig.session, "TRUNCATE parity_runs");
    compared(&rig, "analytics_all", -1, 5, 20, 0);
    compared(&rig, "analytics_one", -1, 5, 20, 0);
    assert_true(change(&rig, 0, version, "canary:5", &version, &err));
    /* Behind a step upwards a stretch that reaches over it counts with its differences, not with its comparisons. */
    compared(&rig, "analytics_one", 5, -1, 20, 7);
    compared(&rig, "analytics_one", 5, 5, 20, 2);
    compared(&rig, "analytics_one", -1, 5, 20, 1);
    compared(&rig, "analytics_all", 5, 5, 20, 0);
    rig_look(&rig);
    assert_int_equal(sight->comparisons, 0);
    assert_int_equal(sight->mismatches, 3);
    assert_string_equal(sight->different, "analytics_one");
    /* Behind a step back it does not. */
    assert_true(change(&rig, 0, version, "shadow", &version, &err));
    compared(&rig, "analytics_one", 5, 5, 20, 2);
    rig_look(&rig);
    assert_int_equal(sight->mismatches, 0);
    settings_free(rig.settings);
}

static void the_switch_pauses(void **state)
{
    struct rig rig = rig_start(state);
    struct err err = ERR_INIT;
    int64_t version;
    struct flag_change off = {.flag = FLAG_SWITCH_ROLLOUT,
                              .set = true,
                              .actor = SLICE("ann"),
                              .reason = SLICE("night"),
                              .expected = FLAG_VERSION_ANY};
    assert_true(flag_store_change(rig.session, &off, &version, &err));
    rig_look(&rig);
    assert_false(rig.look.on);
    /* The environment wins, as everywhere. */
    struct flag_overrides overrides = {.present = {[FLAG_SWITCH_ROLLOUT] = true},
                                       .values = {[FLAG_SWITCH_ROLLOUT] = {.on = true}}};
    assert_true(rollout_look(rig.session, rig.settings, &overrides, &rig.plan, &rig.look, &err));
    assert_true(rig.look.on);
    settings_free(rig.settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_stored_yet),
        cmocka_unit_test(its_own_changes_are_known),
        cmocka_unit_test(what_counts_began_with_the_step),
        cmocka_unit_test(the_switch_pauses),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
