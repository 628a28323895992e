#include "base/config.h"

#include "base/config_row.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdlib.h>

/* Enums are stored through an int, whatever the compiler made of their type. */
enum probe { PROBE };
_Static_assert(sizeof(enum probe) == sizeof(int), "an enum is as wide as an int");

static char **text_at(const struct config_row *row, void *values)
{
    return (char **)(void *)((char *)values + row->offset);
}

static const char *text_of(const struct config_row *row, const void *values)
{
    const char *text;
    memcpy(&text, (const char *)values + row->offset, sizeof text);
    return text ? text : "";
}

static int64_t int_of(const struct config_row *row, const void *values)
{
    int64_t value;
    memcpy(&value, (const char *)values + row->offset, sizeof value);
    return value;
}

static double share_of(const struct config_row *row, const void *values)
{
    double value;
    memcpy(&value, (const char *)values + row->offset, sizeof value);
    return value;
}

static bool bool_of(const struct config_row *row, const void *values)
{
    bool value;
    memcpy(&value, (const char *)values + row->offset, sizeof value);
    return value;
}

static int enum_of(const struct config_row *row, const void *values)
{
    int value;
    memcpy(&value, (const char *)values + row->offset, sizeof value);
    return value;
}

static bool is_text(const struct config_row *row)
{
    return row->type == CONFIG_TEXT || row->type == CONFIG_SECRET;
}

void config_put_safely(struct buf *out, struct slice text)
{
    enum { LONGEST = 80 };
    size_t shown = 0;
    while (text.n > 0) {
        uint32_t code_point;
        size_t n = config_utf8_next(text, &code_point);
        if (shown + (n ? n : 1) > LONGEST) {
            buf_append_str(out, "...");
            return;
        }
        if (n == 0 || code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0)) {
            buf_append_char(out, '?');
            n = 1;
        } else {
            buf_append(out, text.p, n);
        }
        shown += n;
        text.p += n;
        text.n -= n;
    }
}

static bool set_text(const struct config_row *row, struct slice text, void *into, struct buf *what)
{
    for (struct slice rest = text; rest.n > 0;) {
        uint32_t code_point;
        size_t n = config_utf8_next(rest, &code_point);
        if (n == 0 || code_point == 0) {
            buf_append_str(what, n ? "holds a NUL character" : "is not UTF-8");
            return false;
        }
        rest.p += n;
        rest.n -= n;
    }
    *text_at(row, into) = mem_strndup(text.p, text.n);
    return true;
}

static bool set_int(const struct config_row *row, struct slice text, void *into, struct buf *what)
{
    int64_t value;
    if (!num_parse_i64(text, &value)) {
        buf_append_str(what, "is \"");
        config_put_safely(what, text);
        buf_append_str(what, row->type == CONFIG_MS ? "\", not a whole number of milliseconds" : "\", not an integer");
        return false;
    }
    if (value < row->least || value > row->most) {
        bool low = value < row->least;
        buf_printf(what, "is %" PRId64 ", %s than %" PRId64, value, low ? "less" : "more",
                   low ? row->least : row->most);
        return false;
    }
    memcpy((char *)into + row->offset, &value, sizeof value);
    return true;
}

static bool set_share(const struct config_row *row, struct slice text, void *into, struct buf *what)
{
    double value;
    if (!num_parse_double(text, &value) || !(value >= 0 && value <= 1)) {
        buf_append_str(what, "is \"");
        config_put_safely(what, text);
        buf_append_str(what, "\", not a number from 0 to 1");
        return false;
    }
    value += 0.0; /* no negative zero */
    memcpy((char *)into + row->offset, &value, sizeof value);
    return true;
}

static bool set_bool(const struct config_row *row, struct slice text, void *into, struct buf *what)
{
    bool value = slice_is(text, "true");
    if (!value && !slice_is(text, "false")) {
        buf_append_str(what, "is \"");
        config_put_safely(what, text);
        buf_append_str(what, "\", not true or false");
        return false;
    }
    memcpy((char *)into + row->offset, &value, sizeof value);
    return true;
}

static bool set_enum(const struct config_row *row, struct slice text, void *into, struct buf *what)
{
    for (int i = 0; row->names[i]; i++) {
        if (slice_is(text, row->names[i])) {
            memcpy((char *)into + row->offset, &i, sizeof i);
            return true;
        }
    }
    buf_append_str(what, "is \"");
    config_put_safely(what, text);
    buf_append_str(what, "\", not one of");
    for (size_t i = 0; row->names[i]; i++)
        buf_printf(what, "%s %s", i ? "," : "", row->names[i]);
    return false;
}

