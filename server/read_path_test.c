/* The read path over real sockets, with rows from a fake: what a client sees when the source answers, is late, fails.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/testing.h"
#include "server/dispatch.h"
#include "server/read_path.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

/* What the fake does with the next read; set only while no request is under way. */
struct fake_reads {
    struct repo_reads reads;
    struct event_base *base;
    size_t leader_count;
    enum err_code fails; /* ERR_NONE: answers */
    int64_t version;
    bool corrupt;           /* a row that cannot be assembled */
    struct read_query seen; /* the newest query, its model copied */
    char seen_model[64];
    unsigned released;
};

struct pending {
    struct fake_reads *fake;
    repo_read_done *done;
    void *arg;
    enum read_kind kind;
};

struct fake_answer {
    struct repo_answer answer;
    struct fake_reads *fake;
    struct leaderboard_entries_row *leaders;
};

static void release_answer(struct repo_answer *answer)
{
    struct fake_answer *fake_answer = (struct fake_answer *)answer;
    (void)__atomic_add_fetch(&fake_answer->fake->released, 1, __ATOMIC_SEQ_CST);
    free(fake_answer->leaders);
    free(fake_answer);
}

static void fake_done(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    struct pending *pending = arg;
    struct fake_reads *fake = pending->fake;
    if (fake->fails) {
        struct err err = ERR_INIT;
        (void)err_set(&err, fake->fails, "the fake was told to fail");
        pending->done(pending->arg, NULL, &err);
        free(pending);
        return;
    }
    struct fake_answer *answer = mem_zalloc(sizeof *answer);
    answer->fake = fake;
    answer->leaders = mem_calloc(fake->leader_count + 1, sizeof answer->leaders[0]);
    for (size_t i = 0; i < fake->leader_count; i++) {
        answer->leaders[i].id = SLICE("gpt-5");
        answer->leaders[i].equity = col_f64((double)i);
        if (fake->corrupt)
            answer->leaders[i].wire_detail = SLICE("[");
    }
    answer->answer = (struct repo_answer){.kind = pending->kind,
                                          .version = fake->version,
                                          .leaders = answer->leaders,
                                          .leader_count = fake->leader_count,
                                          .bytes = fake->leader_count * sizeof answer->leaders[0],
                                          .release = release_answer};
    pending->done(pending->arg, &answer->answer, NULL);
    free(pending);
}

static void fake_read(struct repo_reads *reads, const struct read_query *query, repo_read_done *done, void *arg)
{
    struct fake_reads *fake = (struct fake_reads *)reads;
    fake->seen = *query;
    (void)snprintf(fake->seen_model, sizeof fake->seen_model, "%.*s", SLICE_ARG(query->model_id));
    struct pending *pending = mem_alloc(sizeof *pending);
    *pending = (struct pending){fake, done, arg, query->kind};
    const struct timeval soon = {.tv_usec = 1000};
    (void)event_base_once(fake->base, -1, EV_TIMEOUT, fake_done, pending, &soon);
}

struct fixture {
    struct answer_shared shared;
    struct cache_documents *documents;
    struct event_base *base;
    struct http_server *http;
    struct fake_reads fake;
    struct read_path path;
    struct settings *settings;
    struct worker_company company;
    unsigned port;
    pthread_t thread;
};

static void on_request(void *arg, struct http_request *request)
{
    struct fixture *f = arg;
    struct health_view health = {.company = &f->company, .settings = f->path.settings, .documents = f->path.legacy};
    dispatch_request(&f->path, &health, request);
}

static void *run_loop(void *arg)
{
    struct fixture *f = arg;
    (void)event_base_dispatch(f->base);
    return NULL;
}

static void on_drained(void *arg)
{
    struct fixture *f = arg;
    (void)event_base_loopbreak(f->base);
}

static void on_drain(void *arg)
{
    struct fixture *f = arg;
    http_server_drain(f->http, on_drained, f);
}

