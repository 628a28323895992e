/* JSON in, strictly. cJSON builds the tree, but it lets through what would change a value in silence: integers beyond
 * 2^53, doubled keys, broken UTF-8, loose number spellings. So every text is checked here first, once, and a fault says
 * line, column and path. */
#ifndef NOF0_BASE_JSON_READ_H
#define NOF0_BASE_JSON_READ_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <cjson/cJSON.h>

enum { JSON_MAX_DEPTH = 64 };

struct json_fault {
    size_t offset;        /* byte in the text */
    unsigned long line;   /* from 1 */
    unsigned long column; /* from 1, in bytes */
    char path[256];       /* "$.trades[3].entry_tid"; a long one keeps its end */
    char what[160];       /* "integer beyond 2^53" */
};

/* Told of each fault in order; returns false to stop looking. */
typedef bool json_fault_fn(void *arg, const struct json_fault *fault);

/* Checks the whole text: RFC 8259 grammar, UTF-8 (no overlong forms, no surrogates), no escaped lone surrogate, no
 * U+0000 (Postgres text cannot hold it), no key twice in one object, integers within +-2^53, doubles finite, depth up
 * to JSON_MAX_DEPTH, numbers of up to 63 characters, no byte order mark, one value and nothing behind it. A fault of
 * grammar ends the check; a fault of a value is reported and the check goes on. True when there was none. on_fault may
 * be NULL. Linear in the text's length. */
bool json_check(struct slice text, json_fault_fn *on_fault, void *arg);

/* Checks, then parses. NULL on the first fault, with err "line 3, column 7: $.a.b: integer beyond 2^53" (ERR_INVALID).
 * The caller frees the tree with cJSON_Delete. */
cJSON *json_parse(struct slice text, struct err *err);

/* Walks a text that json_check found good, without building the whole tree, so that a file of any size takes the memory
 * of one element. The top must be an object. For each member whose key is `array_key` and whose value is an array,
 * calls on_element for each element in order; for each other member calls on_member (NULL to skip them). Either may
 * return false to stop, and json_walk is then false. Slices point into text. If the top is no object, returns false
 * without a call. */
struct json_walk {
    struct slice array_key;
    bool (*on_element)(void *arg, size_t index, struct slice element);
    bool (*on_member)(void *arg, struct slice key, struct slice value); /* key: between its quotes, still escaped */
    void *arg;
};
bool json_walk(struct slice text, const struct json_walk *walk);

/* As json_walk for the members of an object at the top ("prices": {...} is walked by calling it on the value). */
bool json_walk_object(struct slice text, bool (*on_member)(void *arg, struct slice key, struct slice value), void *arg);

/* As json_walk for the elements of an array at the top (a member's value that on_member was given). */
bool json_walk_array(struct slice text, bool (*on_element)(void *arg, size_t index, struct slice element), void *arg);

/* Appends what a string of a good text stands for; `escaped` is what lies between its quotes (a key of json_walk). */
void json_unescape(struct buf *out, struct slice escaped);

/* Finds line and column (both from 1, column in bytes) of a byte offset. */
void json_locate(struct slice text, size_t offset, unsigned long *line, unsigned long *column);

#endif
