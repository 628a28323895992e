#include "base/json_read.h"
#include "base/testing.h"
#include "cli/rollout_view.h"

#include <stdlib.h>

enum { SECOND_US = 1000000 };

/* Three endpoints of one plan as they are at some moment, and what a view says of them. */
struct rig {
    struct rollout_plan plan;
    struct rollout_look look;
    struct rollout_position positions[FLAG_COUNT];
    const char *refused[FLAG_COUNT];
    struct rollout_view *view;
    FILE *out;
    char *text;
    size_t size;
    size_t seen;
};

static struct rig *rig_start(enum rollout_format format)
{
    static const char yaml[] = "name: night\nparallel: 2\ndefaults: {soak: 10s, comparisons: 5}\n"
                               "steps: [{to: shadow}, {to: canary:5}, {to: repo, soak: 0}]\n"
                               "endpoints: {trades: , positions: , leaderboard: }\n";
    struct rig *rig = calloc(1, sizeof *rig);
    struct buf faults = BUF_INIT;
    assert_non_null(rig);
    if (!rollout_plan_parse(slice_of(yaml), "p", &rig->plan, &faults))
        fail_msg("%s", buf_cstr(&faults));
    rig->look = (struct rollout_look){.now_us = INT64_C(1761451152829000), .on = true};
    rig->out = open_memstream(&rig->text, &rig->size);
    assert_non_null(rig->out);
    const struct rollout_view_options options = {.format = format, .out = rig->out};
    rig->view = rollout_view_new(&options);
    return rig;
}

static void rig_stop(struct rig *rig)
{
    rollout_view_free(rig->view);
    (void)fclose(rig->out);
    free(rig->text);
    free(rig);
}

static struct rollout_scene scene_of(struct rig *rig)
{
    rollout_judge(&rig->plan, rig->look.sights, rig->look.now_us, rig->positions);
    return (struct rollout_scene){
        .plan = &rig->plan, .look = &rig->look, .positions = rig->positions, .refused = rig->refused};
}

static void set(struct rig *rig, size_t at, const char *value, bool ours, const char *by, const char *why)
{
    struct rollout_sight *sight = &rig->look.sights[at];
    sight->from = sight->value;
    if (!flag_value_parse(FLAG_READ_TRADES, slice_of(value), &sight->value, NULL))
        fail_msg("%s", value);
    sight->version++;
    sight->since_us = rig->look.now_us;
    sight->begun = sight->begun || ours;
    sight->ours = ours;
    sight->comparisons = sight->mismatches = 0;
    (void)snprintf(sight->by, sizeof sight->by, "%s", by);
    (void)snprintf(sight->why, sizeof sight->why, "%s", why);
}

static void pass(struct rig *rig, int64_t seconds)
{
    rig->look.now_us += seconds * SECOND_US;
}

/* What was said since the last call, without the times at the lines' beginnings. */
static void assert_said(struct rig *rig, const char *expected)
{
    struct rollout_scene scene = scene_of(rig);
    rollout_view_show(rig->view, &scene);
    (void)fflush(rig->out);
    struct buf said = BUF_INIT;
    for (char *line = rig->text + rig->seen, *end; (end = strchr(line, '\n')); line = end + 1) {
        assert_true(end - line > 25 && line[10] == 'T' && line[23] == 'Z' && line[24] == ' ');
        buf_append(&said, line + 25, (size_t)(end + 1 - (line + 25)));
    }
    assert_string_equal(buf_cstr(&said), expected);
    buf_free(&said);
    rig->seen = rig->size;
}

static void lines_tell_what_changed(void **state)
{
    (void)state;
    struct rig *rig = rig_start(ROLLOUT_LINES);
    assert_said(rig, "rollout night, 2 at a time: 3 endpoints: 1 waiting, 2 under way\n");
    assert_said(rig, "");
    set(rig, 0, "shadow", true, "plan:night", "step 1 of 3: it begins");
    set(rig, 1, "shadow", true, "plan:night", "step 1 of 3: it begins");
    assert_said(
        rig, "trades: legacy -> shadow: step 1 of 3: it begins\npositions: legacy -> shadow: step 1 of 3: it begins\n");
    pass(rig, 4);
    assert_said(rig, "");
    pass(rig, 6);
    rig->look.sights[1].comparisons = 5;
    rig->refused[1] = "the guard wants more";
    assert_said(rig,
                "trades: shadow: comparing: 0 of 5 comparisons\npositions: shadow: refused: the guard wants more\n");
    assert_said(rig, "");
    rig->refused[1] = NULL;
    rig->look.on = false;
    assert_said(rig, "paused: switch.rollout is off\n");
    rig->look.on = true;
    set(rig, 0, "legacy", false, "ann\x1b[31m", "first\xc2\xa0night");
    assert_said(rig, "switch.rollout is on again: goes on\n"
                     "trades: shadow -> legacy: first\xc2\xa0night\n"
                     "trades: legacy: held: changed by ann\\u001b[31m: first\xc2\xa0night\n");
    rig->look.sights[1].mismatches = 2;
    rig->look.sights[1].different = "positions";
    assert_said(rig, "positions: shadow: stopped: 2 comparisons of positions with a difference\n");
    set(rig, 2, "repo", true, "plan:night", "step 3 of 3: x");
    assert_said(rig, "leaderboard: legacy -> repo: step 3 of 3: x\nleaderboard: repo: arrived\n");
    rig_stop(rig);
}

