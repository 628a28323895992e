/* What Redis holds against what Postgres says it shall hold. */
#ifndef NOF0_INGEST_REDIS_VERIFY_H
#define NOF0_INGEST_REDIS_VERIFY_H

#include "ingest/redis_value.h"

struct redisContext;

/* where: "" for the whole, a field, a member or an index. what: for people. */
typedef void redis_difference_fn(void *arg, const struct cache_key *key, struct slice where, const char *what);

struct redis_verify_counts {
    uint64_t values; /* that Postgres gives */
    uint64_t same;
    uint64_t missing;     /* not in Redis: it was never written, or its TTL passed */
    uint64_t different;   /* in Redis with other content */
    uint64_t extra;       /* in Redis, and Postgres gives no value for it */
    uint64_t differences; /* told */
};

struct redis_verify;

/* `link` and `space` must outlive it. */
struct redis_verify *redis_verify_new(struct redisContext *link, const struct cache_space *space,
                                      redis_difference_fn *tell, void *arg);
void redis_verify_free(struct redis_verify *verify);

/* Compares a value by meaning, as redis_value_fn does (arg: the struct redis_verify): JSON texts as documents (keys in
 * any order, numbers as doubles), lists in order, hashes and sorted sets by field. Of one name at most ten differences
 * are told one by one. */
bool redis_verify_take(void *arg, const struct redis_value *value, struct err *err) MUST_CHECK;

/* After the last value: looks for names of the wanted rows that had no value. */
bool redis_verify_extra(struct redis_verify *verify, const bool wanted[], struct err *err) MUST_CHECK;

struct redis_verify_counts redis_verify_counts(const struct redis_verify *verify);

#endif
