/* Where a rollout plan stands and what it does next, as a function of the plan, the flags with the last row of their
 * log, what comparisons found, and the time. It keeps no state: a plan that was killed, or that runs twice, goes on
 * from what is stored. Does no I/O. */
#ifndef NOF0_CLI_ROLLOUT_ENGINE_H
#define NOF0_CLI_ROLLOUT_ENGINE_H

#include "base/buf.h"
#include "cli/rollout_plan.h"

enum { ROLLOUT_BY_SIZE = 201, ROLLOUT_WHY_SIZE = 1001 };

/* What is known of an endpoint's flag at one moment. */
struct rollout_sight {
    struct flag_value value;  /* as stored, else the configuration's */
    struct flag_value from;   /* before the last change */
    int64_t version;          /* the id of its last change; 0: there is none */
    int64_t since_us;         /* when that was made, since 1970; 0: there is none */
    bool ours;                /* this plan made the last change */
    bool begun;               /* this plan made some change, now or earlier */
    char by[ROLLOUT_BY_SIZE]; /* who made the last change, as the log has it */
    char why[ROLLOUT_WHY_SIZE];
    /* Since the last change, of the flag's endpoints: the least that any of them has, and sums. */
    uint64_t comparisons;
    uint64_t mismatches;
    uint64_t failures;
    const char *different; /* an endpoint with mismatches, or NULL */
};

enum rollout_state {
    ROLLOUT_WAITING,   /* has not begun: others are on their way */
    ROLLOUT_SOAKING,   /* the time of its step is not over */
    ROLLOUT_COMPARING, /* it is over, and comparisons are lacking */
    ROLLOUT_DUE,       /* a change is due */
    ROLLOUT_STOPPED,   /* by a difference */
    ROLLOUT_HELD,      /* somebody else changed the flag meanwhile */
    ROLLOUT_ARRIVED,
};
const char *rollout_state_name(enum rollout_state state); /* "waiting", ... */

struct rollout_position {
    enum rollout_state state;
    bool returns;         /* DUE: because of a difference, back to legacy */
    struct flag_value to; /* DUE: the value that is due */
    size_t step;          /* how many steps it has reached; 0: none */
    int64_t spent_us;     /* since the last change; 0: there is none */
    int64_t soak_left_us; /* of the present step; 0: none */
    uint64_t need;        /* comparisons that the present step asks for */
};

/* Judges all tracks: sights[i] is of plan->tracks[i], and so is positions[i]. `now_us` is of the clock that since_us is
 * of. */
void rollout_judge(const struct rollout_plan *plan, const struct rollout_sight *sights, int64_t now_us,
                   struct rollout_position *positions);

/* Whether the plan has nothing more to do with the endpoint. */
static inline bool rollout_is_over(enum rollout_state state)
{
    return state == ROLLOUT_STOPPED || state == ROLLOUT_HELD || state == ROLLOUT_ARRIVED;
}

/* Of an endpoint that is stopped or held: the values that it takes, one after the other, for the plan to go on with it,
 * at most two. Going on begins one step before where it stands, so that everything between is shown anew. Returns how
 * many; 0 when it is neither. */
size_t rollout_resume(const struct rollout_track *track, const struct rollout_sight *sight, enum rollout_state state,
                      struct flag_value values[2]);

/* Appends why a due change is made, for the log: "step 3 of 4: 1200 comparisons without a difference in 10m 3s of
 * canary:5". */
void rollout_put_reason(struct buf *out, const struct rollout_track *track, const struct rollout_sight *sight,
                        const struct rollout_position *position);

/* Appends what a state means just now, for people: "5 of 1000 comparisons", "changed by ann: files first". */
void rollout_put_note(struct buf *out, const struct rollout_track *track, const struct rollout_sight *sight,
                      const struct rollout_position *position);

/* 1 when any endpoint is stopped or held; else 0 when all arrived; else 3: some are on their way. */
int rollout_code(const struct rollout_position *positions, size_t count);

enum { ROLLOUT_UNDER_WAY = 3 };

#endif
