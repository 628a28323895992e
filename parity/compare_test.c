#include "base/json_read.h"
#include "base/mem.h"
#include "base/testing.h"
#include "parity/compare.h"

#include <stdlib.h>

static const struct parity_rule rules[] = {
    {PARITY_IDENTITY, "$.rows", "id", 0},
    {PARITY_IDENTITY, "$.pairs", "model_id,symbol", 0},
    {PARITY_IDENTITY, "$.either", "id|model_id", 0},
    {PARITY_IDENTITY, "$.rows[].inner", "k", 0},
    {PARITY_IGNORE, "$.serverTime", NULL, 0},
    {PARITY_IGNORE, "$.maps.*.seen", NULL, 0},
    {PARITY_ULPS, "$.ulps", NULL, 2},
    {PARITY_ABSOLUTE, "$.near[]", NULL, 0.5},
    {PARITY_RULES_END, NULL, NULL, 0},
};

/* A line a difference: "class path left right", "-" for what is absent. */
static bool write_line(void *arg, const struct parity_difference *difference)
{
    struct buf *lines = arg;
    buf_printf(lines, "%s%s %.*s %.*s %.*s", lines->len ? "\n" : "", parity_class_name(difference->class),
               SLICE_ARG(difference->path), SLICE_ARG(difference->left.p ? difference->left : SLICE("-")),
               SLICE_ARG(difference->right.p ? difference->right : SLICE("-")));
    return true;
}

/* Copies into blocks of exactly their size, so that a read outside is seen. */
static bool compare_copies(struct slice left, struct slice right, struct buf *lines, struct err *err)
{
    char *copies[2] = {mem_alloc(left.n ? left.n : 1), mem_alloc(right.n ? right.n : 1)};
    memcpy(copies[0], left.n ? left.p : "", left.n);
    memcpy(copies[1], right.n ? right.p : "", right.n);
    struct parity_counts counts;
    bool compared = parity_compare((struct slice){copies[0], left.n}, (struct slice){copies[1], right.n}, rules,
                                   write_line, lines, &counts, err);
    uint64_t told = lines->len > 0;
    for (size_t i = 0; i < lines->len; i++)
        told += lines->data[i] == '\n';
    if (compared)
        assert_int_equal(parity_counts_sum(&counts), told);
    free(copies[0]);
    free(copies[1]);
    return compared;
}

static void assert_differences(const char *left, const char *right, const char *expected)
{
    struct buf lines = BUF_INIT;
    struct err err = ERR_INIT;
    assert_true(json_check(slice_of(left), NULL, NULL));
    assert_true(json_check(slice_of(right), NULL, NULL));
    if (!compare_copies(slice_of(left), slice_of(right), &lines, &err))
        fail_msg("%s against %s: %s", left, right, err.text);
    if (!slice_is(buf_slice(&lines), expected))
        fail_msg("%s against %s:\n%.*s\nnot:\n%s", left, right, SLICE_ARG(buf_slice(&lines)), expected);
    buf_free(&lines);
}

struct sample {
    const char *left, *right, *expected;
};

static void assert_samples(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_differences(samples[i].left, samples[i].right, samples[i].expected);
}
#define ASSERT_SAMPLES(samples) assert_samples(samples, sizeof(samples) / sizeof((samples)[0]))

