/* JSON object in, row out: the other direction of assembler/wire.h. What a column cannot hold goes to the row's
 * wire_detail, so that reading an object and writing the row gives equal content. */
#ifndef NOF0_INGEST_WIRE_READ_H
#define NOF0_INGEST_WIRE_READ_H

#include "assembler/wire.h"
#include "base/arena.h"

#include <cjson/cJSON.h>

/* Told of each fault: where ("$.trades[3].entry_tid") and what ("must be an integer, is a text"). */
typedef void wire_fault_fn(void *arg, const char *path, const char *what);

struct wire_reader {
    struct arena *arena; /* the row's texts live here */
    wire_fault_fn *on_fault;
    void *arg;
    bool partial;  /* members that the shape requires may be missing or null */
    bool checking; /* the row will be thrown away: columns of JSON are not made, but hold "null" */
};

/* What a row's columns do not say; becomes its wire_detail. Start with {NULL, NULL}. */
struct wire_remark {
    cJSON *set;
    cJSON *unset;
};

void wire_remark_set(struct wire_remark *remark, const char *key, const cJSON *value);
void wire_remark_unset(struct wire_remark *remark, const char *key);
/* The JSON text, in the arena; p == NULL when there is nothing to say. Frees the remark. */
struct slice wire_remark_take(struct wire_remark *remark, struct arena *arena);

/* Fills the shape's columns of `row` (which the caller zeroed) from a tree whose text json_check found good. Members
 * whose key is in `beside` (NULL-ended, or NULL) are left to the caller; what the columns cannot say is added to
 * *remark, which the caller takes into the row's wire_detail. Every fault is told, with its path below `path`. True
 * when there was none. */
bool wire_read_members(const struct wire_reader *reader, const struct wire_shape *shape, const cJSON *object,
                       const char *path, const char *const *beside, void *row, struct wire_remark *remark);

/* The same for a row without anything beside it: takes the remark into wire_detail too. */
bool wire_read_object(const struct wire_reader *reader, const struct wire_shape *shape, const cJSON *object,
                      const char *path, void *row);

/* The value's compact text, in the arena. */
struct slice wire_read_json(const cJSON *value, struct arena *arena);

/* "$.a" and "b" give "$.a.b"; a key that is no plain word gives $.a["b c"]. In the arena. */
char *wire_path_key(struct arena *arena, const char *path, const char *key);
char *wire_path_index(struct arena *arena, const char *path, size_t index);

/* "a text", "a number", "null", ...: what a fault says that a value is. */
const char *wire_type_name(const cJSON *value);

#endif
