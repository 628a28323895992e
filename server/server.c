#include "server/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/redis_url.h"
#include "server/endpoints.h"
#include "server/flag_keeper.h"
#include "server/http.h"
#include "server/ingest.h"
#include "server/legacy_faults.h"
#include "server/listeners.h"
#include "server/outbox_threads.h"
#include "server/shadow.h"
#include "server/subscriber.h"
#include "server/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { OFFLOAD_THREADS_MAX = 8 };

/* A connector that a reload replaced; ended when the last pool has let go of it. */
struct old_source {
    struct old_source *next;
    struct postgres_source *source;
};

/* Readers of the outbox with the settings that they go by; those that a reload replaced end when they can. */
struct outbox_run {
    struct outbox_run *next;
    struct snapshot *snapshot;
    struct outbox_threads *threads;
};

struct server {
    struct worker_company company;
    struct answer_shared answers;
    struct stream_shared streams;
    struct subscriber *subscriber; /* NULL: no Redis, or nothing to cache */
    unsigned worker_count;
    struct worker **workers;
    int fd;
    atomic_uint stopped; /* workers whose loop is over */

    struct snapshot *snapshot;
    struct postgres_source *postgres; /* NULL: none is configured */
    struct old_source *old_sources;

    struct flag_keeper *flags;
    atomic_uint dual_write[CACHE_FEED_COUNT];
    atomic_bool dual_write_changed; /* the readers of the outbox are to be told */

    struct shadow *shadow;
    struct fallback_watch fallback;
    enum flag_mode modes[FLAG_COUNT]; /* of the set that was last handed on */

    struct outbox_board outbox_board;
    struct outbox_run *outbox;       /* NULL: off */
    struct outbox_run *old_outboxes; /* told to end */

    struct legacy_loader *loader; /* NULL: no folder is configured */
    pthread_mutex_t legacy_lock;  /* guards the two below: the loader's thread publishes, a reload looks on */
    struct snapshot *legacy_snapshot;
    struct legacy_documents *legacy;
};

static void wake(struct server *server)
{
    uint64_t one = 1;
    while (write(server->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static void on_worker_stopped(void *arg)
{
    struct server *server = arg;
    (void)atomic_fetch_add(&server->stopped, 1);
    wake(server);
}

static void on_worker_released(void *arg)
{
    wake(arg);
}

static void on_announcements_lost(void *arg)
{
    struct server *server = arg;
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i])
            worker_forget_hot(server->workers[i]);
    }
}

static bool needs_subscriber(const struct settings *settings)
{
    return settings->redis_url[0] && settings->cache_enabled && settings->postgres_dsn[0];
}

static bool start_subscriber(struct server *server, const struct settings *settings, struct err *err)
{
    struct cache_space space;
    if (!settings_cache_space(settings, &space, err))
        return false;
    if (!needs_subscriber(settings))
        return true;
    server->subscriber = subscriber_start(settings, &space, &server->answers, on_announcements_lost, server, err);
    return server->subscriber != NULL;
}

/* Listens elsewhere when the settings say so. Without a listener answers live a second, so a failure does no harm. */
static bool reload_subscriber(struct server *server, const struct settings *old, const struct settings *new,
                              struct err *err)
{
    if (needs_subscriber(old) == needs_subscriber(new) && strcmp(old->redis_url, new->redis_url) == 0 &&
        strcmp(old->redis_prefix, new->redis_prefix) == 0 &&
        old->redis_connect_timeout_ms == new->redis_connect_timeout_ms &&
        old->redis_command_timeout_ms == new->redis_command_timeout_ms)
        return true;
    subscriber_stop(server->subscriber);
    server->subscriber = NULL;
    on_announcements_lost(server);
    return start_subscriber(server, new, err);
}

static void on_outbox_ended(void *arg)
{
    wake(arg);
}

