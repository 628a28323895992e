#include "cache/invalidation.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "cache/redis_resolve.h"
#include "cache/redis_url.h"

#include <hiredis/async.h>
/* After async.h, which it needs. */
#include <hiredis/adapters/libevent.h>
#include <stdlib.h>
#include <sys/random.h>

enum { MIN_WAIT_MS = 50, MAX_WAIT_MS = 500, READ_AGAIN_MS = 20 };

enum state {
    IDLE,
    WAITING,     /* to connect again */
    CONNECTING,  /* resolving, connecting, logging in */
    SUBSCRIBING, /* asked for the channel */
    READING,     /* subscribed; the feeds' versions are being read */
    BACK,        /* announcements arrive and none was missed */
};

struct cache_invalidation {
    struct cache_invalidation_settings settings;
    struct cache_invalidation_counts counts;
    struct redis_url url;
    struct cache_key channel;
    enum state state;
    redisAsyncContext *link; /* NULL while there is none; hiredis frees it */
    struct redis_lookup *lookup;
    struct redis_addresses addresses;
    struct redis_client *reader; /* a connection that is subscribed answers nothing else */
    struct event *timer;         /* what it is for hangs on the state */
    unsigned attempts;
    bool asked;       /* the question for the server's health is open */
    uint64_t reading; /* which round of reading is the current one */
    unsigned unread;  /* feeds of this round without an answer */
    bool read_failed;
    uint64_t random;
};

/* One feed's version, asked for in one round. */
struct version_read {
    struct cache_invalidation *invalidation;
    uint64_t round;
    enum cache_feed feed;
};

static void arm(struct cache_invalidation *inv, int64_t ms)
{
    struct timeval wait = {ms / 1000, (ms % 1000) * 1000};
    event_add(inv->timer, &wait);
}

static uint64_t next_random(struct cache_invalidation *inv)
{
    inv->random ^= inv->random << 13; /* xorshift64 (Marsaglia 2003) */
    inv->random ^= inv->random >> 7;
    inv->random ^= inv->random << 17;
    return inv->random;
}

/* What is kept becomes doubtful first, then somebody is told. */
static void lose(struct cache_invalidation *inv, const struct err *why)
{
    redisAsyncContext *link = inv->link;
    bool was_back = inv->state == BACK;
    inv->link = NULL;
    inv->state = WAITING;
    inv->asked = false;
    inv->reading++; /* answers of the old round mean nothing */
    if (was_back) {
        inv->counts.back = false;
        inv->counts.losses++;
        cache_floors_lost(inv->settings.floors);
    }
    if (was_back || inv->attempts == 0)
        log_event(LOG_WARN, "invalidation.lost", LOG_FIELDS(log_str("url", inv->url.shown), log_error_text(why)));
    int64_t most = inv->attempts < 4 ? (int64_t)MIN_WAIT_MS << inv->attempts : MAX_WAIT_MS;
    inv->attempts++;
    arm(inv, MIN_WAIT_MS + (int64_t)(next_random(inv) % (uint64_t)(most - MIN_WAIT_MS + 1)));
    if (link)
        redisAsyncFree(link);
    if (was_back && inv->settings.on_lost)
        inv->settings.on_lost(inv->settings.arg, why);
}

static void lose_because(struct cache_invalidation *inv, enum err_code code, const char *what)
{
    struct err why = ERR_INIT;
    err_set(&why, code, "%s", what);
    lose(inv, &why);
}

/* ---- the feeds' versions ---- */

static void raise_floor(struct cache_invalidation *inv, enum cache_feed feed, int64_t version)
{
    if (cache_floor_raise(inv->settings.floors, feed, version) && inv->settings.on_changed)
        inv->settings.on_changed(inv->settings.arg, feed, version);
}

static void on_all_read(struct cache_invalidation *inv)
{
    if (inv->read_failed) {
        arm(inv, READ_AGAIN_MS);
        return;
    }
    inv->state = BACK;
    inv->attempts = 0;
    inv->counts.back = true;
    cache_floors_back(inv->settings.floors);
    log_event(LOG_INFO, "invalidation.back", LOG_FIELDS(log_str("url", inv->url.shown)));
    arm(inv, inv->settings.ask_every_ms);
    if (inv->settings.on_back)
        inv->settings.on_back(inv->settings.arg);
}

static void on_version(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    struct version_read *read = arg;
    struct cache_invalidation *inv = read->invalidation;
    int64_t version;
    if (read->round == inv->reading && inv->state == READING) {
        if (reply && reply->type == REDIS_REPLY_STRING) {
            /* What is no number was not written by an announcement. */
            if (num_parse_i64((struct slice){reply->str, (size_t)reply->len}, &version))
                raise_floor(inv, read->feed, version);
        } else if (!reply || (reply->type != REDIS_REPLY_NIL && strncmp(reply->str, "WRONGTYPE", 9) != 0)) {
            inv->read_failed = true;
        }
        if (--inv->unread == 0)
            on_all_read(inv);
    }
    free(read);
}

