#include "server/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/redis.h"
#include "server/dispatch.h"
#include "server/worker_postgres.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEARTBEAT_MS = 250 };

/* A replaced way to Postgres that still has reads under way. */
struct retired {
    struct retired *next;
    struct worker_postgres *postgres;
    int64_t ends_ms;
};

struct worker {
    unsigned index;
    const struct worker_company *company;
    struct event_base *base;
    struct mailbox *mailbox;
    struct http_server *http;
    struct event *beat;
    atomic_int_least64_t beat_ms;
    struct snapshot *snapshot;
    struct worker_postgres *postgres; /* NULL: none is configured */
    struct retired *retired;
    struct redis_client *redis; /* NULL: none is configured */
    struct cache_documents *documents;
    struct read_path read;
    struct ingest_door ingest;
    struct admin_door admin;
    pthread_mutex_t report_lock; /* guards report */
    struct worker_report report;
    struct fallback_news judged[FLAG_COUNT]; /* what was told of each endpoint so far */
    int listen_fd;                           /* -1 once the HTTP server owns it */
    bool started;
    pthread_t thread;
};

static void on_request(void *arg, struct http_request *request)
{
    struct worker *worker = arg;
    struct health_view health = {
        .company = worker->company,
        .settings = worker->read.settings,
        .flags = worker->read.flags,
        .documents = worker->read.legacy,
        .self = worker,
    };
    dispatch_request(&worker->read, &worker->ingest, &worker->admin, &health, request);
}

static bool streams_body(void *arg, const struct http_request *request)
{
    (void)arg;
    return ingest_streams(request);
}

static bool reads_under_way(const struct worker_postgres *postgres)
{
    struct pg_pool_state state;
    pg_pool_state(worker_postgres_pool(postgres), &state);
    return state.in_flight || state.waiting;
}

static void drop_retired(struct worker *worker, int64_t now_ms)
{
    struct retired **link = &worker->retired;
    while (*link) {
        struct retired *retired = *link;
        if (retired->ends_ms > now_ms && reads_under_way(retired->postgres)) {
            link = &retired->next;
            continue;
        }
        *link = retired->next;
        worker_postgres_free(retired->postgres);
        free(retired);
        worker->company->on_released(worker->company->arg);
    }
}

void worker_renew_report(struct worker *worker)
{
    struct worker_report report = {.has_pool = worker->postgres != NULL, .has_redis = worker->redis != NULL};
    if (worker->http)
        http_server_counts(worker->http, &report.http);
    answer_cache_counts(worker->read.answers, &report.answers);
    stream_hub_counts(worker->read.stream, &report.stream);
    report.hot_hits = hot_hits(worker->read.hot);
    if (worker->postgres)
        pg_pool_state(worker_postgres_pool(worker->postgres), &report.pool);
    if (worker->redis)
        redis_client_state(worker->redis, &report.redis);
    (void)pthread_mutex_lock(&worker->report_lock);
    worker->report = report;
    (void)pthread_mutex_unlock(&worker->report_lock);
}

void worker_report(struct worker *worker, struct worker_report *report)
{
    (void)pthread_mutex_lock(&worker->report_lock);
    *report = worker->report;
    (void)pthread_mutex_unlock(&worker->report_lock);
}

/* Tells how the endpoints do that rows answer, so that one that fails goes back to its files. */
static void tell_fallback(struct worker *worker)
{
    const struct worker_company *company = worker->company;
    const struct read_path *read = &worker->read;
    for (unsigned i = 0; company->fallback && i < FLAG_COUNT; i++) {
        struct fallback_news all = {
            .answers = read->of_rows[i].answers + hot_hits_of_rows(read->hot, (enum flag)i),
            .errors = read->of_rows[i].errors,
        };
        struct fallback_news news = {.answers = all.answers - worker->judged[i].answers,
                                     .errors = all.errors - worker->judged[i].errors};
        if (!news.answers || fallback_watch_try_feed(company->fallback, company->flags, read->settings, read->flags,
                                                     (enum flag)i, &news))
            worker->judged[i] = all;
    }
}

static void on_beat(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    struct worker *worker = arg;
    int64_t now_ms = clock_mono_ms();
    atomic_store_explicit(&worker->beat_ms, now_ms, memory_order_relaxed);
    drop_retired(worker, now_ms);
    worker_renew_report(worker);
    tell_fallback(worker);
    shadow_tap_tell(&worker->read.tap);
}

