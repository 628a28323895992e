#include "base/buf.h"
#include "base/mem.h"
#include "base/testing.h"
#include "server/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static uint64_t random_state = 88172645463325252U;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* n bytes that compress a little, or not at all. */
static char *make_body(size_t n, bool noise)
{
    char *bytes = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = noise ? (char)next_random() : "{\"entry_price\":1234.5}"[next_random() % 22];
    return bytes;
}

static struct document *document_over(char *bytes, size_t n, struct document_tail tail)
{
    return document_new((struct document_body){{bytes, n}, free, bytes}, tail);
}

/* What a client's zlib makes of a gzip reply; fails the test when zlib finds anything wrong with it. */
static struct buf inflate_all(struct slice head, struct slice tail)
{
    struct buf in = BUF_INIT;
    buf_append_slice(&in, head);
    buf_append_slice(&in, tail);
    struct buf out = BUF_INIT;
    z_stream stream = {0};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = (unsigned char *)in.data;
    stream.avail_in = (unsigned)in.len;
    int status = Z_OK;
    while (status == Z_OK) {
        enum { PIECE = 8192 };
        stream.next_out = (unsigned char *)buf_reserve(&out, PIECE);
        stream.avail_out = PIECE;
        status = inflate(&stream, Z_NO_FLUSH);
        out.len += PIECE - stream.avail_out;
    }
    assert_int_equal(status, Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    buf_free(&in);
    return out;
}

/* Level 0: quickly. */
static void check_round_trip(size_t n, bool noise, int level, struct document_tail tail, int64_t now_ms)
{
    char *bytes = make_body(n, noise);
    struct document *document = document_over(bytes, n, tail);
    if (level)
        document_compress(document, level);
    else
        document_compress_quickly(document);

    char plain_tail[DOCUMENT_TAIL_SIZE];
    size_t plain_tail_size = document_tail(document, now_ms, plain_tail);
    char gzip_tail[DOCUMENT_GZIP_TAIL_SIZE];
    size_t gzip_tail_size = document_gzip_tail(document, now_ms, gzip_tail);
    assert_int_equal(gzip_tail_size, plain_tail_size + 13);

    struct buf out = inflate_all(document_gzip(document), (struct slice){gzip_tail, gzip_tail_size});
    assert_int_equal(out.len, n + plain_tail_size);
    assert_true(slice_equal((struct slice){out.data, n}, document_body(document)));
    assert_true(
        slice_equal((struct slice){out.data + n, plain_tail_size}, (struct slice){plain_tail, plain_tail_size}));
    buf_free(&out);
    document_unref(document);
}

static void test_gzip_of_every_small_size(void **state)
{
    (void)state;
    for (size_t n = 0; n < 600; n++)
        check_round_trip(n, n % 3 == 0, (int)(n % 10), (struct document_tail){DOCUMENT_TAIL_LIVE, 0}, 1761452354435);
}

static void test_gzip_of_large_sizes_and_random_tails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        size_t n = next_random() % 100001;
        enum document_tail_kind kind = (enum document_tail_kind)(next_random() % 3);
        int64_t fixed = (int64_t)(next_random() >> (next_random() % 64));
        check_round_trip(n, i % 4 == 0, (int)(i % 10), (struct document_tail){kind, i % 2 ? fixed : -fixed},
                         (int64_t)(next_random() >> 22));
    }
}

static void test_tails(void **state)
{
    (void)state;
    char out[DOCUMENT_TAIL_SIZE];
    struct document *document = document_over(make_body(3, false), 3, (struct document_tail){DOCUMENT_TAIL_END, 5});
    assert_true(slice_is((struct slice){out, document_tail(document, 7, out)}, "}"));
    document_unref(document);
    document = document_over(make_body(3, false), 3, (struct document_tail){DOCUMENT_TAIL_LIVE, 5});
    assert_true(
        slice_is((struct slice){out, document_tail(document, 1761452354435, out)}, ",\"serverTime\":1761452354435}"));
    document_unref(document);
    document = document_over(make_body(3, false), 3, (struct document_tail){DOCUMENT_TAIL_FIXED, 1761452335744});
    assert_true(slice_is((struct slice){out, document_tail(document, 7, out)}, ",\"serverTime\":1761452335744}"));
    document_unref(document);
}

static struct document *of_text(const char *text, enum document_tail_kind kind)
{
    return document_new((struct document_body){slice_of(text), NULL, NULL}, (struct document_tail){kind, 1});
}

