/* One rebuild at a time for each name, on one loop. Who asks first gets the job; who asks meanwhile waits for its
 * outcome. A flight belongs to nobody who asked: when an asker goes away, the flight goes on for the others and for
 * the cache. */
#ifndef NOF0_CACHE_SINGLE_FLIGHT_H
#define NOF0_CACHE_SINGLE_FLIGHT_H

#include "base/slice.h"

#include <stdint.h>
#include <sys/queue.h>

struct single_flights;
struct single_flight;

/* Someone who waits; lives in the asker's own memory. Set told and arg, and nothing else. */
struct single_flight_waiter {
    /* The outcome, once. The waiter is out of the flight already: it may be freed here, and may ask anew. */
    void (*told)(void *arg, const void *outcome);
    void *arg;
    struct single_flight *flight; /* NULL: waits for nothing */
    TAILQ_ENTRY(single_flight_waiter) next;
};

struct single_flights_counts {
    uint64_t flights; /* begun */
    uint64_t joined;  /* askers who met a flight that was under way */
};

struct single_flights *single_flights_new(void);
/* No flight may be under way. */
void single_flights_free(struct single_flights *flights);

/* The waiter waits for the name (any bytes). Not NULL: no flight was under way, and the caller must do the job and then
 * call single_flight_land with it. NULL: somebody else does it. */
struct single_flight *single_flight_join(struct single_flights *flights, struct slice name,
                                         struct single_flight_waiter *waiter);

/* Begins a flight for which nobody waits (a rebuild in the background); NULL when one is under way. */
struct single_flight *single_flight_begin(struct single_flights *flights, struct slice name);

/* The waiter is not told any more; may be called at any time, also for one that waits for nothing. */
void single_flight_leave(struct single_flight_waiter *waiter);

/* How many wait now. */
unsigned single_flight_waiting(const struct single_flight *flight);

/* Ends the flight: tells everybody who waits, in the order in which they came, the outcome (which the caller owns; NULL
 * means what the askers agree on). Who asks from inside a told callback begins a new flight. */
void single_flight_land(struct single_flight *flight, const void *outcome);

void single_flights_counts(const struct single_flights *flights, struct single_flights_counts *counts);

#endif
