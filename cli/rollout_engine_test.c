#include "base/testing.h"
#include "cli/rollout_engine.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECOND_US = 1000000 };

static struct rollout_plan plan_of(const char *yaml)
{
    struct rollout_plan plan;
    struct buf faults = BUF_INIT;
    if (!rollout_plan_parse(slice_of(yaml), "p", &plan, &faults))
        fail_msg("%s", buf_cstr(&faults));
    buf_free(&faults);
    return plan;
}

static struct flag_value value_of(const char *text)
{
    struct flag_value value;
    if (!flag_value_parse(FLAG_READ_TRADES, slice_of(text), &value, NULL))
        fail_msg("%s", text);
    return value;
}

/* --- One endpoint --- */

enum who { NOBODY, WE, OTHERS };

/* How an endpoint is seen, 100 s after whatever its last change is. */
struct sighting {
    const char *value;
    enum who last;
    bool begun; /* earlier, when the last change is not ours */
    int ago_s;
    uint64_t comparisons, mismatches;
};

static struct rollout_sight sight_of(const struct sighting *seen, int64_t now_us)
{
    struct rollout_sight sight = {.value = value_of(seen->value),
                                  .version = seen->last == NOBODY ? 0 : 7,
                                  .since_us = seen->last == NOBODY ? 0 : now_us - (int64_t)seen->ago_s * SECOND_US,
                                  .ours = seen->last == WE,
                                  .begun = seen->last == WE || seen->begun,
                                  .by = "ann",
                                  .why = "files first",
                                  .comparisons = seen->comparisons,
                                  .mismatches = seen->mismatches,
                                  .different = seen->mismatches ? "trades" : NULL};
    return sight;
}

/* "due canary:5", "soaking 4s", "held", ... */
static void put_position(struct buf *out, const struct rollout_position *position)
{
    buf_printf(out, "%s", rollout_state_name(position->state));
    if (position->state == ROLLOUT_DUE) {
        buf_append_char(out, ' ');
        flag_value_put(out, FLAG_READ_TRADES, position->to);
        buf_append_str(out, position->returns ? " back" : "");
    }
    if (position->state == ROLLOUT_SOAKING)
        buf_printf(out, " %lld", (long long)position->soak_left_us / SECOND_US);
    buf_printf(out, " @%zu", position->step);
}

static const char one_endpoint[] = "name: x\n"
                                   "defaults: {soak: 10s, comparisons: 5, on_difference: %s}\n"
                                   "steps: [{to: shadow}, {to: canary:5}, {to: canary:50}, {to: repo, soak: 20s}]\n"
                                   "endpoints: {trades: }\n";

