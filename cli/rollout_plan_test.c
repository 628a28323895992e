#include "base/testing.h"
#include "cli/rollout_plan.h"

static struct rollout_plan plan_of(const char *yaml)
{
    struct rollout_plan plan;
    struct buf faults = BUF_INIT;
    if (!rollout_plan_parse(slice_of(yaml), "p", &plan, &faults))
        fail_msg("%s", buf_cstr(&faults));
    assert_int_equal(faults.len, 0);
    buf_free(&faults);
    return plan;
}

/* "shadow 600000 1000, repo 0 0". */
static void assert_steps(const struct rollout_track *track, const char *expected)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < track->step_count; i++) {
        buf_append_str(&text, i ? ", " : "");
        flag_value_put(&text, track->flag, track->steps[i].to);
        buf_printf(&text, " %lld %lld", (long long)track->steps[i].soak_ms, (long long)track->steps[i].comparisons);
    }
    assert_string_equal(buf_cstr(&text), expected);
    buf_free(&text);
}

static void the_least_plan(void **state)
{
    (void)state;
    struct rollout_plan plan = plan_of("name: x\nsteps: [{to: repo}]\n");
    assert_string_equal(plan.name, "x");
    assert_int_equal(plan.parallel, 1);
    assert_int_equal(plan.track_count, 8);
    for (size_t i = 0; i < plan.track_count; i++) {
        assert_int_equal(flag_kind(plan.tracks[i].flag), FLAG_KIND_READ);
        assert_true(plan.tracks[i].back);
        assert_steps(&plan.tracks[i], "repo 600000 0");
    }
}

static void all_that_a_plan_can_say(void **state)
{
    (void)state;
    /* Defaults reach what stands above them. */
    struct rollout_plan plan = plan_of("endpoints:\n"
                                       "  trades:\n"
                                       "  read.analytics:\n"
                                       "    on_difference: back\n"
                                       "    steps:\n"
                                       "      - to: canary:0.25\n"
                                       "        comparisons: 7\n"
                                       "  positions: ~\n"
                                       "  leaderboard: {on_difference: stay}\n"
                                       "steps: &s\n"
                                       "  - {to: shadow, soak: 1h}\n"
                                       "  - {to: canary:5, comparisons: 0}\n"
                                       "  - {to: \"canary:50\"}\n"
                                       "  - {to: repo, soak: 0, comparisons: 0}\n"
                                       "parallel: 3\n"
                                       "defaults:\n"
                                       "  soak: 10s\n"
                                       "  on_difference: stay\n"
                                       "  comparisons: 5\n"
                                       "name: all.of-it_1\n");
    assert_string_equal(plan.name, "all.of-it_1");
    assert_int_equal(plan.parallel, 3);
    assert_int_equal(plan.track_count, 4);
    static const enum flag flags[] = {FLAG_READ_TRADES, FLAG_READ_ANALYTICS, FLAG_READ_POSITIONS,
                                      FLAG_READ_LEADERBOARD};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(plan.tracks[i].flag, flags[i]);
        assert_int_equal(plan.tracks[i].back, i == 1);
        assert_steps(&plan.tracks[i], i == 1 ? "canary:0.25 10000 7"
                                             : "shadow 3600000 5, canary:5 10000 0, canary:50 10000 5, repo 0 0");
    }
    assert_int_equal(plan.tracks[0].steps[0].line, 11);
    assert_int_equal(plan.tracks[1].steps[0].line, 6);
}

static void an_alias_is_a_list_of_steps_again(void **state)
{
    (void)state;
    struct rollout_plan plan = plan_of("name: x\n"
                                       "endpoints:\n"
                                       "  trades: {steps: &long [{to: shadow, soak: 2h}, {to: repo, soak: 1m}]}\n"
                                       "  positions: {steps: *long}\n");
    assert_steps(&plan.tracks[1], "shadow 7200000 1000, repo 60000 0");
}

