/* A growable run of bytes. Open on purpose: writers append, readers look at data and len. Start with BUF_INIT. */
#ifndef NOF0_BASE_BUF_H
#define NOF0_BASE_BUF_H

#include "base/slice.h"

#include <stdarg.h>

struct buf {
    char *data; /* owned; NULL while cap is 0 */
    size_t len;
    size_t cap;
};

#define BUF_INIT                                                                                                       \
    {                                                                                                                  \
        NULL, 0, 0                                                                                                     \
    }

/* Makes room for at least `more` further bytes that are not there yet. Only for buf_reserve. */
void buf_grow(struct buf *buf, size_t more);

/* Makes room for at least `more` further bytes and returns where they begin. Does not change len. Inline, since
 * answers are written a few bytes at a time. */
static inline char *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->cap - buf->len < more)
        buf_grow(buf, more);
    return buf->data + buf->len;
}

void buf_append(struct buf *buf, const void *bytes, size_t n);
void buf_append_slice(struct buf *buf, struct slice s);
void buf_append_str(struct buf *buf, const char *s);

static inline void buf_append_char(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->len++;
}

void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
/* Ends the bytes with a NUL that len does not count and returns data. */
char *buf_cstr(struct buf *buf);
/* Hands the memory to the caller (free it with free()); the buffer is empty again. *len may be NULL. */
char *buf_take(struct buf *buf, size_t *len);
/* Forgets the content, keeps the memory. */
void buf_clear(struct buf *buf);
void buf_free(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data, buf->len};
}

#endif
