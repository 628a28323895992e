#include "cli/rollout_engine.h"

#include "cli/rollout_time.h"

#include <inttypes.h>

enum { US_PER_MS = 1000 };

const char *rollout_state_name(enum rollout_state state)
{
    static const char *const names[] = {
        [ROLLOUT_WAITING] = "waiting", [ROLLOUT_SOAKING] = "soaking", [ROLLOUT_COMPARING] = "comparing",
        [ROLLOUT_DUE] = "due",         [ROLLOUT_STOPPED] = "stopped", [ROLLOUT_HELD] = "held",
        [ROLLOUT_ARRIVED] = "arrived"};
    return names[state];
}

/* How many steps do not lie above the value. */
static size_t steps_reached(const struct rollout_track *track, struct flag_value value)
{
    size_t reached = 0;
    while (reached < track->step_count && rollout_rank(track->steps[reached].to) <= rollout_rank(value))
        reached++;
    return reached;
}

static void due(struct rollout_position *position, struct flag_value to)
{
    position->state = ROLLOUT_DUE;
    position->to = to;
}

/* A difference since the last change. */
static void differ(const struct rollout_track *track, const struct rollout_sight *sight,
                   struct rollout_position *position)
{
    bool rows_answer = rollout_rank(sight->value) > rollout_rank((struct flag_value){.mode = FLAG_SHADOW});
    position->state = ROLLOUT_STOPPED;
    if (!track->back || !rows_answer)
        return;
    due(position, (struct flag_value){.mode = FLAG_LEGACY});
    position->returns = true;
}

/* A flag that stands at or behind a step, set by the plan or found so when the plan began. */
static void judge_step(const struct rollout_track *track, const struct rollout_sight *sight,
                       struct rollout_position *position)
{
    const struct rollout_step *step = &track->steps[position->step - 1];
    bool last = position->step == track->step_count;
    int64_t soak_us = step->soak_ms * US_PER_MS;
    position->soak_left_us = soak_us > position->spent_us ? soak_us - position->spent_us : 0;
    position->need = (uint64_t)step->comparisons;
    /* Who arrived at rows long ago is not judged by files that nobody keeps any more. */
    if (last && sight->value.mode == FLAG_REPO && position->soak_left_us == 0)
        position->state = ROLLOUT_ARRIVED;
    else if (sight->mismatches)
        differ(track, sight, position);
    else if (position->soak_left_us)
        position->state = ROLLOUT_SOAKING;
    else if (sight->comparisons < position->need)
        position->state = ROLLOUT_COMPARING;
    else if (last)
        position->state = ROLLOUT_ARRIVED;
    else
        due(position, track->steps[position->step].to);
}

/* Judges a track; `may_begin`: one more endpoint may move. */
static void judge(const struct rollout_track *track, const struct rollout_sight *sight, bool may_begin, int64_t now_us,
                  struct rollout_position *position)
{
    size_t reached = steps_reached(track, sight->value);
    *position = (struct rollout_position){
        .step = reached, .spent_us = sight->since_us && now_us > sight->since_us ? now_us - sight->since_us : 0};
    bool others_did = !sight->ours && reached == track->step_count;
    if (others_did)
        position->state = ROLLOUT_ARRIVED;
    else if (sight->begun && !sight->ours)
        position->state = ROLLOUT_HELD;
    else if (sight->ours && reached == 0)
        position->state = ROLLOUT_STOPPED; /* it went back */
    else if (!sight->begun && !may_begin)
        position->state = ROLLOUT_WAITING;
    else if (reached == 0)
        due(position, track->steps[0].to);
    else if (sight->version == 0)
        due(position, sight->value); /* the configuration's: from now on the log says since when */
    else
        judge_step(track, sight, position);
}

void rollout_judge(const struct rollout_plan *plan, const struct rollout_sight *sights, int64_t now_us,
                   struct rollout_position *positions)
{
    size_t moving = 0;
    /* Those on their way keep their places, wherever they stand in the plan. */
    for (size_t i = 0; i < plan->track_count; i++) {
        if (!sights[i].begun)
            continue;
        judge(&plan->tracks[i], &sights[i], false, now_us, &positions[i]);
        moving += !rollout_is_over(positions[i].state);
    }
    for (size_t i = 0; i < plan->track_count; i++) {
        if (sights[i].begun)
            continue;
        judge(&plan->tracks[i], &sights[i], moving < plan->parallel, now_us, &positions[i]);
        moving += !rollout_is_over(positions[i].state) && positions[i].state != ROLLOUT_WAITING;
    }
}

