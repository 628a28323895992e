#include "server/subscriber.h"

#include "base/log.h"
#include "base/mem.h"
#include "cache/invalidation.h"
#include "server/mailbox.h"

#include <pthread.h>
#include <stdlib.h>

struct subscriber {
    struct event_base *base;
    struct mailbox *mailbox;
    struct cache_invalidation *invalidation;
    struct answer_shared *shared;
    void (*on_lost)(void *arg);
    void *arg;
    bool started;
    pthread_t thread;
};

static void on_changed(void *arg, enum cache_feed feed, int64_t version)
{
    (void)feed;
    (void)version;
    struct subscriber *subscriber = arg;
    (void)atomic_fetch_add_explicit(&subscriber->shared->announcements, 1, memory_order_relaxed);
}

static void on_lost(void *arg, const struct err *why)
{
    struct subscriber *subscriber = arg;
    log_event(LOG_WARN, "cache.announcements_lost", LOG_FIELDS(log_error_text(why)));
    subscriber->on_lost(subscriber->arg);
}

static void on_back(void *arg)
{
    (void)arg;
    log_event(LOG_INFO, "cache.announcements_heard", NULL);
}

static void *run(void *arg)
{
    struct subscriber *subscriber = arg;
    cache_invalidation_start(subscriber->invalidation);
    if (event_base_dispatch(subscriber->base) == -1)
        log_event(LOG_ERROR, "cache.loop_failed", NULL);
    return NULL;
}

struct subscriber *subscriber_start(const struct settings *settings, const struct cache_space *space,
                                    struct answer_shared *shared, void (*lost)(void *arg), void *arg, struct err *err)
{
    struct subscriber *subscriber = mem_zalloc(sizeof *subscriber);
    subscriber->shared = shared;
    subscriber->on_lost = lost;
    subscriber->arg = arg;
    subscriber->base = event_base_new();
    if (!subscriber->base) {
        (void)err_set(err, ERR_IO, "cannot make an event loop");
        goto fail;
    }
    subscriber->mailbox = mailbox_new(subscriber->base, err);
    if (!subscriber->mailbox)
        goto fail;
    const struct cache_invalidation_settings how = {.base = subscriber->base,
                                                    .url = settings->redis_url,
                                                    .connect_timeout_ms = settings->redis_connect_timeout_ms,
                                                    .command_timeout_ms = settings->redis_command_timeout_ms,
                                                    .space = *space,
                                                    .floors = &shared->floors,
                                                    .on_changed = on_changed,
                                                    .on_lost = on_lost,
                                                    .on_back = on_back,
                                                    .arg = subscriber};
    subscriber->invalidation = cache_invalidation_new(&how, err);
    if (!subscriber->invalidation)
        goto fail;
    int failed = pthread_create(&subscriber->thread, NULL, run, subscriber);
    if (failed) {
        (void)err_set_errno(err, failed, "cannot start a thread");
        goto fail;
    }
    subscriber->started = true;
    return subscriber;
fail:
    subscriber_stop(subscriber);
    return NULL;
}

static void end_loop(void *arg)
{
    (void)event_base_loopbreak(arg);
}

void subscriber_stop(struct subscriber *subscriber)
{
    if (!subscriber)
        return;
    if (subscriber->started) {
        mailbox_post(subscriber->mailbox, end_loop, subscriber->base);
        (void)pthread_join(subscriber->thread, NULL);
    }
    if (subscriber->invalidation)
        cache_invalidation_free(subscriber->invalidation);
    mailbox_free(subscriber->mailbox);
    if (subscriber->base)
        event_base_free(subscriber->base);
    free(subscriber);
}
