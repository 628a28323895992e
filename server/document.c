#include "server/document.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zlib.h>

enum { ETAG_SIZE = 40, GZIP_HEADER = 10, STORED_HEADER = 5 };

/* The compressed body. Counted by itself, since documents with the same bytes share it. */
struct packed {
    atomic_size_t references;
    uint32_t body_crc;
    size_t n;
    unsigned char bytes[];
};

struct document {
    atomic_size_t references;
    struct document_body body;
    struct document_tail tail;
    struct packed *packed;
    char etag[ETAG_SIZE];
};

static void packed_unref(struct packed *packed)
{
    if (packed && atomic_fetch_sub_explicit(&packed->references, 1, memory_order_acq_rel) == 1)
        free(packed);
}

struct document *document_new(struct document_body body, struct document_tail tail)
{
    struct document *document = mem_zalloc(sizeof *document);
    atomic_init(&document->references, 1);
    document->body = body;
    document->tail = tail;
    XXH128_hash_t hash = XXH3_128bits(body.bytes.p, body.bytes.n);
    (void)snprintf(document->etag, sizeof document->etag, "W/\"%016llx%016llx\"", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64);
    return document;
}

struct document *document_new_same(const struct document *same, struct document_body body, struct document_tail tail)
{
    struct document *document = mem_zalloc(sizeof *document);
    atomic_init(&document->references, 1);
    document->body = body;
    document->tail = tail;
    memcpy(document->etag, same->etag, sizeof document->etag);
    document->packed = same->packed;
    if (document->packed)
        (void)atomic_fetch_add_explicit(&document->packed->references, 1, memory_order_relaxed);
    return document;
}

/* zlib counts in unsigned int, a body in size_t: both sides are fed in pieces. The output's bound is large enough for
 * the flush as well, so that deflate never stops for want of room. */
static size_t deflate_flushed(struct slice body, int level, unsigned char *out, size_t room)
{
    z_stream stream = {0};
    enum { WINDOW_BITS = 15, MEMORY_LEVEL = 8, PIECE = 1 << 30 };
    if (deflateInit2(&stream, level, Z_DEFLATED, -WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        (void)fprintf(stderr, "nof0: zlib cannot start\n");
        abort();
    }
    const unsigned char *in = (const unsigned char *)body.p;
    size_t left = body.n;
    size_t made = 0;
    int flush = Z_NO_FLUSH;
    do {
        size_t piece = left < PIECE ? left : PIECE;
        left -= piece;
        flush = left ? Z_NO_FLUSH : Z_SYNC_FLUSH;
        stream.next_in = (z_const Bytef *)in;
        stream.avail_in = (unsigned)piece;
        in += piece;
        do {
            size_t space = room - made < PIECE ? room - made : PIECE;
            stream.next_out = out + made;
            stream.avail_out = (unsigned)space;
            (void)deflate(&stream, flush);
            made += space - stream.avail_out;
        } while (stream.avail_out == 0 && made < room);
    } while (flush == Z_NO_FLUSH);
    (void)deflateEnd(&stream);
    return made;
}

void document_compress(struct document *document, int level)
{
    /* RFC 1952, section 2.3: magic, deflate, no flags, no time, no hints, unknown system. */
    static const unsigned char header[GZIP_HEADER] = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255};
    struct slice body = document->body.bytes;
    size_t room = compressBound(body.n) + 64;
    struct packed *packed = mem_alloc(sizeof *packed + GZIP_HEADER + room);
    atomic_init(&packed->references, 1);
    memcpy(packed->bytes, header, sizeof header);
    packed->n = GZIP_HEADER + deflate_flushed(body, level, packed->bytes + GZIP_HEADER, room);
    packed->body_crc = (uint32_t)crc32_z(0, (const unsigned char *)body.p, body.n);
    packed_unref(document->packed);
    document->packed = mem_realloc(packed, sizeof *packed + packed->n);
}

struct document *document_ref(struct document *document)
{
    (void)atomic_fetch_add_explicit(&document->references, 1, memory_order_relaxed);
    return document;
}

void document_unref(struct document *document)
{
    if (!document || atomic_fetch_sub_explicit(&document->references, 1, memory_order_acq_rel) != 1)
        return;
    if (document->body.release)
        document->body.release(document->body.arg);
    packed_unref(document->packed);
    free(document);
}

void document_release(void *document)
{
    document_unref(document);
}

struct slice document_body(const struct document *document)
{
    return document->body.bytes;
}

bool document_is_compressed(const struct document *document)
{
    return document->packed != NULL;
}

struct slice document_gzip(const struct document *document)
{
    if (!document->packed)
        return (struct slice){NULL, 0};
    return (struct slice){(const char *)document->packed->bytes, document->packed->n};
}

const char *document_etag(const struct document *document)
{
    return document->etag;
}

size_t document_tail(const struct document *document, int64_t now_ms, char out[DOCUMENT_TAIL_SIZE])
{
    if (document->tail.kind == DOCUMENT_TAIL_END) {
        out[0] = '}';
        return 1;
    }
    int64_t time_ms = document->tail.kind == DOCUMENT_TAIL_LIVE ? now_ms : document->tail.time_ms;
    return (size_t)snprintf(out, DOCUMENT_TAIL_SIZE, ",\"serverTime\":%lld}", (long long)time_ms);
}

static unsigned char *put_little_endian(unsigned char *p, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *p++ = (unsigned char)(value >> (8 * i));
    return p;
}

size_t document_gzip_tail(const struct document *document, int64_t now_ms, char out[DOCUMENT_GZIP_TAIL_SIZE])
{
    char tail[DOCUMENT_TAIL_SIZE];
    size_t n = document_tail(document, now_ms, tail);
    unsigned char *p = (unsigned char *)out;
    *p++ = 1; /* the last block, stored */
    p = put_little_endian(p, (uint32_t)n, 2);
    p = put_little_endian(p, ~(uint32_t)n, 2);
    memcpy(p, tail, n);
    p += n;

    uint32_t tail_crc = (uint32_t)crc32_z(0, (const unsigned char *)tail, n);
    uLong crc = crc32_combine(document->packed->body_crc, tail_crc, (z_off_t)n);
    p = put_little_endian(p, (uint32_t)crc, 4);
    p = put_little_endian(p, (uint32_t)(document->body.bytes.n + n), 4);
    return (size_t)(p - (unsigned char *)out);
}
