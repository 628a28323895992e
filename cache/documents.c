#include "cache/documents.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "cache/documents_scripts.h"
#include "cache/script.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

enum { FIRST_WAIT_MS = 4, LONGEST_WAIT_MS = 50 };

/* A get or a claim under way. */
struct look {
    TAILQ_ENTRY(look) next;
    struct cache_documents *documents; /* NULL: they are gone, and the asker has been told */
    struct cache_key document;
    struct cache_key version;
    struct cache_key lock;
    struct cache_token token;
    int64_t lock_ms; /* 0: a get */
    int64_t ends_ms; /* of a claim's wait, clock_mono_ms */
    int64_t wait_ms; /* until it looks again */
    struct event *timer;
    bool asked; /* a command is under way */
    bool waited;
    bool may_wait;
    cache_found_fn *found;
    cache_claim_fn *claimed;
    void *arg;
};

TAILQ_HEAD(looks, look);

struct cache_documents {
    struct cache_documents_settings settings;
    struct cache_documents_counts counts;
    struct cache_script look;
    struct cache_script store;
    struct cache_script release;
    struct looks looks;
    TAILQ_HEAD(, put) puts;
};

struct cache_documents *cache_documents_new(const struct cache_documents_settings *settings)
{
    struct cache_documents *documents = mem_zalloc(sizeof *documents);
    documents->settings = *settings;
    documents->look = cache_script_of(SCRIPT_LOOK);
    documents->store = cache_script_of(SCRIPT_STORE);
    documents->release = cache_script_of(SCRIPT_RELEASE);
    TAILQ_INIT(&documents->looks);
    TAILQ_INIT(&documents->puts);
    return documents;
}

void cache_documents_set_client(struct cache_documents *documents, struct redis_client *client)
{
    documents->settings.client = client;
}

void cache_documents_set_space(struct cache_documents *documents, const struct cache_space *space)
{
    documents->settings.space = *space;
}

/* ---- looking ---- */

/* Tells the asker; the look itself goes as soon as no command holds it. */
static void look_end(struct look *look, enum cache_claim claim, const struct cache_found *found, bool has_lock)
{
    static const struct cache_token no_token;
    struct cache_documents *documents = look->documents;
    TAILQ_REMOVE(&documents->looks, look, next);
    look->documents = NULL;
    if (look->claimed)
        look->claimed(look->arg, claim, found, has_lock ? &look->token : &no_token);
    else
        look->found(look->arg, found);
    event_free(look->timer);
    look->timer = NULL;
    if (!look->asked)
        free(look);
}

static void count(struct cache_documents *documents, const struct cache_found *found)
{
    switch (found->judgement) {
    case CACHE_FRESH:
        documents->counts.fresh++;
        break;
    case CACHE_STALE:
        documents->counts.stale++;
        break;
    case CACHE_DOUBTED:
        documents->counts.doubted++;
        break;
    case CACHE_MISS:
        if (found->reached)
            documents->counts.misses++;
        else
            documents->counts.errors++;
        break;
    }
}

static void ignore(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)arg, (void)reply, (void)err;
}

static void throw_away(struct cache_documents *documents, const struct cache_key *key)
{
    struct slice text = cache_key_text(key);
    const char *words[] = {"UNLINK", text.p};
    const size_t sizes[] = {6, text.n};
    documents->counts.damaged++;
    if (documents->settings.client)
        redis_client_command(documents->settings.client, 2, words, sizes, ignore, NULL);
}

static bool is_look_reply(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 4 &&
           (reply->element[0]->type == REDIS_REPLY_STRING || reply->element[0]->type == REDIS_REPLY_NIL) &&
           reply->element[1]->type == REDIS_REPLY_INTEGER && reply->element[2]->type == REDIS_REPLY_STRING &&
           reply->element[3]->type == REDIS_REPLY_INTEGER;
}

/* Says what a good reply means, and takes the news of the feed from it. */
static void judge(const struct look *look, const struct redisReply *reply, struct cache_found *found)
{
    struct cache_documents *documents = look->documents;
    enum cache_feed feed = cache_key_feed(&look->document);
    const struct redisReply *value = reply->element[0];
    const struct redisReply *version = reply->element[2];
    int64_t announced = 0;
    found->reached = true;
    if (num_parse_i64((struct slice){version->str, (size_t)version->len}, &announced))
        (void)cache_floor_raise(documents->settings.floors, feed, announced);
    if (value->type == REDIS_REPLY_NIL)
        return;
    if (!document_value_decode((struct slice){value->str, (size_t)value->len}, &found->value)) {
        throw_away(documents, &look->document);
        return;
    }
    found->stale_left_ms = reply->element[1]->integer > 0 ? reply->element[1]->integer : 0;
    found->fresh_left_ms = found->stale_left_ms - found->value.stale_ms;
    if (found->value.version < cache_floor(documents->settings.floors, feed))
        found->judgement = CACHE_DOUBTED;
    else
        found->judgement = found->fresh_left_ms > 0 ? CACHE_FRESH : CACHE_STALE;
}