static void read_versions(struct cache_invalidation *inv)
{
    inv->reading++;
    inv->unread = CACHE_FEED_COUNT;
    inv->read_failed = false;
    for (unsigned i = 0; i < CACHE_FEED_COUNT; i++) {
        struct cache_key key = cache_key_feed_version(&inv->settings.space, (enum cache_feed)i);
        struct version_read *read = mem_alloc(sizeof *read);
        *read = (struct version_read){inv, inv->reading, (enum cache_feed)i};
        const char *words[] = {"GET", cache_key_text(&key).p};
        const size_t sizes[] = {3, cache_key_text(&key).n};
        redis_client_command(inv->reader, 2, words, sizes, on_version, read);
    }
}

/* ---- the channel ---- */

/* "<feed> <version>" */
static void on_message(struct cache_invalidation *inv, struct slice text)
{
    const char *space = text.n ? memchr(text.p, ' ', text.n) : NULL;
    size_t n = space ? (size_t)(space - text.p) : text.n;
    enum cache_feed feed;
    int64_t version;
    if (!space || !cache_feed_parse((struct slice){text.p, n}, &feed) ||
        !num_parse_i64((struct slice){space + 1, text.n - n - 1}, &version)) {
        inv->counts.strange++;
        return;
    }
    inv->counts.messages++;
    raise_floor(inv, feed, version);
}

static void on_channel(redisAsyncContext *link, void *answer, void *arg)
{
    struct cache_invalidation *inv = arg;
    const redisReply *reply = answer;
    if (!reply || inv->link != link)
        return;
    if (reply->type == REDIS_REPLY_ERROR) { /* NOPERM, NOAUTH */
        struct err why = ERR_INIT;
        err_set(&why, ERR_UNAVAILABLE, "SUBSCRIBE was refused: %.*s", (int)reply->len, reply->str);
        lose(inv, &why);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || reply->element[0]->type != REDIS_REPLY_STRING)
        return;
    const redisReply *what = reply->element[2];
    if (strcmp(reply->element[0]->str, "message") == 0 && what->type == REDIS_REPLY_STRING) {
        on_message(inv, (struct slice){what->str, (size_t)what->len});
    } else if (strcmp(reply->element[0]->str, "subscribe") == 0) {
        inv->asked = false;
        if (inv->state == SUBSCRIBING) {
            inv->state = READING;
            event_del(inv->timer);
            read_versions(inv);
        }
    }
}

/* Also the question for the server's health: a subscribed connection may always subscribe again. */
static void subscribe(struct cache_invalidation *inv)
{
    const char *words[] = {"SUBSCRIBE", cache_key_text(&inv->channel).p};
    const size_t sizes[] = {9, cache_key_text(&inv->channel).n};
    inv->asked = true;
    (void)redisAsyncCommandArgv(inv->link, on_channel, inv, 2, words, sizes);
}

/* ---- the connection ---- */

static void on_auth(redisAsyncContext *link, void *answer, void *arg)
{
    struct cache_invalidation *inv = arg;
    const redisReply *reply = answer;
    if (!reply || inv->link != link || reply->type != REDIS_REPLY_ERROR)
        return;
    struct err why = ERR_INIT;
    err_set(&why, ERR_UNAVAILABLE, "AUTH was refused: %.*s", (int)reply->len, reply->str);
    lose(inv, &why);
}

static void on_connected(const redisAsyncContext *link, int status)
{
    struct cache_invalidation *inv = link->data;
    if (!inv || inv->link != link)
        return;
    if (status != REDIS_OK) {
        inv->link = NULL; /* hiredis frees it */
        lose_because(inv, ERR_UNAVAILABLE, link->errstr ? link->errstr : "no connection");
        return;
    }
    if (inv->url.has_password && inv->url.user[0])
        (void)redisAsyncCommand(inv->link, on_auth, inv, "AUTH %s %s", inv->url.user, inv->url.password);
    else if (inv->url.has_password)
        (void)redisAsyncCommand(inv->link, on_auth, inv, "AUTH %s", inv->url.password);
    inv->state = SUBSCRIBING;
    subscribe(inv);
}

static void on_disconnected(const redisAsyncContext *link, int status)
{
    (void)status;
    struct cache_invalidation *inv = link->data;
    if (!inv || inv->link != link)
        return;
    inv->link = NULL;
    lose_because(inv, ERR_UNAVAILABLE, link->c.errstr[0] ? link->c.errstr : "the connection was closed");
}

