#include "base/json_write.h"

#include "base/num.h"

#include <cjson/cJSON.h>
#include <math.h>

void json_put_string(struct buf *out, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    /* The letter behind the backslash; 'u' for the long form; 0 for bytes that stand as they are. */
    static const char escapes[256] = {
        [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u', [0x04] = 'u', [0x05] = 'u',  [0x06] = 'u',
        [0x07] = 'u', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [0x0B] = 'u', ['\f'] = 'f',  ['\r'] = 'r',
        [0x0E] = 'u', [0x0F] = 'u', [0x10] = 'u', [0x11] = 'u', [0x12] = 'u', [0x13] = 'u',  [0x14] = 'u',
        [0x15] = 'u', [0x16] = 'u', [0x17] = 'u', [0x18] = 'u', [0x19] = 'u', [0x1A] = 'u',  [0x1B] = 'u',
        [0x1C] = 'u', [0x1D] = 'u', [0x1E] = 'u', [0x1F] = 'u', ['"'] = '"',  ['\\'] = '\\',
    };
    buf_reserve(out, text.n + 2);
    buf_append_char(out, '"');
    size_t plain = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char byte = (unsigned char)text.p[i];
        char escape = escapes[byte];
        if (!escape)
            continue;
        buf_append(out, text.p + plain, i - plain);
        plain = i + 1;
        if (escape == 'u')
            buf_append(out, (const char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
        else
            buf_append(out, (const char[]){'\\', escape}, 2);
    }
    if (plain < text.n)
        buf_append(out, text.p + plain, text.n - plain);
    buf_append_char(out, '"');
}

/* "12345000...0" as "1.2345e+n". */
static void put_with_exponent(struct buf *out, const char *digits, size_t count)
{
    size_t significant = count;
    while (digits[significant - 1] == '0')
        significant--;
    buf_append_char(out, digits[0]);
    if (significant > 1) {
        buf_append_char(out, '.');
        buf_append(out, digits + 1, significant - 1);
    }
    buf_append_str(out, "e+");
    json_put_i64(out, (int64_t)count - 1);
}

void json_put_double(struct buf *out, double value)
{
    char *text = buf_reserve(out, NUM_TEXT_SIZE);
    size_t n = num_format_double(text, value);
    if (fabs(value) <= (double)NUM_EXACT_INTEGER_MAX || memchr(text, 'e', n)) {
        out->len += n;
        return;
    }
    char digits[NUM_TEXT_SIZE];
    size_t sign = text[0] == '-';
    memcpy(digits, text + sign, n - sign);
    out->len += sign;
    put_with_exponent(out, digits, n - sign);
}

void json_put_i64(struct buf *out, int64_t value)
{
    out->len += num_format_i64(buf_reserve(out, NUM_TEXT_SIZE), value);
}

void json_put_bool(struct buf *out, bool value)
{
    buf_append_str(out, value ? "true" : "false");
}

/* The end of the string that begins at `p` with its quote, behind the closing one. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\')
            p++;
    }
    return p < end ? p + 1 : end;
}

void json_put_compact(struct buf *out, struct slice json)
{
    char *to = buf_reserve(out, json.n);
    const char *p = json.p;
    const char *end = json.p + json.n;
    while (p < end) {
        if (*p == '"') {
            const char *next = string_end(p, end);
            memcpy(to, p, (size_t)(next - p));
            to += next - p;
            p = next;
        } else {
            if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
                *to++ = *p;
            p++;
        }
    }
    out->len = (size_t)(to - out->data);
}

void json_put_null(struct buf *out)
{
    buf_append(out, "null", 4);
}

static void put_children(struct buf *out, const cJSON *parent)
{
    bool is_object = cJSON_IsObject(parent);
    buf_append_char(out, is_object ? '{' : '[');
    for (const cJSON *child = parent->child; child; child = child->next) {
        if (child != parent->child)
            buf_append_char(out, ',');
        if (is_object) {
            json_put_string(out, slice_of(child->string));
            buf_append_char(out, ':');
        }
        json_put_cjson(out, child);
    }
    buf_append_char(out, is_object ? '}' : ']');
}

/* Deep as the tree is, which json_parse bounds by JSON_MAX_DEPTH. */
void json_put_cjson(struct buf *out, const struct cJSON *value)
{
    if (cJSON_IsString(value))
        json_put_string(out, slice_of(value->valuestring));
    else if (cJSON_IsNumber(value))
        json_put_double(out, value->valuedouble);
    else if (cJSON_IsBool(value))
        json_put_bool(out, cJSON_IsTrue(value));
    else if (cJSON_IsObject(value) || cJSON_IsArray(value))
        put_children(out, value);
    else
        json_put_null(out);
}

static void separate(struct json_writer *w)
{
    if (w->comma)
        buf_append_char(w->out, ',');
    w->comma = true;
}

static void open_with(struct json_writer *w, char bracket)
{
    separate(w);
    buf_append_char(w->out, bracket);
    w->comma = false;
}

static void close_with(struct json_writer *w, char bracket)
{
    buf_append_char(w->out, bracket);
    w->comma = true;
}

void json_begin_object(struct json_writer *w)
{
    open_with(w, '{');
}

void json_end_object(struct json_writer *w)
{
    close_with(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    open_with(w, '[');
}

void json_end_array(struct json_writer *w)
{
    close_with(w, ']');
}

void json_key(struct json_writer *w, struct slice key)
{
    separate(w);
    json_put_string(w->out, key);
    buf_append_char(w->out, ':');
    w->comma = false; /* the value follows at once */
}

void json_string(struct json_writer *w, struct slice text)
{
    separate(w);
    json_put_string(w->out, text);
}

void json_double(struct json_writer *w, double value)
{
    separate(w);
    json_put_double(w->out, value);
}

void json_i64(struct json_writer *w, int64_t value)
{
    separate(w);
    json_put_i64(w->out, value);
}

void json_bool(struct json_writer *w, bool value)
{
    separate(w);
    json_put_bool(w->out, value);
}

void json_null(struct json_writer *w)
{
    separate(w);
    json_put_null(w->out);
}

void json_raw(struct json_writer *w, struct slice json)
{
    separate(w);
    buf_append_slice(w->out, json);
}

void json_compact(struct json_writer *w, struct slice json)
{
    separate(w);
    json_put_compact(w->out, json);
}
