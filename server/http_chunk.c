#include "server/http_chunk.h"

#include "base/hex.h"

enum step {
    SIZE,          /* hexadecimal digits */
    EXTENSION,     /* behind them, up to CR */
    SIZE_LF,       /* LF of the size's line */
    DATA,          /* the chunk itself */
    DATA_CR,       /* CR behind it */
    DATA_LF,       /* LF behind it */
    TRAILER_START, /* first byte of a trailer line or of the empty line */
    TRAILER_NAME,  /* up to the colon */
    TRAILER_VALUE, /* up to CR */
    TRAILER_LF,    /* LF of a trailer line */
    LAST_LF,       /* LF of the empty line */
    DONE,
};

enum { MAX_DIGITS = 15 };

void http_chunks_start(struct http_chunks *chunks, size_t max_body, size_t max_line)
{
    *chunks = (struct http_chunks){.step = SIZE, .max_body = max_body, .max_line = max_line};
}

static bool refuse(struct http_chunks *chunks, unsigned status, const char *reason)
{
    chunks->status = status;
    chunks->reason = reason;
    return false;
}

static bool malformed(struct http_chunks *chunks)
{
    return refuse(chunks, 400, "the chunked body is malformed");
}

static bool is_text(char c)
{
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool count_line_byte(struct http_chunks *chunks)
{
    if (++chunks->line_bytes > chunks->max_line)
        return refuse(chunks, 431, "the chunked body's extensions or trailers are too long");
    return true;
}

static bool read_size(struct http_chunks *chunks, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        chunks->left = chunks->left * 16 + (unsigned)digit;
        if (++chunks->digits > MAX_DIGITS)
            return malformed(chunks);
        /* total <= max_body always. */
        if (chunks->left > chunks->max_body - chunks->total)
            return refuse(chunks, 413, "the body is too large");
        return true;
    }
    if (chunks->digits == 0)
        return malformed(chunks);
    if (c == '\r')
        chunks->step = SIZE_LF;
    else if (c == ';')
        chunks->step = EXTENSION;
    else
        return malformed(chunks);
    return true;
}

static bool expect_byte(struct http_chunks *chunks, char c, char wanted, enum step next)
{
    if (c != wanted)
        return malformed(chunks);
    chunks->step = next;
    return true;
}

/* A text that ends in CR, each byte counted. */
static bool read_text(struct http_chunks *chunks, char c, enum step next)
{
    if (c == '\r') {
        chunks->step = next;
        return true;
    }
    return is_text(c) ? count_line_byte(chunks) : malformed(chunks);
}

static bool read_trailer_name(struct http_chunks *chunks, char c)
{
    if (chunks->step == TRAILER_START && c == '\r') {
        chunks->step = LAST_LF;
        return true;
    }
    if (chunks->step == TRAILER_NAME && c == ':')
        chunks->step = TRAILER_VALUE;
    else if (is_token(c))
        chunks->step = TRAILER_NAME;
    else
        return malformed(chunks);
    return count_line_byte(chunks);
}

/* Every byte but those of DATA. */
static bool read_byte(struct http_chunks *chunks, char c)
{
    switch ((enum step)chunks->step) {
    case SIZE:
        return read_size(chunks, c);
    case EXTENSION:
        return read_text(chunks, c, SIZE_LF);
    case SIZE_LF:
        chunks->digits = 0;
        chunks->line_bytes = 0;
        /* A chunk of no bytes is the last. */
        return expect_byte(chunks, c, '\n', chunks->left ? DATA : TRAILER_START);
    case DATA_CR:
        return expect_byte(chunks, c, '\r', DATA_LF);
    case DATA_LF:
        return expect_byte(chunks, c, '\n', SIZE);
    case TRAILER_START:
    case TRAILER_NAME:
        return read_trailer_name(chunks, c);
    case TRAILER_VALUE:
        return read_text(chunks, c, TRAILER_LF);
    case TRAILER_LF:
        return expect_byte(chunks, c, '\n', TRAILER_START);
    case LAST_LF:
        return expect_byte(chunks, c, '\n', DONE);
    case DATA:
    case DONE:
        break;
    }
    return malformed(chunks);
}

enum http_chunks_state http_chunks_next(struct http_chunks *chunks, const char *bytes, size_t n, size_t *used,
                                        struct slice *data)
{
    size_t at = 0;
    while (at < n && chunks->step != DONE && chunks->step != DATA) {
        if (!read_byte(chunks, bytes[at])) {
            *used = at;
            return HTTP_CHUNKS_BAD;
        }
        at++;
    }
    if (at < n && chunks->step == DATA) {
        *data = (struct slice){bytes + at, n - at < chunks->left ? n - at : (size_t)chunks->left};
        *used = at + data->n;
        chunks->left -= data->n;
        chunks->total += data->n;
        if (chunks->left == 0)
            chunks->step = DATA_CR;
        return HTTP_CHUNKS_DATA;
    }
    *used = at;
    return chunks->step == DONE ? HTTP_CHUNKS_DONE : HTTP_CHUNKS_MORE;
}

enum http_chunks_state http_chunks_read(struct http_chunks *chunks, const char *bytes, size_t n, size_t *used,
                                        struct buf *body)
{
    enum http_chunks_state state;
    size_t at = 0;
    do {
        struct slice data;
        size_t step;
        state = http_chunks_next(chunks, bytes + at, n - at, &step, &data);
        if (state == HTTP_CHUNKS_DATA)
            buf_append_slice(body, data);
        at += step;
    } while (state == HTTP_CHUNKS_DATA);
    *used = at;
    return state;
}
