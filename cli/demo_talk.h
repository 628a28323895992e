/* What the demo's models are told and what they say. */
#ifndef NOF0_CLI_DEMO_TALK_H
#define NOF0_CLI_DEMO_TALK_H

#include "base/json_write.h"
#include "cli/demo_sim.h"

/* Appends the decision that the model just took, offset_us into the slot, as an element of conversations in cycle
 * shape. */
void demo_put_cycle(struct buf *out, struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us);

/* Appends "{model}_{seconds}", the id of the newest decision. */
void demo_cycle_id(struct buf *out, const struct demo_trader *trader);

/* Appends what a model is told in that decision. */
void demo_put_prompt(struct buf *out, const struct demo_sim *sim, const struct demo_model_state *model,
                     int64_t offset_us);

/* One element of conversations in message shape: a talk about the model's account as it stands. */
void demo_put_messages(struct json_writer *w, struct demo_sim *sim, struct demo_model_state *model);

#endif
