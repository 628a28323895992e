#include "cache/local.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FIRST_BUCKETS = 64 };

struct node {
    LIST_ENTRY(node) in_bucket;
    LIST_ENTRY(node) in_feed;
    TAILQ_ENTRY(node) in_order;
    struct cache_entry entry;
    size_t cost;
    uint64_t hash;
    bool leashed; /* it came while no announcements did */
    bool visited;
    size_t name_length;
    char name[];
};

LIST_HEAD(nodes, node);
TAILQ_HEAD(node_order, node);

struct cache_local {
    struct cache_local_settings settings;
    struct cache_local_counts counts;
    struct nodes *buckets;
    size_t bucket_count; /* a power of two */
    struct nodes feeds[CACHE_FEED_COUNT];
    struct node_order order; /* newest first */
    struct node *hand;       /* NULL: at the oldest */
    uint64_t seed;           /* names come from outside: nobody shall aim them at one bucket */
};

struct cache_local *cache_local_new(const struct cache_local_settings *settings)
{
    struct cache_local *local = mem_zalloc(sizeof *local);
    local->settings = *settings;
    local->bucket_count = FIRST_BUCKETS;
    local->buckets = mem_calloc(local->bucket_count, sizeof *local->buckets);
    TAILQ_INIT(&local->order);
    if (getrandom(&local->seed, sizeof local->seed, 0) != (ssize_t)sizeof local->seed)
        local->seed = (uint64_t)clock_mono_us();
    return local;
}

static void take_out(struct cache_local *local, struct node *node)
{
    if (local->hand == node)
        local->hand = TAILQ_PREV(node, node_order, in_order);
    LIST_REMOVE(node, in_bucket);
    LIST_REMOVE(node, in_feed);
    TAILQ_REMOVE(&local->order, node, in_order);
    local->counts.entries--;
    local->counts.bytes -= node->cost;
    local->settings.unref(node->entry.document);
    free(node);
}

void cache_local_clear(struct cache_local *local)
{
    struct node *node;
    while ((node = TAILQ_FIRST(&local->order))) {
        local->counts.dropped++;
        take_out(local, node);
    }
}

void cache_local_free(struct cache_local *local)
{
    if (!local)
        return;
    cache_local_clear(local);
    free(local->buckets);
    free(local);
}

static void evict_one(struct cache_local *local)
{
    struct node *node = local->hand ? local->hand : TAILQ_LAST(&local->order, node_order);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that TAILQ_REMOVE took the freed node out */
    while (node && node->visited) {
        node->visited = false;
        node = TAILQ_PREV(node, node_order, in_order);
        if (!node)
            node = TAILQ_LAST(&local->order, node_order);
    }
    if (!node)
        return;
    local->hand = node; /* take_out moves it on */
    local->counts.evictions++;
    take_out(local, node);
}

static void make_room(struct cache_local *local, size_t bytes)
{
    while (local->counts.entries && local->counts.bytes + bytes > local->settings.max_bytes)
        evict_one(local);
}

static uint64_t hash_of(const struct cache_local *local, struct slice name)
{
    return XXH3_64bits_withSeed(name.p, name.n, local->seed);
}

static struct nodes *bucket_of(const struct cache_local *local, uint64_t hash)
{
    return &local->buckets[hash & (local->bucket_count - 1)];
}

static struct node *find(const struct cache_local *local, struct slice name, uint64_t hash)
{
    struct node *node;
    LIST_FOREACH(node, bucket_of(local, hash), in_bucket)
    if (node->hash == hash && slice_equal((struct slice){node->name, node->name_length}, name))
        return node;
    return NULL;
}

static void grow(struct cache_local *local)
{
    struct node *node;
    free(local->buckets);
    local->bucket_count *= 2;
    local->buckets = mem_calloc(local->bucket_count, sizeof *local->buckets);
    TAILQ_FOREACH(node, &local->order, in_order)
    LIST_INSERT_HEAD(bucket_of(local, node->hash), node, in_bucket);
}