/* Runs readers by the server's snapshot when it asks for them. */
static bool start_outbox(struct server *server, struct err *err)
{
    const struct settings *settings = snapshot_settings(server->snapshot);
    if (!outbox_is_on(settings)) {
        if (settings->outbox_enabled && settings->postgres_dsn[0])
            log_event(LOG_WARN, "outbox.off", LOG_FIELDS(log_str("why", "postgres.prepared_statements is false")));
        return true;
    }
    struct outbox_threads *threads =
        outbox_threads_start(settings, server->dual_write, &server->outbox_board, on_outbox_ended, server, err);
    if (!threads)
        return err_wrap(err, "outbox");
    server->outbox = mem_alloc(sizeof *server->outbox);
    *server->outbox = (struct outbox_run){NULL, snapshot_ref(server->snapshot), threads};
    return true;
}

/* Tells the readers to end. Leadership goes over when each has finished what it is at. */
static void retire_outbox(struct server *server)
{
    if (!server->outbox)
        return;
    outbox_threads_stop(server->outbox->threads);
    server->outbox->next = server->old_outboxes;
    server->old_outboxes = server->outbox;
    server->outbox = NULL;
}

static void end_old_outboxes(struct server *server, bool wait)
{
    struct outbox_run **link = &server->old_outboxes;
    while (*link) {
        struct outbox_run *old = *link;
        if (!wait && !outbox_threads_ended(old->threads)) {
            link = &old->next;
            continue;
        }
        *link = old->next;
        outbox_threads_free(old->threads);
        snapshot_unref(old->snapshot);
        free(old);
    }
}

static bool reload_outbox(struct server *server, const struct settings *old, const struct settings *new,
                          struct err *err)
{
    if (!outbox_differs(old, new))
        return true;
    retire_outbox(server);
    return start_outbox(server, err);
}

/* What flags say about legacy files, where the readers of the outbox see it. */
static void set_dual_write(struct server *server, const struct flag_set *set)
{
    bool changed = false;
    for (enum cache_feed feed = 0; feed < CACHE_FEED_COUNT; feed++) {
        bool on = set->states[outbox_dual_write_flag(feed)].value.on;
        bool was_on = atomic_load(&server->dual_write[feed]) & 1;
        if (on != was_on)
            (void)atomic_fetch_add(&server->dual_write[feed], 1);
        changed = changed || on != was_on;
    }
    if (!changed)
        return;
    atomic_store(&server->dual_write_changed, true);
    wake(server);
}

static void warn_of_missing_sides(const struct settings *settings, const struct flag_set *set)
{
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        const char *missing =
            !settings->postgres_dsn[0] && endpoint_uses(&endpoints[i], set, ENDPOINT_REPO)   ? "postgres.dsn"
            : !settings->legacy_dir[0] && endpoint_uses(&endpoints[i], set, ENDPOINT_LEGACY) ? "legacy.dir"
                                                                                             : NULL;
        if (missing)
            log_event(LOG_WARN, "flags.no_source",
                      LOG_FIELDS(log_str("flag", flag_name(endpoints[i].flag)), log_str("endpoint", endpoints[i].name),
                                 log_str("empty", missing)));
    }
}

/* What an endpoint did in another mode says nothing about it. */
static void forget_other_modes(struct server *server, const struct flag_set *set)
{
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if (set->states[i].value.mode != server->modes[i])
            fallback_watch_forget(&server->fallback, (enum flag)i);
        server->modes[i] = set->states[i].value.mode;
    }
}

/* On the keeper's thread, or the one of who makes it change something. */
static void on_flags(void *arg, struct snapshot *snapshot, struct flag_set *set)
{
    struct server *server = arg;
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i])
            worker_go_by(server->workers[i], snapshot, set);
    }
    set_dual_write(server, set);
    forget_other_modes(server, set);
    warn_of_missing_sides(snapshot_settings(snapshot), set);
}

/* On the thread that compares. */
static void on_compared(void *arg, const struct settings *settings, enum flag flag, bool different)
{
    struct server *server = arg;
    const struct fallback_news news = {.comparisons = 1, .mismatches = different};
    struct flag_set *flags = flag_keeper_set(server->flags);
    fallback_watch_feed(&server->fallback, server->flags, settings, flags, flag, &news);
    flag_set_unref(flags);
}

