#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_CAPACITY = 256 };

void buf_grow(struct buf *buf, size_t more)
{
    size_t cap = buf->cap ? buf->cap : BUF_FIRST_CAPACITY;
    while (cap - buf->len < more)
        cap *= 2;
    buf->data = mem_realloc(buf->data, cap);
    buf->cap = cap;
}

void buf_append(struct buf *buf, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    memcpy(buf_reserve(buf, n), bytes, n);
    buf->len += n;
}

void buf_append_slice(struct buf *buf, struct slice s)
{
    buf_append(buf, s.p, s.n);
}

void buf_append_str(struct buf *buf, const char *s)
{
    buf_append(buf, s, strlen(s));
}

void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    if (n > 0) {
        char *at = buf_reserve(buf, (size_t)n + 1);
        (void)vsnprintf(at, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(buf, format, arguments);
    va_end(arguments);
}

char *buf_cstr(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->data;
}

char *buf_take(struct buf *buf, size_t *len)
{
    char *data = buf_cstr(buf);
    if (len)
        *len = buf->len;
    *buf = (struct buf)BUF_INIT;
    return data;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf)BUF_INIT;
}
