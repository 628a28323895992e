/* Passwords out of connection strings. The forms are those of libpq (section 34.1.1 of the PostgreSQL 15 manual) and of
 * URLs (RFC 3986). In doubt more is hidden, never less. */
#include "base/config.h"

#include <ctype.h>
#include <strings.h>

static const char HIDDEN[] = "***";

static bool holds(struct slice word, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= word.n; i++)
        if (strncasecmp(word.p + i, part, n) == 0)
            return true;
    return false;
}

/* A percent sign may spell any name, so such a name counts too. */
static bool names_password(struct slice name)
{
    static const char *const parts[] = {"password", "passwd", "pwd", "secret", "token", "%"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (holds(name, parts[i]))
            return true;
    return (name.n == 4 && strncasecmp(name.p, "pass", 4) == 0) || (name.n == 4 && strncasecmp(name.p, "auth", 4) == 0);
}

static struct slice slice_from(struct slice s, size_t at)
{
    return (struct slice){s.p + at, s.n - at};
}

static size_t index_of(struct slice s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

/* The length of "scheme://" at the start, or 0. */
static size_t scheme_length(struct slice text)
{
    size_t n = 0;
    while (n < text.n && (isalnum((unsigned char)text.p[n]) || (n && strchr("+-.", text.p[n]))))
        n++;
    return n && text.n >= n + 3 && memcmp(text.p + n, "://", 3) == 0 ? n + 3 : 0;
}

static void mask_query(struct slice query, struct buf *out)
{
    while (query.n > 0) {
        size_t end = index_of(query, '&');
        struct slice pair = {query.p, end};
        size_t equals = index_of(pair, '=');
        if (equals < pair.n && names_password((struct slice){pair.p, equals})) {
            buf_append(out, pair.p, equals + 1);
            buf_append_str(out, HIDDEN);
        } else {
            buf_append_slice(out, pair);
        }
        if (end < query.n)
            buf_append_char(out, '&');
        query = slice_from(query, end < query.n ? end + 1 : end);
    }
}

/* `url` begins behind "://". A password with a raw '/' or '?' in it moves the last '@' behind what looks like the end
 * of the authority; everything up to there is hidden then, since nobody can say which part is the password. */
static void mask_url(struct slice url, struct buf *out)
{
    const char *last_at = url.n ? memrchr(url.p, '@', url.n) : NULL;
    if (last_at) {
        struct slice user_info = {url.p, (size_t)(last_at - url.p)};
        size_t colon = index_of(user_info, ':');
        buf_append(out, user_info.p, colon);
        if (colon < user_info.n) {
            buf_append_char(out, ':');
            buf_append_str(out, HIDDEN);
        }
        buf_append_char(out, '@');
        url = slice_from(url, user_info.n + 1);
    }
    size_t question = index_of(url, '?');
    buf_append(out, url.p, question);
    if (question < url.n) {
        buf_append_char(out, '?');
        mask_query(slice_from(url, question + 1), out);
    }
}

static size_t spaces(struct slice text)
{
    size_t n = 0;
    while (n < text.n && isspace((unsigned char)text.p[n]))
        n++;
    return n;
}

/* Length of a value at the start of text, its quotes included; *whole is false for a quote that never closes. */
static size_t value_length(struct slice text, bool *whole)
{
    bool quoted = text.n > 0 && text.p[0] == '\'';
    size_t n = quoted;
    *whole = true;
    for (; n < text.n; n++) {
        if (text.p[n] == '\\' && n + 1 < text.n)
            n++;
        else if (quoted && text.p[n] == '\'')
            return n + 1;
        else if (!quoted && isspace((unsigned char)text.p[n]))
            return n;
    }
    *whole = !quoted;
    return n;
}

/* keyword = value pairs. */
static void mask_pairs(struct slice text, struct buf *out)
{
    for (;;) {
        size_t blank = spaces(text);
        buf_append(out, text.p, blank);
        text = slice_from(text, blank);
        if (text.n == 0)
            return;

        size_t name = 0;
        while (name < text.n && text.p[name] != '=' && !isspace((unsigned char)text.p[name]))
            name++;
        size_t equals = name + spaces(slice_from(text, name));
        if (equals == text.n || text.p[equals] != '=') {
            buf_append_str(out, HIDDEN);
            return;
        }
        size_t value = equals + 1 + spaces(slice_from(text, equals + 1));
        bool whole;
        size_t length = value_length(slice_from(text, value), &whole);
        buf_append(out, text.p, value);
        /* dbname may itself be a URI. */
        struct slice content = {text.p + value, length};
        if (!whole || names_password((struct slice){text.p, name}) || holds(content, "://"))
            buf_append_str(out, HIDDEN);
        else
            buf_append_slice(out, content);
        text = slice_from(text, value + length);
    }
}

void config_mask(struct slice secret, struct buf *out)
{
    size_t scheme = scheme_length(secret);
    if (scheme) {
        buf_append(out, secret.p, scheme);
        mask_url(slice_from(secret, scheme), out);
    } else if (secret.n && index_of(secret, '=') < secret.n) {
        mask_pairs(secret, out);
    } else if (secret.n) {
        buf_append_str(out, HIDDEN);
    }
}
