/* Powers of ten to 128 bits, for num.c alone. */
#ifndef NOF0_BASE_NUM_POWERS_H
#define NOF0_BASE_NUM_POWERS_H

#include <stdint.h>

enum { NUM_POWER_MIN = -292, NUM_POWER_MAX = 324 };

/* 10^k scaled by a power of two so that the top bit of hi is set, rounded up. */
struct num_power {
    uint64_t hi;
    uint64_t lo;
};

/* Entry k - NUM_POWER_MIN belongs to 10^k. */
extern const struct num_power num_powers[NUM_POWER_MAX - NUM_POWER_MIN + 1];

#endif
