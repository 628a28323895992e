/* Well-formed UTF-8, a sequence at a time. */
#ifndef NOF0_BASE_UTF8_H
#define NOF0_BASE_UTF8_H

#include <stddef.h>

/* Length of the UTF-8 sequence (Unicode 15, table 3-7) that begins at p (p < end), 0 when it is malformed: overlong, a
 * surrogate, beyond U+10FFFF, or cut off by end. */
static inline size_t utf8_length(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p);
    size_t length;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (s[0] < 0x80) {
        return 1;
    } else if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        length = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        length = 3;
        low = s[0] == 0xE0 ? 0xA0 : low;
        high = s[0] == 0xED ? 0x9F : high; /* D800 to DFFF are surrogates */
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        length = 4;
        low = s[0] == 0xF0 ? 0x90 : low;
        high = s[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (left < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    }
    return length;
}

#endif
