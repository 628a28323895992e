/* The process's flags: one thread that keeps them as the store has them. It hears of changes from Postgres, and looks
 * twice a second besides; while Postgres is away it looks into the mirror in Redis; with both away the last known flags
 * hold. Every change makes a new immutable set, which is handed on whole. */
#ifndef NOF0_SERVER_FLAG_KEEPER_H
#define NOF0_SERVER_FLAG_KEEPER_H

#include "base/buf.h"
#include "flags/view.h"
#include "server/mailbox.h"
#include "server/snapshot.h"

#include <stdatomic.h>

struct flag_keeper;

struct flag_keeper_config {
    struct snapshot *snapshot;              /* whose settings it begins with */
    const struct flag_overrides *overrides; /* copied */
    /* Told of every new set, with the snapshot that it goes with (both borrowed): in order, never two at a time, on the
     * keeper's thread or that of who calls flag_keeper_reload or flag_keeper_fall_back. Must not call the keeper. */
    void (*on_set)(void *arg, struct snapshot *snapshot, struct flag_set *set);
    void *arg;
};

/* Finds the first set on the calling thread, in this order: Postgres, Redis, the file of flags.keep_file; where none
 * answers within a few seconds the configuration's values hold, and a warning says so. Does not run yet, and did not
 * call on_set. NULL with *err when the system has no descriptor left. */
struct flag_keeper *flag_keeper_new(const struct flag_keeper_config *config, struct err *err);
bool flag_keeper_start(struct flag_keeper *keeper, struct err *err) MUST_CHECK;

/* Ends the thread, then frees. Errands that wait are done, with ERR_UNAVAILABLE. NULL is fine. */
void flag_keeper_stop(struct flag_keeper *keeper);

/* Everything below may be called from any thread, and does not block. */

/* The present set, with a reference for the caller. */
struct flag_set *flag_keeper_set(struct flag_keeper *keeper);

/* What the present set follows from; rows are as they were last seen. */
void flag_keeper_view(struct flag_keeper *keeper, struct flag_view *view);

/* Goes by the settings of another snapshot; calls on_set before it returns. Defaults that changed end a fallback. */
void flag_keeper_reload(struct flag_keeper *keeper, struct snapshot *snapshot);

/* Takes an endpoint back to its legacy files in this process at once, and calls on_set before it returns. The store
 * learns of it, as a change by the system, as soon as it can be reached; a change that somebody else made meanwhile
 * wins. False, and nothing is done, when files answer the endpoint already or the environment decides. `reason` is 1 to
 * 1000 bytes of UTF-8, copied. */
bool flag_keeper_fall_back(struct flag_keeper *keeper, enum flag flag, const char *reason);

/* Something that is to be done with the store by who must not wait for it. Lives in its owner's memory until done. */
struct flag_errand {
    /* On the keeper's thread, with a session that it may use until it returns; false with *err. Not called when there
     * is none. */
    bool (*run)(void *arg, struct session *session, struct err *err);
    bool changes;            /* flags: the new set is handed on before done */
    struct mailbox *mailbox; /* done(arg) is posted here */
    mailbox_fn *done;
    void *arg;
    struct err err;           /* the result: ERR_NONE, or why it failed */
    struct flag_errand *next; /* the keeper's */
};
void flag_keeper_run(struct flag_keeper *keeper, struct flag_errand *errand);

/* Appends the metrics of flags in the Prometheus text format; `set` is the one in force where they are asked for. */
void flag_keeper_print(struct flag_keeper *keeper, const struct flag_set *set, struct buf *out);

#endif
