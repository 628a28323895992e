#include "base/mem.h"
#include "server/canary.h"
#include "server/hot.h"
#include "server/http_testing.h"
#include "server/mailbox.h"
#include "server/offload.h"
#include "server/reply.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <xxhash.h>
#include <zlib.h>

/* A server that looks into the table first and makes a document when that does not answer. Its loop alone touches what
 * stands behind `mailbox`. */
struct fixture {
    struct test_server net; /* only its port is used */
    struct event_base *base;
    struct http_server *http;
    struct hot *hot;
    struct settings *settings;
    struct flag_set flags;
    pthread_t thread;
    atomic_uint made;
    struct slice next_body; /* for use_next_body */
    char *memory;           /* of a body; a thread that makes its file may read it as long as it lives */
    struct mailbox *mailbox;
    struct offload *offload;
    struct document *newest; /* of those made; the loop's, see do_nothing */
    bool compress;
    struct hot_term term;
    struct document_tail tail;
    struct slice body;
};

static atomic_int_least64_t floor_version;

static void on_request(void *arg, struct http_request *request)
{
    struct fixture *f = arg;
    if (!hot_answer(f->hot, request)) {
        atomic_fetch_add(&f->made, 1);
        const struct endpoint *endpoint = &endpoints[READ_LEADERBOARD];
        struct flag_value value = endpoint_value(endpoint, &f->flags);
        struct reply_answer answer = {
            .endpoint = endpoint, .mode = value.mode, .side = canary_side(request, f->settings, value)};
        struct slice body = answer.side == ENDPOINT_LEGACY ? SLICE("{\"legacy\":[1,2,3,4,5,6,7,8,9]") : f->body;
        answer.document = document_new((struct document_body){body, NULL, NULL}, f->tail);
        if (f->compress)
            document_compress(answer.document, 6);
        document_unref(f->newest);
        f->newest = document_ref(answer.document);
        hot_keep(f->hot, request, &answer, &f->term);
        reply_document(request, f->settings, &answer, false);
    }
}

static void *run_loop(void *arg)
{
    struct fixture *f = arg;
    (void)event_base_dispatch(f->base);
    return NULL;
}

static int set_up(void **state)
{
    struct err err = ERR_INIT;
    struct fixture *f = mem_zalloc(sizeof *f);
    f->base = event_base_new();
    f->mailbox = mailbox_new(f->base, &err);
    assert_non_null(f->mailbox);
    f->offload = offload_start(1, &err);
    assert_non_null(f->offload);
    f->settings = settings_default();
    f->settings->compression_min_bytes = 16;
    f->hot = hot_new();
    hot_set_offload(f->hot, f->offload, f->mailbox);
    f->flags.states[FLAG_READ_LEADERBOARD].value.mode = FLAG_REPO;
    hot_go_by(f->hot, f->settings, &f->flags);
    f->term.until_ms = INT64_MAX;
    f->tail.kind = DOCUMENT_TAIL_LIVE;
    f->body = SLICE("{\"leaderboard\":[1,2,3,4,5,6,7,8,9]");
    const struct http_limits limits = test_limits();
    f->http = http_server_new(f->base, &limits, on_request, f);
    int fd = http_listen("127.0.0.1", 0, &f->net.port, &err);
    assert_true(fd >= 0);
    assert_true(http_server_accept(f->http, fd, &err));
    f->net.stop_fd = eventfd(0, EFD_NONBLOCK);
    (void)event_base_once(f->base, f->net.stop_fd, EV_READ, test_on_stop, f->base, NULL);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    test_signal(f->net.stop_fd);
    (void)pthread_join(f->thread, NULL);
    offload_stop(f->offload);
    mailbox_free(f->mailbox);
    document_unref(f->newest);
    hot_free(f->hot);
    http_server_free(f->http);
    settings_free(f->settings);
    event_base_free(f->base);
    (void)close(f->net.stop_fd);
    free(f->memory);
    free(f);
    return 0;
}

struct errand {
    struct fixture *f;
    void (*how)(struct fixture *f);
    sem_t done;
};

static void run_errand(void *arg)
{
    struct errand *errand = arg;
    errand->how(errand->f);
    (void)sem_post(&errand->done);
}

/* Changes what the server makes of requests, between two of them: its loop does it, and this waits. */
static void change(struct fixture *f, void (*how)(struct fixture *f))
{
    struct errand errand = {.f = f, .how = how};
    (void)sem_init(&errand.done, 0, 0);
    mailbox_post(f->mailbox, run_errand, &errand);
    while (sem_wait(&errand.done) != 0) {
    }
    (void)sem_destroy(&errand.done);
}

/* For what comes after the loop was at rest. */
static void do_nothing(struct fixture *f)
{
    (void)f;
}

static unsigned made(struct fixture *f)
{
    return atomic_load(&f->made);
}

