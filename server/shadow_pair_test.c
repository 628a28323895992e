/* What is kept of two answers: good JSON, never longer than allowed, without what must not be kept. */
#include "base/json_read.h"
#include "base/testing.h"
#include "server/shadow_pair.h"

#include <string.h>

static struct buf pair_of(const char *left, const char *right, const char *redact, size_t most)
{
    const struct shadow_pair pair = {.endpoint = &endpoints[READ_TRADES],
                                     .mode = FLAG_CANARY,
                                     .target = SLICE("/api/trades"),
                                     .at_ms = 1761452354435,
                                     .left = slice_of(left),
                                     .right = slice_of(right)};
    struct buf json = BUF_INIT;
    shadow_pair_put(&pair, redact, most, &json);
    (void)buf_cstr(&json);
    return json;
}

static const cJSON *at(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(value);
    return value;
}

static void a_pair_says_all(void **state)
{
    (void)state;
    static const char left[] = "{\"trades\":[{\"id\":\"a\",\"quantity\":1,\"symbol\":\"\xc3\xa9\\n\"}]}";
    static const char right[] = "{\"trades\":[{\"id\":\"a\",\"quantity\":1.5}]}";
    struct err err = ERR_INIT;
    struct buf json = pair_of(left, right, "", 4096);
    cJSON *pair = json_parse(buf_slice(&json), &err);
    assert_non_null(pair);
    assert_string_equal(at(pair, "at")->valuestring, "2025-10-26T04:19:14.435Z");
    assert_string_equal(at(pair, "endpoint")->valuestring, "trades");
    assert_string_equal(at(pair, "target")->valuestring, "/api/trades");
    assert_string_equal(at(pair, "mode")->valuestring, "canary");
    assert_int_equal(cJSON_GetArraySize(at(pair, "differences")), 2);
    const cJSON *first = cJSON_GetArrayItem(at(pair, "differences"), 0);
    assert_string_equal(at(first, "class")->valuestring, "value");
    assert_string_equal(at(first, "path")->valuestring, "$.trades[id=a].quantity");
    assert_string_equal(at(first, "left")->valuestring, "1");
    assert_string_equal(at(first, "right")->valuestring, "1.5");
    const cJSON *second = cJSON_GetArrayItem(at(pair, "differences"), 1);
    assert_string_equal(at(second, "class")->valuestring, "missing");
    assert_true(cJSON_IsNull(at(second, "right")));
    assert_int_equal(at(pair, "more")->valueint, 0);
    assert_string_equal(at(at(pair, "left"), "text")->valuestring, left);
    assert_string_equal(at(at(pair, "right"), "text")->valuestring, right);
    assert_true(cJSON_IsFalse(at(at(pair, "right"), "cut")));
    cJSON_Delete(pair);
    buf_free(&json);
}

static void what_must_not_be_kept_is_not(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf json = pair_of("{\"trades\":[{\"id\":\"secret]\",\"symbol\":\"same\",\"quantity\":1}]}",
                              "{\"trades\":[{\"id\":\"secret]\",\"symbol\":\"same\",\"quantity\":\"secret\"}]}",
                              "id, symbol,quantity", 4096);
    assert_null(strstr(json.data, "secret"));
    assert_null(strstr(json.data, "same"));
    cJSON *pair = json_parse(buf_slice(&json), &err);
    assert_non_null(pair);
    assert_int_equal(cJSON_GetArraySize(at(pair, "differences")), 1);
    cJSON_Delete(pair);
    buf_free(&json);
}

/* Documents of any length, with characters of any width and escapes, at any limit. */
static void it_fits(void **state)
{
    (void)state;
    static const char *const pieces[] = {"x", "\\\"", "\xc3\xa9", "\xf0\x9f\x98\x80", "\\n", "\\u0001"};
    for (size_t most = 4096; most < 4200; most += 7) {
        for (size_t long_side = 0; long_side < 2; long_side++) {
            struct buf text = BUF_INIT;
            struct err err = ERR_INIT;
            buf_append_str(&text, "{\"trades\":[],\"more\":\"");
            for (size_t i = 0; i < 2000; i++)
                buf_append_str(&text, pieces[(i + most) % (sizeof pieces / sizeof *pieces)]);
            buf_append_str(&text, "\"}");
            const char *other = "{\"trades\":[{\"id\":\"a\"}]}";
            struct buf json =
                pair_of(long_side ? other : buf_cstr(&text), long_side ? buf_cstr(&text) : other, "", most);
            assert_true(json.len <= most);
            assert_true(json.len > most - 300); /* and what room there is is used */
            cJSON *pair = json_parse(buf_slice(&json), &err);
            if (!pair)
                fail_msg("%s", err.text);
            const cJSON *cut = at(pair, long_side ? "right" : "left");
            assert_true(cJSON_IsTrue(at(cut, "cut")));
            assert_int_equal(at(cut, "bytes")->valueint, text.len);
            assert_int_equal(strncmp(at(cut, "text")->valuestring, text.data, strlen(at(cut, "text")->valuestring)), 0);
            assert_true(cJSON_IsFalse(at(at(pair, long_side ? "left" : "right"), "cut")));
            cJSON_Delete(pair);
            buf_free(&json);
            buf_free(&text);
        }
    }
}

/* Differences are counted when there is no room to list them. */
static void many_differences(void **state)
{
    (void)state;
    enum { ROWS = 500 };
    struct buf left = BUF_INIT;
    struct err err = ERR_INIT;
    buf_append_str(&left, "{\"trades\":[");
    for (int i = 0; i < ROWS; i++)
        buf_printf(&left, "%s{\"id\":\"t%d\"}", i ? "," : "", i);
    buf_append_str(&left, "]}");
    struct buf json = pair_of(buf_cstr(&left), "{\"trades\":[]}", "", 4096);
    assert_true(json.len <= 4096);
    cJSON *pair = json_parse(buf_slice(&json), &err);
    assert_non_null(pair);
    int listed = cJSON_GetArraySize(at(pair, "differences"));
    assert_in_range(listed, 1, 100);
    assert_int_equal(at(pair, "more")->valueint, ROWS - listed);
    cJSON_Delete(pair);
    buf_free(&json);
    buf_free(&left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_says_all),
        cmocka_unit_test(what_must_not_be_kept_is_not),
        cmocka_unit_test(it_fits),
        cmocka_unit_test(many_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
