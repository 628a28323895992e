/* What the files of the answer cache share. Private to them. */
#ifndef NOF0_SERVER_ANSWER_CACHE_INSIDE_H
#define NOF0_SERVER_ANSWER_CACHE_INSIDE_H

#include "server/answer_cache.h"

/* A document with what the cache knows of it. Counted without atomics: it lives on one loop. */
struct kept {
    size_t references;
    struct document *document;
    int64_t version;
    int64_t made_ms; /* wall */
    bool failed;     /* a rebuild of it failed */
    bool is_quick;   /* compressed in haste; one that is compressed well takes its place soon */
};

struct answer_cache {
    struct answer_cache_config config;
    struct repo_reads *reads;
    struct cache_local *rooms[ANSWER_ROOMS];
    struct single_flights *flights;
    struct answer_counts counts; /* but for what others count */
    size_t under_way;
    unsigned generation; /* of the data's source */
    struct {             /* nobody may hear of a failed rebuild otherwise; told once a second */
        int64_t second;
        int64_t untold;
    } failures;
    bool ending;
    void (*ended)(void *arg);
    void *ended_arg;
    /* of the settings */
    bool enabled;
    bool compression;
    int compression_level;
    int64_t compression_min_bytes;
    int64_t ttl_ms[CACHE_TTL_CLASSES];
    int64_t stale_if_error_ms;
    int64_t rebuild_wait_ms;
};

/* In the flags of a value in Redis: compressed in haste, and one that is compressed well follows, by who put it there,
 * unless it is gone or has lost Redis. What is older than this (ms since the data were read) has been left, and is
 * compressed well by whoever finds it. */
enum { ANSWER_VALUE_IS_QUICK = 1, ANSWER_QUICK_LIFE_MS = 5000 };

/* Takes the reference to the document. */
struct kept *kept_new(struct document *document, int64_t version, int64_t made_ms);
struct kept *kept_ref(struct kept *kept);
void kept_unref(struct kept *kept);

/* What a flight ends with. */
struct answer_outcome {
    struct kept *kept; /* NULL: see err */
    struct err err;
};

int64_t answer_ttl_ms(const struct answer_cache *cache, const struct endpoint *endpoint);

/* What is kept in memory under the name, in whichever room. */
enum cache_judgement answer_cache_look(struct answer_cache *cache, const struct answer_name *name, enum read_kind kind,
                                       struct cache_entry *entry);

/* Begins the flight that the single flight stands for: it lands it in the end. Copies name and query. */
void answer_flight_begin(struct answer_cache *cache, struct single_flight *single, const struct endpoint *endpoint,
                         const struct read_query *query, const struct answer_name *name);

#endif
