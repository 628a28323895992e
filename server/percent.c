#include "server/percent.h"

#include "base/hex.h"

bool percent_decode(struct slice text, bool plus_is_space, struct arena *arena, struct slice *out)
{
    bool plain = !text.n || !memchr(text.p, '%', text.n);
    if (plain && plus_is_space && text.n)
        plain = !memchr(text.p, '+', text.n);
    if (plain) {
        *out = text;
        return true;
    }
    char *decoded = arena_alloc(arena, text.n);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.n - i > 2 ? hex_value(text.p[i + 1]) : -1;
            int low = text.n - i > 2 ? hex_value(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        decoded[n++] = c;
    }
    *out = (struct slice){decoded, n};
    return true;
}
