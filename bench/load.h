/* So many threads, each with one thing under way at a time, for so long, as fast as they can or at a rate; then what it
 * came to. */
#ifndef NOF0_BENCH_LOAD_H
#define NOF0_BENCH_LOAD_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct load_plan {
    unsigned threads;
    double seconds;
    double per_second; /* of all threads together, evenly spaced; 0: each begins again as soon as it is done */
    /* Opens what one thread needs; NULL and *err when it cannot. */
    void *(*open)(const void *arg, struct err *err);
    /* Does the thing once. *bytes receives how much came in. */
    bool (*once)(void *self, size_t *bytes, struct err *err);
    void (*close)(void *self);
    const void *arg;
    FILE *times; /* NULL, or receives how long things took: "<us> <count>" a line, ascending */
};

/* Runs the plan and prints one line: "<per second> <median us> <99th percentile us> <bytes each> <count>". The first
 * tenth of the time warms up and is not counted. False when any thread failed. */
bool load_run(const struct load_plan *plan, struct err *err);

#endif
