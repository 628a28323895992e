/* A document: an answer as it will be sent, made once and shared by any number of replies and threads. Immutable and
 * counted.
 *
 * The body is a JSON object without its end. The end, the tail, is "}" or ,"serverTime":1761452354435} and is written
 * for each reply, so that time goes on while the body stays. The validator speaks of the body alone, so it stays the
 * same until the data changes, wherever they come from.
 *
 * The compressed form (RFC 1952) is made once too: deflate data flushed to a byte boundary; a reply adds the tail as a
 * last stored block (RFC 1951, section 3.2.4) and the trailer, whose CRC follows from the body's and the tail's. */
#ifndef NOF0_SERVER_DOCUMENT_H
#define NOF0_SERVER_DOCUMENT_H

#include "base/slice.h"

#include <stdint.h>

enum document_tail_kind {
    DOCUMENT_TAIL_END,  /* } */
    DOCUMENT_TAIL_LIVE, /* ,"serverTime":<the reply's time>} */
    DOCUMENT_TAIL_FIXED /* ,"serverTime":<time_ms>} */
};

struct document_tail {
    enum document_tail_kind kind;
    int64_t time_ms; /* DOCUMENT_TAIL_FIXED */
};

/* The body's bytes and how to let go of them. release may be NULL; it may be called on any thread. */
struct document_body {
    struct slice bytes;
    void (*release)(void *arg);
    void *arg;
};

struct document;

/* Takes the body. The result has no compressed form and one reference. */
struct document *document_new(struct document_body body, struct document_tail tail);

/* A document with the same bytes at another place: takes over validator and compressed form instead of making them
 * again. `same` keeps its own. */
struct document *document_new_same(const struct document *same, struct document_body body, struct document_tail tail);

/* Makes the compressed form at zlib level 1 to 9. Only before the document is shared. */
void document_compress(struct document *document, int level);

/* Makes a compressed form ten times as fast, and a fourth or half larger, than level 6: for who waits. Only before the
 * document is shared. For bodies above DOCUMENT_QUICK_MIN bytes; smaller ones zlib has done in 0.1 ms. */
enum { DOCUMENT_QUICK_MIN = 8 * 1024 };
void document_compress_quickly(struct document *document);

/* Takes over a compressed form that document_compress once made of the same body (a copy of what document_gzip gave).
 * False, and nothing is changed, when it cannot be one. Only before the document is shared. */
bool document_set_gzip(struct document *document, struct slice gzip);

struct document *document_ref(struct document *document);
void document_unref(struct document *document);
/* document_unref in the form of a release callback. */
void document_release(void *document);

struct slice document_body(const struct document *document);
/* Whether its body is these bytes. */
bool document_says(const struct document *document, struct slice body);
bool document_is_compressed(const struct document *document);
/* Header and deflate data; empty when there is no compressed form. */
struct slice document_gzip(const struct document *document);
/* A file that holds the body, or the compressed form, for a reply that the kernel sends without copying: for documents
 * that are sent again and again. Made on any thread, in up to some ms (server/body_file.h); nothing is made for fewer
 * than DOCUMENT_FILE_MIN bytes, for which copying is as cheap, nor twice. */
enum { DOCUMENT_FILE_MIN = 16 * 1024 };
void document_make_file(struct document *document, bool gzip);
/* The file, which stays the document's; it may be longer than what it holds. -1 when none was made. */
int document_file(const struct document *document, bool gzip);
/* W/"<32 hexadecimal digits>": XXH3-128 of the body. */
const char *document_etag(const struct document *document);

enum { DOCUMENT_TAIL_SIZE = 40, DOCUMENT_GZIP_TAIL_SIZE = DOCUMENT_TAIL_SIZE + 13 };

/* What follows the body, or the compressed body, in a reply made at now_ms. Returns the length. */
size_t document_tail(const struct document *document, int64_t now_ms, char out[DOCUMENT_TAIL_SIZE]);
size_t document_gzip_tail(const struct document *document, int64_t now_ms, char out[DOCUMENT_GZIP_TAIL_SIZE]);

#endif