size_t rollout_resume(const struct rollout_track *track, const struct rollout_sight *sight, enum rollout_state state,
                      struct flag_value values[2])
{
    if (state != ROLLOUT_STOPPED && state != ROLLOUT_HELD)
        return 0;
    size_t reached = steps_reached(track, sight->value);
    bool exact = reached && flag_value_equal(track->steps[reached - 1].to, sight->value);
    size_t before = reached - exact; /* steps below where it stands */
    if (before) {
        values[0] = track->steps[before - 1].to;
        return 1;
    }
    size_t count = 0;
    if (rollout_rank(sight->value))
        values[count++] = (struct flag_value){.mode = FLAG_LEGACY};
    values[count++] = track->steps[0].to;
    return count;
}

/* --- What is said --- */

static void put_value(struct buf *out, const struct rollout_track *track, struct flag_value value)
{
    flag_value_put(out, track->flag, value);
}

static void put_difference(struct buf *out, const struct rollout_sight *sight)
{
    buf_printf(out, "%" PRIu64 " %s of %s with a difference", sight->mismatches,
               sight->mismatches == 1 ? "comparison" : "comparisons", sight->different ? sight->different : "it");
}

/* "1200 comparisons without a difference in 10m 3s of canary:5". */
static void put_what_was_shown(struct buf *out, const struct rollout_track *track, const struct rollout_sight *sight,
                               const struct rollout_position *position)
{
    if (position->returns)
        put_difference(out, sight);
    else if (sight->comparisons)
        buf_printf(out, "%" PRIu64 " %s without a difference", sight->comparisons,
                   sight->comparisons == 1 ? "comparison" : "comparisons");
    else
        buf_append_str(out, "nothing compared");
    buf_append_str(out, " in ");
    rollout_time_put(out, position->spent_us);
    buf_append_str(out, " of ");
    put_value(out, track, sight->value);
    if (sight->failures)
        buf_printf(out, ", %" PRIu64 " could not be compared", sight->failures);
}

void rollout_put_reason(struct buf *out, const struct rollout_track *track, const struct rollout_sight *sight,
                        const struct rollout_position *position)
{
    bool takes_over = flag_value_equal(position->to, sight->value);
    buf_printf(out, "step %zu of %zu: ", position->step + (!position->returns && !takes_over), track->step_count);
    if (takes_over) {
        buf_append_str(out, "the configuration says so already");
    } else if (position->step == 0) {
        buf_append_str(out, "it begins");
    } else {
        put_what_was_shown(out, track, sight, position);
        if (position->returns)
            buf_append_str(out, ": back");
    }
}

void rollout_put_note(struct buf *out, const struct rollout_track *track, const struct rollout_sight *sight,
                      const struct rollout_position *position)
{
    switch (position->state) {
    case ROLLOUT_WAITING:
        buf_append_str(out, "for others to arrive");
        break;
    case ROLLOUT_SOAKING:
        rollout_time_put(out, position->soak_left_us);
        buf_append_str(out, " left");
        break;
    case ROLLOUT_COMPARING:
        buf_printf(out, "%" PRIu64 " of %" PRIu64 " comparisons", sight->comparisons, position->need);
        break;
    case ROLLOUT_DUE:
        buf_append_str(out, "next: ");
        put_value(out, track, position->to);
        break;
    case ROLLOUT_STOPPED:
        if (position->step)
            put_difference(out, sight);
        else
            buf_append_str(out, sight->why);
        break;
    case ROLLOUT_HELD:
        buf_printf(out, "changed by %s: %s", sight->by, sight->why);
        break;
    case ROLLOUT_ARRIVED:
        break;
    }
}

int rollout_code(const struct rollout_position *positions, size_t count)
{
    bool under_way = false;
    bool trouble = false;
    for (size_t i = 0; i < count; i++) {
        under_way = under_way || !rollout_is_over(positions[i].state);
        trouble = trouble || positions[i].state == ROLLOUT_STOPPED || positions[i].state == ROLLOUT_HELD;
    }
    return trouble ? 1 : under_way ? ROLLOUT_UNDER_WAY : 0;
}
