/* Any bytes as a rollout plan: what is accepted can be carried out, what is not has a fault with its line. */
#include "cli/rollout_plan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_track(const struct rollout_plan *plan, size_t at)
{
    const struct rollout_track *track = &plan->tracks[at];
    uint32_t before = 0;
    must(track->flag < FLAG_COUNT && flag_kind(track->flag) == FLAG_KIND_READ);
    for (size_t i = 0; i < at; i++)
        must(plan->tracks[i].flag != track->flag);
    must(track->step_count >= 1 && track->step_count <= ROLLOUT_STEPS_MAX);
    for (size_t i = 0; i < track->step_count; i++) {
        const struct rollout_step *step = &track->steps[i];
        must(rollout_rank(step->to) > before);
        must(step->soak_ms >= 0 && step->comparisons >= 0 && step->line > 0);
        must(step->to.mode != FLAG_REPO || (step->comparisons == 0 && i + 1 == track->step_count));
        before = rollout_rank(step->to);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rollout_plan plan;
    struct buf faults = BUF_INIT;
    bool good = rollout_plan_parse((struct slice){(const char *)data, size}, "plan", &plan, &faults);
    must(good == (faults.len == 0));
    if (good) {
        must(plan.name[0] && plan.parallel >= 1 && plan.track_count >= 1);
        for (size_t i = 0; i < plan.track_count; i++)
            check_track(&plan, i);
    } else {
        must(faults.data[faults.len - 1] == '\n' && memcmp(faults.data, "plan:", 5) == 0);
        must(faults.data[5] >= '1' && faults.data[5] <= '9');
    }
    for (size_t i = 0; i < faults.len; i++)
        must(faults.data[i] == '\n' || (unsigned char)faults.data[i] >= ' ');
    buf_free(&faults);
    return 0;
}
