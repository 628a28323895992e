/* A view of bytes that somebody else owns. Never NUL-terminated by contract. */
#ifndef NOF0_BASE_SLICE_H
#define NOF0_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

/* The slice of a string literal. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

/* The slice of a NUL-terminated string; a NULL pointer gives the empty slice. */
static inline struct slice slice_of(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *s)
{
    return slice_equal(a, slice_of(s));
}

/* Bytewise order, a prefix before what it begins: < 0, 0 or > 0. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* For printf's "%.*s": printf(..., SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)(s).n, (s).p ? (s).p : ""

#endif
