#include "base/testing.h"
#include "parity/findings.h"

static const struct parity_rule no_rules[] = {{PARITY_RULES_END, NULL, NULL, 0}};

static struct parity_findings *find(const char *left, const char *right, size_t most, size_t value_bytes)
{
    struct parity_findings *findings = parity_findings_new(most, value_bytes);
    struct parity_counts counts;
    struct err err = ERR_INIT;
    assert_true(
        parity_compare(slice_of(left), slice_of(right), no_rules, parity_findings_add, findings, &counts, &err));
    assert_memory_equal(&counts, parity_findings_counts(findings), sizeof counts);
    return findings;
}

static void what_is_found_is_kept(void **state)
{
    (void)state;
    char left[] = "{\"a\":1,\"b\":\"x\",\"c\":null}";
    struct parity_findings *findings = find(left, "{\"a\":2,\"b\":1}", 10, 100);
    memset(left, '#', sizeof left);
    assert_int_equal(parity_findings_kept(findings), 3);
    struct parity_difference difference = parity_findings_at(findings, 0);
    assert_int_equal(difference.class, PARITY_VALUE);
    assert_true(slice_is(difference.path, "$.a"));
    assert_true(slice_is(difference.left, "1"));
    assert_true(slice_is(difference.right, "2"));
    assert_true(slice_is(parity_findings_at(findings, 1).left, "\"x\""));
    difference = parity_findings_at(findings, 2);
    assert_int_equal(difference.class, PARITY_NULL_ABSENT);
    assert_true(slice_is(difference.left, "null"));
    assert_null(difference.right.p);
    parity_findings_free(findings);
    parity_findings_free(NULL);
}

