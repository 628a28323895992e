/* The query parameters that endpoints know, and how strictly they are read. Parameters that an endpoint does not know
 * are ignored, since dashboards add some against caches ("?_=1761452354"); a known one that is wrong, or given twice,
 * is an error that names it. */
#ifndef NOF0_SERVER_PARAMS_H
#define NOF0_SERVER_PARAMS_H

#include "base/arena.h"
#include "repo/read_query.h"

enum { MODEL_ID_MAX = 128, TRADE_ID_MAX = 256 }; /* bytes */

struct param_spec {
    const char *name; /* NULL ends a list */
    enum {
        PARAM_MIN_MARKER, /* an integer -> has_min_marker, min_marker */
        PARAM_LIMIT,      /* an integer -> limit */
        PARAM_MODEL_ID,   /* text of 1 to MODEL_ID_MAX bytes -> model_id */
        PARAM_BEFORE,     /* a number of seconds or a trade's id -> before */
        PARAM_AFTER,      /* the same -> after */
    } kind;
    int64_t min, max; /* of an integer, both inclusive */
};

struct param_fault {
    const char *param; /* the parameter at fault; NULL when the query string itself is */
    char message[160]; /* "limit must be an integer from 1 to 1000" */
};

/* Reads a raw query string into *query, which holds the defaults already. Values lie in the arena or in `raw`. False
 * with *fault on the first fault. */
bool params_read(const struct param_spec *specs, struct slice raw, struct arena *arena, struct read_query *query,
                 struct param_fault *fault);

/* Takes the next "name=value" from a raw query string. The name is decoded, the value is not yet. False at the end
 * (fault->message is empty then) or when the name cannot be decoded. */
bool params_next(struct slice *raw, struct arena *arena, struct slice *name, struct slice *value,
                 struct param_fault *fault);
/* A fault of one parameter; returns false. */
bool params_fault(struct param_fault *fault, const char *param, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether the text can be a model's id: 1 to MODEL_ID_MAX bytes of UTF-8 without control characters. */
bool params_model_id_ok(struct slice text);

#endif