static bool start_shadow(struct server *server, struct err *err)
{
    const struct shadow_config config = {.snapshot = server->snapshot, .on_compared = on_compared, .arg = server};
    server->shadow = shadow_start(&config, err);
    return server->shadow != NULL;
}

static bool start_flags(struct server *server, const struct flag_overrides *overrides, struct err *err)
{
    const struct flag_keeper_config config = {
        .snapshot = server->snapshot, .overrides = overrides, .on_set = on_flags, .arg = server};
    server->flags = flag_keeper_new(&config, err);
    return server->flags != NULL;
}

static unsigned core_count(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : (unsigned)cores;
}

/* Hands the documents to every worker. Takes the caller's reference. */
static void give_legacy(struct server *server, struct legacy_documents *documents)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i])
            worker_take_legacy(server->workers[i], documents ? legacy_documents_ref(documents) : NULL);
    }
    shadow_take_legacy(server->shadow, documents ? legacy_documents_ref(documents) : NULL);
    legacy_documents_unref(server->legacy);
    server->legacy = documents;
}

/* On the loader's thread. */
static void on_legacy_set(void *arg, struct legacy_set *set)
{
    struct server *server = arg;
    (void)pthread_mutex_lock(&server->legacy_lock);
    legacy_faults_log(set, server->legacy ? legacy_documents_set(server->legacy) : NULL);
    give_legacy(server, legacy_documents_new(set, server->legacy, snapshot_settings(server->legacy_snapshot)));
    (void)pthread_mutex_unlock(&server->legacy_lock);
}

static bool start_legacy(struct server *server, const struct settings *settings, struct err *err)
{
    server->loader = legacy_loader_start(settings->legacy_dir, settings->legacy_poll_ms, on_legacy_set, server, err);
    return server->loader || err_wrap(err, "legacy.dir %s", settings->legacy_dir);
}

static bool same_source(const struct settings *a, const struct settings *b)
{
    return strcmp(a->postgres_dsn, b->postgres_dsn) == 0 &&
           a->postgres_connect_timeout_ms == b->postgres_connect_timeout_ms;
}

/* A flag may ask for either side at any moment, so each is open that the configuration offers. */
static bool needs_postgres(const struct settings *settings)
{
    return settings->postgres_dsn[0] != '\0';
}

static bool needs_legacy(const struct settings *settings)
{
    return settings->legacy_dir[0] != '\0';
}

static bool start_workers(struct server *server, const struct settings *settings, struct err *err)
{
    int *fds = mem_calloc(server->worker_count, sizeof *fds);
    unsigned port = 0;
    bool good =
        listeners_open(settings->server_host, (unsigned)settings->server_port, server->worker_count, fds, &port, err);
    struct flag_set *flags = flag_keeper_set(server->flags);
    for (unsigned i = 0; good && i < server->worker_count; i++) {
        server->workers[i] = worker_new(i, &server->company, server->snapshot, flags, fds[i], err);
        fds[i] = -1;
        good = server->workers[i] != NULL;
    }
    set_dual_write(server, flags);
    forget_other_modes(server, flags);
    warn_of_missing_sides(settings, flags);
    flag_set_unref(flags);
    listeners_close(fds, server->worker_count);
    free(fds);
    if (good && needs_legacy(settings))
        good = start_legacy(server, settings, err);
    good = good && start_subscriber(server, settings, err) && start_outbox(server, err) &&
           flag_keeper_start(server->flags, err);
    for (unsigned i = 0; good && i < server->worker_count; i++)
        good = worker_start(server->workers[i], err);
    if (!good)
        return false;

    bool v6 = strchr(settings->server_host, ':') != NULL;
    struct buf url = BUF_INIT;
    buf_printf(&url, v6 ? "http://[%s]:%u/api" : "http://%s:%u/api", settings->server_host, port);
    log_event(LOG_INFO, "server.ready",
              LOG_FIELDS(log_slice("url", buf_slice(&url)), log_int("workers", server->worker_count),
                         log_int("pid", getpid())));
    buf_free(&url);
    return true;
}

