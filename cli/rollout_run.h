/* Carries a rollout plan out: looks, shows, makes the changes that are due, waits, and looks again. Everything that it
 * must know stands in the database, so it may be killed at any moment, and run twice. */
#ifndef NOF0_CLI_ROLLOUT_RUN_H
#define NOF0_CLI_ROLLOUT_RUN_H

#include "cli/rollout_view.h"

enum { ROLLOUT_INTERVAL_MS = 1000 };

struct rollout_run_options {
    const struct settings *settings;
    const struct rollout_plan *plan;
    struct rollout_view *view;
    int stop_fd;             /* readable: end at once; -1: none */
    int64_t interval_ms;     /* between two looks */
    bool once;               /* look, make the changes that are due, show how things stand, end */
    bool dry;                /* look, say what would be done, end */
    bool resume[FLAG_COUNT]; /* endpoints that are stopped or held, by flag, with which to go on */
    const char *reason;      /* why: for the log; NULL when there are none */
    /* Asked before a change leads on (never before one back); false ends the run. NULL: nobody is asked. Told of the
     * same change only once. */
    bool (*confirm)(void *arg, const struct rollout_track *track, const struct rollout_sight *sight,
                    const struct rollout_position *position);
    void *arg;
};

/* Returns rollout_code of the last look, or 2 with *err when it could not look or change anything for another reason
 * than a Postgres that went away meanwhile, which it waits for. */
int rollout_run(const struct rollout_run_options *options, struct err *err);

#endif
