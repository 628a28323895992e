#include "base/testing.h"
#include "cache/document_value.h"

static struct document_value sample(void)
{
    return (struct document_value){.version = 9007199254740993,
                                   .stale_ms = 60000,
                                   .built_ms = 1761452354435,
                                   .tail_time_ms = -1,
                                   .flags = 0xfedcba98,
                                   .tail_kind = 2,
                                   .etag = SLICE("W/\"abc\""),
                                   .body = SLICE("{\"a\":1\0\xff"),
                                   .gzip = SLICE("\x1f\x8b")};
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    struct document_value in = sample();
    struct document_value out;
    struct buf bytes = BUF_INIT;
    buf_append_str(&bytes, "before");
    document_value_encode(&in, &bytes);
    struct slice encoded = {bytes.data + 6, bytes.len - 6};
    assert_true(document_value_decode(encoded, &out));
    assert_true(out.version == in.version);
    assert_true(out.stale_ms == in.stale_ms);
    assert_true(out.built_ms == in.built_ms);
    assert_true(out.tail_time_ms == in.tail_time_ms);
    assert_int_equal(out.flags, in.flags);
    assert_int_equal(out.tail_kind, in.tail_kind);
    assert_true(slice_equal(out.etag, in.etag));
    assert_true(slice_equal(out.body, in.body));
    assert_true(slice_equal(out.gzip, in.gzip));
    assert_memory_equal(encoded.p, "nof0d100009007199254740993", 26);
    struct document_value empty = {.version = 0};
    buf_clear(&bytes);
    document_value_encode(&empty, &bytes);
    assert_int_equal(bytes.len, DOCUMENT_VALUE_HEADER);
    assert_true(document_value_decode(buf_slice(&bytes), &out));
    assert_int_equal(out.body.n, 0);
    buf_free(&bytes);
}

static void damage_is_seen(void **state)
{
    (void)state;
    struct document_value in = sample();
    struct document_value out;
    struct buf bytes = BUF_INIT;
    document_value_encode(&in, &bytes);
    for (size_t i = 0; i < bytes.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
            assert_false(document_value_decode(buf_slice(&bytes), &out));
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
        }
    for (size_t n = 0; n < bytes.len; n++)
        assert_false(document_value_decode((struct slice){bytes.data, n}, &out));
    buf_append_char(&bytes, 'x');
    assert_false(document_value_decode(buf_slice(&bytes), &out));
    assert_false(document_value_decode(SLICE(""), &out));
    assert_false(document_value_decode(SLICE("{\"a value of somebody else, long enough to hold a header and then "
                                             "some more bytes behind it\": 1}"),
                                       &out));
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(damage_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
