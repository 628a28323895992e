/* All that `nof0ctl flags` shows of the flags: values and what they follow from, who changed them last, and what is
 * known of the parity of those whose endpoints rows do not answer yet. */
#ifndef NOF0_CLI_FLAGS_STATE_H
#define NOF0_CLI_FLAGS_STATE_H

#include "base/arena.h"
#include "flags/view.h"
#include "parity/guard.h"
#include "server/settings.h"

struct flags_parity {
    size_t count; /* 0: nobody looked */
    const char *endpoints[PARITY_GUARD_ENDPOINTS];
    struct parity_green green[PARITY_GUARD_ENDPOINTS];
};

struct flags_state {
    struct flag_view view;
    struct flag_logged changed[FLAG_COUNT]; /* the last change; id 0: none */
    struct flags_parity parity[FLAG_COUNT];
    int64_t needed;      /* comparisons that the guard asks for */
    struct arena *arena; /* of the texts */
};

/* Reads configuration, store and environment. `session` NULL: there is no store. ERR_INVALID for a bad NOF0_FLAG_
 * variable. */
bool flags_view_load(const struct settings *settings, struct session *session, struct flag_view *view,
                     struct err *err) MUST_CHECK;

/* The same, and the rest: of one flag, or of all (FLAG_COUNT). To be freed in any case. */
bool flags_state_load(const struct settings *settings, struct session *session, enum flag flag,
                      struct flags_state *state, struct err *err) MUST_CHECK;
void flags_state_free(struct flags_state *state);

#endif
