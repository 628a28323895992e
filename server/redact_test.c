/* What must not be kept is in no text that comes out, and everything else is as it was. */
#include "base/json_read.h"
#include "base/testing.h"
#include "server/redact.h"

static void expect(const char *keys, const char *json, const char *redacted)
{
    struct buf out = BUF_INIT;
    redact_json(keys, slice_of(json), &out);
    assert_string_equal(buf_cstr(&out), redacted);
    assert_true(json_check(buf_slice(&out), NULL, NULL));
    buf_free(&out);
}

/* SHA-256("abc") begins with ba7816bf 8f01cfea, that of nothing with e3b0c442 98fc1c14. */
static void values_of_keys_become_hashes(void **state)
{
    (void)state;
    expect("", "{\"a\":\"abc\"}", "{\"a\":\"abc\"}");
    expect(" , ,", "{\"a\":\"abc\"}", "{\"a\":\"abc\"}");
    expect("a", "{\"a\":\"abc\"}", "{\"a\":\"sha256:ba7816bf8f01cfea\"}");
    expect(" b , a ", "{\"a\":\"abc\",\"c\":1}", "{\"a\":\"sha256:ba7816bf8f01cfea\",\"c\":1}");
    expect("a", "{\"a\" : \"\\u0061bc\" , \"c\":1}", "{\"a\" : \"sha256:ba7816bf8f01cfea\" , \"c\":1}");
    expect("a", "[{\"x\":{\"a\":\"\"}},{\"a\":\"abc\"}]",
           "[{\"x\":{\"a\":\"sha256:e3b0c44298fc1c14\"}},{\"a\":\"sha256:ba7816bf8f01cfea\"}]");
    /* A value is no key, a part of a key neither; null says nothing. */
    expect("a", "{\"b\":\"a\",\"c\":[\"a\",\"a\"],\"aa\":1,\"A\":2,\"\":3}",
           "{\"b\":\"a\",\"c\":[\"a\",\"a\"],\"aa\":1,\"A\":2,\"\":3}");
    expect("a", "{\"a\":null}", "{\"a\":null}");
    /* A key that is written with escapes. */
    expect("user_prompt", "{\"user\\u005fprompt\":\"abc\"}", "{\"user\\u005fprompt\":\"sha256:ba7816bf8f01cfea\"}");
    expect("a\"b", "{\"a\\\"b\":\"abc\"}", "{\"a\\\"b\":\"sha256:ba7816bf8f01cfea\"}");
    /* Quotes and brackets inside what is hidden. */
    expect("a", "{\"a\":{\"x\":\"}\\\"]\",\"y\":[1,{\"a\":2}]},\"b\":1}",
           "{\"a\":\"object sha256:9d96e908e01de02e\",\"b\":1}");
    expect("a", "{\"a\":\"\\\\\",\"a2\":\"\\\"a\\\":1\"}",
           "{\"a\":\"sha256:a9253dc8529dd214\",\"a2\":\"\\\"a\\\":1\"}");
    expect("a", "{\"a\":[0]}", "{\"a\":\"array sha256:d0bca111f8628137\"}");
}

static void redacted(const char *json, struct buf *out)
{
    struct buf whole = BUF_INIT;
    buf_printf(&whole, "{\"k\":%s}", json);
    buf_clear(out);
    redact_json("k", buf_slice(&whole), out);
    buf_free(&whole);
}

/* Equal values have equal hashes however they are written; other values and types have others. */
static void hashes_tell_values_apart(void **state)
{
    (void)state;
    static const char *const values[] = {"null", "true",  "false", "0",    "-0",        "1",
                                         "\"\"", "\"1\"", "\"x\"", "{}",   "[]",        "[0]",
                                         "1.5",  "1e300", "[1]",   "[[]]", "{\"a\":1}", "123456789012345678901234"};
    static const char *const same[][2] = {
        {"\"\\u00e9\"", "\"\xc3\xa9\""}, {"{\"a\" : [1, 2]}", "{\"a\":[1,2]}"}, {"1", "1.0"}, {"1000", "1e3"}};
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        redacted(same[i][0], &a);
        redacted(same[i][1], &b);
        assert_string_equal(buf_cstr(&a), buf_cstr(&b));
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (size_t k = 0; k < i; k++) {
            redacted(values[i], &a);
            redacted(values[k], &b);
            assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
        }
    }
    buf_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_keys_become_hashes),
        cmocka_unit_test(hashes_tell_values_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