static void an_endpoint_is_judged(void **state)
{
    (void)state;
    static const struct {
        struct sighting seen;
        const char *back, *stay; /* expected, by what a difference does; NULL: as back */
    } cases[] = {
        /* It begins. */
        {{"legacy", NOBODY, false, 0, 0, 0}, "due shadow @0", NULL},
        {{"legacy", OTHERS, false, 1, 0, 0}, "due shadow @0", NULL},
        /* It goes its way. */
        {{"shadow", WE, true, 0, 0, 0}, "soaking 10 @1", NULL},
        {{"shadow", WE, true, 9, 5, 0}, "soaking 1 @1", NULL},
        {{"shadow", WE, true, -50, 5, 0}, "soaking 10 @1", NULL}, /* a clock that went back */
        {{"shadow", WE, true, 10, 4, 0}, "comparing @1", NULL},
        {{"shadow", WE, true, 10, 5, 0}, "due canary:5 @1", NULL},
        {{"canary:5", WE, true, 999, 0, 0}, "comparing @2", NULL},
        {{"canary:5", WE, true, 999, 999, 0}, "due canary:50 @2", NULL},
        {{"canary:50", WE, true, 10, 5, 0}, "due repo @3", NULL},
        {{"repo", WE, true, 19, 0, 0}, "soaking 1 @4", NULL},
        {{"repo", WE, true, 20, 0, 0}, "arrived @4", NULL},
        /* Differences. */
        {{"shadow", WE, true, 3, 9, 1}, "stopped @1", NULL},
        {{"shadow", WE, true, 999, 999, 1}, "stopped @1", NULL},
        {{"canary:5", WE, true, 3, 1, 1}, "due legacy back @2", "stopped @2"},
        {{"canary:50", WE, true, 999, 999, 1}, "due legacy back @3", "stopped @3"},
        {{"repo", WE, true, 19, 0, 1}, "due legacy back @4", "stopped @4"},
        {{"repo", WE, true, 20, 0, 1}, "arrived @4", NULL}, /* files that nobody keeps any more */
        {{"legacy", WE, true, 1, 0, 0}, "stopped @0", NULL},
        /* Somebody else was there. */
        {{"legacy", OTHERS, true, 1, 0, 0}, "held @0", NULL},
        {{"shadow", OTHERS, true, 999, 999, 0}, "held @1", NULL},
        {{"canary:7", OTHERS, true, 999, 999, 3}, "held @2", NULL},
        {{"repo", OTHERS, true, 1, 0, 3}, "arrived @4", NULL},
        {{"legacy", NOBODY, true, 0, 0, 0}, "held @0", NULL},
        /* He was there before the plan began: it goes on from there. */
        {{"shadow", OTHERS, false, 4, 9, 0}, "soaking 6 @1", NULL},
        {{"shadow", OTHERS, false, 10, 5, 0}, "due canary:5 @1", NULL},
        {{"canary:7", OTHERS, false, 10, 4, 0}, "comparing @2", NULL},
        {{"canary:7", OTHERS, false, 10, 5, 0}, "due canary:50 @2", NULL},
        {{"canary:7", OTHERS, false, 10, 5, 1}, "due legacy back @2", "stopped @2"},
        {{"repo", OTHERS, false, 0, 0, 9}, "arrived @4", NULL},
        {{"repo", NOBODY, false, 0, 0, 0}, "arrived @4", NULL},
        /* The plan's file had other steps when it made the change. */
        {{"canary:49.99", WE, true, 10, 5, 0}, "due canary:50 @2", NULL},
        {{"canary:99", WE, true, 9, 5, 0}, "soaking 1 @3", NULL},
        {{"canary:1", WE, true, 10, 5, 0}, "due canary:5 @1", NULL},
    };
    const int64_t now_us = INT64_C(1761451152829000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int stay = 0; stay < 2; stay++) {
            char yaml[sizeof one_endpoint + 8];
            (void)snprintf(yaml, sizeof yaml, one_endpoint, stay ? "stay" : "back");
            struct rollout_plan plan = plan_of(yaml);
            struct rollout_sight sight = sight_of(&cases[i].seen, now_us);
            struct rollout_position position;
            struct buf text = BUF_INIT;
            rollout_judge(&plan, &sight, now_us, &position);
            put_position(&text, &position);
            const char *expected = stay && cases[i].stay ? cases[i].stay : cases[i].back;
            if (strcmp(buf_cstr(&text), expected) != 0)
                fail_msg("case %zu (%s): %s, not %s", i, stay ? "stay" : "back", buf_cstr(&text), expected);
            buf_free(&text);
        }
    }
}

static void a_configured_value_is_written_down_first(void **state)
{
    (void)state;
    struct rollout_plan plan = plan_of("name: x\nsteps: [{to: shadow}, {to: repo}]\nendpoints: {trades: }\n");
    struct rollout_sight sight = {.value = value_of("shadow")};
    struct rollout_position position;
    struct buf text = BUF_INIT;
    rollout_judge(&plan, &sight, 5, &position);
    put_position(&text, &position);
    assert_string_equal(buf_cstr(&text), "due shadow @1");
    buf_clear(&text);
    rollout_put_reason(&text, &plan.tracks[0], &sight, &position);
    assert_string_equal(buf_cstr(&text), "step 1 of 2: the configuration says so already");
    buf_free(&text);
}

