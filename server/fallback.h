/* When an endpoint goes back to its legacy files by itself: when too many of its answers from rows fail, or too many of
 * its comparisons differ, within a time that slides. It only ever says "back": to come forward again is for people. */
#ifndef NOF0_SERVER_FALLBACK_H
#define NOF0_SERVER_FALLBACK_H

#include "base/buf.h"
#include "flags/flags.h"
#include "server/settings.h"

#include <pthread.h>

/* Something that happens often, and sometimes badly: how often in the last so many milliseconds. */
enum { FALLBACK_SLICES = 20 };
struct fallback_window {
    int64_t length_ms;
    struct fallback_slice {
        int64_t number; /* of the slice of time, counted since the clock's zero */
        uint64_t all, bad;
    } slices[FALLBACK_SLICES];
};

/* Adds `all` of which `bad` were bad at now_ms (mono). Another length than before (> 0) forgets what was. */
void fallback_window_add(struct fallback_window *window, int64_t length_ms, int64_t now_ms, uint64_t all, uint64_t bad);
/* What lies within the length, give or take a twentieth. */
void fallback_window_sum(const struct fallback_window *window, int64_t now_ms, uint64_t *all, uint64_t *bad);

/* What an endpoint did since it was last asked. */
struct fallback_news {
    uint64_t answers, errors; /* from rows; of these, 5xx */
    uint64_t comparisons, mismatches;
};

struct fallback {
    struct fallback_window answers, comparisons;
};

/* Takes the news in; true when a limit of the settings is crossed now. *reason then says which, with the numbers. */
bool fallback_judge(struct fallback *fallback, const struct settings *settings, int64_t now_ms,
                    const struct fallback_news *news, struct buf *reason);

/* The same for all flags, shared by the threads of a process. */
struct fallback_watch {
    pthread_mutex_t lock; /* taken a few times a second by each worker */
    struct fallback flags[FLAG_COUNT];
    bool said[FLAG_COUNT];     /* that it would go back and cannot */
    uint64_t fell[FLAG_COUNT]; /* how often it did */
};
void fallback_watch_init(struct fallback_watch *watch);
void fallback_watch_destroy(struct fallback_watch *watch);

/* Takes in what an endpoint did, and takes it back to its legacy files (flag_keeper_fall_back) when a limit is crossed,
 * if these can be trusted to say what clients should hear: of a canary, whose other clients read them; of repo, while
 * dual write keeps them. Says in the log, once, when it should go back and the environment forbids it. */
struct flag_keeper;
void fallback_watch_feed(struct fallback_watch *watch, struct flag_keeper *keeper, const struct settings *settings,
                         const struct flag_set *flags, enum flag flag, const struct fallback_news *news);
/* The same for a loop, which must not wait for a thread that may have lost its core: false, and nothing is done, when
 * somebody else is at it; the news are to be told again. */
bool fallback_watch_try_feed(struct fallback_watch *watch, struct flag_keeper *keeper, const struct settings *settings,
                             const struct flag_set *flags, enum flag flag, const struct fallback_news *news);

/* The endpoint's mode changed: what was before says nothing about it any more. */
void fallback_watch_forget(struct fallback_watch *watch, enum flag flag);

/* Appends the metrics of fallbacks in the Prometheus text format. */
void fallback_watch_print(struct fallback_watch *watch, struct buf *out);

#endif
