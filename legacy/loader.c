#include "base/clock.h"
#include "base/mem.h"
#include "legacy/set.h"

#include <pthread.h>
#include <stdlib.h>

struct legacy_loader {
    char *dir;
    int64_t poll_ms;
    void (*publish)(void *arg, struct legacy_set *set);
    void *arg;

    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool published; /* the first set is out */
    bool stopping;
};

/* Waits for the next look. False when the loader is to end. */
static bool wait_for_next(struct legacy_loader *loader)
{
    const int64_t ms_per_s = 1000;
    int64_t wake_ms = clock_mono_ms() + loader->poll_ms;
    struct timespec wake = {(time_t)(wake_ms / ms_per_s), (long)(wake_ms % ms_per_s) * 1000000L};
    (void)pthread_mutex_lock(&loader->lock);
    int waited = 0;
    while (!loader->stopping && waited == 0)
        waited = pthread_cond_timedwait(&loader->changed, &loader->lock, &wake);
    bool go_on = !loader->stopping;
    (void)pthread_mutex_unlock(&loader->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct legacy_loader *loader = arg;
    struct legacy_set *current = legacy_set_load(loader->dir, NULL);
    loader->publish(loader->arg, legacy_set_ref(current));
    (void)pthread_mutex_lock(&loader->lock);
    loader->published = true;
    (void)pthread_cond_broadcast(&loader->changed);
    (void)pthread_mutex_unlock(&loader->lock);

    while (wait_for_next(loader)) {
        struct legacy_set *next = legacy_set_load(loader->dir, current);
        if (!legacy_set_same(current, next))
            loader->publish(loader->arg, legacy_set_ref(next));
        /* Also when nothing is new to readers: it knows what need not be read again. */
        legacy_set_unref(current);
        current = next;
    }
    legacy_set_unref(current);
    return NULL;
}

static void loader_free(struct legacy_loader *loader)
{
    (void)pthread_cond_destroy(&loader->changed);
    (void)pthread_mutex_destroy(&loader->lock);
    free(loader->dir);
    free(loader);
}

struct legacy_loader *legacy_loader_start(const char *dir, int64_t poll_ms,
                                          void (*publish)(void *arg, struct legacy_set *set), void *arg,
                                          struct err *err)
{
    struct legacy_loader *loader = mem_zalloc(sizeof *loader);
    loader->dir = mem_strndup(dir, strlen(dir));
    loader->poll_ms = poll_ms;
    loader->publish = publish;
    loader->arg = arg;
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&loader->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&loader->lock, NULL);

    int failed = pthread_create(&loader->thread, NULL, run, loader);
    if (failed) {
        (void)err_set_errno(err, failed, "cannot start the thread that loads %s", dir);
        loader_free(loader);
        return NULL;
    }
    (void)pthread_mutex_lock(&loader->lock);
    while (!loader->published)
        (void)pthread_cond_wait(&loader->changed, &loader->lock);
    (void)pthread_mutex_unlock(&loader->lock);
    return loader;
}

void legacy_loader_stop(struct legacy_loader *loader)
{
    if (!loader)
        return;
    (void)pthread_mutex_lock(&loader->lock);
    loader->stopping = true;
    (void)pthread_cond_broadcast(&loader->changed);
    (void)pthread_mutex_unlock(&loader->lock);
    (void)pthread_join(loader->thread, NULL);
    loader_free(loader);
}
