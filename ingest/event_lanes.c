#include "ingest/event_lanes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

enum {
    LANES = 2,
    GROUP_ITEMS = 4096, /* of one transaction */
    GROUP_BATCHES = 512,
    BACKOFF_FIRST_MS = 20,
    BACKOFF_LAST_MS = 500,
};

struct job {
    STAILQ_ENTRY(job) next;
    struct event_batch *batch;
    size_t bytes;
    int64_t deadline_ms;
    event_stored_fn *stored;
    void *arg;
};
STAILQ_HEAD(jobs, job);

struct lane {
    struct event_lanes *lanes;
    pthread_t thread;
    bool started;
    struct jobs queue; /* guarded by the lanes' lock, as the next */
    size_t queued_bytes;
    pthread_cond_t wake;
    /* The thread's own. */
    struct event_writer *writer;
    uint64_t generation; /* of the options that the writer was opened with */
    bool down;           /* the last try failed: told once */
};

struct event_lanes {
    pthread_mutex_t lock;
    struct lane lane[LANES];
    char *dsn; /* guarded, as all below */
    int64_t timeout_ms;
    size_t most_queued_bytes;
    uint64_t generation;
    bool stopping;
    struct event_lanes_counts counts;
};

static void set_options(struct event_lanes *lanes, const struct event_lanes_options *options)
{
    const char *dsn = options->dsn ? options->dsn : "";
    if (!lanes->dsn || strcmp(lanes->dsn, dsn) != 0 || lanes->timeout_ms != options->timeout_ms) {
        free(lanes->dsn);
        lanes->dsn = mem_strndup(dsn, strlen(dsn));
        lanes->generation++;
    }
    lanes->timeout_ms = options->timeout_ms;
    lanes->most_queued_bytes = options->most_queued_bytes;
}

/* Takes what stands in the queue, as far as one transaction shall go. */
static size_t take_group(struct lane *lane, struct job **group)
{
    size_t n = 0;
    size_t items = 0;
    struct job *job;
    while (n < GROUP_BATCHES && (job = STAILQ_FIRST(&lane->queue)) != NULL) {
        size_t more = event_batch_count(job->batch);
        if (n && items + more > GROUP_ITEMS)
            break;
        STAILQ_REMOVE_HEAD(&lane->queue, next);
        lane->queued_bytes -= job->bytes;
        lane->lanes->counts.queued_bytes -= job->bytes;
        items += more;
        group[n++] = job;
    }
    return n;
}

static void count_outcomes(struct event_lanes *lanes, const struct event_batch *batch)
{
    struct event_counts counts = event_batch_counts(batch);
    (void)pthread_mutex_lock(&lanes->lock);
    lanes->counts.accepted += counts.accepted;
    lanes->counts.duplicate += counts.duplicate;
    lanes->counts.rejected += counts.rejected;
    (void)pthread_mutex_unlock(&lanes->lock);
}

static void end_job(struct lane *lane, struct job *job, int64_t version, const struct err *err)
{
    if (err) {
        (void)pthread_mutex_lock(&lane->lanes->lock);
        lane->lanes->counts.failures++;
        (void)pthread_mutex_unlock(&lane->lanes->lock);
    } else {
        count_outcomes(lane->lanes, job->batch);
    }
    job->stored(job->arg, job->batch, version, err);
    free(job);
}

/* How long Postgres is waited for. While it is down nobody waits beyond his own deadline; else a transaction that is
 * slow gets its time, for one that succeeds late is better than one that is cut off. */
static int64_t patience_of(const struct lane *lane, struct job *const *group, size_t count, int64_t timeout_ms)
{
    int64_t longest_ms = 1;
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < count; i++)
        if (group[i]->deadline_ms - now_ms > longest_ms)
            longest_ms = group[i]->deadline_ms - now_ms;
    return lane->down && longest_ms < timeout_ms ? longest_ms : timeout_ms;
}

/* Opens the connection that the present options ask for. */
static bool connect_lane(struct lane *lane, struct job *const *group, size_t count, struct err *err)
{
    struct event_lanes *lanes = lane->lanes;
    (void)pthread_mutex_lock(&lanes->lock);
    uint64_t generation = lanes->generation;
    char *dsn = mem_strndup(lanes->dsn, strlen(lanes->dsn));
    int64_t patience_ms = patience_of(lane, group, count, lanes->timeout_ms);
    (void)pthread_mutex_unlock(&lanes->lock);
    if (lane->writer && lane->generation != generation) {
        event_writer_close(lane->writer);
        lane->writer = NULL;
    }
    lane->generation = generation;
    const struct event_writer_options options = {.dsn = dsn, .patience_ms = patience_ms};
    bool good = true;
    if (lane->writer) {
        event_writer_set_patience(lane->writer, patience_ms);
    } else {
        lane->writer = *dsn ? event_writer_open(&options, err) : NULL;
        good = lane->writer || (*dsn ? false : err_set(err, ERR_UNAVAILABLE, "no Postgres is configured"));
    }
    free(dsn);
    return good;
}

/* One try. False with *err when the batches are still open. */
static bool store_group(struct lane *lane, struct job *const *group, size_t count, int64_t *version, struct err *err)
{
    struct event_batch *batches[GROUP_BATCHES];
    for (size_t i = 0; i < count; i++)
        batches[i] = group[i]->batch;
    if (!connect_lane(lane, group, count, err))
        return false;
    bool good = event_writer_store(lane->writer, batches, count, version, err);
    if (!good) {
        event_writer_close(lane->writer);
        lane->writer = NULL;
    }
    (void)pthread_mutex_lock(&lane->lanes->lock);
    lane->lanes->counts.transactions++;
    (void)pthread_mutex_unlock(&lane->lanes->lock);
    return good;
}

