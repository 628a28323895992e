/* One making of an answer: Redis, the claim against other processes, Postgres, the document, and where it is kept. */
#include "base/log.h"
#include "base/mem.h"
#include "server/answer_cache_inside.h"
#include "server/rows_document.h"

#include <stdlib.h>

/* For so long somebody else's hasty one will do before Redis is looked at again. */
enum { QUICK_FRESH_MS = 1000 };

struct flight {
    struct answer_cache *cache;
    struct arena *arena; /* the flight itself lies in it */
    struct single_flight *single;
    const struct endpoint *endpoint;
    struct read_query query;
    struct answer_name name;
    struct cache_token token;
    unsigned generation;
    /* the read */
    int64_t began_ms; /* mono */
    int64_t made_ms;  /* wall */
    int64_t floor;    /* when it began */
    struct repo_answer *answer;
    int64_t version;
    bool is_unknown; /* a model that nobody knows */
    uint64_t losses; /* of announcements, before anything was read */
    bool compress;
    bool is_quick; /* the document is compressed in haste */
    int compression_level;
    int64_t compression_min_bytes;
    struct document *known; /* what was in memory when the read began, if it is good for more; NULL */
    struct document *document;
    struct err err;
};

static struct slice copy_slice(struct arena *arena, struct slice text)
{
    return text.p ? (struct slice){arena_strndup(arena, text.p, text.n), text.n} : text;
}

static bool is_outdated(const struct flight *flight)
{
    return flight->generation != flight->cache->generation || !flight->cache->enabled;
}

/* In Redis lie only answers of which there are as many as the data have. */
static bool goes_to_redis(const struct flight *flight)
{
    return flight->name.room == ANSWER_WHOLE && !is_outdated(flight);
}

static void flight_free(struct flight *flight)
{
    struct answer_cache *cache = flight->cache;
    document_unref(flight->known);
    arena_free(flight->arena);
    cache->under_way--;
    if (cache->ending && !cache->under_way && cache->ended) {
        void (*ended)(void *arg) = cache->ended;
        cache->ended = NULL;
        ended(cache->ended_arg);
    }
}

static void land(struct flight *flight, const struct answer_outcome *outcome)
{
    struct single_flight *single = flight->single;
    flight->single = NULL;
    single_flight_land(single, outcome);
}

static struct document_tail tail_of(const struct endpoint *endpoint)
{
    return (struct document_tail){endpoint->time == ENDPOINT_TIME_NONE ? DOCUMENT_TAIL_END : DOCUMENT_TAIL_LIVE, 0};
}

static uint64_t content_of(const struct document *document)
{
    /* W/"<32 hexadecimal digits>" */
    char digits[17] = {0};
    memcpy(digits, document_etag(document) + 3, 16);
    return strtoull(digits, NULL, 16);
}

/* Keeps the document in memory; what was there longer is left to who still serves it. */
static void keep(struct flight *flight, struct kept *kept, int64_t fresh_until_ms, int64_t stale_until_ms)
{
    struct answer_cache *cache = flight->cache;
    struct answer_shared *shared = cache->config.shared;
    if (is_outdated(flight))
        return;
    if (!served_note(&shared->served, &shared->floors, &flight->name, content_of(kept->document), kept->version))
        return;
    int64_t error_until_ms = fresh_until_ms + cache->stale_if_error_ms;
    const struct cache_entry entry = {
        .document = kept,
        .bytes = sizeof *kept + document_body(kept->document).n + document_gzip(kept->document).n,
        .feed = flight->name.feed,
        .version = kept->version,
        .losses = flight->losses,
        .fresh_until_ms = fresh_until_ms,
        .stale_until_ms = stale_until_ms,
        .error_until_ms = error_until_ms > stale_until_ms ? error_until_ms : stale_until_ms,
    };
    enum answer_room room = flight->is_unknown ? ANSWER_UNKNOWN : flight->name.room;
    (void)cache_local_put(cache->rooms[room], flight->name.text, cache->config.mono_ms(), &entry);
}

/* --- from rows --- */

