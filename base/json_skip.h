/* Steps over a text that json_check found good. Trusted for its grammar only: never read beyond its end. */
#ifndef NOF0_BASE_JSON_SKIP_H
#define NOF0_BASE_JSON_SKIP_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Behind the blanks that begin at p. */
static inline const char *json_skip_space(const char *p, const char *end)
{
    while (p < end && json_is_space(*p))
        p++;
    return p;
}

/* p is on the opening quote. Behind the closing one; NULL when there is none. */
static inline const char *json_skip_string(const char *p, const char *end)
{
    p++;
    for (;;) {
        const char *quote = (const char *)memchr(p, '"', (size_t)(end - p));
        if (!quote)
            return NULL;
        const char *before = quote;
        while (before > p && before[-1] == '\\')
            before--;
        p = quote + 1;
        if ((quote - before) % 2 == 0)
            return p;
    }
}

#endif
