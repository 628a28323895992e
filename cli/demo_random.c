#include "cli/demo_random.h"

#include <stdio.h>

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void demo_random_seed(struct demo_random *random, uint64_t seed, uint64_t stream)
{
    uint64_t from_seed = seed;
    uint64_t from_stream = stream ^ splitmix(&from_seed);
    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix(&from_stream);
}

uint64_t demo_random_next(struct demo_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

int64_t demo_random_between(struct demo_random *random, int64_t least, int64_t most)
{
    unsigned __int128 range = (unsigned __int128)((uint64_t)most - (uint64_t)least) + 1;
    return (int64_t)((uint64_t)least + (uint64_t)(demo_random_next(random) * range >> 64));
}

bool demo_random_chance(struct demo_random *random, int64_t ppm)
{
    return demo_random_between(random, 0, 999999) < ppm;
}

int64_t demo_random_normal(struct demo_random *random)
{
    int64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t bits = demo_random_next(random);
        for (int part = 0; part < 4; part++)
            sum += (int64_t)(bits >> 16 * part & 0xffff);
    }
    return sum - 6 * INT64_C(65535);
}

void demo_random_uuid(struct demo_random *random, char out[DEMO_UUID_SIZE])
{
    uint64_t high = demo_random_next(random);
    uint64_t low = demo_random_next(random);
    (void)snprintf(out, DEMO_UUID_SIZE, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
                   (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff), (unsigned)(low >> 48 & 0x3fff) | 0x8000U,
                   (unsigned long long)(low & UINT64_C(0xffffffffffff)));
}
