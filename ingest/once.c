#include "ingest/once.h"

#include "base/mem.h"

#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>

struct entry {
    uint64_t digest[2];
    struct slice where; /* p == NULL: free */
};

struct once {
    struct entry *entries;
    size_t room; /* a power of two */
    size_t count;
};

enum { FIRST_ROOM = 256 };

struct once *once_new(void)
{
    struct once *once = mem_zalloc(sizeof *once);
    once->room = FIRST_ROOM;
    once->entries = mem_calloc(once->room, sizeof *once->entries);
    return once;
}

void once_free(struct once *once)
{
    if (!once)
        return;
    free(once->entries);
    free(once);
}

size_t once_count(const struct once *once)
{
    return once->count;
}

/* The entry with the digest, or the free one where it belongs. */
static struct entry *find(struct entry *entries, size_t room, const uint64_t digest[2])
{
    size_t at = (size_t)digest[0] & (room - 1);
    while (entries[at].where.p && (entries[at].digest[0] != digest[0] || entries[at].digest[1] != digest[1]))
        at = (at + 1) & (room - 1);
    return &entries[at];
}

static void grow(struct once *once)
{
    size_t room = once->room * 2;
    struct entry *entries = mem_calloc(room, sizeof *entries);
    for (size_t i = 0; i < once->room; i++) {
        if (once->entries[i].where.p)
            *find(entries, room, once->entries[i].digest) = once->entries[i];
    }
    free(once->entries);
    once->entries = entries;
    once->room = room;
}

static struct entry *find_key(struct once *once, struct slice key, uint64_t digest[4])
{
    _Static_assert(SHA256_DIGEST_LENGTH == 4 * sizeof(uint64_t), "room for the digest");
    SHA256((const unsigned char *)(key.p ? key.p : ""), key.n, (unsigned char *)digest);
    return find(once->entries, once->room, digest);
}

size_t once_bump(struct once *once, struct slice key)
{
    uint64_t digest[4];
    struct entry *entry = find_key(once, key, digest);
    if (!entry->where.p) {
        once_add(once, key, (struct slice){"", 1});
        return 0;
    }
    return entry->where.n++;
}

struct slice once_add(struct once *once, struct slice key, struct slice where)
{
    uint64_t digest[4];
    struct entry *entry = find_key(once, key, digest);
    if (entry->where.p)
        return entry->where;
    *entry = (struct entry){{digest[0], digest[1]}, where};
    once->count++;
    if (once->count * 4 > once->room * 3)
        grow(once);
    return where;
}