static enum cache_judgement judge(const struct cache_local *local, const struct node *node, int64_t now_ms)
{
    const struct cache_entry *entry = &node->entry;
    if (now_ms >= entry->error_until_ms)
        return CACHE_MISS;
    if (entry->version < cache_floor(local->settings.floors, entry->feed) ||
        entry->losses != atomic_load(&local->settings.floors->losses))
        return CACHE_DOUBTED;
    if (now_ms < entry->fresh_until_ms)
        return CACHE_FRESH;
    return now_ms < entry->stale_until_ms && !node->leashed ? CACHE_STALE : CACHE_DOUBTED;
}

enum cache_judgement cache_local_get(struct cache_local *local, struct slice name, int64_t now_ms,
                                     struct cache_entry *entry)
{
    struct node *node = find(local, name, hash_of(local, name));
    enum cache_judgement judgement = node ? judge(local, node, now_ms) : CACHE_MISS;
    switch (judgement) {
    case CACHE_FRESH:
        local->counts.hits++;
        break;
    case CACHE_STALE:
        local->counts.stale++;
        break;
    case CACHE_DOUBTED:
    case CACHE_MISS:
        local->counts.misses++;
        break;
    }
    if (!node)
        return CACHE_MISS;
    if (judgement == CACHE_MISS) { /* of no use to anybody any more */
        take_out(local, node);
        return CACHE_MISS;
    }
    node->visited = true;
    *entry = node->entry;
    return judgement;
}

/* What came while no announcements did has a short life. */
static void leash(struct node *node, int64_t now_ms)
{
    node->leashed = true;
    if (node->entry.fresh_until_ms > now_ms + CACHE_LEASH_MS)
        node->entry.fresh_until_ms = now_ms + CACHE_LEASH_MS;
}

static void insert(struct cache_local *local, struct slice name, uint64_t hash, size_t cost, int64_t now_ms,
                   const struct cache_entry *entry)
{
    const struct cache_floors *floors = local->settings.floors;
    struct node *node = mem_alloc(sizeof *node + name.n);
    *node = (struct node){.entry = *entry, .cost = cost, .hash = hash, .name_length = name.n};
    if (name.n)
        memcpy(node->name, name.p, name.n);
    if (!atomic_load(&floors->connected))
        leash(node, now_ms);
    node->entry.document = local->settings.ref(entry->document);
    if (local->counts.entries >= local->bucket_count)
        grow(local);
    LIST_INSERT_HEAD(bucket_of(local, hash), node, in_bucket);
    LIST_INSERT_HEAD(&local->feeds[entry->feed], node, in_feed);
    TAILQ_INSERT_HEAD(&local->order, node, in_order);
    local->counts.entries++;
    local->counts.bytes += cost;
    local->counts.stored++;
}

bool cache_local_put(struct cache_local *local, struct slice name, int64_t now_ms, const struct cache_entry *entry)
{
    uint64_t hash = hash_of(local, name);
    struct node *old = find(local, name, hash);
    size_t overhead = sizeof(struct node) + name.n;
    size_t cost = entry->bytes + overhead;
    if (cost < overhead || cost > local->settings.max_bytes || now_ms >= entry->error_until_ms ||
        entry->version < cache_floor(local->settings.floors, entry->feed) ||
        (old && entry->version < old->entry.version)) {
        local->counts.refused++;
        return false;
    }
    /* The new one must not lose its place in the caller's hands while the old one goes: they may be the same. */
    void *kept = local->settings.ref(entry->document);
    if (old)
        take_out(local, old);
    make_room(local, cost);
    insert(local, name, hash, cost, now_ms, entry);
    local->settings.unref(kept);
    return true;
}

void cache_local_drop_feed(struct cache_local *local, enum cache_feed feed, int64_t below)
{
    struct node *node = LIST_FIRST(&local->feeds[feed]);
    while (node) {
        struct node *next = LIST_NEXT(node, in_feed);
        if (below == INT64_MAX || node->entry.version < below) {
            local->counts.dropped++;
            take_out(local, node);
        }
        node = next;
    }
}

void cache_local_resize(struct cache_local *local, size_t max_bytes)
{
    local->settings.max_bytes = max_bytes;
    make_room(local, 0);
}

void cache_local_counts(const struct cache_local *local, struct cache_local_counts *counts)
{
    *counts = local->counts;
}
