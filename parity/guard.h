/* The guard of flags that say who reads rows: a change that lets rows answer more clients than before needs recent
 * comparisons of legacy with repo without a difference, for every endpoint that goes by the flag. Going back never
 * needs anything. */
#ifndef NOF0_PARITY_GUARD_H
#define NOF0_PARITY_GUARD_H

#include "flags/store.h"
#include "parity/runs.h"

enum { PARITY_GUARD_ENDPOINTS = 4 };

/* What is asked for. */
struct parity_need {
    const char *endpoints[PARITY_GUARD_ENDPOINTS]; /* that go by the flag */
    size_t endpoint_count;
    int64_t comparisons; /* so many, of each of them; 0: nothing is asked for */
    int64_t age_s;       /* within this time, over 0 */
};

/* Whether rows answer more clients under `to` than under `from`; false for switches. */
bool parity_guards(enum flag flag, struct flag_value from, struct flag_value to);

/* True when there is what is needed. Else ERR_REFUSED, with what each endpoint has and what it lacks. */
bool parity_need_met(struct session *session, const struct parity_need *need, struct err *err) MUST_CHECK;

/* flag_store_change under the guard. `configured` is the configuration's value of the flag, which holds while nobody
 * set it. With change->forced a lack of parity is no hindrance; the log says "forced" only where there was such a lack.
 * When the flag is changed by somebody else between check and change: ERR_CONFLICT, or, when any version was fine, all
 * of it once more. */
bool parity_guarded_change(struct session *session, const struct parity_need *need, struct flag_value configured,
                           const struct flag_change *change, int64_t *version, struct err *err) MUST_CHECK;

#endif
