/* Which keys the objects that are open right now have had, for json_read.c alone: finds a key that comes twice, in a
 * time that grows with the keys' length and not with the square of their number. */
#ifndef NOF0_BASE_JSON_KEYS_H
#define NOF0_BASE_JSON_KEYS_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

struct json_seen_key {
    uint64_t hash;     /* of the unescaped key */
    struct slice text; /* as it stands between its quotes */
    bool escaped;
};

/* Finds a key of one object that has many. */
struct json_key_table {
    size_t first_key; /* the object's, see json_keys_begin */
    size_t *slots;    /* index of a key + 1; 0 is free */
    size_t slot_count;
};

enum { JSON_KEYS_INLINE = 64 };

/* Open so that it can live on the stack: most texts never need the heap. Keys of inner objects stand behind those of
 * the objects around them. */
struct json_keys {
    struct json_seen_key *keys;
    size_t count;
    size_t capacity;
    struct json_key_table *tables; /* of the open objects that need one, outermost first */
    size_t table_count;
    size_t table_capacity;
    struct buf left; /* unescaped keys that are being compared */
    struct buf right;
    uint64_t seed[2];
    struct json_seen_key first_keys[JSON_KEYS_INLINE];
};

void json_keys_init(struct json_keys *keys);
void json_keys_free(struct json_keys *keys);

/* An object opens. Returns what the calls below name it by. */
size_t json_keys_begin(const struct json_keys *keys);
/* Adds a key to the innermost open object. False when it has that key already. */
bool json_keys_add(struct json_keys *keys, size_t first_key, struct slice text, bool escaped);
/* The innermost object closes. */
void json_keys_end(struct json_keys *keys, size_t first_key);

#endif