static void a_plan_may_end_in_a_canary(void **state)
{
    (void)state;
    struct rollout_plan plan = plan_of("name: x\nsteps: [{to: canary:5, soak: 10s, comparisons: 5}]\n"
                                       "endpoints: {trades: }\n");
    static const struct {
        struct sighting seen;
        const char *expected;
    } cases[] = {
        {{"shadow", OTHERS, false, 1, 0, 0}, "due canary:5 @0"},  {{"canary:5", WE, true, 9, 5, 0}, "soaking 1 @1"},
        {{"canary:5", WE, true, 10, 4, 0}, "comparing @1"},       {{"canary:5", WE, true, 10, 5, 0}, "arrived @1"},
        {{"canary:5", WE, true, 10, 5, 1}, "due legacy back @1"}, {{"canary:6", OTHERS, true, 0, 0, 1}, "arrived @1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rollout_sight sight = sight_of(&cases[i].seen, INT64_C(1) << 50);
        struct rollout_position position;
        struct buf text = BUF_INIT;
        rollout_judge(&plan, &sight, INT64_C(1) << 50, &position);
        put_position(&text, &position);
        if (strcmp(buf_cstr(&text), cases[i].expected) != 0)
            fail_msg("case %zu: %s, not %s", i, buf_cstr(&text), cases[i].expected);
        buf_free(&text);
    }
}

static void the_log_tells_the_story(void **state)
{
    (void)state;
    static const struct {
        struct sighting seen;
        uint64_t failures;
        const char *reason;
    } cases[] = {
        {{"legacy", NOBODY, false, 0, 0, 0}, 0, "step 1 of 4: it begins"},
        {{"shadow", WE, true, 603, 1200, 0},
         0,
         "step 2 of 4: 1200 comparisons without a difference in 10m 3s of shadow"},
        {{"canary:5", WE, true, 10, 5, 0},
         3,
         "step 3 of 4: 5 comparisons without a difference in 10s of canary:5, 3 could not be compared"},
        {{"canary:50", WE, true, 3, 9, 1},
         0,
         "step 3 of 4: 1 comparison of trades with a difference in 3s of canary:50: back"},
        {{"canary:50", WE, true, 3, 9, 2},
         0,
         "step 3 of 4: 2 comparisons of trades with a difference in 3s of canary:50: back"},
    };
    char yaml[sizeof one_endpoint + 8];
    (void)snprintf(yaml, sizeof yaml, one_endpoint, "back");
    struct rollout_plan plan = plan_of(yaml);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rollout_sight sight = sight_of(&cases[i].seen, INT64_C(1) << 50);
        struct rollout_position position;
        struct buf text = BUF_INIT;
        sight.failures = cases[i].failures;
        rollout_judge(&plan, &sight, INT64_C(1) << 50, &position);
        assert_int_equal(position.state, ROLLOUT_DUE);
        rollout_put_reason(&text, &plan.tracks[0], &sight, &position);
        assert_string_equal(buf_cstr(&text), cases[i].reason);
        buf_free(&text);
    }
}

static void notes_say_what_is_missing(void **state)
{
    (void)state;
    static const struct {
        struct sighting seen;
        const char *note;
    } cases[] = {
        {{"shadow", WE, true, 3, 9, 0}, "7s left"},
        {{"shadow", WE, true, 10, 4, 0}, "4 of 5 comparisons"},
        {{"shadow", WE, true, 10, 5, 0}, "next: canary:5"},
        {{"shadow", WE, true, 10, 5, 3}, "3 comparisons of trades with a difference"},
        {{"legacy", WE, true, 10, 0, 0}, "files first"},
        {{"canary:5", OTHERS, true, 10, 0, 0}, "changed by ann: files first"},
        {{"repo", WE, true, 30, 0, 0}, ""},
    };
    char yaml[sizeof one_endpoint + 8];
    (void)snprintf(yaml, sizeof yaml, one_endpoint, "back");
    struct rollout_plan plan = plan_of(yaml);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rollout_sight sight = sight_of(&cases[i].seen, INT64_C(1) << 50);
        struct rollout_position position;
        struct buf text = BUF_INIT;
        rollout_judge(&plan, &sight, INT64_C(1) << 50, &position);
        rollout_put_note(&text, &plan.tracks[0], &sight, &position);
        assert_string_equal(buf_cstr(&text), cases[i].note);
        buf_free(&text);
    }
}

static void going_on_begins_a_step_before(void **state)
{
    (void)state;
    static const struct {
        struct sighting seen;
        const char *values;
    } cases[] = {
        {{"shadow", WE, true, 3, 9, 0}, ""},
        {{"repo", WE, true, 99, 0, 0}, ""},
        {{"legacy", WE, true, 3, 0, 0}, "shadow "},
        {{"legacy", OTHERS, true, 3, 0, 0}, "shadow "},
        {{"shadow", WE, true, 3, 9, 1}, "legacy shadow "},
        {{"shadow", OTHERS, true, 3, 9, 0}, "legacy shadow "},
        {{"canary:5", OTHERS, true, 3, 9, 0}, "shadow "},
        {{"canary:7", OTHERS, true, 3, 9, 0}, "canary:5 "},
        {{"canary:50", WE, true, 3, 9, 1}, "canary:5 "},
        {{"canary:1", OTHERS, true, 3, 9, 1}, "shadow "},
    };
    char yaml[sizeof one_endpoint + 8];
    (void)snprintf(yaml, sizeof yaml, one_endpoint, "stay");
    struct rollout_plan plan = plan_of(yaml);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rollout_sight sight = sight_of(&cases[i].seen, INT64_C(1) << 50);
        struct rollout_position position;
        struct flag_value values[2];
        struct buf text = BUF_INIT;
        rollout_judge(&plan, &sight, INT64_C(1) << 50, &position);
        size_t count = rollout_resume(&plan.tracks[0], &sight, position.state, values);
        for (size_t k = 0; k < count; k++) {
            flag_value_put(&text, FLAG_READ_TRADES, values[k]);
            buf_append_char(&text, ' ');
        }
        if (strcmp(buf_cstr(&text), cases[i].values) != 0)
            fail_msg("case %zu: \"%s\", not \"%s\"", i, buf_cstr(&text), cases[i].values);
        buf_free(&text);
    }
}

