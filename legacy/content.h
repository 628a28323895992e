/* One good legacy file, parsed and laid out for serving: the body in nof0's own form and an index of its elements.
 * Immutable and counted. Private to the room. */
#ifndef NOF0_LEGACY_CONTENT_H
#define NOF0_LEGACY_CONTENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "repo/read_query.h"

#include <stdatomic.h>
#include <stdint.h>

/* What a file must look like: an object whose member `rows_key` holds the rows. */
struct legacy_kind {
    const char *name; /* "trades.json"; NULL for the per-model files, of which there are many */
    const char *rows_key;
    enum {
        ROWS_ARRAY,  /* an array of objects */
        ROWS_OBJECT, /* an object of objects */
        ROWS_SINGLE, /* one object, or an array of exactly one, which is served as the object */
    } shape;
};

/* By read_kind. READ_ANALYTICS_ONE is the per-model file. */
extern const struct legacy_kind legacy_kinds[READ_KIND_COUNT];

/* An element of ROWS_ARRAY, and what queries ask of it. */
struct legacy_element {
    struct slice json; /* in the body */
    struct slice id;   /* p is NULL where the element has no such text */
    struct slice model_id;
    int64_t marker; /* since_inception_hourly_marker */
    double exit_time;
    bool has_marker;
    bool has_exit_time;
};

struct legacy_content {
    atomic_size_t references;
    uint64_t version; /* see legacy_answer */
    char *body;       /* without serverTime and the closing brace */
    size_t body_len;
    struct slice others; /* in the body's form: the members beside the rows, serverTime and lastHourlyMarkerRead, each
                            with a comma in front */
    struct legacy_element *elements; /* in file order */
    size_t count;
    size_t *newest_first; /* READ_TRADES: the closed ones' indexes, newest exit first, ties by id descending */
    size_t closed_count;
    bool has_server_time;
    int64_t server_time_ms;
    struct arena *arena; /* ids, others */
};

/* Checks and lays out. NULL on the first fault, with err "line 3, column 7: $.trades[0]: ..." (ERR_INVALID). The
 * version is 0, the one reference the caller's. */
struct legacy_content *legacy_content_parse(enum read_kind kind, struct slice text, struct err *err);

struct legacy_content *legacy_content_ref(struct legacy_content *content); /* NULL gives NULL */
void legacy_content_unref(struct legacy_content *content);

#endif