static void scalars_differ_by_value_and_type(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"1", "1", ""},
        {"1", "1.0", ""},
        {"1", "1e0", ""},
        {"10", "1E+1", ""},
        {"1", "2", "value $ 1 2"},
        {"1", "12", "value $ 1 12"},
        {"12", "1", "value $ 12 1"},
        {"0", "-0", "value $ 0 -0"},
        {"-0", "-0.0", ""},
        {"0", "0e5", ""},
        {"0.1", "0.10000000000000001", ""},
        {"0.1", "0.10000000000000002", "value $ 0.1 0.10000000000000002"},
        {"1e-400", "0", ""},
        {"9007199254740992", "9007199254740992.0", ""},
        {"9007199254740993.0", "9007199254740992.0", ""},
        {"9007199254740992", "9007199254740993.0", "value $ 9007199254740992 9007199254740993.0"},
        {"9007199254740992", "900719925474099.2e1", ""},
        {"9007199254740991", "9007199254740992", "value $ 9007199254740991 9007199254740992"},
        {"1", "\"1\"", "type $ 1 \"1\""},
        {"0", "null", "type $ 0 null"},
        {"\"\"", "null", "type $ \"\" null"},
        {"{}", "null", "type $ {} null"},
        {"[]", "{}", "type $ [] {}"},
        {"false", "true", "value $ false true"},
        {"false", "null", "type $ false null"},
        {"false", "0", "type $ false 0"},
        {" [ ] ", "[]", ""},
        {" { } ", "{}", ""},
        {"null", " null\n", ""},
        {"\"\xC3\xA9\"", "\"\\u00e9\"", ""},
        {"\"\\uD83D\\ude00\"", "\"\xF0\x9F\x98\x80\"", ""},
        {"\"\\/\\n\"", "\"/\\u000A\"", ""},
        {"\"a\"", "\"A\"", "value $ \"a\" \"A\""},
        {"\"e\xCC\x81\"", "\"\xC3\xA9\"", "value $ \"e\xCC\x81\" \"\xC3\xA9\""},
        {"\"\\\\n\"", "\"\\n\"", "value $ \"\\\\n\" \"\\n\""},
        {"\"a\"", "\"a \"", "value $ \"a\" \"a \""},
    };
    ASSERT_SAMPLES(samples);
}

static void members_are_found_by_their_keys(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", ""},
        {"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", "value $.a 1 2\nvalue $.b 2 1"},
        {"{\"a\":1}", "{}", "missing $.a 1 -"},
        {"{}", "{\"a\":1}", "extra $.a - 1"},
        {"{\"a\":null}", "{}", "null-vs-absent $.a null -"},
        {"{}", "{\"a\":null}", "null-vs-absent $.a - null"},
        {"{\"a\":1,\"b\":null,\"c\":3}", "{\"a\":1,\"c\":3}", "null-vs-absent $.b null -"},
        {"{\"a\":1,\"c\":3}", "{\"a\":1,\"b\":2,\"c\":3}", "extra $.b - 2"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "{\"x\":1,\"b\":2,\"c\":4}", "missing $.a 1 -\nvalue $.c 3 4\nextra $.x - 1"},
        {"{\"a\":{}}", "{\"a\":null}", "type $.a {} null"},
        {"{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":2}}}", "value $.a.b.c 1 2"},
        {"{\"odd key\":1}", "{\"odd key\":2}", "value $[\"odd key\"] 1 2"},
        {"{\"q\\\"\":1,\"\":{\"x\":1}}", "{\"\\u0071\\u0022\":2,\"\":{\"x\":2}}",
         "value $[\"q\\\"\"] 1 2\nvalue $[\"\"].x 1 2"},
        {"{\"\\u0061\":1}", "{\"a\":2}", "value $.a 1 2"},
        {"{\"A\":1}", "{\"a\":1}", "missing $.A 1 -\nextra $.a - 1"},
        {"{\"a\":1,\"ab\":2}", "{\"ab\":2,\"a\":1}", ""},
        {"{\"serverTime\":1,\"a\":2}", "{\"a\":2}", ""},
        {"{\"serverTime\":1}", "{\"serverTime\":\"x\"}", ""},
        {"{\"maps\":{\"x\":{\"seen\":1,\"v\":1}}}", "{\"maps\":{\"x\":{\"seen\":[2],\"v\":2}}}",
         "value $.maps.x.v 1 2"},
        {"{\"maps\":{\"x\":{\"v\":1}}}", "{\"maps\":{\"x\":{\"seen\":null,\"v\":1}}}", ""},
    };
    ASSERT_SAMPLES(samples);
}

static void elements_without_identity_are_told_by_place(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"[1,2,3]", "[1,2,3]", ""},
        {"[1,2,3]", "[1, 2 ,3.0]", ""},
        {"[1,2,3]", "[1,3,2]", "value $[1] 2 3\nvalue $[2] 3 2"},
        {"[1,2,3,4]", "[1,3,4]", "missing $[1] 2 -"},
        {"[1,2,3]", "[1,2,9,3]", "extra $[2] - 9"},
        {"[1,2,2,3]", "[1,2,3]", "missing $[2] 2 -"},
        {"[]", "[null]", "extra $[0] - null"},
        {"[1]", "[]", "missing $[0] 1 -"},
        {"[1,2,3,4]", "[1,9,4]", "value $[1] 2 9\nmissing $[2] 3 -"},
        {"[1]", "[12]", "value $[0] 1 12"},
        {"[[1],[2]]", "[[1],[3]]", "value $[1][0] 2 3"},
        {"[{\"a\":1},{\"a\":2}]", "[{\"a\":2}]", "missing $[0] {\"a\":1} -"},
        {"{\"near\":[1,2]}", "{\"near\":[1.5,2.6]}", "value $.near[1] 2 2.6"},
        {"{\"ulps\":1}", "{\"ulps\":1.0000000000000004}", ""},
        {"{\"ulps\":1}", "{\"ulps\":1.0000000000000007}", "value $.ulps 1 1.0000000000000007"},
        {"{\"ulps\":0}", "{\"ulps\":-5e-324}", ""},
    };
    ASSERT_SAMPLES(samples);
}