static void send_release(struct cache_documents *documents, const struct cache_key *lock,
                         const struct cache_token *token)
{
    struct cache_script_call call = {.keys = {lock}, .key_count = 1, .args = {slice_of(token->text)}, .arg_count = 1};
    if (documents->settings.client && token->text[0] && cache_key_is_good(lock))
        cache_script_run(documents->settings.client, &documents->release, &call, ignore, NULL);
}

/* Another process builds the document: looks again soon, longer each time. */
static void look_again_later(struct look *look)
{
    int64_t left = look->ends_ms - clock_mono_ms();
    int64_t wait = look->wait_ms < left ? look->wait_ms : left;
    struct timeval pause = {wait / 1000, (wait % 1000) * 1000};
    if (!look->waited)
        look->documents->counts.waits++;
    look->waited = true;
    look->wait_ms = look->wait_ms * 3 / 2 < LONGEST_WAIT_MS ? look->wait_ms * 3 / 2 : LONGEST_WAIT_MS;
    event_add(look->timer, &pause);
}

enum lock_state { LOCK_FREE, LOCK_ANOTHERS, LOCK_TAKEN };

static void claim_answered(struct look *look, const struct cache_found *found, enum lock_state lock)
{
    struct cache_documents *documents = look->documents;
    if (lock == LOCK_TAKEN && found->judgement == CACHE_FRESH)
        send_release(documents, &look->lock, &look->token);
    else if (lock == LOCK_TAKEN)
        documents->counts.claims++;

    if (found->judgement == CACHE_FRESH) {
        look_end(look, CACHE_CLAIM_FOUND, found, false);
    } else if (lock != LOCK_ANOTHERS) {
        look_end(look, CACHE_CLAIM_BUILD, found, lock == LOCK_TAKEN);
    } else if (!look->may_wait) {
        look_end(look, CACHE_CLAIM_BUSY, found, false);
    } else if (clock_mono_ms() >= look->ends_ms) {
        documents->counts.overtimes++;
        look_end(look, CACHE_CLAIM_BUILD, found, false);
    } else {
        look_again_later(look);
    }
}

static void on_look(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    struct look *look = arg;
    look->asked = false;
    if (!look->documents) {
        free(look);
        return;
    }
    struct cache_found found = {.judgement = CACHE_MISS};
    enum lock_state lock = LOCK_FREE;
    if (is_look_reply(reply)) {
        judge(look, reply, &found);
        lock = (enum lock_state)reply->element[3]->integer;
    }
    count(look->documents, &found);
    if (look->claimed)
        claim_answered(look, &found, lock);
    else
        look_end(look, CACHE_CLAIM_FOUND, &found, false);
}

static void look_send(struct look *look)
{
    struct cache_documents *documents = look->documents;
    char lock_ms[24];
    int n = snprintf(lock_ms, sizeof lock_ms, "%" PRId64, look->lock_ms);
    struct cache_script_call call = {.keys = {&look->document, &look->version, &look->lock},
                                     .key_count = 3,
                                     .args = {slice_of(look->token.text), {lock_ms, (size_t)n}},
                                     .arg_count = 2};
    look->asked = true;
    cache_script_run(documents->settings.client, &documents->look, &call, on_look, look);
}

/* The end of a pause, or of a look that could not be sent at all. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct look *look = arg;
    if (look->documents->settings.client && cache_key_is_good(&look->document) && cache_key_is_good(&look->lock)) {
        look_send(look);
        return;
    }
    const struct cache_found none = {.judgement = CACHE_MISS};
    count(look->documents, &none);
    look_end(look, CACHE_CLAIM_BUILD, &none, false);
}

static struct look *look_new(struct cache_documents *documents, enum cache_feed feed, struct slice name, void *arg)
{
    struct look *look = mem_zalloc(sizeof *look);
    look->documents = documents;
    look->document = cache_key_document(&documents->settings.space, feed, name);
    look->version = cache_key_feed_version(&documents->settings.space, feed);
    look->lock = cache_key_document_lock(&documents->settings.space, feed, name);
    look->timer = event_new(documents->settings.base, -1, 0, on_timer, look);
    look->arg = arg;
    TAILQ_INSERT_TAIL(&documents->looks, look, next);
    return look;
}

static void look_start(struct look *look)
{
    if (look->documents->settings.client && cache_key_is_good(&look->document) && cache_key_is_good(&look->lock))
        look_send(look);
    else
        event_active(look->timer, EV_TIMEOUT, 0); /* never from inside the asker's call */
}

void cache_documents_get(struct cache_documents *documents, enum cache_feed feed, struct slice name,
                         cache_found_fn *found, void *arg)
{
    struct look *look = look_new(documents, feed, name, arg);
    look->found = found;
    look_start(look);
}

static void make_token(struct cache_token *token)
{
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        random[0] = (uint64_t)clock_mono_us();
        random[1] = (uint64_t)(uintptr_t)token;
    }
    (void)snprintf(token->text, sizeof token->text, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
}

