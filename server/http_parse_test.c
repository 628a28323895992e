#include "base/testing.h"
#include "server/http_chunk.h"
#include "server/http_parse.h"

#include <stdlib.h>

static const struct http_limits limits = {.max_uri = 40, .max_headers = 200, .max_body = 20};

/* Reads from a copy of exactly n bytes, so that a read behind them is seen by AddressSanitizer. */
static enum http_head_state read_copy(struct http_head *head, const char *bytes, size_t n)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    enum http_head_state state = http_head_read(head, copy, n, &limits);
    free(copy);
    return state;
}

static void assert_same_span(struct http_span a, struct http_span b)
{
    assert_int_equal(a.at, b.at);
    assert_int_equal(a.n, b.n);
}

static void assert_same_result(enum http_head_state state, const struct http_head *a, const struct http_head *b)
{
    assert_int_equal(a->status, b->status);
    if (state != HTTP_HEAD_DONE)
        return;
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->method, b->method);
    assert_int_equal(a->minor, b->minor);
    assert_int_equal(a->has_length, b->has_length);
    assert_int_equal(a->content_length, b->content_length);
    assert_int_equal(a->chunked, b->chunked);
    assert_int_equal(a->expects_continue, b->expects_continue);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_same_span(a->method_name, b->method_name);
    assert_same_span(a->path, b->path);
    assert_same_span(a->query, b->query);
    assert_int_equal(a->field_count, b->field_count);
    for (unsigned i = 0; i < a->field_count; i++) {
        assert_same_span(a->fields[i].name, b->fields[i].name);
        assert_same_span(a->fields[i].value, b->fields[i].value);
    }
}

/* Reads the whole text, then again cut in two at every place, then byte by byte: always the same result. */
static enum http_head_state read_every_way(struct http_head *whole, struct slice text)
{
    http_head_start(whole);
    enum http_head_state expected = read_copy(whole, text.p, text.n);
    struct http_head other;
    for (size_t cut = 0; cut <= text.n; cut++) {
        http_head_start(&other);
        enum http_head_state state = read_copy(&other, text.p, cut);
        if (state == HTTP_HEAD_MORE)
            state = read_copy(&other, text.p, text.n);
        assert_int_equal(state, expected);
        assert_same_result(state, whole, &other);
    }
    http_head_start(&other);
    enum http_head_state state = HTTP_HEAD_MORE;
    for (size_t n = 0; n <= text.n && state == HTTP_HEAD_MORE; n++)
        state = read_copy(&other, text.p, n);
    assert_int_equal(state, expected);
    assert_same_result(state, whole, &other);
    return expected;
}

static void assert_span(struct slice text, struct http_span span, const char *expected)
{
    assert_int_equal(span.n, strlen(expected));
    assert_memory_equal(text.p + span.at, expected, span.n);
}

#define HOST "Host: a\r\n"