static void elements_with_identity_are_told_by_it(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"{\"rows\":[{\"id\":\"a\",\"v\":1},{\"id\":\"b\",\"v\":2}]}",
         "{\"rows\":[{\"id\":\"a\",\"v\":1},{\"v\":3,\"id\":\"b\"}]}", "value $.rows[id=b].v 2 3"},
        {"{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}", "{\"rows\":[{\"id\":\"a\"},{\"id\":\"c\"}]}",
         "missing $.rows[id=b] {\"id\":\"b\"} -"},
        {"{\"rows\":[{\"id\":\"a\"},{\"id\":\"c\"}]}", "{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}",
         "extra $.rows[id=b] - {\"id\":\"b\"}"},
        {"{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "{\"rows\":[{\"id\":\"a\"},{\"id\":\"a\"},{\"id\":\"b\"}]}",
         "duplicate $.rows[id=a] - {\"id\":\"a\"}"},
        {"{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"a\"}]}",
         "duplicate $.rows[id=a] - {\"id\":\"a\"}"},
        {"{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "{\"rows\":[{\"id\":\"b\"},{\"id\":\"a\"},{\"id\":\"b\"}]}",
         "duplicate $.rows[id=b] - {\"id\":\"b\"}"},
        {"{\"rows\":[{\"id\":\"b\"},{\"id\":\"a\"},{\"id\":\"b\"}]}", "{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"}]}",
         "duplicate $.rows[id=b] {\"id\":\"b\"} -"},
        {"{\"rows\":[{\"id\":\"a\",\"v\":1},{\"id\":\"a\",\"v\":2}]}",
         "{\"rows\":[{\"id\":\"a\",\"v\":1},{\"id\":\"a\",\"v\":2}]}", ""},
        {"{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"},{\"id\":\"d\"}]}",
         "{\"rows\":[{\"id\":\"d\"},{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}", "order $.rows[id=d] 3 0"},
        {"{\"rows\":[{\"id\":\"a\"},{\"id\":\"b\",\"v\":1},{\"id\":\"c\"},{\"id\":\"d\"}]}",
         "{\"rows\":[{\"id\":\"a\"},{\"id\":\"c\"},{\"id\":\"d\"},{\"id\":\"b\",\"v\":2}]}",
         "order $.rows[id=b] 1 3\nvalue $.rows[id=b].v 1 2"},
        {"{\"rows\":[{\"id\":1},{\"id\":\"1\"}]}", "{\"rows\":[{\"id\":1.0},{\"id\":\"2\"}]}",
         "missing $.rows[id=\"1\"] {\"id\":\"1\"} -\nextra $.rows[id=\"2\"] - {\"id\":\"2\"}"},
        {"{\"rows\":[{\"id\":\"\\u0061\",\"v\":1}]}", "{\"rows\":[{\"id\":\"a\",\"v\":2}]}",
         "value $.rows[id=a].v 1 2"},
        {"{\"rows\":[{\"id\":\"a]\",\"v\":1},{\"id\":true,\"v\":1}]}",
         "{\"rows\":[{\"id\":\"a]\",\"v\":2},{\"id\":true,\"v\":2}]}",
         "value $.rows[id=\"a]\"].v 1 2\nvalue $.rows[id=true].v 1 2"},
        {"{\"rows\":[{\"v\":1},5]}", "{\"rows\":[{\"v\":2},6]}", "value $.rows[0].v 1 2\nvalue $.rows[1] 5 6"},
        {"{\"rows\":[{\"id\":null,\"v\":1}]}", "{\"rows\":[{\"v\":1}]}", "null-vs-absent $.rows[0].id null -"},
        {"{\"rows\":[{\"id\":\"a\",\"v\":1}]}", "{\"rows\":[{\"v\":1}]}",
         "missing $.rows[id=a] {\"id\":\"a\",\"v\":1} -\nextra $.rows[0] - {\"v\":1}"},
        {"{\"rows\":[{\"v\":1},{\"v\":2}]}", "{\"rows\":[{\"v\":1}]}", "missing $.rows[1] {\"v\":2} -"},
        {"{\"pairs\":[{\"model_id\":\"a\",\"symbol\":\"BTC\",\"v\":1}]}",
         "{\"pairs\":[{\"symbol\":\"BTC\",\"v\":2,\"model_id\":\"a\"}]}", "value $.pairs[model_id=a,symbol=BTC].v 1 2"},
        {"{\"either\":[{\"id\":\"i\",\"model_id\":\"a\",\"v\":1},{\"model_id\":\"a\",\"v\":1}]}",
         "{\"either\":[{\"model_id\":\"a\",\"id\":\"i\",\"v\":2},{\"model_id\":\"a\",\"v\":2}]}",
         "value $.either[id=i].v 1 2\nvalue $.either[model_id=a].v 1 2"},
        {"{\"rows\":[{\"id\":\"a\",\"inner\":[{\"k\":1},{\"k\":2}]}]}",
         "{\"rows\":[{\"id\":\"a\",\"inner\":[{\"k\":2},{\"k\":1},{\"k\":3}]}]}",
         "order $.rows[id=a].inner[k=1] 0 1\nextra $.rows[id=a].inner[k=3] - {\"k\":3}"},
    };
    ASSERT_SAMPLES(samples);
}

