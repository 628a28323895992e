/* The names in Redis. Every one is a row of cache/keys.def and is made by that row's builder; what takes a key takes a
 * struct cache_key, so that a text spelled by hand does not compile.
 *
 * A parameter may be any bytes: what could end its place or harm a terminal (':' '{' '}' '%' '*' '"' '\', spaces,
 * control characters, everything beyond ASCII) stands as %XX, an empty one as a single '%', and the word "all", which
 * patterns use themselves, as "%61ll". Different parameters therefore give different keys, and a key can be read back.
 */
#ifndef NOF0_CACHE_KEYS_H
#define NOF0_CACHE_KEYS_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum cache_feed {
#define FEED(name, class_) CACHE_FEED_##name,
#include "cache/feeds.def"
#undef FEED
    CACHE_FEED_COUNT
};

const char *cache_feed_name(enum cache_feed feed);
bool cache_feed_parse(struct slice name, enum cache_feed *feed);

enum cache_key_id {
#define KEY0(name, ...) CACHE_KEY_##name,
#define KEY1(name, ...) CACHE_KEY_##name,
#define KEY2(name, ...) CACHE_KEY_##name,
#include "cache/keys.def"
#undef KEY0
#undef KEY1
#undef KEY2
    CACHE_KEY_COUNT
};

enum cache_type {
    CACHE_TYPE_STRING,
    CACHE_TYPE_HASH,
    CACHE_TYPE_LIST,
    CACHE_TYPE_ZSET,
    CACHE_TYPE_STREAM,
    CACHE_TYPE_CHANNEL
};

/* The classes of the settings, then what does not come from them. */
enum cache_ttl_class {
    CACHE_TTL_SHORT,
    CACHE_TTL_MEDIUM,
    CACHE_TTL_LONG,
    CACHE_TTL_FEED,  /* the class of the key's feed */
    CACHE_TTL_FIXED, /* factor is the seconds */
    CACHE_TTL_NONE
};
enum { CACHE_TTL_CLASSES = CACHE_TTL_LONG + 1 };

enum cache_param { CACHE_PARAM_TEXT, CACHE_PARAM_FEED };
enum { CACHE_MAX_PARAMS = 2 };

struct cache_key_row {
    const char *name;
    const char *pattern;
    const char *param_names[CACHE_MAX_PARAMS];
    enum cache_type type;
    unsigned param_count;
    enum cache_param param_kinds[CACHE_MAX_PARAMS];
    enum cache_ttl_class ttl_class;
    double ttl_factor;
    const char *value;
    const char *source;
    const char *writer;
    const char *invalidated;
    const char *eviction;
};

/* CACHE_KEY_COUNT rows in the order of keys.def. */
extern const struct cache_key_row cache_key_rows[];

/* As the TYPE command names it ("none" for a channel). */
const char *cache_type_name(enum cache_type type);
const char *cache_ttl_class_name(enum cache_ttl_class ttl_class);

enum { CACHE_PREFIX_MAX = 64, CACHE_KEY_MAX = 440 };

/* What all keys of one configuration share. Fill with cache_space_init. */
struct cache_space {
    char prefix[CACHE_PREFIX_MAX + 1]; /* without the ':' behind it; may be empty */
    size_t prefix_length;
    int64_t ttl_s[CACHE_TTL_CLASSES]; /* over 0, or -1: disabled */
};

/* The prefix's parts (between ':') are trimmed and blank ones left out, so " nof0 : " is "nof0". ERR_INVALID when it is
 * longer than CACHE_PREFIX_MAX or has other characters than letters, digits and . _ ~ @ + = - { }. Braces make Redis
 * Cluster put all keys into one slot. ttl_s: seconds by class; 0 is the default (10, 60, 300), below 0 disables. */
bool cache_space_init(struct cache_space *space, struct slice prefix, const int64_t ttl_s[CACHE_TTL_CLASSES],
                      struct err *err) MUST_CHECK;

/* A name in Redis. Only builders and cache_key_parse make one; read it with the functions below. */
struct cache_key {
    char private_text[CACHE_KEY_MAX + 1];
    uint16_t private_length; /* 0: the parameters were too long for a key */
    uint8_t private_id;
    uint8_t private_feed; /* CACHE_FEED_COUNT: has none */
};

#define CACHE_CTYPE_TEXT struct slice
#define CACHE_CTYPE_FEED enum cache_feed
#define KEY0(name, ...) struct cache_key cache_key_##name(const struct cache_space *space);
#define KEY1(name, type, pattern, kind, param, ...)                                                                    \
    struct cache_key cache_key_##name(const struct cache_space *space, CACHE_CTYPE_##kind param);
#define KEY2(name, type, pattern, kind1, param1, kind2, param2, ...)                                                   \
    struct cache_key cache_key_##name(const struct cache_space *space, CACHE_CTYPE_##kind1 param1,                     \
                                      CACHE_CTYPE_##kind2 param2);
#include "cache/keys.def"
#undef KEY0
#undef KEY1
#undef KEY2

/* False when the parameters were too long: such a key is never sent, its reads are misses, its writes do nothing. */
static inline bool cache_key_is_good(const struct cache_key *key)
{
    return key->private_length != 0;
}

/* The name with its prefix, NUL-terminated behind; lives as long as the key. */
static inline struct slice cache_key_text(const struct cache_key *key)
{
    return (struct slice){key->private_text, key->private_length};
}

static inline enum cache_key_id cache_key_id(const struct cache_key *key)
{
    return (enum cache_key_id)key->private_id;
}

/* Only for keys of rows with a FEED parameter. */
static inline enum cache_feed cache_key_feed(const struct cache_key *key)
{
    return (enum cache_feed)key->private_feed;
}

/* How long a value under the key may live: milliseconds over 0; 0 for ever; -1 not at all, its class is disabled.
 * Whole seconds, rounded up. */
int64_t cache_key_ttl_ms(const struct cache_space *space, const struct cache_key *key);

/* How long a document of the feed is fresh: the feed's class; milliseconds over 0, or -1. */
int64_t cache_feed_ttl_ms(const struct cache_space *space, enum cache_feed feed);

/* A key taken apart. */
struct cache_key_parts {
    enum cache_key_id id;
    struct slice params[CACHE_MAX_PARAMS]; /* in `text`, unescaped */
    char text[CACHE_KEY_MAX];
};

/* Whether the text is exactly what some builder makes in this space. Fills both when it is; parts may be NULL. */
bool cache_key_parse(const struct cache_space *space, struct slice text, struct cache_key *key,
                     struct cache_key_parts *parts);

#endif
