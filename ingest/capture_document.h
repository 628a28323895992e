/* What a capture fetches: the endpoints of the API, and how their answers look. */
#ifndef NOF0_INGEST_CAPTURE_DOCUMENT_H
#define NOF0_INGEST_CAPTURE_DOCUMENT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum capture_endpoint {
    CAPTURE_ACCOUNT_TOTALS,
    CAPTURE_POSITIONS,
    CAPTURE_TRADES,
    CAPTURE_PRICES,
    CAPTURE_SINCE_INCEPTION,
    CAPTURE_LEADERBOARD,
    CAPTURE_ANALYTICS,
    CAPTURE_CONVERSATIONS,
    CAPTURE_ANALYTICS_ONE, /* one for each model of CAPTURE_ANALYTICS */
    CAPTURE_ENDPOINT_COUNT,
};

struct capture_kind {
    const char *name;     /* "trades": the file without .json, the path behind /api/, and what import calls it */
    const char *rows_key; /* where the rows stand */
    enum {
        CAPTURE_LIST,   /* an array of objects */
        CAPTURE_MAP,    /* an object of objects */
        CAPTURE_SINGLE, /* one object, or an array of exactly one */
    } shape;
};
extern const struct capture_kind capture_kinds[CAPTURE_ENDPOINT_COUNT];

/* Whether a text is an answer of the endpoint: strict JSON, an object with the rows in their shape. False with
 * ERR_INVALID, which names the first fault and its place. */
bool capture_check(enum capture_endpoint endpoint, struct slice text, struct err *err) MUST_CHECK;

struct capture_member {
    struct slice key; /* as it stands between its quotes; p == NULL for an element of a list */
    struct slice json;
};

/* A text that capture_check found good, taken apart; slices point into it. */
struct capture_document {
    struct capture_member *rows; /* of a list, a map, or the one object */
    size_t row_count;
    size_t row_room;
    struct capture_member *others; /* what stands beside the rows, serverTime left out */
    size_t other_count;
    size_t other_room;
    bool has_server_time;
    int64_t server_time_ms;
};

/* An empty text gives a document without rows. Free with capture_document_free. */
void capture_document_read(struct capture_document *document, enum capture_endpoint endpoint, struct slice text);
void capture_document_free(struct capture_document *document);

void capture_member_add(struct capture_member **members, size_t *count, size_t *room, struct slice key,
                        struct slice json);

/* True when both have the same content under the same keys (where they have keys, in any order, and both lists are
 * sorted by it). */
bool capture_same_members(struct capture_member *a, size_t a_count, struct capture_member *b, size_t b_count);

/* True when two JSON values have the same content, numbers compared by value. */
bool capture_same_value(struct slice a, struct slice b);

/* True when two good texts say the same, serverTime left aside. Rows of a list are compared in their order. */
bool capture_same(enum capture_endpoint endpoint, struct slice a, struct slice b);

/* The value of one member of an object; p == NULL when it is not there. */
struct slice capture_find(struct slice object, const char *key);

/* Appends to out what a JSON string stands for; false when the value is no string. */
struct buf;
bool capture_text(struct slice value, struct buf *out);

#endif
