/* `nof0ctl flags set` and `unset`. */
#ifndef NOF0_CLI_FLAGS_CHANGE_H
#define NOF0_CLI_FLAGS_CHANGE_H

#include "cli/flags_arguments.h"
#include "server/settings.h"

/* Makes the change under the guard, says what it did, and writes the mirror in Redis. Returns an exit code: 1 when the
 * guard or another version stood against it. */
int flags_change(const struct settings *settings, struct session *session, const struct flags_arguments *arguments);

/* Says on stderr which of the flags (FLAG_COUNT: all) the environment of this process overrules. */
void flags_warn_of_environment(const struct flag_overrides *overrides, enum flag flag);

#endif
