#include "cache/single_flight.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BUCKETS = 256 }; /* flights under way at once are few */

TAILQ_HEAD(waiters, single_flight_waiter);

struct single_flight {
    LIST_ENTRY(single_flight) next;
    struct waiters waiters;
    unsigned waiting;
    uint64_t hash;
    size_t name_length;
    char name[];
};

LIST_HEAD(flight_list, single_flight);

struct single_flights {
    struct flight_list buckets[BUCKETS];
    struct single_flights_counts counts;
    uint64_t seed;
};

struct single_flights *single_flights_new(void)
{
    struct single_flights *flights = mem_zalloc(sizeof *flights);
    if (getrandom(&flights->seed, sizeof flights->seed, 0) != (ssize_t)sizeof flights->seed)
        flights->seed = (uint64_t)clock_mono_us();
    return flights;
}

void single_flights_free(struct single_flights *flights)
{
    free(flights);
}

static struct single_flight *find(struct single_flights *flights, struct slice name, uint64_t hash)
{
    struct single_flight *flight;
    LIST_FOREACH(flight, &flights->buckets[hash % BUCKETS], next)
    if (flight->hash == hash && slice_equal((struct slice){flight->name, flight->name_length}, name))
        return flight;
    return NULL;
}

static void wait_for(struct single_flight *flight, struct single_flight_waiter *waiter)
{
    waiter->flight = flight;
    flight->waiting++;
    TAILQ_INSERT_TAIL(&flight->waiters, waiter, next);
}

static struct single_flight *begin(struct single_flights *flights, struct slice name, uint64_t hash)
{
    struct single_flight *flight = mem_zalloc(sizeof *flight + name.n);
    TAILQ_INIT(&flight->waiters);
    flight->hash = hash;
    flight->name_length = name.n;
    if (name.n)
        memcpy(flight->name, name.p, name.n);
    LIST_INSERT_HEAD(&flights->buckets[hash % BUCKETS], flight, next);
    flights->counts.flights++;
    return flight;
}

struct single_flight *single_flight_join(struct single_flights *flights, struct slice name,
                                         struct single_flight_waiter *waiter)
{
    uint64_t hash = XXH3_64bits_withSeed(name.p, name.n, flights->seed);
    struct single_flight *flight = find(flights, name, hash);
    bool first = !flight;
    if (first)
        flight = begin(flights, name, hash);
    else
        flights->counts.joined++;
    wait_for(flight, waiter);
    return first ? flight : NULL;
}

struct single_flight *single_flight_begin(struct single_flights *flights, struct slice name)
{
    uint64_t hash = XXH3_64bits_withSeed(name.p, name.n, flights->seed);
    return find(flights, name, hash) ? NULL : begin(flights, name, hash);
}

void single_flight_leave(struct single_flight_waiter *waiter)
{
    struct single_flight *flight = waiter->flight;
    if (!flight)
        return;
    waiter->flight = NULL;
    flight->waiting--;
    TAILQ_REMOVE(&flight->waiters, waiter, next);
}

unsigned single_flight_waiting(const struct single_flight *flight)
{
    return flight->waiting;
}

void single_flight_land(struct single_flight *flight, const void *outcome)
{
    /* Out of sight first, so that who asks from a callback begins a new flight; in reach of leave until told. */
    LIST_REMOVE(flight, next);
    struct single_flight_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&flight->waiters))) {
        single_flight_leave(waiter);
        waiter->told(waiter->arg, outcome);
    }
    free(flight);
}

void single_flights_counts(const struct single_flights *flights, struct single_flights_counts *counts)
{
    *counts = flights->counts;
}