static int set_up(void **state)
{
    struct err err = ERR_INIT;
    struct fixture *f = mem_zalloc(sizeof *f);
    f->base = event_base_new();
    f->settings = settings_default();
    f->fake.base = f->base;
    f->fake.reads.read = fake_read;
    f->fake.leader_count = 3;
    f->path = (struct read_path){.settings = f->settings,
                                 .reads = &f->fake.reads,
                                 .recent = recent_new(),
                                 .hot = hot_new(),
                                 .offload = offload_start(2, &err),
                                 .mailbox = mailbox_new(f->base, &err)};
    const struct http_limits limits = {.max_uri = 8192,
                                       .max_headers = 16384,
                                       .max_body = 1024,
                                       .max_connections = 10,
                                       .header_timeout_ms = 5000,
                                       .idle_timeout_ms = 5000,
                                       .write_timeout_ms = 5000};
    f->http = http_server_new(f->base, &limits, on_request, f);
    int fd = http_listen("127.0.0.1", 0, &f->port, &err);
    assert_true(fd >= 0);
    assert_true(http_server_accept(f->http, fd, &err));
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    mailbox_post(f->path.mailbox, on_drain, f);
    (void)pthread_join(f->thread, NULL);
    http_server_free(f->http);
    offload_stop(f->path.offload);
    mailbox_free(f->path.mailbox);
    read_path_take_legacy(&f->path, NULL);
    recent_free(f->path.recent);
    if (f->path.answers) {
        answer_cache_free(f->path.answers);
        cache_documents_free(f->documents);
        answer_shared_destroy(&f->shared);
    }
    hot_free(f->path.hot);
    event_base_free(f->base);
    settings_free(f->settings);
    free(f);
    return 0;
}

/* What this thread did so far is seen by the loop, and the other way round. */
struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t met;
    bool done;
};

static void on_meeting(void *arg)
{
    struct meeting *meeting = arg;
    (void)pthread_mutex_lock(&meeting->lock);
    meeting->done = true;
    (void)pthread_cond_signal(&meeting->met);
    (void)pthread_mutex_unlock(&meeting->lock);
}

static void meet_loop(struct fixture *f)
{
    struct meeting meeting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    mailbox_post(f->path.mailbox, on_meeting, &meeting);
    (void)pthread_mutex_lock(&meeting.lock);
    while (!meeting.done)
        (void)pthread_cond_wait(&meeting.met, &meeting.lock);
    (void)pthread_mutex_unlock(&meeting.lock);
}

struct reply {
    unsigned status;
    struct buf all;
    struct slice head;
    struct slice body;
};

