/* One conversation in message shape: {"model_id":...,"messages":[...]}. */
#ifndef NOF0_ASSEMBLER_CONVERSATION_H
#define NOF0_ASSEMBLER_CONVERSATION_H

#include "base/buf.h"
#include "base/err.h"
#include "repo/rows.h"

/* Appends it. `messages` are its own, in order. False (ERR_INTERNAL, naming the row) when a stored row is corrupt; out
 * may then have grown. */
bool conversation_put(struct buf *out, const struct conversations_row *conversation,
                      const struct conversation_messages_row *messages, size_t count, struct err *err);

#endif