/* Each worker has its share of the connections, and some more, since the kernel spreads them by hash. */
static unsigned connections_of_one(const struct settings *settings, unsigned workers)
{
    int64_t most = settings->server_max_connections;
    if (workers <= 1)
        return (unsigned)most;
    int64_t share = most / workers + 1;
    int64_t with_slack = share + share / 4 + 16;
    return (unsigned)(with_slack < most ? with_slack : most);
}

static struct http_limits limits_of(const struct settings *settings, unsigned workers)
{
    return (struct http_limits){
        .max_uri = (size_t)settings->server_max_uri_bytes,
        .max_headers = (size_t)settings->server_max_header_bytes,
        .max_body = (size_t)settings->server_max_body_bytes,
        .max_connections = connections_of_one(settings, workers),
        .header_timeout_ms = settings->server_header_timeout_ms,
        .idle_timeout_ms = settings->server_idle_timeout_ms,
        .write_timeout_ms = settings->server_write_timeout_ms,
    };
}

/* The old pool is kept for as long as a read may take: freeing it now would fail what is in flight. */
static void retire_postgres(struct worker *worker, int64_t query_timeout_ms)
{
    enum { MARGIN_MS = 1000 };
    if (!worker->postgres)
        return;
    struct retired *retired = mem_alloc(sizeof *retired);
    *retired = (struct retired){worker->retired, worker->postgres, clock_mono_ms() + query_timeout_ms + MARGIN_MS};
    worker->retired = retired;
    worker->postgres = NULL;
    worker->read.reads = NULL;
}

/* Connects anew when what the settings say about Redis changed. `old` is NULL at the start. */
static bool apply_redis(struct worker *worker, const struct settings *old, const struct settings *new, struct err *err)
{
    if (old && strcmp(old->redis_url, new->redis_url) == 0 &&
        old->redis_connect_timeout_ms == new->redis_connect_timeout_ms &&
        old->redis_command_timeout_ms == new->redis_command_timeout_ms)
        return true;
    cache_documents_set_client(worker->documents, NULL);
    redis_client_free(worker->redis);
    worker->redis = NULL;
    if (!new->redis_url[0])
        return true;
    const struct redis_settings settings = {.url = new->redis_url,
                                            .connect_timeout_ms = new->redis_connect_timeout_ms,
                                            .command_timeout_ms = new->redis_command_timeout_ms};
    worker->redis = redis_client_new(worker->base, &settings, err);
    if (!worker->redis)
        return err_wrap(err, "redis.url");
    redis_client_start(worker->redis);
    cache_documents_set_client(worker->documents, worker->redis);
    return true;
}

/* Whether answers made under the one may be wrong under the other. */
static bool other_data(const struct settings *a, const struct settings *b)
{
    return strcmp(a->postgres_dsn, b->postgres_dsn) != 0 || strcmp(a->prices_provider, b->prices_provider) != 0;
}

static bool apply_answers(struct worker *worker, const struct settings *old, const struct settings *new,
                          struct err *err)
{
    answer_cache_apply(worker->read.answers, new, worker->read.reads, old && other_data(old, new));
    struct cache_space space;
    if (!settings_cache_space(new, &space, err))
        return false;
    cache_documents_set_space(worker->documents, &space);
    return true;
}

/* What flags switch apart from where answers come from. */
static void apply_switches(struct worker *worker)
{
    const struct flag_state *states = worker->read.flags->states;
    worker->ingest.off = !states[FLAG_SWITCH_INGEST].value.on;
    stream_hub_switch(worker->read.stream, states[FLAG_SWITCH_STREAM].value.on);
}

/* Takes both references. */
static bool apply_snapshot(struct worker *worker, struct snapshot *snapshot, struct flag_set *flags, struct err *err)
{
    struct snapshot *old = worker->snapshot;
    worker->snapshot = snapshot;
    read_path_go_by(&worker->read, snapshot_settings(snapshot), flags);
    worker->ingest.settings = worker->admin.settings = worker->read.settings;
    bool good = true;
    if (!worker->postgres || !worker_postgres_fits(worker->postgres, snapshot)) {
        if (old)
            retire_postgres(worker, snapshot_settings(old)->postgres_query_timeout_ms);
        if (snapshot_postgres(snapshot)) {
            worker->postgres = worker_postgres_new(worker->base, snapshot, err);
            good = worker->postgres != NULL;
        }
        worker->read.reads = worker->postgres ? worker_postgres_reads(worker->postgres) : NULL;
    }
    const struct settings *before = old ? snapshot_settings(old) : NULL;
    good = apply_redis(worker, before, worker->read.settings, err) && good;
    good = stream_hub_apply(worker->read.stream, worker->read.settings, worker->redis, err) && good;
    good = apply_answers(worker, before, worker->read.settings, err) && good;
    apply_switches(worker);
    if (worker->http) {
        struct http_limits limits = limits_of(worker->read.settings, worker->company->worker_count);
        http_server_set_limits(worker->http, &limits);
    }
    snapshot_unref(old);
    return good;
}

