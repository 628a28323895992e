#include "server/document.h"

#include "base/mem.h"
#include "base/num.h"
#include "server/body_file.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

enum { ETAG_SIZE = 40, GZIP_HEADER = 10, STORED_HEADER = 5 };

/* The compressed body. Counted by itself, since documents with the same bytes share it. */
struct packed {
    atomic_size_t references;
    uint32_t body_crc;
    atomic_int file; /* -1: not made */
    size_t n;
    unsigned char bytes[];
};

struct document {
    atomic_size_t references;
    struct document_body body;
    struct document_tail tail;
    struct packed *packed;
    atomic_int body_file; /* -1: not made */
    char etag[ETAG_SIZE];
};

/* Whoever is first makes it; others that come at the same time throw theirs away. */
static void make_file(atomic_int *file, struct slice bytes)
{
    if (atomic_load_explicit(file, memory_order_relaxed) >= 0 || bytes.n < DOCUMENT_FILE_MIN)
        return;
    int fd = body_file_new(bytes);
    int none = -1;
    if (fd >= 0 &&
        !atomic_compare_exchange_strong_explicit(file, &none, fd, memory_order_release, memory_order_relaxed))
        (void)close(fd);
}

static void file_close(atomic_int *file)
{
    int fd = atomic_load_explicit(file, memory_order_relaxed);
    if (fd >= 0)
        (void)close(fd);
}

static void packed_unref(struct packed *packed)
{
    if (packed && atomic_fetch_sub_explicit(&packed->references, 1, memory_order_acq_rel) == 1) {
        file_close(&packed->file);
        free(packed);
    }
}

struct document *document_new(struct document_body body, struct document_tail tail)
{
    struct document *document = mem_zalloc(sizeof *document);
    atomic_init(&document->references, 1);
    atomic_init(&document->body_file, -1);
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
    atomic_init(&document->body_file, -1);
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

/* As deflate_flushed, by ISA-L, whose counts have 32 bits as well: each piece stands by itself. Level 1 takes three
 * quarters of the time of level 2 for half a percent more bytes. */
static size_t deflate_quickly(struct slice body, unsigned char *out, size_t room)
{
    enum { LEVEL = 1, PIECE = 1 << 30 };
    struct isal_zstream stream;
    isal_deflate_stateless_init(&stream);
    stream.level = LEVEL;
    stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    stream.level_buf = mem_alloc(ISAL_DEF_LVL1_DEFAULT);
    stream.gzip_flag = IGZIP_DEFLATE;
    stream.flush = FULL_FLUSH; /* ends with whole bytes, ready for what follows */
    size_t made = 0;
    for (size_t at = 0; at < body.n;) {
        size_t piece = body.n - at < PIECE ? body.n - at : PIECE;
        size_t space = room - made < UINT32_MAX ? room - made : UINT32_MAX;
        stream.next_in = (uint8_t *)(uintptr_t)(body.p + at); /* it is only read */
        stream.avail_in = (uint32_t)piece;
        stream.next_out = out + made;
        stream.avail_out = (uint32_t)space;
        if (isal_deflate_stateless(&stream) != COMP_OK || stream.avail_in) {
            (void)fprintf(stderr, "nof0: ISA-L cannot deflate %zu bytes into %zu\n", piece, space);
            abort();
        }
        made += space - stream.avail_out;
        at += piece;
    }
    free(stream.level_buf);
    return made;
}

/* ISA-L's is ten times as fast as zlib's. */
static uint32_t crc_of(struct slice bytes)
{
    return crc32_gzip_refl(0, (const unsigned char *)bytes.p, bytes.n);
}

static void pack(struct document *document, int level)
{
    /* RFC 1952, section 2.3: magic, deflate, no flags, no time, no hints, unknown system. */
    static const unsigned char header[GZIP_HEADER] = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255};
    struct slice body = document->body.bytes;
    size_t room = compressBound(body.n) + body.n / 8 + 1024; /* ISA-L's worst case is a little above zlib's */
    struct packed *packed = mem_alloc(sizeof *packed + GZIP_HEADER + room);
    atomic_init(&packed->references, 1);
    atomic_init(&packed->file, -1);
    memcpy(packed->bytes, header, sizeof header);
    unsigned char *out = packed->bytes + GZIP_HEADER;
    packed->n = GZIP_HEADER + (level ? deflate_flushed(body, level, out, room) : deflate_quickly(body, out, room));
    packed->body_crc = crc_of(body);
    packed_unref(document->packed);
    document->packed = mem_realloc(packed, sizeof *packed + packed->n);
}

void document_compress(struct document *document, int level)
{
    pack(document, level);
}

void document_compress_quickly(struct document *document)
{
    pack(document, 0);
}

bool document_set_gzip(struct document *document, struct slice gzip)
{
    if (gzip.n < GZIP_HEADER || (unsigned char)gzip.p[0] != 0x1F || (unsigned char)gzip.p[1] != 0x8B)
        return false;
    struct slice body = document->body.bytes;
    struct packed *packed = mem_alloc(sizeof *packed + gzip.n);
    atomic_init(&packed->references, 1);
    atomic_init(&packed->file, -1);
    packed->n = gzip.n;
    packed->body_crc = crc_of(body);
    memcpy(packed->bytes, gzip.p, gzip.n);
    packed_unref(document->packed);
    document->packed = packed;
    return true;
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
    file_close(&document->body_file);
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

bool document_says(const struct document *document, struct slice body)
{
    return slice_equal(document->body.bytes, body);
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

void document_make_file(struct document *document, bool gzip)
{
    if (!gzip)
        make_file(&document->body_file, document->body.bytes);
    else if (document->packed)
        make_file(&document->packed->file, document_gzip(document));
}

int document_file(const struct document *document, bool gzip)
{
    if (!gzip)
        return atomic_load_explicit(&document->body_file, memory_order_acquire);
    return document->packed ? atomic_load_explicit(&document->packed->file, memory_order_acquire) : -1;
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
    static const char key[] = ",\"serverTime\":";
    enum { KEY = sizeof key - 1 };
    char digits[NUM_TEXT_SIZE];
    size_t n = num_format_i64(digits, time_ms);
    memcpy(out, key, KEY);
    memcpy(out + KEY, digits, n);
    out[KEY + n] = '}';
    return KEY + n + 1;
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

    uLong crc = crc32_z(document->packed->body_crc, (const unsigned char *)tail, n);
    p = put_little_endian(p, (uint32_t)crc, 4);
    p = put_little_endian(p, (uint32_t)(document->body.bytes.n + n), 4);
    return (size_t)(p - (unsigned char *)out);
}
