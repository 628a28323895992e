/* One model's entry in the list of positions: {"model_id":...,"positions":{...}}. */
#ifndef NOF0_ASSEMBLER_POSITION_MODEL_H
#define NOF0_ASSEMBLER_POSITION_MODEL_H

#include "base/buf.h"
#include "base/err.h"
#include "repo/rows.h"

/* Appends the entry. `positions` are the model's open ones, in the order to write. A model that holds nothing has {}.
 * False (ERR_INTERNAL, naming the row) when a stored row is corrupt; out may then have grown. */
bool position_model_put(struct buf *out, const struct position_feed_models_row *model,
                        const struct positions_row *const *positions, size_t count, struct err *err);

#endif
