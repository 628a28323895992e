#include "base/config_row.h"

size_t config_utf8_next(struct slice text, uint32_t *code_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text.p[0];
    size_t n = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    if (n == 0 || n > text.n)
        return 0;
    uint32_t value = n == 1 ? first : first & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        unsigned char next = (unsigned char)text.p[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (next & 0x3fU);
    }
    if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code_point = value;
    return n;
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Text begins behind "${". Appends the value; returns how many bytes the reference takes up to and with its "}", or 0
 * with the reason. */
static size_t expand_one(struct slice text, config_lookup *lookup, void *lookup_arg, struct buf *out, struct buf *what)
{
    size_t end = 0;
    while (end < text.n && text.p[end] != '}')
        end++;
    size_t name = 0;
    while (name < end && is_name_char(text.p[name], name == 0))
        name++;
    if (end == text.n) {
        buf_append_str(what, "has \"${\" without \"}\"");
        return 0;
    }
    struct slice fallback = {NULL, 0};
    if (name + 2 <= end && text.p[name] == ':' && text.p[name + 1] == '-')
        fallback = (struct slice){text.p + name + 2, end - name - 2};
    if (name == 0 || (name < end && !fallback.p)) {
        buf_append_str(what, "has something other than ${NAME} or ${NAME:-default} behind \"${\"");
        return 0;
    }
    if (fallback.p && memmem(fallback.p, fallback.n, "${", 2)) {
        buf_append_str(what, "has a \"${\" inside another's default");
        return 0;
    }

    struct buf name_text = BUF_INIT;
    buf_append(&name_text, text.p, name);
    const char *value = lookup(lookup_arg, buf_cstr(&name_text));
    bool known = value || fallback.p;
    if (!known) {
        buf_append_str(what, "needs the environment variable ");
        buf_append_slice(what, buf_slice(&name_text));
        buf_append_str(what, ", which is not set");
    } else if (value && (*value || !fallback.p)) {
        buf_append_str(out, value);
    } else {
        buf_append_slice(out, fallback);
    }
    buf_free(&name_text);
    return known ? end + 1 : 0;
}

bool config_expand(struct slice text, config_lookup *lookup, void *lookup_arg, struct buf *out, bool *expanded,
                   struct buf *what)
{
    *expanded = false;
    while (text.n > 0) {
        size_t taken = 1;
        if (text.n >= 3 && memcmp(text.p, "$${", 3) == 0) {
            buf_append(out, text.p + 1, 2);
            taken = 3;
        } else if (text.n >= 2 && memcmp(text.p, "${", 2) == 0) {
            *expanded = true;
            taken = expand_one((struct slice){text.p + 2, text.n - 2}, lookup, lookup_arg, out, what);
            if (taken == 0)
                return false;
            taken += 2;
        } else {
            buf_append_char(out, text.p[0]);
        }
        text.p += taken;
        text.n -= taken;
    }
    return true;
}
