#include "cli/rollout_plan.h"

#include "base/file.h"

#include <inttypes.h>

enum { READ_PREFIX_LENGTH = sizeof "read." - 1 };

uint32_t rollout_rank(struct flag_value value)
{
    switch (value.mode) {
    case FLAG_LEGACY:
        return 0;
    case FLAG_SHADOW:
        return 1;
    case FLAG_CANARY:
        return 1 + value.share;
    case FLAG_REPO:
        break;
    }
    return FLAG_SHARE_WHOLE + 2;
}

const char *rollout_flag_name(enum flag flag)
{
    return flag_name(flag) + READ_PREFIX_LENGTH;
}

enum flag rollout_flag_find(struct slice name)
{
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++) {
        if (flag_kind(flag) == FLAG_KIND_READ &&
            (slice_is(name, flag_name(flag)) || slice_is(name, rollout_flag_name(flag))))
            return flag;
    }
    return FLAG_COUNT;
}

bool rollout_plan_load(const char *path, struct rollout_plan *plan, struct buf *faults)
{
    struct buf content = BUF_INIT;
    struct err err = ERR_INIT;
    bool good = file_read(path, ROLLOUT_PLAN_BYTES, &content, &err);
    if (!good)
        buf_printf(faults, "%s\n", err.text);
    good = good && rollout_plan_parse(buf_slice(&content), path, plan, faults);
    buf_free(&content);
    return good;
}

/* Steps that several endpoints share are spoken of once. */
static bool was_told(const struct rollout_plan *plan, size_t tracks, const struct rollout_step *step)
{
    for (size_t i = 0; i < tracks; i++) {
        const struct rollout_track *track = &plan->tracks[i];
        for (size_t k = 0; k < track->step_count; k++)
            if (track->steps[k].line == step->line && flag_value_equal(track->steps[k].to, step->to))
                return true;
    }
    return false;
}

bool rollout_plan_fits_guard(const struct rollout_plan *plan, const char *file, int64_t guard_comparisons,
                             struct buf *faults)
{
    bool good = true;
    for (size_t i = 0; guard_comparisons > 0 && i < plan->track_count; i++) {
        const struct rollout_track *track = &plan->tracks[i];
        for (size_t k = 0; k + 1 < track->step_count; k++) {
            const struct rollout_step *step = &track->steps[k];
            if (step->comparisons > 0)
                continue;
            good = false;
            if (was_told(plan, i, step))
                continue;
            buf_printf(faults, "%s:%u: comparisons: is 0 in the step to ", file, step->line);
            flag_value_put(faults, track->flag, step->to);
            buf_printf(faults, ", but flags.guard_comparisons asks for %" PRId64 " before the next one\n",
                       guard_comparisons);
        }
    }
    return good;
}
