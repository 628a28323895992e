/* Where a worker's answers are taken to be compared (server/shadow.h): which share of them, and how many in a second,
 * so that comparing never costs clients what it gives to operators. Belongs to one loop. */
#ifndef NOF0_SERVER_SHADOW_TAP_H
#define NOF0_SERVER_SHADOW_TAP_H

#include "server/reply.h"
#include "server/shadow.h"

/* Open, so that what is asked for each answer is asked without a call. */
struct shadow_tap {
    struct shadow *shadow; /* NULL: nothing is compared */
    unsigned workers;      /* that share shadow.max_per_second */
    uint32_t wanted;       /* bit by flag: some of its answers are to be compared */
    uint64_t random;
    struct shadow_share {
        enum flag_mode mode;
        double share;      /* of the answers */
        double per_second; /* answers, at most */
        double allowance;  /* how many may be taken now */
        int64_t refilled_us;
        uint64_t shed; /* not told yet */
    } shares[FLAG_COUNT];
};

/* `shadow` may be NULL and must outlive the tap; `worker` (from 0) is which of `workers` it is of. */
void shadow_tap_init(struct shadow_tap *tap, struct shadow *shadow, unsigned worker, unsigned workers);
/* To be called before it is used and whenever either changes. */
void shadow_tap_go_by(struct shadow_tap *tap, const struct settings *settings, const struct flag_set *flags);

/* Whether answers of the flag's endpoints are to be noted. */
static inline bool shadow_tap_wants(const struct shadow_tap *tap, enum flag flag)
{
    return tap->wanted >> flag & 1U;
}

/* A client gets this document for this target; may be handed over, with a reference of its own. Only if wanted. */
void shadow_tap_note(struct shadow_tap *tap, enum flag flag, enum endpoint_side side, struct slice target,
                     struct document *document);

/* Tells how many were left out since the last time. A few times a second. */
void shadow_tap_tell(struct shadow_tap *tap);

#endif