void cache_documents_claim(struct cache_documents *documents, enum cache_feed feed, struct slice name, int64_t wait_ms,
                           cache_claim_fn *claimed, void *arg)
{
    struct look *look = look_new(documents, feed, name, arg);
    look->claimed = claimed;
    make_token(&look->token);
    look->lock_ms = cache_key_ttl_ms(&documents->settings.space, &look->lock);
    look->ends_ms = clock_mono_ms() + wait_ms;
    look->wait_ms = FIRST_WAIT_MS;
    look->may_wait = wait_ms > 0;
    look_start(look);
}

/* ---- storing ---- */

struct put {
    TAILQ_ENTRY(put) next;
    struct cache_documents *documents; /* NULL: they are gone, and the caller has been told */
    cache_stored_fn *stored;
    void *arg;
};

static void put_end(struct put *put, enum cache_stored stored)
{
    TAILQ_REMOVE(&put->documents->puts, put, next);
    put->documents = NULL;
    if (put->stored)
        put->stored(put->arg, stored);
}

static void on_stored(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    struct put *put = arg;
    struct cache_documents *documents = put->documents;
    if (documents) {
        enum cache_stored stored = CACHE_STORED_NOT;
        if (reply && reply->type == REDIS_REPLY_INTEGER)
            stored = reply->integer == 1 ? CACHE_STORED : reply->integer == -3 ? CACHE_STORED_FULL : CACHE_STORED_NEWER;
        if (stored == CACHE_STORED)
            documents->counts.stored++;
        else if (stored != CACHE_STORED_NOT)
            documents->counts.refused++;
        put_end(put, stored);
    }
    free(put);
}

static void send_store(struct cache_documents *documents, const struct cache_key *document, int64_t ms,
                       const struct document_value *value, struct put *put)
{
    enum cache_feed feed = cache_key_feed(document);
    struct cache_key version = cache_key_feed_version(&documents->settings.space, feed);
    struct cache_key index = cache_key_feed_documents(&documents->settings.space, feed);
    char numbers[3][NUM_TEXT_SIZE];
    struct buf bytes = BUF_INIT;
    document_value_encode(value, &bytes);
    struct cache_script_call call = {
        .keys = {document, &version, &index},
        .key_count = 3,
        .args = {buf_slice(&bytes),
                 {numbers[0], num_format_i64(numbers[0], value->version)},
                 {numbers[1], num_format_i64(numbers[1], ms)},
                 {numbers[2], num_format_i64(numbers[2], CACHE_FEED_DOCUMENTS_MAX)}},
        .arg_count = 4,
    };
    cache_script_run(documents->settings.client, &documents->store, &call, on_stored, put);
    buf_free(&bytes);
}

void cache_documents_put(struct cache_documents *documents, enum cache_feed feed, struct slice name, int64_t fresh_ms,
                         const struct document_value *value, const struct cache_token *token, cache_stored_fn *stored,
                         void *arg)
{
    struct cache_key document = cache_key_document(&documents->settings.space, feed, name);
    int64_t most_ms = cache_key_ttl_ms(&documents->settings.space, &document);
    struct document_value fitted = *value;
    if (fresh_ms > most_ms)
        fresh_ms = most_ms;
    if (fitted.stale_ms > most_ms - fresh_ms)
        fitted.stale_ms = most_ms - fresh_ms;
    if (documents->settings.client && cache_key_is_good(&document) && fresh_ms > 0) {
        struct put *put = mem_zalloc(sizeof *put);
        *put = (struct put){.documents = documents, .stored = stored, .arg = arg};
        TAILQ_INSERT_TAIL(&documents->puts, put, next);
        send_store(documents, &document, fresh_ms + fitted.stale_ms, &fitted, put);
    } else if (stored) {
        stored(arg, CACHE_STORED_NOT);
    }
    if (token)
        cache_documents_release(documents, feed, name, token);
}

void cache_documents_release(struct cache_documents *documents, enum cache_feed feed, struct slice name,
                             const struct cache_token *token)
{
    struct cache_key lock = cache_key_document_lock(&documents->settings.space, feed, name);
    send_release(documents, &lock, token);
}

void cache_documents_counts(const struct cache_documents *documents, struct cache_documents_counts *counts)
{
    *counts = documents->counts;
}

void cache_documents_free(struct cache_documents *documents)
{
    if (!documents)
        return;
    const struct cache_found none = {.judgement = CACHE_MISS};
    struct look *look;
    struct put *put;
    documents->settings.client = NULL; /* whoever is told must not ask on */
    while ((look = TAILQ_FIRST(&documents->looks)))
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that TAILQ_REMOVE took the freed look out */
        look_end(look, CACHE_CLAIM_BUILD, &none, false);
    while ((put = TAILQ_FIRST(&documents->puts)))
        put_end(put, CACHE_STORED_NOT);
    free(documents);
}