static bool connect_to(struct cache_invalidation *inv, const char *address, struct err *err)
{
    redisAsyncContext *link =
        inv->url.is_unix ? redisAsyncConnectUnix(inv->url.path) : redisAsyncConnect(address, (int)inv->url.port);
    if (!link)
        return err_set(err, ERR_UNAVAILABLE, "cannot connect: out of memory");
    inv->link = link;
    link->data = inv;
    if (link->err)
        return err_set(err, ERR_UNAVAILABLE, "cannot connect: %s", link->errstr);
    if (redisLibeventAttach(link, inv->settings.base) != REDIS_OK ||
        redisAsyncSetConnectCallback(link, on_connected) != REDIS_OK ||
        redisAsyncSetDisconnectCallback(link, on_disconnected) != REDIS_OK)
        return err_set(err, ERR_INTERNAL, "cannot watch the connection");
    return true;
}

static void on_looked_up(void *arg, const struct redis_addresses *addresses)
{
    struct cache_invalidation *inv = arg;
    inv->addresses = *addresses;
    redis_lookup_free(inv->lookup);
    inv->lookup = NULL;
    if (inv->state != CONNECTING)
        return; /* too late for this attempt; the next asks again */
    struct err err = inv->addresses.err;
    if (inv->addresses.count == 0 || !connect_to(inv, inv->addresses.text[inv->attempts % inv->addresses.count], &err))
        lose(inv, &err);
}

static void open_link(struct cache_invalidation *inv)
{
    struct err err = ERR_INIT;
    bool begun = true;
    inv->state = CONNECTING;
    arm(inv, inv->settings.connect_timeout_ms);
    if (inv->url.is_unix || redis_is_address(inv->url.host)) {
        begun = connect_to(inv, inv->url.host, &err);
    } else if (!inv->lookup) { /* else the one of the attempt before still runs */
        inv->lookup = redis_lookup_start(inv->settings.base, inv->url.host, on_looked_up, inv, &err);
        begun = inv->lookup != NULL;
    }
    if (!begun)
        lose(inv, &err);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct cache_invalidation *inv = arg;
    switch (inv->state) {
    case IDLE:
        break;
    case WAITING:
        open_link(inv);
        break;
    case CONNECTING:
    case SUBSCRIBING:
        lose_because(inv, ERR_TIMEOUT, "no subscription in time");
        break;
    case READING:
        read_versions(inv);
        break;
    case BACK:
        if (inv->asked) {
            lose_because(inv, ERR_TIMEOUT, "the server does not answer");
        } else {
            subscribe(inv);
            arm(inv, inv->settings.ask_every_ms);
        }
        break;
    }
}

struct cache_invalidation *cache_invalidation_new(const struct cache_invalidation_settings *settings, struct err *err)
{
    struct redis_url url;
    if (!redis_url_parse(slice_of(settings->url), &url, err))
        return NULL;
    struct redis_settings reader = {.url = settings->url,
                                    .connect_timeout_ms = settings->connect_timeout_ms,
                                    .command_timeout_ms = settings->command_timeout_ms};
    struct redis_client *client = redis_client_new(settings->base, &reader, err);
    if (!client)
        return NULL;
    struct cache_invalidation *inv = mem_zalloc(sizeof *inv);
    inv->settings = *settings;
    inv->settings.url = NULL; /* is not kept: the parsed one is */
    if (inv->settings.ask_every_ms == 0)
        inv->settings.ask_every_ms = 1000;
    inv->url = url;
    inv->reader = client;
    inv->channel = cache_key_invalidations(&inv->settings.space);
    inv->timer = event_new(settings->base, -1, 0, on_timer, inv);
    if (getrandom(&inv->random, sizeof inv->random, 0) != (ssize_t)sizeof inv->random)
        inv->random = (uint64_t)clock_mono_us();
    inv->random |= 1; /* a xorshift generator must not be 0 */
    explicit_bzero(&url, sizeof url);
    return inv;
}

void cache_invalidation_start(struct cache_invalidation *invalidation)
{
    if (invalidation->state != IDLE)
        return;
    redis_client_start(invalidation->reader);
    open_link(invalidation);
}

void cache_invalidation_free(struct cache_invalidation *invalidation)
{
    if (!invalidation)
        return;
    redisAsyncContext *link = invalidation->link;
    invalidation->link = NULL;
    invalidation->state = IDLE;
    invalidation->reading++;
    cache_floors_lost(invalidation->settings.floors);
    if (link)
        redisAsyncFree(link);
    redis_client_free(invalidation->reader); /* ends the reads */
    redis_lookup_free(invalidation->lookup);
    event_free(invalidation->timer);
    explicit_bzero(&invalidation->url, sizeof invalidation->url);
    free(invalidation);
}

void cache_invalidation_counts(const struct cache_invalidation *invalidation, struct cache_invalidation_counts *counts)
{
    *counts = invalidation->counts;
}
