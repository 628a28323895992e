/* A rollout plan: which endpoints go from legacy files to rows, over which steps, and what each step must have shown
 * before the next. Read from a YAML file (docs/rollout.md, etc/rollout.yaml), or made by a command. Plain data. */
#ifndef NOF0_CLI_ROLLOUT_PLAN_H
#define NOF0_CLI_ROLLOUT_PLAN_H

#include "flags/flags.h"

enum { ROLLOUT_STEPS_MAX = 32, ROLLOUT_NAME_SIZE = 65, ROLLOUT_PLAN_BYTES = 256 * 1024 };

/* The name of nof0ctl cutover's own plan; no file may have it. */
#define ROLLOUT_CUTOVER "cutover"

/* What the log of flags says of who made a change: "plan:" and the plan's name. */
#define ROLLOUT_ACTOR_PREFIX "plan:"

struct rollout_step {
    struct flag_value to; /* shadow, canary or repo */
    unsigned line;        /* in the file; 0: none */
    int64_t soak_ms;      /* least time in it before the next step */
    int64_t comparisons;  /* so many without a difference since it began before the next step; of repo: 0 */
};

/* An endpoint's way: the steps rise. */
struct rollout_track {
    enum flag flag; /* FLAG_READ_... */
    bool back;      /* a difference takes clients of rows back to legacy; else the endpoint stays where it is */
    size_t step_count;
    struct rollout_step steps[ROLLOUT_STEPS_MAX];
};

struct rollout_plan {
    char name[ROLLOUT_NAME_SIZE]; /* letters, digits, '.', '_', '-' */
    size_t parallel;              /* so many endpoints move at the same time, at least 1 */
    size_t track_count;
    struct rollout_track tracks[FLAG_COUNT]; /* in the order in which they begin */
};

/* Reads a plan. `file` is its name in faults. Appends a line for each fault, "file:line: key: what": bad YAML, keys
 * that do not exist or come twice, wrong values, steps that do not rise, endpoints without steps. True when there was
 * none; otherwise *plan holds nothing of use. Longest text: ROLLOUT_PLAN_BYTES. */
bool rollout_plan_parse(struct slice yaml, const char *file, struct rollout_plan *plan, struct buf *faults) MUST_CHECK;
/* The same with a file. One that cannot be read is a fault. */
bool rollout_plan_load(const char *path, struct rollout_plan *plan, struct buf *faults) MUST_CHECK;

/* Whether the guard of flags, which asks for so many comparisons (0: it asks for nothing), lets a plan's steps do with
 * no comparisons. Appends a fault for each step that may not. */
bool rollout_plan_fits_guard(const struct rollout_plan *plan, const char *file, int64_t guard_comparisons,
                             struct buf *faults) MUST_CHECK;

/* Orders values of FLAG_KIND_READ from legacy (0) over shadow and canaries by their share up to repo. */
uint32_t rollout_rank(struct flag_value value);

/* The flag of an endpoint: "trades" or "read.trades"; FLAG_COUNT when there is none. */
enum flag rollout_flag_find(struct slice name);
/* "trades" for FLAG_READ_TRADES. */
const char *rollout_flag_name(enum flag flag);

#endif