static void faults_name_file_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *faults;
    } cases[] = {
        {"", "p:1: is empty\n"},
        {"~", "p:1: must be a map\n"},
        {"[]", "p:1: must be a map\n"},
        {"steps: [{to: repo}]", "p:1: has no \"name\"\n"},
        {"name: x", "p:1: has no steps, and \"steps\" of the plan says none\n"},
        {"name: x\nendpoints: {trades: }",
         "p:2: endpoints.trades: has no steps, and \"steps\" of the plan says none\n"},
        {"name: x\nsteps: [{to: repo}]\nendpoints: {}", "p:3: endpoints: names no endpoint (left out: all of them)\n"},
        {"name: x\nsteps: [{to: repo}]\nendpoints: [trades]", "p:3: endpoints: must be a map of endpoints\n"},
        {"name: x\nsteps: [{to: repo}]\nendpoints:\n  trade:\n  switch.stream:\n  trades:\n  read.trades:\n",
         "p:4: endpoints.trade: is no endpoint (nof0ctl flags list: what stands behind \"read.\")\n"
         "p:5: endpoints.switch.stream: is no endpoint (nof0ctl flags list: what stands behind \"read.\")\n"
         "p:7: endpoints.read.trades: is an endpoint that stands here already\n"},
        {"name: x\nsteps: [{to: repo}]\nendpoints:\n  trades:\n  trades:\n",
         "p:5: endpoints.trades: stands here a second time, first on line 4\n"},
        {"name: x\nsoak: 5m\nsteps: [{to: repo}]\nname: y\n",
         "p:2: soak: is no key of a rollout plan here\np:4: name: stands here a second time, first on line 1\n"},
        {"name: x y\nparallel: 0\nsteps: [{to: repo}]\n",
         "p:1: name: is \"x y\", not 1 to 64 letters, digits, '.', '_' or '-'\n"
         "p:2: parallel: is \"0\", not a whole number from 1 to 32\n"},
        {"name: cutover\nsteps: [{to: repo}]\n",
         "p:1: name: is \"cutover\", not another name: this one is nof0ctl cutover's\n"},
        {"name: [x]\nparallel: \"2\"\nsteps: [{to: repo}]\n",
         "p:1: name: must be 1 to 64 letters, digits, '.', '_' or '-'\n"
         "p:2: parallel: is \"2\", not a whole number from 1 to 32\n"},
        {"name: x\ndefaults: {soak: 10 min, comparisons: -1, on_difference: halt, to: repo}\nsteps: [{to: repo}]\n",
         "p:2: defaults.soak: is \"10 min\", not a time (500ms, 10s, 5m, 2h, 7d; at most 90d)\n"
         "p:2: defaults.comparisons: is \"-1\", not a whole number from 0 to 1000000000\n"
         "p:2: defaults.on_difference: is \"halt\", not back or stay\n"
         "p:2: defaults.to: is no key of a rollout plan here\n"},
        {"name: x\nsteps: []", "p:2: steps: has 0 steps, not 1 to 32\n"},
        {"name: x\nsteps: {to: repo}", "p:2: steps: must be a list of steps\n"},
        {"name: x\nsteps: [repo]", "p:2: steps[1]: must be a map\n"},
        {"name: x\nsteps: [{soak: 5m}]", "p:2: steps[1]: does not say where \"to\"\n"},
        {"name: x\nsteps:\n  - to: shadow\n  - to: legacy\n  - to:\n  - to: canary:101\n    soak: ${SOAK}\n",
         "p:4: steps[2].to: is \"legacy\", not shadow, canary:N (percent, above 0 and up to 100, at most two decimals) "
         "or "
         "repo\n"
         "p:5: steps[3].to: must be shadow, canary:N (percent, above 0 and up to 100, at most two decimals) or repo\n"
         "p:6: steps[4].to: is \"canary:101\", not shadow, canary:N (percent, above 0 and up to 100, at most two "
         "decimals) or repo\n"
         "p:7: steps[4].soak: is \"${SOAK}\", not a time (500ms, 10s, 5m, 2h, 7d; at most 90d)\n"},
        {"name: x\nendpoints:\n  trades:\n    steps:\n      - to: canary:5\n      - to: shadow\n",
         "p:6: endpoints.trades.steps[2]: shadow does not lead on from canary:5 of the step before\n"},
        {"name: x\nsteps: [{to: canary:5}, {to: canary:5.00}]\n",
         "p:2: steps[2]: canary:5 does not lead on from canary:5 of the step before\n"},
        {"name: x\nsteps: [{to: repo}, {to: repo}]\n",
         "p:2: steps[2]: repo does not lead on from repo of the step before\n"},
        {"name: x\nsteps: [{to: repo, comparisons: 5}]\n",
         "p:2: steps[1]: asks for comparisons in repo, which has only a soak\n"},
        {"name: x\nsteps: [{to: repo, soak: !!int 5}]\n",
         "p:2: steps[1].soak: has a tag (\"!...\"), which is not read\n"},
        {"name: x\nsteps: [{to: repo}\n",
         "p:3: YAML: while parsing a flow sequence, did not find expected ',' or ']'\n"},
        {"name: x\nsteps: [{to: repo}]\n---\nname: y\n", "p:4: a second YAML document, where only one is read\n"},
        {"name: x\nsteps: *nothing\n", "p:2: YAML: found undefined alias\n"},
        {"name: x\nsteps: [{to: repo}]\n[a]: b\n\"\": c\n",
         "p:3: has a key that is no word\np:4: has a key that is no word\n"},
        {"name: \"x\\e[31m\"\nsteps: [{to: repo}]\n",
         "p:1: name: is \"x\\u001b[31m\", not 1 to 64 letters, digits, '.', '_' or '-'\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rollout_plan plan;
        struct buf faults = BUF_INIT;
        bool good = rollout_plan_parse(slice_of(cases[i].yaml), "p", &plan, &faults);
        if (good || strcmp(buf_cstr(&faults), cases[i].faults) != 0)
            fail_msg("%s\ngives\n%sand not\n%s", cases[i].yaml, buf_cstr(&faults), cases[i].faults);
        buf_free(&faults);
    }
}

