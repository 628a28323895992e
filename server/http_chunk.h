/* A chunked request body (RFC 9112 section 7.1), decoded strictly from bytes in memory. Extensions and trailers are
 * checked and dropped. */
#ifndef NOF0_SERVER_HTTP_CHUNK_H
#define NOF0_SERVER_HTTP_CHUNK_H

#include "base/buf.h"

#include <stdint.h>

struct http_chunks {
    unsigned step;
    unsigned digits;    /* of the size read so far */
    uint64_t left;      /* bytes of the chunk still to come */
    size_t line_bytes;  /* of the extension or trailers so far */
    uint64_t total;     /* bytes of all chunks so far */
    size_t max_body;    /* of all chunks together */
    size_t max_line;    /* of an extension, and of all trailers */
    unsigned status;    /* the answer when HTTP_CHUNKS_BAD: 400, 413 or 431 */
    const char *reason; /* and why */
};

enum http_chunks_state { HTTP_CHUNKS_MORE, HTTP_CHUNKS_DONE, HTTP_CHUNKS_BAD, HTTP_CHUNKS_DATA };

void http_chunks_start(struct http_chunks *chunks, size_t max_body, size_t max_line);

/* Decodes what came up to the next piece of data: DATA when there is one, in *data, of the n bytes themselves. *used is
 * how many of the bytes are done with, all of them when MORE. */
enum http_chunks_state http_chunks_next(struct http_chunks *chunks, const char *bytes, size_t n, size_t *used,
                                        struct slice *data);

/* The same for all that came: data is appended to *body, *used is how many of the n bytes belonged to this body (all of
 * them when MORE); never DATA. The result does not depend on how the bytes were cut. */
enum http_chunks_state http_chunks_read(struct http_chunks *chunks, const char *bytes, size_t n, size_t *used,
                                        struct buf *body);

#endif
