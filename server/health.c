#include "server/health.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "server/build_info.h"
#include "server/endpoints.h"
#include "server/metrics.h"
#include "server/reply.h"

#include <stdlib.h>

/* A loop that did not turn for so long is stuck: nothing that it does should take a thousandth of this. */
enum { STUCK_MS = 5000 };

static void put_text(struct json_writer *w, const char *key, const char *value)
{
    json_key(w, slice_of(key));
    json_string(w, slice_of(value));
}

static void put_integer(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, slice_of(key));
    json_i64(w, value);
}

static void put_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, slice_of(key));
    json_bool(w, value);
}

static void send_json(const struct health_view *view, struct http_request *request, unsigned status, struct buf *json)
{
    reply_json(request, view->settings, status, buf_slice(json));
    buf_free(json);
}

static void healthz(const struct health_view *view, struct http_request *request)
{
    struct buf workers = BUF_INIT;
    struct json_writer w = json_writer_on(&workers);
    int64_t now_ms = clock_mono_ms();
    bool stuck = false;
    json_begin_array(&w);
    for (unsigned i = 0; i < view->company->worker_count; i++) {
        int64_t beat_ms = worker_heartbeat_ms(view->company->workers[i]);
        int64_t age_ms = now_ms - (beat_ms ? beat_ms : view->company->started_mono_ms);
        stuck = stuck || age_ms > STUCK_MS;
        json_begin_object(&w);
        put_integer(&w, "worker", i);
        put_integer(&w, "heartbeat_age_ms", age_ms < 0 ? 0 : age_ms);
        json_end_object(&w);
    }
    json_end_array(&w);

    struct buf json = BUF_INIT;
    w = json_writer_on(&json);
    json_begin_object(&w);
    put_text(&w, "status", stuck ? "stuck" : "ok");
    put_integer(&w, "uptime_ms", now_ms - view->company->started_mono_ms);
    json_key(&w, SLICE("workers"));
    json_raw(&w, buf_slice(&workers));
    json_end_object(&w);
    buf_free(&workers);
    send_json(view, request, stuck ? 503 : 200, &json);
}

/* Copies of all workers' reports, the answering one's of this moment; free() them. */
static struct worker_report *reports_of(const struct health_view *view)
{
    unsigned count = view->company->worker_count;
    struct worker_report *reports = mem_calloc(count ? count : 1, sizeof *reports);
    if (view->self)
        worker_renew_report(view->self);
    for (unsigned i = 0; i < count; i++)
        worker_report(view->company->workers[i], &reports[i]);
    return reports;
}

/* All pools as one: as good as the worst of them, which the times and errors are of. */
static struct pg_pool_state pool_of_all(const struct worker_report *reports, unsigned count)
{
    struct pg_pool_state all = {.status = PG_POOL_UP};
    for (unsigned i = 0; i < count; i++) {
        const struct pg_pool_state *one = &reports[i].pool;
        bool worse = one->status != PG_POOL_UP && all.status == PG_POOL_UP;
        struct pg_pool_state sum = worse || i == 0 ? *one : all;
        sum.connections = all.connections + one->connections;
        sum.wanted = all.wanted + one->wanted;
        sum.in_flight = all.in_flight + one->in_flight;
        sum.waiting = all.waiting + one->waiting;
        all = sum;
    }
    return all;
}

/* Returns whether what the endpoints need of Postgres is there, for every worker. */
static bool put_postgres(const struct health_view *view, const struct worker_report *reports, struct json_writer *w)
{
    bool needed = endpoints_use(view->flags, ENDPOINT_REPO);
    unsigned count = view->company->worker_count;
    bool all_have = count > 0;
    for (unsigned i = 0; i < count; i++)
        all_have = all_have && reports[i].has_pool;
    struct pg_pool_state state = {.status = PG_POOL_DOWN};
    json_key(w, SLICE("postgres"));
    json_begin_object(w);
    if (all_have) {
        state = pool_of_all(reports, count);
        put_text(w, "state", pg_pool_status_name(state.status));
        put_bool(w, "needed", needed);
        put_integer(w, "since_ms", state.since_wall_ms);
        put_integer(w, "connections", state.connections);
        put_integer(w, "wanted", state.wanted);
        put_integer(w, "in_flight", (int64_t)state.in_flight);
        put_integer(w, "waiting", (int64_t)state.waiting);
        if (state.last_error[0])
            put_text(w, "last_error", state.last_error);
    } else {
        put_text(w, "state", needed ? "down" : "unused");
        put_bool(w, "needed", needed);
    }
    json_end_object(w);
    return !needed || state.status == PG_POOL_UP;
}

/* Redis holds copies only: its state never decides. The worst of all workers' connections. */
static void put_redis(const struct health_view *view, const struct worker_report *reports, struct json_writer *w)
{
    const struct redis_status *status = NULL;
    for (unsigned i = 0; i < view->company->worker_count; i++) {
        const struct redis_status *one = reports[i].has_redis ? &reports[i].redis : NULL;
        if (one && (!status || (status->state == REDIS_UP && one->state != REDIS_UP)))
            status = one;
    }
    json_key(w, SLICE("redis"));
    json_begin_object(w);
    put_text(w, "state", status ? redis_state_name(status->state) : "unused");
    put_bool(w, "needed", false);
    if (status) {
        put_integer(w, "since_ms", status->since_ms);
        if (status->ping_us >= 0)
            put_integer(w, "ping_us", status->ping_us);
        if (status->last_error[0])
            put_text(w, "last_error", status->last_error);
    }
    json_end_object(w);
}