static void store(struct flight *flight, const struct kept *kept, int64_t now_ms)
{
    struct answer_cache *cache = flight->cache;
    int64_t ttl_ms = answer_ttl_ms(cache, flight->endpoint);
    int64_t fresh_ms = flight->began_ms + ttl_ms - now_ms;
    if (!goes_to_redis(flight) || flight->is_unknown || ttl_ms <= 0 || fresh_ms <= 0) {
        cache_documents_release(cache->config.documents, flight->name.feed, flight->name.text, &flight->token);
        return;
    }
    struct document *document = kept->document;
    const struct document_value value = {.version = kept->version,
                                         .stale_ms = ttl_ms,
                                         .built_ms = kept->made_ms,
                                         .flags = kept->is_quick ? ANSWER_VALUE_IS_QUICK : 0,
                                         .etag = slice_of(document_etag(document)),
                                         .body = document_body(document),
                                         .gzip = document_gzip(document)};
    cache_documents_put(cache->config.documents, flight->name.feed, flight->name.text, fresh_ms, &value, &flight->token,
                        NULL, NULL);
}

static void keep_and_store(struct flight *flight, struct kept *kept)
{
    int64_t ttl_ms = answer_ttl_ms(flight->cache, flight->endpoint);
    int64_t fresh_until_ms = flight->began_ms + ttl_ms;
    keep(flight, kept, fresh_until_ms, fresh_until_ms + ttl_ms);
    store(flight, kept, flight->cache->config.mono_ms());
    flight->token = (struct cache_token){""}; /* given back */
}

static void log_failure(struct flight *flight)
{
    struct answer_cache *cache = flight->cache;
    int64_t second = cache->config.mono_ms() / 1000;
    if (second == cache->failures.second) {
        cache->failures.untold++;
        return;
    }
    log_event(flight->err.code == ERR_INTERNAL ? LOG_ERROR : LOG_WARN, "cache.rebuild_failed",
              LOG_FIELDS(log_str("endpoint", flight->endpoint->name), log_str("code", err_code_name(flight->err.code)),
                         log_error_text(&flight->err), log_int("untold", cache->failures.untold)));
    cache->failures.second = second;
    cache->failures.untold = 0;
}

static void fail(struct flight *flight)
{
    struct answer_cache *cache = flight->cache;
    struct cache_entry entry;
    cache->counts.failures++;
    cache_documents_release(cache->config.documents, flight->name.feed, flight->name.text, &flight->token);
    bool old_one = answer_cache_look(cache, &flight->name, flight->query.kind, &entry) != CACHE_MISS;
    if (old_one)
        ((struct kept *)entry.document)->failed = true;
    /* Who waits and gets nothing is told why, and the log with him. */
    if (old_one || !single_flight_waiting(flight->single))
        log_failure(flight);
    const struct answer_outcome outcome = {.err = flight->err};
    land(flight, &outcome);
    flight_free(flight);
}

/* A read that began when the floor was known cannot be below it, but on a server that counts anew: a restored backup,
 * another cluster under the same name. Its answers must not be below the floor for ever. */
static void mind_a_new_count(struct flight *flight)
{
    struct answer_shared *shared = flight->cache->config.shared;
    int64_t floor = flight->floor;
    if (flight->version >= floor || is_outdated(flight))
        return;
    if (!atomic_compare_exchange_strong(&shared->floors.floor[flight->name.feed], &floor, flight->version))
        return;
    served_forget(&shared->served);
    log_event(LOG_WARN, "cache.version_fell",
              LOG_FIELDS(log_str("feed", cache_feed_name(flight->name.feed)), log_int("known", floor),
                         log_int("read", flight->version)));
}

/* What is in memory under the name, however old: when the data say the same as before, it goes on being the answer,
 * with its compressed form and its files. One that was compressed in haste is not worth keeping. Borrowed; NULL: none.
 */
static struct document *in_memory(const struct flight *flight)
{
    struct cache_entry entry;
    if (answer_cache_look(flight->cache, &flight->name, flight->query.kind, &entry) == CACHE_MISS)
        return NULL;
    const struct kept *kept = entry.document;
    return kept->is_quick ? NULL : kept->document;
}

/* On an offload thread: the same bytes, compressed well. */
static void refine(void *arg)
{
    struct flight *flight = arg;
    struct document *quick = flight->document;
    struct document_body body = {document_body(quick), document_release, quick};
    flight->document = document_new_same(quick, body, tail_of(flight->endpoint));
    document_compress(flight->document, flight->compression_level);
}

static void take_refined(void *arg)
{
    struct flight *flight = arg;
    struct kept *kept = kept_new(flight->document, flight->version, flight->made_ms);
    keep_and_store(flight, kept);
    kept_unref(kept);
    flight_free(flight);
}

/* The flight's last part: `kept` is landed. */
static void refine_kept(struct flight *flight, const struct kept *kept)
{
    flight->document = document_ref(kept->document);
    offload_submit(flight->cache->config.offload, flight->cache->config.mailbox, refine, take_refined, flight);
}

