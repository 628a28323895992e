/* Where a process finds its flags: Postgres, the mirror in Redis, a file. Blocking, each call within a few seconds; one
 * thread at a time. */
#ifndef NOF0_SERVER_FLAG_SOURCES_H
#define NOF0_SERVER_FLAG_SOURCES_H

#include "flags/store.h"
#include "server/snapshot.h"

struct flag_sources;
struct flag_sources *flag_sources_new(void);
void flag_sources_free(struct flag_sources *sources); /* NULL is fine */

/* From now on it goes by the snapshot's settings, and holds a reference to it. Connections that these do not mean any
 * more are closed. To be called before anything else. */
void flag_sources_go_by(struct flag_sources *sources, struct snapshot *snapshot);

/* Whether Postgres is configured. */
bool flag_sources_has_store(const struct flag_sources *sources);

/* A session that listens for changes (unless there is a transaction pooler), connected now or before. NULL with *err.
 */
struct session *flag_sources_session(struct flag_sources *sources, struct err *err);
/* To be called when a call with the session failed: it is kept only if it can still be used. */
void flag_sources_tidy(struct flag_sources *sources);

/* Reads all flags from Postgres; true without reading when there is no Postgres. Tidies up behind a failure. */
bool flag_sources_load(struct flag_sources *sources, struct flag_store_rows *rows, struct err *err) MUST_CHECK;

/* The mirror in Redis. ERR_NOT_FOUND where there is none, or no Redis. After a failure it is left alone for some
 * seconds, and fails without a try meanwhile. */
bool flag_sources_read_mirror(struct flag_sources *sources, struct flag_store_rows *rows, struct err *err) MUST_CHECK;
bool flag_sources_write_mirror(struct flag_sources *sources, const struct flag_store_rows *rows,
                               struct err *err) MUST_CHECK;

/* The file of flags.keep_file. Reading: ERR_NOT_FOUND where there is none. Writing replaces it whole; true without a
 * file. */
bool flag_sources_read_file(const struct flag_sources *sources, struct flag_store_rows *rows,
                            struct err *err) MUST_CHECK;
bool flag_sources_write_file(const struct flag_sources *sources, const struct flag_store_rows *rows,
                             struct err *err) MUST_CHECK;

/* Waits until wake_fd is readable (which is then read), a change is told, or the time is over; ms < 0: without end. */
void flag_sources_wait(struct flag_sources *sources, int wake_fd, int64_t ms);

#endif