/* One request on a connection of its own; `more` are further header lines. */
static struct reply ask(struct fixture *f, const char *method, const char *target, const char *more)
{
    meet_loop(f);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    struct buf out = BUF_INIT;
    buf_printf(&out, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s\r\n", method, target, more);
    assert_int_equal(send(fd, out.data, out.len, MSG_NOSIGNAL), out.len);
    buf_free(&out);
    struct reply reply = {.all = BUF_INIT};
    ssize_t n = 0;
    while ((n = recv(fd, buf_reserve(&reply.all, 65536), 65536, 0)) > 0)
        reply.all.len += (size_t)n;
    (void)close(fd);
    meet_loop(f);
    char *text = buf_cstr(&reply.all);
    const char *end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    assert_int_equal(sscanf(text, "HTTP/1.1 %u", &reply.status), 1);
    reply.head = (struct slice){text, (size_t)(end - text) + 2};
    reply.body = (struct slice){end + 4, reply.all.len - reply.head.n - 2};
    return reply;
}

static struct reply get(struct fixture *f, const char *target, const char *more)
{
    return ask(f, "GET", target, more);
}

/* The header's value, copied, or NULL. Free with free(). */
static char *header(const struct reply *reply, const char *name)
{
    struct buf wanted = BUF_INIT;
    buf_printf(&wanted, "\r\n%s: ", name);
    char *head = mem_strndup(reply->head.p, reply->head.n);
    char *at = strstr(head, buf_cstr(&wanted));
    char *value = NULL;
    if (at) {
        at += wanted.len;
        value = mem_strndup(at, (size_t)(strstr(at, "\r\n") - at));
    }
    free(head);
    buf_free(&wanted);
    return value;
}

static void expect_header(const struct reply *reply, const char *name, const char *wanted)
{
    char *value = header(reply, name);
    if (wanted) {
        assert_non_null(value);
        assert_string_equal(value, wanted);
    } else {
        assert_null(value);
    }
    free(value);
}

static void expect_error(struct reply reply, unsigned status, const char *json)
{
    assert_int_equal(reply.status, status);
    assert_true(slice_is(reply.body, json));
    expect_header(&reply, "Content-Type", "application/json; charset=utf-8");
    expect_header(&reply, "Cache-Control", "no-store");
    buf_free(&reply.all);
}

static const char three_leaders[] = "{\"leaderboard\":[{\"id\":\"gpt-5\",\"equity\":0},{\"id\":\"gpt-5\",\"equity\":1},"
                                    "{\"id\":\"gpt-5\",\"equity\":2}]}";

static void test_rows_become_a_document(void **state)
{
    struct fixture *f = *state;
    struct reply reply = get(f, "/api/leaderboard?_=17", "");
    assert_int_equal(reply.status, 200);
    assert_true(slice_is(reply.body, three_leaders));
    expect_header(&reply, "Content-Type", "application/json; charset=utf-8");
    expect_header(&reply, "Cache-Control", "public, max-age=60, s-maxage=120, stale-while-revalidate=240");
    expect_header(&reply, "Vary", "Accept-Encoding");
    expect_header(&reply, "Access-Control-Allow-Origin", "*");
    expect_header(&reply, "Content-Encoding", NULL);
    assert_int_equal(f->fake.released, 1);
    buf_free(&reply.all);
}

static void test_live_time_is_the_last_member(void **state)
{
    struct fixture *f = *state;
    struct reply reply = get(f, "/api/trades", "");
    assert_int_equal(reply.status, 200);
    static const char start[] = "{\"trades\":[],\"serverTime\":";
    assert_int_equal(reply.body.n, sizeof start - 1 + 13 + 1);
    assert_memory_equal(reply.body.p, start, sizeof start - 1);
    buf_free(&reply.all);
}

static void test_parameters_reach_the_source(void **state)
{
    struct fixture *f = *state;
    struct reply reply = get(f, "/api/trades?model_id=grok-4&limit=7&before=12.5", "");
    assert_int_equal(reply.status, 200);
    assert_int_equal(f->fake.seen.limit, 7);
    assert_string_equal(f->fake.seen_model, "grok-4");
    assert_true(f->fake.seen.before.kind == CURSOR_TIME && f->fake.seen.before.exit_time_s == 12.5);
    buf_free(&reply.all);
}

static void test_a_known_validator_gives_304(void **state)
{
    struct fixture *f = *state;
    struct reply first = get(f, "/api/leaderboard", "");
    char *etag = header(&first, "ETag");
    assert_non_null(etag);
    struct buf more = BUF_INIT;
    buf_printf(&more, "If-None-Match: \"x\", %s\r\n", etag);
    struct reply second = get(f, "/api/leaderboard", buf_cstr(&more));
    assert_int_equal(second.status, 304);
    assert_int_equal(second.body.n, 0);
    expect_header(&second, "ETag", etag);
    expect_header(&second, "Vary", "Accept-Encoding");
    expect_header(&second, "Cache-Control", "public, max-age=60, s-maxage=120, stale-while-revalidate=240");
    f->fake.leader_count = 4;
    struct reply third = get(f, "/api/leaderboard", buf_cstr(&more));
    assert_int_equal(third.status, 200);
    buf_free(&more);
    buf_free(&first.all);
    buf_free(&second.all);
    buf_free(&third.all);
    free(etag);
}

static struct buf gunzip(struct slice in)
{
    struct buf out = BUF_INIT;
    z_stream stream = {0};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = (z_const unsigned char *)in.p;
    stream.avail_in = (unsigned)in.n;
    int status = Z_OK;
    while (status == Z_OK) {
        stream.next_out = (unsigned char *)buf_reserve(&out, 65536);
        stream.avail_out = 65536;
        status = inflate(&stream, Z_NO_FLUSH);
        out.len += 65536 - stream.avail_out;
    }
    assert_int_equal(status, Z_STREAM_END);
    (void)inflateEnd(&stream);
    return out;
}

/* Small ones are made on the loop, large ones by the offload threads: the same bytes either way, plain or compressed.
 */
static void test_gzip_carries_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    const size_t counts[] = {3, 50, 500, 20000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        f->fake.leader_count = counts[i];
        struct reply plain = get(f, "/api/leaderboard", "Accept-Encoding: gzip;q=0\r\n");
        struct reply packed = get(f, "/api/leaderboard", "Accept-Encoding: gzip\r\n");
        assert_int_equal(plain.status, 200);
        assert_int_equal(packed.status, 200);
        char *etag = header(&plain, "ETag");
        expect_header(&packed, "ETag", etag);
        free(etag);
        expect_header(&plain, "Content-Encoding", NULL);
        if (plain.body.n < 1024) {
            expect_header(&packed, "Content-Encoding", NULL);
            assert_true(slice_equal(plain.body, packed.body));
        } else {
            expect_header(&packed, "Content-Encoding", "gzip");
            struct buf text = gunzip(packed.body);
            assert_true(slice_equal(plain.body, buf_slice(&text)));
            buf_free(&text);
        }
        buf_free(&plain.all);
        buf_free(&packed.all);
    }
    assert_int_equal(f->fake.released, 8);
}

