#include "bench/load.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

struct runner {
    const struct load_plan *plan;
    unsigned number;
    pthread_t thread;
    pthread_barrier_t *start;
    int64_t *took_us;
    size_t count;
    size_t room;
    size_t bytes;
    int64_t measured_us;
    bool failed;
    struct err err;
};

static void record(struct runner *runner, int64_t took_us)
{
    if (runner->count == runner->room) {
        runner->room = runner->room ? runner->room * 2 : 4096;
        runner->took_us = mem_realloc(runner->took_us, runner->room * sizeof *runner->took_us);
    }
    runner->took_us[runner->count++] = took_us;
}

static void sleep_until(int64_t due_us)
{
    const struct timespec due = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0) {
    }
}

/* When the next thing begins to count: at once, or at a rate when it is due. One that is still to come is waited for;
 * one that is late, since the last one took too long, counts from when it was due. */
static int64_t begin_next(const struct runner *runner, int64_t first_us, size_t done)
{
    const struct load_plan *plan = runner->plan;
    int64_t now = clock_mono_us();
    if (plan->per_second <= 0)
        return now;
    double turn = (double)done * plan->threads + runner->number;
    int64_t due = first_us + (int64_t)(turn * 1e6 / plan->per_second);
    if (due <= now)
        return due;
    sleep_until(due);
    return clock_mono_us();
}

static void measure(struct runner *runner, void *self)
{
    int64_t whole_us = (int64_t)(runner->plan->seconds * 1e6);
    int64_t first_us = clock_mono_us();
    int64_t counted_from = first_us + whole_us / 10;
    int64_t until = counted_from + whole_us;
    int64_t counted_first = 0;
    for (size_t done = 0;; done++) {
        int64_t before = begin_next(runner, first_us, done);
        if (before >= until)
            return;
        size_t bytes = 0;
        if (!runner->plan->once(self, &bytes, &runner->err)) {
            runner->failed = true;
            return;
        }
        if (before < counted_from)
            continue;
        int64_t now = clock_mono_us();
        counted_first = counted_first ? counted_first : before;
        record(runner, now - before);
        runner->bytes += bytes;
        runner->measured_us = now - counted_first;
    }
}

static void *run(void *arg)
{
    struct runner *runner = arg;
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* ns */
    void *self = runner->plan->open(runner->plan->arg, &runner->err);
    runner->failed = !self;
    pthread_barrier_wait(runner->start);
    if (self) {
        measure(runner, self);
        runner->plan->close(self);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void write_times(FILE *out, const int64_t *sorted_us, size_t count)
{
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && sorted_us[to] == sorted_us[from]; to++) {
        }
        fprintf(out, "%lld %zu\n", (long long)sorted_us[from], to - from);
    }
}

/* One list of all threads' times, sorted. */
static bool report(struct runner *runners, const struct load_plan *plan, struct err *err)
{
    unsigned threads = plan->threads;
    size_t count = 0;
    size_t bytes = 0;
    double rate = 0;
    for (unsigned i = 0; i < threads; i++) {
        if (runners[i].failed) {
            *err = runners[i].err;
            return false;
        }
        count += runners[i].count;
        bytes += runners[i].bytes;
        /* At a rate a thread may do few things, with as much rest behind each of them. */
        double us = plan->per_second > 0 ? plan->seconds * 1e6 : (double)runners[i].measured_us;
        rate += us > 0 ? (double)runners[i].count * 1e6 / us : 0;
    }
    if (!count) {
        return err_set(err, ERR_TIMEOUT, "nothing was done in the time given");
    }
    int64_t *all = mem_calloc(count, sizeof *all);
    size_t at = 0;
    for (unsigned i = 0; i < threads; i++) {
        if (runners[i].count) {
            memcpy(all + at, runners[i].took_us, runners[i].count * sizeof *all);
            at += runners[i].count;
        }
    }
    qsort(all, count, sizeof *all, by_value);
    printf("%.1f %lld %lld %zu %zu\n", rate, (long long)all[count / 2], (long long)all[count * 99 / 100], bytes / count,
           count);
    if (plan->times) {
        write_times(plan->times, all, count);
    }
    free(all);
    return true;
}

bool load_run(const struct load_plan *plan, struct err *err)
{
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, plan->threads);
    struct runner *runners = mem_calloc(plan->threads, sizeof *runners);
    for (unsigned i = 0; i < plan->threads; i++) {
        runners[i].plan = plan;
        runners[i].number = i;
        runners[i].start = &start;
        int failed = pthread_create(&runners[i].thread, NULL, run, &runners[i]);
        if (failed) {
            /* Those that started wait at the barrier for ever; the process ends with this error. */
            return err_set_errno(err, failed, "no thread for the load");
        }
    }
    for (unsigned i = 0; i < plan->threads; i++) {
        pthread_join(runners[i].thread, NULL);
    }
    bool good = report(runners, plan, err);
    for (unsigned i = 0; i < plan->threads; i++) {
        free(runners[i].took_us);
    }
    free(runners);
    pthread_barrier_destroy(&start);
    return good;
}
