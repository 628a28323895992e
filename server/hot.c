#include "server/hot.h"

#include "base/clock.h"
#include "base/mem.h"
#include "server/canary.h"
#include "server/negotiate.h"
#include "server/offload.h"
#include "server/shadow_tap.h"

#include <stdlib.h>
#include <xxhash.h>

/* Counted without atomics: the table and the replies that it makes live on one loop. */
struct entry {
    size_t references;
    struct document *document;
    struct reply_heads heads;
    struct hot_term term;
    enum flag flag;          /* of its endpoint, */
    enum endpoint_side side; /* which answered */
    bool must_compress;      /* clients may have it compressed, but it is not yet */
    bool asked_file[2];      /* of the plain form, of the compressed one */
    size_t target_size;
    char target[];
};

/* One target's, or none's. */
struct slot {
    struct entry *sides[ENDPOINT_SIDES]; /* NULL: that side did not answer it lately */
    enum flag flag;                      /* that decides between them */
};

struct hot {
    struct slot slots[HOT_SLOTS];
    const struct settings *settings;
    const struct flag_set *flags;
    struct shadow_tap *tap;  /* NULL: none */
    struct offload *offload; /* NULL: none */
    struct mailbox *mailbox;
    uint64_t hits;
    uint64_t hits_of_rows[FLAG_COUNT];
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

static void empty(struct slot *slot)
{
    for (size_t side = 0; side < ENDPOINT_SIDES; side++) {
        entry_release(slot->sides[side]);
        slot->sides[side] = NULL;
    }
}

void hot_clear(struct hot *hot)
{
    for (size_t i = 0; i < HOT_SLOTS; i++)
        empty(&hot->slots[i]);
}

void hot_go_by(struct hot *hot, const struct settings *settings, const struct flag_set *flags)
{
    for (size_t i = 0; i < HOT_SLOTS; i++) {
        struct slot *slot = &hot->slots[i];
        if (settings != hot->settings ||
            flags->states[slot->flag].value.mode != hot->flags->states[slot->flag].value.mode)
            empty(slot);
    }
    hot->settings = settings;
    hot->flags = flags;
}

void hot_set_tap(struct hot *hot, struct shadow_tap *tap)
{
    hot->tap = tap;
}

void hot_set_offload(struct hot *hot, struct offload *offload, struct mailbox *mailbox)
{
    hot->offload = offload;
    hot->mailbox = mailbox;
}

void hot_free(struct hot *hot)
{
    if (!hot)
        return;
    hot_clear(hot);
    free(hot);
}

static struct slot *slot_of(struct hot *hot, struct slice target)
{
    return &hot->slots[XXH3_64bits(target.p, target.n) % HOT_SLOTS];
}

static bool is_of(const struct entry *entry, struct slice target)
{
    return entry->target_size == target.n && memcmp(entry->target, target.p, target.n) == 0;
}

static struct entry *entry_new(const struct settings *settings, struct slice target, const struct reply_answer *answer,
                               const struct hot_term *term)
{
    struct document *document = answer->document;
    struct entry *entry = mem_zalloc(sizeof *entry + target.n);
    entry->references = 1;
    entry->document = document_ref(document);
    reply_heads_make(&entry->heads, settings, answer);
    entry->term = *term;
    entry->flag = answer->endpoint->flag;
    entry->side = answer->side;
    entry->must_compress = settings->compression_enabled && !document_is_compressed(document) &&
                           (int64_t)document_body(document).n >= settings->compression_min_bytes;
    entry->target_size = target.n;
    memcpy(entry->target, target.p, target.n);
    return entry;
}

void hot_keep(struct hot *hot, const struct http_request *request, const struct reply_answer *answer,
              const struct hot_term *term)
{
    struct slice target = http_request_target(request);
    if (target.n == 0 || target.n > HOT_TARGET_MAX || answer->mode != endpoint_value(answer->endpoint, hot->flags).mode)
        return;
    struct slot *slot = slot_of(hot, target);
    for (size_t side = 0; side < ENDPOINT_SIDES; side++)
        if (side == answer->side || (slot->sides[side] && !is_of(slot->sides[side], target))) {
            entry_release(slot->sides[side]);
            slot->sides[side] = NULL;
        }
    slot->flag = answer->endpoint->flag;
    slot->sides[answer->side] = entry_new(hot->settings, target, answer, term);
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

/* What the target's slot has for this client. The client's key is looked at only when it decides. */
static struct entry *entry_for(struct hot *hot, struct http_request *request, struct slice target)
{
    struct slot *slot = slot_of(hot, target);
    const struct flag_value *value = &hot->flags->states[slot->flag].value;
    if (value->mode == FLAG_CANARY) {
        /* Most requests of other paths end here. */
        const struct entry *any = slot->sides[slot->sides[ENDPOINT_LEGACY] ? ENDPOINT_LEGACY : ENDPOINT_REPO];
        if (!any || !is_of(any, target))
            return NULL;
        return slot->sides[canary_side(request, hot->settings, *value)];
    }
    return slot->sides[value->mode == FLAG_REPO ? ENDPOINT_REPO : ENDPOINT_LEGACY];
}

/* The making of a document's file. */
struct file_job {
    struct document *document;
    bool gzip;
};

static void make_file(void *arg)
{
    const struct file_job *job = arg;
    document_make_file(job->document, job->gzip);
}

static void end_job(void *arg)
{
    struct file_job *job = arg;
    document_unref(job->document);
    free(job);
}

/* What is sent often and large gets a file, behind the clients' backs: until then their replies are copied. */
static void ask_for_file(struct hot *hot, struct entry *entry, bool gzip)
{
    if (entry->asked_file[gzip] || !hot->offload)
        return;
    entry->asked_file[gzip] = true;
    struct slice bytes = gzip ? document_gzip(entry->document) : document_body(entry->document);
    if (bytes.n < DOCUMENT_FILE_MIN || document_file(entry->document, gzip) >= 0)
        return;
    struct file_job *job = mem_alloc(sizeof *job);
    *job = (struct file_job){document_ref(entry->document), gzip};
    offload_submit(hot->offload, hot->mailbox, make_file, end_job, job);
}

bool hot_answer(struct hot *hot, struct http_request *request)
{
    enum http_method method = http_request_method(request);
    struct slice target = http_request_target(request);
    if ((method != HTTP_GET && method != HTTP_HEAD) || target.n == 0 || target.n > HOT_TARGET_MAX)
        return false;
    struct entry *entry = entry_for(hot, request, target);
    if (!entry || !is_of(entry, target) || !in_term(&entry->term))
        return false;
    bool gzip = accepts_gzip(hot, http_request_header(request, "Accept-Encoding"));
    if (gzip && entry->must_compress)
        return false;
    gzip = gzip && entry->heads.gzip.n > 0;
    ask_for_file(hot, entry, gzip);
    entry->references++;
    if (hot->tap && shadow_tap_wants(hot->tap, entry->flag))
        shadow_tap_note(hot->tap, entry->flag, entry->side, target, entry->document);
    const struct reply_ready ready = {
        .heads = &entry->heads, .document = entry->document, .gzip = gzip, .release = entry_release, .arg = entry};
    if (reply_with_heads(request, &ready)) {
        hot->hits++;
        hot->hits_of_rows[entry->flag] += entry->side == ENDPOINT_REPO;
        return true;
    }
    entry->references--;
    return false;
}

uint64_t hot_hits(const struct hot *hot)
{
    return hot->hits;
}

uint64_t hot_hits_of_rows(const struct hot *hot, enum flag flag)
{
    return hot->hits_of_rows[flag];
}