static bool watch_beat(struct worker *worker)
{
    const struct timeval every = {.tv_usec = 1000L * HEARTBEAT_MS};
    worker->beat = event_new(worker->base, -1, EV_PERSIST, on_beat, worker);
    return worker->beat && event_add(worker->beat, &every) == 0;
}

static bool make_answers(struct worker *worker, const struct settings *settings, struct err *err)
{
    struct answer_shared *shared = worker->company->answers;
    struct cache_documents_settings documents = {.base = worker->base, .floors = &shared->floors};
    if (!settings_cache_space(settings, &documents.space, err))
        return false;
    worker->documents = cache_documents_new(&documents);
    const struct answer_cache_config answers = {.shared = shared,
                                                .documents = worker->documents,
                                                .offload = worker->company->offload,
                                                .mailbox = worker->mailbox,
                                                .workers = worker->company->worker_count,
                                                .mono_ms = clock_mono_ms,
                                                .wall_ms = clock_wall_ms};
    worker->read.answers = answer_cache_new(&answers);
    return true;
}

struct worker *worker_new(unsigned index, const struct worker_company *company, struct snapshot *snapshot,
                          struct flag_set *flags, int listen_fd, struct err *err)
{
    struct worker *worker = mem_zalloc(sizeof *worker);
    worker->index = index;
    worker->company = company;
    worker->listen_fd = listen_fd;
    (void)pthread_mutex_init(&worker->report_lock, NULL);
    worker->read.recent = recent_new();
    worker->read.hot = hot_new();
    shadow_tap_init(&worker->read.tap, company->shadow, index, company->worker_count);
    hot_set_tap(worker->read.hot, &worker->read.tap);
    atomic_init(&worker->beat_ms, 0);
    worker->base = event_base_new();
    if (!worker->base) {
        (void)err_set(err, ERR_IO, "cannot make an event loop");
        goto fail;
    }
    worker->mailbox = mailbox_new(worker->base, err);
    if (!worker->mailbox)
        goto fail;
    worker->read.stream = stream_hub_new(worker->base, company->streams);
    worker->read.offload = company->offload;
    worker->read.mailbox = worker->mailbox;
    hot_set_offload(worker->read.hot, company->offload, worker->mailbox);
    worker->ingest = (struct ingest_door){.base = worker->base,
                                          .lanes = company->lanes,
                                          .offload = company->offload,
                                          .mailbox = worker->mailbox,
                                          .floors = &company->answers->floors};
    worker->admin = (struct admin_door){.flags = company->flags, .mailbox = worker->mailbox};
    if (!make_answers(worker, snapshot_settings(snapshot), err))
        goto fail;
    if (!watch_beat(worker)) {
        (void)err_set(err, ERR_IO, "cannot set a timer");
        goto fail;
    }
    if (!apply_snapshot(worker, snapshot_ref(snapshot), flag_set_ref(flags), err))
        goto fail;
    struct http_limits limits = limits_of(worker->read.settings, company->worker_count);
    worker->http = http_server_new(worker->base, &limits, on_request, worker);
    http_server_stream_bodies(worker->http, streams_body, worker);
    worker->listen_fd = -1;
    if (!http_server_accept(worker->http, listen_fd, err))
        goto fail;
    return worker;
fail:
    worker_free(worker);
    return NULL;
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    on_beat(-1, 0, worker);
    if (event_base_dispatch(worker->base) == -1)
        log_event(LOG_ERROR, "worker.loop_failed", LOG_FIELDS(log_int("worker", worker->index)));
    worker->company->on_stopped(worker->company->arg);
    return NULL;
}

bool worker_start(struct worker *worker, struct err *err)
{
    int failed = pthread_create(&worker->thread, NULL, run, worker);
    if (failed)
        return err_set_errno(err, failed, "cannot start a thread");
    worker->started = true;
    return true;
}