static void numbers_that_json_check_refuses_are_exact(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"9007199254740993", "9007199254740993", ""},
        {"9007199254740993", "9007199254740992", "value $ 9007199254740993 9007199254740992"},
        {"9007199254740993", "9007199254740993.0", ""},
        {"100000000000000000000", "1e20", ""},
        {"100000000000000000001", "1e20", "value $ 100000000000000000001 1e20"},
        {"1e400", "10e399", ""},
        {"1e400", "0.1e401", ""},
        {"1e400", "-1e400", "value $ 1e400 -1e400"},
        {"1e400", "2e400", "value $ 1e400 2e400"},
        {"1.50e400", "15e399", ""},
        {"1e400", "1", "value $ 1e400 1"},
        {"1e99999999999999999999", "1e99999999999999999999", ""},
        {"1e99999999999999999999", "1e99999999999999999998", "value $ 1e99999999999999999999 1e99999999999999999998"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct buf lines = BUF_INIT;
        struct err err = ERR_INIT;
        assert_true(compare_copies(slice_of(samples[i].left), slice_of(samples[i].right), &lines, &err));
        assert_string_equal(buf_cstr(&lines), samples[i].expected);
        buf_free(&lines);
    }
}

static void malformed_texts_are_refused(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"", "", "left: line 1, column 1: the text is empty"},
        {"1", " ", "right: line 1, column 2: the text is empty"},
        {"[1", "[2]", "left: line 1, column 2: an array that does not end well"},
        {"{\"a\":1}", "{\"a\":\n}", "right: line 2, column 1: expected a value"},
        {"{\"a\":1}", "{\"a\" 2}", "right: line 1, column 6: expected ':'"},
        {"{\"a\":1}", "{\"a\":2", "right: line 1, column 7: expected a comma or an end"},
        {"1 1", "1 2", "left: line 1, column 3: something follows the value"},
        {"\"a", "\"b\"", "left: line 1, column 1: a value that does not end"},
        {"tru", "true", "left: line 1, column 1: expected a value"},
        {"{a:1}", "{}", "left: line 1, column 2: an object that does not end well"},
        {"[1,]", "[1,2]", "left: line 1, column 2: an array that does not end well"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct buf lines = BUF_INIT;
        struct err err = ERR_INIT;
        if (compare_copies(slice_of(samples[i].left), slice_of(samples[i].right), &lines, &err))
            fail_msg("%s against %s was compared", samples[i].left, samples[i].right);
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.text, samples[i].expected);
        buf_free(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_differ_by_value_and_type),
        cmocka_unit_test(members_are_found_by_their_keys),
        cmocka_unit_test(elements_without_identity_are_told_by_place),
        cmocka_unit_test(elements_with_identity_are_told_by_it),
        cmocka_unit_test(numbers_that_json_check_refuses_are_exact),
        cmocka_unit_test(malformed_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
