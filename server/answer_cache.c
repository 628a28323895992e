#include "base/mem.h"
#include "server/answer_cache_inside.h"

#include <stdlib.h>

void answer_shared_init(struct answer_shared *shared)
{
    cache_floors_init(&shared->floors);
    served_init(&shared->served);
    atomic_init(&shared->announcements, 0);
}

void answer_shared_destroy(struct answer_shared *shared)
{
    served_destroy(&shared->served);
}

struct kept *kept_new(struct document *document, int64_t version, int64_t made_ms)
{
    struct kept *kept = mem_zalloc(sizeof *kept);
    *kept = (struct kept){.references = 1, .document = document, .version = version, .made_ms = made_ms};
    return kept;
}

struct kept *kept_ref(struct kept *kept)
{
    kept->references++;
    return kept;
}

void kept_unref(struct kept *kept)
{
    if (!kept || --kept->references > 0)
        return;
    document_unref(kept->document);
    free(kept);
}

static void *ref_any(void *kept)
{
    return kept_ref(kept);
}

static void unref_any(void *kept)
{
    kept_unref(kept);
}

struct answer_cache *answer_cache_new(const struct answer_cache_config *config)
{
    struct answer_cache *cache = mem_zalloc(sizeof *cache);
    cache->config = *config;
    cache->flights = single_flights_new();
    const struct cache_local_settings settings = {
        .max_bytes = 0, .ref = ref_any, .unref = unref_any, .floors = &config->shared->floors};
    for (unsigned i = 0; i < ANSWER_ROOMS; i++)
        cache->rooms[i] = cache_local_new(&settings);
    return cache;
}

void answer_cache_free(struct answer_cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < ANSWER_ROOMS; i++)
        cache_local_free(cache->rooms[i]);
    single_flights_free(cache->flights);
    free(cache);
}

void answer_cache_clear(struct answer_cache *cache)
{
    for (unsigned i = 0; i < ANSWER_ROOMS; i++)
        cache_local_clear(cache->rooms[i]);
}

void answer_cache_apply(struct answer_cache *cache, const struct settings *settings, struct repo_reads *reads,
                        bool anew)
{
    bool packs_otherwise = cache->compression != settings->compression_enabled ||
                           cache->compression_level != (int)settings->compression_level ||
                           cache->compression_min_bytes != settings->compression_min_bytes;
    cache->reads = reads;
    cache->enabled = settings->cache_enabled;
    cache->compression = settings->compression_enabled;
    cache->compression_level = (int)settings->compression_level;
    cache->compression_min_bytes = settings->compression_min_bytes;
    cache->ttl_ms[CACHE_TTL_SHORT] = settings->ttl_short_s * 1000;
    cache->ttl_ms[CACHE_TTL_MEDIUM] = settings->ttl_medium_s * 1000;
    cache->ttl_ms[CACHE_TTL_LONG] = settings->ttl_long_s * 1000;
    cache->stale_if_error_ms = settings->cache_stale_if_error_s * 1000;
    cache->rebuild_wait_ms = settings->cache_rebuild_wait_ms;
    if (anew)
        cache->generation++;
    if (anew || packs_otherwise || !cache->enabled)
        answer_cache_clear(cache);
    size_t share = (size_t)settings->cache_local_bytes / (cache->config.workers ? cache->config.workers : 1);
    static const size_t unknown_most = 1U << 20;
    size_t unknown = share / 16 < unknown_most ? share / 16 : unknown_most;
    cache_local_resize(cache->rooms[ANSWER_UNKNOWN], unknown);
    cache_local_resize(cache->rooms[ANSWER_PART], share / 4 - unknown);
    cache_local_resize(cache->rooms[ANSWER_WHOLE], share - share / 4);
}

int64_t answer_ttl_ms(const struct answer_cache *cache, const struct endpoint *endpoint)
{
    return cache->ttl_ms[endpoint->ttl];
}

bool answer_cache_keeps(const struct answer_cache *cache, const struct endpoint *endpoint)
{
    return cache->enabled && answer_ttl_ms(cache, endpoint) > 0;
}

void answer_cache_end(struct answer_cache *cache, void (*done)(void *arg), void *arg)
{
    cache->ending = true;
    if (!cache->under_way) {
        done(arg);
        return;
    }
    cache->ended = done;
    cache->ended_arg = arg;
}

enum cache_judgement answer_cache_look(struct answer_cache *cache, const struct answer_name *name, enum read_kind kind,
                                       struct cache_entry *entry)
{
    int64_t now_ms = cache->config.mono_ms();
    enum cache_judgement judgement = cache_local_get(cache->rooms[name->room], name->text, now_ms, entry);
    if (judgement != CACHE_MISS || kind != READ_ANALYTICS_ONE)
        return judgement;
    return cache_local_get(cache->rooms[ANSWER_UNKNOWN], name->text, now_ms, entry);
}

