#include "server/shadow.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/shadow_store.h"
#include "server/shadow_work.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Answers of one flag that wait or are being compared; what comes when there are so many is left out. Two, so that
     * of two requests that a page always sends together the second has its turn as well. */
    TAKEN_MOST = 2,
    RETRY_MS = 1000, /* after Postgres did not take what was found */
    REST_MS = 30000, /* between two visits to Postgres without news */
};

struct sighting {
    struct sighting *next;
    enum flag flag;
    enum flag_mode mode;
    enum endpoint_side side;
    struct document *document;
    size_t target_size;
    char target[];
};

struct shadow {
    void (*on_compared)(void *arg, const struct settings *settings, enum flag flag, bool different);
    void *arg;
    int stop_fd;
    bool started;
    pthread_t thread;
    struct shadow_tally *tally;

    pthread_mutex_t lock; /* of what follows; nobody waits long for it */
    pthread_cond_t news;
    bool stopping;
    struct snapshot *snapshot;
    struct legacy_documents *legacy;
    struct sighting *first, *last;
    unsigned taken[FLAG_COUNT];
    int64_t rest_until_ms[FLAG_COUNT]; /* none of its answers is taken before */

    /* The thread's own. */
    struct shadow_work *work;
    struct shadow_store *store;
    int64_t stored_ms; /* the last time, clock_mono_ms */
    bool store_failed;
};

/* --- from any thread --- */

static void append(struct shadow *shadow, const struct shadow_sighting *seen)
{
    struct sighting *sighting = mem_alloc(sizeof *sighting + seen->target.n);
    *sighting = (struct sighting){.flag = seen->flag,
                                  .mode = seen->mode,
                                  .side = seen->side,
                                  .document = document_ref(seen->document),
                                  .target_size = seen->target.n};
    memcpy(sighting->target, seen->target.p, seen->target.n);
    if (shadow->last)
        shadow->last->next = sighting;
    else
        shadow->first = sighting;
    shadow->last = sighting;
    shadow->taken[seen->flag]++;
    (void)pthread_cond_signal(&shadow->news);
}

/* The thread may lose its core to others while it holds the lock. Who serves clients does not wait for that. */
bool shadow_offer(struct shadow *shadow, const struct shadow_sighting *seen)
{
    if (pthread_mutex_trylock(&shadow->lock) != 0)
        return false;
    bool room = shadow->taken[seen->flag] < TAKEN_MOST && !shadow->stopping &&
                shadow->rest_until_ms[seen->flag] <= clock_mono_ms();
    if (room)
        append(shadow, seen);
    (void)pthread_mutex_unlock(&shadow->lock);
    return room;
}

bool shadow_shed(struct shadow *shadow, enum flag flag, enum flag_mode mode, uint64_t count)
{
    size_t kind = 0;
    while (kind < READ_KIND_COUNT - 1 && endpoints[kind].flag != flag)
        kind++; /* the first of those that share a flag stands for them */
    return shadow_tally_try_shed(shadow->tally, endpoints[kind].kind, mode, count);
}

void shadow_go_by(struct shadow *shadow, struct snapshot *snapshot)
{
    (void)pthread_mutex_lock(&shadow->lock);
    struct snapshot *old = shadow->snapshot;
    shadow->snapshot = snapshot_ref(snapshot);
    (void)pthread_cond_signal(&shadow->news);
    (void)pthread_mutex_unlock(&shadow->lock);
    snapshot_unref(old);
}

void shadow_take_legacy(struct shadow *shadow, struct legacy_documents *documents)
{
    (void)pthread_mutex_lock(&shadow->lock);
    struct legacy_documents *old = shadow->legacy;
    shadow->legacy = documents;
    (void)pthread_mutex_unlock(&shadow->lock);
    legacy_documents_unref(old);
}

void shadow_print(struct shadow *shadow, struct buf *out)
{
    (void)pthread_mutex_lock(&shadow->lock);
    unsigned taken = 0;
    for (size_t i = 0; i < FLAG_COUNT; i++)
        taken += shadow->taken[i];
    (void)pthread_mutex_unlock(&shadow->lock);
    shadow_tally_print(shadow->tally, out);
    buf_printf(out,
               "# HELP nof0_shadow_waiting Answers that wait or are being compared, at most %d of each flag.\n"
               "# TYPE nof0_shadow_waiting gauge\nnof0_shadow_waiting %u\n",
               TAKEN_MOST, taken);
}

