/* The read path over real sockets, with rows from a fake: what a client sees when the source answers, is late, fails.
 */
#include "server/read_path_testing.h"

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
    set_flag(f, FLAG_READ_TRADES, (struct flag_value){.mode = FLAG_LEGACY});
    expect_error(get(f, "/api/trades", ""), 503, json);
    set_flag(f, FLAG_READ_TRADES, (struct flag_value){.mode = FLAG_REPO});
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

static struct legacy_documents *documents_named(const struct fixture *f, const char *name, const char *text)
{
    char folder[] = "/tmp/nof0-read-path-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[100];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    struct legacy_documents *documents = legacy_documents_new(legacy_set_load(folder, NULL), NULL, f->settings);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    return documents;
}

static struct legacy_documents *documents_of(const struct fixture *f, const char *trades)
{
    return documents_named(f, "trades.json", trades);
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
    set_flag(f, FLAG_READ_TRADES, (struct flag_value){.mode = FLAG_LEGACY});
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

/* A client's id header, of a client that falls below or above half of all. */
static void client_header(char out[64], bool below, unsigned number)
{
    for (;; number++) {
        char key[32];
        (void)snprintf(key, sizeof key, "client-%u", number);
        if ((flag_bucket(slice_of(key)) < FLAG_SHARE_WHOLE / 2) != below)
            continue;
        (void)snprintf(out, 64, "X-Client-Id: %s\r\n", key);
        return;
    }
}

static void expect_side(struct fixture *f, const char *more, const char *source, const char *body)
{
    /* More than once: made, then from what was kept. */
    for (int turn = 0; turn < 3; turn++) {
        struct reply reply = get(f, "/api/leaderboard", more);
        assert_int_equal(reply.status, 200);
        if (!slice_is(reply.body, body))
            fail_msg("%s: %.*s", more, SLICE_ARG(reply.body));
        expect_header(&reply, "X-Nof0-Source", source);
        buf_free(&reply.all);
    }
}

static void test_modes(void **state)
{
    struct fixture *f = *state;
    static const char file_says[] = "{\"leaderboard\":[]}";
    struct handover handover = {f, documents_named(f, "leaderboard.json", file_says)};
    mailbox_post(f->path.mailbox, on_handover, &handover);
    char low[64];
    char high[64];
    client_header(low, true, 0);
    client_header(high, false, 0);
    expect_side(f, low, NULL, three_leaders);
    set_flag(f, FLAG_READ_LEADERBOARD, (struct flag_value){.mode = FLAG_LEGACY});
    expect_side(f, low, NULL, file_says);
    set_flag(f, FLAG_READ_LEADERBOARD, (struct flag_value){.mode = FLAG_SHADOW});
    expect_side(f, low, "legacy", file_says);
    set_flag(f, FLAG_READ_LEADERBOARD, (struct flag_value){.mode = FLAG_CANARY, .share = FLAG_SHARE_WHOLE / 2});
    for (int turn = 0; turn < 2; turn++) {
        expect_side(f, low, "repo", three_leaders);
        expect_side(f, high, "legacy", file_says);
    }
    set_flag(f, FLAG_READ_LEADERBOARD, (struct flag_value){.mode = FLAG_CANARY, .share = FLAG_SHARE_WHOLE});
    expect_side(f, low, "repo", three_leaders);
    expect_side(f, high, "repo", three_leaders);
    set_flag(f, FLAG_READ_LEADERBOARD, (struct flag_value){.mode = FLAG_REPO});
    expect_side(f, high, NULL, three_leaders);
}

/* A client that has the one side's document gets the other side's whole. */
static void test_validators_of_the_two_sides(void **state)
{
    struct fixture *f = *state;
    struct handover handover = {f, documents_named(f, "leaderboard.json", "{\"leaderboard\":[ ]}")};
    mailbox_post(f->path.mailbox, on_handover, &handover);
    char *tags[ENDPOINT_SIDES];
    for (enum endpoint_side side = 0; side < ENDPOINT_SIDES; side++) {
        set_flag(f, FLAG_READ_LEADERBOARD,
                 (struct flag_value){.mode = side == ENDPOINT_REPO ? FLAG_REPO : FLAG_LEGACY});
        struct reply reply = get(f, "/api/leaderboard", "");
        tags[side] = header(&reply, "ETag");
        assert_non_null(tags[side]);
        buf_free(&reply.all);
    }
    assert_string_not_equal(tags[0], tags[1]);
    for (enum endpoint_side side = 0; side < ENDPOINT_SIDES; side++) {
        set_flag(f, FLAG_READ_LEADERBOARD,
                 (struct flag_value){.mode = side == ENDPOINT_REPO ? FLAG_REPO : FLAG_LEGACY});
        for (int known = 0; known < ENDPOINT_SIDES; known++) {
            char more[100];
            (void)snprintf(more, sizeof more, "If-None-Match: %s\r\n", tags[known]);
            struct reply reply = get(f, "/api/leaderboard", more);
            assert_int_equal(reply.status, known == (int)side ? 304 : 200);
            buf_free(&reply.all);
        }
    }
    free(tags[0]);
    free(tags[1]);
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
        WITH_SERVER(test_modes),
        WITH_SERVER(test_validators_of_the_two_sides),
        WITH_SERVER(test_what_is_no_question),
        WITH_SERVER(test_options_answers_a_preflight),
        WITH_SERVER(test_pages_about_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