static struct test_reply ask(int fd, const char *method, const char *target, const char *more)
{
    struct buf out = BUF_INIT;
    buf_printf(&out, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, target, more);
    test_send(fd, buf_slice(&out));
    buf_free(&out);
    struct test_reply reply;
    test_read_reply(fd, &reply, strcmp(method, "HEAD") == 0);
    return reply;
}

/* The head without the two lines that differ from reply to reply. */
static void cut_own_lines(char *head)
{
    static const char *const names[] = {"\r\nDate: ", "\r\nX-Request-Id: "};
    for (size_t i = 0; i < 2; i++) {
        char *at = strstr(head, names[i]);
        assert_non_null(at);
        char *end = strstr(at + 2, "\r\n");
        assert_non_null(end);
        memmove(at, end, strlen(end) + 1);
    }
}

static void ask_and_forget(int fd, const char *method, const char *target, const char *more, unsigned status)
{
    struct test_reply reply = ask(fd, method, target, more);
    assert_int_equal(reply.status, status);
    test_reply_free(&reply);
}

static void test_a_hit_says_what_the_first_reply_said(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    struct test_reply first = ask(fd, "GET", "/a?b=c", "");
    (void)usleep(2000);
    struct test_reply second = ask(fd, "GET", "/a?b=c", "");
    assert_int_equal(made(f), 1);
    cut_own_lines(first.head);
    cut_own_lines(second.head);
    assert_string_equal(first.head, second.head);
    assert_int_equal(first.body_size, second.body_size);
    assert_memory_equal(first.body, second.body, f->body.n);
    /* The tail's time goes on. */
    assert_true(strcmp(first.body, second.body) < 0);
    test_reply_free(&first);
    test_reply_free(&second);

    ask_and_forget(fd, "HEAD", "/a?b=c", "", 200);
    ask_and_forget(fd, "GET", "/a?b=c", "If-None-Match: *\r\n", 304);
    assert_int_equal(made(f), 1);
    ask_and_forget(fd, "POST", "/a?b=c", "Content-Length: 0\r\n", 200);
    assert_int_equal(made(f), 2);
    (void)close(fd);
}

static void test_targets_are_told_apart_by_every_byte(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    static const char *const targets[] = {"/a", "/a/", "/a?b", "/a?c", "/A", "/%61"};
    unsigned count = sizeof targets / sizeof targets[0];
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < count; i++)
            ask_and_forget(fd, "GET", targets[i], "", 200);
    assert_true(made(f) >= count);
    /* Two of them may share a slot; all of them do not. */
    assert_true(made(f) < 2 * count);

    char longest[HOT_TARGET_MAX + 2] = "/";
    memset(longest + 1, 'x', HOT_TARGET_MAX);
    unsigned before = made(f);
    ask_and_forget(fd, "GET", longest, "", 200);
    ask_and_forget(fd, "GET", longest, "", 200);
    assert_int_equal(made(f), before + 2);
    (void)close(fd);
}

static void use_next_body(struct fixture *f)
{
    f->body = f->next_body;
}

static void clear_table(struct fixture *f)
{
    hot_clear(f->hot);
}

static void end_term(struct fixture *f)
{
    f->term.until_ms = clock_mono_ms() - 1;
    hot_clear(f->hot);
}

static void term_with_floor(struct fixture *f)
{
    atomic_store(&floor_version, 7);
    f->term = (struct hot_term){.until_ms = INT64_MAX, .floor = &floor_version, .version = 7};
    hot_clear(f->hot);
}

static void raise_floor(struct fixture *f)
{
    (void)f;
    atomic_store(&floor_version, 8);
}

static void test_terms(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    void (*const steps[])(struct fixture * f) = {clear_table, end_term, term_with_floor, raise_floor};
    /* How many of the two requests behind each step are not answered by the table. */
    static const unsigned misses[] = {1, 2, 1, 2};
    for (size_t i = 0; i < 4; i++) {
        change(f, steps[i]);
        unsigned before = made(f);
        ask_and_forget(fd, "GET", "/a", "", 200);
        ask_and_forget(fd, "GET", "/a", "", 200);
        assert_int_equal(made(f) - before, misses[i]);
    }
    (void)close(fd);
}

static void compress_from_now_on(struct fixture *f)
{
    f->compress = true;
}