static void metrics(const struct health_view *view, struct http_request *request)
{
    struct worker_report *reports = reports_of(view);
    struct worker_report sum;
    struct buf text = BUF_INIT;
    metrics_sum(reports, view->company->worker_count, &sum);
    metrics_print(&sum, view->company->answers, &text);
    if (view->company->lanes) {
        struct event_lanes_counts lanes;
        event_lanes_counts(view->company->lanes, &lanes);
        metrics_print_lanes(&lanes, &text);
    }
    if (view->company->outbox)
        outbox_board_print(view->company->outbox, &text);
    if (view->company->flags)
        flag_keeper_print(view->company->flags, view->flags, &text);
    if (view->company->fallback)
        fallback_watch_print(view->company->fallback, &text);
    if (view->company->shadow)
        shadow_print(view->company->shadow, &text);
    http_reply_status(request, 200);
    http_reply_header(request, "Content-Type", SLICE("text/plain; version=0.0.4; charset=utf-8"));
    http_reply_header(request, "Cache-Control", SLICE("no-store"));
    http_reply_copy(request, buf_slice(&text));
    http_reply_send(request);
    buf_free(&text);
    free(reports);
}

static const char *file_state_name(const struct legacy_file_state *file)
{
    switch (file->state) {
    case LEGACY_MISSING:
        return "missing";
    case LEGACY_GOOD:
        return "good";
    case LEGACY_STALE:
        return "stale";
    case LEGACY_BAD:
        return "bad";
    }
    return "unknown";
}

static void put_files(const struct legacy_documents *documents, struct json_writer *w)
{
    size_t count = 0;
    const struct legacy_file_state *files = legacy_set_files(legacy_documents_set(documents), &count);
    json_key(w, SLICE("files"));
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(w);
        put_text(w, "name", files[i].name);
        put_text(w, "state", file_state_name(&files[i]));
        put_integer(w, "modified_ms", files[i].modified_ms);
        put_integer(w, "size", (int64_t)files[i].size);
        if (files[i].fault[0])
            put_text(w, "fault", files[i].fault);
        json_end_object(w);
    }
    json_end_array(w);
}

/* Whether every endpoint that is answered from files has one, be it an older version. Analytics of one model are left
 * out: without a file of their own they follow from the list. */
static bool legacy_answers_all(const struct health_view *view)
{
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        if (!endpoint_uses(&endpoints[i], view->flags, ENDPOINT_LEGACY) || endpoints[i].kind == READ_ANALYTICS_ONE)
            continue;
        struct read_query query = {.kind = endpoints[i].kind, .limit = READ_NO_LIMIT};
        struct buf scratch = BUF_INIT;
        struct legacy_answer answer;
        bool good = view->documents &&
                    legacy_set_answer(legacy_documents_set(view->documents), &query, &scratch, &answer, NULL);
        buf_free(&scratch);
        if (!good)
            return false;
    }
    return true;
}

static bool put_legacy(const struct health_view *view, struct json_writer *w)
{
    bool needed = endpoints_use(view->flags, ENDPOINT_LEGACY);
    bool good = legacy_answers_all(view);
    json_key(w, SLICE("legacy"));
    json_begin_object(w);
    put_text(w, "state", !needed ? "unused" : good ? "up" : "down");
    put_bool(w, "needed", needed);
    if (view->documents)
        put_files(view->documents, w);
    json_end_object(w);
    return good;
}

static void readyz(const struct health_view *view, struct http_request *request)
{
    struct worker_report *reports = reports_of(view);
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
    json_begin_object(&w);
    json_key(&w, SLICE("dependencies"));
    json_begin_object(&w);
    bool ready = put_postgres(view, reports, &w);
    put_redis(view, reports, &w);
    free(reports);
    ready = put_legacy(view, &w) && ready;
    json_end_object(&w);
    put_text(&w, "status", ready ? "ready" : "not_ready");
    json_end_object(&w);
    send_json(view, request, ready ? 200 : 503, &json);
}

static void version(const struct health_view *view, struct http_request *request)
{
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
    struct build_library libraries[BUILD_LIBRARIES_MAX];
    size_t count = build_libraries(libraries);
    json_begin_object(&w);
    put_text(&w, "name", "nof0d");
    put_text(&w, "version", build_version());
    put_text(&w, "commit", build_commit());
    put_text(&w, "compiler", build_compiler());
    json_key(&w, SLICE("libraries"));
    json_begin_object(&w);
    for (size_t i = 0; i < count; i++)
        put_text(&w, libraries[i].name, libraries[i].version);
    json_end_object(&w);
    json_end_object(&w);
    send_json(view, request, 200, &json);
}

health_handler *health_find(struct slice path)
{
    if (slice_is(path, "/healthz"))
        return healthz;
    if (slice_is(path, "/readyz"))
        return readyz;
    if (slice_is(path, "/version"))
        return version;
    if (slice_is(path, "/metrics"))
        return metrics;
    return NULL;
}
