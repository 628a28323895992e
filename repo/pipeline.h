/* Several statements over a session in one round trip (libpq's pipeline mode). They run in order; when one fails, those
 * behind it do not run. Statements are prepared once per session under their name. Outside of a transaction of the
 * session's own the whole pipeline is one. */
#ifndef NOF0_REPO_PIPELINE_H
#define NOF0_REPO_PIPELINE_H

#include "repo/session.h"

enum { PIPELINE_MAX = 64 };

struct pipeline {
    struct session *session;
    size_t count;
    bool is_preparation[2 * PIPELINE_MAX]; /* of what was sent: else one of the count statements */
    const char *names[2 * PIPELINE_MAX];
    size_t sent;
    bool broken; /* libpq took something no more */
};

/* Nothing else may use the session until pipeline_run. */
void pipeline_begin(struct pipeline *pipeline, struct session *session);

/* Adds a statement with parameters (NULL: none); at most PIPELINE_MAX. `name` is a valid identifier, or NULL for one
 * that is not worth being prepared; it must live until pipeline_run. Parameters must have the same types at each
 * use. */
void pipeline_add(struct pipeline *pipeline, const char *name, const char *sql, const struct params *params);

/* Sends what is not sent yet and waits for all results: results[i] of the i-th statement, in binary format, which the
 * caller clears. False with the first error; results are then all NULL. After ERR_TIMEOUT or ERR_UNAVAILABLE the
 * session is of no further use. */
bool pipeline_run(struct pipeline *pipeline, PGresult *results[], struct err *err) MUST_CHECK;

/* The same where no rows matter. */
bool pipeline_run_only(struct pipeline *pipeline, struct err *err) MUST_CHECK;

#endif
