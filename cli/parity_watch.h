/* The parity check again and again. */
#ifndef NOF0_CLI_PARITY_WATCH_H
#define NOF0_CLI_PARITY_WATCH_H

#include "cli/parity_check.h"
#include "cli/parity_render.h"

#include <stdio.h>

struct parity_watch_options {
    int64_t every_ms;
    int stop_fd; /* readable: end it */
    bool json;   /* a document a round; else tables and lines */
    bool redraw; /* out is a terminal: show the newest table alone */
    struct parity_style style;
    FILE *out;
    /* Told of each result, before it is printed. */
    void (*checked)(void *arg, const struct parity_check *check);
    void *arg;
};

/* Runs until stop_fd ends it. Where nothing is redrawn, a round that found what the one before found is one line, and
 * another one says what changed. Returns the last result's code (parity_result_code), 2 when there was none. */
int parity_watch(struct parity_check *check, const struct parity_watch_options *options);

#endif
