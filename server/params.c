#include "server/params.h"

#include "base/num.h"
#include "server/percent.h"

#include <stdarg.h>
#include <stdio.h>

static __attribute__((format(printf, 3, 0))) void fault_fill(struct param_fault *fault, const char *param,
                                                             const char *format, va_list arguments)
{
    fault->param = param;
    (void)vsnprintf(fault->message, sizeof fault->message, format, arguments);
}

bool params_fault(struct param_fault *fault, const char *param, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fault_fill(fault, param, format, arguments);
    va_end(arguments);
    return false;
}

/* The length of the UTF-8 sequence that begins at p (RFC 3629: shortest form, no surrogates, up to U+10FFFF), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : p[0] >= 0xE0 && p[0] <= 0xEF ? 3 : 0;
    if (p[0] >= 0xF0 && p[0] <= 0xF4)
        length = 4;
    if (length == 0 || n < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    bool outside = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
                   (p[0] == 0xF4 && p[1] > 0x8F);
    return outside ? 0 : length;
}

/* U+0000 to U+001F, U+007F, and U+0080 to U+009F, which UTF-8 spells C2 80 to C2 9F. */
static bool is_control(const unsigned char *p, size_t length)
{
    return (length == 1 && (p[0] < 0x20 || p[0] == 0x7F)) || (length == 2 && p[0] == 0xC2 && p[1] < 0xA0);
}

static bool text_ok(struct slice text, size_t max)
{
    if (text.n == 0 || text.n > max)
        return false;
    const unsigned char *p = (const unsigned char *)text.p;
    for (size_t i = 0; i < text.n;) {
        size_t length = utf8_sequence(p + i, text.n - i);
        if (length == 0 || is_control(p + i, length))
            return false;
        i += length;
    }
    return true;
}

bool params_model_id_ok(struct slice text)
{
    return text_ok(text, MODEL_ID_MAX);
}

static bool read_integer(const struct param_spec *spec, struct slice value, int64_t *out, struct param_fault *fault)
{
    int64_t number = 0;
    if (num_parse_i64(value, &number) && number >= spec->min && number <= spec->max) {
        *out = number;
        return true;
    }
    if (spec->max == INT64_MAX)
        return params_fault(fault, spec->name, "%s must be an integer of at least %lld", spec->name,
                            (long long)spec->min);
    return params_fault(fault, spec->name, "%s must be an integer from %lld to %lld", spec->name, (long long)spec->min,
                        (long long)spec->max);
}

static bool read_cursor(const struct param_spec *spec, struct slice value, struct trade_cursor *cursor,
                        struct param_fault *fault)
{
    double seconds = 0;
    if (num_parse_double(value, &seconds)) {
        *cursor = (struct trade_cursor){.kind = CURSOR_TIME, .exit_time_s = seconds};
        return true;
    }
    if (!text_ok(value, TRADE_ID_MAX))
        return params_fault(fault, spec->name,
                            "%s must be an exit time in seconds or a trade's id of at most %d bytes of UTF-8",
                            spec->name, TRADE_ID_MAX);
    *cursor = (struct trade_cursor){.kind = CURSOR_ID, .id = value};
    return true;
}

static bool read_value(const struct param_spec *spec, struct slice value, struct read_query *query,
                       struct param_fault *fault)
{
    switch (spec->kind) {
    case PARAM_MIN_MARKER:
        query->has_min_marker = true;
        return read_integer(spec, value, &query->min_marker, fault);
    case PARAM_LIMIT:
        return read_integer(spec, value, &query->limit, fault);
    case PARAM_MODEL_ID:
        if (!params_model_id_ok(value))
            return params_fault(fault, spec->name, "%s must be 1 to %d bytes of UTF-8 without control characters",
                                spec->name, MODEL_ID_MAX);
        query->model_id = value;
        return true;
    case PARAM_BEFORE:
        return read_cursor(spec, value, &query->before, fault);
    case PARAM_AFTER:
        return read_cursor(spec, value, &query->after, fault);
    }
    return params_fault(fault, spec->name, "%s cannot be read", spec->name);
}

static const struct param_spec *find_spec(const struct param_spec *specs, struct slice name)
{
    for (; specs->name; specs++) {
        if (slice_is(name, specs->name))
            return specs;
    }
    return NULL;
}

bool params_next(struct slice *raw, struct arena *arena, struct slice *name, struct slice *value,
                 struct param_fault *fault)
{
    struct slice pair = {NULL, 0};
    while (raw->n && pair.n == 0) {
        const char *ampersand = memchr(raw->p, '&', raw->n);
        pair = (struct slice){raw->p, ampersand ? (size_t)(ampersand - raw->p) : raw->n};
        size_t taken = pair.n + (ampersand ? 1 : 0);
        *raw = (struct slice){raw->p + taken, raw->n - taken};
    }
    fault->message[0] = '\0';
    if (pair.n == 0)
        return false;
    const char *equals = memchr(pair.p, '=', pair.n);
    *name = (struct slice){pair.p, equals ? (size_t)(equals - pair.p) : pair.n};
    *value = equals ? (struct slice){equals + 1, pair.n - name->n - 1} : (struct slice){pair.p + pair.n, 0};
    if (!percent_decode(*name, true, arena, name))
        return params_fault(fault, NULL, "the query string has a broken percent-escape");
    return true;
}

bool params_read(const struct param_spec *specs, struct slice raw, struct arena *arena, struct read_query *query,
                 struct param_fault *fault)
{
    unsigned seen = 0;
    struct slice name;
    struct slice value;
    while (params_next(&raw, arena, &name, &value, fault)) {
        const struct param_spec *spec = find_spec(specs, name);
        if (!spec)
            continue;
        if (!percent_decode(value, true, arena, &value))
            return params_fault(fault, spec->name, "%s has a broken percent-escape", spec->name);
        if (seen & 1U << spec->kind)
            return params_fault(fault, spec->name, "%s is given more than once", spec->name);
        seen |= 1U << spec->kind;
        if (!read_value(spec, value, query, fault))
            return false;
    }
    return fault->message[0] == '\0';
}