struct server *server_start(struct settings *settings, const struct flag_overrides *overrides, struct err *err)
{
    struct server *server = mem_zalloc(sizeof *server);
    (void)pthread_mutex_init(&server->legacy_lock, NULL);
    answer_shared_init(&server->answers);
    fallback_watch_init(&server->fallback);
    atomic_init(&server->stopped, 0);
    server->worker_count = settings->server_workers ? (unsigned)settings->server_workers : core_count();
    server->workers = mem_calloc(server->worker_count, sizeof(struct worker *));
    server->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (server->fd < 0) {
        settings_free(settings);
        (void)err_set_errno(err, errno, "cannot make an event descriptor");
        goto fail;
    }
    if (needs_postgres(settings)) {
        server->postgres = postgres_source_start(settings, err);
        if (!server->postgres) {
            settings_free(settings);
            (void)err_wrap(err, "postgres.dsn");
            goto fail;
        }
    }
    server->snapshot = snapshot_new(settings, server->postgres);
    server->legacy_snapshot = snapshot_ref(server->snapshot);
    if (!start_flags(server, overrides, err) || !start_shadow(server, err))
        goto fail;
    unsigned cores = core_count();
    const struct event_lanes_options lanes = ingest_lanes_options(settings);
    server->company = (struct worker_company){
        .offload = offload_start(cores < OFFLOAD_THREADS_MAX ? cores : OFFLOAD_THREADS_MAX, err),
        .lanes = event_lanes_start(&lanes, err),
        .answers = &server->answers,
        .outbox = &server->outbox_board,
        .flags = server->flags,
        .fallback = &server->fallback,
        .shadow = server->shadow,
        .streams = &server->streams,
        .started_mono_ms = clock_mono_ms(),
        .worker_count = server->worker_count,
        .workers = server->workers,
        .on_stopped = on_worker_stopped,
        .on_released = on_worker_released,
        .arg = server,
    };
    if (!server->company.offload || !server->company.lanes || !start_workers(server, settings, err))
        goto fail;
    return server;
fail:
    server_drain(server);
    server_free(server);
    return NULL;
}

const struct settings *server_settings(const struct server *server)
{
    return snapshot_settings(server->snapshot);
}

static void retire_source(struct server *server)
{
    if (!server->postgres)
        return;
    struct old_source *old = mem_alloc(sizeof *old);
    *old = (struct old_source){server->old_sources, server->postgres};
    server->old_sources = old;
    server->postgres = NULL;
}

/* Gives the loader's thread other settings; documents are made anew when what they are made with changed. */
static bool reload_legacy(struct server *server, const struct settings *old, const struct settings *new,
                          struct err *err)
{
    (void)pthread_mutex_lock(&server->legacy_lock);
    snapshot_unref(server->legacy_snapshot);
    server->legacy_snapshot = snapshot_ref(server->snapshot);
    bool other_form = old->compression_enabled != new->compression_enabled ||
                      old->compression_level != new->compression_level ||
                      old->compression_min_bytes != new->compression_min_bytes;
    if (server->legacy && other_form) {
        struct legacy_set *set = legacy_set_ref(legacy_documents_set(server->legacy));
        give_legacy(server, legacy_documents_new(set, NULL, new));
    }
    (void)pthread_mutex_unlock(&server->legacy_lock);

    bool wanted = needs_legacy(new);
    bool same = server->loader && wanted && strcmp(old->legacy_dir, new->legacy_dir) == 0 &&
                old->legacy_poll_ms == new->legacy_poll_ms;
    if (same)
        return true;
    legacy_loader_stop(server->loader);
    server->loader = NULL;
    /* Another loader counts versions anew: nothing may be taken over from these. Workers keep theirs until it comes. */
    if (wanted) {
        legacy_documents_unref(server->legacy);
        server->legacy = NULL;
        return start_legacy(server, new, err);
    }
    return true;
}