/* --- the thread --- */

static struct legacy_documents *present_legacy(void *arg)
{
    struct shadow *shadow = arg;
    (void)pthread_mutex_lock(&shadow->lock);
    struct legacy_documents *legacy = shadow->legacy ? legacy_documents_ref(shadow->legacy) : NULL;
    (void)pthread_mutex_unlock(&shadow->lock);
    return legacy;
}

static void on_compared(void *arg, const struct settings *settings, enum flag flag, bool different)
{
    struct shadow *shadow = arg;
    shadow->on_compared(shadow->arg, settings, flag, different);
}

static void on_pair(void *arg, const struct endpoint *endpoint, struct slice json)
{
    struct shadow *shadow = arg;
    struct err err = ERR_INIT;
    if (!shadow_store_pair(shadow->store, endpoint, json, &err))
        log_event(LOG_WARN, "shadow.pair_not_kept",
                  LOG_FIELDS(log_str("endpoint", endpoint->name), log_error_text(&err)));
}

static bool may_compare(const struct settings *settings)
{
    return settings->postgres_dsn[0] && settings->legacy_dir[0];
}

/* When what was found is to be written down, clock_mono_ms. Once in a while there is something to read without news. */
static int64_t store_due_ms(const struct shadow *shadow, const struct settings *settings)
{
    if (shadow->store_failed)
        return shadow->stored_ms + RETRY_MS;
    return shadow->stored_ms + (shadow_tally_is_due(shadow->tally) ? settings->shadow_flush_ms : REST_MS);
}

static void store(struct shadow *shadow, const struct settings *settings)
{
    struct err err = ERR_INIT;
    bool good = !may_compare(settings) || shadow_store_runs(shadow->store, shadow->tally, &err);
    if (!good && !shadow->store_failed)
        log_event(LOG_WARN, "shadow.not_stored", LOG_FIELDS(log_error_text(&err)));
    shadow->store_failed = !good;
    shadow->stored_ms = clock_mono_ms();
}

/* Waits until there is an answer, or something else is to be done, and takes what there is. False at the end. */
static bool next(struct shadow *shadow, int64_t until_ms, struct sighting **sighting, struct snapshot **snapshot)
{
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    (void)pthread_mutex_lock(&shadow->lock);
    int waited = 0;
    while (!shadow->first && !shadow->stopping && shadow->snapshot == *snapshot && waited == 0)
        waited = pthread_cond_timedwait(&shadow->news, &shadow->lock, &until);
    bool goes_on = !shadow->stopping;
    *sighting = goes_on ? shadow->first : NULL;
    if (*sighting) {
        shadow->first = (*sighting)->next;
        if (!shadow->first)
            shadow->last = NULL;
    }
    struct snapshot *old = *snapshot;
    *snapshot = snapshot_ref(shadow->snapshot);
    (void)pthread_mutex_unlock(&shadow->lock);
    snapshot_unref(old);
    return goes_on;
}

/* What a comparison took since began_ms is answered by a rest of its flag's, so that over time each has no more than
 * its share, however many of them wait: the answers of one cannot push out those of another. */
static void rest(struct shadow *shadow, const struct settings *settings, enum flag flag, int64_t began_ms)
{
    enum { LONGEST_MS = 600000 };
    int64_t now_ms = clock_mono_ms();
    double share = settings->shadow_max_share;
    double rest_ms = share > 0 ? (double)(now_ms - began_ms) * (1 / share - 1) : LONGEST_MS;
    (void)pthread_mutex_lock(&shadow->lock);
    shadow->taken[flag]--;
    int64_t from_ms = shadow->rest_until_ms[flag] > now_ms ? shadow->rest_until_ms[flag] : now_ms;
    shadow->rest_until_ms[flag] = from_ms + (int64_t)(rest_ms < LONGEST_MS ? rest_ms : LONGEST_MS);
    (void)pthread_mutex_unlock(&shadow->lock);
}

static void free_sighting(struct sighting *sighting)
{
    document_unref(sighting->document);
    free(sighting);
}

static void compare(struct shadow *shadow, const struct settings *settings, struct sighting *sighting)
{
    int64_t began_ms = clock_mono_ms();
    const struct shadow_sighting seen = {.flag = sighting->flag,
                                         .mode = sighting->mode,
                                         .side = sighting->side,
                                         .target = {sighting->target, sighting->target_size},
                                         .document = sighting->document};
    shadow_work_compare(shadow->work, &seen);
    rest(shadow, settings, seen.flag, began_ms);
    free_sighting(sighting);
}

