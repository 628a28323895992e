#include "base/json_read.h"
#include "base/testing.h"
#include "cli/parity_rows.h"

#include <stdio.h>

static struct buf text_of(const char *text)
{
    struct buf out = BUF_INIT;
    buf_append_str(&out, text);
    return out;
}

static void must_be(struct buf *json, const char *expected)
{
    if (!slice_is(buf_slice(json), expected))
        fail_msg("%.*s\ninstead of\n%s", SLICE_ARG(buf_slice(json)), expected);
    buf_free(json);
}

static void rows_are_counted(void **state)
{
    (void)state;
    assert_int_equal(parity_rows_count(READ_TRADES, SLICE("{\"trades\":[],\"serverTime\":1}")), 0);
    assert_int_equal(parity_rows_count(READ_TRADES, SLICE("{\"trades\":[{},{}]}")), 2);
    assert_int_equal(parity_rows_count(READ_CRYPTO_PRICES, SLICE("{\"prices\":{\"BTC\":{},\"ETH\":{}}}")), 2);
    assert_int_equal(parity_rows_count(READ_ANALYTICS_ONE, SLICE("{\"analytics\":{}}")), 1);
    assert_int_equal(parity_rows_count(READ_POSITIONS, SLICE("{\"x\":1,\"accountTotals\":[{\"model_id\":\"a\"}]}")), 1);
}

static void models_are_found(void **state)
{
    (void)state;
    struct name_set models = {0};
    parity_rows_models(READ_ANALYTICS_ALL,
                       SLICE("{\"analytics\":[{\"model_id\":\"a\",\"id\":\"x\"},{\"id\":\"b\"},{\"model_id\":7},"
                             "{\"model_id\":\"\\u00e9\"},{\"model_id\":\"a\"},{\"model_id\":\"\"}]}"),
                       &models);
    assert_int_equal(models.count, 3);
    assert_true(slice_is(models.names[0], "a"));
    assert_true(slice_is(models.names[1], "b"));
    assert_true(slice_is(models.names[2], "\xc3\xa9"));
    name_set_free(&models);
}