static void finish_rows(struct flight *flight)
{
    struct answer_cache *cache = flight->cache;
    if (!flight->document) {
        fail(flight);
        return;
    }
    mind_a_new_count(flight);
    struct kept *kept = kept_new(flight->document, flight->version, flight->made_ms);
    kept->is_quick = flight->is_quick && !is_outdated(flight);
    keep_and_store(flight, kept);
    const struct answer_outcome outcome = {.kept = kept};
    land(flight, &outcome);
    cache->counts.unchanged += kept->document == flight->known;
    if (kept->is_quick)
        refine_kept(flight, kept);
    else
        flight_free(flight);
    kept_unref(kept);
}

static void finish_on_loop(void *arg)
{
    finish_rows(arg);
}

/* On the loop or an offload thread. */
static void make(void *arg)
{
    struct flight *flight = arg;
    flight->document = rows_document(flight->endpoint, &flight->query, flight->answer, &flight->err);
    flight->answer = NULL;
    if (!flight->document)
        return;
    bool packs = flight->compress && (int64_t)document_body(flight->document).n >= flight->compression_min_bytes;
    if (flight->known && document_is_compressed(flight->known) == packs &&
        document_says(flight->known, document_body(flight->document))) {
        document_unref(flight->document);
        flight->document = document_ref(flight->known);
        return;
    }
    if (!packs)
        return;
    flight->is_quick = document_body(flight->document).n > DOCUMENT_QUICK_MIN;
    if (flight->is_quick)
        document_compress_quickly(flight->document);
    else
        document_compress(flight->document, flight->compression_level);
}

static void on_rows(void *arg, struct repo_answer *answer, const struct err *err)
{
    struct flight *flight = arg;
    if (!answer) {
        flight->err = *err;
        fail(flight);
        return;
    }
    flight->answer = answer;
    flight->version = answer->version;
    flight->is_unknown = answer->kind == READ_ANALYTICS_ONE && answer->analytics_count == 0;
    if (answer->bytes > (flight->compress ? OFFLOAD_COMPRESS_BYTES : OFFLOAD_ASSEMBLE_BYTES)) {
        offload_submit(flight->cache->config.offload, flight->cache->config.mailbox, make, finish_on_loop, flight);
        return;
    }
    make(flight);
    finish_rows(flight);
}

static void read_rows(struct flight *flight)
{
    struct answer_cache *cache = flight->cache;
    if (!cache->reads || cache->ending) {
        (void)err_set(&flight->err, ERR_UNAVAILABLE,
                      cache->reads ? "the server is going down" : "no Postgres is configured");
        fail(flight);
        return;
    }
    cache->counts.rebuilds++;
    flight->began_ms = cache->config.mono_ms();
    flight->made_ms = cache->config.wall_ms();
    flight->floor = cache_floor(&cache->config.shared->floors, flight->name.feed);
    flight->compress = cache->compression;
    flight->compression_level = cache->compression_level;
    flight->compression_min_bytes = cache->compression_min_bytes;
    flight->losses = atomic_load(&cache->config.shared->floors.losses);
    struct document *known = in_memory(flight);
    flight->known = known ? document_ref(known) : NULL;
    cache->reads->read(cache->reads, &flight->query, on_rows, flight);
}

/* --- from Redis --- */

static void free_bytes(void *arg)
{
    free(arg);
}

/* NULL when the value is none of ours. */
static struct kept *kept_of_value(const struct flight *flight, const struct document_value *value)
{
    struct document *known = in_memory(flight);
    if (known && document_is_compressed(known) == (value->gzip.n > 0) && document_says(known, value->body) &&
        slice_equal(slice_of(document_etag(known)), value->etag))
        return kept_new(document_ref(known), value->version, value->built_ms);
    char *body = mem_strndup(value->body.p, value->body.n);
    struct document *document =
        document_new((struct document_body){{body, value->body.n}, free_bytes, body}, tail_of(flight->endpoint));
    if (!slice_equal(slice_of(document_etag(document)), value->etag) ||
        (value->gzip.n && !document_set_gzip(document, value->gzip))) {
        document_unref(document);
        return NULL;
    }
    struct kept *kept = kept_new(document, value->version, value->built_ms);
    kept->is_quick = value->flags & ANSWER_VALUE_IS_QUICK;
    return kept;
}

static void claim(struct flight *flight);