static void test_validator_speaks_of_the_body_alone(void **state)
{
    (void)state;
    struct document *a = of_text("{\"trades\":[]", DOCUMENT_TAIL_LIVE);
    struct document *b = of_text("{\"trades\":[]", DOCUMENT_TAIL_FIXED);
    struct document *c = of_text("{\"trades\":[0]", DOCUMENT_TAIL_LIVE);
    assert_int_equal(strlen(document_etag(a)), 2 + 2 + 32);
    assert_memory_equal(document_etag(a), "W/\"", 3);
    assert_string_equal(document_etag(a), document_etag(b));
    assert_string_not_equal(document_etag(a), document_etag(c));
    document_compress(a, 6);
    assert_string_equal(document_etag(a), document_etag(b));
    document_unref(a);
    document_unref(b);
    document_unref(c);
}

static void test_same_bytes_share_the_compressed_form(void **state)
{
    (void)state;
    struct document *old = document_over(make_body(5000, false), 5000, (struct document_tail){DOCUMENT_TAIL_LIVE, 0});
    document_compress(old, 6);
    char *copy = mem_strndup(document_body(old).p, 5000);
    struct document *new = document_new_same(old, (struct document_body){{copy, 5000}, free, copy},
                                             (struct document_tail){DOCUMENT_TAIL_END, 0});
    assert_string_equal(document_etag(new), document_etag(old));
    assert_ptr_equal(document_gzip(new).p, document_gzip(old).p);
    document_unref(old);
    char tail[DOCUMENT_GZIP_TAIL_SIZE];
    size_t n = document_gzip_tail(new, 1, tail);
    struct buf out = inflate_all(document_gzip(new), (struct slice){tail, n});
    assert_int_equal(out.len, 5001);
    assert_memory_equal(out.data, copy, 5000);
    buf_free(&out);
    document_unref(new);
}

static void count_release(void *arg)
{
    (*(int *)arg)++;
}

static void test_body_is_released_once_with_the_last_reference(void **state)
{
    (void)state;
    int released = 0;
    struct document *document = document_new((struct document_body){SLICE("{\"a\":1"), count_release, &released},
                                             (struct document_tail){DOCUMENT_TAIL_END, 0});
    assert_false(document_is_compressed(document));
    assert_int_equal(document_gzip(document).n, 0);
    (void)document_ref(document);
    document_release(document);
    assert_int_equal(released, 0);
    document_unref(document);
    assert_int_equal(released, 1);
}

static void check_file(int fd, struct slice wanted)
{
    assert_true(fd >= 0);
    char *bytes = mem_alloc(wanted.n + 1);
    assert_in_range(pread(fd, bytes, wanted.n + 1, 0), wanted.n, wanted.n + 1);
    assert_memory_equal(bytes, wanted.p, wanted.n);
    free(bytes);
}

static void test_files_hold_what_memory_holds(void **state)
{
    (void)state;
    enum { LARGE = DOCUMENT_FILE_MIN * 3 + 1 };
    struct document_tail tail = {DOCUMENT_TAIL_END, 0};
    struct document *large = document_over(make_body(LARGE, true), LARGE, tail);
    document_make_file(large, true);
    assert_int_equal(document_file(large, true), -1);
    document_compress(large, 6);
    for (int gzip = 0; gzip < 2; gzip++) {
        assert_int_equal(document_file(large, gzip), -1);
        document_make_file(large, gzip);
        int file = document_file(large, gzip);
        document_make_file(large, gzip);
        assert_int_equal(document_file(large, gzip), file);
        check_file(file, gzip ? document_gzip(large) : document_body(large));
    }

    struct document *same = document_new_same(large, (struct document_body){document_body(large), NULL, NULL}, tail);
    assert_int_equal(document_file(same, true), document_file(large, true));
    document_make_file(same, false);
    check_file(document_file(same, false), document_body(large));
    document_unref(same);
    check_file(document_file(large, true), document_gzip(large));
    document_unref(large);

    enum { SMALL = DOCUMENT_FILE_MIN - 1 };
    struct document *small = document_over(make_body(SMALL, false), SMALL, tail);
    document_compress(small, 6);
    for (int gzip = 0; gzip < 2; gzip++) {
        document_make_file(small, gzip);
        assert_int_equal(document_file(small, gzip), -1);
    }
    document_unref(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip_of_every_small_size),
        cmocka_unit_test(test_gzip_of_large_sizes_and_random_tails),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_validator_speaks_of_the_body_alone),
        cmocka_unit_test(test_same_bytes_share_the_compressed_form),
        cmocka_unit_test(test_body_is_released_once_with_the_last_reference),
        cmocka_unit_test(test_files_hold_what_memory_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
