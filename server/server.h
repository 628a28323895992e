/* The whole server: workers, what they share, and what changes while they run. Driven by one thread that is none of the
 * workers. */
#ifndef NOF0_SERVER_SERVER_H
#define NOF0_SERVER_SERVER_H

#include "server/settings.h"

struct server;

/* Finds the flags (which the overrides, copied, overrule), opens the listeners, loads the legacy folder, starts all
 * threads. Takes the settings. NULL
 * with *err: ERR_CONFLICT when somebody else listens at the address, ERR_INVALID for settings that cannot be used. */
struct server *server_start(struct settings *settings, const struct flag_overrides *overrides, struct err *err);

/* Goes over to other settings; takes them. What needs a restart (settings_changes) stays as it was. False with *err
 * when they cannot be used: the old ones stay, but for the legacy folder's thread, which the system may refuse to
 * start. */
bool server_reload(struct server *server, struct settings *settings, struct err *err) MUST_CHECK;

const struct settings *server_settings(const struct server *server);

/* Readable when server_tend has something to do. */
int server_fd(const struct server *server);
/* Does it. True when all workers have stopped. */
bool server_tend(struct server *server);

/* Accepts no more connections and answers what is in flight; server_tend tells the end. */
void server_drain(struct server *server);

/* Frees everything; all workers must have stopped. NULL is fine. */
void server_free(struct server *server);

#endif