static void test_head_says_the_length_of_get(void **state)
{
    struct fixture *f = *state;
    struct reply reply = ask(f, "HEAD", "/api/leaderboard", "");
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.n, 0);
    char length[32];
    (void)snprintf(length, sizeof length, "%zu", sizeof three_leaders - 1);
    expect_header(&reply, "Content-Length", length);
    buf_free(&reply.all);
}

static void test_a_failing_source(void **state)
{
    struct fixture *f = *state;
    f->fake.fails = ERR_UNAVAILABLE;
    struct reply reply = get(f, "/api/trades", "");
    expect_header(&reply, "Retry-After", "1");
    expect_error(reply, 503,
                 "{\"error\":{\"code\":\"unavailable\",\"message\":\"the source of this answer is not available right "
                 "now\"}}");
    f->fake.fails = ERR_TIMEOUT;
    expect_error(get(f, "/api/trades", ""), 503,
                 "{\"error\":{\"code\":\"timeout\",\"message\":\"the source of this answer did not answer in time\"}}");
    f->fake.fails = ERR_INTERNAL;
    const char *internal = "{\"error\":{\"code\":\"internal\",\"message\":\"this answer cannot be made\"}}";
    expect_error(get(f, "/api/trades", ""), 500, internal);
    f->fake.fails = ERR_NONE;
    f->fake.corrupt = true;
    expect_error(get(f, "/api/leaderboard", ""), 500, internal);
    f->fake.corrupt = false;
    reply = get(f, "/api/leaderboard", "");
    assert_int_equal(reply.status, 200);
    buf_free(&reply.all);
}

static void test_sources_that_are_not_there(void **state)
{
    struct fixture *f = *state;
    const char *json = "{\"error\":{\"code\":\"unavailable\",\"message\":\"the source of this answer is not available "
                       "right now\"}}";
    f->settings->endpoints_trades = SETTINGS_LEGACY;
    expect_error(get(f, "/api/trades", ""), 503, json);
    f->settings->endpoints_trades = SETTINGS_REPO;
    f->path.reads = NULL;
    expect_error(get(f, "/api/trades", ""), 503, json);
    f->path.reads = &f->fake.reads;
}

/* What the loop does with documents of a folder: hand them over on the loop, ask whole and in parts. */
struct handover {
    struct fixture *f;
    struct legacy_documents *documents;
};

static void on_handover(void *arg)
{
    struct handover *handover = arg;
    read_path_take_legacy(&handover->f->path, handover->documents);
}

