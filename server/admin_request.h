/* What an operator asks for under /admin: bodies, preconditions and parameters. */
#ifndef NOF0_SERVER_ADMIN_REQUEST_H
#define NOF0_SERVER_ADMIN_REQUEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* {"value": ..., "reason": ..., "force": ..., "actor": ...}; what is not there is empty. Texts lie in the arena. */
struct admin_wish {
    struct slice value;
    struct slice reason;
    struct slice actor;
    bool force;
};

enum admin_fault {
    ADMIN_GOOD,
    ADMIN_MALFORMED, /* no JSON, or no object */
    ADMIN_INVALID,   /* an object with a key that is not known, or a value of the wrong type */
};

/* Reads a body. On a fault *err says what is wrong, and *param (may be NULL) names the key, or is NULL. */
enum admin_fault admin_wish_parse(struct slice body, struct arena *arena, struct admin_wish *wish, const char **param,
                                  struct err *err);

/* "reason=...&actor=...&force=true", percent-encoded; other parameters are ignored. ADMIN_INVALID for broken
 * escapes and a force that is neither true nor false. Texts may hold any byte. */
enum admin_fault admin_wish_of_query(struct slice query, struct arena *arena, struct admin_wish *wish,
                                     const char **param, struct err *err);

/* What If-Match (RFC 9110, 13.1.1) says of the validator "v<version>" that flags have. `present` is the version that is
 * known here: of several it is taken when it is among them. */
enum admin_match {
    ADMIN_MATCH_ANY,     /* * */
    ADMIN_MATCH_VERSION, /* *version */
    ADMIN_MATCH_NONE,    /* no validator that a flag could have */
};
enum admin_match admin_if_match(struct slice header, int64_t present, int64_t *version);

/* "limit=20&after=7": limit 1 to 1000 (100), after 0 or more (0). False, with *param the wrong one. */
bool admin_history_query(struct slice query, int64_t *limit, int64_t *after, const char **param);

#endif
