/* What comparisons found, kept in the table parity_runs: one row for each stretch of comparisons of one endpoint by one
 * instance or one command. "Green for 24 h over 10,000 comparisons" is a sum over its rows. */
#ifndef NOF0_PARITY_RUNS_H
#define NOF0_PARITY_RUNS_H

#include "parity/compare.h"
#include "repo/session.h"

struct parity_run {
    const char *endpoint; /* a name of server/endpoints.def */
    const char *origin;   /* "shadow", "canary" or "check" */
    const char *instance; /* who compared: host and process */
    const char *left;     /* "legacy", "repo", a URL or a folder */
    const char *right;
    int64_t started_us, ended_us; /* since 1970 */
    uint64_t comparisons;         /* pairs of documents */
    uint64_t mismatches;          /* of these, with differences */
    uint64_t unsettled;           /* of these, where the two moved on before a difference could be confirmed */
    uint64_t failures;            /* times that a side could not be made; not among the comparisons */
    uint64_t shed;                /* comparisons that were due and left out */
    struct parity_counts counts;  /* differences by class */
};

/* Adds a row. */
bool parity_run_store(struct session *session, const struct parity_run *run, struct err *err) MUST_CHECK;

/* What is known of an endpoint's comparisons of legacy (left) with repo (right). Stretches that lie before a mismatch
 * do not count. */
struct parity_green {
    uint64_t comparisons; /* that settled, without any mismatch, up to now, since: */
    int64_t since_us;     /* the first of them; 0: there is none */
    int64_t last_us;      /* the last of them; 0: there is none */
    uint64_t mismatches;  /* within the time asked for */
    int64_t mismatch_us;  /* the last mismatch within it; 0: none */
};

/* Looks at the last `age_s` seconds. */
bool parity_green_load(struct session *session, const char *endpoint, int64_t age_s, struct parity_green *green,
                       struct err *err) MUST_CHECK;

/* What comparisons of legacy with repo found of an endpoint since a moment. */
struct parity_tally {
    uint64_t comparisons; /* that settled, in stretches that began since then */
    uint64_t mismatches;
    uint64_t failures;
};

/* Sums up the stretches from `since_us` (of the clock of the database) until `until_us` (0: without end). With
 * `overlapping` the mismatches of a stretch that began before and ended later count too, since they may lie behind the
 * moment; its comparisons never do. */
bool parity_tally_load(struct session *session, const char *endpoint, int64_t since_us, int64_t until_us,
                       bool overlapping, struct parity_tally *tally, struct err *err) MUST_CHECK;

/* Deletes stretches that ended more than `keep_s` seconds ago. */
bool parity_runs_prune(struct session *session, int64_t keep_s, struct err *err) MUST_CHECK;

#endif
