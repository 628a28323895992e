/* The flags as nof0ctl finds them: what the environment says, over what is stored, over the configuration. */
#ifndef NOF0_CLI_CLI_FLAGS_H
#define NOF0_CLI_CLI_FLAGS_H

#include "flags/store.h"
#include "server/settings.h"

/* Reads them through the session. ERR_INVALID for a bad NOF0_FLAG_ variable. */
bool cli_flags_load(const struct settings *settings, struct session *session, struct flag_set *set,
                    struct err *err) MUST_CHECK;

/* Writes what is stored into the mirror in Redis, as nof0d does too after each change: whoever reads the mirror then
 * finds a change that no nof0d saw. True without redis.url. */
bool cli_flags_mirror(const struct settings *settings, struct session *session, struct err *err) MUST_CHECK;

/* A switch that a command must keep to while it runs. */
struct switch_watch;

/* Looks where the settings say: into Postgres, else into the mirror in Redis. NULL with *err for a bad variable. */
struct switch_watch *switch_watch_new(const struct settings *settings, enum flag flag, struct err *err);
/* Whether it is on, as far as is known: where no store answers, as it was last, and at first on. Blocks up to a few
 * seconds. */
bool switch_watch_look(struct switch_watch *watch);
/* Starts a thread that looks about every second, and sends SIGTERM to the process when the switch is off. */
bool switch_watch_start(struct switch_watch *watch, struct err *err) MUST_CHECK;
/* As it was last seen; from any thread. */
bool switch_watch_is_on(const struct switch_watch *watch);
/* Ends the thread. NULL is fine. */
void switch_watch_free(struct switch_watch *watch);

#endif
