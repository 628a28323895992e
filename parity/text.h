/* Strings of JSON texts as they stand between their quotes, compared by code points. */
#ifndef NOF0_PARITY_TEXT_H
#define NOF0_PARITY_TEXT_H

#include "base/buf.h"
#include "base/json_read.h"

#include <stdint.h>
#include <sys/auxv.h>
#include <xxhash.h>

static inline bool parity_text_escaped(struct slice inside)
{
    return inside.n && memchr(inside.p, '\\', inside.n);
}

static inline bool parity_text_equal(struct slice a, struct slice b)
{
    if (slice_equal(a, b))
        return true;
    if (!parity_text_escaped(a) && !parity_text_escaped(b))
        return false;
    struct buf x = BUF_INIT;
    struct buf y = BUF_INIT;
    json_unescape(&x, a);
    json_unescape(&y, b);
    bool equal = slice_equal(buf_slice(&x), buf_slice(&y));
    buf_free(&x);
    buf_free(&y);
    return equal;
}

/* Equal for equal strings. */
static inline uint64_t parity_text_hash(struct slice inside, uint64_t seed)
{
    if (!parity_text_escaped(inside))
        return XXH3_64bits_withSeed(inside.n ? inside.p : "", inside.n, seed);
    struct buf plain = BUF_INIT;
    json_unescape(&plain, inside);
    uint64_t hash = XXH3_64bits_withSeed(plain.data, plain.len, seed);
    buf_free(&plain);
    return hash;
}

/* The kernel's random bytes for this process, so that nobody can write a text whose keys all collide. */
static inline uint64_t parity_text_seed(void)
{
    uint64_t seed = 0;
    const void *random = (const void *)getauxval(AT_RANDOM);
    if (random)
        memcpy(&seed, random, sizeof seed);
    return seed;
}

/* What stands between the quotes of a string with them. */
static inline struct slice parity_text_inside(struct slice string)
{
    return (struct slice){string.p + 1, string.n - 2};
}

#endif