static struct legacy_documents *documents_of(const struct fixture *f, const char *trades)
{
    char folder[] = "/tmp/nof0-read-path-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/trades.json", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(trades, out) >= 0);
    assert_int_equal(fclose(out), 0);
    struct legacy_documents *documents = legacy_documents_new(legacy_set_load(folder, NULL), NULL, f->settings);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    return documents;
}

static void expect_body_start(struct fixture *f, const char *target, const char *start)
{
    /* Twice: made, then from what was kept. */
    for (int turn = 0; turn < 2; turn++) {
        struct reply reply = get(f, target, "");
        assert_int_equal(reply.status, 200);
        if (reply.body.n < strlen(start) || memcmp(reply.body.p, start, strlen(start)) != 0)
            fail_msg("%s: %.*s", target, SLICE_ARG(reply.body));
        buf_free(&reply.all);
    }
}

static void test_legacy_files_whole_and_in_part(void **state)
{
    struct fixture *f = *state;
    f->settings->endpoints_trades = SETTINGS_LEGACY;
    struct handover handover = {f, documents_of(f, "{\"trades\":[{\"id\":\"a\",\"model_id\":\"x\",\"exit_time\":2},"
                                                   "{\"id\":\"b\",\"model_id\":\"y\",\"exit_time\":3}]}")};
    mailbox_post(f->path.mailbox, on_handover, &handover);
    expect_body_start(f, "/api/trades", "{\"trades\":[{\"id\":\"a\",\"model_id\":\"x\",\"exit_time\":2},{\"id\":\"b\"");
    expect_body_start(f, "/api/trades?limit=1",
                      "{\"trades\":[{\"id\":\"b\",\"model_id\":\"y\",\"exit_time\":3}],\"serverTime\":");
    expect_body_start(f, "/api/trades?model_id=x",
                      "{\"trades\":[{\"id\":\"a\",\"model_id\":\"x\",\"exit_time\":2}],\"serverTime\":");
    /* Other files: nothing that was kept may be served any more. */
    handover.documents = documents_of(f, "{\"trades\":[]}");
    mailbox_post(f->path.mailbox, on_handover, &handover);
    expect_body_start(f, "/api/trades", "{\"trades\":[],\"serverTime\":");
    expect_body_start(f, "/api/trades?limit=1", "{\"trades\":[],\"serverTime\":");
    assert_int_equal(f->fake.released, 0);
}

/* Puts a cache between the endpoints and the fake; on the loop. */
static void on_cache(void *arg)
{
    struct fixture *f = arg;
    struct cache_documents_settings documents = {.base = f->base, .floors = &f->shared.floors};
    answer_shared_init(&f->shared);
    cache_floors_back(&f->shared.floors);
    assert_true(settings_cache_space(f->settings, &documents.space, NULL));
    f->documents = cache_documents_new(&documents);
    f->path.answers = answer_cache_new(&(struct answer_cache_config){.shared = &f->shared,
                                                                     .documents = f->documents,
                                                                     .offload = f->path.offload,
                                                                     .mailbox = f->path.mailbox,
                                                                     .workers = 1,
                                                                     .mono_ms = clock_mono_ms,
                                                                     .wall_ms = clock_wall_ms});
    answer_cache_apply(f->path.answers, f->settings, &f->fake.reads, false);
}

static void expect_leaders(struct fixture *f, const char *target, const char *body, const char *warning)
{
    struct reply reply = get(f, target, "");
    assert_int_equal(reply.status, 200);
    assert_true(slice_is(reply.body, body));
    expect_header(&reply, "Warning", warning);
    expect_header(&reply, "Age", warning ? "0" : NULL);
    buf_free(&reply.all);
}