static void good_heads_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned long method;
        const char *path;
        const char *query;
        bool keeps;
    } table[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/", "", true},
        {"\r\nGET /x HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/x", "", true},
        {"HEAD /a/b%20c?d=e&f HTTP/1.1\r\nhOsT:a\r\n\r\n", HTTP_HEAD, "/a/b%20c", "d=e&f", true},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", HTTP_OPTIONS, "*", "", true},
        {"POST /? HTTP/1.1\r\n" HOST "\r\n", HTTP_POST, "/", "", true},
        {"PUT /?a?b HTTP/1.1\r\n" HOST "\r\n", HTTP_PUT, "/", "a?b", true},
        {"DELETE //a HTTP/1.1\r\n" HOST "\r\n", HTTP_DELETE, "//a", "", true},
        {"PATCH /[]|^{}\"`\\<> HTTP/1.1\r\n" HOST "\r\n", HTTP_PATCH, "/[]|^{}\"`\\<>", "", true},
        {"BREW /pot HTTP/1.1\r\n" HOST "\r\n", HTTP_OTHER, "/pot", "", true},
        {"get / HTTP/1.1\r\n" HOST "\r\n", HTTP_OTHER, "/", "", true},
        {"GET http://h/p?q HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/p", "q", true},
        {"GET HTTPS://h:1 HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "", "", true},
        {"GET http://h?q HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "", "q", true},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_GET, "/", "", true},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", HTTP_GET, "/", "", true},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", HTTP_GET, "/", "", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", HTTP_GET, "/", "", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: a, CLOSE ,b\r\n\r\n", HTTP_GET, "/", "", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", HTTP_GET, "/", "", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", HTTP_GET, "/", "", false},
        {"GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", "", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HTTP_GET, "/", "", true},
        {"GET / HTTP/1.1\r\n" HOST "X: \x80\xff \t ~\r\nY:\r\nZ:   \r\n\r\n", HTTP_GET, "/", "", true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct slice text = slice_of(table[i].text);
        struct http_head head;
        if (read_every_way(&head, text) != HTTP_HEAD_DONE)
            fail_msg("refused (%u): %s", head.status, table[i].text);
        assert_int_equal(head.size, text.n);
        assert_int_equal(head.method, table[i].method);
        assert_span(text, head.path, table[i].path);
        assert_span(text, head.query, table[i].query);
        assert_int_equal(head.keep_alive, table[i].keeps);
        assert_false(head.has_length);
        assert_false(head.chunked);
    }
}

static void bad_heads_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        unsigned status;
    } table[] = {
#define BAD(status, text) {{text, sizeof(text) - 1}, status}
        /* request lines */
        BAD(400, "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET /\r\n\r\n"),
        BAD(400, "GET  / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET /  HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET / HTTP/1.1 \r\n" HOST "\r\n"),
        BAD(400, " GET / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET\t/\tHTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET /\x01 HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET /\0 HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET x HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET * HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET http:///p HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET http:// HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET http://u@h/p HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "G(T / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET / http/1.1\r\n" HOST "\r\n"),
        BAD(400, "GET / HTTP/1.10\r\n" HOST "\r\n"),
        BAD(400, "GET / HTTP/1\r\n" HOST "\r\n"),
        BAD(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), /* a TLS greeting: told before any LF */
        BAD(501, "CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n"),
        BAD(505, "GET / HTTP/2.0\r\n" HOST "\r\n"),
        BAD(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        BAD(505, "GET / HTTP/0.9\r\n\r\n"),
        /* line ends */
        BAD(400, "GET / HTTP/1.1\n" HOST "\r\n"),
        BAD(400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "\r\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\r\n" HOST "\r\n"),
        BAD(400, "\nGET / HTTP/1.1\r\n" HOST "\r\n"),
        /* header lines */
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X\x80: a\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X: \0\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n"),
        /* Host */
        BAD(400, "GET / HTTP/1.1\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"),
        BAD(400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n"),
        BAD(400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        BAD(400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        /* framing: where smuggling begins */
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\ncontent-length: 2\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"),
        BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\x0b"
                 "chunked\r\n\r\n"),
        BAD(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        BAD(501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
        BAD(501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"),
        BAD(501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n"),
        BAD(501, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
        BAD(417, "POST / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n"),
#undef BAD
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct http_head head;
        if (read_every_way(&head, table[i].text) != HTTP_HEAD_BAD || head.status != table[i].status)
            fail_msg("status %u instead of %u: %s", head.status, table[i].status, table[i].text.p);
        assert_non_null(head.reason);
    }
}

static void framing_is_told(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(read_every_way(&head, SLICE("POST / HTTP/1.1\r\n" HOST "Content-Length: 0017 \r\n\r\n")),
                     HTTP_HEAD_DONE);
    assert_true(head.has_length);
    assert_int_equal(head.content_length, 17);
    assert_int_equal(
        read_every_way(&head, SLICE("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n")),
        HTTP_HEAD_DONE);
    assert_true(head.content_length > UINT64_MAX / 16);
    assert_int_equal(read_every_way(&head, SLICE("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n"
                                                 "Expect: 100-Continue\r\n\r\nbehind")),
                     HTTP_HEAD_DONE);
    assert_true(head.chunked);
    assert_true(head.expects_continue);
    assert_false(head.has_length);
    assert_int_equal(read_every_way(&head, SLICE("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")), HTTP_HEAD_DONE);
    assert_false(head.expects_continue);
}

/* A text made of `prefix`, `n` times "a", and `suffix`. */
static enum http_head_state read_long(struct http_head *head, const char *prefix, size_t n, const char *suffix)
{
    struct buf text = BUF_INIT;
    buf_append_str(&text, prefix);
    memset(buf_reserve(&text, n), 'a', n);
    text.len += n;
    buf_append_str(&text, suffix);
    enum http_head_state state = read_every_way(head, buf_slice(&text));
    buf_free(&text);
    return state;
}

static void limits_hold_to_the_byte(void **state)
{
    (void)state;
    struct http_head head;
    size_t uri = limits.max_uri - 1;
    assert_int_equal(read_long(&head, "GET /", uri, " HTTP/1.1\r\n" HOST "\r\n"), HTTP_HEAD_DONE);
    assert_int_equal(read_long(&head, "GET /", uri + 1, " HTTP/1.1\r\n" HOST "\r\n"), HTTP_HEAD_BAD);
    assert_int_equal(head.status, 414);
    assert_int_equal(read_long(&head, "GET /", 1000, " HTTP/1.1\r\n" HOST "\r\n"), HTTP_HEAD_BAD);
    assert_int_equal(head.status, 414);
    assert_int_equal(read_long(&head, "GET /", 1000, ""), HTTP_HEAD_BAD); /* without an end */
    assert_int_equal(head.status, 414);

    size_t value = limits.max_headers - strlen(HOST "X: \r\n");
    assert_int_equal(read_long(&head, "GET / HTTP/1.1\r\n" HOST "X: ", value, "\r\n\r\n"), HTTP_HEAD_DONE);
    assert_int_equal(read_long(&head, "GET / HTTP/1.1\r\n" HOST "X: ", value + 1, "\r\n\r\n"), HTTP_HEAD_BAD);
    assert_int_equal(head.status, 431);
    assert_int_equal(read_long(&head, "GET / HTTP/1.1\r\n" HOST "X: ", value + 2, ""), HTTP_HEAD_BAD);
    assert_int_equal(head.status, 431);
}

static void too_many_fields_are_refused(void **state)
{
    (void)state;
    struct http_limits wide = {.max_uri = 100, .max_headers = 10000};
    for (unsigned more = 0; more < 2; more++) {
        struct buf text = BUF_INIT;
        buf_append_str(&text, "GET / HTTP/1.1\r\n" HOST);
        for (unsigned i = 1; i < HTTP_MAX_FIELDS + more; i++)
            buf_printf(&text, "X-%u: y\r\n", i);
        buf_append_str(&text, "\r\n");
        struct http_head head;
        http_head_start(&head);
        assert_int_equal(http_head_read(&head, text.data, text.len, &wide), more ? HTTP_HEAD_BAD : HTTP_HEAD_DONE);
        assert_int_equal(more ? head.status : head.field_count, more ? 431 : HTTP_MAX_FIELDS);
        buf_free(&text);
    }
}

/* Decodes the text whole and cut at every place; the results are equal. */
static enum http_chunks_state decode_every_way(struct slice text, struct buf *body, size_t *used, unsigned *status)
{
    struct http_chunks chunks;
    http_chunks_start(&chunks, limits.max_body, 50);
    buf_clear(body);
    enum http_chunks_state expected = http_chunks_read(&chunks, text.p, text.n, used, body);
    *status = chunks.status;
    for (size_t cut = 0; cut <= text.n; cut++) {
        struct buf other = BUF_INIT;
        size_t first;
        size_t second = 0;
        http_chunks_start(&chunks, limits.max_body, 50);
        enum http_chunks_state state = http_chunks_read(&chunks, text.p, cut, &first, &other);
        if (state == HTTP_CHUNKS_MORE) {
            assert_int_equal(first, cut);
            state = http_chunks_read(&chunks, text.p + cut, text.n - cut, &second, &other);
        }
        assert_int_equal(state, expected);
        assert_int_equal(chunks.status, *status);
        if (state == HTTP_CHUNKS_DONE) {
            assert_int_equal(first + second, *used);
            assert_true(slice_equal(buf_slice(&other), buf_slice(body)));
        }
        buf_free(&other);
    }
    return expected;
}

static void chunks_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *body; /* NULL: refused with status */
        unsigned status;
        const char *rest;
    } table[] = {
        {"0\r\n\r\n", "", 0, ""},
        {"5\r\nhello\r\n0\r\n\r\nGET", "hello", 0, "GET"},
        {"5\r\nhello\r\nA\r\n\r\n12345678\r\n000\r\n\r\n", "hello\r\n12345678", 0, ""},
        {"5;a=b;c=\"d\"\r\nhello\r\n0;x\r\nT: u\r\nV:\r\n\r\n", "hello", 0, ""},
        {"14\r\n12345678901234567890\r\n0\r\n\r\n", "12345678901234567890", 0, ""},
        {"15\r\n", NULL, 413, ""},
        {"14\r\n12345678901234567890\r\n1\r\n", NULL, 413, ""},
        {"ffffffffffffffff\r\n", NULL, 413, ""},
        {"0000000000000000\r\n\r\n", NULL, 400, ""},
        {"\r\n", NULL, 400, ""},
        {"-1\r\n", NULL, 400, ""},
        {"0x5\r\n", NULL, 400, ""},
        {" 5\r\nhello", NULL, 400, ""},
        {"5 \r\nhello", NULL, 400, ""},
        {"5\nhello\r\n", NULL, 400, ""},
        {"5\rhello", NULL, 400, ""},
        {"5\r\nhello0\r\n\r\n", NULL, 400, ""},
        {"5\r\nhello\n0\r\n\r\n", NULL, 400, ""},
        {"5\r\nhello\r0\r\n\r\n", NULL, 400, ""},
        {"5;\n\r\nhello", NULL, 400, ""},
        {"5;a\x01\r\nhello", NULL, 400, ""},
        {"0\r\n T: u\r\n\r\n", NULL, 400, ""},
        {"0\r\nT : u\r\n\r\n", NULL, 400, ""},
        {"0\r\nT\r\n\r\n", NULL, 400, ""},
        {"0\r\n: u\r\n\r\n", NULL, 400, ""},
        {"0\r\nT: \r\r\n\r\n", NULL, 400, ""},
        {"0\r\n\n", NULL, 400, ""},
        {"0\r\nT: 0123456789012345678901234567890123456789012345678901234567890\r\n\r\n", NULL, 431, ""},
        {"5;0123456789012345678901234567890123456789012345678901234567890\r\n", NULL, 431, ""},
    };
    struct buf body = BUF_INIT;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct slice text = slice_of(table[i].text);
        size_t used;
        unsigned status;
        enum http_chunks_state result = decode_every_way(text, &body, &used, &status);
        if (result != (table[i].body ? HTTP_CHUNKS_DONE : HTTP_CHUNKS_BAD) || status != table[i].status)
            fail_msg("state %d, status %u: %s", result, status, table[i].text);
        if (!table[i].body)
            continue;
        assert_true(slice_is(buf_slice(&body), table[i].body));
        assert_string_equal(text.p + used, table[i].rest);
    }
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_heads_are_understood),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(framing_is_told),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(chunks_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
