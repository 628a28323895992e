/* Random numbers of the demo simulation: integers only, so that a seed gives the same world on every machine. The
 * generator is xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. Not for secrets. */
#ifndef NOF0_CLI_DEMO_RANDOM_H
#define NOF0_CLI_DEMO_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct demo_random {
    uint64_t state[4];
};

/* Streams of one seed are independent of each other. */
void demo_random_seed(struct demo_random *random, uint64_t seed, uint64_t stream);
uint64_t demo_random_next(struct demo_random *random);

/* From least to most, both included; least <= most. */
int64_t demo_random_between(struct demo_random *random, int64_t least, int64_t most);

/* True in `ppm` of a million cases. */
bool demo_random_chance(struct demo_random *random, int64_t ppm);

enum { DEMO_SIGMA = 65536 };

/* About normal, mean 0, standard deviation DEMO_SIGMA, within six of them (a sum of twelve uniform numbers). */
int64_t demo_random_normal(struct demo_random *random);

enum { DEMO_UUID_SIZE = 37 };

/* A version 4 UUID in lower case with its NUL. */
void demo_random_uuid(struct demo_random *random, char out[DEMO_UUID_SIZE]);

#endif