static void long_values_are_cut_between_characters(void **state)
{
    (void)state;
    static const struct {
        size_t value_bytes;
        const char *shown;
    } samples[] = {
        {100, "\"a\xC3\xA9\xF0\x9F\x98\x80z\""},
        {10, "\"a\xC3\xA9\xF0\x9F\x98\x80z\""},
        {9, "\"a\xC3\xA9\xF0\x9F\x98\x80z\xE2\x80\xA6"},
        {8, "\"a\xC3\xA9\xF0\x9F\x98\x80\xE2\x80\xA6"},
        {7, "\"a\xC3\xA9\xE2\x80\xA6"},
        {4, "\"a\xC3\xA9\xE2\x80\xA6"},
        {3, "\"a\xE2\x80\xA6"},
        {0, "\xE2\x80\xA6"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct parity_findings *findings = find("\"a\xC3\xA9\xF0\x9F\x98\x80z\"", "[]", 1, samples[i].value_bytes);
        struct slice shown = parity_findings_at(findings, 0).left;
        if (!slice_is(shown, samples[i].shown))
            fail_msg("%zu bytes: %.*s", samples[i].value_bytes, SLICE_ARG(shown));
        parity_findings_free(findings);
    }
}

static void confirmed_is_what_lasts(void **state)
{
    (void)state;
    static const struct {
        const char *left, *right, *left_again, *right_again;
        size_t stay, unsettled;
    } samples[] = {
        {"{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "{\"a\":2}", 1, 0},
        {"{\"a\":1}", "{\"a\":2}", "{\"a\":2}", "{\"a\":2}", 0, 0},
        {"{\"a\":1}", "{\"a\":2}", "{\"a\":2}", "{\"a\":3}", 0, 1},
        {"{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "{\"a\":3}", 0, 1},
        {"{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "{\"a\":null}", 0, 1},
        {"{\"a\":1}", "{\"a\":2}", "{\"b\":1}", "{\"b\":2}", 0, 0},
        {"{\"a\":1}", "{}", "{}", "{\"a\":1}", 0, 1},
        {"{\"a\":1,\"b\":1,\"c\":1}", "{\"a\":2,\"b\":2,\"c\":2}", "{\"c\":1,\"a\":1,\"b\":1}",
         "{\"a\":2,\"b\":1,\"c\":2}", 2, 0},
        /* They are the same up to where they were cut. */
        {"\"0123456789a\"", "0", "\"0123456789b\"", "0", 0, 1},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct parity_findings *findings = find(samples[i].left, samples[i].right, 10, 8);
        struct parity_findings *again = find(samples[i].left_again, samples[i].right_again, 10, 8);
        assert_int_equal(parity_findings_confirm(findings, again), samples[i].unsettled);
        assert_int_equal(parity_findings_kept(findings), samples[i].stay);
        assert_int_equal(parity_counts_sum(parity_findings_counts(findings)), samples[i].stay);
        parity_findings_free(findings);
        parity_findings_free(again);
    }
}

static void those_that_were_too_many_stay_counted_while_they_are(void **state)
{
    (void)state;
    struct parity_findings *findings = find("[1,2,3,4]", "[5,6,7,8]", 2, 8);
    struct parity_findings *again = find("[1,2,3,4]", "[5,9,7,8]", 2, 8);
    assert_int_equal(parity_findings_kept(findings), 2);
    assert_int_equal(parity_counts_sum(parity_findings_counts(findings)), 4);
    assert_int_equal(parity_findings_confirm(findings, again), 1);
    assert_int_equal(parity_findings_kept(findings), 1);
    assert_int_equal(parity_counts_sum(parity_findings_counts(findings)), 3);
    struct parity_findings *fewer = find("[1,2,3,4]", "[5,2,3,4]", 2, 8);
    assert_int_equal(parity_findings_confirm(findings, fewer), 0);
    assert_int_equal(parity_findings_kept(findings), 1);
    assert_int_equal(parity_counts_sum(parity_findings_counts(findings)), 1);
    struct parity_findings *none = find("1", "1", 2, 8);
    assert_int_equal(parity_findings_confirm(findings, none), 0);
    assert_int_equal(parity_findings_kept(findings), 0);
    assert_int_equal(parity_counts_sum(parity_findings_counts(findings)), 0);
    parity_findings_free(findings);
    parity_findings_free(again);
    parity_findings_free(fewer);
    parity_findings_free(none);
}

static void keeping_none_counts_all(void **state)
{
    (void)state;
    struct parity_findings *findings = find("[1,2,3]", "[4,5,6]", 0, 0);
    assert_int_equal(parity_findings_kept(findings), 0);
    assert_int_equal(parity_findings_counts(findings)->differences[PARITY_VALUE], 3);
    parity_findings_free(findings);
}

static void what_differs_is_in_what_is_kept(void **state)
{
    (void)state;
    enum { LENGTH = 300, KEPT = 40 };
    for (size_t at = 0; at < LENGTH; at++) {
        for (int width = 1; width <= 2; width++) {
            char left[2 * LENGTH + 8] = "\"";
            char right[2 * LENGTH + 8] = "\"";
            for (size_t i = 0; i < LENGTH; i++) {
                const char *same = width == 1 ? "a" : "\xC3\xA9";
                strcat(left, i == at ? "x" : same);
                strcat(right, i == at ? "y" : same);
            }
            strcat(left, "\"");
            strcat(right, at % 2 ? "\"" : " more\"");
            struct parity_findings *findings = find(left, right, 1, KEPT);
            struct parity_difference shown = parity_findings_at(findings, 0);
            if (!memchr(shown.left.p, 'x', shown.left.n) || !memchr(shown.right.p, 'y', shown.right.n))
                fail_msg("%zu: %.*s | %.*s", at, SLICE_ARG(shown.left), SLICE_ARG(shown.right));
            assert_true(shown.left.n <= KEPT + 8 && shown.right.n <= KEPT + 8);
            parity_findings_free(findings);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_is_kept),
        cmocka_unit_test(long_values_are_cut_between_characters),
        cmocka_unit_test(what_differs_is_in_what_is_kept),
        cmocka_unit_test(confirmed_is_what_lasts),
        cmocka_unit_test(those_that_were_too_many_stay_counted_while_they_are),
        cmocka_unit_test(keeping_none_counts_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
