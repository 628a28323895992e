#include "base/buf.h"
#include "base/testing.h"
#include "ingest/capture_document.h"

static void check(enum capture_endpoint endpoint, const char *text, const char *fault)
{
    struct err err = ERR_INIT;
    bool good = capture_check(endpoint, slice_of(text), &err);
    if (good != (fault == NULL))
        fail_msg("%s: %s", text, good ? "was taken" : err.text);
    if (fault && !strstr(err.text, fault))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text, fault);
}

static void answers_are_checked(void **state)
{
    (void)state;
    check(CAPTURE_TRADES, "{\"trades\":[{}],\"serverTime\":1}", NULL);
    check(CAPTURE_TRADES, " {\"more\":null,\"trades\":[ ]} ", NULL);
    check(CAPTURE_TRADES, "<html>", "line 1, column 1");
    check(CAPTURE_TRADES, "", "line 1, column 1");
    check(CAPTURE_TRADES, "{\"trades\":[{\"id\":", "line 1");
    check(CAPTURE_TRADES, "{\"trades\":[{\"a\":9007199254740993}]}", "$.trades[0].a");
    check(CAPTURE_TRADES, "[]", "must be an object");
    check(CAPTURE_TRADES, "{}", "has no \"trades\"");
    check(CAPTURE_TRADES, "{\"error\":{\"code\":\"x\"}}", "has no \"trades\"");
    check(CAPTURE_TRADES, "{\"trades\":{}}", "must be an array");
    check(CAPTURE_TRADES, "{\"trades\":null}", "must be an array");
    check(CAPTURE_TRADES, "{\"trades\":[{},1]}", "must be an array of objects");
    check(CAPTURE_PRICES, "{\"prices\":{\"BTC\":{}}}", NULL);
    check(CAPTURE_PRICES, "{\"prices\":[]}", "must be an object of objects");
    check(CAPTURE_PRICES, "{\"prices\":{\"BTC\":1}}", "must be an object of objects");
    check(CAPTURE_ANALYTICS_ONE, "{\"analytics\":{}}", NULL);
    check(CAPTURE_ANALYTICS_ONE, "{\"analytics\":[{}]}", NULL);
    check(CAPTURE_ANALYTICS_ONE, "{\"analytics\":[]}", "an array of one");
    check(CAPTURE_ANALYTICS_ONE, "{\"analytics\":[{},{}]}", "an array of one");
    check(CAPTURE_ANALYTICS_ONE, "{\"analytics\":1}", "an array of one");
    check(CAPTURE_ANALYTICS, "{\"analytics\":{}}", "must be an array");
}

static void same(enum capture_endpoint endpoint, const char *a, const char *b, bool expected)
{
    if (capture_same(endpoint, slice_of(a), slice_of(b)) != expected ||
        capture_same(endpoint, slice_of(b), slice_of(a)) != expected)
        fail_msg("%s and %s", a, b);
}

static void content_is_compared_without_the_servers_time(void **state)
{
    (void)state;
    same(CAPTURE_TRADES, "{\"trades\":[{\"a\":1,\"b\":2}],\"serverTime\":1}",
         "{ \"serverTime\": 2, \"trades\": [{\"b\":2.0,\"a\":1e0}] }", true);
    same(CAPTURE_TRADES, "{\"trades\":[{\"a\":1}]}", "{\"trades\":[{\"a\":2}]}", false);
    same(CAPTURE_TRADES, "{\"trades\":[{\"a\":1}]}", "{\"trades\":[{\"a\":1},{\"a\":1}]}", false);
    same(CAPTURE_TRADES, "{\"trades\":[{\"a\":1},{\"a\":2}]}", "{\"trades\":[{\"a\":2},{\"a\":1}]}", false);
    same(CAPTURE_TRADES, "{\"trades\":[],\"x\":1}", "{\"trades\":[],\"x\":2}", false);
    same(CAPTURE_TRADES, "{\"trades\":[],\"x\":1}", "{\"trades\":[]}", false);
    same(CAPTURE_TRADES, "{\"trades\":[],\"serverTime\":1}", "{\"trades\":[]}", false);
    same(CAPTURE_PRICES, "{\"prices\":{\"A\":{\"p\":1},\"B\":{}}}", "{\"prices\":{\"B\":{},\"A\":{\"p\":1}}}", true);
    same(CAPTURE_PRICES, "{\"prices\":{\"A\":{}}}", "{\"prices\":{\"B\":{}}}", false);
    same(CAPTURE_ANALYTICS_ONE, "{\"analytics\":[{\"a\":1}]}", "{\"analytics\":[{\"a\":2}]}", false);
}

static void documents_come_apart(void **state)
{
    (void)state;
    struct capture_document document;
    capture_document_read(&document, CAPTURE_PRICES,
                          SLICE("{\"prices\":{\"B\\u0054C\":{\"x\":1}},\"serverTime\":1761605821000,\"more\":[1]}"));
    assert_int_equal(document.row_count, 1);
    assert_true(slice_is(document.rows[0].key, "B\\u0054C"));
    assert_true(slice_is(document.rows[0].json, "{\"x\":1}"));
    assert_int_equal(document.other_count, 1);
    assert_true(slice_is(document.others[0].json, "[1]"));
    assert_true(document.has_server_time);
    assert_int_equal(document.server_time_ms, 1761605821000);
    capture_document_free(&document);
    capture_document_read(&document, CAPTURE_TRADES, SLICE(""));
    assert_int_equal(document.row_count, 0);
    assert_false(document.has_server_time);
    capture_document_free(&document);
}

static void members_are_found(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    assert_true(slice_is(capture_find(SLICE("{\"a\":{\"b\":2},\"b\":3}"), "b"), "3"));
    assert_null(capture_find(SLICE("{\"a\":1}"), "b").p);
    assert_true(capture_text(SLICE("\"x\\ny\""), &text));
    assert_true(slice_is(buf_slice(&text), "x\ny"));
    assert_false(capture_text(SLICE("12"), &text));
    assert_false(capture_text((struct slice){NULL, 0}, &text));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_checked),
        cmocka_unit_test(content_is_compared_without_the_servers_time),
        cmocka_unit_test(documents_come_apart),
        cmocka_unit_test(members_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
