#include "repo/json_exact.h"

#include "base/hex.h"
#include "base/json_read.h"
#include "base/json_write.h"

/* What jsonb prints around a wrapped text. */
#define STORED_HEAD "{\"$exact\": \""
#define STORED_TAIL "\"}"

/* jsonb prints numbers without an exponent: 1e300 would come back with 301 digits, and readers take 63 characters; 1e20
 * would come back as an integer beyond 2^53, which readers refuse where they take a double. */
enum { MOST_DIGITS = 50, MOST_INTEGER_DIGITS = 15 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Moves *at behind the exponent that begins there with 'e'; *negative says that it is below 0. */
static size_t read_exponent(struct slice json, size_t *at, bool *negative)
{
    size_t i = *at + 1;
    size_t exponent = 0;
    bool minus = i < json.n && json.p[i] == '-';
    i += i < json.n && (json.p[i] == '+' || json.p[i] == '-');
    for (; i < json.n && is_digit(json.p[i]); i++)
        if (exponent <= MOST_DIGITS)
            exponent = exponent * 10 + (size_t)(json.p[i] - '0');
    *negative = minus && exponent > 0;
    *at = i;
    return exponent;
}

/* Moves *at behind the number token that begins there; true when jsonb would not keep it well. */
static bool number_is_special(struct slice json, size_t *at)
{
    size_t i = *at;
    bool negative = json.p[i] == '-';
    i += negative;
    size_t digits = 0;
    size_t integer_digits = 0;
    bool zero = true;
    bool fraction = false;
    for (; i < json.n && (is_digit(json.p[i]) || json.p[i] == '.'); i++) {
        if (json.p[i] == '.') {
            fraction = true;
            continue;
        }
        zero = zero && json.p[i] == '0';
        digits++;
        integer_digits += !fraction;
    }
    bool special = (negative && zero && digits > 0) || digits > MOST_DIGITS;
    if (digits > 0 && i < json.n && (json.p[i] == 'e' || json.p[i] == 'E')) {
        bool shrinks;
        size_t exponent = read_exponent(json, &i, &shrinks);
        special =
            special || digits + exponent > MOST_DIGITS || (!shrinks && integer_digits + exponent > MOST_INTEGER_DIGITS);
    }
    *at = i > *at ? i : *at + 1;
    return special;
}

/* The offset behind the text whose opening quote is at `at`; json.n when it does not end. */
static size_t skip_text(struct slice json, size_t at)
{
    for (size_t i = at + 1; i < json.n; i++) {
        if (json.p[i] == '\\')
            i++;
        else if (json.p[i] == '"')
            return i + 1;
    }
    return json.n;
}

static size_t skip_space(struct slice json, size_t at)
{
    while (at < json.n && is_space(json.p[at]))
        at++;
    return at;
}

/* True when the bytes between a key's quotes spell "$exact", with escapes or without. */
static bool key_is_exact(const char *p, const char *end)
{
    for (const char *want = "$exact"; *want; want++) {
        if (p == end)
            return false;
        int c = (unsigned char)*p++;
        if (c == '\\') {
            if (p == end || *p++ != 'u')
                return false; /* no other escape stands for a letter or '$' */
            c = hex_value4(p, end);
            if (c < 0)
                return false;
            p += 4;
        }
        if (c != *want)
            return false;
    }
    return p == end;
}

/* True for an object whose only member is "$exact" with a text. */
static bool has_wrapped_form(struct slice json)
{
    size_t at = skip_space(json, 0);
    if (at >= json.n || json.p[at] != '{')
        return false;
    at = skip_space(json, at + 1);
    if (at >= json.n || json.p[at] != '"')
        return false;
    size_t behind = skip_text(json, at);
    if (behind < at + 2 || !key_is_exact(json.p + at + 1, json.p + behind - 1))
        return false;
    at = skip_space(json, behind);
    if (at >= json.n || json.p[at] != ':')
        return false;
    at = skip_space(json, at + 1);
    if (at >= json.n || json.p[at] != '"')
        return false;
    at = skip_space(json, skip_text(json, at));
    return at < json.n && json.p[at] == '}';
}

bool json_exact_needed(struct slice json)
{
    if (has_wrapped_form(json))
        return true;
    for (size_t at = 0; at < json.n;) {
        char c = json.p[at];
        if (c == '"') {
            at = skip_text(json, at);
        } else if (c == '-' || is_digit(c)) {
            if (number_is_special(json, &at))
                return true;
        } else {
            at++;
        }
    }
    return false;
}

void json_exact_wrap(struct buf *out, struct slice json)
{
    buf_append_str(out, "{\"$exact\":");
    json_put_string(out, json);
    buf_append_char(out, '}');
}

/* Writes a code point as UTF-8 and returns how many bytes it took. */
static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* Takes the escapes out of the text between two quotes. jsonb escapes only what it must (no code point above U+FFFF),
 * so one \u at a time is enough. */
static bool unescape(struct slice text, char *out, size_t *length)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *end = text.p + text.n;
    size_t n = 0;
    for (const char *p = text.p; p < end;) {
        if (*p != '\\') {
            out[n++] = *p++;
            continue;
        }
        if (++p == end)
            return false;
        const char *name = memchr(names, *p, sizeof names - 1);
        if (name) {
            out[n++] = values[name - names];
            p++;
            continue;
        }
        int code = *p == 'u' ? hex_value4(p + 1, end) : -1;
        if (code < 0 || (code >= 0xd800 && code <= 0xdfff))
            return false;
        n += put_utf8(out + n, (unsigned)code);
        p += 5;
    }
    *length = n;
    return true;
}

bool json_exact_unwrap(struct slice stored, struct arena *arena, struct slice *json, struct err *err)
{
    const size_t head = sizeof STORED_HEAD - 1;
    const size_t tail = sizeof STORED_TAIL - 1;
    *json = stored;
    if (stored.n < head + tail || memcmp(stored.p, STORED_HEAD, head) != 0 ||
        skip_text(stored, head - 1) != stored.n - 1 || stored.p[stored.n - 1] != '}')
        return true;

    struct slice inner = {stored.p + head, stored.n - head - tail};
    char *text = arena_alloc(arena, inner.n + 1);
    size_t length = 0;
    if (!unescape(inner, text, &length))
        return err_set(err, ERR_INVALID, "malformed escape in an \"$exact\" value");
    *json = (struct slice){text, length};
    if (!json_check(*json, NULL, NULL))
        return err_set(err, ERR_INVALID, "\"$exact\" value is no JSON");
    return true;
}