/* --- Several --- */

static void so_many_move_at_a_time(void **state)
{
    (void)state;
    struct rollout_plan plan =
        plan_of("name: x\nparallel: 2\nsteps: [{to: shadow}, {to: repo}]\n"
                "endpoints: {trades: , positions: , leaderboard: , analytics: , conversations: }\n");
    /* l: legacy, untouched; s: in shadow by us; a: arrived; h: held; d: stopped. What is due begins. */
    static const struct {
        const char *seen, *states;
    } cases[] = {
        {"lllll", "due,due,waiting,waiting,waiting"},         {"sllll", "soaking,due,waiting,waiting,waiting"},
        {"lllls", "due,waiting,waiting,waiting,soaking"},     {"lllss", "waiting,waiting,waiting,soaking,soaking"},
        {"alhds", "arrived,due,held,stopped,soaking"},        {"ahdls", "arrived,held,stopped,due,soaking"},
        {"sslla", "soaking,soaking,waiting,waiting,arrived"}, {"sslsl", "soaking,soaking,waiting,soaking,waiting"},
        {"aaahd", "arrived,arrived,arrived,held,stopped"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rollout_sight sights[5];
        struct rollout_position positions[5];
        struct buf text = BUF_INIT;
        for (size_t k = 0; k < 5; k++) {
            char kind = cases[i].seen[k];
            struct sighting seen = {.value = kind == 'a'                  ? "repo"
                                             : kind == 's' || kind == 'd' ? "shadow"
                                                                          : "legacy",
                                    .last = kind == 'l'   ? NOBODY
                                            : kind == 'h' ? OTHERS
                                                          : WE,
                                    .begun = kind != 'l',
                                    .ago_s = kind == 'a' ? 100000 : 1,
                                    .mismatches = kind == 'd'};
            sights[k] = sight_of(&seen, INT64_C(1) << 50);
        }
        rollout_judge(&plan, sights, INT64_C(1) << 50, positions);
        for (size_t k = 0; k < 5; k++)
            buf_printf(&text, "%s%s", k ? "," : "", rollout_state_name(positions[k].state));
        if (strcmp(buf_cstr(&text), cases[i].states) != 0)
            fail_msg("%s: %s, not %s", cases[i].seen, buf_cstr(&text), cases[i].states);
        buf_free(&text);
    }
}

static void codes(void **state)
{
    (void)state;
    static const struct {
        enum rollout_state states[3];
        int code;
    } cases[] = {
        {{ROLLOUT_ARRIVED, ROLLOUT_ARRIVED, ROLLOUT_ARRIVED}, 0},
        {{ROLLOUT_ARRIVED, ROLLOUT_HELD, ROLLOUT_ARRIVED}, 1},
        {{ROLLOUT_STOPPED, ROLLOUT_SOAKING, ROLLOUT_ARRIVED}, 1},
        {{ROLLOUT_ARRIVED, ROLLOUT_DUE, ROLLOUT_ARRIVED}, 3},
        {{ROLLOUT_WAITING, ROLLOUT_SOAKING, ROLLOUT_ARRIVED}, 3},
        {{ROLLOUT_COMPARING, ROLLOUT_ARRIVED, ROLLOUT_HELD}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rollout_position positions[3];
        for (size_t k = 0; k < 3; k++)
            positions[k] = (struct rollout_position){.state = cases[i].states[k]};
        assert_int_equal(rollout_code(positions, 3), cases[i].code);
    }
}

/* --- A world in which plans are killed --- */

enum { TRACKS = 5, LOG_MAX = 200, PROCESSES = 3, STEPS_MAX = 4000 };

/* What is stored, and nothing else: the log of flags and what comparisons found, as the moments of comparisons. */
struct world {
    int64_t now_us;
    struct change {
        size_t track;
        int64_t at_us;
        struct flag_value to;
        bool ours;
        uint64_t compared[TRACKS], differed[TRACKS]; /* of all endpoints, just behind it */
    } log[LOG_MAX];
    size_t changes;
    uint64_t compared[TRACKS], differed[TRACKS]; /* since the last change of each */
    enum flag_mode defect[TRACKS];               /* from this mode on comparisons differ; LEGACY: never */
    bool meddled;                                /* an operator changed the second endpoint */
};

static const char many_endpoints[] =
    "name: x\nparallel: 2\n"
    "defaults: {soak: 10s, comparisons: 5}\n"
    "steps: [{to: shadow}, {to: canary:5, comparisons: 9}, {to: canary:50, soak: 3s}, {to: repo, soak: 4s}]\n"
    "endpoints: {trades: , positions: , leaderboard: {on_difference: stay}, analytics: , conversations: }\n";

static const struct change *last_change(const struct world *world, size_t track)
{
    for (size_t i = world->changes; i > 0; i--)
        if (world->log[i - 1].track == track)
            return &world->log[i - 1];
    return NULL;
}

static void see(const struct world *world, struct rollout_sight sights[TRACKS])
{
    for (size_t i = 0; i < TRACKS; i++) {
        const struct change *last = last_change(world, i);
        sights[i] = (struct rollout_sight){.value = last ? last->to : value_of("legacy"),
                                           .version = last ? last - world->log + 1 : 0,
                                           .since_us = last ? last->at_us : 0,
                                           .ours = last && last->ours,
                                           .comparisons = world->compared[i],
                                           .mismatches = world->differed[i]};
        for (size_t k = 0; k < world->changes; k++)
            sights[i].begun = sights[i].begun || (world->log[k].track == i && world->log[k].ours);
    }
}

static void add_change(struct world *world, size_t track, struct flag_value to, bool ours)
{
    assert_true(world->changes < LOG_MAX);
    world->compared[track] = world->differed[track] = 0;
    struct change *change = &world->log[world->changes++];
    *change = (struct change){.track = track, .at_us = world->now_us, .to = to, .ours = ours};
    memcpy(change->compared, world->compared, sizeof change->compared);
    memcpy(change->differed, world->differed, sizeof change->differed);
}

/* A process: what it saw, perhaps long ago. */
struct process {
    bool looked;
    struct rollout_sight sights[TRACKS];
    struct rollout_position positions[TRACKS];
};

static void look(struct process *process, const struct rollout_plan *plan, const struct world *world)
{
    see(world, process->sights);
    rollout_judge(plan, process->sights, world->now_us, process->positions);
    process->looked = true;
}

/* Tries one of the changes that were due when it looked; bound to the version, as the store does it, and refused by the
 * guard of flags when comparisons differ by now. */
static void act(struct process *process, struct world *world, size_t track)
{
    struct rollout_sight now[TRACKS];
    see(world, now);
    if (process->looked && process->positions[track].state == ROLLOUT_DUE &&
        process->sights[track].version == now[track].version &&
        (process->positions[track].returns || now[track].mismatches == 0))
        add_change(world, track, process->positions[track].to, true);
}

static void pass_time(struct world *world, unsigned *seed)
{
    world->now_us += (int64_t)((unsigned)rand_r(seed) % 4000) * 1000;
    struct rollout_sight now[TRACKS];
    see(world, now);
    for (size_t i = 0; i < TRACKS; i++) {
        bool compares = now[i].value.mode == FLAG_SHADOW || now[i].value.mode == FLAG_CANARY;
        uint64_t more = compares ? (unsigned)rand_r(seed) % 4 : 0;
        world->compared[i] += more;
        if (more && world->defect[i] != FLAG_LEGACY && now[i].value.mode >= world->defect[i])
            world->differed[i]++;
    }
}

/* No more than the plan says may be on their way at once. */
static void assert_few_move(const struct rollout_plan *plan, const struct world *world)
{
    struct process now = {.looked = false};
    look(&now, plan, world);
    size_t moving = 0;
    for (size_t i = 0; i < TRACKS; i++)
        moving += now.sights[i].begun && !rollout_is_over(now.positions[i].state);
    assert_true(moving <= plan->parallel);
}

/* Runs processes that look, act and die in any order until the plan has nothing to do. */
static void run(const struct rollout_plan *plan, struct world *world, unsigned *seed)
{
    struct process processes[PROCESSES] = {{.looked = false}};
    for (size_t step = 0; step < STEPS_MAX; step++) {
        struct process *process = &processes[(unsigned)rand_r(seed) % PROCESSES];
        switch ((unsigned)rand_r(seed) % 8) {
        case 0:
            process->looked = false; /* killed */
            break;
        case 1:
        case 2:
            look(process, plan, world);
            break;
        case 3:
            pass_time(world, seed);
            break;
        default:
            act(process, world, (unsigned)rand_r(seed) % TRACKS);
            break;
        }
        if (!world->meddled && last_change(world, 1) && last_change(world, 1)->to.mode == FLAG_CANARY) {
            add_change(world, 1, value_of("shadow"), false);
            world->meddled = true;
        }
        assert_few_move(plan, world);
    }
}

/* Our changes of each endpoint follow the steps, each after its time, and only differences lead back. */
static void assert_story(const struct rollout_plan *plan, const struct world *world)
{
    size_t at[TRACKS] = {0};
    int64_t since_us[TRACKS] = {0};
    for (size_t i = 0; i < world->changes; i++) {
        const struct change *change = &world->log[i];
        const struct rollout_track *track = &plan->tracks[change->track];
        size_t step = at[change->track];
        if (!change->ours)
            continue;
        if (change->to.mode == FLAG_LEGACY) {
            assert_true(world->defect[change->track] == FLAG_CANARY && track->back && step == 2);
            at[change->track] = SIZE_MAX;
            continue;
        }
        assert_true(step < track->step_count);
        assert_true(flag_value_equal(track->steps[step].to, change->to));
        if (step)
            assert_true(change->at_us - since_us[change->track] >= track->steps[step - 1].soak_ms * 1000);
        since_us[change->track] = change->at_us;
        at[change->track]++;
    }
}

/* Where each endpoint must be in the end. */
static void assert_end(const struct rollout_plan *plan, const struct world *world)
{
    struct process end = {.looked = false};
    look(&end, plan, world);
    for (size_t i = 0; i < TRACKS; i++) {
        enum rollout_state expected = world->defect[i] != FLAG_LEGACY ? ROLLOUT_STOPPED
                                      : i == 1                        ? ROLLOUT_HELD
                                                                      : ROLLOUT_ARRIVED;
        if (end.positions[i].state != expected)
            fail_msg("endpoint %zu: %s, not %s", i, rollout_state_name(end.positions[i].state),
                     rollout_state_name(expected));
        assert_int_equal(end.sights[i].value.mode == FLAG_REPO, expected == ROLLOUT_ARRIVED);
    }
}

static struct world new_world(unsigned round)
{
    struct world world = {.now_us = INT64_C(1761451152829000)};
    if (round % TRACKS != 1)
        world.defect[round % TRACKS] = round % 2 ? FLAG_CANARY : FLAG_SHADOW;
    world.defect[2] = FLAG_CANARY;
    return world;
}

static void killed_at_any_time_it_reaches_the_same_end(void **state)
{
    (void)state;
    enum { ROUNDS = 15 };
    unsigned seed = 20251026;
    struct rollout_plan plan = plan_of(many_endpoints);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct world world = new_world(round);
        run(&plan, &world, &seed);
        assert_story(&plan, &world);
        assert_end(&plan, &world);
        /* From any prefix of its log, with all processes dead and some time gone by. */
        for (size_t prefix = 0; prefix < world.changes; prefix += 3) {
            struct world again = new_world(round);
            memcpy(again.log, world.log, prefix * sizeof again.log[0]);
            again.changes = prefix;
            if (prefix) {
                again.now_us = world.log[prefix - 1].at_us;
                memcpy(again.compared, world.log[prefix - 1].compared, sizeof again.compared);
                memcpy(again.differed, world.log[prefix - 1].differed, sizeof again.differed);
            }
            for (size_t i = 0; i < prefix; i++)
                again.meddled = again.meddled || !world.log[i].ours;
            run(&plan, &again, &seed);
            assert_story(&plan, &again);
            assert_end(&plan, &again);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_is_judged),
        cmocka_unit_test(a_configured_value_is_written_down_first),
        cmocka_unit_test(a_plan_may_end_in_a_canary),
        cmocka_unit_test(the_log_tells_the_story),
        cmocka_unit_test(notes_say_what_is_missing),
        cmocka_unit_test(going_on_begins_a_step_before),
        cmocka_unit_test(so_many_move_at_a_time),
        cmocka_unit_test(codes),
        cmocka_unit_test(killed_at_any_time_it_reaches_the_same_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
