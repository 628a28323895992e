/* The work of comparing, on the thread of server/shadow.h: an answer that was seen is held against the other side's;
 * where the two differ both are made anew after a pause, some times, and what differs each time in the same way counts.
 */
#ifndef NOF0_SERVER_SHADOW_WORK_H
#define NOF0_SERVER_SHADOW_WORK_H

#include "server/shadow.h"
#include "server/shadow_tally.h"

struct shadow_work;

struct shadow_work_config {
    struct shadow_tally *tally;
    int stop_fd; /* readable: what is waited for is given up */
    /* The present legacy documents, with a reference for the caller; NULL: none. */
    struct legacy_documents *(*legacy)(void *arg);
    void (*on_compared)(void *arg, const struct settings *settings, enum flag flag, bool different);
    /* A difference is found to last: keeps the pair. */
    void (*on_pair)(void *arg, const struct endpoint *endpoint, struct slice json);
    void *arg;
};

struct shadow_work *shadow_work_new(const struct shadow_work_config *config);
void shadow_work_free(struct shadow_work *work);

/* From now on it goes by the snapshot's settings, and holds a reference to it. To be called before anything else. */
void shadow_work_go_by(struct shadow_work *work, struct snapshot *snapshot);

/* Compares an answer with what the other side says now. Blocks for as long as a read of Postgres may take. Nothing
 * comes of pages of trades, of which the files have fewer, and of what is being looked at already. */
void shadow_work_compare(struct shadow_work *work, const struct shadow_sighting *sighting);

/* Looks again at what is due. Returns when the next is, clock_mono_ms; INT64_MAX: nothing is open. */
int64_t shadow_work_look_again(struct shadow_work *work);

#endif