bool config_row_set(const struct config_row *row, struct slice text, void *into, struct buf *what)
{
    switch (row->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        return set_text(row, text, into, what);
    case CONFIG_INT:
    case CONFIG_MS:
        return set_int(row, text, into, what);
    case CONFIG_SHARE:
        return set_share(row, text, into, what);
    case CONFIG_BOOL:
        return set_bool(row, text, into, what);
    case CONFIG_ENUM:
        return set_enum(row, text, into, what);
    }
    return false;
}

const char *config_environment(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

bool config_load(const struct config_table *table, const char *path, void *into, struct buf *faults)
{
    struct buf content = BUF_INIT;
    struct err err = ERR_INIT;
    bool good = file_read(path, CONFIG_MAX_BYTES, &content, &err);
    if (good)
        good = config_parse(table, buf_slice(&content), path, config_environment, NULL, into, faults);
    else
        buf_printf(faults, "%s\n", err.text);
    buf_free(&content);
    return good;
}

void config_release(const struct config_table *table, void *values)
{
    for (size_t i = 0; i < table->row_count; i++) {
        if (is_text(&table->rows[i])) {
            free(*text_at(&table->rows[i], values));
            *text_at(&table->rows[i], values) = NULL;
        }
    }
}

bool config_row_equal(const struct config_row *row, const void *a, const void *b)
{
    switch (row->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        return strcmp(text_of(row, a), text_of(row, b)) == 0;
    case CONFIG_INT:
    case CONFIG_MS:
        return int_of(row, a) == int_of(row, b);
    case CONFIG_SHARE:
        return num_same_double(share_of(row, a), share_of(row, b));
    case CONFIG_BOOL:
        return bool_of(row, a) == bool_of(row, b);
    case CONFIG_ENUM:
        return enum_of(row, a) == enum_of(row, b);
    }
    return false;
}

/* Characters that a double-quoted YAML scalar may hold as they are, and that no reader folds or drops. */
static bool is_plain_in_yaml(uint32_t code_point)
{
    if (code_point < 0xa0)
        return code_point >= 0x20 && code_point < 0x7f && code_point != '"' && code_point != '\\';
    return code_point != 0x2028 && code_point != 0x2029 && code_point != 0xfeff && code_point != 0xfffe &&
           code_point != 0xffff;
}

static void put_quoted(struct buf *out, struct slice text)
{
    buf_append_char(out, '"');
    while (text.n > 0) {
        uint32_t code_point;
        size_t n = config_utf8_next(text, &code_point);
        if (n == 0) /* cannot be: values are UTF-8 */
            break;
        if (code_point == '$' && text.n > 1 && text.p[1] == '{')
            buf_append_char(out, '$');
        if (is_plain_in_yaml(code_point))
            buf_append(out, text.p, n);
        else if (code_point == '"' || code_point == '\\')
            buf_printf(out, "\\%c", (char)code_point);
        else
            buf_printf(out, "\\u%04" PRIX32, code_point);
        text.p += n;
        text.n -= n;
    }
    buf_append_char(out, '"');
}

static void print_value(const struct config_row *row, const void *values, struct buf *out)
{
    switch (row->type) {
    case CONFIG_TEXT:
        put_quoted(out, slice_of(text_of(row, values)));
        break;
    case CONFIG_SECRET: {
        struct buf masked = BUF_INIT;
        config_mask(slice_of(text_of(row, values)), &masked);
        put_quoted(out, buf_slice(&masked));
        buf_free(&masked);
        break;
    }
    case CONFIG_INT:
    case CONFIG_MS:
        buf_printf(out, "%" PRId64, int_of(row, values));
        break;
    case CONFIG_SHARE: {
        char digits[NUM_TEXT_SIZE];
        buf_append(out, digits, num_format_double(digits, share_of(row, values)));
        break;
    }
    case CONFIG_BOOL:
        buf_append_str(out, bool_of(row, values) ? "true" : "false");
        break;
    case CONFIG_ENUM:
        buf_append_str(out, row->names[enum_of(row, values)]);
        break;
    }
}

void config_print(const struct config_table *table, const void *values, struct buf *out)
{
    const char *above = "";
    for (size_t i = 0; i < table->row_count; i++) {
        const char *key = table->rows[i].key;
        const char *part = key;
        int depth = 0;
        for (const char *dot; (dot = strchr(part, '.')); part = dot + 1, depth++) {
            size_t through = (size_t)(dot + 1 - key);
            if (strncmp(above, key, through) != 0)
                buf_printf(out, "%*s%.*s:\n", depth * 2, "", (int)(dot - part), part);
        }
        buf_printf(out, "%*s%s: ", depth * 2, "", part);
        print_value(&table->rows[i], values, out);
        buf_append_char(out, '\n');
        above = key;
    }
}
