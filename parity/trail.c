#include "parity/trail.h"

void parity_trail_follow(struct parity_trail *trail, struct parity_findings *now)
{
    if (trail->held)
        (void)parity_findings_confirm(trail->held, now);
    if (trail->held && parity_counts_sum(parity_findings_counts(trail->held)) > 0) {
        trail->confirmed++;
        parity_findings_free(now);
        return;
    }
    parity_findings_free(trail->held);
    *trail = (struct parity_trail){now, 0};
}

void parity_trail_clear(struct parity_trail *trail)
{
    parity_findings_free(trail->held);
    *trail = (struct parity_trail){NULL, 0};
}