static void tell_trouble(struct lane *lane, const struct err *err)
{
    if (err && !lane->down)
        log_event(LOG_WARN, "ingest.cannot_store", LOG_FIELDS(log_error_text(err)));
    else if (!err && lane->down)
        log_event(LOG_INFO, "ingest.stores_again", NULL);
    lane->down = err != NULL;
}

/* Fails those whose time is over; returns how many are left. */
static size_t drop_late(struct lane *lane, struct job **group, size_t count, const struct err *err)
{
    size_t left = 0;
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < count; i++) {
        if (group[i]->deadline_ms <= now_ms)
            end_job(lane, group[i], 0, err);
        else
            group[left++] = group[i];
    }
    return left;
}

static void work(struct lane *lane, struct job **group, size_t count)
{
    int64_t backoff_ms = BACKOFF_FIRST_MS;
    while (count > 0) {
        struct err err = ERR_INIT;
        int64_t version = 0;
        if (store_group(lane, group, count, &version, &err)) {
            tell_trouble(lane, NULL);
            for (size_t i = 0; i < count; i++)
                end_job(lane, group[i], version, NULL);
            return;
        }
        tell_trouble(lane, &err);
        count = drop_late(lane, group, count, &err);
        const struct timespec pause = {.tv_nsec = backoff_ms * 1000000};
        if (count > 0)
            (void)nanosleep(&pause, NULL);
        backoff_ms = backoff_ms * 2 < BACKOFF_LAST_MS ? backoff_ms * 2 : BACKOFF_LAST_MS;
    }
}

static void *run(void *arg)
{
    struct lane *lane = arg;
    struct event_lanes *lanes = lane->lanes;
    struct job *group[GROUP_BATCHES];
    for (;;) {
        (void)pthread_mutex_lock(&lanes->lock);
        while (STAILQ_EMPTY(&lane->queue) && !lanes->stopping)
            (void)pthread_cond_wait(&lane->wake, &lanes->lock);
        size_t count = take_group(lane, group);
        (void)pthread_mutex_unlock(&lanes->lock);
        if (count == 0)
            break;
        work(lane, group, count);
    }
    event_writer_close(lane->writer);
    return NULL;
}

struct event_lanes *event_lanes_start(const struct event_lanes_options *options, struct err *err)
{
    struct event_lanes *lanes = mem_zalloc(sizeof *lanes);
    (void)pthread_mutex_init(&lanes->lock, NULL);
    set_options(lanes, options);
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &lanes->lane[i];
        lane->lanes = lanes;
        STAILQ_INIT(&lane->queue);
        (void)pthread_cond_init(&lane->wake, NULL);
    }
    for (size_t i = 0; i < LANES; i++) {
        int failed = pthread_create(&lanes->lane[i].thread, NULL, run, &lanes->lane[i]);
        lanes->lane[i].started = failed == 0;
        if (failed) {
            (void)err_set_errno(err, failed, "cannot start a thread");
            event_lanes_stop(lanes);
            return NULL;
        }
    }
    return lanes;
}

void event_lanes_configure(struct event_lanes *lanes, const struct event_lanes_options *options)
{
    (void)pthread_mutex_lock(&lanes->lock);
    set_options(lanes, options);
    (void)pthread_mutex_unlock(&lanes->lock);
}

bool event_lanes_submit(struct event_lanes *lanes, struct event_batch *batch, event_stored_fn *stored, void *arg)
{
    struct lane *lane = &lanes->lane[event_batch_kind(batch) == EVENT_PRICES];
    struct job *job = mem_alloc(sizeof *job);
    *job = (struct job){.batch = batch, .bytes = event_batch_bytes(batch), .stored = stored, .arg = arg};
    (void)pthread_mutex_lock(&lanes->lock);
    /* A single batch that is larger than the queue goes in when nothing else waits. */
    bool room = STAILQ_EMPTY(&lane->queue) || lane->queued_bytes + job->bytes <= lanes->most_queued_bytes;
    if (room) {
        job->deadline_ms = clock_mono_ms() + lanes->timeout_ms;
        STAILQ_INSERT_TAIL(&lane->queue, job, next);
        lane->queued_bytes += job->bytes;
        lanes->counts.queued_bytes += job->bytes;
        (void)pthread_cond_signal(&lane->wake);
    } else {
        lanes->counts.refused++;
    }
    (void)pthread_mutex_unlock(&lanes->lock);
    if (!room)
        free(job);
    return room;
}

void event_lanes_counts(struct event_lanes *lanes, struct event_lanes_counts *counts)
{
    (void)pthread_mutex_lock(&lanes->lock);
    *counts = lanes->counts;
    (void)pthread_mutex_unlock(&lanes->lock);
}

void event_lanes_stop(struct event_lanes *lanes)
{
    if (!lanes)
        return;
    (void)pthread_mutex_lock(&lanes->lock);
    lanes->stopping = true;
    for (size_t i = 0; i < LANES; i++)
        (void)pthread_cond_signal(&lanes->lane[i].wake);
    (void)pthread_mutex_unlock(&lanes->lock);
    for (size_t i = 0; i < LANES; i++) {
        if (lanes->lane[i].started)
            (void)pthread_join(lanes->lane[i].thread, NULL);
        (void)pthread_cond_destroy(&lanes->lane[i].wake);
    }
    (void)pthread_mutex_destroy(&lanes->lock);
    free(lanes->dsn);
    free(lanes);
}
