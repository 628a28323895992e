/* The parity check: what two sources say of the endpoints, read and compared pair by pair. Data that are being written
 * may differ for a moment, so where a side may move, differences count only when they outlast further looks at both.
 * nof0ctl parity prints what it finds, nof0ctl cutover decides by it. Blocks; one thread at a time. */
#ifndef NOF0_CLI_PARITY_CHECK_H
#define NOF0_CLI_PARITY_CHECK_H

#include "parity/findings.h"
#include "server/endpoints.h"

enum parity_verdict {
    PARITY_EQUAL,
    PARITY_NOTHING,      /* neither side has anything of the endpoint (or of the model that is asked for) */
    PARITY_UNSETTLED,    /* unequal at each look, but never in the same way: the two are moving. No difference */
    PARITY_DIFFERENT,    /* in the same way at each look */
    PARITY_NOT_COMPARED, /* a side could not be read, or has nothing while the other has something */
    PARITY_VERDICT_COUNT,
};

/* "equal", "nothing", "unsettled", "different", "not compared". */
const char *parity_verdict_name(enum parity_verdict verdict);

/* A part of the rows, the same on both sides, chosen by a hash of what identifies a row. Rows without an identity are
 * always in it. */
struct parity_sample {
    enum { PARITY_SAMPLE_ALL, PARITY_SAMPLE_ROWS, PARITY_SAMPLE_SHARE } kind;
    uint64_t rows; /* that many of each document (of both sides together) */
    double share;  /* above 0, below 1 */
};

struct parity_side {
    size_t bytes; /* of the whole document */
    size_t rows;  /* compared ones */
    size_t of_rows;
};

/* A document of one side and its counterpart: an endpoint has one pair, analytics_one has one for each model. */
struct parity_pair {
    char *model; /* of analytics_one, else NULL */
    enum parity_verdict verdict;
    struct parity_side left, right;
    struct parity_findings *findings; /* what differs and lasts; NULL unless PARITY_DIFFERENT */
    uint64_t unsettled;               /* differences of the last look that earlier ones did not show in this way */
    char *reason;                     /* of PARITY_NOT_COMPARED: "repo: connection refused"; else NULL */
};

/* All pairs of an endpoint. */
struct parity_endpoint {
    const struct endpoint *endpoint;
    enum parity_verdict verdict; /* the last of its pairs' in the order above */
    struct parity_pair *pairs;
    size_t pair_count;
    struct parity_side left, right; /* sums */
    struct parity_counts counts;    /* differences by class */
    uint64_t unsettled;             /* differences */
    uint64_t comparisons;           /* pairs of which both documents were there */
    uint64_t mismatches;            /* of these, PARITY_DIFFERENT */
    uint64_t moving;                /* of these, PARITY_UNSETTLED */
    uint64_t failures;              /* pairs that could not be compared */
    const char *reason;             /* the first pair's that has one, or NULL */
    int64_t started_us, ended_us;   /* wall clock */
};

struct parity_result {
    const char *left, *right; /* "legacy", "repo", a URL without credentials, a folder */
    const char *model;        /* NULL: all */
    struct parity_sample sample;
    struct parity_endpoint endpoints[READ_KIND_COUNT];
    size_t count; /* of those that were wanted; in the order of server/endpoints.def */
    int64_t started_us, ended_us;
    unsigned looks; /* how often both sides were read */
};

/* 2 when anything could not be compared, or nothing has a row of the model that was asked for; else 1 when anything
 * differs; else 0. */
int parity_result_code(const struct parity_result *result);

enum { PARITY_CONFIRM_DEFAULT = 2, PARITY_CONFIRM_MAX = 100, PARITY_PAUSE_BY_SETTINGS = -1 };

struct parity_check_options {
    const struct settings *settings;
    const char *left, *right; /* sources, as cli/parity_source.h reads them */
    bool endpoints[READ_KIND_COUNT];
    const char *model; /* compare only this model's rows; NULL: all */
    struct parity_sample sample;
    size_t keep;      /* at most so many differences of a pair are kept to be shown */
    int64_t confirm;  /* how many further looks in a row a difference must outlast, 0 to PARITY_CONFIRM_MAX */
    int64_t pause_ms; /* between two looks; PARITY_PAUSE_BY_SETTINGS: longer than dual write and server need to bring a
                         change to every reader */
    int stop_fd;      /* readable: end the check; -1: none */
};

struct parity_check;

/* Opens both sources; everything that the options point to must outlive the check. NULL with *err when one of them
 * makes no sense. A server that does not answer is no such fault: that is found by parity_check_run. */
struct parity_check *parity_check_open(const struct parity_check_options *options, struct err *err);
struct parity_source;
/* The same with sources that are open already; takes them. options->left, right are not looked at. */
struct parity_check *parity_check_on(const struct parity_check_options *options, struct parity_source *left,
                                     struct parity_source *right);
void parity_check_close(struct parity_check *check); /* NULL is fine */

/* Reads and compares. NULL when stop_fd ended it; else the result, valid until the next run or the close. */
const struct parity_result *parity_check_run(struct parity_check *check);

/* Writes the last result into parity_runs, a row for each endpoint of which a side had anything. Does nothing for other
 * sources than legacy and repo, when the check was limited to a model or a sample, or when nothing was compared. */
bool parity_check_store(const struct parity_check *check, struct err *err) MUST_CHECK;

#endif
