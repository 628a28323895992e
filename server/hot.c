#include "server/hot.h"

#include "base/clock.h"
#include "base/mem.h"
#include "server/negotiate.h"
#include "server/reply.h"

#include <stdlib.h>
#include <xxhash.h>

/* Counted without atomics: the table and the replies that it makes live on one loop. */
struct entry {
    size_t references;
    struct document *document;
    struct reply_heads heads;
    struct hot_term term;
    bool must_compress; /* clients may have it compressed, but it is not yet */
    size_t target_size;
    char target[];
};

struct hot {
    struct entry *slots[HOT_SLOTS];
    uint64_t hits;
    /* What the last Accept-Encoding came to: most clients send the same. */
    size_t accept_size;
    bool accept_gzip;
    char accept[128];
};

static void entry_release(void *arg)
{
    struct entry *entry = arg;
    if (!entry || --entry->references > 0)
        return;
    document_unref(entry->document);
    reply_heads_free(&entry->heads);
    free(entry);
}

struct hot *hot_new(void)
{
    return mem_zalloc(sizeof(struct hot));
}

void hot_clear(struct hot *hot)
{
    for (size_t i = 0; i < HOT_SLOTS; i++) {
        entry_release(hot->slots[i]);
        hot->slots[i] = NULL;
    }
}

void hot_free(struct hot *hot)
{
    if (!hot)
        return;
    hot_clear(hot);
    free(hot);
}

static struct entry **slot_of(struct hot *hot, struct slice target)
{
    return &hot->slots[XXH3_64bits(target.p, target.n) % HOT_SLOTS];
}

void hot_keep(struct hot *hot, const struct http_request *request, const struct settings *settings,
              const struct endpoint *endpoint, struct document *document, const struct hot_term *term)
{
    struct slice target = http_request_target(request);
    if (target.n == 0 || target.n > HOT_TARGET_MAX)
        return;
    struct entry **slot = slot_of(hot, target);
    entry_release(*slot);
    struct entry *entry = mem_zalloc(sizeof *entry + target.n);
    entry->references = 1;
    entry->document = document_ref(document);
    reply_heads_make(&entry->heads, settings, endpoint, document);
    entry->term = *term;
    entry->must_compress = settings->compression_enabled && !document_is_compressed(document) &&
                           (int64_t)document_body(document).n >= settings->compression_min_bytes;
    entry->target_size = target.n;
    memcpy(entry->target, target.p, target.n);
    *slot = entry;
}

static bool in_term(const struct hot_term *term)
{
    return (term->until_ms == INT64_MAX || clock_mono_ms() < term->until_ms) &&
           (!term->floor || atomic_load_explicit(term->floor, memory_order_acquire) <= term->version);
}

static bool accepts_gzip(struct hot *hot, struct slice value)
{
    if (value.n == 0)
        return false;
    if (value.n == hot->accept_size && memcmp(value.p, hot->accept, value.n) == 0)
        return hot->accept_gzip;
    bool gzip = negotiate_gzip(value);
    if (value.n <= sizeof hot->accept) {
        memcpy(hot->accept, value.p, value.n);
        hot->accept_size = value.n;
        hot->accept_gzip = gzip;
    }
    return gzip;
}

bool hot_answer(struct hot *hot, struct http_request *request)
{
    enum http_method method = http_request_method(request);
    struct slice target = http_request_target(request);
    if ((method != HTTP_GET && method != HTTP_HEAD) || target.n == 0 || target.n > HOT_TARGET_MAX)
        return false;
    struct entry *entry = *slot_of(hot, target);
    if (!entry || entry->target_size != target.n || memcmp(entry->target, target.p, target.n) != 0 ||
        !in_term(&entry->term))
        return false;
    bool gzip = accepts_gzip(hot, http_request_header(request, "Accept-Encoding"));
    if (gzip && entry->must_compress)
        return false;
    entry->references++;
    const struct reply_ready ready = {.heads = &entry->heads,
                                      .document = entry->document,
                                      .gzip = gzip,
                                      .lasts = true,
                                      .release = entry_release,
                                      .arg = entry};
    if (reply_with_heads(request, &ready)) {
        hot->hits++;
        return true;
    }
    entry->references--;
    return false;
}

uint64_t hot_hits(const struct hot *hot)
{
    return hot->hits;
}
