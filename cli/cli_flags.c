#include "cli/cli_flags.h"

#include "base/mem.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000, REDIS_PATIENCE_MS = 500, LOOK_MS = 1000 };

bool cli_flags_load(const struct settings *settings, struct session *session, struct flag_set *set, struct err *err)
{
    struct flag_value defaults[FLAG_COUNT];
    struct flag_overrides overrides;
    struct flag_store_rows rows;
    settings_flags(settings, defaults);
    if (!flag_overrides_read(environ, &overrides, err) || !flag_store_load(session, &rows, NULL, err))
        return false;
    flag_resolve(defaults, &rows, &overrides, set);
    return true;
}

bool cli_flags_mirror(const struct settings *settings, struct session *session, struct err *err)
{
    struct flag_store_rows rows;
    struct cache_space space;
    if (!settings->redis_url[0])
        return true;
    struct redisContext *link = redis_blocking_connect(settings->redis_url, settings->redis_connect_timeout_ms,
                                                       settings->redis_command_timeout_ms, err);
    bool good = link && settings_cache_space(settings, &space, err) && flag_store_load(session, &rows, NULL, err) &&
                flag_mirror_write(link, &space, &rows, err);
    if (link)
        redisFree(link);
    return good;
}

struct switch_watch {
    const struct settings *settings;
    enum flag flag;
    struct flag_value defaults[FLAG_COUNT];
    struct flag_overrides overrides;
    struct session *session;
    atomic_bool on;
    int stop_fd; /* -1: no thread runs */
    pthread_t thread;
};

struct switch_watch *switch_watch_new(const struct settings *settings, enum flag flag, struct err *err)
{
    struct switch_watch *watch = mem_zalloc(sizeof *watch);
    watch->settings = settings;
    watch->flag = flag;
    watch->stop_fd = -1;
    settings_flags(settings, watch->defaults);
    atomic_init(&watch->on, watch->defaults[flag].on);
    if (flag_overrides_read(environ, &watch->overrides, err))
        return watch;
    free(watch);
    return NULL;
}

static bool load_store(struct switch_watch *watch, struct flag_store_rows *rows)
{
    const char *dsn = watch->settings->postgres_dsn;
    if (!watch->session && dsn[0])
        watch->session = session_open_within(dsn, PATIENCE_MS, NULL);
    if (!watch->session)
        return false;
    if (flag_store_load(watch->session, rows, NULL, NULL))
        return true;
    session_close(watch->session);
    watch->session = NULL;
    return false;
}

static bool load_mirror(const struct switch_watch *watch, struct flag_store_rows *rows)
{
    struct cache_space space;
    if (!watch->settings->redis_url[0] || !settings_cache_space(watch->settings, &space, NULL))
        return false;
    struct redisContext *link =
        redis_blocking_connect(watch->settings->redis_url, REDIS_PATIENCE_MS, REDIS_PATIENCE_MS, NULL);
    bool good = link && flag_mirror_read(link, &space, rows, NULL);
    if (link)
        redisFree(link);
    return good;
}

bool switch_watch_look(struct switch_watch *watch)
{
    struct flag_store_rows rows = {0};
    struct flag_set set = {0};
    bool stored = watch->settings->postgres_dsn[0] != '\0';
    if (stored && !load_store(watch, &rows) && !load_mirror(watch, &rows) && !watch->overrides.present[watch->flag])
        return switch_watch_is_on(watch);
    flag_resolve(watch->defaults, &rows, &watch->overrides, &set);
    atomic_store(&watch->on, set.states[watch->flag].value.on);
    return switch_watch_is_on(watch);
}

bool switch_watch_is_on(const struct switch_watch *watch)
{
    return atomic_load(&watch->on);
}

static void *run(void *arg)
{
    struct switch_watch *watch = arg;
    struct pollfd stop = {.fd = watch->stop_fd, .events = POLLIN};
    int n = 0;
    while ((n = poll(&stop, 1, LOOK_MS)) == 0 || (n < 0 && errno == EINTR)) {
        if (switch_watch_look(watch))
            continue;
        (void)kill(getpid(), SIGTERM);
        break;
    }
    return NULL;
}

bool switch_watch_start(struct switch_watch *watch, struct err *err)
{
    watch->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (watch->stop_fd < 0)
        return err_set_errno(err, errno, "cannot make an event descriptor");
    int failed = pthread_create(&watch->thread, NULL, run, watch);
    if (!failed)
        return true;
    (void)close(watch->stop_fd);
    watch->stop_fd = -1;
    return err_set_errno(err, failed, "cannot start a thread");
}

void switch_watch_free(struct switch_watch *watch)
{
    if (!watch)
        return;
    if (watch->stop_fd >= 0) {
        (void)eventfd_write(watch->stop_fd, 1);
        (void)pthread_join(watch->thread, NULL);
        (void)close(watch->stop_fd);
    }
    session_close(watch->session);
    free(watch);
}