static void one_models_rows_stay(void **state)
{
    (void)state;
    static const struct {
        enum read_kind kind;
        const char *json, *kept;
    } cases[] = {
        {READ_TRADES, "{\"trades\":[{\"model_id\":\"a\",\"n\":1},{\"model_id\":\"b\"},{\"n\":2},{\"model_id\":\"a\"}]}",
         "{\"trades\":[{\"model_id\":\"a\",\"n\":1},{\"model_id\":\"a\"}]}"},
        {READ_TRADES, "{\"serverTime\":5,\"x\":[1],\"trades\":[{\"model_id\":\"b\"}],\"y\\n\":null}",
         "{\"trades\":[],\"x\":[1],\"y\\n\":null,\"serverTime\":5}"},
        {READ_TRADES, "{\"trades\":[]}", "{\"trades\":[]}"},
        {READ_LEADERBOARD, "{\"leaderboard\":[{\"id\":\"\\u0061\"},{\"id\":\"b\"}]}",
         "{\"leaderboard\":[{\"id\":\"\\u0061\"}]}"},
        {READ_ANALYTICS_ALL, "{\"analytics\":[{\"id\":\"a\"},{\"id\":\"a\",\"model_id\":\"b\"}]}",
         "{\"analytics\":[{\"id\":\"a\"}]}"},
        {READ_CRYPTO_PRICES, "{\"prices\":{\"a\":{}}}", "{\"prices\":{\"a\":{}}}"},
        {READ_ANALYTICS_ONE, "{\"analytics\":{\"model_id\":\"b\"}}", "{\"analytics\":{\"model_id\":\"b\"}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf json = text_of(cases[i].json);
        parity_rows_keep_model(cases[i].kind, SLICE("a"), &json);
        must_be(&json, cases[i].kept);
    }
}

static const struct parity_rule rules[] = {{.kind = PARITY_IGNORE, .place = "$.serverTime"},
                                           {.kind = PARITY_IDENTITY, .place = "$.trades", .keys = "id|model_id,symbol"},
                                           {.kind = PARITY_RULES_END}};

enum { MANY = 1000 };

/* Trades 0 to MANY - 1 but for `without`, forwards or backwards, their ids as texts or numbers. */
static struct buf many(int without, bool backwards, bool numbers)
{
    struct buf json = BUF_INIT;
    buf_append_str(&json, "{\"trades\":[");
    bool comma = false;
    for (int i = 0; i < MANY; i++) {
        int id = backwards ? MANY - 1 - i : i;
        if (id == without)
            continue;
        buf_printf(&json, numbers ? "%s{\"id\":%d%s}" : "%s{\"id\":\"%d%s\"}", comma ? "," : "", id,
                   numbers && backwards ? ".0" : "");
        comma = true;
    }
    buf_append_str(&json, "]}");
    return json;
}

static size_t sampled(struct parity_sample sample, struct buf left, struct buf right, bool same)
{
    parity_rows_keep_sample(READ_TRADES, rules, &sample, &left, &right);
    size_t count = parity_rows_count(READ_TRADES, buf_slice(&left));
    struct parity_counts counts;
    struct err err = ERR_INIT;
    assert_true(json_check(buf_slice(&left), NULL, NULL) && json_check(buf_slice(&right), NULL, NULL));
    assert_true(parity_compare(buf_slice(&left), buf_slice(&right), rules, NULL, NULL, &counts, &err));
    assert_int_equal(counts.differences[PARITY_VALUE], 0);
    if (same)
        assert_int_equal(counts.differences[PARITY_MISSING] + counts.differences[PARITY_EXTRA], 0);
    buf_free(&left);
    buf_free(&right);
    return count;
}

static void samples_are_the_same_on_both_sides(void **state)
{
    (void)state;
    const struct parity_sample ten = {.kind = PARITY_SAMPLE_ROWS, .rows = 10};
    const struct parity_sample share = {.kind = PARITY_SAMPLE_SHARE, .share = 0.2};
    const struct parity_sample all = {.kind = PARITY_SAMPLE_ALL};
    const struct parity_sample more = {.kind = PARITY_SAMPLE_ROWS, .rows = 5000};
    for (int numbers = 0; numbers < 2; numbers++) {
        assert_int_equal(sampled(ten, many(-1, false, numbers), many(-1, true, numbers), true), 10);
        assert_int_equal(sampled(more, many(-1, false, numbers), many(-1, true, numbers), true), MANY);
        assert_int_equal(sampled(all, many(-1, false, numbers), many(-1, true, numbers), true), MANY);
        size_t count = sampled(share, many(-1, false, numbers), many(-1, true, numbers), true);
        assert_in_range(count, 130, 270);
        /* A row that one side lacks takes part like any other: both know the same rows' order. */
        for (int without = 0; without < 50; without++)
            assert_in_range(sampled(ten, many(-1, false, numbers), many(without, true, numbers), false), 9, 10);
    }
}

static void rows_without_identity_are_in_every_sample(void **state)
{
    (void)state;
    const struct parity_sample one = {.kind = PARITY_SAMPLE_ROWS, .rows = 1};
    struct buf left = text_of("{\"trades\":[{\"n\":1},{\"model_id\":\"a\",\"symbol\":\"b\"},{\"model_id\":\"a\"}]}");
    struct buf right = text_of("{\"trades\":[{\"symbol\":\"b\",\"model_id\":\"\\u0061\"},{\"model_id\":\"a\"}]}");
    parity_rows_keep_sample(READ_TRADES, rules, &one, &left, &right);
    must_be(&left, "{\"trades\":[{\"n\":1},{\"model_id\":\"a\",\"symbol\":\"b\"},{\"model_id\":\"a\"}]}");
    must_be(&right, "{\"trades\":[{\"symbol\":\"b\",\"model_id\":\"\\u0061\"},{\"model_id\":\"a\"}]}");

    left = text_of("{\"prices\":{\"A\":{},\"B\":{},\"C\":{}}}");
    right = text_of("{\"prices\":{\"C\":{},\"\\u0042\":{},\"A\":{}}}");
    parity_rows_keep_sample(READ_CRYPTO_PRICES, rules, &one, &left, &right);
    assert_int_equal(parity_rows_count(READ_CRYPTO_PRICES, buf_slice(&left)), 1);
    assert_int_equal(parity_rows_count(READ_CRYPTO_PRICES, buf_slice(&right)), 1);
    buf_free(&left);
    buf_free(&right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_counted),
        cmocka_unit_test(models_are_found),
        cmocka_unit_test(one_models_rows_stay),
        cmocka_unit_test(samples_are_the_same_on_both_sides),
        cmocka_unit_test(rows_without_identity_are_in_every_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