/* The thread gets what nobody else wants, and, unlike one that is merely nice, is put aside the moment that a worker on
 * its core wakes up: sched(7). */
static void leave_the_core_to_others(void)
{
    const struct sched_param none = {.sched_priority = 0};
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
}

static void *run(void *arg)
{
    struct shadow *shadow = arg;
    struct snapshot *snapshot = NULL;
    struct sighting *sighting = NULL;
    int64_t until_ms = 0;
    leave_the_core_to_others();
    while (next(shadow, until_ms, &sighting, &snapshot)) {
        const struct settings *settings = snapshot_settings(snapshot);
        shadow_work_go_by(shadow->work, snapshot);
        shadow_store_go_by(shadow->store, snapshot);
        if (sighting)
            compare(shadow, settings, sighting);
        until_ms = shadow_work_look_again(shadow->work);
        if (store_due_ms(shadow, settings) <= clock_mono_ms())
            store(shadow, settings);
        int64_t store_ms = store_due_ms(shadow, settings);
        until_ms = until_ms < store_ms ? until_ms : store_ms;
    }
    struct err err = ERR_INIT;
    if (shadow_tally_is_due(shadow->tally) && !shadow->store_failed && may_compare(snapshot_settings(snapshot)) &&
        !shadow_store_runs(shadow->store, shadow->tally, &err))
        log_event(LOG_WARN, "shadow.not_stored", LOG_FIELDS(log_error_text(&err)));
    snapshot_unref(snapshot);
    return NULL;
}

/* --- its life --- */

static void init_lock(struct shadow *shadow)
{
    pthread_condattr_t monotonic;
    (void)pthread_mutex_init(&shadow->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&shadow->news, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

struct shadow *shadow_start(const struct shadow_config *config, struct err *err)
{
    struct shadow *shadow = mem_zalloc(sizeof *shadow);
    init_lock(shadow);
    shadow->on_compared = config->on_compared;
    shadow->arg = config->arg;
    shadow->snapshot = snapshot_ref(config->snapshot);
    shadow->tally = shadow_tally_new();
    shadow->store = shadow_store_new();
    shadow->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const struct shadow_work_config work = {.tally = shadow->tally,
                                            .stop_fd = shadow->stop_fd,
                                            .legacy = present_legacy,
                                            .on_compared = on_compared,
                                            .on_pair = on_pair,
                                            .arg = shadow};
    shadow->work = shadow_work_new(&work);
    shadow_work_go_by(shadow->work, shadow->snapshot);
    shadow_store_go_by(shadow->store, shadow->snapshot);
    if (shadow->stop_fd < 0) {
        (void)err_set_errno(err, errno, "cannot make an event descriptor");
        goto fail;
    }
    int failed = pthread_create(&shadow->thread, NULL, run, shadow);
    if (failed) {
        (void)err_set_errno(err, failed, "cannot start a thread");
        goto fail;
    }
    shadow->started = true;
    return shadow;
fail:
    shadow_free(shadow);
    return NULL;
}

void shadow_stop(struct shadow *shadow)
{
    if (!shadow)
        return;
    (void)pthread_mutex_lock(&shadow->lock);
    shadow->stopping = true;
    (void)pthread_cond_signal(&shadow->news);
    (void)pthread_mutex_unlock(&shadow->lock);
    uint64_t one = 1;
    while (shadow->stop_fd >= 0 && write(shadow->stop_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    if (shadow->started)
        (void)pthread_join(shadow->thread, NULL);
    shadow->started = false;
}

void shadow_free(struct shadow *shadow)
{
    if (!shadow)
        return;
    shadow_stop(shadow);
    shadow_work_free(shadow->work);
    while (shadow->first) {
        struct sighting *sighting = shadow->first;
        shadow->first = sighting->next;
        free_sighting(sighting);
    }
    shadow_store_free(shadow->store);
    shadow_tally_free(shadow->tally);
    legacy_documents_unref(shadow->legacy);
    snapshot_unref(shadow->snapshot);
    if (shadow->stop_fd >= 0)
        (void)close(shadow->stop_fd);
    (void)pthread_cond_destroy(&shadow->news);
    (void)pthread_mutex_destroy(&shadow->lock);
    free(shadow);
}
