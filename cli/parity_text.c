#include "cli/parity_text.h"

#include "base/utf8.h"

#include <stdint.h>

static const char ellipsis[] = "\xe2\x80\xa6";

struct range {
    uint32_t first, last;
};

/* In neither of these does a terminal show what it was given. */
static const struct range hidden[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},
    {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static const struct range combining[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x26a1, 0x26a1},   {0x2705, 0x2705},   {0x274c, 0x274c},   {0x2753, 0x2757},
    {0x2795, 0x2797},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},
    {0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
    {0x1f18e, 0x1f19a}, {0x1f200, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7eb}, {0x1f900, 0x1faff},
    {0x20000, 0x3fffd},
};

#define IN(ranges, point) is_in((ranges), sizeof(ranges) / sizeof(ranges)[0], (point))

static bool is_in(const struct range *ranges, size_t count, uint32_t point)
{
    for (size_t i = 0; i < count; i++) {
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    }
    return false;
}

/* The code point of a good sequence. */
static uint32_t decode(const char *p, size_t length)
{
    const unsigned char *s = (const unsigned char *)p;
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = s[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        point = point << 6 | (s[i] & 0x3fU);
    return point;
}

static void put_escape(struct buf *out, uint32_t point)
{
    enum { BEYOND = 0x10000 };
    if (point < BEYOND)
        buf_printf(out, "\\u%04x", point);
    else
        buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((point - BEYOND) >> 10), 0xdc00 + ((point - BEYOND) & 0x3ff));
}

void parity_text_put(struct buf *out, struct slice text)
{
    const char *end = text.n ? text.p + text.n : text.p;
    for (const char *p = text.p; p < end;) {
        size_t length = utf8_length(p, end);
        uint32_t point = length ? decode(p, length) : 0;
        if (!length)
            buf_printf(out, "\\x%02x", (unsigned char)*p);
        else if (IN(hidden, point))
            put_escape(out, point);
        else
            buf_append(out, p, length);
        p += length ? length : 1;
    }
}

static size_t width_of(uint32_t point)
{
    if (IN(combining, point))
        return 0;
    return IN(wide, point) ? 2 : 1;
}

/* The length of the first character of a safe text, with its width. */
static size_t character(struct slice safe, size_t *width)
{
    size_t length = utf8_length(safe.p, safe.p + safe.n);
    *width = length ? width_of(decode(safe.p, length)) : 1;
    return length ? length : 1;
}

size_t parity_text_width(struct slice safe)
{
    size_t columns = 0;
    while (safe.n) {
        size_t width;
        size_t length = character(safe, &width);
        columns += width;
        safe = (struct slice){safe.p + length, safe.n - length};
    }
    return columns;
}

/* The longest beginning that fits into the columns. */
static struct slice beginning(struct slice safe, size_t columns)
{
    size_t taken = 0;
    while (taken < safe.n) {
        size_t width;
        size_t length = character((struct slice){safe.p + taken, safe.n - taken}, &width);
        if (width > columns)
            break;
        columns -= width;
        taken += length;
    }
    return (struct slice){safe.p, taken};
}

/* The longest end that fits. */
static struct slice ending(struct slice safe, size_t columns)
{
    size_t width = parity_text_width(safe);
    while (safe.n && width > columns) {
        size_t first;
        size_t length = character(safe, &first);
        width -= first;
        safe = (struct slice){safe.p + length, safe.n - length};
    }
    return safe;
}

void parity_text_cut_end(struct buf *out, struct slice safe, size_t columns)
{
    if (parity_text_width(safe) <= columns) {
        buf_append_slice(out, safe);
        return;
    }
    buf_append_slice(out, beginning(safe, columns - 1));
    buf_append_str(out, ellipsis);
}

void parity_text_cut_middle(struct buf *out, struct slice safe, size_t columns)
{
    if (parity_text_width(safe) <= columns) {
        buf_append_slice(out, safe);
        return;
    }
    size_t left = (columns - 1) / 2;
    buf_append_slice(out, beginning(safe, left));
    buf_append_str(out, ellipsis);
    buf_append_slice(out, ending(safe, columns - 1 - left));
}

size_t parity_text_common(struct slice a, struct slice b)
{
    size_t common = 0;
    while (common < a.n && common < b.n) {
        size_t width;
        size_t length = character((struct slice){a.p + common, a.n - common}, &width);
        if (length > b.n - common || memcmp(a.p + common, b.p + common, length) != 0)
            break;
        common += length;
    }
    return common;
}