/* The asker may be gone afterwards. */
static void tell(struct answer_ask *ask, struct kept *kept, int64_t fresh_until_ms, bool despite_error)
{
    struct answer_cache *cache = ask->cache;
    int64_t age_ms = cache->config.wall_ms() - kept->made_ms;
    const struct answer_told told = {.document = kept->document,
                                     .fresh_until_ms = kept->is_quick ? 0 : fresh_until_ms, /* not to be held on to */
                                     .version = kept->version,
                                     .floor = &cache->config.shared->floors.floor[ask->name.feed],
                                     .despite_error = despite_error,
                                     .age_s = age_ms > 0 ? age_ms / 1000 : 0};
    (void)kept_ref(kept);
    cache->counts.stale_errors += despite_error;
    ask->told(ask->arg, &told);
    kept_unref(kept);
}

static void tell_error(struct answer_ask *ask, const struct err *err)
{
    struct cache_entry entry;
    bool may_pass = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
    if (may_pass && answer_cache_look(ask->cache, &ask->name, ask->query->kind, &entry) != CACHE_MISS) {
        struct kept *kept = entry.document;
        kept->failed = true;
        tell(ask, kept, 0, true);
        return;
    }
    const struct answer_told told = {.err = err};
    ask->told(ask->arg, &told);
}

static void ask_now(struct answer_ask *ask);

/* A flight ended for which he waited. */
static void on_landed(void *arg, const void *outcome_)
{
    struct answer_ask *ask = arg;
    const struct answer_outcome *outcome = outcome_;
    if (!outcome->kept) {
        tell_error(ask, &outcome->err);
        return;
    }
    /* The read may have begun before he asked, and lack what was known then. One that begins now cannot. */
    if (outcome->kept->version < ask->floor && ask->tries == 0) {
        ask->tries++;
        ask_now(ask);
        return;
    }
    tell(ask, outcome->kept, 0, false);
}

static void rebuild_behind(struct answer_ask *ask)
{
    struct answer_cache *cache = ask->cache;
    struct single_flight *single = cache->ending ? NULL : single_flight_begin(cache->flights, ask->name.text);
    if (single)
        answer_flight_begin(cache, single, ask->endpoint, ask->query, &ask->name);
}

static void wait_for_flight(struct answer_ask *ask)
{
    struct answer_cache *cache = ask->cache;
    cache->counts.misses += ask->tries == 0;
    if (cache->ending) {
        struct err err = ERR_INIT;
        (void)err_set(&err, ERR_UNAVAILABLE, "the server is going down");
        tell_error(ask, &err);
        return;
    }
    struct single_flight *single = single_flight_join(cache->flights, ask->name.text, &ask->waiter);
    if (single)
        answer_flight_begin(cache, single, ask->endpoint, ask->query, &ask->name);
    else
        cache->counts.joined++;
}

static void ask_now(struct answer_ask *ask)
{
    struct answer_cache *cache = ask->cache;
    struct cache_entry entry;
    ask->floor = cache_floor(&cache->config.shared->floors, ask->name.feed);
    switch (answer_cache_look(cache, &ask->name, ask->query->kind, &entry)) {
    case CACHE_FRESH:
        cache->counts.hits++;
        tell(ask, entry.document, entry.fresh_until_ms, false);
        return;
    case CACHE_STALE: {
        struct kept *kept = kept_ref(entry.document);
        cache->counts.stale++;
        rebuild_behind(ask);
        tell(ask, kept, 0, kept->failed);
        kept_unref(kept); // NOLINT(clang-analyzer-unix.Malloc): tell gives back the reference that it takes
        return;
    }
    case CACHE_DOUBTED:
    case CACHE_MISS:
        wait_for_flight(ask);
        return;
    }
}

void answer_cache_ask(struct answer_cache *cache, struct answer_ask *ask, const struct endpoint *endpoint,
                      const struct read_query *query, struct arena *arena)
{
    ask->cache = cache;
    ask->waiter = (struct single_flight_waiter){.told = on_landed, .arg = ask};
    ask->endpoint = endpoint;
    ask->query = query;
    ask->name = answer_name_of(query, arena);
    ask->tries = 0;
    ask_now(ask);
}

void answer_cache_counts(const struct answer_cache *cache, struct answer_counts *counts)
{
    *counts = cache->counts;
    for (unsigned i = 0; i < ANSWER_ROOMS; i++) {
        struct cache_local_counts room;
        cache_local_counts(cache->rooms[i], &room);
        counts->evictions += room.evictions;
        counts->entries += room.entries;
        counts->bytes += room.bytes;
    }
    cache_documents_counts(cache->config.documents, &counts->redis);
}
