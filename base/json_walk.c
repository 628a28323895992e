/* Moving through a text that json_check found good. The text is trusted for its grammar only as far as the bounds: a
 * bad one ends the walk, it is never read beyond its end. */
#include "base/json_read.h"
#include "base/json_skip.h"

/* Behind the container that opens at p, by counting brackets outside strings. NULL when it does not close. */
static const char *skip_container(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        switch (*p) {
        case '"':
            p = json_skip_string(p, end);
            if (!p)
                return NULL;
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return p + 1;
            break;
        default:
            break;
        }
        p++;
    }
    return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p == end)
        return NULL;
    if (*p == '"')
        return json_skip_string(p, end);
    if (*p == '{' || *p == '[')
        return skip_container(p, end);
    const char *start = p;
    while (p < end && !json_is_space(*p) && *p != ',' && *p != ']' && *p != '}')
        p++;
    return p > start ? p : NULL;
}

static bool key_is(struct slice key, struct slice wanted)
{
    if (!key.n || !memchr(key.p, '\\', key.n))
        return slice_equal(key, wanted);
    struct buf plain = BUF_INIT;
    json_unescape(&plain, key);
    bool equal = slice_equal(buf_slice(&plain), wanted);
    buf_free(&plain);
    return equal;
}

/* Calls on_element for each element of the array at p. Returns behind its end; NULL when stopped or malformed. */
static const char *walk_array(const char *p, const char *end, const struct json_walk *walk)
{
    p = json_skip_space(p + 1, end);
    if (p < end && *p == ']')
        return p + 1;
    for (size_t index = 0;; index++) {
        const char *element = p;
        p = skip_value(p, end);
        if (!p || !walk->on_element(walk->arg, index, (struct slice){element, (size_t)(p - element)}))
            return NULL;
        p = json_skip_space(p, end);
        if (p < end && *p == ']')
            return p + 1;
        if (p == end || *p != ',')
            return NULL;
        p = json_skip_space(p + 1, end);
    }
}

bool json_walk_array(struct slice text, bool (*on_element)(void *arg, size_t index, struct slice element), void *arg)
{
    if (text.n == 0)
        return false;
    const char *end = text.p + text.n;
    const char *p = json_skip_space(text.p, end);
    struct json_walk walk = {.on_element = on_element, .arg = arg};
    return p < end && *p == '[' && walk_array(p, end, &walk) != NULL;
}

static const char *walk_member(const char *p, const char *end, const struct json_walk *walk)
{
    if (p == end || *p != '"')
        return NULL;
    const char *key = p + 1;
    p = json_skip_string(p, end);
    if (!p)
        return NULL;
    struct slice name = {key, (size_t)(p - 1 - key)};
    p = json_skip_space(p, end);
    if (p == end || *p != ':')
        return NULL;
    p = json_skip_space(p + 1, end);
    if (p < end && *p == '[' && walk->on_element && key_is(name, walk->array_key))
        return walk_array(p, end, walk);
    const char *value = p;
    p = skip_value(p, end);
    if (!p || (walk->on_member && !walk->on_member(walk->arg, name, (struct slice){value, (size_t)(p - value)})))
        return NULL;
    return p;
}

bool json_walk(struct slice text, const struct json_walk *walk)
{
    if (text.n == 0)
        return false;
    const char *end = text.p + text.n;
    const char *p = json_skip_space(text.p, end);
    if (p == end || *p != '{')
        return false;
    p = json_skip_space(p + 1, end);
    if (p < end && *p == '}')
        return true;
    for (;;) {
        p = walk_member(p, end, walk);
        if (!p)
            return false;
        p = json_skip_space(p, end);
        if (p < end && *p == '}')
            return true;
        if (p == end || *p != ',')
            return false;
        p = json_skip_space(p + 1, end);
    }
}

bool json_walk_object(struct slice text, bool (*on_member)(void *arg, struct slice key, struct slice value), void *arg)
{
    return json_walk(text, &(struct json_walk){.on_member = on_member, .arg = arg});
}

void json_locate(struct slice text, size_t offset, unsigned long *line, unsigned long *column)
{
    const char *p = text.n ? text.p : "";
    const char *end = p + (offset < text.n ? offset : text.n);
    *line = 1;
    for (const char *newline; p < end && (newline = memchr(p, '\n', (size_t)(end - p)));) {
        p = newline + 1;
        ++*line;
    }
    *column = (unsigned long)(end - p) + 1;
}

static size_t encode_utf8(char out[4], unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static unsigned hex4(const char *p)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        value = value << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value & 0xFFFF;
}

/* Appends what the escape at escaped.p[i] (its backslash) stands for; returns its length. */
static size_t put_escape(struct buf *out, struct slice escaped, size_t i)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    if (i + 1 >= escaped.n)
        return 1;
    char letter = escaped.p[i + 1];
    if (letter != 'u' || escaped.n - i < 6) {
        const char *known = letter ? strchr(letters, letter) : NULL;
        buf_append_char(out, known ? meanings[known - letters] : letter);
        return 2;
    }
    unsigned code = hex4(escaped.p + i + 2);
    size_t length = 6;
    if (code >= 0xD800 && code <= 0xDBFF && escaped.n - i >= 12 && escaped.p[i + 6] == '\\' &&
        escaped.p[i + 7] == 'u') {
        unsigned low = hex4(escaped.p + i + 8);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            length = 12;
        }
    }
    char utf8[4];
    buf_append(out, utf8, encode_utf8(utf8, code));
    return length;
}

void json_unescape(struct buf *out, struct slice escaped)
{
    for (size_t i = 0; i < escaped.n;) {
        const char *backslash = memchr(escaped.p + i, '\\', escaped.n - i);
        size_t plain = backslash ? (size_t)(backslash - escaped.p) : escaped.n;
        buf_append(out, escaped.p + i, plain - i);
        i = plain;
        if (i < escaped.n)
            i += put_escape(out, escaped, i);
    }
}