static void a_flood_is_refused(void **state)
{
    (void)state;
    enum { KEYS = 10000 };
    struct rollout_plan plan;
    struct buf yaml = BUF_INIT;
    struct buf faults = BUF_INIT;
    for (unsigned i = 0; i < KEYS; i++)
        buf_printf(&yaml, "k%u: x\n", i);
    assert_false(rollout_plan_parse(buf_slice(&yaml), "p", &plan, &faults));
    assert_string_equal(buf_cstr(&faults), "p:1: has 10000 keys, more than 64\n");
    while (yaml.len <= (size_t)256 * 1024)
        buf_append_str(&yaml, "# nothing\n");
    buf_clear(&faults);
    assert_false(rollout_plan_parse(buf_slice(&yaml), "p", &plan, &faults));
    assert_string_equal(buf_cstr(&faults), "p:1: is longer than 256 KiB\n");
    buf_free(&yaml);
    buf_free(&faults);
}

static void no_comparisons_only_where_the_guard_allows_it(void **state)
{
    (void)state;
    struct rollout_plan plan = plan_of("name: x\n"
                                       "steps:\n"
                                       "  - {to: shadow, comparisons: 0}\n"
                                       "  - {to: canary:5}\n"
                                       "  - {to: canary:50, comparisons: 0}\n"
                                       "endpoints: {trades: , positions: }\n");
    struct buf faults = BUF_INIT;
    assert_true(rollout_plan_fits_guard(&plan, "p", 0, &faults));
    /* Behind the last step there is none that a guard could refuse. */
    assert_false(rollout_plan_fits_guard(&plan, "p", 9, &faults));
    assert_string_equal(
        buf_cstr(&faults),
        "p:3: comparisons: is 0 in the step to shadow, but flags.guard_comparisons asks for 9 before the next one\n");
    buf_free(&faults);
}

static void the_plan_that_is_shipped_is_good(void **state)
{
    (void)state;
    struct rollout_plan plan;
    struct buf faults = BUF_INIT;
    if (!rollout_plan_load("etc/rollout.yaml", &plan, &faults) ||
        !rollout_plan_fits_guard(&plan, "etc/rollout.yaml", 1000, &faults))
        fail_msg("%s", buf_cstr(&faults));
    assert_int_equal(plan.track_count, 8);
    for (size_t i = 0; i < plan.track_count; i++) {
        const struct rollout_track *track = &plan.tracks[i];
        assert_int_equal(track->steps[0].to.mode, FLAG_SHADOW);
        assert_int_equal(track->steps[track->step_count - 1].to.mode, FLAG_REPO);
    }
    assert_false(rollout_plan_load("etc/no-such-plan.yaml", &plan, &faults));
    assert_string_equal(buf_cstr(&faults), "etc/no-such-plan.yaml: No such file or directory\n");
    buf_clear(&faults);
    assert_false(rollout_plan_load("etc", &plan, &faults));
    assert_string_equal(buf_cstr(&faults), "etc: Is a directory\n");
    buf_free(&faults);
}

static void values_are_ranked(void **state)
{
    (void)state;
    static const char *const values[] = {"legacy", "shadow", "canary:0.01", "canary:5", "canary:100", "repo"};
    uint32_t before = 0;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct flag_value value;
        assert_true(flag_value_parse(FLAG_READ_TRADES, slice_of(values[i]), &value, NULL));
        assert_true(i == 0 ? rollout_rank(value) == 0 : rollout_rank(value) > before);
        before = rollout_rank(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_plan),
        cmocka_unit_test(all_that_a_plan_can_say),
        cmocka_unit_test(an_alias_is_a_list_of_steps_again),
        cmocka_unit_test(faults_name_file_line_and_key),
        cmocka_unit_test(a_flood_is_refused),
        cmocka_unit_test(no_comparisons_only_where_the_guard_allows_it),
        cmocka_unit_test(the_plan_that_is_shipped_is_good),
        cmocka_unit_test(values_are_ranked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
