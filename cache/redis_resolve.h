/* Host names to addresses without making the loop wait: getaddrinfo runs on a thread of its own. */
#ifndef NOF0_CACHE_REDIS_RESOLVE_H
#define NOF0_CACHE_REDIS_RESOLVE_H

#include "base/err.h"

#include <event2/event.h>
#include <netinet/in.h>

enum { REDIS_MAX_ADDRESSES = 8 };

struct redis_addresses {
    unsigned count; /* 0: err says why */
    char text[REDIS_MAX_ADDRESSES][INET6_ADDRSTRLEN];
    struct err err;
};

/* Whether the host is an address already, which needs no lookup. */
bool redis_is_address(const char *host);

struct redis_lookup;

/* Looks the host up and calls done on the base's loop, once, never from inside this call. NULL, with err, when no
 * thread could be started. The lookup ends by itself after done; free it then or earlier with redis_lookup_free. */
struct redis_lookup *redis_lookup_start(struct event_base *base, const char *host,
                                        void (*done)(void *arg, const struct redis_addresses *addresses), void *arg,
                                        struct err *err);
/* done is not called any more. A thread that is still looking finishes alone. */
void redis_lookup_free(struct redis_lookup *lookup);

#endif