static void test_an_answer_is_kept_until_it_is_announced_old(void **state)
{
    struct fixture *f = *state;
    mailbox_post(f->path.mailbox, on_cache, f);
    for (int i = 0; i < 3; i++) { /* made, from the cache, from the table of targets */
        expect_leaders(f, "/api/leaderboard", three_leaders, NULL);
        f->fake.leader_count = 0;
    }
    expect_leaders(f, "/api/leaderboard?_=1", three_leaders, NULL);
    assert_int_equal(hot_hits(f->path.hot), 1);
    assert_int_equal(f->fake.released, 1);

    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 1);
    f->fake.fails = ERR_UNAVAILABLE;
    expect_leaders(f, "/api/leaderboard", three_leaders, "110 - \"Response is Stale\"");
    struct reply none = get(f, "/api/trades", "");
    assert_int_equal(none.status, 503);
    buf_free(&none.all);
    f->fake.fails = ERR_NONE;
    f->fake.version = 1;
    expect_leaders(f, "/api/leaderboard", "{\"leaderboard\":[]}", NULL);
}

static void test_what_is_no_question(void **state)
{
    struct fixture *f = *state;
    expect_error(get(f, "/api/trades?limit=0", ""), 400,
                 "{\"error\":{\"code\":\"bad_parameter\",\"message\":\"limit must be an integer from 1 to "
                 "1000\",\"param\":\"limit\"}}");
    expect_error(get(f, "/api/nothing", ""), 404,
                 "{\"error\":{\"code\":\"not_found\",\"message\":\"there is nothing at this path\"}}");
    struct reply reply = ask(f, "POST", "/api/trades", "Content-Length: 0\r\n");
    expect_header(&reply, "Allow", "GET, HEAD, OPTIONS");
    expect_error(reply, 405,
                 "{\"error\":{\"code\":\"method_not_allowed\",\"message\":\"only GET, HEAD and OPTIONS are allowed "
                 "here\"}}");
}

static void test_options_answers_a_preflight(void **state)
{
    struct fixture *f = *state;
    struct reply reply =
        ask(f, "OPTIONS", "/api/trades", "Origin: https://example.org\r\nAccess-Control-Request-Method: GET\r\n");
    assert_int_equal(reply.status, 204);
    expect_header(&reply, "Allow", "GET, HEAD, OPTIONS");
    expect_header(&reply, "Access-Control-Allow-Origin", "*");
    expect_header(&reply, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    expect_header(&reply, "Access-Control-Max-Age", "600");
    buf_free(&reply.all);
    free(f->settings->cors_allow_origin);
    f->settings->cors_allow_origin = mem_strndup("", 0);
    reply = ask(f, "OPTIONS", "/api/trades", "");
    assert_int_equal(reply.status, 204);
    expect_header(&reply, "Access-Control-Allow-Origin", NULL);
    expect_header(&reply, "Access-Control-Max-Age", NULL);
    buf_free(&reply.all);
}

static void test_pages_about_the_server(void **state)
{
    struct fixture *f = *state;
    struct reply reply = get(f, "/version", "");
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.all.data, "\"name\":\"nof0d\",\"version\":\"" NOF0_VERSION "\""));
    buf_free(&reply.all);
    reply = get(f, "/healthz", "");
    assert_int_equal(reply.status, 200);
    expect_header(&reply, "Cache-Control", "no-store");
    buf_free(&reply.all);
    reply = get(f, "/readyz", ""); /* repo is wanted, and there is no pool */
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.all.data, "\"postgres\":{\"state\":\"down\",\"needed\":true}"));
    buf_free(&reply.all);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_rows_become_a_document),
        WITH_SERVER(test_live_time_is_the_last_member),
        WITH_SERVER(test_parameters_reach_the_source),
        WITH_SERVER(test_a_known_validator_gives_304),
        WITH_SERVER(test_gzip_carries_the_same_bytes),
        WITH_SERVER(test_head_says_the_length_of_get),
        WITH_SERVER(test_a_failing_source),
        WITH_SERVER(test_sources_that_are_not_there),
        WITH_SERVER(test_legacy_files_whole_and_in_part),
        WITH_SERVER(test_an_answer_is_kept_until_it_is_announced_old),
        WITH_SERVER(test_what_is_no_question),
        WITH_SERVER(test_options_answers_a_preflight),
        WITH_SERVER(test_pages_about_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