static void test_gzip_when_there_is_one(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    static const char accept[] = "Accept-Encoding: gzip, br\r\n";
    ask_and_forget(fd, "GET", "/a", "", 200);
    ask_and_forget(fd, "GET", "/a", accept, 200);
    assert_int_equal(made(f), 2); /* it had no compressed form to give */
    change(f, compress_from_now_on);
    ask_and_forget(fd, "GET", "/a", accept, 200);
    assert_int_equal(made(f), 3);
    struct test_reply packed = ask(fd, "GET", "/a", accept);
    struct test_reply plain = ask(fd, "GET", "/a", "Accept-Encoding: br\r\n");
    assert_int_equal(made(f), 3);
    char value[256];
    assert_string_equal(test_header(&packed, "Content-Encoding", value), "gzip");
    assert_null(strstr(plain.head, "Content-Encoding"));

    unsigned char out[256];
    z_stream stream = {.next_in = (unsigned char *)packed.body,
                       .avail_in = (unsigned)packed.body_size,
                       .next_out = out,
                       .avail_out = sizeof out};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END); /* its CRC and length are right */
    assert_int_equal(sizeof out - stream.avail_out, plain.body_size);
    assert_memory_equal(out, plain.body, f->body.n);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    test_reply_free(&packed);
    test_reply_free(&plain);
    (void)close(fd);
}

/* The table may be cleared while a reply that it made is still being written. */
static void test_a_reply_outlives_its_entry(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 8 * 1024 * 1024 };
    char *bytes = f->memory = mem_alloc(SIZE);
    memset(bytes, 'x', SIZE);
    f->next_body = (struct slice){bytes, SIZE};
    change(f, use_next_body);
    int fd = test_connect(&f->net);
    ask_and_forget(fd, "GET", "/a", "", 200);
    test_send_str(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)usleep(20000);
    change(f, clear_table);
    struct test_reply reply;
    test_read_reply(fd, &reply, false);
    assert_memory_equal(reply.body, bytes, SIZE);
    assert_int_equal(made(f), 1);
    test_reply_free(&reply);
    (void)close(fd);
}

/* Bodies from files between bodies from memory, conditional requests and HEAD: all in order and none cut. */
static void test_large_hits_among_small_ones(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = DOCUMENT_FILE_MIN * 5, ROUNDS = 12 };
    char *large = f->memory = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        large[i] = (char)('a' + i % 19);
    const struct slice small_body = f->body;
    const struct slice large_body = {large, SIZE};
    int fd = test_connect(&f->net);
    ask_and_forget(fd, "GET", "/small", "", 200);
    f->next_body = large_body;
    change(f, use_next_body);
    ask_and_forget(fd, "GET", "/large", "", 200);
    /* The first hit is copied and has the file made. */
    ask_and_forget(fd, "GET", "/large", "", 200);
    change(f, do_nothing);
    for (int waits = 0; document_file(f->newest, false) < 0 && waits < 30000; waits++)
        (void)usleep(1000);
    assert_true(document_file(f->newest, false) >= 0);
    for (int i = 0; i < ROUNDS; i++)
        test_send_str(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /small HTTP/1.1\r\nHost: x\r\n\r\n"
                          "HEAD /large HTTP/1.1\r\nHost: x\r\n\r\n"
                          "GET /large HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n");
    for (int i = 0; i < ROUNDS; i++) {
        const struct slice wanted[] = {large_body, small_body};
        struct test_reply reply;
        for (int j = 0; j < 2; j++) {
            test_read_reply(fd, &reply, false);
            assert_int_equal(reply.status, 200);
            assert_true(reply.body_size > wanted[j].n && reply.body[reply.body_size - 1] == '}');
            assert_memory_equal(reply.body, wanted[j].p, wanted[j].n);
            test_reply_free(&reply);
        }
        test_read_reply(fd, &reply, true);
        assert_int_equal(reply.status, 200);
        test_read_reply(fd, &reply, true);
        assert_int_equal(reply.status, 304);
    }
    assert_int_equal(made(f), 2);
    (void)close(fd);
}

static void test_pipelined_hits(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    enum { COUNT = 100 };
    struct buf out = BUF_INIT;
    for (unsigned i = 0; i < COUNT; i++)
        buf_printf(&out, "GET /a HTTP/1.1\r\nHost: x\r\nX-Request-Id: r%u\r\n\r\n", i);
    test_send(fd, buf_slice(&out));
    buf_free(&out);
    for (unsigned i = 0; i < COUNT; i++) {
        struct test_reply reply;
        char value[256];
        char wanted[16];
        test_read_reply(fd, &reply, false);
        (void)snprintf(wanted, sizeof wanted, "r%u", i);
        assert_string_equal(test_header(&reply, "X-Request-Id", value), wanted);
        assert_memory_equal(reply.body, f->body.p, f->body.n);
        test_reply_free(&reply);
    }
    assert_int_equal(made(f), 1);
    (void)close(fd);
}

static void go_by_other_flags(struct fixture *f, struct flag_value value)
{
    static struct flag_set before;
    before = f->flags;
    hot_go_by(f->hot, f->settings, &before);
    f->flags.states[FLAG_READ_LEADERBOARD].value = value;
    hot_go_by(f->hot, f->settings, &f->flags);
}