static bool redis_is_good(const struct settings *settings, struct err *err)
{
    struct redis_url url;
    struct cache_space space;
    if (!settings_cache_space(settings, &space, err))
        return false;
    return !settings->redis_url[0] || redis_url_parse(slice_of(settings->redis_url), &url, err) ||
           err_wrap(err, "redis.url");
}

bool server_reload(struct server *server, struct settings *settings, struct err *err)
{
    if (!redis_is_good(settings, err)) {
        settings_free(settings);
        return false;
    }
    struct snapshot *old = snapshot_ref(server->snapshot);
    const struct settings *before = snapshot_settings(old);
    struct postgres_source *fresh = NULL;
    bool replace = !needs_postgres(settings) || !server->postgres || !same_source(before, settings);
    if (replace && needs_postgres(settings)) {
        fresh = postgres_source_start(settings, err);
        if (!fresh) {
            settings_free(settings);
            snapshot_unref(old);
            return err_wrap(err, "postgres.dsn");
        }
    }
    if (replace) {
        retire_source(server);
        server->postgres = fresh;
    }
    snapshot_unref(server->snapshot);
    server->snapshot = snapshot_new(settings, server->postgres);
    const struct event_lanes_options lanes = ingest_lanes_options(settings);
    event_lanes_configure(server->company.lanes, &lanes);
    bool good = reload_legacy(server, before, settings, err);
    good = reload_subscriber(server, before, settings, err) && good;
    good = reload_outbox(server, before, settings, err) && good;
    flag_keeper_reload(server->flags, server->snapshot);
    shadow_go_by(server->shadow, server->snapshot);
    /* Only now, since until here a worker's flags may want them. */
    if (server->legacy && !needs_legacy(settings))
        give_legacy(server, NULL);
    snapshot_unref(old);
    return good;
}

int server_fd(const struct server *server)
{
    return server->fd;
}

static void end_old_sources(struct server *server, bool all)
{
    struct old_source **link = &server->old_sources;
    while (*link) {
        struct old_source *old = *link;
        if (!all && !postgres_source_is_idle(old->source)) {
            link = &old->next;
            continue;
        }
        *link = old->next;
        postgres_source_stop(old->source);
        free(old);
    }
}

bool server_tend(struct server *server)
{
    uint64_t count = 0;
    while (read(server->fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (atomic_exchange(&server->dual_write_changed, false) && server->outbox)
        outbox_threads_wake(server->outbox->threads);
    end_old_outboxes(server, false);
    end_old_sources(server, false);
    return !server->old_outboxes && atomic_load(&server->stopped) == server->worker_count;
}

void server_drain(struct server *server)
{
    /* The loader posts to the workers, so it must be gone before they are. */
    legacy_loader_stop(server->loader);
    server->loader = NULL;
    retire_outbox(server);
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i])
            worker_drain(server->workers[i]);
    }
}

void server_free(struct server *server)
{
    if (!server)
        return;
    retire_outbox(server);
    end_old_outboxes(server, true);
    subscriber_stop(server->subscriber);
    shadow_stop(server->shadow); /* it may call the keeper */
    /* It posts to the workers, so it must be gone before they are; until now they might have asked it for something. */
    flag_keeper_stop(server->flags);
    for (unsigned i = 0; i < server->worker_count; i++)
        if (server->workers[i])
            worker_join(server->workers[i]);
    /* Nobody gives these work any more, and they post what they finish to the workers. */
    event_lanes_stop(server->company.lanes);
    offload_stop(server->company.offload);
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    shadow_free(server->shadow);
    fallback_watch_destroy(&server->fallback);
    legacy_documents_unref(server->legacy);
    snapshot_unref(server->legacy_snapshot);
    snapshot_unref(server->snapshot);
    retire_source(server);
    end_old_sources(server, true);
    free(server->workers);
    if (server->fd >= 0)
        (void)close(server->fd);
    (void)pthread_mutex_destroy(&server->legacy_lock);
    answer_shared_destroy(&server->answers);
    free(server);
}
