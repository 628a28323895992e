#include "server/redact.h"

#include "base/json_read.h"
#include "base/json_skip.h"
#include "base/json_write.h"
#include "base/num.h"

#include <openssl/sha.h>

/* The next key of the list; p == NULL at its end. */
static struct slice next_key(const char **at)
{
    while (**at) {
        const char *end = *at + strcspn(*at, ",");
        struct slice key = {*at, (size_t)(end - *at)};
        *at = *end ? end + 1 : end;
        while (key.n && json_is_space(key.p[0]))
            key = (struct slice){key.p + 1, key.n - 1};
        while (key.n && json_is_space(key.p[key.n - 1]))
            key.n--;
        if (key.n)
            return key;
    }
    return (struct slice){NULL, 0};
}

static bool has(const char *keys, struct slice key)
{
    struct slice one;
    while ((one = next_key(&keys)).p)
        if (slice_equal(one, key))
            return true;
    return false;
}

/* The key stands between its quotes, maybe escaped. */
static bool hides(const char *keys, struct slice inside)
{
    if (!inside.n || !memchr(inside.p, '\\', inside.n))
        return has(keys, inside);
    struct buf plain = BUF_INIT;
    json_unescape(&plain, inside);
    bool found = has(keys, buf_slice(&plain));
    buf_free(&plain);
    return found;
}

static const char *type_of(char first)
{
    switch (first) {
    case '"':
        return "";
    case '{':
        return "object ";
    case '[':
        return "array ";
    case 't':
    case 'f':
        return "boolean ";
    default:
        return "number ";
    }
}

/* What is hashed: the same for values that mean the same. */
static void put_meaning(struct slice json, struct buf *out)
{
    char digits[NUM_TEXT_SIZE];
    double number = 0;
    if (json.p[0] == '"')
        json_unescape(out, (struct slice){json.p + 1, json.n - 2});
    else if (num_parse_double(json, &number) && number < (double)NUM_EXACT_INTEGER_MAX &&
             number > -(double)NUM_EXACT_INTEGER_MAX)
        buf_append(out, digits, num_format_double(digits, number));
    else
        json_put_compact(out, json);
}

static void put_hash(struct slice json, struct buf *out)
{
    enum { SHOWN = 8 };
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct buf meaning = BUF_INIT;
    put_meaning(json, &meaning);
    (void)SHA256((const unsigned char *)buf_cstr(&meaning), meaning.len, digest);
    buf_free(&meaning);
    buf_printf(out, "\"%ssha256:", type_of(json.p[0]));
    for (size_t i = 0; i < SHOWN; i++)
        buf_printf(out, "%02x", digest[i]);
    buf_append_char(out, '"');
}

static const char *string_end(const char *p, const char *end)
{
    p = json_skip_string(p, end);
    return p ? p : end;
}

static bool ends_word(char c)
{
    return c == ',' || c == '}' || c == ']' || json_is_space(c);
}

/* Behind the value that begins at p. */
static const char *value_end(const char *p, const char *end)
{
    size_t depth = 0;
    do {
        if (p >= end)
            return end;
        if (*p == '"') {
            p = string_end(p, end);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth -= depth > 0;
            p++;
        } else if (depth) {
            p++;
        } else {
            while (p < end && !ends_word(*p))
                p++;
        }
    } while (depth);
    return p;
}

void redact_json(const char *keys, struct slice json, struct buf *out)
{
    const char *p = json.p;
    const char *end = json.p + json.n;
    const char *from = p; /* not copied yet */
    const char *rest = keys;
    if (!next_key(&rest).p)
        p = end;
    while (p < end) {
        if (*p != '"') {
            p++;
            continue;
        }
        const char *string = p;
        p = string_end(p, end);
        const char *colon = json_skip_space(p, end);
        if (colon >= end || *colon != ':')
            continue;
        const char *value = json_skip_space(colon + 1, end);
        if (value >= end || *value == 'n' || !hides(keys, (struct slice){string + 1, (size_t)(p - string) - 2}))
            continue;
        p = value_end(value, end);
        buf_append(out, from, (size_t)(value - from));
        put_hash((struct slice){value, (size_t)(p - value)}, out);
        from = p;
    }
    buf_append(out, from, (size_t)(end - from));
}
