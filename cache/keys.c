#include "cache/keys.h"

#include <math.h>

#define TTL(class_, factor) CACHE_TTL_##class_, factor
#define FEED_TTL(factor) CACHE_TTL_FEED, factor
#define FIXED_TTL(seconds) CACHE_TTL_FIXED, seconds
#define NO_TTL CACHE_TTL_NONE, 0

const struct cache_key_row cache_key_rows[] = {
#define KEY0(name, type, pattern, ...) {#name, pattern, {NULL}, CACHE_TYPE_##type, 0, {0}, __VA_ARGS__},
#define KEY1(name, type, pattern, kind, param, ...)                                                                    \
    {#name, pattern, {#param}, CACHE_TYPE_##type, 1, {CACHE_PARAM_##kind}, __VA_ARGS__},
#define KEY2(name, type, pattern, kind1, param1, kind2, param2, ...)                                                   \
    {#name, pattern, {#param1, #param2}, CACHE_TYPE_##type, 2, {CACHE_PARAM_##kind1, CACHE_PARAM_##kind2}, __VA_ARGS__},
#include "cache/keys.def"
#undef KEY0
#undef KEY1
#undef KEY2
};

struct feed_row {
    const char *name;
    enum cache_ttl_class ttl_class;
};

static const struct feed_row feeds[] = {
#define FEED(name, class_) {#name, CACHE_TTL_##class_},
#include "cache/feeds.def"
#undef FEED
};

static const int64_t default_ttl_s[CACHE_TTL_CLASSES] = {10, 60, 300};

const char *cache_feed_name(enum cache_feed feed)
{
    return feeds[feed].name;
}

bool cache_feed_parse(struct slice name, enum cache_feed *feed)
{
    for (unsigned i = 0; i < CACHE_FEED_COUNT; i++) {
        if (slice_is(name, feeds[i].name)) {
            *feed = (enum cache_feed)i;
            return true;
        }
    }
    return false;
}

const char *cache_type_name(enum cache_type type)
{
    static const char *const names[] = {"string", "hash", "list", "zset", "stream", "none"};
    return names[type];
}

const char *cache_ttl_class_name(enum cache_ttl_class ttl_class)
{
    static const char *const names[] = {"short", "medium", "long", "feed", "fixed", "none"};
    return names[ttl_class];
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trim(struct slice s)
{
    while (s.n && is_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool prefix_add(struct cache_space *space, struct slice part, struct err *err)
{
    for (size_t i = 0; i < part.n; i++)
        if (!is_alnum(part.p[i]) && (part.p[i] == '\0' || !strchr("._~@+=-{}", part.p[i])))
            return err_set(err, ERR_INVALID, "a prefix takes letters, digits, ':' and ._~@+=-{} alone");
    size_t colon = space->prefix_length > 0;
    if (space->prefix_length + colon + part.n > CACHE_PREFIX_MAX)
        return err_set(err, ERR_INVALID, "a prefix has %d characters at most", CACHE_PREFIX_MAX);
    if (colon)
        space->prefix[space->prefix_length++] = ':';
    memcpy(space->prefix + space->prefix_length, part.p, part.n);
    space->prefix_length += part.n;
    return true;
}

bool cache_space_init(struct cache_space *space, struct slice prefix, const int64_t ttl_s[CACHE_TTL_CLASSES],
                      struct err *err)
{
    *space = (struct cache_space){.prefix_length = 0};
    while (prefix.n) {
        const char *colon = memchr(prefix.p, ':', prefix.n);
        size_t n = colon ? (size_t)(colon - prefix.p) : prefix.n;
        struct slice part = trim((struct slice){prefix.p, n});
        if (part.n && !prefix_add(space, part, err))
            return false;
        n += colon != NULL;
        prefix = (struct slice){prefix.p + n, prefix.n - n};
    }
    for (unsigned i = 0; i < CACHE_TTL_CLASSES; i++)
        space->ttl_s[i] = ttl_s[i] == 0 ? default_ttl_s[i] : ttl_s[i] < 0 ? -1 : ttl_s[i];
    return true;
}

/* ---- building ---- */

struct builder {
    char *at;
    char *end;
    bool overflow;
};

static void put(struct builder *b, char c)
{
    if (b->at < b->end)
        *b->at++ = c;
    else
        b->overflow = true;
}

static bool needs_escape(unsigned char c)
{
    return c <= ' ' || c >= 0x7f || strchr(":{}%*\"\\", c) != NULL;
}

static void put_escape(struct builder *b, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    put(b, '%');
    put(b, digits[c >> 4]);
    put(b, digits[c & 15]);
}

static void put_param(struct builder *b, struct slice value)
{
    if (value.n == 0) {
        put(b, '%');
        return;
    }
    bool reserved = slice_is(value, "all");
    for (size_t i = 0; i < value.n && !b->overflow; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (needs_escape(c) || (reserved && i == 0))
            put_escape(b, c);
        else
            put(b, (char)c);
    }
}

/* One step through a pattern: a literal character, or the place of a parameter. */
struct step {
    bool is_param;
    char literal;
};

static struct step next_step(const char **pattern)
{
    const char *p = *pattern;
    if (p[0] == '{' && p[1] != '{') { /* {name} */
        *pattern = strchr(p, '}') + 1;
        return (struct step){.is_param = true};
    }
    *pattern = p + 1; /* of {{name}} the outer braces are literal */
    return (struct step){.literal = p[0]};
}

static struct cache_key build(const struct cache_space *space, enum cache_key_id id,
                              const struct slice params[CACHE_MAX_PARAMS], enum cache_feed feed)
{
    struct cache_key key;
    struct builder b = {key.private_text, key.private_text + CACHE_KEY_MAX, false};
    key.private_id = (uint8_t)id;
    key.private_feed = (uint8_t)feed;
    memcpy(b.at, space->prefix, space->prefix_length);
    b.at += space->prefix_length;
    if (space->prefix_length)
        put(&b, ':');
    const char *pattern = cache_key_rows[id].pattern;
    unsigned param = 0;
    while (*pattern) {
        struct step step = next_step(&pattern);
        if (step.is_param && param < CACHE_MAX_PARAMS)
            put_param(&b, params[param++]);
        else
            put(&b, step.literal);
    }
    key.private_length = b.overflow ? 0 : (uint16_t)(b.at - key.private_text);
    key.private_text[key.private_length] = '\0';
    return key;
}

static const struct slice no_params[CACHE_MAX_PARAMS];

#define AS_SLICE_TEXT(param) (param)
#define AS_SLICE_FEED(param) slice_of(cache_feed_name(param))
#define AS_FEED_TEXT(param) CACHE_FEED_COUNT
#define AS_FEED_FEED(param) (param)
#define KEY0(name, ...)                                                                                                \
    struct cache_key cache_key_##name(const struct cache_space *space)                                                 \
    {                                                                                                                  \
        return build(space, CACHE_KEY_##name, no_params, CACHE_FEED_COUNT);                                            \
    }
#define KEY1(name, type, pattern, kind, param, ...)                                                                    \
    struct cache_key cache_key_##name(const struct cache_space *space, CACHE_CTYPE_##kind param)                       \
    {                                                                                                                  \
        const struct slice params[CACHE_MAX_PARAMS] = {AS_SLICE_##kind(param)};                                        \
        return build(space, CACHE_KEY_##name, params, AS_FEED_##kind(param));                                          \
    }
#define KEY2(name, type, pattern, kind1, param1, kind2, param2, ...)                                                   \
    struct cache_key cache_key_##name(const struct cache_space *space, CACHE_CTYPE_##kind1 param1,                     \
                                      CACHE_CTYPE_##kind2 param2)                                                      \
    {                                                                                                                  \
        const struct slice params[CACHE_MAX_PARAMS] = {AS_SLICE_##kind1(param1), AS_SLICE_##kind2(param2)};            \
        return build(space, CACHE_KEY_##name, params, AS_FEED_##kind1(param1));                                        \
    }
#include "cache/keys.def"
#undef KEY0
#undef KEY1
#undef KEY2

/* ---- lifetimes ---- */

/* base over 0, or -1. */
static int64_t multiply(int64_t base_s, double factor)
{
    if (base_s < 0)
        return -1;
    double seconds = ceil((double)base_s * factor);
    return seconds >= (double)(INT64_MAX / 2000) ? INT64_MAX / 2 : (int64_t)seconds * 1000;
}

int64_t cache_feed_ttl_ms(const struct cache_space *space, enum cache_feed feed)
{
    return multiply(space->ttl_s[feeds[feed].ttl_class], 1);
}

int64_t cache_key_ttl_ms(const struct cache_space *space, const struct cache_key *key)
{
    const struct cache_key_row *row = &cache_key_rows[key->private_id];
    switch (row->ttl_class) {
    case CACHE_TTL_SHORT:
    case CACHE_TTL_MEDIUM:
    case CACHE_TTL_LONG:
        return multiply(space->ttl_s[row->ttl_class], row->ttl_factor);
    case CACHE_TTL_FEED:
        return multiply(space->ttl_s[feeds[key->private_feed].ttl_class], row->ttl_factor);
    case CACHE_TTL_FIXED:
        return (int64_t)row->ttl_factor * 1000;
    case CACHE_TTL_NONE:
        break;
    }
    return 0;
}

/* ---- reading back ---- */

static int upper_hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes what put_param can have put from the front of *text; the exact form is checked afterwards by building. */
static void take_param(struct slice *text, char **out, struct slice *value)
{
    *value = (struct slice){*out, 0};
    while (text->n && !strchr(":{}", text->p[0])) {
        size_t taken = 1;
        char c = text->p[0];
        bool empty = false;
        if (c == '%') {
            int high = text->n > 2 ? upper_hex_value(text->p[1]) : -1;
            int low = high >= 0 ? upper_hex_value(text->p[2]) : -1;
            empty = low < 0;
            taken = empty ? 1 : 3;
            c = (char)(high * 16 + low);
        }
        if (!empty)
            *(*out)++ = c;
        *text = (struct slice){text->p + taken, text->n - taken};
    }
    value->n = (size_t)(*out - value->p);
}

static bool matches(struct slice text, enum cache_key_id id, struct cache_key_parts *parts, enum cache_feed *feed)
{
    const struct cache_key_row *row = &cache_key_rows[id];
    const char *pattern = row->pattern;
    char *out = parts->text;
    unsigned param = 0;
    parts->id = id;
    parts->params[0] = parts->params[1] = (struct slice){NULL, 0};
    while (*pattern) {
        struct step step = next_step(&pattern);
        if (!step.is_param) {
            if (text.n == 0 || text.p[0] != step.literal)
                return false;
            text = (struct slice){text.p + 1, text.n - 1};
            continue;
        }
        if (param == CACHE_MAX_PARAMS)
            return false;
        take_param(&text, &out, &parts->params[param]);
        if (row->param_kinds[param] == CACHE_PARAM_FEED && !cache_feed_parse(parts->params[param], feed))
            return false;
        param++;
    }
    return text.n == 0;
}

bool cache_key_parse(const struct cache_space *space, struct slice text, struct cache_key *key,
                     struct cache_key_parts *parts)
{
    struct cache_key_parts own;
    struct cache_key_parts *to = parts ? parts : &own;
    struct slice rest = text;
    if (text.n > CACHE_KEY_MAX)
        return false;
    if (space->prefix_length) {
        size_t n = space->prefix_length;
        if (text.n <= n || memcmp(text.p, space->prefix, n) != 0 || text.p[n] != ':')
            return false;
        rest = (struct slice){text.p + n + 1, text.n - n - 1};
    }
    for (unsigned id = 0; id < CACHE_KEY_COUNT; id++) {
        enum cache_feed feed = CACHE_FEED_COUNT;
        if (!matches(rest, (enum cache_key_id)id, to, &feed))
            continue;
        *key = build(space, (enum cache_key_id)id, to->params, feed);
        if (slice_equal(cache_key_text(key), text))
            return true;
    }
    return false;
}
