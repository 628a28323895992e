/* What `nof0ctl flags` prints. Tables show no byte that could steer a terminal. */
#ifndef NOF0_CLI_FLAGS_RENDER_H
#define NOF0_CLI_FLAGS_RENDER_H

#include "cli/flags_state.h"

void flags_put_table(struct buf *out, const struct flags_state *state);
/* {"version":7,"flags":[...]}: of each flag what /admin/flags says, and "changed" (its last change or null) and
 * "parity" (of those whose endpoints rows do not answer yet, else empty). */
void flags_put_json(struct buf *out, const struct flags_state *state);
/* One flag of these. */
void flags_put_flag_json(struct buf *out, const struct flags_state *state, enum flag flag);

/* The log, as it is read. */
struct flags_log;
struct flags_log *flags_log_new(bool json);
void flags_log_free(struct flags_log *log); /* NULL is fine */
void flags_log_add(struct flags_log *log, const struct flag_logged *logged);
/* Appends a table, or {"changes":[...]}. */
void flags_log_put(struct buf *out, const struct flags_log *log);

/* One change as a line: an object, or words. */
void flags_put_change(struct buf *out, const struct flag_logged *logged, bool json);

#endif
