/* For tests of the read path: a server over real sockets, with rows from a fake. */
#ifndef NOF0_SERVER_READ_PATH_TESTING_H
#define NOF0_SERVER_READ_PATH_TESTING_H

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

static inline void release_answer(struct repo_answer *answer)
{
    struct fake_answer *fake_answer = (struct fake_answer *)answer;
    (void)__atomic_add_fetch(&fake_answer->fake->released, 1, __ATOMIC_SEQ_CST);
    free(fake_answer->leaders);
    free(fake_answer);
}

static inline void fake_done(evutil_socket_t fd, short events, void *arg)
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

static inline void fake_read(struct repo_reads *reads, const struct read_query *query, repo_read_done *done, void *arg)
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

static inline void on_request(void *arg, struct http_request *request)
{
    struct fixture *f = arg;
    struct health_view health = {
        .company = &f->company, .settings = f->path.settings, .flags = f->path.flags, .documents = f->path.legacy};
    dispatch_request(&f->path, NULL, NULL, &health, request);
}

static inline void *run_loop(void *arg)
{
    struct fixture *f = arg;
    (void)event_base_dispatch(f->base);
    return NULL;
}

static inline void on_drained(void *arg)
{
    struct fixture *f = arg;
    (void)event_base_loopbreak(f->base);
}

static inline void on_drain(void *arg)
{
    struct fixture *f = arg;
    http_server_drain(f->http, on_drained, f);
}

static inline struct flag_set *flags_of_settings(const struct settings *settings)
{
    struct flag_value values[FLAG_COUNT];
    struct flag_set set = {0};
    settings_flags(settings, values);
    for (size_t i = 0; i < FLAG_COUNT; i++)
        set.states[i].value = values[i];
    return flag_set_new(&set);
}

static inline int set_up(void **state)
{
    struct err err = ERR_INIT;
    struct fixture *f = mem_zalloc(sizeof *f);
    f->base = event_base_new();
    f->settings = settings_default();
    f->fake.base = f->base;
    f->fake.reads.read = fake_read;
    f->fake.leader_count = 3;
    f->path = (struct read_path){.reads = &f->fake.reads,
                                 .recent = recent_new(),
                                 .hot = hot_new(),
                                 .offload = offload_start(2, &err),
                                 .mailbox = mailbox_new(f->base, &err)};
    read_path_go_by(&f->path, f->settings, flags_of_settings(f->settings));
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

static inline int tear_down(void **state)
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
    flag_set_unref(f->path.flags);
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

static inline void on_meeting(void *arg)
{
    struct meeting *meeting = arg;
    (void)pthread_mutex_lock(&meeting->lock);
    meeting->done = true;
    (void)pthread_cond_signal(&meeting->met);
    (void)pthread_mutex_unlock(&meeting->lock);
}

static inline void meet_loop(struct fixture *f)
{
    struct meeting meeting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    mailbox_post(f->path.mailbox, on_meeting, &meeting);
    (void)pthread_mutex_lock(&meeting.lock);
    while (!meeting.done)
        (void)pthread_cond_wait(&meeting.met, &meeting.lock);
    (void)pthread_mutex_unlock(&meeting.lock);
}

struct flag_order {
    struct fixture *f;
    struct flag_set *set;
};

static inline void on_flag_order(void *arg)
{
    struct flag_order *order = arg;
    read_path_go_by(&order->f->path, order->f->settings, order->set);
}

/* Sets a flag, as a change does while requests may be under way. */
static inline void set_flag(struct fixture *f, enum flag flag, struct flag_value value)
{
    meet_loop(f);
    struct flag_set content = *f->path.flags;
    content.states[flag].value = value;
    struct flag_order order = {f, flag_set_new(&content)};
    mailbox_post(f->path.mailbox, on_flag_order, &order);
    meet_loop(f);
}

struct reply {
    unsigned status;
    struct buf all;
    struct slice head;
    struct slice body;
};

/* One request on a connection of its own; `more` are further header lines. */
static inline struct reply ask(struct fixture *f, const char *method, const char *target, const char *more)
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

static inline struct reply get(struct fixture *f, const char *target, const char *more)
{
    return ask(f, "GET", target, more);
}

/* The header's value, copied, or NULL. Free with free(). */
static inline char *header(const struct reply *reply, const char *name)
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

static inline void expect_header(const struct reply *reply, const char *name, const char *wanted)
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

static inline void expect_error(struct reply reply, unsigned status, const char *json)
{
    assert_int_equal(reply.status, status);
    assert_true(slice_is(reply.body, json));
    expect_header(&reply, "Content-Type", "application/json; charset=utf-8");
    expect_header(&reply, "Cache-Control", "no-store");
    buf_free(&reply.all);
}

static const char three_leaders[] = "{\"leaderboard\":[{\"id\":\"gpt-5\",\"equity\":0},{\"id\":\"gpt-5\",\"equity\":1},"
                                    "{\"id\":\"gpt-5\",\"equity\":2}]}";

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