/* Who waits gets what Redis has. NULL, and nothing happens, when that is none of ours; else the caller's reference. */
static struct kept *land_found(struct flight *flight, const struct cache_found *found)
{
    struct answer_cache *cache = flight->cache;
    struct kept *kept = kept_of_value(flight, &found->value);
    if (!kept)
        return NULL;
    int64_t now_ms = cache->config.mono_ms();
    bool fresh = found->judgement == CACHE_FRESH;
    int64_t fresh_left_ms = found->fresh_left_ms;
    if (kept->is_quick && fresh_left_ms > QUICK_FRESH_MS)
        fresh_left_ms = QUICK_FRESH_MS;
    int64_t fresh_until_ms = fresh ? now_ms + fresh_left_ms : now_ms;
    keep(flight, kept, fresh_until_ms, now_ms + found->stale_left_ms);
    const struct answer_outcome outcome = {.kept = kept};
    cache->counts.redis_hits += fresh;
    land(flight, &outcome);
    return kept;
}

/* Whether nobody else is about to put a better compressed one in the place of this one. */
static bool is_left_hasty(const struct answer_cache *cache, const struct kept *kept)
{
    return kept->is_quick && cache->compression && cache->config.wall_ms() - kept->made_ms > ANSWER_QUICK_LIFE_MS;
}

/* Ends the flight with what Redis has, which is fresh. False, and nothing happens, when that is none of ours. */
static bool end_with_found(struct flight *flight, const struct cache_found *found)
{
    struct answer_cache *cache = flight->cache;
    struct kept *kept = land_found(flight, found);
    if (!kept)
        return false;
    if (is_left_hasty(cache, kept)) {
        flight->version = kept->version;
        flight->made_ms = kept->made_ms;
        flight->began_ms = cache->config.mono_ms() + found->fresh_left_ms - answer_ttl_ms(cache, flight->endpoint);
        flight->compression_level = cache->compression_level;
        refine_kept(flight, kept);
    } else {
        flight_free(flight);
    }
    kept_unref(kept);
    return true;
}

static void on_claim(void *arg, enum cache_claim what, const struct cache_found *found, const struct cache_token *token)
{
    struct flight *flight = arg;
    if (what == CACHE_CLAIM_FOUND && !is_outdated(flight) && end_with_found(flight, found))
        return;
    flight->token = *token;
    read_rows(flight);
}

static void claim(struct flight *flight)
{
    struct answer_cache *cache = flight->cache;
    cache_documents_claim(cache->config.documents, flight->name.feed, flight->name.text, cache->rebuild_wait_ms,
                          on_claim, flight);
}

/* Who waits gets the old one; its rebuild goes on for nobody. */
static bool land_stale(struct flight *flight, const struct cache_found *found)
{
    struct answer_cache *cache = flight->cache;
    cache->counts.stale += single_flight_waiting(flight->single);
    struct kept *kept = land_found(flight, found);
    if (!kept)
        return false;
    kept_unref(kept);
    flight->single = single_flight_begin(cache->flights, flight->name.text);
    return true;
}

static void on_found(void *arg, const struct cache_found *found)
{
    struct flight *flight = arg;
    bool usable = !is_outdated(flight);
    if (usable && found->judgement == CACHE_FRESH && end_with_found(flight, found))
        return;
    if (usable && found->judgement == CACHE_STALE && single_flight_waiting(flight->single) &&
        land_stale(flight, found) && !flight->single) {
        flight_free(flight); /* somebody has begun another one already */
        return;
    }
    if (found->reached)
        claim(flight);
    else
        read_rows(flight);
}

void answer_flight_begin(struct answer_cache *cache, struct single_flight *single, const struct endpoint *endpoint,
                         const struct read_query *query, const struct answer_name *name)
{
    struct arena *arena = arena_new(0);
    struct flight *flight = arena_zalloc(arena, sizeof *flight);
    flight->cache = cache;
    flight->arena = arena;
    flight->single = single;
    flight->endpoint = endpoint;
    flight->query = *query;
    flight->query.model_id = copy_slice(arena, query->model_id);
    flight->query.before.id = copy_slice(arena, query->before.id);
    flight->query.after.id = copy_slice(arena, query->after.id);
    flight->name = *name;
    flight->name.text = copy_slice(arena, name->text);
    flight->generation = cache->generation;
    flight->losses = atomic_load(&cache->config.shared->floors.losses);
    cache->under_way++;
    if (goes_to_redis(flight))
        cache_documents_get(cache->config.documents, name->feed, name->text, on_found, flight);
    else
        read_rows(flight);
}