/* A thing handed to a worker through its mailbox. */
struct parcel {
    struct worker *worker;
    void *content;
};

static void post_parcel(struct worker *worker, mailbox_fn *fn, void *content)
{
    struct parcel *parcel = mem_alloc(sizeof *parcel);
    *parcel = (struct parcel){worker, content};
    mailbox_post(worker->mailbox, fn, parcel);
}

struct orders {
    struct snapshot *snapshot;
    struct flag_set *flags;
};

/* Flags alone change far more often than settings. */
static bool obey(struct worker *worker, struct snapshot *snapshot, struct flag_set *flags, struct err *err)
{
    if (snapshot != worker->snapshot)
        return apply_snapshot(worker, snapshot, flags, err);
    snapshot_unref(snapshot);
    read_path_go_by(&worker->read, worker->read.settings, flags);
    apply_switches(worker);
    return true;
}

static void on_orders(void *arg)
{
    struct parcel *parcel = arg;
    struct worker *worker = parcel->worker;
    struct orders *orders = parcel->content;
    struct err err = ERR_INIT;
    if (!obey(worker, orders->snapshot, orders->flags, &err))
        log_event(LOG_ERROR, "worker.reload_failed",
                  LOG_FIELDS(log_int("worker", worker->index), log_error_text(&err)));
    free(orders);
    free(parcel);
}

void worker_go_by(struct worker *worker, struct snapshot *snapshot, struct flag_set *flags)
{
    struct orders *orders = mem_alloc(sizeof *orders);
    *orders = (struct orders){snapshot_ref(snapshot), flag_set_ref(flags)};
    post_parcel(worker, on_orders, orders);
}

static void on_legacy(void *arg)
{
    struct parcel *parcel = arg;
    read_path_take_legacy(&parcel->worker->read, parcel->content);
    free(parcel);
}

void worker_take_legacy(struct worker *worker, struct legacy_documents *documents)
{
    post_parcel(worker, on_legacy, documents);
}

static void on_lost(void *arg)
{
    struct worker *worker = arg;
    hot_clear(worker->read.hot);
}

void worker_forget_hot(struct worker *worker)
{
    mailbox_post(worker->mailbox, on_lost, worker);
}

static void on_idle(void *arg)
{
    struct worker *worker = arg;
    (void)event_base_loopbreak(worker->base);
}

static void on_drained(void *arg)
{
    struct worker *worker = arg;
    answer_cache_end(worker->read.answers, on_idle, worker);
}

static void on_drain(void *arg)
{
    struct worker *worker = arg;
    if (worker->http)
        http_server_drain(worker->http, on_drained, worker);
}

void worker_drain(struct worker *worker)
{
    mailbox_post(worker->mailbox, on_drain, worker);
}

int64_t worker_heartbeat_ms(const struct worker *worker)
{
    return atomic_load_explicit(&worker->beat_ms, memory_order_relaxed);
}

unsigned worker_index(const struct worker *worker)
{
    return worker->index;
}

static void ignore(void *arg)
{
    (void)arg;
}

void worker_join(struct worker *worker)
{
    if (worker->started)
        (void)pthread_join(worker->thread, NULL);
    worker->started = false;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    worker_join(worker);
    if (worker->http)
        http_server_free(worker->http);
    worker->http = NULL;
    if (worker->read.answers)
        answer_cache_end(worker->read.answers, ignore, NULL);
    drop_retired(worker, INT64_MAX);
    worker_postgres_free(worker->postgres);
    worker->postgres = NULL;
    mailbox_free(worker->mailbox);
    /* What was posted late may have brought these anew. */
    drop_retired(worker, INT64_MAX);
    worker_postgres_free(worker->postgres);
    stream_hub_free(worker->read.stream);
    if (worker->documents)
        cache_documents_free(worker->documents);
    redis_client_free(worker->redis);
    if (worker->beat)
        event_free(worker->beat);
    read_path_take_legacy(&worker->read, NULL);
    recent_free(worker->read.recent);
    hot_free(worker->read.hot);
    answer_cache_free(worker->read.answers);
    flag_set_unref(worker->read.flags);
    (void)pthread_mutex_destroy(&worker->report_lock);
    snapshot_unref(worker->snapshot);
    if (worker->listen_fd >= 0)
        (void)close(worker->listen_fd);
    if (worker->base)
        event_base_free(worker->base);
    free(worker);
}
