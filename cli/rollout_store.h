/* What a rollout plan sees of the database, and the changes that it makes there. Blocks. */
#ifndef NOF0_CLI_ROLLOUT_STORE_H
#define NOF0_CLI_ROLLOUT_STORE_H

#include "cli/rollout_engine.h"
#include "repo/session.h"
#include "server/settings.h"

/* All that there is to see at one moment. */
struct rollout_look {
    int64_t now_us; /* the database's clock */
    bool on;        /* switch.rollout */
    struct rollout_sight sights[FLAG_COUNT];
};

/* Looks, in one snapshot, at the flags of the plan. `overrides` is what the environment says, which only decides about
 * switch.rollout here: a plan changes the store and goes by the store. */
bool rollout_look(struct session *session, const struct settings *settings, const struct flag_overrides *overrides,
                  const struct rollout_plan *plan, struct rollout_look *look, struct err *err) MUST_CHECK;

/* Changes the flag of a track as the plan, under the guard of flags, if it still is as `sight` has it: ERR_CONFLICT
 * when not, ERR_REFUSED when the guard forbids it. *version receives the change's id. */
bool rollout_change(struct session *session, const struct settings *settings, const struct rollout_plan *plan,
                    const struct rollout_track *track, int64_t expected, struct flag_value to, struct slice reason,
                    int64_t *version, struct err *err) MUST_CHECK;

/* Whether the guard of flags would let the change pass now; ERR_REFUSED with the reason when not. */
bool rollout_would_pass(struct session *session, const struct settings *settings, const struct rollout_track *track,
                        struct flag_value from, struct flag_value to, struct err *err) MUST_CHECK;

/* Appends "plan:NAME". */
void rollout_put_actor(struct buf *out, const struct rollout_plan *plan);

#endif