static void who_comes_later_hears_how_it_stands(void **state)
{
    (void)state;
    struct rig *rig = rig_start(ROLLOUT_LINES);
    set(rig, 0, "canary:5", true, "plan:night", "w");
    set(rig, 1, "legacy", true, "plan:night", "step 2 of 3: 1 comparison of positions with a difference: back");
    set(rig, 2, "repo", false, "ann", "w");
    pass(rig, 3);
    assert_said(rig, "rollout night, 2 at a time: 3 endpoints: 1 arrived, 1 stopped, 1 under way\n"
                     "trades: canary:5: soaking: 7s left\n"
                     "positions: legacy: stopped: step 2 of 3: 1 comparison of positions with a difference: back\n"
                     "leaderboard: repo: arrived\n");
    rig_stop(rig);
}

static void the_table(void **state)
{
    (void)state;
    struct rig *rig = rig_start(ROLLOUT_LINES);
    set(rig, 0, "canary:5", true, "plan:night", "w");
    set(rig, 1, "shadow", false, "ann", "files first");
    rig->look.sights[1].begun = true;
    rig->look.sights[0].comparisons = 3;
    pass(rig, 3);
    rig->look.on = false;
    struct rollout_scene scene = scene_of(rig);
    struct buf out = BUF_INIT;
    rollout_put_table(&out, &scene, 0, false);
    assert_string_equal(
        buf_cstr(&out),
        "rollout night  2025-10-26T03:59:15.829Z  3 endpoints: 1 held, 2 under way; paused: switch.rollout is off\n"
        "\n"
        "  endpoint         value          step  soak left    comparisons  differences  state\n"
        "  trades           canary:5        2/3         7s            3/5            0  soaking\n"
        "  positions        shadow          1/3          -              -            -  held: changed by ann: files "
        "first\n"
        "  leaderboard      legacy          0/3          -              -            -  due: next: shadow\n");
    buf_clear(&out);
    rollout_put_table(&out, &scene, 90, true);
    assert_non_null(strstr(buf_cstr(&out), "\x1b[33mheld: chan\xe2\x80\xa6\x1b[0m\n"));
    buf_free(&out);
    rig_stop(rig);
}

static void json_is_json(void **state)
{
    (void)state;
    struct rig *rig = rig_start(ROLLOUT_JSON);
    set(rig, 0, "shadow", true, "plan:night", "a \"quote\"\x01");
    struct rollout_scene scene = scene_of(rig);
    rollout_view_show(rig->view, &scene);
    set(rig, 0, "legacy", false, "ann", "why");
    scene = scene_of(rig);
    rollout_view_show(rig->view, &scene);
    rollout_view_stand(rig->view, &scene);
    rollout_view_end(rig->view, "the end");
    (void)fflush(rig->out);
    size_t lines = 0;
    for (char *line = rig->text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        if (!json_check((struct slice){line, (size_t)(end - line)}, NULL, NULL))
            fail_msg("%.*s", (int)(end - line), line);
    }
    /* begin, soaking; changed, held; three that stand; end */
    assert_int_equal(lines, 8);
    assert_non_null(strstr(rig->text,
                           "\"event\":\"changed\",\"endpoint\":\"trades\",\"by\":\"ann\",\"from\":\"shadow\","
                           "\"to\":\"legacy\",\"version\":2,\"state\":\"held\",\"step\":0,\"steps\":3,"));
    rig_stop(rig);
}

static void a_terminal_keeps_the_last_events(void **state)
{
    (void)state;
    struct rig *rig = rig_start(ROLLOUT_TABLE);
    for (unsigned i = 0; i < 20; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "event %u", i);
        rollout_view_say(rig->view, "x", text);
    }
    (void)fflush(rig->out);
    assert_int_equal(rig->size, 0);
    struct rollout_scene scene = scene_of(rig);
    rollout_view_show(rig->view, &scene);
    (void)fflush(rig->out);
    assert_int_equal(strncmp(rig->text, "\x1b[H\x1b[Jrollout night  ", 21), 0);
    assert_null(strstr(rig->text, "event 12\n"));
    for (unsigned i = 13; i < 20; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "event %u\n", i);
        assert_non_null(strstr(rig->text, text));
    }
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_tell_what_changed),
        cmocka_unit_test(who_comes_later_hears_how_it_stands),
        cmocka_unit_test(the_table),
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(a_terminal_keeps_the_last_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
