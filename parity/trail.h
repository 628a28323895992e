/* Two documents that differ, followed from look to look until it is known whether their differences last: data that are
 * being written may differ for a moment. */
#ifndef NOF0_PARITY_TRAIL_H
#define NOF0_PARITY_TRAIL_H

#include "parity/findings.h"

/* {NULL, 0} at the start. */
struct parity_trail {
    struct parity_findings *held; /* what each look so far shows, since the last time that nothing was left of it */
    int64_t confirmed;            /* further looks that showed it */
};

/* Takes in what one more look found, which is not nothing: what is held is cut to what `now` shows as well, with the
 * same values. When nothing is left of it, `now` is held instead and is not confirmed yet. Takes `now`. */
void parity_trail_follow(struct parity_trail *trail, struct parity_findings *now);

/* Lets go of what is held; the trail is as at the start. */
void parity_trail_clear(struct parity_trail *trail);

#endif
