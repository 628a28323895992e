#include "cache/document_value.h"

#include "base/num.h"

#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    CHECKSUM_AT = DOCUMENT_VALUE_VERSION_AT + DOCUMENT_VALUE_VERSION_DIGITS,
    STALE_AT = CHECKSUM_AT + 8,
    BUILT_AT = STALE_AT + 8,
    TAIL_TIME_AT = BUILT_AT + 8,
    FLAGS_AT = TAIL_TIME_AT + 8,
    TAIL_KIND_AT = FLAGS_AT + 4,
    LENGTHS_AT = TAIL_KIND_AT + 4,
};
_Static_assert(LENGTHS_AT + 12 == DOCUMENT_VALUE_HEADER, "the header's parts fill it");

static void put_le(char *at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (char)(unsigned char)(value >> (8 * i));
}

static uint64_t get_le(const char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

static uint64_t checksum(struct slice bytes)
{
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, bytes.p, CHECKSUM_AT);
    XXH3_64bits_update(&state, bytes.p + STALE_AT, bytes.n - STALE_AT);
    return XXH3_64bits_digest(&state);
}

void document_value_encode(const struct document_value *value, struct buf *out)
{
    size_t start = out->len;
    char digits[DOCUMENT_VALUE_VERSION_DIGITS + 1];
    char header[DOCUMENT_VALUE_HEADER];
    (void)snprintf(digits, sizeof digits, "%020lld", (long long)value->version);
    memcpy(header, DOCUMENT_VALUE_MAGIC, DOCUMENT_VALUE_VERSION_AT);
    memcpy(header + DOCUMENT_VALUE_VERSION_AT, digits, DOCUMENT_VALUE_VERSION_DIGITS);
    put_le(header + CHECKSUM_AT, 8, 0);
    put_le(header + STALE_AT, 8, (uint64_t)value->stale_ms);
    put_le(header + BUILT_AT, 8, (uint64_t)value->built_ms);
    put_le(header + TAIL_TIME_AT, 8, (uint64_t)value->tail_time_ms);
    put_le(header + FLAGS_AT, 4, value->flags);
    put_le(header + TAIL_KIND_AT, 4, value->tail_kind);
    put_le(header + LENGTHS_AT, 4, value->etag.n);
    put_le(header + LENGTHS_AT + 4, 4, value->body.n);
    put_le(header + LENGTHS_AT + 8, 4, value->gzip.n);
    (void)buf_reserve(out, sizeof header + value->etag.n + value->body.n + value->gzip.n);
    buf_append(out, header, sizeof header);
    buf_append_slice(out, value->etag);
    buf_append_slice(out, value->body);
    buf_append_slice(out, value->gzip);
    char *at = out->data + start;
    put_le(at + CHECKSUM_AT, 8, checksum((struct slice){at, out->len - start}));
}

static bool read_version(const char *digits, int64_t *version)
{
    struct slice text = {digits, DOCUMENT_VALUE_VERSION_DIGITS};
    while (text.n > 1 && text.p[0] == '0')
        text = (struct slice){text.p + 1, text.n - 1};
    return num_parse_i64(text, version) && *version >= 0;
}

bool document_value_decode(struct slice bytes, struct document_value *value)
{
    const char *p = bytes.p;
    if (bytes.n < DOCUMENT_VALUE_HEADER || memcmp(p, DOCUMENT_VALUE_MAGIC, DOCUMENT_VALUE_VERSION_AT) != 0 ||
        get_le(p + CHECKSUM_AT, 8) != checksum(bytes))
        return false;
    *value = (struct document_value){
        .stale_ms = (int64_t)get_le(p + STALE_AT, 8),
        .built_ms = (int64_t)get_le(p + BUILT_AT, 8),
        .tail_time_ms = (int64_t)get_le(p + TAIL_TIME_AT, 8),
        .flags = (uint32_t)get_le(p + FLAGS_AT, 4),
        .tail_kind = (uint32_t)get_le(p + TAIL_KIND_AT, 4),
    };
    uint64_t etag = get_le(p + LENGTHS_AT, 4);
    uint64_t body = get_le(p + LENGTHS_AT + 4, 4);
    uint64_t gzip = get_le(p + LENGTHS_AT + 8, 4);
    if (DOCUMENT_VALUE_HEADER + etag + body + gzip != bytes.n || value->stale_ms < 0 ||
        !read_version(p + DOCUMENT_VALUE_VERSION_AT, &value->version))
        return false;
    p += DOCUMENT_VALUE_HEADER;
    value->etag = (struct slice){p, etag};
    value->body = (struct slice){p + etag, body};
    value->gzip = (struct slice){p + etag + body, gzip};
    return true;
}
