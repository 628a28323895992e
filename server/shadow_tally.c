#include "server/shadow_tally.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum origin { BY_SHADOW, BY_CANARY, ORIGINS };
static const char *const origin_names[ORIGINS] = {"shadow", "canary"};

/* Since it was last written down. */
struct stretch {
    uint64_t results[SHADOW_RESULTS];
    struct parity_counts counts;
    int64_t started_us, ended_us;
};

struct shadow_tally {
    pthread_mutex_t lock; /* of everything; never held while Postgres is waited for */
    struct {
        uint64_t results[SHADOW_RESULTS];
        struct parity_counts counts;
        struct parity_green green;
    } totals[READ_KIND_COUNT];
    struct stretch stretches[READ_KIND_COUNT][ORIGINS];
    bool has_green;
    uint64_t stored;
};

struct shadow_tally *shadow_tally_new(void)
{
    struct shadow_tally *tally = mem_zalloc(sizeof *tally);
    (void)pthread_mutex_init(&tally->lock, NULL);
    return tally;
}

void shadow_tally_free(struct shadow_tally *tally)
{
    (void)pthread_mutex_destroy(&tally->lock);
    free(tally);
}

static int64_t now_us(void)
{
    return clock_wall_ms() * 1000;
}

static void add_counts(struct parity_counts *to, const struct parity_counts *from)
{
    for (size_t i = 0; i < PARITY_CLASS_COUNT; i++)
        to->differences[i] += from->differences[i];
}

/* With the lock held. */
static void add(struct shadow_tally *tally, enum read_kind kind, enum flag_mode mode, enum shadow_result result,
                uint64_t times, const struct parity_counts *counts)
{
    struct stretch *stretch = &tally->stretches[kind][mode == FLAG_CANARY ? BY_CANARY : BY_SHADOW];
    tally->totals[kind].results[result] += times;
    stretch->results[result] += times;
    stretch->ended_us = now_us();
    if (!stretch->started_us)
        stretch->started_us = stretch->ended_us;
    if (counts) {
        add_counts(&tally->totals[kind].counts, counts);
        add_counts(&stretch->counts, counts);
    }
}

void shadow_tally_add(struct shadow_tally *tally, enum read_kind kind, enum flag_mode mode, enum shadow_result result,
                      const struct parity_counts *counts)
{
    (void)pthread_mutex_lock(&tally->lock);
    add(tally, kind, mode, result, 1, counts);
    (void)pthread_mutex_unlock(&tally->lock);
}

bool shadow_tally_try_shed(struct shadow_tally *tally, enum read_kind kind, enum flag_mode mode, uint64_t times)
{
    if (pthread_mutex_trylock(&tally->lock) != 0)
        return false;
    add(tally, kind, mode, SHADOW_SHED, times, NULL);
    (void)pthread_mutex_unlock(&tally->lock);
    return true;
}

bool shadow_tally_is_due(struct shadow_tally *tally)
{
    bool due = false;
    (void)pthread_mutex_lock(&tally->lock);
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        for (size_t by = 0; by < ORIGINS; by++)
            due = due || tally->stretches[kind][by].started_us;
    (void)pthread_mutex_unlock(&tally->lock);
    return due;
}

/* --- Postgres --- */

char *shadow_instance(char out[SHADOW_INSTANCE_SIZE])
{
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(out, SHADOW_INSTANCE_SIZE, "%s:%ld", host, (long)getpid());
    return out;
}

static bool store_stretch(struct session *session, enum read_kind kind, enum origin by, const struct stretch *stretch,
                          struct err *err)
{
    char instance[SHADOW_INSTANCE_SIZE];
    const uint64_t *results = stretch->results;
    const struct parity_run run = {
        .endpoint = endpoints[kind].name,
        .origin = origin_names[by],
        .instance = shadow_instance(instance),
        .left = endpoint_side_name(ENDPOINT_LEGACY),
        .right = endpoint_side_name(ENDPOINT_REPO),
        .started_us = stretch->started_us,
        .ended_us = stretch->ended_us,
        .comparisons = results[SHADOW_EQUAL] + results[SHADOW_DIFFERENT] + results[SHADOW_UNSETTLED],
        .mismatches = results[SHADOW_DIFFERENT],
        .unsettled = results[SHADOW_UNSETTLED],
        .failures = results[SHADOW_FAILED],
        .shed = results[SHADOW_SHED],
        .counts = stretch->counts,
    };
    return parity_run_store(session, &run, err);
}

