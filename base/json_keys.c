#include "base/json_keys.h"

#include "base/json_read.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/auxv.h>

/* Up to so many keys, looking at all of them is faster than a table. */
enum { SCAN_MAX = 40, FIRST_SLOTS = 256 };

static const uint64_t golden_ratio = 0x9E3779B97F4A7C15; /* 2^64 divided by it */

__extension__ typedef unsigned __int128 wide;

void json_keys_init(struct json_keys *keys)
{
    keys->keys = keys->first_keys;
    keys->count = 0;
    keys->capacity = JSON_KEYS_INLINE;
    keys->tables = NULL;
    keys->table_count = keys->table_capacity = 0;
    keys->left = keys->right = (struct buf)BUF_INIT;
    /* The kernel's random bytes for this process, so that nobody can write a text whose keys all collide. */
    const void *random = (const void *)getauxval(AT_RANDOM);
    keys->seed[0] = keys->seed[1] = golden_ratio;
    if (random)
        memcpy(keys->seed, random, sizeof keys->seed);
    keys->seed[1] |= 1;
}

void json_keys_free(struct json_keys *keys)
{
    for (size_t i = 0; i < keys->table_count; i++)
        free(keys->tables[i].slots);
    free(keys->tables);
    if (keys->keys != keys->first_keys)
        free(keys->keys);
    buf_free(&keys->left);
    buf_free(&keys->right);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, eight bytes at a time. */
static uint64_t hash_bytes(const struct json_keys *keys, struct slice s)
{
    uint64_t hash = keys->seed[0] ^ s.n;
    size_t i = 0;
    uint64_t word;
    for (; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        hash = mix(hash ^ word, keys->seed[1]);
    }
    word = 0;
    if (i < s.n)
        memcpy(&word, s.p + i, s.n - i);
    return mix(hash ^ word, golden_ratio);
}

static bool same_key(struct json_keys *keys, const struct json_seen_key *a, const struct json_seen_key *b)
{
    if (a->hash != b->hash)
        return false;
    if (!a->escaped && !b->escaped)
        return slice_equal(a->text, b->text);
    buf_clear(&keys->left);
    buf_clear(&keys->right);
    json_unescape(&keys->left, a->text);
    json_unescape(&keys->right, b->text);
    return slice_equal(buf_slice(&keys->left), buf_slice(&keys->right));
}

size_t json_keys_begin(const struct json_keys *keys)
{
    return keys->count;
}

static struct json_key_table *table_of(struct json_keys *keys, size_t first_key)
{
    struct json_key_table *newest = keys->table_count ? &keys->tables[keys->table_count - 1] : NULL;
    return newest && newest->first_key == first_key ? newest : NULL;
}

/* Puts the key at `index` in. False when the table has an equal one. */
static bool table_put(struct json_keys *keys, struct json_key_table *table, size_t index)
{
    size_t mask = table->slot_count - 1;
    size_t slot = (size_t)keys->keys[index].hash & mask;
    for (; table->slots[slot]; slot = (slot + 1) & mask) {
        if (same_key(keys, &keys->keys[table->slots[slot] - 1], &keys->keys[index]))
            return false;
    }
    table->slots[slot] = index + 1;
    return true;
}

static void table_fill(struct json_keys *keys, struct json_key_table *table, size_t slot_count)
{
    free(table->slots);
    table->slots = mem_calloc(slot_count, sizeof *table->slots);
    table->slot_count = slot_count;
    for (size_t i = table->first_key; i < keys->count; i++)
        (void)table_put(keys, table, i);
}

static struct json_key_table *table_new(struct json_keys *keys, size_t first_key)
{
    if (keys->table_count == keys->table_capacity) {
        keys->table_capacity = keys->table_capacity ? 2 * keys->table_capacity : 4;
        keys->tables = mem_realloc(keys->tables, keys->table_capacity * sizeof *keys->tables);
    }
    struct json_key_table *table = &keys->tables[keys->table_count++];
    *table = (struct json_key_table){.first_key = first_key};
    table_fill(keys, table, FIRST_SLOTS);
    return table;
}

static void make_room(struct json_keys *keys)
{
    if (keys->count < keys->capacity)
        return;
    size_t capacity = 2 * keys->capacity;
    bool on_heap = keys->keys != keys->first_keys;
    struct json_seen_key *grown = mem_realloc(on_heap ? keys->keys : NULL, capacity * sizeof *grown);
    if (!on_heap)
        memcpy(grown, keys->first_keys, keys->count * sizeof *grown);
    keys->keys = grown;
    keys->capacity = capacity;
}

bool json_keys_add(struct json_keys *keys, size_t first_key, struct slice text, bool escaped)
{
    struct json_seen_key key = {.text = text, .escaped = escaped};
    if (escaped) {
        buf_clear(&keys->left);
        json_unescape(&keys->left, text);
        key.hash = hash_bytes(keys, buf_slice(&keys->left));
    } else {
        key.hash = hash_bytes(keys, text);
    }

    make_room(keys);
    keys->keys[keys->count] = key;
    size_t have = keys->count - first_key;
    if (have < SCAN_MAX) {
        for (size_t i = first_key; i < keys->count; i++) {
            if (same_key(keys, &keys->keys[i], &key))
                return false;
        }
        keys->count++;
        return true;
    }
    struct json_key_table *table = table_of(keys, first_key);
    if (!table)
        table = table_new(keys, first_key);
    else if (2 * have >= table->slot_count)
        table_fill(keys, table, 4 * table->slot_count);
    if (!table_put(keys, table, keys->count))
        return false;
    keys->count++;
    return true;
}

void json_keys_end(struct json_keys *keys, size_t first_key)
{
    struct json_key_table *table = table_of(keys, first_key);
    if (table) {
        free(table->slots);
        keys->table_count--;
    }
    keys->count = first_key;
}
