/* A running Redis held against the registry. */
#ifndef NOF0_CACHE_KEYS_SCAN_H
#define NOF0_CACHE_KEYS_SCAN_H

#include "base/err.h"
#include "cache/keys.h"

struct redisContext;

enum cache_fault {
    CACHE_FAULT_UNREGISTERED, /* no row has the key */
    CACHE_FAULT_TYPE,         /* another Redis type than its row says */
    CACHE_FAULT_NO_TTL,       /* it never ends, and should */
    CACHE_FAULT_TTL,          /* it ends later than its row says, or ends and should not */
    CACHE_FAULT_DISABLED,     /* its TTL class is disabled, so it should not be there */
};

/* "unregistered", "type", "no-ttl", "ttl", "disabled". */
const char *cache_fault_name(enum cache_fault fault);

/* key: its bytes as they are; what: a sentence for people. */
typedef void cache_fault_fn(void *arg, enum cache_fault fault, struct slice key, const char *what);

struct cache_scan {
    uint64_t keys;   /* looked at; a key that Redis showed twice counts twice */
    uint64_t faults; /* as told */
};

/* Walks every key under the space's prefix (SCAN, so Redis goes on working) and tells each fault. False with err when
 * Redis failed. A key that SCAN shows twice is told twice. */
bool cache_keys_scan(struct redisContext *link, const struct cache_space *space, cache_fault_fn *tell, void *arg,
                     struct cache_scan *scan, struct err *err) MUST_CHECK;

#endif
