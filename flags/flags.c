#include "flags/flags.h"

#include <inttypes.h>
#include <xxhash.h>

static const struct {
    const char *name;
    const char *about;
    enum flag_kind kind;
} rows[FLAG_COUNT] = {
#define FLAG_READ(symbol, name_, about_) [FLAG_##symbol] = {(name_), (about_), FLAG_KIND_READ},
#define FLAG_SWITCH(symbol, name_, about_) [FLAG_##symbol] = {(name_), (about_), FLAG_KIND_SWITCH},
#include "flags/flags.def"
#undef FLAG_READ
#undef FLAG_SWITCH
};

const char *flag_name(enum flag flag)
{
    return rows[flag].name;
}

const char *flag_about(enum flag flag)
{
    return rows[flag].about;
}

enum flag_kind flag_kind(enum flag flag)
{
    return rows[flag].kind;
}

enum flag flag_find(struct slice name)
{
    enum flag flag = 0;
    while (flag < FLAG_COUNT && !slice_is(name, rows[flag].name))
        flag++;
    return flag;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "5", "0.25", "100.00" in hundredths of a percent; 0 when it is no percentage above 0 and up to 100. */
static uint32_t parse_share(struct slice text)
{
    uint32_t share = 0;
    size_t at = 0;
    while (at < text.n && at < 3 && is_digit(text.p[at]))
        share = share * 10 + (uint32_t)(text.p[at++] - '0');
    if (at == 0 || (at > 1 && text.p[0] == '0'))
        return 0;
    share *= 100;
    if (at < text.n) {
        size_t decimals = text.n - at - 1;
        if (text.p[at] != '.' || decimals < 1 || decimals > 2)
            return 0;
        for (uint32_t unit = 10; ++at < text.n; unit /= 10) {
            if (!is_digit(text.p[at]))
                return 0;
            share += unit * (uint32_t)(text.p[at] - '0');
        }
    }
    return share <= FLAG_SHARE_WHOLE ? share : 0;
}

static bool parse_read(struct slice text, struct flag_value *value)
{
    static const char canary[] = "canary:";
    enum { CANARY_LENGTH = sizeof canary - 1 };
    if (slice_is(text, "legacy")) {
        value->mode = FLAG_LEGACY;
        return true;
    }
    if (slice_is(text, "shadow")) {
        value->mode = FLAG_SHADOW;
        return true;
    }
    if (slice_is(text, "repo")) {
        value->mode = FLAG_REPO;
        return true;
    }
    if (text.n <= CANARY_LENGTH || memcmp(text.p, canary, CANARY_LENGTH) != 0)
        return false;
    value->mode = FLAG_CANARY;
    value->share = parse_share((struct slice){text.p + CANARY_LENGTH, text.n - CANARY_LENGTH});
    return value->share != 0;
}

bool flag_value_parse(enum flag flag, struct slice text, struct flag_value *value, struct err *err)
{
    enum { SHOWN = 40 };
    struct flag_value read = {.mode = FLAG_LEGACY};
    bool is_read = rows[flag].kind == FLAG_KIND_READ;
    bool good = is_read ? parse_read(text, &read) : slice_is(text, "on") || slice_is(text, "off");
    if (!good) {
        /* The text comes from people and from tables: a terminal shall not obey it. */
        char shown[SHOWN + 1] = "";
        size_t n = text.n < SHOWN ? text.n : SHOWN;
        for (size_t i = 0; i < n; i++)
            shown[i] = text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?';
        return err_set(err, ERR_INVALID, "%s: \"%s%s\" is no value: %s", rows[flag].name, shown,
                       text.n > SHOWN ? "..." : "",
                       is_read ? "legacy, shadow, canary:N (percent, above 0 and up to 100, at most two decimals) or "
                                 "repo"
                               : "on or off");
    }
    read.on = !is_read && slice_is(text, "on");
    *value = read;
    return true;
}

static void put_share(struct buf *out, uint32_t share)
{
    buf_printf(out, "%" PRIu32, share / 100);
    if (share % 100)
        buf_printf(out, share % 10 ? ".%02" PRIu32 : ".%" PRIu32, share % 10 ? share % 100 : share % 100 / 10);
}

void flag_value_put(struct buf *out, enum flag flag, struct flag_value value)
{
    static const char *const modes[] = {
        [FLAG_LEGACY] = "legacy", [FLAG_SHADOW] = "shadow", [FLAG_CANARY] = "canary:", [FLAG_REPO] = "repo"};
    if (rows[flag].kind == FLAG_KIND_SWITCH) {
        buf_append_str(out, value.on ? "on" : "off");
        return;
    }
    buf_append_str(out, modes[value.mode]);
    if (value.mode == FLAG_CANARY)
        put_share(out, value.share);
}

bool flag_value_equal(struct flag_value a, struct flag_value b)
{
    return a.mode == b.mode && a.share == b.share && a.on == b.on;
}

uint32_t flag_bucket(struct slice client_key)
{
    uint64_t high = XXH3_64bits(client_key.p ? client_key.p : "", client_key.n) >> 32;
    return (uint32_t)(high * FLAG_SHARE_WHOLE >> 32);
}

const char *flag_source_name(enum flag_source source)
{
    static const char *const names[] = {[FLAG_FROM_CONFIG] = "config",
                                        [FLAG_FROM_STORE] = "store",
                                        [FLAG_FROM_FALLBACK] = "fallback",
                                        [FLAG_FROM_ENVIRONMENT] = "environment"};
    return names[source];
}