/* What came in meanwhile stays. */
static void take_off(struct stretch *from, const struct stretch *stored)
{
    bool more = false;
    for (size_t i = 0; i < SHADOW_RESULTS; i++) {
        from->results[i] -= stored->results[i];
        more = more || from->results[i];
    }
    for (size_t i = 0; i < PARITY_CLASS_COUNT; i++)
        from->counts.differences[i] -= stored->counts.differences[i];
    from->started_us = more ? stored->ended_us : 0;
}

bool shadow_tally_store(struct shadow_tally *tally, struct session *session, struct err *err)
{
    struct stretch stretches[READ_KIND_COUNT][ORIGINS];
    (void)pthread_mutex_lock(&tally->lock);
    memcpy(stretches, tally->stretches, sizeof stretches);
    (void)pthread_mutex_unlock(&tally->lock);

    uint64_t stored = 0;
    bool good = session_begin(session, err);
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        for (size_t by = 0; by < ORIGINS; by++)
            if (good && stretches[kind][by].started_us) {
                good = store_stretch(session, (enum read_kind)kind, (enum origin)by, &stretches[kind][by], err);
                stored++;
            }
    good = good && session_commit(session, err);
    if (!good)
        return false;

    (void)pthread_mutex_lock(&tally->lock);
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        for (size_t by = 0; by < ORIGINS; by++)
            if (stretches[kind][by].started_us)
                take_off(&tally->stretches[kind][by], &stretches[kind][by]);
    tally->stored += stored;
    (void)pthread_mutex_unlock(&tally->lock);
    return true;
}

bool shadow_tally_look(struct shadow_tally *tally, struct session *session, int64_t age_s, struct err *err)
{
    struct parity_green green[READ_KIND_COUNT];
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        if (!parity_green_load(session, endpoints[kind].name, age_s, &green[kind], err))
            return false;
    (void)pthread_mutex_lock(&tally->lock);
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        tally->totals[kind].green = green[kind];
    tally->has_green = true;
    (void)pthread_mutex_unlock(&tally->lock);
    return true;
}

/* --- Metrics --- */

static void put_name(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_green(const struct shadow_tally *tally, struct buf *out)
{
    put_name(out, "nof0_parity_green_comparisons", "gauge",
             "Comparisons without a difference, by all instances, since the last one with, within flags.guard_age_s.");
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        buf_printf(out, "nof0_parity_green_comparisons{endpoint=\"%s\"} %" PRIu64 "\n", endpoints[kind].name,
                   tally->totals[kind].green.comparisons);
    put_name(out, "nof0_parity_green_since_seconds", "gauge", "When the first of them was; 0: there is none.");
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        buf_printf(out, "nof0_parity_green_since_seconds{endpoint=\"%s\"} %" PRId64 "\n", endpoints[kind].name,
                   tally->totals[kind].green.since_us / 1000000);
}

void shadow_tally_print(struct shadow_tally *tally, struct buf *out)
{
    static const char *const results[SHADOW_RESULTS] = {"equal", "different", "unsettled", "failed", "shed"};
    (void)pthread_mutex_lock(&tally->lock);
    put_name(out, "nof0_shadow_comparisons_total", "counter", "Answers that were to be compared, by what came of it.");
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        for (size_t i = 0; i < SHADOW_RESULTS; i++)
            buf_printf(out, "nof0_shadow_comparisons_total{endpoint=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                       endpoints[kind].name, results[i], tally->totals[kind].results[i]);
    put_name(out, "nof0_shadow_differences_total", "counter", "Differences in those that were different.");
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++)
        for (size_t i = 0; i < PARITY_CLASS_COUNT; i++)
            buf_printf(out, "nof0_shadow_differences_total{endpoint=\"%s\",class=\"%s\"} %" PRIu64 "\n",
                       endpoints[kind].name, parity_class_name((enum parity_class)i),
                       tally->totals[kind].counts.differences[i]);
    put_name(out, "nof0_shadow_runs_stored_total", "counter", "Rows that were added to parity_runs.");
    buf_printf(out, "nof0_shadow_runs_stored_total %" PRIu64 "\n", tally->stored);
    if (tally->has_green)
        put_green(tally, out);
    (void)pthread_mutex_unlock(&tally->lock);
}
