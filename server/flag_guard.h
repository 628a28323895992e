/* Changes of flags as everybody who is no instance's own fallback makes them: under the guard that the settings ask
 * for.
 */
#ifndef NOF0_SERVER_FLAG_GUARD_H
#define NOF0_SERVER_FLAG_GUARD_H

#include "parity/guard.h"
#include "server/settings.h"

/* What the settings ask for before rows answer more clients of the flag's endpoints. */
struct parity_need flag_guard_need(const struct settings *settings, enum flag flag);

/* The flag's value in the configuration, which holds while nobody set it. */
struct flag_value flag_guard_configured(const struct settings *settings, enum flag flag);

/* parity_guarded_change with both. ERR_REFUSED when the guard forbids it. Blocks. */
bool flag_guard_change(const struct settings *settings, struct session *session, const struct flag_change *change,
                       int64_t *version, struct err *err) MUST_CHECK;

#endif