static void half(struct fixture *f)
{
    go_by_other_flags(f, (struct flag_value){.mode = FLAG_CANARY, .share = FLAG_SHARE_WHOLE / 2});
}

static void whole(struct fixture *f)
{
    go_by_other_flags(f, (struct flag_value){.mode = FLAG_CANARY, .share = FLAG_SHARE_WHOLE});
}

static void legacy(struct fixture *f)
{
    go_by_other_flags(f, (struct flag_value){.mode = FLAG_LEGACY});
}

/* Asks as a client that falls below or above half of all, and says how many answers had to be made for it. */
static unsigned ask_as(struct fixture *f, int fd, const char *target, bool below, const char *side)
{
    char more[64];
    char value[256];
    unsigned before = made(f);
    for (unsigned i = 0;; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "c%u", i);
        (void)snprintf(more, sizeof more, "x-client-id: %s\r\n", key);
        if ((flag_bucket(slice_of(key)) < FLAG_SHARE_WHOLE / 2) == below)
            break;
    }
    struct test_reply reply = ask(fd, "GET", target, more);
    assert_int_equal(reply.status, 200);
    bool is_legacy = strncmp(reply.body, "{\"legacy\"", 9) == 0;
    assert_int_equal(is_legacy, strcmp(side, "legacy") == 0);
    if (f->flags.states[FLAG_READ_LEADERBOARD].value.mode == FLAG_CANARY)
        assert_string_equal(test_header(&reply, "X-Nof0-Source", value), side);
    else
        assert_null(strstr(reply.head, "X-Nof0-Source"));
    test_reply_free(&reply);
    return made(f) - before;
}

static void test_a_target_has_an_answer_for_each_side(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    assert_int_equal(ask_as(f, fd, "/a", true, "repo"), 1);
    assert_int_equal(ask_as(f, fd, "/a", false, "repo"), 0);
    change(f, half);
    assert_int_equal(ask_as(f, fd, "/a", true, "repo"), 1); /* its head says more now */
    assert_int_equal(ask_as(f, fd, "/a", false, "legacy"), 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask_as(f, fd, "/a", true, "repo"), 0);
        assert_int_equal(ask_as(f, fd, "/a", false, "legacy"), 0);
    }
    /* Another share alone leaves the table as it is. */
    change(f, whole);
    assert_int_equal(ask_as(f, fd, "/a", false, "repo"), 0);
    change(f, half);
    assert_int_equal(ask_as(f, fd, "/a", false, "legacy"), 0);
    change(f, legacy);
    assert_int_equal(ask_as(f, fd, "/a", true, "legacy"), 1);
    assert_int_equal(ask_as(f, fd, "/a", false, "legacy"), 0);
    (void)close(fd);
}

/* Two targets of one slot: neither may get an answer of the other, on whichever side. */
static void test_targets_of_one_slot(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    char other[16];
    for (unsigned i = 0;; i++) {
        (void)snprintf(other, sizeof other, "/b%u", i);
        if (XXH3_64bits(other, strlen(other)) % HOT_SLOTS == XXH3_64bits("/a", 2) % HOT_SLOTS)
            break;
    }
    change(f, half);
    assert_int_equal(ask_as(f, fd, "/a", true, "repo"), 1);
    assert_int_equal(ask_as(f, fd, "/a", false, "legacy"), 1);
    assert_int_equal(ask_as(f, fd, other, true, "repo"), 1);
    assert_int_equal(ask_as(f, fd, other, false, "legacy"), 1);
    assert_int_equal(ask_as(f, fd, other, true, "repo"), 0);
    assert_int_equal(ask_as(f, fd, "/a", false, "legacy"), 1);
    assert_int_equal(ask_as(f, fd, other, true, "repo"), 1);
    (void)close(fd);
}

static void there_and_back(struct fixture *f)
{
    struct flag_set now = f->flags;
    now.states[FLAG_READ_LEADERBOARD].value.mode = FLAG_LEGACY;
    hot_go_by(f->hot, f->settings, &now);
    hot_go_by(f->hot, f->settings, &f->flags);
}

static void test_flags_that_flip_empty_what_they_touch(void **state)
{
    struct fixture *f = *state;
    int fd = test_connect(&f->net);
    assert_int_equal(ask_as(f, fd, "/a", true, "repo"), 1);
    assert_int_equal(ask_as(f, fd, "/a", true, "repo"), 0);
    change(f, there_and_back);
    assert_int_equal(ask_as(f, fd, "/a", true, "repo"), 1);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_hit_says_what_the_first_reply_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_targets_are_told_apart_by_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_terms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gzip_when_there_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reply_outlives_its_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_hits_among_small_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipelined_hits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_target_has_an_answer_for_each_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_targets_of_one_slot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flags_that_flip_empty_what_they_touch, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
